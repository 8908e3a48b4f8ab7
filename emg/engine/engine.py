"""The parts of the engine under one roof: what connectors and the control API are given. Joined by `emg.gateway` alone."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import gevent
import gevent.lock

from emg.config.model import ServerConfig, UserConfig
from emg.engine import backlogs, shares
from emg.engine.charging import Charging
from emg.engine.conclude import Concluder
from emg.engine.daily import DailyCounts
from emg.engine.deliver import Deliverer
from emg.engine.joining import HELD, Joiner
from emg.engine.lanes import Lanes
from emg.engine.logs import Logs
from emg.engine.open_reports import OpenReports
from emg.engine.orphans import Orphans
from emg.engine.outbox import Outbox
from emg.engine.parts import Groups
from emg.engine.passwords import Passwords
from emg.engine.port import Port
from emg.engine.profiling import Profiler
from emg.engine.receive import Limits, Receiver, Sender
from emg.engine.report import REPEAT_SECONDS, Reporter
from emg.engine.routing import Router
from emg.engine.shares import Shares
from emg.errors import SpoolError
from emg.rules.blocklist import BlockLists
from emg.rules.pacing import LoginGuard
from emg.rules.routes import RouteTable
from emg.spool.opening import Recovered, connect
from emg.spool.spool import Spool

log = logging.getLogger("emg.engine")
T = TypeVar("T")

INSPECTIONS = 2
DEADLINE_STEPS = 100_000
"""Steps of SQLite after which a long query looks at the clock: some milliseconds."""
_inspections = gevent.lock.BoundedSemaphore(INSPECTIONS)


@dataclass
class Engine:
    """One gateway's engine. Reload swaps `config`, `users` and what is built from them; the rest lives as long as the gateway."""

    config: ServerConfig
    logs: Logs
    spool: Spool
    lanes: Lanes
    ports: dict[str, Port]
    router: Router
    groups: Groups
    open_reports: OpenReports
    orphans: Orphans
    reporter: Reporter
    receiver: Receiver
    deliverer: Deliverer
    users: Mapping[str, UserConfig]
    charging: Charging
    senders: dict[str, Sender] = field(default_factory=dict)
    logins: LoginGuard = field(default_factory=LoginGuard)
    passwords: Passwords = field(default_factory=Passwords)
    daily: DailyCounts | None = None
    profiler: Profiler = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.profiler = Profiler(self.spool)
        self.outbox = Outbox(self.spool)
        self.profiler.configure(self.config.profiling_threshold)
        self.passwords.configure(user.password for user in self.users.values())

    def sender(self, account: str) -> Sender:
        """The account's limits, shared by all its sessions."""
        sender = self.senders.get(account)
        if sender is None:
            sender = self.senders[account] = Sender(account, self.users.get(account), self.daily)
        return sender

    def inspect(
        self, query: Callable[[sqlite3.Connection], T], told: Callable[[T | None, SpoolError | None], None]
    ) -> None:
        """Run a query that may take long beside the writer, on a read-only connection in a native thread; `told` gets its result, or why
        there is none.
        """
        gevent.spawn(self._inspect, query, told)

    def _inspect(
        self, query: Callable[[sqlite3.Connection], T], told: Callable[[T | None, SpoolError | None], None]
    ) -> None:
        try:
            result = self.look(query)
        except SpoolError as error:
            told(None, error)
        else:
            told(result, None)

    def look(self, query: Callable[[sqlite3.Connection], T], seconds: float = 30.0) -> T:
        """`inspect`, waited for. Raises SpoolError. At most `INSPECTIONS` run at once."""
        deadline = time.monotonic() + seconds

        def run() -> T | sqlite3.Error:
            try:
                with contextlib.closing(connect(Path(self.spool.path), read_only=True)) as db:
                    db.set_progress_handler(lambda: time.monotonic() > deadline, DEADLINE_STEPS)
                    return query(db)
            except sqlite3.Error as error:  # as a value: gevent prints what a worker raises
                return error

        with gevent.Timeout(seconds, SpoolError(f"the spool was not read within {seconds:g} s")), _inspections:
            result: T | sqlite3.Error = gevent.get_hub().threadpool.apply(run)
        if isinstance(result, sqlite3.Error):
            raise SpoolError(f"the spool cannot be read: {result}") from result
        return result

    def configure(self, config: ServerConfig, table: RouteTable | None, lists: BlockLists | None = None) -> None:
        """Take the server-wide part of a new configuration."""
        self.config = config
        self.users = self.reporter.concluder.users = config.users
        self.profiler.configure(config.profiling_threshold)
        self.passwords.configure(user.password for user in config.users.values())
        self.router.table = table
        self.receiver.lists = lists
        self.router.forget()
        self.router.memory.seconds = self.receiver.joiner.seconds = config.cmrexpire
        self.reporter.concluder.lifetime = config.dlrexpire
        self.receiver.limits = limits_of(config)
        self.orphans.limit = config.orphansize
        self.orphans.early_seconds = config.earlyexpire
        self.orphans.expire_seconds = config.orphanexpire
        for sender in self.senders.values():
            sender.configure(config.users.get(sender.name))
        self.count_shares()

    def count_shares(self) -> None:
        """Count waiting messages by account if an account has a bound of its own."""
        wanted = any(user.maxqueuesize for user in self.users.values())
        if not wanted:
            self.lanes.shares = None
        elif self.lanes.shares is None:
            self.lanes.shares = found = Shares()
            for message in self.lanes.in_memory():
                found.add(message)
            if any(lane.deferred or lane.tail.count for lane in self.lanes.by_name.values()):
                self.inspect(shares.on_disk, found.learn)


