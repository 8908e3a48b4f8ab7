"""The hourly summary: it says what the log says, hour by hour, whatever comes meanwhile."""

import datetime as dt
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from emg.db import summary
from emg.db.engine import Database, DatabaseError
from emg.db.models import HourlySummary, Purged, RouteLog, Status
from emg.db.summary import HOUR, KEYS, Dirty
from emg.jobs import summary as job
from tests import log_rows
from tests.log_rows import NOON, random_rows, row, write


def counted(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], Counter[str]]:
    """The same summary, made in Python."""
    found: dict[tuple[Any, ...], Counter[str]] = {}
    for each in rows:
        hour = each["received"].replace(minute=0, second=0, microsecond=0)
        sums = found.setdefault((hour, *(each[key] for key in KEYS)), Counter())
        sums["messages"] += each["parts"] > 0
        for name in ("parts", "price", "cost"):
            sums[name] += each[name]
        if each["status"] is Status.DELIVERED and each["done"] and each["parts"]:
            delay = (each["done"] - each["received"]) // dt.timedelta(milliseconds=1)
            sums["delay_ms"] += delay
            for name, most in summary.WITHIN.items():
                sums[name] += delay <= most
    return found


def kept(database: Database) -> dict[tuple[Any, ...], Counter[str]]:
    names = ("messages", "parts", "price", "cost", "delay_ms", *summary.WITHIN)
    with database.session() as session:
        return {
            (each.hour, *(getattr(each, key) for key in KEYS)): Counter({name: getattr(each, name) for name in names})
            for each in session.scalars(select(HourlySummary))
        }


def dirty(database: Database) -> list[Dirty]:
    with database.session() as session:
        return summary.dirty_hours(session)


def test_the_summary_is_what_the_log_says(database: Database) -> None:
    rows = write(database, random_rows(3000, NOON, 4 * HOUR, (1, 2, None)))
    assert job.count_past(database) == "4 hours counted"
    assert kept(database) == counted(rows)
    assert dirty(database) == []


def test_what_was_put_together_counts_as_the_whole(database: Database) -> None:
    rows = write(
        database,
        ({**each, "parts": 0, "price": 0} if each["id"] % 3 else each for each in random_rows(300, NOON, HOUR, (1,))),
    )
    assert job.count_past(database) == "1 hours counted"
    assert kept(database) == counted(rows)
    assert sum(sums["messages"] for sums in kept(database).values()) == 100


def test_counting_again_gives_the_same(database: Database) -> None:
    rows = write(database, random_rows(500, NOON, HOUR, (1, None)))
    for _again in range(3):
        job.count(database, [Dirty(NOON, 1)])
    assert kept(database) == counted(rows)


def test_a_late_report_changes_the_hour_it_belongs_to_and_no_other(database: Database) -> None:
    write(database, [row(1, NOON, status=Status.SENT), row(2, NOON + HOUR, status=Status.SENT)])
    job.count_past(database)
    with database.session() as session:
        session.get_one(RouteLog, (10**15 + 1, NOON)).status = Status.DELIVERED
        summary.mark_dirty(session, NOON)
    assert [each.hour for each in dirty(database)] == [NOON]
    job.count_past(database)
    with database.session() as session:
        found = session.execute(select(HourlySummary.hour, HourlySummary.status).order_by(HourlySummary.hour)).all()
    assert found == [(NOON, Status.DELIVERED), (NOON + HOUR, Status.SENT)]


def test_a_change_while_it_is_counted_keeps_the_hour_dirty(database: Database) -> None:
    write(database, [row(1, NOON)])
    seen = dirty(database)
    with database.session() as session:
        summary.mark_dirty(session, NOON)
    job.count(database, seen)
    assert dirty(database) == [Dirty(NOON, 2)]
    job.count_past(database)
    assert dirty(database) == []


def test_an_hour_without_messages_has_no_rows(database: Database) -> None:
    write(database, [row(1, NOON)])
    job.count_past(database)
    with database.session() as session:
        session.delete(session.get_one(RouteLog, (10**15 + 1, NOON)))
        summary.mark_dirty(session, NOON)
    job.count_past(database)
    assert kept(database) == {}


