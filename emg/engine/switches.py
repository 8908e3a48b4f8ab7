"""What an operator has switched and what outlives a restart: queues on hold, connectors stopped.

Each switch is one row of the spool's settings: `hold:<queue>` 1 or 0 (0: released although the configuration says HOLD), `stop:<connector>` 1.
Holding a connector's queue holds those of its accounts too, unless an account's own was switched. Queues that are made later follow.
"""

import logging

from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.port import Port
from emg.spool.spool import Spool

HOLD = "hold:"
STOP = "stop:"
SECONDS = 10.0
"""How long the answer waits for the disk."""

log = logging.getLogger("emg.engine")


class Switches:
    """The only one who turns `Lane.held` and `Port.stopped` after they were made."""

    def __init__(self, spool: Spool, lanes: Lanes) -> None:
        self._spool = spool
        self._lanes = lanes
        self._holds: dict[str, bool] = {}
        self._stopped: set[str] = set()

    def restore(self, ports: dict[str, Port]) -> None:
        """Read what was switched before the restart and apply it. Raises SpoolError."""
        rows = self._spool.ask(
            lambda db: db.execute(
                "SELECT name, value FROM setting WHERE name GLOB 'hold:*' OR name GLOB 'stop:*'"
            ).fetchall()
        )
        for name, value in rows:
            kind, _, what = name.partition(":")
            if kind == "hold":
                self._holds[what] = bool(value)
            elif value:
                self._stopped.add(what)
        for port in ports.values():
            self.adopt(port)
        for lane in self._lanes.by_name.values():
            self._apply(lane)
        self._lanes.on_new = self._apply
        if self._holds or self._stopped:
            log.info(
                "as before the restart: on hold %s; stopped %s",
                ", ".join(sorted(name for name, held in self._holds.items() if held)) or "nothing",
                ", ".join(sorted(self._stopped)) or "nothing",
            )

    def adopt(self, port: Port) -> None:
        """A connector was made anew (start, reload): it is as its operator left it."""
        port.stopped = port.name in self._stopped
        self._apply(port.lane)

    def _apply(self, lane: Lane) -> None:
        own = self._holds.get(lane.name)
        if own is None and "/" in lane.name:
            connector = self._lanes.by_name.get(lane.name.partition("/")[0])
            own = connector.held if connector is not None else None
        if own is not None and own != lane.held:
            lane.held = own
            if own:
                self._lanes.recall(lane)
            self._lanes.touch(lane)

    def hold(self, lane: Lane, *, held: bool) -> None:
        """Hold or release a queue; on disk when this returns. Raises SpoolError when it is done, but could not be kept."""
        self._holds[lane.name] = held
        self._spool.execute("INSERT OR REPLACE INTO setting VALUES (?,?)", (HOLD + lane.name, int(held)))
        self._apply(lane)
        for other in list(self._lanes.by_name.values()):
            if other.name.startswith(lane.name + "/"):
                self._apply(other)
        log.info("queue %s was %s by an operator", lane.name, "put on hold" if held else "released")
        self._spool.settle(SECONDS)

    def stop(self, port: Port, *, stopped: bool) -> None:
        """Note that an operator stopped or started a connector; as `hold`."""
        port.stopped = stopped
        if stopped:
            self._stopped.add(port.name)
            self._spool.execute("INSERT OR REPLACE INTO setting VALUES (?,1)", (STOP + port.name,))
        else:
            self._stopped.discard(port.name)
            self._spool.execute("DELETE FROM setting WHERE name = ?", (STOP + port.name,))
        log.info("connector %s was %s by an operator", port.name, "stopped" if stopped else "started")
        self._spool.settle(SECONDS)
