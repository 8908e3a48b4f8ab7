"""`emg scheduler`: runs the jobs of `emg.jobs.table` when they are due, one scheduler at a time.

However many are started, the one that has the lease `scheduler` runs the jobs; the others wait and look every third of `--lease` seconds. An owner that
stops gives it back; when one dies, another has it after at most `--lease` and a third. When jobs are due stands in the database (APScheduler's job store), so a
run that was missed is caught up. A job that fails is tried again after a minute, then two, four, at most an hour; one that was cut off runs
again at once under the next owner. How each job went stands in `job_run`.

The database may be away at any time: nothing ends, everything goes on when it is back. SIGTERM waits for jobs that run, at most `STOP_SECONDS`:
every job may be cut off anywhere. SIGHUP begins a new log file; the log is LOGDIR/scheduler. Exit codes: 0 after SIGTERM or SIGINT, 1 when the configuration is wrong or names no database.
"""

import argparse
import datetime as dt
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.gevent import GeventScheduler
from apscheduler.triggers.cron import CronTrigger
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from emg.config.cli import DEFAULT_FOLDER
from emg.db import duties, schema, settings
from emg.db.engine import Database, DatabaseError
from emg.engine.program_log import ProgramLog
from emg.errors import EmgError
from emg.jobs.table import JOBS, Job
from emg.last_good import LastGood
from emg.rules.snapshot import Skipped
from emg.supervised import hung_up, note_hangups

LEASE: Final = "scheduler"
LEASE_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 60
LONGEST_RETRY_SECONDS: Final = 3600
STORE_RETRY_SECONDS: Final = 1
CLOCK_SECONDS: Final = 5
"""A clock that is set back by less has jobs wait by no more than that, and must not have one run twice."""

log = logging.getLogger("emg.scheduler")


class _Clock(GeventScheduler):  # type: ignore[misc]  # APScheduler brings no types
    """APScheduler's, that outlives a database that goes away between reading a job and writing when it is due next.

    Without the lease it takes no job: what it takes is no longer due, and nobody would run it.
    """

    def __init__(self, owned: Callable[[], bool], **options: Any) -> None:
        self._owned = owned
        super().__init__(**options)

    def _process_jobs(self) -> float | None:
        if not self._owned():
            return STORE_RETRY_SECONDS
        try:
            wait: float | None = super()._process_jobs()
        except SQLAlchemyError as error:
            log.warning("the job store could not be used (%s); tried again", type(error).__name__)
            return STORE_RETRY_SECONDS
        return wait


