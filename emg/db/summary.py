"""The hourly summary, counted from `routelog` on the server, and the daily one, which adds its hours up.

An hour (of `received`, UTC) is always counted anew as a whole, in one transaction that deletes what was counted before: counting twice gives the same.
Which hours are to be counted, `dirty_hour` says: the recorder raises `changed` in the transaction that changes a message of that hour. `count_hour`
reads `changed` first and removes the row at the end only if it still stands there, so that a change that comes meanwhile is counted the next time.
An hour of which retention has dropped messages keeps its summary as it is.

A day is added up once it is over and none of its hours is to be counted (`sum_day`); whoever counts an hour of it anew takes that back in the same transaction. So
`daily_summary` has whole days or nothing of them, `SummedDay` says which, and reports read both (`emg.db.reports`). Raises DatabaseError (through `Database.session`).
"""

import datetime as dt
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, case, cast, delete, func, insert, literal_column, select, text
from sqlalchemy.orm import Session

from emg.db.models import DailySummary, DirtyHour, HourlySummary, Purged, RouteLog, Status, SummedDay

HOUR: Final = dt.timedelta(hours=1)
DAY: Final = dt.timedelta(days=1)
KEYS: Final = ("account", "customer_id", "connector_in", "connector_out", "prefix", "network", "currency", "status")
"""What a row of the summary is of, besides its hour."""
WITHIN: Final = {"within_10s": 10_000, "within_60s": 60_000, "within_600s": 600_000}
"""Columns of speed, and their milliseconds."""
SUMS: Final = ("messages", "parts", "price", "cost", *WITHIN, "delay_ms")


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
        _take_back(session, day_of(dirty.hour))
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


def day_of(moment: dt.datetime) -> dt.datetime:
    """The midnight before it, UTC."""
    return moment.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def summable(session: Session, now: dt.datetime) -> list[dt.datetime]:
    """Days that can be added up and are not, the oldest first."""
    first = session.scalar(select(func.min(HourlySummary.hour)))
    if first is None:
        return []
    summed = set(session.scalars(select(SummedDay.day)))
    open_days = {day_of(dirty.hour) for dirty in dirty_hours(session)}
    last = day_of(now - HOUR)
    days = ((day_of(first) + number * DAY) for number in range((last - day_of(first)).days))
    return [day for day in days if day not in summed and day not in open_days]


def sum_day(session: Session, day: dt.datetime) -> int:
    """Add up the hours of this day; the number of rows that makes, -1 where one of them is to be counted. One transaction: the caller's.

    The mark comes first: whoever begins to count one of its hours from then on waits for it, and takes it back. Whoever had begun before has not committed yet
    as long as the hour is still to be counted, which is asked after that.
    """
    session.execute(insert(SummedDay).values(day=day))
    if session.scalar(select(func.count(DirtyHour.hour)).where(DirtyHour.hour >= day, DirtyHour.hour < day + DAY)):
        _take_back(session, day)
        return -1
    columns = [getattr(HourlySummary, name) for name in KEYS]
    sums = [func.sum(getattr(HourlySummary, name)) for name in SUMS]
    chosen = (
        select(literal_column(_literal(day)), *columns, *sums)
        .where(HourlySummary.hour >= day, HourlySummary.hour < day + DAY)
        .group_by(*columns)
    )
    done = session.execute(insert(DailySummary).from_select(["day", *KEYS, *SUMS], chosen, include_defaults=False))
    return int(done.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has it


def _take_back(session: Session, day: dt.datetime) -> None:
    session.execute(delete(SummedDay).where(SummedDay.day == day), execution_options=_PLAIN)
    session.execute(delete(DailySummary).where(DailySummary.day == day), execution_options=_PLAIN)


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
    """The hour, or the day, as text in the form that both databases keep."""
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
