"""Drops what is older than the settings `keep_*` say; on MariaDB whole days of the log at once (`emg.db.partitions`).

Of the log nothing goes of which hours are still to be counted. While invoices are on (setting `invoices`), nothing goes either from the first month on
in which a customer's traffic costs and is not on an issued invoice; that is told in the log and in the job's result, because the log grows
meanwhile. Texts of messages go by their age alone: they are on no invoice and in no summary. An hour that a late report makes dirty between
the look and the drop keeps the summary that it has.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy.orm import Session

from emg.db import batches, mail, partitions, retention, settings, web_sessions, web_tokens
from emg.db.engine import Database

DAYS_AHEAD: Final = 7
"""Partitions that are made before their day comes."""

log = logging.getLogger("emg.scheduler")


def make_days(database: Database, today: dt.date | None = None) -> str:
    """See that the coming days have their partitions."""
    return f"{partitions.ensure(database, DAYS_AHEAD, today)} partitions made"


def drop_old(database: Database, today: dt.date | None = None) -> str:
    """Everything that is too old."""
    today = today or dt.datetime.now(dt.UTC).date()
    with database.session() as session:
        chosen = settings.read(session)
        wanted = _days_ago(today, chosen["keep_messages"])
        held = retention.first_kept(session, wanted, invoiced=chosen["invoices"])
        retention.mark_purged(session, "routelog", held.since)
        now = dt.datetime.now(dt.UTC)
        gone = mail.forget(session, now)
        logins = web_sessions.forget(session, now, web_sessions.LONGEST) + web_tokens.forget(session, now)
    messages = partitions.drop_before(database, held.since, ("routelog", "message_part"))
    texts_before = _days_ago(today, min(chosen["keep_texts"], chosen["keep_messages"]))
    texts = partitions.drop_before(database, texts_before, ("message_body",))
    # the figures stay at least as long as the messages that they are of: the guard above reads them
    summaries_before = min(_days_ago(today, chosen["keep_summaries"]), held.since)
    summaries = _by_day(database, summaries_before, retention.oldest_summary, retention.delete_summaries)
    changes = _by_day(database, _days_ago(today, chosen["keep_audit"]), retention.oldest_audit, retention.delete_audit)
    gone_batches = _batches(database, _days_ago(today, min(chosen["keep_texts"], chosen["keep_messages"])))
    if held.reason:
        log.warning("the log is kept from %s instead of %s: %s", held.since, wanted, held.reason)
    return (
        f"log before {held.since}: {messages.partitions} days, {messages.rows} rows; texts {texts.partitions}, {texts.rows};"
        f" summaries {summaries}; changes {changes}; mails {gone};"
        f" batches {gone_batches};"
        f" logins {logins}{f'; kept because {held.reason}' * bool(held.reason)}"
    )


def _batches(database: Database, before: dt.date) -> int:
    """Forget what was sent from the portal, texts and all, a batch a transaction; how many."""
    count = 0
    while True:
        with database.session() as session:
            if not batches.forget_one(session, before):
                return count
        count += 1


def _days_ago(today: dt.date, days: int) -> dt.date:
    return today - dt.timedelta(days=days)


def _by_day(
    database: Database,
    before: dt.date,
    oldest: Callable[[Session], dt.datetime | None],
    remove: Callable[[Session, dt.datetime], int],
) -> int:
    """Delete day by day, each in a transaction of its own; how many rows."""
    until = dt.datetime.combine(before, dt.time(), dt.UTC)
    with database.session() as session:
        at = oldest(session)
    deleted = 0
    while at is not None and at < until:
        at = min(at + retention.STEP, until)
        with database.session() as session:
            deleted += remove(session, at)
            if at < until:
                at = oldest(session)
    return deleted
