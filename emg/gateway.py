"""The gateway program: the only place where its parts are built and joined.

Four verbs: `start` (spool, engine, connectors, control; a failed start undoes itself), `drain` (nothing new, answers for what is in the
window), `stop` (commit, close), `reload` (a new configuration, swapped as a whole or not at all). SIGTERM and SIGINT drain
and stop, SIGHUP reloads. The gateway runs without a database.
"""

import argparse
import gc
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
import gevent.event

from emg.config.changes import Changed, compare
from emg.config.load import load
from emg.config.model import ConnectorConfig, ServerConfig
from emg.connectors.smpp.incoming import IncomingConnector
from emg.connectors.smpp.outgoing import OutgoingConnector, OutgoingSession
from emg.control.server import ControlServer
from emg.engine.engine import Engine, build, resume
from emg.engine.logs import Logs
from emg.engine.port import Port
from emg.engine.upkeep import Upkeep
from emg.errors import EmgError
from emg.rules import retry_smpp
from emg.rules.blocklist import AddressList, BlockListFaults, BlockLists
from emg.rules.retry import DEFAULT_INTERVALS, RetryScheme
from emg.rules.routes import RouteTable
from emg.spool.opening import open_spool

SWITCH_SECONDS = 0.001
"""How long the event loop may keep the interpreter from the spool's writer; Python's 5 ms would be in every acknowledgement."""
TICK_SECONDS = 1.0

log = logging.getLogger("emg")
Connector = IncomingConnector | OutgoingConnector


