"""What customers' messages cost, counted from `routelog` for invoices: over whole days (UTC) of `received`, six hours a statement. Raises DatabaseError."""

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from emg.db.engine import Database
from emg.db.models import Account, RouteLog
from emg.db.summary import give_memory
from emg.rules.invoicing import Counted

DAY: Final = dt.timedelta(days=1)
STEP: Final = dt.timedelta(hours=6)
"""A day of a full machine (a million messages an hour) would take longer than a statement may."""

Traffic = dict[tuple[int, str], list[Counted]]
"""By customer and currency."""


class Period(NamedTuple):
    """Whole days, UTC; both are included."""

    start: dt.date
    end: dt.date

    def __str__(self) -> str:
        return f"{self.start} – {self.end}"

    def steps(self) -> Iterator[dt.datetime]:
        """The beginning of each piece that is read at once."""
        at = dt.datetime.combine(self.start, dt.time(), dt.UTC)
        while at.date() <= self.end:
            yield at
            at += STEP


def month(day: dt.date) -> Period:
    """The month that it is in."""
    start = day.replace(day=1)
    return Period(start, (start + 31 * DAY).replace(day=1) - DAY)


def traffic(database: Database, period: Period, *, customer: int | None = None, prepaid: bool = True) -> Traffic:
    """What customers' messages of the period cost, read in steps. Not `prepaid`: without the accounts that are prepaid now."""
    found: dict[tuple[Any, ...], int] = {}
    left_out: set[str] = set()
    if not prepaid:
        with database.session() as session:
            left_out = set(session.scalars(select(Account.name).where(Account.prepaid.is_(True))))
    for start in period.steps():
        with database.session() as session:
            give_memory(session)
            for *key, messages in session.execute(_of_step(start, customer)):
                if key[2] not in left_out:
                    found[tuple(key)] = found.get(tuple(key), 0) + messages
    sorted_out: Traffic = {}
    for (owner, currency, *rest), messages in found.items():
        sorted_out.setdefault((owner, currency), []).append(Counted._make((*rest, messages)))
    return sorted_out


def _of_step(start: dt.datetime, customer: int | None) -> Any:
    keys = (
        RouteLog.customer_id, RouteLog.currency, RouteLog.account, RouteLog.network, RouteLog.prefix,
        RouteLog.price, RouteLog.refunded, RouteLog.parts,
    )  # fmt: skip
    wanted = select(*keys, func.count()).where(
        RouteLog.received >= start, RouteLog.received < start + STEP, RouteLog.price != 0
    )
    owner = RouteLog.customer_id.is_not(None) if customer is None else RouteLog.customer_id == customer
    return wanted.where(owner).group_by(*keys)
