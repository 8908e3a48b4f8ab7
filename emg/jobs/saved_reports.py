"""The mails with reports that people saved: each as CSV in the text, with what its owner may see at that moment.

The mail's topic is the report and the day, so a second run writes nothing. A report that asks for what its owner may not see any more is not sent; its page tells him why.
"""

import datetime as dt
import logging
from typing import Final

from emg.db import mail, saved_reports, settings
from emg.db.engine import Database, Session
from emg.db.saved_reports import Due
from emg.jobs import report_files
from emg.rules import report_query
from emg.rules.report_query import QueryFault

log = logging.getLogger("emg.scheduler")
LONGEST: Final = 15_000
"""Characters of CSV in one mail: a TEXT holds 65,535 octets, whatever the letters."""


def write(database: Database, today: dt.date | None = None) -> str:
    """The mails that are due."""
    now = dt.datetime.now(dt.UTC)
    today = today or now.date()
    with database.session() as session:
        company = str(settings.read(session)["company_name"])
        numbers = [each.report.id for each in saved_reports.due(session, today)]
    written = 0
    for number in numbers:  # each in a transaction of its own
        with database.session() as session:
            for each in saved_reports.due(session, today):
                if each.report.id != number:
                    continue
                try:
                    headline, text = _text(session, each, today, company)
                except QueryFault as error:
                    log.info("the saved report %d is not mailed: %s", number, error)
                    continue
                written += mail.put(session, f"report {number} {today}", each.report.recipients, headline, text)
                each.report.mailed = now
    return f"{written} reports written"


def _text(session: Session, each: Due, today: dt.date, company: str) -> tuple[str, str]:
    sees = each.reader.sees
    query = report_query.read(report_query.parse(each.report.query), sees, today)
    found = saved_reports.run(session, query, each.reader)
    told = f"{each.report.name}: traffic from {query.start} to {query.end}, UTC, by {' and '.join(query.keys)}."
    body = report_files.csv_text(found.lines, query, sees, LONGEST) if found.lines else "No messages.\r\n"
    return f"Report: {each.report.name}", f"{told}\n\n{body}\n{company}\n".replace("\r\n", "\n")
