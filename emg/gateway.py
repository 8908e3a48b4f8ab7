"""The gateway program: the only place where its parts are built and joined.

Four verbs: `start` (spool, engine, connectors, control; a failed start undoes itself), `drain` (nothing new, answers for what is in the
window), `stop` (commit, close), `reload` (a new configuration, swapped as a whole or not at all). SIGTERM and SIGINT drain
and stop, SIGHUP reloads. The gateway runs with the database down: from the last good copies of its tables (`emg.table_feed`).
"""

import argparse
import functools
import gc
import logging
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import gevent.event
import gevent.lock

from emg.config.changes import Changed, in_words, summary
from emg.config.load import load
from emg.config.model import ConnectorConfig, ServerConfig
from emg.connectors.smpp.incoming import IncomingConnector
from emg.connectors.smpp.outgoing import OutgoingConnector, OutgoingSession
from emg.connectors.smpp.rehearsal import rehearse, show
from emg.control.server import ControlServer
from emg.engine import native, table_files
from emg.engine.engine import Engine, build, resume
from emg.engine.logs import Logs
from emg.engine.port import Port
from emg.engine.table_files import TableFiles
from emg.engine.tables import Assembled
from emg.engine.upkeep import Upkeep
from emg.errors import ControlError, EmgError
from emg.last_good import LastGood
from emg.rules.retry import RetryScheme
from emg.session.tls import Context
from emg.spool.opening import open_spool
from emg.supervised import hung_up, note_hangups, patience
from emg.table_feed import TableFeed

SWITCH_SECONDS = 0.001
"""How long the event loop may keep the interpreter from the spool's writer; Python's 5 ms would be in every acknowledgement."""
TICK_SECONDS = 1.0
LARGE = 10_000
"""Rows of a table that the garbage collector is to leave alone."""

log = logging.getLogger("emg")
Connector = IncomingConnector | OutgoingConnector


