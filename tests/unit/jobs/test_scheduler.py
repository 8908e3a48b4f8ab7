"""The scheduler's table and what it does with it, without processes; with them: tests/integration/test_scheduler.py."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from sqlalchemy import inspect, select

from emg.db import duties, schema
from emg.db.engine import Database, DatabaseError
from emg.db.models import JobRun, ScheduledJob, Setting
from emg.errors import EmgError
from emg.jobs import scheduler as module
from emg.jobs.scheduler import Scheduler
from emg.jobs.table import JOBS, Job
from tests.databases import PASSWORD, MariaDb

YEARLY = "0 0 1 1 *"


class Trial:
    """Jobs that say that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails: Exception | None = None

    def good(self, _database: Database) -> str:
        self.ran.append("good")
        return "well done"

    def bad(self, _database: Database) -> str:
        self.ran.append("bad")
        if self.fails:
            raise self.fails
        return "well after all"


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    made = Trial()
    monkeypatch.setattr(module, "JOBS", {
        "good": Job(made.good, YEARLY, None, "…"), "bad": Job(made.bad, YEARLY, None, "…"),
    })  # fmt: skip
    return made


@pytest.fixture
def scheduler(database: Database, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    made = Scheduler(database, 30)
    monkeypatch.setattr(Scheduler, "current", made)
    yield made
    made.stop()
    made._halt()


def due(database: Database) -> dict[str, float | None]:
    with database.session() as session:
        return dict(session.execute(select(ScheduledJob.id, ScheduledJob.next_run_time)).all())


def went(database: Database) -> dict[str, JobRun]:
    with database.session() as session:
        return {row.name: row for row in duties.runs(session)}


def wait_for(trial: Trial, *names: str) -> None:
    with gevent.Timeout(10):
        while trial.ran[-len(names) :] != list(names):
            gevent.sleep(0.01)
    gevent.sleep(0)


def run(job: Job, database: Database) -> str:
    """As the scheduler does, where no gateway runs."""
    return job.function(database, *(["/nowhere/emg.sock"] if job.asks_gateway else []))


@pytest.mark.parametrize("name", JOBS)
def test_each_row_of_the_table_can_be_scheduled(name: str) -> None:
    job = JOBS[name]
    assert module.trigger_of(job.schedule).get_next_fire_time(None, dt.datetime.now(dt.UTC))
    assert callable(job.function)
    assert job.about


@pytest.mark.parametrize("name", JOBS)
def test_each_job_works_on_an_empty_database(database: Database, name: str) -> None:
    """And again."""
    assert run(JOBS[name], database)
    assert run(JOBS[name], database)


def test_each_job_says_that_the_database_is_away_and_works_when_it_is_back(own_mariadb: MariaDb) -> None:
    database = Database(own_mariadb.url())
    schema.upgrade(database)
    own_mariadb.stop()
    for job in JOBS.values():
        with pytest.raises(DatabaseError) as told:
            run(job, database)
        assert told.value.temporary
        assert PASSWORD not in str(told.value)
    own_mariadb.start()
    for job in JOBS.values():
        assert run(job, database)
    database.close()


def test_the_job_store_is_our_table(database: Database) -> None:
    """APScheduler finds its columns in the table that our migrations make."""
    store = SQLAlchemyJobStore(engine=database.engine, tablename="scheduler_job")
    ours = {column["name"] for column in inspect(database.engine).get_columns("scheduler_job")}
    assert {column.name for column in store.jobs_t.columns} == ours


def test_a_run_that_was_missed_is_made_up_for_once(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    scheduler._look()
    assert trial.ran == []
    clock = scheduler._clock
    assert clock
    clock.pause()
    clock.modify_job("good", next_run_time=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    scheduler._halt()  # as a program that ends; years pass
    scheduler._look()
    wait_for(trial, "good")
    assert trial.ran == ["good"]
    assert went(database)["good"].result == "well done"
    assert due(database)["good"] > dt.datetime.now(dt.UTC).timestamp()


def test_a_clock_that_was_set_back_keeps_no_job_waiting(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    """What was planned by the wrong time is planned anew; what is planned by the right one stays as it is."""
    scheduler._look()
    planned = due(database)
    assert scheduler._clock
    scheduler._clock.modify_job("good", next_run_time=dt.datetime(2099, 1, 1, 0, 1, tzinfo=dt.UTC))
    scheduler._look()
    assert due(database) == planned
    scheduler._look()
    assert due(database) == planned
    assert trial.ran == []


def test_one_that_was_cut_off_runs_again_at_once(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    with database.session() as session:
        duties.started(session, "good")
    scheduler._look()
    wait_for(trial, "good")
    assert went(database)["good"].success


def test_one_that_fails_runs_again_soon(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    trial.fails = EmgError("the mail server is down")
    scheduler._look()
    scheduler.run("bad")
    found = went(database)["bad"]
    assert (found.error, found.failures, found.success) == ("the mail server is down", 1, None)
    waits = []
    for _failure in range(8):
        scheduler._look()
        at = due(database)["bad"]
        assert at
        waits.append(round(at - dt.datetime.now(dt.UTC).timestamp(), -1))
        assert scheduler._clock
        scheduler._clock.modify_job("bad", next_run_time=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
        scheduler.run("bad")
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    trial.fails = None
    scheduler.run("bad")
    found = went(database)["bad"]
    assert (found.error, found.failures, found.result) == ("", 0, "well after all")
    assert scheduler._failed == {}


def test_one_that_breaks_takes_no_other_with_it(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    trial.fails = ZeroDivisionError("secret")
    scheduler._look()
    scheduler.run("bad")
    scheduler.run("good")
    assert went(database)["bad"].error == "ZeroDivisionError: see the log"
    assert trial.ran == ["bad", "good"]


def test_a_result_that_repeats_itself_is_told_once(scheduler: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "emg.scheduler")
    scheduler._look()
    for name in ("good", "good", "bad", "good"):
        scheduler.run(name)
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "well" in line] == ["good: well done", "bad: well after all"]


def test_without_the_lease_nothing_runs(database: Database, scheduler: Scheduler, trial: Trial) -> None:
    with database.session() as session:
        duties.take(session, module.LEASE, "another", 30)
    scheduler._look()
    scheduler.run("good")
    assert trial.ran == []
    assert scheduler._clock is None


def test_without_the_lease_no_job_is_taken_from_the_store(
    database: Database, scheduler: Scheduler, trial: Trial
) -> None:
    scheduler._look()
    clock = scheduler._clock
    assert clock
    scheduler._mine_until = 0  # it has run out, and nobody has looked yet
    clock.modify_job("good", next_run_time=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert clock._process_jobs() == module.STORE_RETRY_SECONDS
    assert due(database)["good"] == dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()
    scheduler._look()
    clock._process_jobs()
    wait_for(trial, "good")


def test_a_lease_that_is_lost_stops_the_clock(database: Database, scheduler: Scheduler) -> None:
    scheduler._look()
    assert scheduler._clock
    with database.session() as session:
        duties.give_back(session, module.LEASE, scheduler.owner)
        duties.take(session, module.LEASE, "another", 30)
    scheduler._look()
    assert scheduler._clock is None


def test_a_database_that_is_away_is_told_once_and_asked_again(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler._look()

    def away(*_arguments: Any) -> bool:
        raise DatabaseError("it is away", temporary=True)

    with monkeypatch.context() as patched:
        patched.setattr(duties, "take", away)
        scheduler._look()
        scheduler._look()
        assert scheduler.owns, "until its time has passed"
        scheduler._mine_until = 0
        scheduler._look()
        assert scheduler._clock is None
    scheduler._look()
    assert scheduler._clock
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert messages == [
        "it is away",
        "the lease is lost: the jobs are another scheduler's",
        "the database can be used again",
    ]


def test_settings_that_can_not_be_are_told_once(
    database: Database, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    with database.session() as session:
        session.add(Setting(name="smtp_port", value="-1", updated=dt.datetime.now(dt.UTC)))
    for _ in range(3):
        scheduler._look()
    told = [record.getMessage() for record in caplog.records if "not used" in record.getMessage()]
    assert told == ["not used: setting (smtp_port): must be a whole number from 1 to 65535; 25 holds in its place"]


def test_rows_that_changed_or_went_change_the_store(
    database: Database, scheduler: Scheduler, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler._look()
    before = due(database)
    scheduler._halt()
    monkeypatch.setattr(
        module, "JOBS", {"good": Job(trial.good, "0 0 2 1 *", None, "…"), "new": Job(trial.good, YEARLY, None, "…")}
    )
    scheduler._look()
    after = due(database)
    assert after.keys() == {"good", "new"}
    assert after["good"] != before["good"]