class Gateway:
    """One gateway process."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.started_at = 0.0
        self.lag = 0.0
        """How late the last tick was, in seconds: how long something kept the event loop."""
        self.connectors: dict[str, Connector] = {}
        self.engine: Engine
        self._control: ControlServer | None = None
        self._ticker: gevent.Greenlet[..., None] | None = None
        self._stop = gevent.event.Event()

    # -- start

    def start(self) -> None:
        """Raises EmgError, and leaves nothing open."""
        logs = Logs(self.config)
        try:
            table, lists = routes_of(self.config), lists_of(self.config)
            spool, recovered = open_spool(self.config.spooldir, self.config.nodeid)
        except BaseException:
            logs.close()
            raise
        self.engine = build(self.config, logs, spool, recovered, table)
        self.engine.receiver.lists = lists
        try:
            for connector in self.config.connectors.values():
                self._add(connector)
            resume(self.engine, recovered)
            self._control = ControlServer(self)
            self._control.start()
            self._control.restore()
            for name in self.connectors:
                self._start_connector(name)
        except BaseException:
            self.stop(0.0)
            raise
        self._ticker = gevent.spawn(self._tick, Upkeep(self.engine))
        self.started_at = time.time()
        gc.collect()
        gc.freeze()  # what is built now stays: no need to look through it again and again
        gc.set_threshold(50_000, 20, 20)
        log.info("gateway %s is up: %d connectors", self.config.servername, len(self.connectors))

    def _add(self, config: ConnectorConfig) -> None:
        lane = self.engine.lanes.get(config.name)
        port = Port(config, lane, scheme_of(config))
        self.engine.ports[config.name] = port
        self.engine.router.forget()
        lane.held = config.hold
        if self._control is not None:
            self._control.adopt(port)
        kind = IncomingConnector if port.incoming else OutgoingConnector
        self.connectors[config.name] = kind(self.engine, port)

    def _start_connector(self, name: str) -> None:
        connector = self.connectors[name]
        if connector.port.config.disabled or connector.port.stopped or not connector.port.config.instances:
            log.info("connector %s is not started", name)
            return
        connector.start()

    def _tick(self, upkeep: Upkeep) -> None:
        due = time.monotonic() + TICK_SECONDS
        while True:
            gevent.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self.lag = now - due
            due = now + TICK_SECONDS
            try:
                upkeep.tick(time.time())
                for connector in self.connectors.values():
                    for session in connector.sessions():
                        if isinstance(session, OutgoingSession):
                            session.measure(TICK_SECONDS + self.lag)
            except Exception:  # a duty that fails once is tried again in a second; the gateway goes on
                log.exception("a regular duty failed")

    # -- stop

    def request_stop(self) -> None:
        """Ask `serve` to drain and stop; safe in a signal handler."""
        self._stop.set()

    def serve(self) -> None:
        """Run until `request_stop`."""
        self._stop.wait()
        self.stop(self.config.draintime)

    def drain(self, seconds: float) -> None:
        """Take nothing new; let what is in flight be answered; end the sessions. At most about `seconds`."""
        self.engine.receiver.open = False
        stops = [gevent.spawn(connector.stop, seconds) for connector in self.connectors.values()]
        gevent.joinall(stops, timeout=seconds + 5.0)

    def stop(self, seconds: float) -> None:
        """Drain, commit, close. What is left in the queues is there at the next start."""
        log.info("gateway stops")
        self.drain(seconds)
        if self._ticker is not None:
            self._ticker.kill()
        if self._control is not None:
            self._control.stop()
        self.engine.profiler.close()
        try:
            self.engine.spool.close()
        finally:
            log.info("gateway has stopped")
            self.engine.passwords.close()
            self.engine.logs.close()

    # -- reload

    def reload(self) -> dict[str, Any]:
        """Read the configuration and all tables again and apply what differs. Raises EmgError, and then nothing has changed.

        Sessions of connectors and accounts that did not change are not touched (design section 4, invariant 9).
        """
        new = load(self.config.file)
        table, lists = routes_of(new), lists_of(new)
        changes = compare(self.config, new)
        schemes = {name: scheme_of(config) for name, config in new.connectors.items()}
        self.config = new
        self.engine.logs.configure(new)
        self.engine.configure(new, table, lists)
        for name in changes.connectors_removed:
            self._remove(name)
        for changed in changes.connectors_changed:
            self._change(changed, new.connectors[changed.name], schemes)
        for name in changes.connectors_added:
            self._add(new.connectors[name])
            self._start_connector(name)
        if changes.users_added or changes.users_removed or changes.users_changed:
            for connector in self.connectors.values():
                if isinstance(connector, IncomingConnector):
                    connector.configure()
        for lane in self.engine.lanes.by_name.values():
            self.engine.lanes.touch(lane)
        told = summary(changes)
        log.info("configuration reloaded: %s", told)
        return told

    def _remove(self, name: str) -> None:
        connector = self.connectors.pop(name)
        gevent.spawn(connector.stop, self.config.draintime)
        del self.engine.ports[name]
        self.engine.router.forget()
        if connector.port.lane.size:
            log.warning(
                "connector %s is gone; %d messages wait in its queue: move or clear them",
                name,
                connector.port.lane.size,
            )

    def _change(self, changed: Changed, config: ConnectorConfig, schemes: Mapping[str, RetryScheme]) -> None:
        connector = self.connectors[changed.name]
        if not changed.rebuild:
            connector.port.configure(config, schemes[changed.name])
            self.engine.router.forget()
            connector.configure()
            return
        connector.stop(min(self.config.draintime, 5.0))
        self._add(config)
        self._start_connector(changed.name)


def summary(changes: Any) -> dict[str, Any]:
    """What a reload did, for the log and its caller."""
    return {
        "connectors_added": list(changes.connectors_added),
        "connectors_removed": list(changes.connectors_removed),
        "connectors_changed": [changed.name for changed in changes.connectors_changed],
        "connectors_rebuilt": [changed.name for changed in changes.connectors_changed if changed.rebuild],
        "users_added": list(changes.users_added),
        "users_removed": list(changes.users_removed),
        "users_changed": [changed.name for changed in changes.users_changed],
        "general": list(changes.general_live),
        "after_restart": list(changes.general_restart),
    }


def routes_of(config: ServerConfig) -> RouteTable | None:
    """The routing table of a configuration. Raises EmgError with all its faults."""
    if config.routes is None:
        return None
    return RouteTable.parse(_text_of(config.routes), config.connectors.keys())


def lists_of(config: ServerConfig) -> BlockLists | None:
    """The block lists of a configuration; None when nothing can be blocked. Raises EmgError with all faults of one list."""
    if config.blacklist is None:
        return None
    black = _list_of(config.blacklist, white=False)
    return BlockLists(black, _list_of(config.whitelist, white=True) if config.whitelist else None)


def _list_of(path: str, *, white: bool) -> AddressList:
    try:
        return AddressList.parse(_text_of(path), white=white)
    except BlockListFaults as faults:
        raise EmgError(f"{path}: {faults}") from faults


def scheme_of(config: ConnectorConfig) -> RetryScheme:
    """The retry scheme of a connector, on top of the built-in one of its direction. Raises EmgError."""
    base = retry_smpp.OPERATOR if config.type.name == "OUTGOING" else retry_smpp.CUSTOMER
    pauses = (config.retrytime,) if config.retrytime else DEFAULT_INTERVALS
    if config.retryscheme is not None:
        return RetryScheme.parse(_text_of(config.retryscheme), retry_smpp.NAMES, base, pauses)
    return RetryScheme({}, [], None, base, pauses) if config.retrytime else base


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EmgError(f"{path}: {error}") from error


def main(argv: list[str]) -> int:
    """`emg gateway [-c server.cfg]`: run until SIGTERM or SIGINT. 0 after an orderly stop, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="emg gateway", description="Run the gateway in the foreground.")
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    arguments = parser.parse_args(argv)
    gateway = Gateway(load(arguments.config))
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(0o027)  # messages and logs are nobody else's
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # customers alone may be more than the usual 1,024
    gateway.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, gateway.request_stop)
    gevent.signal_handler(signal.SIGHUP, _reload, gateway)
    gateway.serve()
    return 0


def _reload(gateway: Gateway) -> None:
    gateway.engine.logs.reopen()  # SIGHUP is also how logrotate says that it has moved them away
    try:
        gateway.reload()
    except EmgError as error:
        log.error("the configuration stays as it was: %s", error)
