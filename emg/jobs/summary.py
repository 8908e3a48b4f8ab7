"""Counting the hours that changed, and adding up the days that are over. Reports come late: for days an hour may change now and then, and counting it costs seconds where it is full.

So this hour and the one before are counted each time, and older ones once an hour. Each hour is a transaction of its own; one that fails (a deadlock, a
database that goes away) stays dirty and leaves the others alone.
"""

import datetime as dt
import logging
from collections.abc import Sequence

from emg.db import summary
from emg.db.engine import Database, DatabaseError
from emg.db.summary import HOUR, Dirty

log = logging.getLogger("emg.scheduler")


def count_now(database: Database, now: dt.datetime | None = None) -> str:
    """This hour and the one before."""
    since = _recent(now)
    with database.session() as session:
        dirty = summary.dirty_hours(session, since=since)
    return count(database, dirty)


def count_past(database: Database, now: dt.datetime | None = None) -> str:
    """All older ones."""
    before = _recent(now)
    with database.session() as session:
        dirty = summary.dirty_hours(session, before=before)
    return count(database, dirty)


def sum_days(database: Database, now: dt.datetime | None = None) -> str:
    """All days that are over and counted, each in a transaction of its own. Raises DatabaseError."""
    with database.session() as session:
        days = summary.summable(session, now or dt.datetime.now(dt.UTC))
    added = 0
    for day in days:
        with database.session() as session:
            added += summary.sum_day(session, day) >= 0
    return f"{added} days added up"


def count(database: Database, dirty: Sequence[Dirty]) -> str:
    """These hours. Raises the last DatabaseError after all were tried; one that says that the database is away ends it at once."""
    failed: DatabaseError | None = None
    for each in dirty:
        try:
            with database.session() as session:
                rows = summary.count_hour(session, each)
        except DatabaseError as error:
            log.warning("the hour %s could not be counted: %s", each.hour.isoformat(), error)
            failed = error
            continue
        if rows < 0:
            log.info("the hour %s is left as it was: its messages are dropped already", each.hour.isoformat())
    if failed is not None:
        raise failed
    return f"{len(dirty)} hours counted"


def _recent(now: dt.datetime | None) -> dt.datetime:
    return summary.hour_of(now or dt.datetime.now(dt.UTC)) - HOUR
