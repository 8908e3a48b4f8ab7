"""Old rows of the log go by the day: on MariaDB as whole partitions, at once; elsewhere by deleting in small steps.

On MariaDB `routelog` and `message_body` are cut by the UTC day of `received`: `earlier` (all before the first day), `p20261123` and so on, and `later`,
which takes everything beyond, so that no row is ever refused. `ensure` cuts days off `later` while that is empty, which takes milliseconds. If it has
not run for so long that rows have gone there, they are copied into their days once (some 100,000 rows a second); readers go on, the recorder waits.

`drop_before` leaves nothing of before a day, whether it lay in a partition of its own or not. Both do nothing if there is nothing to do, may run
at any time, and raise DatabaseError.
"""

import datetime as dt
import time
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, text

from emg.db.engine import Database
from emg.db.locks import alone
from emg.db.models.base import UtcTime

TABLES: Final = ("routelog", "message_body")
"""Partitioned; see `emg.db.models.base.PARTITIONED`."""
BY_DAY: Final = (*TABLES, "message_part")
"""All that `drop_before` knows."""
FIRST, LAST = "earlier", "later"
MOST = 1000
"""Partitions that one call makes; what is older than that goes into the first of them."""
STEP = 2000
"""Rows deleted in one transaction."""
PAUSE_SECONDS = 0.01
"""Between two steps: a writer that waits for an embedded database must get its turn."""
WAIT_SECONDS = 60
STATEMENT_SECONDS = 3600


class Partition(NamedTuple):
    """One piece of a table: rows received before this moment, and not before the one before; None: all others."""

    name: str
    before: dt.date | None
    rows: int
    """As the server guesses."""


class Dropped(NamedTuple):
    """What went: whole partitions, and rows one by one."""

    partitions: int
    rows: int


def listing(connection: Connection, table: str) -> list[Partition]:
    """The partitions of a table on MariaDB, in order."""
    found = connection.execute(
        text(
            "SELECT partition_name, partition_description, table_rows FROM information_schema.partitions"
            " WHERE table_schema = DATABASE() AND table_name = :table AND partition_name IS NOT NULL ORDER BY partition_ordinal_position"
        ),
        {"table": table},
    )
    return [Partition(name, _day(bound), int(rows)) for name, bound, rows in found]


def ensure(database: Database, days_ahead: int, today: dt.date | None = None) -> int:
    """See that each day up to `days_ahead` days after today has its partition; how many were made. Nothing on SQLite."""
    if database.is_sqlite:
        return 0
    until = (today or dt.datetime.now(dt.UTC).date()) + dt.timedelta(days=days_ahead)
    start = until - dt.timedelta(days=days_ahead)
    patient = Database(database.url.render_as_string(hide_password=False), answer_seconds=STATEMENT_SECONDS)
    try:
        with (
            patient.guarded(),
            patient.engine.connect() as connection,
            alone(patient, connection, "partitions", WAIT_SECONDS),
        ):
            return sum(_ensure(connection, table, start, until) for table in TABLES)
    finally:
        patient.close()


def _ensure(connection: Connection, table: str, start: dt.date, until: dt.date) -> int:
    bounds = [partition.before for partition in listing(connection, table)]
    assert bounds[-1:] == [None], f"{table} has no partition for what is later"
    covered = bounds[-2] if len(bounds) > 1 else None
    # A day without a partition goes into the next one that has: days that have passed are made only for rows that are there.
    oldest = _oldest_in_last(connection, table)
    first = max(covered or dt.date.min, min(start, oldest or start), until - dt.timedelta(days=MOST))
    days = [first + dt.timedelta(days=number) for number in range((until - first).days + 1)]
    if not days:
        connection.rollback()
        return 0
    pieces = [_piece(f"p{day:%Y%m%d}", day + dt.timedelta(days=1)) for day in days]
    if covered is None:
        pieces.insert(0, _piece(FIRST, first))
    pieces.append(_piece(LAST, None))
    connection.execute(text(f"ALTER TABLE {table} REORGANIZE PARTITION {LAST} INTO ({', '.join(pieces)})"))
    connection.commit()
    return len(days)


def _oldest_in_last(connection: Connection, table: str) -> dt.date | None:
    oldest: dt.datetime | None = connection.scalar(text(f"SELECT MIN(received) FROM {table} PARTITION ({LAST})"))  # noqa: S608 -- our own names
    return oldest.date() if oldest else None


def drop_before(database: Database, day: dt.date, tables: tuple[str, ...] = BY_DAY) -> Dropped:
    """Drop all rows of these tables that were received before this day (UTC)."""
    assert set(tables) <= set(BY_DAY), f"not by the day: {tables}"
    partitions = 0
    if not database.is_sqlite:
        with (
            database.guarded(),
            database.engine.connect() as connection,
            alone(database, connection, "partitions", WAIT_SECONDS),
        ):
            partitions = sum(_drop_whole(connection, table, day) for table in tables if table in TABLES)
    return Dropped(partitions, sum(_delete(database, table, day) for table in tables))


def _drop_whole(connection: Connection, table: str, day: dt.date) -> int:
    old = [piece.name for piece in listing(connection, table) if piece.before is not None and piece.before <= day]
    if old:
        connection.execute(text(f"ALTER TABLE {table} DROP PARTITION {', '.join(old)}"))
    connection.commit()
    return len(old)


def _delete(database: Database, table: str, day: dt.date) -> int:
    if database.is_sqlite:
        statement = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE received < :day LIMIT {STEP})"  # noqa: S608 -- our own names
    else:
        statement = f"DELETE FROM {table} WHERE received < :day LIMIT {STEP}"  # noqa: S608 -- our own names
    moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    step = text(statement).bindparams(bindparam("day", moment, UtcTime))
    deleted = 0
    while True:
        with database.guarded(), database.engine.begin() as connection:
            gone = connection.execute(step).rowcount
        deleted += gone
        if gone < STEP:
            return deleted
        time.sleep(PAUSE_SECONDS)


def _piece(name: str, before: dt.date | None) -> str:
    bound = f"'{before} 00:00:00'" if before else "MAXVALUE"
    return f"PARTITION {name} VALUES LESS THAN ({bound})"


def _day(bound: str) -> dt.date | None:
    return None if bound == "MAXVALUE" else dt.date.fromisoformat(bound.strip("'")[:10])
