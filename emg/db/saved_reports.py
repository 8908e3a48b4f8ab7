"""Reports: run for somebody, saved under a name, mailed on a schedule.

A report holds what its reader may see *now*: `reader` says whose traffic and which columns, from his role as it stands in the database, so a saved report that is mailed
never holds more than its page would. Messages, delays and money are sums of the hourly summary; rows are apart by currency, always.
The summary knows no percentiles: it has the shares within 10, 60 and 600 seconds of the delivered ones and their mean, and that is what a report says.

Raises `QueryFault`, `NotFound`, `RowFaults`.
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.db import audit, changes, customers, reports, summary
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.models import Customer, Role, SavedReport, Status, WebUser
from emg.db.reports import Figures
from emg.rules import rows as rules
from emg.rules.report_query import MEASURES, Query, QueryFault, Sees

HOUSE: Final = frozenset({Role.OWNER, Role.ENGINEER, Role.FINANCE})
SCHEDULES: Final = ("daily", "weekly", "monthly")
MOST: Final = 100
"""Saved reports of one person."""
MOST_RECIPIENTS: Final = 10
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_SUMS: Final = Figures._fields[2:]


class Reader(NamedTuple):
    """Who reads a report."""

    customer_id: int | None
    """Whose traffic he sees; None: everybody's."""
    sees: Sees


def sees(role: Role) -> Sees:
    """What a role's reports may hold."""
    house = role in HOUSE
    return Sees(house=house, prices=house or role is Role.CUSTOMER_ADMIN, costs=house)


class Report(NamedTuple):
    """What there is to show."""

    lines: list[Figures]
    totals: list[Figures]
    """One a currency."""
    waiting: int
    """Hours of these days that have changed since they were counted."""


def run(session: Session, query: Query, reader: Reader) -> Report:
    """The report, for its reader."""
    start = dt.datetime.combine(query.start, dt.time(), dt.UTC)
    end = dt.datetime.combine(query.end, dt.time(), dt.UTC) + dt.timedelta(days=1)
    where: dict[str, Any] = dict(query.filters)
    if "status" in where:
        where["status"] = Status(where["status"])
    if "customer" in where:
        try:
            where["customer_id"] = customers.find(session, where.pop("customer")).id
        except NotFound as error:
            raise QueryFault(str(error)) from None
    if not reader.sees.house:
        where["customer_id"] = reader.customer_id
    lines = reports.figures(session, start, end, query.keys, where)
    waiting = len(summary.dirty_hours(session, since=start, before=end)) if reader.sees.house else 0
    return Report(sorted_lines(lines, query.sort), totals(lines), waiting)


def sorted_lines(lines: list[Figures], sort: str) -> list[Figures]:
    """By a column; what has no figure there comes last."""
    column = sort.removeprefix("-")
    if not column:
        return lines

    def rank(line: Figures) -> Any:
        return line.keys.get(column) if column not in MEASURES else value_of(line, column)

    known = [line for line in lines if rank(line) is not None]
    known.sort(key=rank, reverse=sort.startswith("-"))
    return known + [line for line in lines if rank(line) is None]


def totals(lines: Sequence[Figures]) -> list[Figures]:
    """One line a currency."""
    return added(lines, ())