class Scheduler:
    """One program's: `serve` until `stop`."""

    current: "Scheduler | None" = None
    """The one that runs; what the job store keeps of a job can only be a function's name."""

    def __init__(self, database: Database, lease_seconds: float = LEASE_SECONDS, control: str = "") -> None:
        self.database = database
        self._control = control
        self.owner = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._seconds = lease_seconds
        self._mine_until = 0.0
        self._clock: _Clock | None = None
        self._running: set[str] = set()
        self._failed: dict[str, int] = {}
        self._said: dict[str, str] = {}
        self._stopping = Event()
        self._told = ""
        self._unused: set[Skipped] = set()

    # -- four verbs

    def serve(self) -> None:
        """Hold the lease and run the jobs, or wait for it, until `stop`."""
        Scheduler.current = self
        while not self._stopping.is_set():
            self._look()
            self._stopping.wait(self._seconds / 3)
        self._end()

    def stop(self) -> None:
        """End `serve`."""
        self._stopping.set()

    @property
    def owns(self) -> bool:
        """The lease is ours, by our own clock too."""
        return time.monotonic() < self._mine_until

    def run(self, name: str) -> None:
        """Run a job now and write down how it went."""
        if not self.owns or name in self._running:
            return
        self._running.add(name)
        try:
            self._run(name, JOBS[name])
        finally:
            self._running.discard(name)

    # -- the lease

    def _look(self) -> None:
        """Take or renew the lease, and do as it says. Our deadline counts from before the database was asked."""
        asked = time.monotonic()
        try:
            if self._clock is None and (fault := schema.check(self.database)):
                self._say(fault)
                return
            with self.database.session() as session:
                mine = duties.take(session, LEASE, self.owner, self._seconds)
            self._mine_until = asked + self._seconds if mine else 0.0
            if mine:
                self._examine_settings()
            if mine and self._clock is None:
                self._begin()
            self._plan_anew()
            self._again()
            self._say("")
        except DatabaseError as error:
            self._say(str(error))
        except SQLAlchemyError as error:
            self._say(f"the job store can't be used: {type(error).__name__}")
        if self._clock is not None and not self.owns:
            log.warning("the lease is lost: the jobs are another scheduler's")
            self._halt()

    def _say(self, fault: str) -> None:
        """Log what is wrong once, and that it is over."""
        if fault != self._told:
            log.warning("%s", fault or "the database can be used again")
        self._told = fault

    def _examine_settings(self) -> None:
        """Log what a hand has put into the settings that the jobs can't use, once."""
        with self.database.session() as session:
            unused = set(settings.examine(session.connection())[1])
        for row in sorted(unused - self._unused, key=str):
            log.warning("not used: %s", row)
        self._unused = unused

    # -- the clock

    def _begin(self) -> None:
        """Start APScheduler with the rows of the table. A job that is kept keeps when it is due: that is how a missed run is noticed."""
        store = SQLAlchemyJobStore(engine=self.database.engine, tablename="scheduler_job")
        clock = _Clock(lambda: self.owns, jobstores={"default": store}, timezone=dt.UTC)
        clock.start(paused=True)
        try:
            for name, job in JOBS.items():
                _keep(clock, name, job)
            for kept in clock.get_jobs():
                if kept.id not in JOBS:
                    kept.remove()
            for name in self._cut_off():
                clock.modify_job(name, next_run_time=dt.datetime.now(dt.UTC))
        except BaseException:
            clock.shutdown(wait=False)
            raise
        self._clock = clock
        clock.resume()
        log.info("%s runs the jobs", self.owner)

    def _cut_off(self) -> list[str]:
        """Jobs whose program died while they ran."""
        with self.database.session() as session:
            return [
                row.name
                for row in duties.runs(session)
                if row.name in JOBS and row.started and (row.ended is None or row.ended < row.started)
            ]

    def _halt(self) -> None:
        if self._clock is not None:
            clock, self._clock = self._clock, None
            clock.shutdown(wait=False)

    def _end(self) -> None:
        """Wait for what runs, and let another have the lease at once."""
        self._halt()
        deadline = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < deadline:
            gevent.sleep(0.05)
        try:
            with self.database.session() as session:
                duties.give_back(session, LEASE, self.owner)
        except DatabaseError as error:
            log.warning("the lease could not be given back: %s", error)
        self._mine_until = 0.0
        self.database.close()

    # -- a job

    def _run(self, name: str, job: Job) -> None:
        log.debug("%s begins", name)
        result, error = "", ""
        try:
            with self.database.session() as session:
                duties.started(session, name)
            result = job.function(self.database, *([self._control] if job.asks_gateway else []))
        except EmgError as reason:
            error = str(reason)
        except Exception as reason:  # a job that breaks must not take the others with it
            log.exception("%s broke", name)
            error = f"{type(reason).__name__}: see the log"
        if error:
            log.warning("%s failed: %s", name, error)
            self._failed[name] = self._failed.get(name, 0)
        else:
            # a mail job that has nothing to send says so once, and not each minute
            log.log(logging.DEBUG if self._said.get(name) == result else logging.INFO, "%s: %s", name, result)
            self._said[name] = result
            self._failed.pop(name, None)
        try:
            with self.database.session() as session:
                duties.ended(session, name, result, error)
        except DatabaseError as reason:
            log.warning("how %s went could not be written down: %s", name, reason)

    def _plan_anew(self) -> None:
        """A clock that was set back would have the jobs wait until it has come to where it was."""
        if self._clock is None:
            return
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=CLOCK_SECONDS)
        for job in self._clock.get_jobs():
            due = job.trigger.get_next_fire_time(None, soon)
            if due is not None and job.next_run_time is not None and job.next_run_time > due:
                log.warning("%s was to run later than its schedule says, as if the clock had been set back", job.id)
                self._clock.modify_job(job.id, next_run_time=due)

    def _again(self) -> None:
        """Have jobs that failed run again sooner than their schedule says."""
        if self._clock is None:
            return
        for name, tries in list(self._failed.items()):
            if name in self._running:
                continue
            wait = min(RETRY_SECONDS << tries, LONGEST_RETRY_SECONDS)
            soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=wait)
            job = self._clock.get_job(name)
            if job is not None and (job.next_run_time is None or job.next_run_time > soon):
                self._clock.modify_job(name, next_run_time=soon)
                self._failed[name] = tries + 1


