"""A report as its address asks for it: over which days, by what, of whose traffic. The same text is kept in a saved report and read again when that is mailed. Pure.

`read` takes the query's values and who asks; what he may not see he may not ask for. Days are whole ones, UTC. Raises `QueryFault` with a sentence.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from emg.errors import EmgError

PERIODS: Final = {
    "today": "today", "yesterday": "yesterday", "7days": "the last 7 days", "month": "this month", "last-month": "last month",
    "year": "the last 12 months", "own": "from … to …",
}  # fmt: skip
BY: Final = {
    "hour": "hour", "day": "day", "month": "month", "account": "account", "customer": "customer", "network": "network", "country": "country",
    "connector_in": "connector in", "connector_out": "connector out", "prefix": "prefix", "status": "status",
}  # fmt: skip
OF_THE_HOUSE: Final = frozenset({"customer", "connector_in", "connector_out"})
FILTERS: Final = ("account", "customer", "connector_in", "connector_out", "network", "status")
STATUSES: Final = ("queued", "sent", "delivered", "failed", "expired", "unknown", "deleted")
MEASURES: Final = {
    "messages": "Messages", "parts": "Parts", "delivered": "Delivered", "failed": "Failed", "open": "Open", "delivered_share": "Delivered %",
    "within_10s": "In 10 s %", "within_60s": "In 1 min %", "within_600s": "In 10 min %", "mean": "Mean delay, s",
    "price": "Revenue", "cost": "Cost", "margin": "Margin",
}  # fmt: skip
MONEY: Final = frozenset({"price", "cost", "margin"})
COSTS: Final = frozenset({"cost", "margin"})
TIMES: Final = ("hour", "day", "month")
MOST_DAYS: Final = 1100
MOST_DAYS_BY_HOUR: Final = 62
LONGEST: Final = 200
NAMES: Final = ("period", "from", "to", "by", "then", "measure", "sort", *FILTERS)
"""What stands in the address."""


class QueryFault(EmgError):
    """There is no such report."""


class Sees(NamedTuple):
    """What somebody's reports may hold."""

    house: bool
    prices: bool
    costs: bool


class Query(NamedTuple):
    """What is asked for."""

    period: str
    start: dt.date
    end: dt.date
    """The last day, included."""
    by: str
    then: str
    """A second one, or empty."""
    measure: str
    """For the chart."""
    sort: str
    """A column, `-` before it the other way round; empty: by the keys."""
    filters: dict[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """What rows are of."""
        return (self.by, self.then) if self.then else (self.by,)


def measures(sees: Sees) -> dict[str, str]:
    """Columns that he may see, with their titles."""
    return {
        name: title for name, title in MEASURES.items()
        if (name not in MONEY or sees.prices) and (name not in COSTS or sees.costs)
    }  # fmt: skip


def groups(sees: Sees) -> dict[str, str]:
    """What he may group by."""
    return {name: title for name, title in BY.items() if sees.house or name not in OF_THE_HOUSE}


def parse(query: str) -> dict[str, str]:
    """What stood behind the `?` of an address."""
    return dict(parse_qsl(query[:4000]))


def read(given: Mapping[str, str], sees: Sees, today: dt.date) -> Query:
    """The report that these values ask for."""
    values = {name: given.get(name, "").strip() for name in NAMES}
    if any(len(value) > LONGEST for value in values.values()):
        raise QueryFault(f"a value has at most {LONGEST} characters")
    by = _one(values["by"] or "day", groups(sees), "grouped by")
    then = _one(values["then"], {"": "", **groups(sees)}, "grouped by")
    measure = _one(values["measure"] or "messages", measures(sees), "a chart of")
    sort = values["sort"]
    if sort:
        _one(sort.removeprefix("-"), {**groups(sees), **measures(sees)}, "sorted by")
    filters = {name: values[name] for name in FILTERS if values[name] and (sees.house or name not in OF_THE_HOUSE)}
    if filters.get("status", "sent") not in STATUSES:
        raise QueryFault(f"a status is one of {', '.join(STATUSES)}")
    period = _one(values["period"] or ("own" if values["from"] else "7days"), PERIODS, "over")
    start, end = _days(period, values, today)
    then = "" if then == by else then
    if "hour" in (by, then) and (end - start).days >= MOST_DAYS_BY_HOUR:
        raise QueryFault(f"a report by hour covers at most {MOST_DAYS_BY_HOUR} days: choose fewer, or ask by day")
    return Query(period, start, end, by, then, measure, sort, filters)


def _one(value: str, known: Mapping[str, str], word: str) -> str:
    if value not in known:
        raise QueryFault(f"no report is {word} {value[:40]!r}")
    return value


def _days(period: str, values: Mapping[str, str], today: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day."""
    first = today.replace(day=1)
    before = first - dt.timedelta(days=1)
    fixed = {
        "today": (today, today), "yesterday": (today - dt.timedelta(days=1),) * 2, "7days": (today - dt.timedelta(days=6), today),
        "month": (first, today), "last-month": (before.replace(day=1), before), "year": (today - dt.timedelta(days=364), today),
    }  # fmt: skip
    if period != "own":
        return fixed[period]
    try:
        start = dt.date.fromisoformat(values["from"])
        end = dt.date.fromisoformat(values["to"]) if values["to"] else today
    except ValueError:
        raise QueryFault("a day is written as 2026-10-31") from None
    if end < start:
        raise QueryFault("the first day is after the last one")
    if (end - start).days >= MOST_DAYS or end.year > 9000:
        raise QueryFault(f"a report covers at most {MOST_DAYS} days")
    return start, end
