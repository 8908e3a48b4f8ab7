"""Finding messages in the log: a page of rows by time, how many there are, and one message with all that is known of it.

A page is bounded (`LIMIT`, at most `MOST`), and the next one starts after the last row of this one (`After`, a place in the order of received and id), so
that the thousandth page costs what the first does; `rising` turns the order round, which is also how one pages back. Every search but those by id
has a time range: on MariaDB it decides which days' partitions are looked at. A number that ends with `*` finds all that start so. A number may be
sender or recipient: each has its index, so that these are two searches whose pages are merged here; so it is with a few accounts.
`count` goes up to a bound. Raises DatabaseError (through `Database.session`).
"""

import datetime as dt
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from emg.db.models import MessageBody, MessagePart, RouteLog, Status

LIMIT: Final = 100
MOST: Final = 10_000
MOST_COUNTED: Final = 10_000
MOST_MERGED: Final = 20
"""Accounts that are searched one by one, each by its index; more are one search."""
MOST_PARENTS: Final = 1000
"""Long messages that one operator's id of a part may belong to; he counts from 1 again some day."""
COLUMNS: Final = tuple(RouteLog.__table__.columns.keys())
HIGHEST: Final = "\U0010ffff"
"""Comes after every character on both databases."""

_BETWEEN: Final = str.maketrans("", "", " -()/.\u00a0\u202f")

Found = Row[Any]
"""A row of `routelog`, by its columns' names."""