def limits_of(config: ServerConfig) -> Limits:
    """The server-wide bounds for the receive path."""
    return Limits(config.maxtotalqueuesize, config.default_vp, config.maxvp)


def build(config: ServerConfig, logs: Logs, spool: Spool, recovered: Recovered, table: RouteTable | None) -> Engine:
    """Join the parts. Queues are filled by `resume`, when the ports are known."""
    ports: dict[str, Port] = {}
    lanes = Lanes(spool, head_limit=config.headsize)
    router = Router(lanes, ports, table, config.cmrexpire)
    groups = Groups(spool)
    open_reports = OpenReports(spool, recovered.open_reports)
    orphans = Orphans(
        spool, recovered.orphans, limit=config.orphansize, early=config.earlyexpire, expire=config.orphanexpire
    )
    charging = Charging(spool, recovered.balances)
    concluder = Concluder(spool, lanes, router, groups, charging)
    concluder.users = config.users
    concluder.lifetime = config.dlrexpire
    reporter = Reporter(spool, lanes, router, groups, open_reports, orphans, concluder)
    receiver = Receiver(spool, lanes, router, groups, charging, limits_of(config))
    receiver.joiner = Joiner(spool, lanes, router, reporter, receiver, config.cmrexpire)
    deliverer = Deliverer(spool, lanes, reporter, open_reports)
    return Engine(
        config,
        logs,
        spool,
        lanes,
        ports,
        router,
        groups,
        open_reports,
        orphans,
        reporter,
        receiver,
        deliverer,
        config.users,
        charging,
        passwords=Passwords(Path(config.spooldir)),
        daily=DailyCounts(spool, recovered.daily),
    )


def resume(engine: Engine, recovered: Recovered) -> None:
    """Queue what the spool held; called once, when all ports stand."""
    lanes = engine.lanes
    for backlog in recovered.spilled:
        lane = lanes.get(backlog.queue)
        lane.tail.found(backlog.messages, (backlog.first, backlog.first_id), backlog.last)
        lane.size += backlog.messages
        lanes.total += backlog.messages
        lanes.touch(lane)
    for name, count in recovered.deferred:
        lane = lanes.get(name)
        lane.deferred += count
        lane.size += count
        lanes.total += count
    held = [message for message in recovered.resident if message.queue.startswith(HELD)]
    if held:
        recovered.resident = [message for message in recovered.resident if not message.queue.startswith(HELD)]
    highest_slot = engine.spool.highest_slot
    backlogs.take_turns(lanes, recovered)
    doubtful = engine.deliverer.recover(recovered.resident, recovered.marked, engine.ports)
    engine.spool.forget_marks(highest_slot)
    lanes.shares = None  # a configuration was taken before this, when nothing was there to count
    engine.count_shares()
    engine.receiver.joiner.recover(held)
    if not recovered.clean:
        engine.reporter.repeats_until = time.time() + REPEAT_SECONDS
    log.info(
        "the spool held %d messages, %d of them perhaps sent, and %d open reports",
        lanes.total,
        doubtful,
        recovered.open_reports,
    )
    _learn_backlogs(engine)


def _learn_backlogs(engine: Engine) -> None:
    """Find out whose messages wait on disk: before anybody binds, but for a backlog of many millions."""
    queues = backlogs.shared(engine.lanes)
    if not queues:
        return
    query, learn = partial(backlogs.accounts, queues), partial(backlogs.learn, engine.lanes)
    try:
        found = engine.look(query, backlogs.PATIENCE)
    except SpoolError as error:
        log.warning("whose messages wait on disk is not known yet: %s", error)
        engine.inspect(query, learn)
    else:
        learn(found, None)
