"""Rows of the message log for tests: made by chance from a seed, or one by one."""

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import insert

from emg.db.engine import Database
from emg.db.models import Account, Customer, DirtyHour, RouteLog, Status

NOON = dt.datetime(2026, 10, 14, 12, tzinfo=dt.UTC)
"""A day of the month that most tests invoice."""
BASE: dict[str, Any] = {
    "account": "acme", "customer_id": None, "connector_in": "in", "connector_out": "out", "source": "ACME", "dest": "46701234567",
    "status": Status.DELIVERED, "done": None, "parts": 1, "price": 0, "refunded": 0, "cost": 0, "currency": "EUR",
    "prefix": "467", "network": "24001",
}  # fmt: skip


def row(number: int, received: dt.datetime, **values: Any) -> dict[str, Any]:
    """One message."""
    return {**BASE, "id": 10**15 + number, "received": received, **values}


def random_rows(
    count: int, start: dt.datetime, span: dt.timedelta, customers: Iterable[int | None], seed: int = 1
) -> Iterator[dict[str, Any]]:
    """Messages of all kinds within the span; each customer has two accounts."""
    chance = random.Random(seed)
    owners = list(customers)
    for number in range(count):
        received = start + span * chance.random()
        owner, status = chance.choice(owners), chance.choice(list(Status))
        parts = chance.choice((1, 1, 1, 2, 3))
        full = chance.choice((0, 3250, 10_001, 45_000)) * parts
        back = chance.choice((0, 0, 0, full, full // parts))
        done = received + dt.timedelta(
            milliseconds=chance.choice((9, 10_000, 10_001, 59_999, 600_001)), microseconds=chance.randrange(1000)
        )
        yield row(
            number, received, account=f"account{owner}{chance.choice('ab')}", customer_id=owner, status=status, parts=parts,
            done=done if status in {Status.DELIVERED, Status.FAILED} else None, price=full - back, refunded=back, cost=full // 2,
            currency=chance.choice(("EUR", "EUR", "EUR", "SEK")) if full else "", network=chance.choice(("24001", "24007", "")),
            prefix=chance.choice(("467", "4670")), connector_out=chance.choice(("out", "other")),
        )  # fmt: skip


def write(database: Database, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Into the log, with the hours marked as the recorder does; gives the rows."""
    made = list(rows)
    hours = {each["received"].replace(minute=0, second=0, microsecond=0) for each in made}
    with database.session() as session:
        session.execute(insert(RouteLog), made)
        for hour in hours:
            session.merge(DirtyHour(hour=hour, changed=1))
    return made


def customer(database: Database, name: str, **values: Any) -> int:
    """A customer with an account of the same name in small letters; his id."""
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        made = Customer(name=name, created=now, updated=now, **values)
        session.add(made)
        session.flush()
        session.add(Account(name=name.lower(), customer_id=made.id, created=now, updated=now))
        return made.id
