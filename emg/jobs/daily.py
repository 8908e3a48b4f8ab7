"""The mail with yesterday's figures: one to each customer who wants it, one of all customers to the house (`mail_to`).

Figures come from the hourly summary; a day with hours that are still to be counted is written later (the job fails and is tried again). A day that no
scheduler ran is made up for, as far back as `DAYS`. The mail's topic is the day and the customer, so a second run writes nothing.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from emg.db import mail, reports, settings, summary
from emg.db.engine import Database
from emg.db.models import Customer
from emg.db.reports import Figures
from emg.errors import EmgError
from emg.rules import money

DAYS: Final = 3
DAY: Final = dt.timedelta(days=1)


class NotCounted(EmgError):
    """Hours of the day wait to be counted."""


def write(database: Database, today: dt.date | None = None) -> str:
    """The mails of yesterday, and of days before that were missed."""
    today = today or dt.datetime.now(dt.UTC).date()
    written = sum(_write(database, today - number * DAY, first=number == 1) for number in range(DAYS, 0, -1))
    return f"{written} mails written"


def _write(database: Database, day: dt.date, *, first: bool) -> int:
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    written = 0
    with database.session() as session:
        if summary.dirty_hours(session, since=start, before=start + DAY):
            if not first:
                return 0  # an old day whose reports still come in: its mail was written, or is not worth waiting for
            raise NotCounted(f"hours of {day} are still to be counted")
        chosen = settings.read(session)
        wanted = select(Customer).where(Customer.daily_report.is_(True), Customer.email != "")
        for customer in session.scalars(wanted.where(Customer.created < start + DAY)):
            rows = reports.figures(session, start, start + DAY, ("account",), {"customer_id": customer.id})
            text = _text(f"Traffic of {customer.name} on {day}, UTC.", rows, ("account",), chosen)
            written += mail.put(
                session, f"daily {day} customer {customer.id}", customer.email, f"Traffic on {day}", text
            )
        if chosen["mail_to"]:
            rows = reports.figures(session, start, start + DAY, ("account", "connector_out"), {})
            text = _text(f"All traffic on {day}, UTC.", rows, ("account", "connector_out"), chosen, cost=True)
            written += mail.put(session, f"daily {day} all", chosen["mail_to"], f"All traffic on {day}", text)
    return written


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
