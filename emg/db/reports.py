"""Figures out of the hourly summary: over a time, grouped by what people ask for. Sums of money are by currency, always. Raises DatabaseError.

`open` counts messages without a final state yet: queued, or sent and not reported on.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session

from emg.db.models import Customer, HourlySummary, Network, Status

OPEN: Final = (Status.QUEUED, Status.SENT)
BAD: Final = (Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.DELETED)
COLUMNS: Final = ("account", "connector_in", "connector_out", "prefix", "network", "status")
"""What rows can be grouped by, besides hour, day, month, customer and country; a filter has these and customer_id."""
BY: Final = ("hour", "day", "month", "customer", "customer_id", *COLUMNS, "country")


class Figures(NamedTuple):
    """A row: what it is of, by name, and its sums."""

    keys: dict[str, str]
    currency: str
    messages: int
    parts: int
    delivered: int
    failed: int
    """For good: failed, expired, unknown, deleted."""
    open: int
    price: int
    cost: int
    within_10s: int
    within_60s: int
    within_600s: int
    delay_ms: int
    """Sum over the delivered ones."""


def figures(
    session: Session, start: dt.datetime, end: dt.datetime, by: Sequence[str], where: Mapping[str, Any]
) -> list[Figures]:
    """Of hours from `start` to before `end`; `by` is of BY, `where` maps columns to values."""
    unknown = [name for name in by if name not in BY]
    assert not unknown, f"nothing is grouped by {unknown}"
    places = _places(sqlite=session.get_bind().dialect.name == "sqlite")
    keys = [_key(name, places).label(f"key_{name}") for name in by]
    wanted = select(*keys, HourlySummary.currency, *_sums()).where(
        HourlySummary.hour >= start, HourlySummary.hour < end
    )
    for name, value in where.items():
        wanted = wanted.where(getattr(HourlySummary, name) == value)
    if "customer" in by:
        wanted = wanted.outerjoin(Customer, Customer.id == HourlySummary.customer_id)
    if "country" in by:
        wanted = wanted.outerjoin(places, places.c.code == HourlySummary.network)
    rows = session.execute(wanted.group_by(*keys, HourlySummary.currency).order_by(*keys, HourlySummary.currency))
    count = len(by)
    return [_figures(by, row[:count], row[count], row[count + 1 :]) for row in rows]


def _figures(by: Sequence[str], keys: Sequence[Any], currency: str, sums: Sequence[Any]) -> Figures:
    named = {name: _text(value) for name, value in zip(by, keys, strict=True)}
    return Figures(named, currency, *(int(value or 0) for value in sums))


def _sums() -> list[ColumnElement[Any]]:
    def of(*statuses: Status) -> ColumnElement[Any]:
        return func.sum(case((HourlySummary.status.in_(statuses), HourlySummary.messages), else_=0))

    plain = ("price", "cost", "within_10s", "within_60s", "within_600s", "delay_ms")
    return [
        func.sum(HourlySummary.messages), func.sum(HourlySummary.parts), of(Status.DELIVERED), of(*BAD), of(*OPEN),
        *(func.sum(getattr(HourlySummary, name)) for name in plain),
    ]  # fmt: skip


def _places(*, sqlite: bool) -> Subquery:
    """The country of each network; its name may stand in many rows of the numbering table."""
    code = Network.mcc + Network.mnc if sqlite else func.concat(Network.mcc, Network.mnc)
    named = select(code.label("code"), func.max(Network.country).label("country")).where(Network.mcc != "")
    return named.group_by(code).subquery()


def _key(name: str, places: Subquery) -> ColumnElement[Any]:
    if name == "customer":
        return func.coalesce(Customer.name, "")
    if name == "country":
        return func.coalesce(places.c.country, "")
    if name in ("day", "month"):
        return func.substr(HourlySummary.hour, 1, 10 if name == "day" else 7)
    column: ColumnElement[Any] = getattr(HourlySummary, name)
    return column


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:00Z}"
    return value.value if isinstance(value, Status) else "" if value is None else str(value)
