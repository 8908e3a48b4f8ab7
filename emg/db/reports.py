"""Figures out of the summaries: over a time, grouped by what people ask for. Whole days come from the daily one, as far as it has them; the rest, and reports by hour, from the hourly one. Sums of money are by currency, always. Raises DatabaseError.

`open` counts messages without a final state yet: queued, or sent and not reported on.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Subquery,
    and_,
    case,
    false,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from emg.db.models import Customer, DailySummary, HourlySummary, Network, Status, SummedDay
from emg.db.summary import DAY, KEYS, SUMS

OPEN: Final = (Status.QUEUED, Status.SENT)
BAD: Final = (Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.DELETED)
COLUMNS: Final = ("account", "connector_in", "connector_out", "prefix", "network", "status")
"""What rows can be grouped by, besides hour, day, month, customer and country; a filter has these and customer_id."""
BY: Final = ("hour", "day", "month", "customer", "customer_id", *COLUMNS, "country")


MOST_SPANS: Final = 40
"""Of days that are added up, in one query."""
Span = tuple[dt.datetime, dt.datetime]
"""From the first moment to before the second."""
Columns = ReadOnlyColumnCollection[str, Any]


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
    """Of hours from `start` to before `end`, in the order of what rows are of; `by` is of BY, `where` maps columns to values."""
    unknown = [name for name in by if name not in BY]
    assert not unknown, f"nothing is grouped by {unknown}"
    days = [] if "hour" in by else _summed(session, start, end)
    found = _figures_of(session, days, start, end, by, where)
    if days and _summed(session, start, end) != days:  # a day was taken back meanwhile, and may stand in neither part
        found = _figures_of(session, [], start, end, by, where)
    return found


def _figures_of(
    session: Session, days: list[Span], start: dt.datetime, end: dt.datetime, by: Sequence[str], where: Mapping[str, Any]
) -> list[Figures]:  # fmt: skip
    """The same, with these days from the daily summary."""
    rows_of = _rows(days, start, end, where).c
    places = _places(sqlite=session.get_bind().dialect.name == "sqlite")
    keys = [_key(name, rows_of, places).label(f"key_{name}") for name in by]
    wanted = select(*keys, rows_of.currency, *_sums(rows_of))
    if "customer" in by:
        wanted = wanted.outerjoin(Customer, Customer.id == rows_of.customer_id)
    if "country" in by:
        wanted = wanted.outerjoin(places, places.c.code == rows_of.network)
    count = len(by)
    rows = session.execute(wanted.group_by(*keys, rows_of.currency))
    found = [_figures(by, row[:count], row[count], row[count + 1 :]) for row in rows]
    # here, because MariaDB sorts a status by its place in the column's list, or by its name, as the query goes
    return sorted(found, key=lambda row: (*row.keys.values(), row.currency))


def _figures(by: Sequence[str], keys: Sequence[Any], currency: str, sums: Sequence[Any]) -> Figures:
    named = {name: _text(value) for name, value in zip(by, keys, strict=True)}
    return Figures(named, currency, *(int(value or 0) for value in sums))


def _summed(session: Session, start: dt.datetime, end: dt.datetime) -> list[Span]:
    """The days within that time that are added up, as few spans in order; none where they are too scattered to be of use."""
    days = session.scalars(
        select(SummedDay.day).where(SummedDay.day >= start, SummedDay.day <= end - DAY).order_by(SummedDay.day)
    )
    spans: list[Span] = []
    for day in days:
        if spans and spans[-1][1] == day:
            spans[-1] = (spans[-1][0], day + DAY)
        else:
            spans.append((day, day + DAY))
    return spans if len(spans) <= MOST_SPANS else []


def _rows(days: list[Span], start: dt.datetime, end: dt.datetime, where: Mapping[str, Any]) -> Subquery:
    """The rows that are added up: of these days, and of the hours between them."""
    edges = [start, *(moment for span in days for moment in span), end]
    hours = [(edges[place], edges[place + 1]) for place in range(0, len(edges), 2) if edges[place] < edges[place + 1]]
    parts = [
        select(moment.label("hour"), *(getattr(moment.class_, name) for name in (*KEYS, *SUMS))).where(
            or_(*(and_(moment >= first, moment < after) for first, after in spans)),
            *(getattr(moment.class_, name) == value for name, value in where.items()),
        )
        for moment, spans in ((DailySummary.day, days), (HourlySummary.hour, hours))
        if spans
    ]
    if not parts:  # an empty time
        return select(HourlySummary).where(false()).subquery()
    return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()


def _sums(rows: Columns) -> list[ColumnElement[Any]]:
    def of(*statuses: Status) -> ColumnElement[Any]:
        return func.sum(case((rows.status.in_(statuses), rows.messages), else_=0))

    plain = ("price", "cost", "within_10s", "within_60s", "within_600s", "delay_ms")
    return [
        func.sum(rows.messages), func.sum(rows.parts), of(Status.DELIVERED), of(*BAD), of(*OPEN),
        *(func.sum(rows[name]) for name in plain),
    ]  # fmt: skip


def _places(*, sqlite: bool) -> Subquery:
    """The country of each network; its name may stand in many rows of the numbering table."""
    code = Network.mcc + Network.mnc if sqlite else func.concat(Network.mcc, Network.mnc)
    named = select(code.label("code"), func.max(Network.country).label("country")).where(Network.mcc != "")
    return named.group_by(code).subquery()


def _key(name: str, rows: Columns, places: Subquery) -> ColumnElement[Any]:
    if name == "customer":
        return func.coalesce(Customer.name, "")
    if name == "country":
        return func.coalesce(places.c.country, "")
    if name in ("day", "month"):
        return func.substr(rows.hour, 1, 10 if name == "day" else 7)
    column: ColumnElement[Any] = rows[name]
    return column


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:00Z}"
    return value.value if isinstance(value, Status) else "" if value is None else str(value)
