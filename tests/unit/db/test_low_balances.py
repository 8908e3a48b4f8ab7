"""Whose money comes to its end."""

import datetime as dt

from emg.db import accounts, customers, ledger
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.low_balances import low
from emg.db.models import HourlySummary, Status

ANN = Actor("shell:ann")
NOON = dt.datetime(2026, 10, 14, 12, tzinfo=dt.UTC)


def test_those_below_their_mark_or_with_less_than_a_day_left(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        for name, given, credit in (
            ("marked", {"low_balance": 100, "customer": "Acme"}, 50),
            ("well", {"low_balance": 100}, 150),
            ("empty", {"prepaid": True}, 0),
            ("short", {"prepaid": True}, 90),
            ("long", {"prepaid": True}, 900),
            ("limited", {"credit_limit": 30}, 10),
            ("boundless", {}, 0),
            ("locked", {"prepaid": True, "locked": True}, 0),
        ):
            accounts.add(session, ANN, {"name": name, **given})
            if credit:
                ledger.topup(session, ANN, name, credit)
        for name in ("short", "long", "limited", "boundless"):
            for hours in (1, 30):
                session.add(
                    HourlySummary(
                        hour=NOON - dt.timedelta(hours=hours), account=name, connector_in="", connector_out="", prefix="", network="",
                        currency="EUR", status=Status.SENT, messages=1, parts=1, price=100, cost=0,
                    )
                )  # fmt: skip
    with database.session() as session:
        found = low(session, now=NOON)
        assert [(row.account.name, row.spent, row.lowest) for row in found] == [
            ("empty", 0, 0), ("limited", 100, -30), ("short", 100, 0), ("marked", 0, None),
        ]  # fmt: skip
        assert [row.account.name for row in low(session, now=NOON, customer="Acme")] == ["marked"]
        assert len(low(session, now=NOON, limit=1)) == 1
