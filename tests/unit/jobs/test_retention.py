"""Retention: what is old goes, what is still needed stays."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from emg.db import duties, invoices, partitions, retention, settings, summary
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import (
    Account,
    AuditLog,
    Base,
    BatchState,
    HourlySummary,
    ItemState,
    Lease,
    MessageBody,
    MessagePart,
    Purged,
    RouteLog,
    SendBatch,
    SendItem,
)
from emg.db.traffic import month
from emg.jobs import retention as job
from emg.jobs import summary as counting
from tests.log_rows import NOON, customer, row, write

ACTOR = Actor("shell:test")
DAY = dt.timedelta(days=1)
TODAY = NOON.date()
CUT = {"keep_messages": "30", "keep_texts": "10", "keep_summaries": "60", "keep_audit": "20"}


def cut(database: Database, **more: str) -> None:
    with database.session() as session:
        settings.write(session, ACTOR, {**CUT, **more})


def days(database: Database, column: Any = RouteLog.received) -> list[int]:
    """How many days before NOON the rows are."""
    with database.session() as session:
        return sorted((NOON - each).days for each in session.scalars(select(column)))


def fill(database: Database, *ages: int, **values: Any) -> None:
    """Messages so many days old, with a text each."""
    rows = [row(age, NOON - age * DAY, **values) for age in ages]
    write(database, rows)
    with database.session() as session:
        session.execute(
            insert(MessageBody), [{"id": each["id"], "received": each["received"], "text": "x"} for each in rows]
        )
        parts = [
            {"id": each["id"] + 500, "parent": each["id"], "received": each["received"], "number": 1, "total": 2}
            for each in rows
        ]
        session.execute(insert(MessagePart), parts)


@pytest.fixture
def partitioned(database: Database) -> Database:
    job.make_days(database, TODAY)
    return database


def test_what_is_old_goes(partitioned: Database) -> None:
    cut(partitioned)
    fill(partitioned, 0, 9, 11, 30, 31, 59, 61)
    counting.count_past(partitioned)
    job.drop_old(partitioned, TODAY)
    assert days(partitioned) == [0, 9, 11, 30]
    assert days(partitioned, MessageBody.received) == [0, 9]
    assert days(partitioned, MessagePart.received) == [0, 9, 11, 30]
    assert days(partitioned, HourlySummary.hour) == [0, 9, 11, 30, 31, 59]
    with partitioned.session() as session:
        assert summary.purged_before(session, "routelog") == dt.datetime(2026, 9, 14, tzinfo=dt.UTC)


def test_again_changes_nothing(partitioned: Database) -> None:
    cut(partitioned)
    fill(partitioned, 0, 31)
    counting.count_past(partitioned)
    job.drop_old(partitioned, TODAY)
    assert "0 rows; texts 0, 0; summaries 0; changes 0; mails 0" in job.drop_old(partitioned, TODAY)
    assert days(partitioned) == [0]


def test_an_hour_that_is_still_to_be_counted_stays_with_all_after_it(partitioned: Database) -> None:
    cut(partitioned)
    fill(partitioned, 40, 45, 50)
    counting.count_past(partitioned)
    with partitioned.session() as session:
        summary.mark_dirty(session, NOON - 45 * DAY)
    assert "hours of 2026-08-30 are still to be counted" in job.drop_old(partitioned, TODAY)
    assert days(partitioned) == [40, 45]
    counting.count_past(partitioned)
    job.drop_old(partitioned, TODAY)
    assert days(partitioned) == []


def test_a_month_that_is_not_invoiced_stays(partitioned: Database) -> None:
    cut(partitioned)
    owner = customer(partitioned, "Acme")
    fill(partitioned, 50, 120, customer_id=None)
    fill(partitioned, 45, 75, customer_id=owner, price=10)  # of the end of August, and of July
    counting.count_past(partitioned)
    assert "kept because Acme has no invoice of 2026-07" in job.drop_old(partitioned, TODAY)
    assert days(partitioned) == [45, 50, 75]
    issue(partitioned, dt.date(2026, 7, 1))
    assert "kept because Acme has no invoice of 2026-08" in job.drop_old(partitioned, TODAY)
    assert days(partitioned) == [45, 50]
    issue(partitioned, dt.date(2026, 8, 1))
    assert "kept" not in job.drop_old(partitioned, TODAY)
    assert days(partitioned) == []


def issue(database: Database, day: dt.date) -> None:
    (done,) = invoices.prepare(database, ACTOR, month(day))
    assert done.id is not None
    invoices.issue(database, ACTOR, done.id)


def test_with_invoices_off_only_age_counts(partitioned: Database) -> None:
    cut(partitioned, invoices="no")
    owner = customer(partitioned, "Acme")
    fill(partitioned, 75, customer_id=owner, price=10)
    counting.count_past(partitioned)
    job.drop_old(partitioned, TODAY)
    assert days(partitioned) == []


def test_a_month_invoiced_in_two_pieces_is_invoiced(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=5)])
    counting.count_past(database)
    before = dt.date(2026, 11, 1)
    for start, end in ((1, 10), (12, 31), (11, 11)):
        with database.session() as session:
            assert retention.first_kept(session, before, invoiced=True).since == dt.date(2026, 10, 1)
            invoice = invoices.Invoice(
                customer_id=owner, period_start=dt.date(2026, 10, start), period_end=dt.date(2026, 10, end), currency="EUR",
                status=invoices.InvoiceStatus.ISSUED, number=start, created=NOON,
            )  # fmt: skip
            session.add(invoice)
    with database.session() as session:
        assert retention.first_kept(session, before, invoiced=True) == retention.Held(before, "")


def test_the_mark_is_made_before_anything_goes(partitioned: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(partitioned)
    fill(partitioned, 40)
    counting.count_past(partitioned)

    def die(*_arguments: Any) -> Any:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(partitions, "drop_before", die)
        with pytest.raises(RuntimeError):
            job.drop_old(partitioned, TODAY)
    with partitioned.session() as session:
        assert session.scalar(select(Purged.before)) == dt.datetime(2026, 9, 14, tzinfo=dt.UTC)
    job.drop_old(partitioned, TODAY)
    assert days(partitioned) == []


def test_the_mark_never_goes_back(database: Database) -> None:
    with database.session() as session:
        retention.mark_purged(session, "routelog", TODAY)
        retention.mark_purged(session, "routelog", TODAY - DAY)
        assert summary.purged_before(session, "routelog").date() == TODAY


def test_old_changes_go(database: Database) -> None:
    cut(database)
    with database.session() as session:
        for age in (5, 19, 21, 400):
            session.add(AuditLog(at=NOON - age * DAY, who="x", action="add", subject="account"))
    job.drop_old(database, TODAY)
    with database.session() as session:
        kept = session.scalars(select(AuditLog.at).where(AuditLog.who == "x")).all()
    assert sorted((NOON - each).days for each in kept) == [5, 19]


def test_two_cannot_have_one_lease(database: Database) -> None:
    with database.session() as session:
        assert duties.take(session, "duty", "a", 30)
        assert duties.take(session, "duty", "a", 30)
        assert not duties.take(session, "duty", "b", 30)
    with database.session() as session:
        duties.give_back(session, "duty", "b")
        assert not duties.take(session, "duty", "b", 30)
        duties.give_back(session, "duty", "a")
        assert duties.take(session, "duty", "b", 0)
    with database.session() as session:
        assert duties.take(session, "duty", "a", 30), "b's has run out"


def test_a_lease_from_before_the_clock_was_set_back_is_free(database: Database) -> None:
    with database.session() as session:
        assert duties.take(session, "duty", "a", 30)
        session.execute(update(Lease).values(until=duties.now(session) + dt.timedelta(hours=1)))
    with database.session() as session:
        assert duties.take(session, "duty", "b", 30)


def test_each_table_that_grows_is_somebodys() -> None:
    """Every table is dropped by age here, bounded by what it describes, or kept for ever for a reason."""
    by_age = {
        "routelog",
        "message_part",
        "message_body",
        "hourly_summary",
        "daily_summary",
        "summed_day",
        "audit_log",
        "rule_change",
        "mail",
        "web_session",
        "web_token",
        "sent_form",
        "send_batch",
        "send_item",
    }
    bounded = {
        "account", "account_access", "api_key", "blacklist", "config_version", "connector", "connector_option", "counter", "customer", "dirty_hour", "job_run",
        "lease", "log_gap", "network", "plugin", "price", "purged", "recorder_position", "revision", "route", "scheduler_job", "saved_report", "setting", "web_user",
    }  # fmt: skip
    books = {"ledger", "invoice", "invoice_line"}
    assert set(Base.metadata.tables) == by_age | bounded | books


def test_batches_go_with_the_texts_but_none_that_is_still_sent(database: Database) -> None:
    old, new = (dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 20))
    with database.session() as session:
        for made in (old, new):
            for state in BatchState:
                account = session.scalar(select(Account.id)) or _account(session)
                batch = SendBatch(account_id=account, who="x", created=made, state=state, template="x", served=made)
                session.add(batch)
                session.flush()
                session.add(SendItem(batch_id=batch.id, line=1, dest="46", text="x", state=ItemState.SENT))
    assert job._batches(database, dt.date(2026, 1, 10)) == 3
    with database.session() as session:
        left = session.execute(select(SendBatch.state, SendBatch.created)).all()
        assert {state for state, made in left if made == old} == {BatchState.SENDING, BatchState.PAUSED}
        assert sum(made == new for _state, made in left) == len(BatchState)
        assert session.scalar(select(func.count(SendItem.id))) == len(left)


def _account(session: Session) -> int:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = Account(name="acme", created=moment, updated=moment)
    session.add(made)
    session.flush()
    return made.id
