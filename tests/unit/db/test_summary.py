"""The hourly summary: it says what the log says, hour by hour, whatever comes meanwhile."""

import datetime as dt
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from emg.db import reports, summary
from emg.db.engine import Database, DatabaseError
from emg.db.models import DailySummary, HourlySummary, Purged, RouteLog, Status, SummedDay
from emg.db.summary import DAY, HOUR, KEYS, Dirty
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


# -- days

MIDNIGHT = NOON.replace(hour=0)
BYS = (("account",), ("day",), ("month", "status"), ("customer", "network"), ("connector_in", "connector_out"), ())


def reported(database: Database, start: dt.datetime, end: dt.datetime, **where: Any) -> list[Any]:
    with database.session() as session:
        return [reports.figures(session, start, end, by, where) for by in BYS]


def summed(database: Database) -> list[dt.datetime]:
    with database.session() as session:
        return list(session.scalars(select(SummedDay.day).order_by(SummedDay.day)))


def days_of_log(database: Database, days: int) -> None:
    write(database, random_rows(200 * days, MIDNIGHT, days * DAY, (1, 2, None)))
    job.count_past(database)


def test_days_that_are_over_say_what_their_hours_say(database: Database) -> None:
    days_of_log(database, 5)
    spans = [(MIDNIGHT, MIDNIGHT + 5 * DAY), (NOON, NOON + 3 * DAY), (MIDNIGHT + DAY, MIDNIGHT + 2 * DAY), (NOON, NOON)]
    before = [reported(database, *span) for span in spans]
    filtered = reported(database, *spans[0], status=Status.DELIVERED)
    assert job.sum_days(database, MIDNIGHT + 4 * DAY + HOUR) == "4 days added up"
    assert summed(database) == [MIDNIGHT + number * DAY for number in range(4)]
    for span, was in zip(spans, before, strict=True):
        for by, now, then in zip(BYS, reported(database, *span), was, strict=True):
            assert now == then, by
    assert reported(database, *spans[0], status=Status.DELIVERED) == filtered
    assert job.sum_days(database, MIDNIGHT + 4 * DAY + HOUR) == "0 days added up"
    with database.session() as session:
        hours, days = (
            session.scalar(select(func.count()).select_from(table)) for table in (HourlySummary, DailySummary)
        )
    assert hours > days > 0


def test_reports_read_the_days_and_not_their_hours(database: Database) -> None:
    days_of_log(database, 3)
    job.sum_days(database, MIDNIGHT + 9 * DAY)
    before = reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY)
    with database.session() as session:
        session.execute(text("DELETE FROM hourly_summary"))
    assert reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY) == before


def test_an_hour_that_is_counted_anew_takes_its_day_back(database: Database) -> None:
    days_of_log(database, 3)
    job.sum_days(database, MIDNIGHT + 3 * DAY + HOUR)
    write(database, [row(10**9, NOON + DAY, price=7_000_000)])
    with database.session() as session:
        assert summary.summable(session, MIDNIGHT + 3 * DAY + HOUR) == [], "its hour is not counted yet"
    job.count_past(database)
    assert summed(database) == [MIDNIGHT, MIDNIGHT + 2 * DAY]
    by_hours = reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY)
    assert job.sum_days(database, MIDNIGHT + 3 * DAY + HOUR) == "1 days added up"
    assert reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY) == by_hours


def test_a_day_with_an_hour_to_be_counted_waits(database: Database) -> None:
    days_of_log(database, 2)
    with database.session() as session:
        summary.mark_dirty(session, NOON)
    job.sum_days(database, MIDNIGHT + 9 * DAY)
    assert MIDNIGHT not in summed(database)
    assert MIDNIGHT + DAY in summed(database)


def test_days_that_are_too_scattered_are_left_to_their_hours(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    days_of_log(database, 5)
    before = reported(database, MIDNIGHT, MIDNIGHT + 5 * DAY)
    with database.session() as session:
        for number in (0, 2, 4):
            summary.sum_day(session, MIDNIGHT + number * DAY)
    assert reported(database, MIDNIGHT, MIDNIGHT + 5 * DAY) == before
    monkeypatch.setattr(reports, "MOST_SPANS", 2)
    assert reported(database, MIDNIGHT, MIDNIGHT + 5 * DAY) == before


def test_a_day_of_which_somebody_counts_an_hour_is_not_added_up(database: Database) -> None:
    """He has begun before, and finds no mark to take back."""
    if database.file is not None:
        pytest.skip("SQLite has one writer at a time")
    days_of_log(database, 2)
    write(database, [row(10**9, NOON, price=7_000_000)])
    (late,) = dirty(database)
    with database.session() as counting:
        summary.count_hour(counting, late)
        with database.session() as session:
            assert summary.sum_day(session, MIDNIGHT) == -1
    assert summed(database) == []
    by_hours = reported(database, MIDNIGHT, MIDNIGHT + 2 * DAY)
    assert job.sum_days(database, MIDNIGHT + 2 * DAY + HOUR) == "2 days added up"
    assert reported(database, MIDNIGHT, MIDNIGHT + 2 * DAY) == by_hours


def test_a_day_that_is_taken_back_while_a_report_is_read_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.file is not None:
        pytest.skip("SQLite has one writer at a time")
    days_of_log(database, 3)
    job.sum_days(database, MIDNIGHT + 3 * DAY + HOUR)
    before = reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY)
    rows = reports._rows

    def meanwhile(days: Any, *more: Any) -> Any:
        monkeypatch.setattr(reports, "_rows", rows)
        with database.session() as session:
            summary.mark_dirty(session, NOON + DAY)
        job.count_past(database)
        return rows(days, *more)

    monkeypatch.setattr(reports, "_rows", meanwhile)
    assert reported(database, MIDNIGHT, MIDNIGHT + 3 * DAY) == before
    assert MIDNIGHT + DAY not in summed(database)
