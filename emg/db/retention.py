"""What is kept how long, and what must not go yet. Raises DatabaseError through the session."""

import datetime as dt
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from emg.db.models import (
    AuditLog,
    Customer,
    DailySummary,
    DirtyHour,
    HourlySummary,
    Invoice,
    InvoiceStatus,
    Purged,
    SummedDay,
)
from emg.db.traffic import DAY, Period, month

STEP: Final = dt.timedelta(days=1)
_PLAIN: Final = {"synchronize_session": False}


class Held(NamedTuple):
    """Days from this one on are kept, and why: an empty reason is their age."""

    since: dt.date
    reason: str


def first_kept(session: Session, oldest: dt.date, *, invoiced: bool) -> Held:
    """The first day of the log that must stay, at most `oldest`: hours of it are still to be counted, or its month is still to be invoiced."""
    held = Held(oldest, "")
    hour = session.scalar(select(func.min(DirtyHour.hour)))
    if hour is not None and hour.date() < held.since:
        held = Held(hour.date(), f"hours of {hour.date()} are still to be counted")
    if invoiced:
        for period, customer in _unpaid(session, held.since):
            if period.start < held.since:
                held = Held(period.start, f"{customer} has no invoice of {period.start:%Y-%m}")
    return held


def _unpaid(session: Session, before: dt.date) -> list[tuple[Period, str]]:
    """Months with days before this one, and a customer whose traffic of that month costs and is on no issued invoice."""
    until = dt.datetime.combine(before, dt.time(), dt.UTC)
    gone = session.scalar(select(Purged.before).where(Purged.subject == "routelog"))
    wanted = (
        select(func.substr(HourlySummary.hour, 1, 7), HourlySummary.customer_id, HourlySummary.currency)
        .where(HourlySummary.hour < until, HourlySummary.customer_id.is_not(None), HourlySummary.price != 0)
        .distinct()
    )
    if gone is not None:  # what is dropped already can't be invoiced any more
        wanted = wanted.where(HourlySummary.hour >= gone)
    names = dict(session.execute(select(Customer.id, Customer.name)).all())
    found = []
    for text, customer, currency in session.execute(wanted):
        period = month(dt.date.fromisoformat(f"{text}-01"))
        if customer in names and not _issued(session, period, customer, currency):
            found.append((period, names[customer]))
    return found


def _issued(session: Session, period: Period, customer: int, currency: str) -> bool:
    """Every day of the month is on an issued invoice of his; a credited one counts: somebody has looked at it."""
    wanted = select(Invoice.period_start, Invoice.period_end).where(
        Invoice.customer_id == customer, Invoice.currency == currency, Invoice.status == InvoiceStatus.ISSUED,
        Invoice.period_start <= period.end, Invoice.period_end >= period.start,
    )  # fmt: skip
    following = period.start
    for start, end in sorted(tuple(row) for row in session.execute(wanted)):
        if start <= following <= end:
            following = end + DAY
    return following > period.end


def mark_purged(session: Session, subject: str, before: dt.date) -> None:
    """From now on an hour before this day is never counted anew. Commit it before anything is dropped."""
    moment = dt.datetime.combine(before, dt.time(), dt.UTC)
    found = session.get(Purged, subject)
    if found is None:
        session.add(Purged(subject=subject, before=moment))
    elif found.before < moment:
        found.before = moment


def oldest_summary(session: Session) -> dt.datetime | None:
    """The first hour there is."""
    return session.scalar(select(func.min(HourlySummary.hour)))


def oldest_audit(session: Session) -> dt.datetime | None:
    """The first change there is."""
    return session.scalar(select(func.min(AuditLog.at)))


def delete_summaries(session: Session, before: dt.datetime) -> int:
    """Delete those of hours before this; how many."""
    for column in (DailySummary.day, SummedDay.day):  # `before` is a midnight, or within the day that goes next
        session.execute(delete(column.class_).where(column < before), execution_options=_PLAIN)
    found = session.execute(delete(HourlySummary).where(HourlySummary.hour < before), execution_options=_PLAIN)
    return int(found.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


def delete_audit(session: Session, before: dt.datetime) -> int:
    """Delete what was noted before this; how many."""
    found = session.execute(delete(AuditLog).where(AuditLog.at < before), execution_options=_PLAIN)
    return int(found.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
