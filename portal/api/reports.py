"""Figures of the traffic, from the hourly summary. A customer's key has his own, without costs and operators."""

import datetime as dt
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from emg.db import customers, reports, summary
from emg.db.reports import Figures
from emg.db.summary import HOUR
from emg.rules import money
from portal import house
from portal.api import taking, whose
from portal.api.caller import caller
from portal.api.messages import utc
from portal.api.operations import Call, Operation, Shape

LONGEST: Final = dt.timedelta(days=400)
MOST_ROWS: Final = 50_000
OPERATORS: Final = ("connector_in", "connector_out")
Filter = Annotated[str, Meta(max_length=200)]


class Hourly(Shape):
    """Of when, and by what. Whole hours in UTC; without a time, the last day."""

    since: Annotated[dt.datetime | None, Meta(description="ISO 8601; UTC without a zone.")] = None
    until: Annotated[dt.datetime | None, Meta(description="Not included.")] = None
    by: Annotated[
        str, Meta(max_length=200, description=f"A row for each of these, with commas: {', '.join(reports.BY)}.")
    ] = "hour"
    account: Filter = ""
    network: Filter = ""
    status: Filter = ""
    prefix: Filter = ""
    customer: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""
    connector_in: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""
    connector_out: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""


class FiguresRow(Shape):
    """Sums."""

    of: Annotated[dict[str, str], Meta(description="What they are of, by the words of `by`.")]
    messages: int
    parts: int
    delivered: int
    failed: int
    open: Annotated[int, Meta(description="Without a final state yet.")]
    mean_seconds: Annotated[float | None, Meta(description="To delivery.")]
    price: str
    currency: str
    cost: str | UnsetType = UNSET
    margin: str | UnsetType = UNSET


class FiguresList(Shape):
    """All of them."""

    since: dt.datetime
    until: dt.datetime
    rows: list[FiguresRow]
    to_count: Annotated[int, Meta(description="Hours that have changed since they were counted.")]


def hourly(call: Call) -> FiguresList:
    """Sums by what is asked for."""
    query: Hourly = call.query
    whose.house_alone(customer=query.customer, connector_in=query.connector_in, connector_out=query.connector_out)
    by = _by(query.by)
    since, until = _hours(query)
    names = [*reports.COLUMNS]
    where: dict[str, Any] = {name: value for name in names if (value := getattr(query, name, ""))}
    with house.reading() as session:
        if caller().customer_id is not None:
            where["customer_id"] = caller().customer_id
        elif query.customer:
            where["customer_id"] = customers.find(session, query.customer).id
        rows = reports.figures(session, since, until, by, where)
        dirty = len(summary.dirty_hours(session, since=since, before=until))
    if len(rows) > MOST_ROWS:
        raise taking.fault("by", f"would give {len(rows):,} rows, more than {MOST_ROWS:,}: ask for a shorter time")
    return FiguresList(since=since, until=until, rows=[_row(row) for row in rows], to_count=dirty)


def _by(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if len(set(names)) != len(names) or any(name not in reports.BY for name in names):
        raise taking.fault("by", f"must be of {', '.join(reports.BY)}, each once")
    for name in OPERATORS:
        whose.house_alone(by=name in names)
    return names


def _hours(query: Hourly) -> tuple[dt.datetime, dt.datetime]:
    until = utc(query.until) or dt.datetime.now(dt.UTC)
    try:
        since = utc(query.since) or until - dt.timedelta(days=1)
        start, end = summary.hour_of(since), summary.hour_of(until)
        end += HOUR if end < until else dt.timedelta(0)
    except OverflowError:
        raise taking.fault("until", "is beyond all times") from None
    if start >= end:
        raise taking.fault("since", "must be before until")
    if end - start > LONGEST:
        raise taking.fault("since", f"is more than {LONGEST.days} days before until")
    return start, end


def _row(row: Figures) -> FiguresRow:
    delivered = row.delivered
    told = FiguresRow(
        of=row.keys, messages=row.messages, parts=row.parts, delivered=delivered, failed=row.failed, open=row.open,
        mean_seconds=round(row.delay_ms / delivered / 1000, 1) if delivered else None, price=money.show(row.price), currency=row.currency,
    )  # fmt: skip
    if caller().is_house:
        told.cost, told.margin = money.show(row.cost), money.show(row.price - row.cost)
    return told


OPERATIONS: Final = (
    Operation("reports_hourly", "GET", "/reports/hourly", "reports:read", "Figures of the traffic, by what is asked for.", hourly, FiguresList, Hourly, about="Money is by currency, always."),
)  # fmt: skip