def test_the_hour_ends_where_the_next_begins(database: Database) -> None:
    last = NOON + HOUR - dt.timedelta(microseconds=1)
    rows = write(database, [row(1, NOON), row(2, last), row(3, NOON + HOUR)])
    job.count_past(database)
    assert kept(database) == counted(rows)


def test_an_hour_whose_messages_are_dropped_keeps_its_summary(database: Database) -> None:
    rows = write(database, [row(1, NOON, price=5)])
    job.count_past(database)
    with database.session() as session:
        session.add(Purged(subject="routelog", before=NOON + HOUR))
        session.delete(session.get_one(RouteLog, (10**15 + 1, NOON)))
        summary.mark_dirty(session, NOON)
    job.count_past(database)
    assert kept(database) == counted(rows)
    assert dirty(database) == []


def test_recent_hours_are_counted_often_and_older_ones_apart(database: Database) -> None:
    write(database, [row(number, NOON + number * HOUR) for number in range(4)])
    assert job.count_now(database, NOON + 3 * HOUR) == "2 hours counted"
    assert [each.hour for each in dirty(database)] == [NOON, NOON + HOUR]
    assert job.count_past(database, NOON + 3 * HOUR) == "2 hours counted"
    assert dirty(database) == []


def test_the_summary_is_right_in_the_end_whoever_writes_and_counts_meanwhile(database: Database) -> None:
    """A recorder writes, two schedulers count (there should be one); nobody waits for long, and no change is forgotten."""
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    over = threading.Event()

    def record() -> None:
        for number in range(40):
            made = [row(number * 10 + each, NOON + (each % 2) * HOUR, price=number) for each in range(10)]
            with database.session() as session:
                session.execute(insert(RouteLog), made)
                for hour in (NOON, NOON + HOUR):
                    summary.mark_dirty(session, hour)
            rows.extend(made)
        over.set()

    def count() -> None:
        while not over.is_set():
            try:
                job.count_past(database)
            except DatabaseError as error:
                faults.append(str(error))

    threads = [threading.Thread(target=each) for each in (record, count, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert len(rows) == 400, faults
    job.count_past(database)
    assert kept(database) == counted(rows)


@pytest.mark.parametrize("database_kind", ["mariadb"])
def test_the_recorder_does_not_wait_while_an_hour_is_counted(database: Database) -> None:
    """SQLite has one writer at a time; there it waits for a moment."""
    write(database, [row(1, NOON, status=Status.SENT)])
    with database.session() as counting:
        assert summary.count_hour(counting, Dirty(NOON, 99)) == 1
        with database.session() as recording:  # the first transaction is still open
            recording.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
            recording.get_one(RouteLog, (10**15 + 1, NOON)).status = Status.DELIVERED
            summary.mark_dirty(recording, NOON)
            recording.execute(insert(RouteLog), [row(2, NOON)])
    assert dirty(database) == [Dirty(NOON, 2)]


def test_an_hour_that_fails_leaves_the_others_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write(database, [row(number, NOON + number * HOUR) for number in range(3)])
    count_hour = summary.count_hour

    def break_one(session: Any, each: Dirty) -> int:
        made = count_hour(session, each)
        if each.hour == NOON + HOUR:
            raise DatabaseError("a deadlock", temporary=True)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(summary, "count_hour", break_one)
        with pytest.raises(DatabaseError, match="a deadlock"):
            job.count_past(database)
    assert [each.hour for each in dirty(database)] == [NOON + HOUR]
    with database.session() as session:
        assert session.scalar(select(func.count(HourlySummary.id))) == 2
    job.count_past(database)
    assert kept(database) == counted(rows)


def test_the_rows_of_the_generator_are_of_every_kind() -> None:
    rows = list(random_rows(500, NOON, HOUR, (1, None)))
    assert {each["status"] for each in rows} == set(Status)
    assert any(each["refunded"] and each["price"] for each in rows)
    assert log_rows.BASE.keys() <= rows[0].keys()
