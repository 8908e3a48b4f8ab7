"""The mail with yesterday's figures: one to each customer who wants it, one of all customers to the house (`mail_to`).

Figures come from the hourly summary; hours of the day that have changed are counted first. Reports that come later are in the portal, and in no mail.
A day that no scheduler ran is made up for, as far back as `DAYS`. The mail's topic is the day and the customer, so a second run writes nothing.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.db import mail, reports, settings, summary
from emg.db.engine import Database
from emg.db.models import Customer
from emg.db.reports import Figures
from emg.jobs import summary as counting
from emg.rules import money

DAYS: Final = 3
DAY: Final = dt.timedelta(days=1)
LATELY: Final = 10 * DAY


def write(database: Database, today: dt.date | None = None) -> str:
    """The mails of yesterday, and of days before that were missed."""
    today = today or dt.datetime.now(dt.UTC).date()
    written = sum(_write(database, today - number * DAY, again=number > 1) for number in range(DAYS, 0, -1))
    return f"{written} mails written"


def _write(database: Database, day: dt.date, *, again: bool) -> int:
    """`again`: only to those who got one of a day before. Who has just asked for them begins with yesterday's."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    with database.session() as session:
        dirty = summary.dirty_hours(session, since=start, before=start + DAY)
    counting.count(database, dirty)
    with database.session() as session:
        chosen = settings.read(session)
        before = [topic.split(" ", 2) for topic in mail.topics(session, "daily ", start - LATELY)]
        known = {who for _daily, told, who in before if told < str(day)}
        written = 0
        for who, recipient, headline, text in _letters(session, day, chosen):
            if who in known or not again:
                written += mail.put(session, f"daily {day} {who}", recipient, headline, text)
    return written


def _letters(session: Session, day: dt.date, chosen: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """For whom (in the topic), to where, headline and text."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    rows: dict[str, list[Figures]] = {}
    for row in reports.figures(session, start, start + DAY, ("customer_id", "account"), {}):
        rows.setdefault(row.keys["customer_id"], []).append(row)
    for customer in session.scalars(select(Customer).where(Customer.daily_report.is_(True), Customer.email != "")):
        told = _text(f"Traffic of {customer.name} on {day}, UTC.", rows.get(str(customer.id), []), ("account",), chosen)
        yield f"customer {customer.id}", customer.email, f"Traffic on {day}", told
    if chosen["mail_to"]:
        by = ("account", "connector_out")
        all_rows = reports.figures(session, start, start + DAY, by, {})
        told = _text(f"All traffic on {day}, UTC.", all_rows, by, chosen, cost=True)
        yield "all", chosen["mail_to"], f"All traffic on {day}", told


def _text(
    headline: str, rows: Sequence[Figures], by: Sequence[str], chosen: dict[str, Any], *, cost: bool = False
) -> str:
    """A table in plain text."""
    head = [*by, "messages", "parts", "delivered", "failed", "open", "price", *(["cost"] if cost else [])]
    lines = [head]
    for row in rows:
        amounts = [
            f"{money.show(amount)} {row.currency}".strip() for amount in (row.price, *((row.cost,) if cost else ()))
        ]
        counts = (row.messages, row.parts, row.delivered, row.failed, row.open)
        lines.append([*(row.keys[name] or "-" for name in by), *map(str, counts), *amounts])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    names = len(by)
    shown = [
        "  ".join(
            text.ljust(width) if column < names else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    body = "\n".join(shown) if rows else "No messages."
    return f"{headline}\n\n{body}\n\n{chosen['company_name']}\n"