def trigger_of(schedule: str) -> CronTrigger:
    """When a job is due; a sixth field, before cron's five, are seconds."""
    *second, rest = schedule.split(" ", 1) if schedule.count(" ") == 5 else [schedule]
    trigger = CronTrigger.from_crontab(rest, timezone=dt.UTC)
    if not second:
        return trigger
    minute, hour, day, month, weekday = rest.split()
    return CronTrigger(
        second=second[0], minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=dt.UTC
    )


def _keep(clock: _Clock, name: str, job: Job) -> None:
    """Have the job store hold this row of the table, and leave it as it is if it already does."""
    trigger = trigger_of(job.schedule)
    wanted: dict[str, Any] = {
        "func": "emg.jobs.scheduler:run_job", "args": (name,), "trigger": trigger, "name": f"{job.schedule} {job.about}",
        "misfire_grace_time": job.grace, "coalesce": True, "max_instances": 1,
    }  # fmt: skip
    kept = clock.get_job(name)
    same = (
        kept is not None
        and (kept.name, kept.misfire_grace_time, kept.func_ref) == (wanted["name"], job.grace, wanted["func"])
        and str(kept.trigger) == str(trigger)
    )
    if not same:
        clock.add_job(id=name, replace_existing=True, **wanted)


def run_job(name: str) -> None:
    """What the job store calls."""
    if Scheduler.current is not None:
        Scheduler.current.run(name)


def main(argv: list[str]) -> int:
    """`emg scheduler [-c server.cfg]`."""
    parser = argparse.ArgumentParser(
        prog="emg scheduler", description="Run the jobs: summaries, mail, invoices, retention."
    )
    default = f"{os.environ.get('EMGDIR') or DEFAULT_FOLDER}/server.cfg"
    parser.add_argument(
        "-c", "--config", default=default, metavar="FILE", help="where DATABASE stands (default: %(default)s)"
    )
    parser.add_argument(
        "--lease", type=float, default=LEASE_SECONDS, metavar="SECONDS",
        help="how long a scheduler that died keeps others waiting (default: %(default)g)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    if not 0 < arguments.lease <= duties.LONGEST_LEASE.total_seconds():
        parser.error(f"--lease is more than 0 and at most {duties.LONGEST_LEASE.total_seconds():g}")
    note_hangups()
    last_good = LastGood("scheduler")
    config = last_good.load(arguments.config)
    if config.database is None:
        raise DatabaseError(f"{config.file} names no database: set DATABASE, then run `emg db upgrade`")
    os.umask(0o027)
    file = ProgramLog(config, "scheduler", ("apscheduler",))
    # what APScheduler warns of, a database that is away, we tell ourselves
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    try:
        scheduler = Scheduler(Database(config.database), max(0.3, arguments.lease), config.control)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, scheduler.stop)
        gevent.signal_handler(signal.SIGHUP, file.reopen)
        if hung_up():
            file.reopen()
        last_good.up(config)
        scheduler.serve()
    finally:
        file.close()
    return 0
