"""What customers' messages cost, counted from `routelog` for invoices: over whole days (UTC) of `received`, a day a statement. Raises DatabaseError."""

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from emg.db.engine import Database
from emg.db.models import Account, RouteLog
from emg.rules.invoicing import Counted

DAY: Final = dt.timedelta(days=1)

Traffic = dict[tuple[int, str], list[Counted]]
"""By customer and currency."""


class Period(NamedTuple):
    """Whole days, UTC; both are included."""

    start: dt.date
    end: dt.date

    def __str__(self) -> str:
        return f"{self.start} – {self.end}"

    def days(self) -> Iterator[dt.date]:
        """Each of them."""
        for number in range((self.end - self.start).days + 1):
            yield self.start + number * DAY


def month(day: dt.date) -> Period:
    """The month that it is in."""
    start = day.replace(day=1)
    return Period(start, (start + 31 * DAY).replace(day=1) - DAY)


def traffic(database: Database, period: Period, *, customer: int | None = None, prepaid: bool = True) -> Traffic:
    """What customers' messages of the period cost, read in steps of a day. Not `prepaid`: without the accounts that are prepaid now."""
    found: dict[tuple[Any, ...], int] = {}
    left_out: set[str] = set()
    if not prepaid:
        with database.session() as session:
            left_out = set(session.scalars(select(Account.name).where(Account.prepaid.is_(True))))
    for day in period.days():
        with database.session() as session:
            for *key, messages in session.execute(_of_day(day, customer)):
                if key[2] not in left_out:
                    found[tuple(key)] = found.get(tuple(key), 0) + messages
    sorted_out: Traffic = {}
    for (owner, currency, *rest), messages in found.items():
        sorted_out.setdefault((owner, currency), []).append(Counted._make((*rest, messages)))
    return sorted_out


def _of_day(day: dt.date, customer: int | None) -> Any:
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    keys = (
        RouteLog.customer_id, RouteLog.currency, RouteLog.account, RouteLog.network, RouteLog.prefix,
        RouteLog.price, RouteLog.refunded, RouteLog.parts,
    )  # fmt: skip
    wanted = select(*keys, func.count()).where(
        RouteLog.received >= start, RouteLog.received < start + DAY, RouteLog.price != 0
    )
    owner = RouteLog.customer_id.is_not(None) if customer is None else RouteLog.customer_id == customer
    return wanted.where(owner).group_by(*keys)