class After(NamedTuple):
    """The place of a row in the order of the log; a page goes on behind it."""

    received: dt.datetime
    id: int

    def __str__(self) -> str:
        return f"{self.received.astimezone(dt.UTC):%Y%m%dT%H%M%S.%f}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> "After":
        """What `str` wrote. Raises ValueError."""
        moment, _, number = text.partition("-")
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            raise ValueError(f"{text[:60]!r} is no place in the log, which the page before names")
        return cls(dt.datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=dt.UTC), int(number))


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; everything that is given must hold. `since` is included, `until` is not."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    number: str = ""
    """Sender or recipient."""
    source: str = ""
    dest: str = ""
    id: int | None = None
    account: str = ""
    accounts: tuple[str, ...] | None = None
    """None of others than these: for whoever may see no more."""
    customer: int | None = None
    connector_in: str = ""
    connector_out: str = ""
    statuses: tuple[Status, ...] = ()
    remote_id: str = ""
    reference: str = ""
    """The sender's own."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """One message: its row, its parts if it was split here, and its text if that was kept."""

    row: Found
    parts: Sequence[MessagePart]
    body: MessageBody | None


def page(
    session: Session, search: Search, limit: int = LIMIT, after: After | None = None, *, rising: bool = False
) -> list[Found]:
    """Up to `limit` rows, the newest first (`rising`: the oldest), those behind `after` in that order."""
    count = max(1, min(limit, MOST))
    wanted = statements(session, search, count, after, rising=rising)
    pages = [session.execute(statement).all() for statement in wanted]
    if len(pages) == 1:
        return list(pages[0])
    merged = heapq.merge(*pages, key=lambda row: (row.received, row.id), reverse=not rising)
    return list(islice(_once(merged), count))


def count(session: Session, search: Search, most: int = MOST_COUNTED) -> int:
    """How many rows there are; more than `most` are told as one more than that."""
    found = 0
    for conditions in _searches(session, search, None, rising=False, apart=True):
        inner = select(RouteLog.id).where(*conditions).limit(most + 1 - found).subquery()
        found += session.scalar(select(func.count()).select_from(inner)) or 0
        if found > most:
            break
    return found


def statements(
    session: Session, search: Search, limit: int, after: After | None = None, *, rising: bool = False
) -> list[Select[Any]]:
    """The searches that a page is made of: one; for a number two; for a few accounts one each."""
    order = (RouteLog.received, RouteLog.id) if rising else (RouteLog.received.desc(), RouteLog.id.desc())
    return [
        _columns().where(*conditions).order_by(*order).limit(limit)
        for conditions in _searches(session, search, after, rising=rising)
    ]


def _searches(
    session: Session, search: Search, after: After | None, *, rising: bool, apart: bool = False
) -> Iterator[list[ColumnElement[bool]]]:
    """The conditions of each search. `apart`: no row is found by two of them."""
    common = [*_when(search, after, rising=rising), *_which(search), *_by_remote_id(session, search)]
    accounts = search.accounts
    if search.number:
        to, by = (_begins(column, search.number) for column in (RouteLog.dest, RouteLog.source))
        whose = [] if accounts is None else [RouteLog.account.in_(accounts)]
        yield [*common, *whose, to]
        yield [*common, *whose, by, *([not_(to)] if apart else [])]
    elif accounts is not None and 0 < len(accounts) <= MOST_MERGED and not search.account:
        for account in sorted(set(accounts)):
            yield [*common, RouteLog.account == account]
    else:
        yield [*common, *([] if accounts is None else [RouteLog.account.in_(accounts)])]


def number(text: str) -> str:
    """As the log has numbers: without + or 00, and without what people write between the digits. A name stays as it is."""
    joined = text.translate(_BETWEEN)
    digits = joined.rstrip("*")
    if digits.startswith("+") and digits[1:].isdigit():
        return joined[1:]
    if not digits.isdigit():
        return text
    return joined[2:] if digits.startswith("00") else joined


def place(row: Found) -> After:
    """Where this row stands in the log."""
    return After(row.received, row.id)


def find(session: Session, number: int) -> Whole | None:
    """The message of this id, also if it is the id of a part."""
    row = session.execute(_columns().where(RouteLog.id == number)).first()
    if row is None:
        parent = session.scalar(select(MessagePart.parent).where(MessagePart.id == number))
        row = None if parent is None else session.execute(_columns().where(RouteLog.id == parent)).first()
    if row is None:
        return None
    parts = session.scalars(select(MessagePart).where(MessagePart.parent == row.id).order_by(MessagePart.number)).all()
    body = session.get(MessageBody, (row.id, row.received))
    return Whole(row, parts, body)


def texts(session: Session, rows: Sequence[Found]) -> dict[int, str]:
    """What these messages say, as far as that is kept, by their ids."""
    if not rows:
        return {}
    times = [row.received for row in rows]
    wanted = select(MessageBody.id, MessageBody.text).where(
        MessageBody.id.in_([row.id for row in rows]),
        MessageBody.received.between(min(times), max(times)),  # which partitions are looked at
    )
    return {number: text for number, text in session.execute(wanted)}  # noqa: C416 -- rows are no pairs to the type checker


def _columns() -> Select[Any]:
    return select(*RouteLog.__table__.columns)


def _by_remote_id(session: Session, search: Search) -> list[ColumnElement[bool]]:
    if not search.remote_id:
        return []
    parents = session.scalars(
        select(MessagePart.parent).where(MessagePart.remote_id == search.remote_id).limit(MOST_PARENTS)
    ).all()
    own = RouteLog.remote_id == search.remote_id
    return [or_(own, RouteLog.id.in_(sorted(set(parents)))) if parents else own]


def _when(search: Search, after: After | None, *, rising: bool) -> Iterator[ColumnElement[bool]]:
    if search.since is not None:
        yield RouteLog.received >= search.since
    if search.until is not None:
        yield RouteLog.received < search.until
    # of each pair the first condition alone says to both databases where in the index, and in which partitions, to begin
    if after is not None and rising:
        yield RouteLog.received >= after.received
        yield or_(RouteLog.received > after.received, RouteLog.id > after.id)
    elif after is not None:
        yield RouteLog.received <= after.received
        yield or_(RouteLog.received < after.received, RouteLog.id < after.id)


def _which(search: Search) -> Iterator[ColumnElement[bool]]:
    if search.id is not None:
        yield RouteLog.id == search.id
    if search.customer is not None:
        yield RouteLog.customer_id == search.customer
    if search.statuses:
        yield RouteLog.status.in_(search.statuses)
    for column, value in (
        (RouteLog.account, search.account),
        (RouteLog.connector_in, search.connector_in),
        (RouteLog.connector_out, search.connector_out),
        (RouteLog.reference, search.reference),
    ):
        if value:
            yield column == value
    for column, value in ((RouteLog.source, search.source), (RouteLog.dest, search.dest)):
        if value:
            yield _begins(column, value)
    if search.text:
        same = and_(MessageBody.id == RouteLog.id, MessageBody.received == RouteLog.received)
        yield exists().where(same, MessageBody.text.contains(search.text, autoescape=True))


def _begins(column: InstrumentedAttribute[str], wanted: str) -> ColumnElement[bool]:
    """The whole value, or its beginning before a `*`: as a range, because LIKE uses no index on SQLite."""
    if not wanted.endswith("*"):
        return column == wanted
    start = wanted[:-1]
    return and_(column >= start, column < start + HIGHEST)


def _once(rows: Iterator[Found]) -> Iterator[Found]:
    """A message to itself is found by both searches."""
    last = None
    for row in rows:
        if row.id != last:
            yield row
        last = row.id
