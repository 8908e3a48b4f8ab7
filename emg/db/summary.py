"""The hourly summary: counted from `routelog` on the server, and read for reports.

An hour (of `received`, UTC) is always counted anew as a whole, in one transaction that deletes what was counted before: counting twice gives the same.
Which hours are to be counted, `dirty_hour` says: the recorder raises `changed` in the transaction that changes a message of that hour. `count_hour`
reads `changed` first and removes the row at the end only if it still stands there, so that a change that comes meanwhile is counted the next time.
An hour of which retention has dropped messages keeps its summary as it is. Raises DatabaseError (through `Database.session`).
"""

import datetime as dt
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, case, cast, delete, func, insert, literal_column, select, text
from sqlalchemy.orm import Session

from emg.db.models import DirtyHour, HourlySummary, Purged, RouteLog, Status

HOUR: Final = dt.timedelta(hours=1)
KEYS: Final = ("account", "customer_id", "connector_in", "connector_out", "prefix", "network", "currency", "status")
"""What a row of the summary is of, besides its hour."""
WITHIN: Final = {"within_10s": 10_000, "within_60s": 60_000, "within_600s": 600_000}
"""Columns of speed, and their milliseconds."""


class Dirty(NamedTuple):
    """An hour to be counted, as it stood when somebody looked."""

    hour: dt.datetime
    changed: int


def hour_of(moment: dt.datetime) -> dt.datetime:
    """The hour that it is in, UTC."""
    return moment.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def dirty_hours(session: Session, since: dt.datetime | None = None, before: dt.datetime | None = None) -> list[Dirty]:
    """Hours to be counted, the oldest first."""
    wanted = select(DirtyHour.hour, DirtyHour.changed).order_by(DirtyHour.hour)
    if since is not None:
        wanted = wanted.where(DirtyHour.hour >= since)
    if before is not None:
        wanted = wanted.where(DirtyHour.hour < before)
    return [Dirty(*row) for row in session.execute(wanted)]


def count_hour(session: Session, dirty: Dirty) -> int:
    """Count this hour anew; the number of rows that the summary has of it, -1 where it was left as it was. One transaction: the caller's."""
    rows = -1
    if dirty.hour >= purged_before(session, "routelog"):
        session.execute(delete(HourlySummary).where(HourlySummary.hour == dirty.hour), execution_options=_PLAIN)
        give_memory(session)
        names, counted = _counted(session, dirty.hour)
        done = session.execute(insert(HourlySummary).from_select(names, counted, include_defaults=False))
        rows = int(done.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has it
    session.execute(
        delete(DirtyHour).where(DirtyHour.hour == dirty.hour, DirtyHour.changed == dirty.changed),
        execution_options=_PLAIN,
    )
    return rows


def mark_dirty(session: Session, hour: dt.datetime) -> None:
    """Let this hour be counted anew."""
    found = session.get(DirtyHour, hour, with_for_update=True)
    if found is None:
        session.add(DirtyHour(hour=hour, changed=1))
    else:
        found.changed += 1


def purged_before(session: Session, subject: str) -> dt.datetime:
    """Rows of this table that are older than this have been dropped."""
    found = session.scalar(select(Purged.before).where(Purged.subject == subject))
    return found or dt.datetime.min.replace(tzinfo=dt.UTC)


_PLAIN: Final = {"synchronize_session": False}
_MEMORY: Final = 256 << 20
"""For the groups of one hour. MariaDB's own 16 MiB are full with ten thousand groups, and on disk the same takes three times as long."""
_MYSQL: Final = ("mysql", "mariadb")


def give_memory(session: Session) -> None:
    """Let this connection group in memory; the setting stays with it."""
    if session.get_bind().dialect.name in _MYSQL:
        session.execute(text(f"SET SESSION tmp_table_size = {_MEMORY}, max_heap_table_size = {_MEMORY}"))


def _counted(session: Session, hour: dt.datetime) -> tuple[list[str], Select[Any]]:
    """The SELECT that makes an hour's rows, and the columns that it gives."""
    keys = [getattr(RouteLog, name) for name in KEYS]
    delay = _milliseconds(session.get_bind().dialect.name)
    counts = RouteLog.parts > 0  # what was put together with others counts as the whole
    delivered = (RouteLog.status == Status.DELIVERED) & counts
    figures: dict[str, ColumnElement[Any]] = {
        "messages": func.sum(case((counts, 1), else_=0)),
        **{name: func.sum(getattr(RouteLog, name)) for name in ("parts", "price", "cost")},
        **{name: func.sum(case((delivered & (delay <= most), 1), else_=0)) for name, most in WITHIN.items()},
        "delay_ms": func.sum(case((delivered & RouteLog.done.is_not(None), delay), else_=0)),
    }
    chosen = (
        select(literal_column(_literal(hour)), *keys, *figures.values())
        .where(RouteLog.received >= hour, RouteLog.received < hour + HOUR)
        .group_by(*keys)
    )
    for dialect in _MYSQL:  # its optimizer takes an hour for so much of the day that it reads the whole day
        chosen = chosen.with_hint(RouteLog, "FORCE INDEX (ix_routelog_received)", dialect)
    return ["hour", *KEYS, *figures], chosen


def _literal(hour: dt.datetime) -> str:
    """The hour as text in the form that both databases keep."""
    return f"'{hour.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}.000000'"


def _milliseconds(dialect: str) -> ColumnElement[Any]:
    """From received to done, cut off to whole milliseconds."""
    if dialect in _MYSQL:
        return func.timestampdiff(literal_column("MICROSECOND"), RouteLog.received, RouteLog.done).op("DIV")(1000)
    return (_microseconds(RouteLog.done) - _microseconds(RouteLog.received)) // 1000


def _microseconds(column: Any) -> ColumnElement[Any]:
    """SQLite: microseconds since 1970, of a time kept as text; its own functions count milliseconds, and in floating point."""
    seconds = cast(func.strftime("%s", func.substr(column, 1, 19)), Integer)
    return seconds * 1_000_000 + cast(func.substr(column, 21, 6), Integer)