class Gateway:
    """One gateway process. `last_good`: where the configuration is kept that it came up with, and whether it comes from there."""

    def __init__(self, config: ServerConfig, last_good: LastGood | None = None) -> None:
        self.config = config
        self.last_good = last_good or LastGood("gateway", {})
        self.started_at = 0.0
        self._late = 0.0
        """How late the last tick was, in seconds: how long something kept the event loop."""
        self._tick_due = float("inf")
        self.connectors: dict[str, Connector] = {}
        self.engine: Engine
        self.feed: TableFeed
        self._file: ServerConfig
        """As it is in the file; `config` has the tables' connectors and users beside it."""
        self._files: TableFiles
        self._due: deque[Assembled] = deque()
        """Swapped, but for the connectors."""
        self._connecting = gevent.lock.BoundedSemaphore(1)
        self._control: ControlServer | None = None
        self._ticker: gevent.Greenlet[..., None] | None = None
        self._stop = gevent.event.Event()

    # -- start

    def start(self) -> "Gateway":
        """Itself, up. Raises EmgError, and leaves nothing open."""
        logs = Logs(self.config)
        try:
            files = table_files.read(self.config)
            spool, recovered = open_spool(self.config.spooldir, self.config.nodeid, patience())
        except BaseException:
            logs.close()
            raise
        self.feed = TableFeed(self.config, self._tables_changed)
        try:
            self.feed.begin()
            made = native.run(lambda: self.feed.tables.assemble(self.config, files, self.config))
        except BaseException:
            self.feed.stop()
            spool.close()
            logs.close()
            raise
        self._file, self._files, self.config = self.config, files, made.config
        self.engine = build(self.config, logs, spool, recovered, made.routes)
        self.engine.receiver.logs_text = self.config.database is not None
        try:
            self._take(made)
            for connector in self.config.connectors.values():
                self._guarded(connector.name, functools.partial(self._add, connector, made.schemes))
            resume(self.engine, recovered)
            self._control = ControlServer(self)
            self._control.start()
            self._control.restore()
            for name in list(self.connectors):
                self._guarded(name, functools.partial(self._start_connector, name))
        except BaseException:
            self.stop(0.0)
            raise
        self._ticker = gevent.spawn(self._tick, Upkeep(self.engine))
        self.started_at = time.time()
        gc.collect()
        gc.freeze()  # what is built now stays: no need to look through it again and again
        gc.set_threshold(50_000, 20, 20)
        log.info("gateway %s is up: %d connectors", self.config.servername, len(self.connectors))
        self.feed.ready()
        self.last_good.up(self._file, native.run)
        return self

    def _guarded(self, name: str, step: Callable[[], None]) -> None:
        """Do what concerns this connector: a faulty one of the tables, or of the last good copy, stops nothing but itself, one of the file raises EmgError."""
        try:
            step()
        except EmgError as error:
            if name in self._file.connectors and not self.last_good.faults:
                raise
            self.feed.refused[name] = str(error)
            log.error("connector %s can't be started: %s", name, error)
        else:
            self.feed.refused.pop(name, None)

    def _add(self, config: ConnectorConfig, schemes: Mapping[str, RetryScheme]) -> None:
        lane = self.engine.lanes.get(config.name)
        port = Port(config, lane, schemes[config.name])
        kind = IncomingConnector if port.incoming else OutgoingConnector
        self.connectors[config.name] = kind(self.engine, port)
        self.engine.ports[config.name] = port
        self.engine.router.forget()
        lane.held = config.hold
        if self._control is not None:
            self._control.adopt(port)

    def _start_connector(self, name: str) -> None:
        connector = self.connectors[name]
        if connector.port.config.disabled or connector.port.stopped or not connector.port.config.instances:
            log.info("connector %s is not started", name)
            return
        connector.start()

    def _tick(self, upkeep: Upkeep) -> None:
        self._tick_due = time.monotonic() + TICK_SECONDS
        while True:
            gevent.sleep(max(0.0, self._tick_due - time.monotonic()))
            now = time.monotonic()
            self._late = now - self._tick_due
            self._tick_due = now + TICK_SECONDS
            try:
                upkeep.tick(time.time())
                for connector in self.connectors.values():
                    for session in connector.sessions():
                        if isinstance(session, OutgoingSession):
                            session.measure(TICK_SECONDS + self._late)
            except Exception:  # a duty that fails once is tried again in a second; the gateway goes on
                log.exception("a regular duty failed")

    @property
    def lag(self) -> float:
        """Seconds by which the last tick was late, or by which one has not come that is due: something keeps the event loop, or the duties hang."""
        return max(self._late, time.monotonic() - self._tick_due)

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
        self.feed.stop()
        if self._control is not None:
            self._control.stop()
        self.engine.profiler.close()
        try:
            self.engine.spool.close()
        finally:
            log.info("gateway has stopped")
            self.engine.passwords.close()
            self.engine.logs.close()

    @property
    def configuration_faults(self) -> str:
        """Why it runs on the last good copy; empty while it does not."""
        return self.last_good.faults

    def database_status(self) -> dict[str, Any]:
        """What is known of the database and its tables; empty without one."""
        return self.feed.status()

    # -- reload

    def reload(self, *, anew: bool = False) -> dict[str, Any]:
        """Read the configuration and all tables again and apply what differs. Raises EmgError, and then nothing of the files has changed.

        Sessions of connectors and accounts that did not change are not touched (design section 4, invariant 9); new ones of theirs are
        made with the certificates that are there now. The database's tables
        are looked at whatever the files say; `anew`: also where no revision has changed, since a row may have been changed by hand.
        """
        look = self.feed.look(anew=anew)
        with self.feed.lock:
            file = load(self._file.file)
            files = table_files.read(file)
            made = self._assembled(file, files)
            contexts = self._rehearse(made, file)
            self._file, self._files = file, files
            self._swap(made)
            renewed = show(self.connectors, contexts)
        self._catch_up()
        told = summary(made.changes) | {"certificates_renewed": renewed} | self.feed.wait(look)
        self._catch_up()  # what the tables asked for meanwhile
        self.last_good.up(self._file, native.run, reloaded=True)
        return told

    def _rehearse(self, made: Assembled, file: ServerConfig) -> dict[str, Context | None]:
        """Try what the connectors of the file need, before anything is changed. Raises EmgError."""
        changes = made.changes
        to_start = {
            *changes.connectors_added,
            *(changed.name for changed in changes.connectors_changed if changed.rebuild),
        }
        listening = [each.listener for each in self.connectors.values() if isinstance(each, IncomingConnector)]
        ours = {port for listener in listening if listener is not None for _host, port in listener.bound}
        wanted = [each for each in file.connectors.values() if not each.disabled]
        return rehearse(wanted, to_start, ours)

    def _tables_changed(self) -> None:
        """The database's tables have changed; called with the feed's lock held."""
        try:
            made = self._assembled(self._file, self._files, lenient=True)
        except EmgError as error:
            log.error("a change of the database's tables can't be used: %s", error)
            return
        self._swap(made)
        gevent.spawn(self._catch_up, raising=False)

    def _assembled(self, file: ServerConfig, files: TableFiles, *, lenient: bool = False) -> Assembled:
        gc.collect(1)
        gc.disable()  # it would go through all the new rows again and again, and keep the event loop meanwhile
        try:
            made = native.run(lambda: self.feed.tables.assemble(file, files, self.config, lenient=lenient))
            pairs = ((made.routes, self.engine.router.table), (made.prices, self.engine.charging.prices))
            if any(new is not None and new is not old and new.size > LARGE for new, old in pairs):
                gc.freeze()  # as at the start; what garbage of this second is never collected now is no more than that
            return made
        finally:
            gc.enable()

    def _swap(self, made: Assembled) -> None:
        """Everything new takes effect at once, but for the connectors: that is `_catch_up`, and may have to wait for answers."""
        changes = made.changes
        self.config = made.config
        self.engine.logs.configure(made.config)
        self._take(made)
        names = {*changes.users_added, *changes.users_removed, *(changed.name for changed in changes.users_changed)}
        if names:
            for connector in self.connectors.values():
                if isinstance(connector, IncomingConnector):
                    connector.accounts_changed(names)
        self._due.append(made)

    def _catch_up(self, *, raising: bool = True) -> None:
        """Do to the connectors what the swaps so far ask for, in their order; nothing is left to do when this returns.

        Apart from the swap, because a connector that is made anew first waits for its sessions: meanwhile an account can still be locked.
        Raises EmgError where a connector of the file can't be had; unless `raising`, that is for the log.
        """
        with self._connecting:
            while self._due:
                try:
                    self._connect(self._due.popleft())
                except EmgError as error:
                    if raising:
                        raise
                    log.error("%s", error)

    def _connect(self, made: Assembled) -> None:
        changes, faults = made.changes, []
        for name in changes.connectors_removed:
            self._remove(name)
        steps = [(each.name, functools.partial(self._change, each, made)) for each in changes.connectors_changed]
        added = ((name, made.config.connectors[name]) for name in changes.connectors_added)
        steps += [(name, functools.partial(self._begin, config, made.schemes)) for name, config in added]
        for name, step in steps:
            try:
                self._guarded(name, step)
            except EmgError as error:
                faults.append(f"connector {name} can't be had: {error}")
        for lane in self.engine.lanes.by_name.values():
            self.engine.lanes.touch(lane)
        if told := in_words(summary(changes)):
            log.info("configuration reloaded: %s", told)
        if faults:
            raise ControlError("the new configuration is in force, but " + "\n".join(faults), 409)

    def _take(self, made: Assembled) -> None:
        """The engine's part of a swap."""
        charging = self.engine.charging
        gevent.spawn(
            native.let_go, [self.engine.router.table, charging.prices, charging.numbering, self.engine.receiver.lists]
        )
        self.engine.configure(made.config, made.routes, made.lists)
        charging.prices, charging.numbering = made.prices, made.numbering
        charging.configure(made.billing)
        for name in made.schemes.keys() & self.engine.ports.keys():
            self.engine.ports[name].retry = made.schemes[name]
        self.feed.note(made)

    def _begin(self, config: ConnectorConfig, schemes: Mapping[str, RetryScheme]) -> None:
        self._add(config, schemes)
        self._start_connector(config.name)

    def _remove(self, name: str) -> None:
        self.feed.refused.pop(name, None)
        connector = self.connectors.pop(name, None)
        if connector is None:
            return  # one of the tables that could not be made
        gevent.spawn(connector.stop, self.config.draintime)
        del self.engine.ports[name]
        self.engine.router.forget()
        if connector.port.lane.size:
            log.warning(
                "connector %s is gone; %d messages wait in its queue: move or clear them",
                name,
                connector.port.lane.size,
            )

    def _change(self, changed: Changed, made: Assembled) -> None:
        connector = self.connectors.get(changed.name)
        config = made.config.connectors[changed.name]
        if connector is not None and not changed.rebuild:
            connector.port.configure(config, made.schemes[changed.name])
            self.engine.router.forget()
            connector.configure()
            return
        if connector is not None:
            connector.stop(min(self.config.draintime, 5.0))
        self._begin(config, made.schemes)


def main(argv: list[str]) -> int:
    """`emg gateway [-c server.cfg]`: run until SIGTERM or SIGINT. 0 after an orderly stop, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="emg gateway", description="Run the gateway in the foreground.")
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    arguments = parser.parse_args(argv)
    note_hangups()
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(0o027)  # messages and logs are nobody else's
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # customers alone may be more than the usual 1,024
    gateway = LastGood("gateway").started(
        arguments.config, lambda *given: Gateway(*given).start(), table_files.FilesFaulty
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, gateway.request_stop)
    gevent.signal_handler(signal.SIGHUP, _reload, gateway)
    if hung_up():
        _reload(gateway)
    gateway.serve()
    return 0


def _reload(gateway: Gateway) -> None:
    gateway.engine.logs.reopen()  # SIGHUP is also how logrotate says that it has moved them away
    try:
        gateway.reload(anew=True)
        log.info("the configuration was read again")
    except ControlError as error:
        log.error("%s", error)
    except EmgError as error:
        log.error("the configuration stays as it was: %s", error)
