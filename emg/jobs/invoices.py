"""The drafts of last month, prepared when it is over; a person looks at them and issues them. Setting `invoices` turns it off.

Months that no scheduler ran are made up for, as far back as `MONTHS`, where nothing was prepared or issued. A day whose messages are not all
counted makes no difference: drafts are made from the log itself, and issuing looks again.
"""

import datetime as dt
from typing import Final

from sqlalchemy import select

from emg.db import invoices, settings
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Invoice
from emg.db.summary import purged_before
from emg.db.traffic import DAY, Period, month

MONTHS: Final = 3
ACTOR: Final = Actor("scheduler")


def prepare_months(database: Database, today: dt.date | None = None) -> str:
    """Drafts of last month, and of months before for which there is nothing."""
    with database.session() as session:
        chosen = settings.read(session)
        gone = purged_before(session, "routelog").date()
    if not chosen["invoices"]:
        return "turned off"
    last = month((today or dt.datetime.now(dt.UTC).date()).replace(day=1) - DAY)
    wanted = [last]
    for _number in range(MONTHS - 1):
        earlier = month(wanted[-1].start - DAY)
        wanted.append(earlier)
    made = 0
    for period in reversed(wanted):
        if period.start < gone:
            continue  # nobody can say any more what was sent
        if period == last or not _known(database, period):
            done = invoices.prepare(database, ACTOR, period, prepaid=chosen["invoice_prepaid"])
            made += sum(each.id is not None for each in done)
    return f"{made} drafts prepared"


def _known(database: Database, period: Period) -> bool:
    """Something of this month was prepared before."""
    with database.session() as session:
        found = select(Invoice.id).where(Invoice.period_start <= period.end, Invoice.period_end >= period.start)
        return session.scalar(found.limit(1)) is not None
