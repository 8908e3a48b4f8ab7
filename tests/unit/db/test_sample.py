"""Sample traffic: the sums agree, it is the same each time, and it does not mix with anything."""

import datetime as dt
import random

import pytest
from sqlalchemy import func, select

from emg.db import accounts, sample
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Account, DirtyHour, HourlySummary, Ledger, MessageBody, RouteLog

ANN = Actor("ann")
NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


def filled(database: Database) -> int:
    return sample.fill(database, ANN, weeks=1, a_day=100, seed=7, until=NOON)


def test_the_books_agree_with_the_log(database: Database) -> None:
    total = filled(database)
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(RouteLog)) == total > 300
        assert session.scalar(select(func.count()).select_from(MessageBody)) == total
        assert session.scalar(select(func.sum(HourlySummary.messages))) == total
        assert session.scalar(select(func.count()).select_from(DirtyHour)) == 0
        for one in sample.CUSTOMERS:
            account = accounts.find(session, one.account)
            spent = session.scalar(select(func.sum(RouteLog.price)).where(RouteLog.account == one.account))
            booked = session.scalar(select(func.sum(Ledger.amount)).where(Ledger.account_id == account.id))
            assert account.charged == spent
            assert account.credited - account.charged == booked
            assert not account.prepaid or booked > 0


def test_times_and_ids_go_up_and_end_before_now(database: Database) -> None:
    filled(database)
    with database.session() as session:
        rows = list(session.execute(select(RouteLog.id, RouteLog.received, RouteLog.done).order_by(RouteLog.id)))
    assert [row.received for row in rows] == sorted(row.received for row in rows)
    assert all(row.done <= NOON for row in rows)
    assert rows[-1].id < NOON.timestamp() * sample.IDS_A_SECOND


def test_it_is_the_same_for_the_same_seed() -> None:
    first = list(sample._messages(random.Random(3), _payers(), NOON - dt.timedelta(days=1), NOON, 200))
    again = list(sample._messages(random.Random(3), _payers(), NOON - dt.timedelta(days=1), NOON, 200))
    assert first == again


def _payers() -> dict[str, Account]:
    return {one.account: Account(name=one.account, customer_id=1) for one in sample.CUSTOMERS}


def test_a_log_with_messages_is_left_alone(database: Database) -> None:
    filled(database)
    with pytest.raises(sample.NotEmpty, match="not empty"):
        filled(database)