def added(lines: Sequence[Figures], keys: Sequence[str], *, by_currency: bool = True) -> list[Figures]:
    """Lines of the same keys (and currency) made one, in their order. Without `by_currency` the amounts mean nothing."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for line in lines:
        place = (*(line.keys[key] for key in keys), line.currency if by_currency else "")
        into = sums.setdefault(place, [0] * len(_SUMS))
        for position, amount in enumerate(line[2:]):
            into[position] += amount
    return [Figures(dict(zip(keys, place, strict=False)), place[-1], *into) for place, into in sums.items()]


def value_of(line: Figures, measure: str) -> float | int | None:
    """A figure of a line: counts as they are, shares from 0 to 1, the mean in seconds, money in micro-units."""
    match measure:
        case "delivered_share":
            return line.delivered / line.messages if line.messages else None
        case "within_10s" | "within_60s" | "within_600s":
            return int(getattr(line, measure)) / line.delivered if line.delivered else None
        case "mean":
            return line.delay_ms / line.delivered / 1000 if line.delivered else None
        case "margin":
            return line.price - line.cost
    return int(getattr(line, measure))


# -- saved


def listing(session: Session, user_id: int) -> list[SavedReport]:
    """His, by name."""
    wanted = select(SavedReport).where(SavedReport.user_id == user_id).order_by(SavedReport.name)
    return list(session.scalars(wanted))


def find(session: Session, user_id: int, number: int) -> SavedReport:
    """One of his."""
    wanted = select(SavedReport).where(SavedReport.user_id == user_id, SavedReport.id == number)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("saved report", str(number))
    return found


def save(
    session: Session, actor: Actor, user_id: int, name: str, query: str, *, schedule: str = "", recipients: str = ""
) -> SavedReport:
    """Keep it under this name; one of the same name is replaced."""
    name, given = " ".join(name.split()), [each.strip() for each in recipients.split(",") if each.strip()]
    if not 0 < len(name) <= 128:
        raise rules.fault("name", "must have 1 to 128 characters")
    if schedule and schedule not in SCHEDULES:
        raise rules.fault("schedule", f"must be one of {', '.join(SCHEDULES)}")
    if any(not _ADDRESS.fullmatch(each) for each in given):
        raise rules.fault("recipients", "must be mail addresses with commas between them")
    if len(given) > MOST_RECIPIENTS or len(",".join(given)) > 255:
        raise rules.fault("recipients", f"must be at most {MOST_RECIPIENTS} addresses, 255 characters together")
    if schedule and not given:
        raise rules.fault("recipients", "must be given when it is to be mailed")
    mine = {each.name: each for each in listing(session, user_id)}
    found = mine.get(name)
    if found is None and len(mine) >= MOST:
        raise rules.fault("name", f"can't be saved: you have {MOST} reports already")
    if found is None:
        found = SavedReport(user_id=user_id, name=name, created=changes.now())
        session.add(found)
    found.query, found.schedule, found.recipients = query[:4000], schedule, ",".join(given)
    session.flush()
    after = {"query": found.query, "schedule": schedule, "recipients": found.recipients}
    audit.note(session, actor, "save", "saved_report", name, None, after)
    return found


def delete(session: Session, actor: Actor, user_id: int, number: int) -> str:
    """Take one of his out; its name."""
    found = find(session, user_id, number)
    audit.note(session, actor, "delete", "saved_report", found.name, {"query": found.query}, None)
    session.delete(found)
    return found.name


class Due(NamedTuple):
    """A saved report that is to be mailed."""

    report: SavedReport
    reader: Reader


def due(session: Session, today: dt.date) -> list[Due]:
    """Those to be mailed now, each with the rights that its owner has now; nothing of who is locked, or whose customer is."""
    wanted = select(SavedReport, WebUser, Customer.locked).join(WebUser, WebUser.id == SavedReport.user_id)
    wanted = wanted.outerjoin(Customer, Customer.id == WebUser.customer_id)
    wanted = wanted.where(SavedReport.schedule != "", WebUser.locked.is_(False)).order_by(SavedReport.id)
    found = []
    for report, user, locked in session.execute(wanted):
        rights = sees(user.role)
        if not rights.house and (user.customer_id is None or locked):
            continue
        if (report.mailed or report.created) < _day_of(report.schedule, today):
            found.append(Due(report, Reader(user.customer_id, rights)))
    return found


def _day_of(schedule: str, today: dt.date) -> dt.datetime:
    """When the last one was due: today, this Monday, the first of this month."""
    days = {"daily": today, "weekly": today - dt.timedelta(days=today.weekday()), "monthly": today.replace(day=1)}
    return dt.datetime.combine(days[schedule], dt.time(), dt.UTC)
