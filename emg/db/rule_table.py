"""A table that the gateway decides by, as a whole and row by row: routes, prices, numbering, black list.

`RuleTable` says how rows of `emg.rules` stand in the database; each of the four has its own in a module of its own. Rows come in checked (by the readers
of `emg.rules`), and go out as they stand. Every change raises the table's revision and leaves an audit row in the same transaction; a change of the whole
table leaves one row with counts and digests. Changes of one table wait for each other, from their first statement on.

`replace` makes the table hold exactly the rows given. A row that stays keeps its id, and one that only changed (of the same `key`) too, so that the
message log still names the row that it was priced by. Nothing is written for what stays.
"""

import datetime as dt
import hashlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import Session

from emg.db import audit, bulk, revisions
from emg.db.audit import Actor
from emg.db.models import Base
from emg.errors import EmgError
from emg.rules.csv_rows import text_of
from emg.rules.faults import Fault

R = TypeVar("R", bound=msgspec.Struct)
"""A row of `emg.rules`; its first field says which one it is."""

EVERYTHING: Final[Mapping[str, Any]] = {}
"""No condition."""


class NoSuchRow(EmgError):
    """The table has no row of this id."""

    def __init__(self, subject: str, number: int) -> None:
        super().__init__(f"there is no {subject} row {number}")


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """What `replace` does, or would do."""

    added: list[R] = field(default_factory=list)
    removed: list[R] = field(default_factory=list)
    changed: list[tuple[R, R]] = field(default_factory=list)
    """(as it was, as it will be); both have the id."""
    kept: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "added": len(self.added), "removed": len(self.removed), "changed": len(self.changed), "unchanged": self.kept,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleTable(Generic[R]):
    """See the module's text."""

    model: type[Base]
    subject: str
    """Of `emg.db.revisions`, and what a row is called."""
    columns: tuple[str, ...]
    """Of the database, in the order in which rows are sorted."""
    row: Callable[[list[Any]], R]
    """A row of `emg.rules` from the id and these columns, as the driver has them."""
    values: Callable[[R], tuple[Any, ...]]
    """These columns, as the driver takes them."""
    key: Callable[[R], Hashable]
    """What stays when a row changes."""
    head: tuple[str, ...]
    """The columns of the CSV form."""
    cells: Callable[[R], Sequence[Any]]
    """A row in that form; the first cell is what people call it."""
    same: tuple[str, ...] = ()
    """Columns; rows equal in them are looked at together by `judge`."""
    judge: Callable[[list[R]], list[Fault]] = lambda _rows: []
    """What is wrong with rows that are equal in `same`."""
    raised: Callable[[list[Fault]], EmgError] = lambda faults: EmgError("; ".join(map(str, faults)))
    filters: Mapping[str, Callable[[Any], ColumnElement[bool]]] = field(default_factory=dict)
    """Conditions that are more than a column being equal."""
    dated: bool = True
    """It has a column `updated`."""

    # -- reading

    def load(self, session: Session) -> list[R]:
        """All rows, in the order of the CSV form: sorted by their columns."""
        return self._read(session.connection(), ())

    def export(self, session: Session) -> str:
        """The table in CSV form."""
        return text_of(self.head, map(self.cells, self.load(session)))

    def find(
        self, session: Session, wanted: Mapping[str, Any] = EVERYTHING, *, offset: int = 0, limit: int = 100
    ) -> tuple[list[R], int]:
        """A page of the rows that fit, and how many there are. `wanted` has values by column, or by the names in `filters`."""
        where = self._where(wanted)
        total = session.scalar(select(func.count()).select_from(self.model).where(*where)) or 0
        return self._read(session.connection(), where, (offset, limit)), total

    def get(self, session: Session, number: int) -> R:
        """One row. Raises NoSuchRow."""
        found = self._read(session.connection(), self._where({"id": number}))
        if not found:
            raise NoSuchRow(self.subject, number)
        return found[0]

    def _where(self, wanted: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        columns = self.model.__table__.c
        made = [(name, value, self.filters.get(name)) for name, value in wanted.items()]
        return [columns[name] == value if fits is None else fits(value) for name, value, fits in made]

    def _read(
        self, connection: Connection, where: Sequence[ColumnElement[bool]], window: tuple[int, int] | None = None
    ) -> list[R]:
        order = (*self.columns, "id")
        return list(map(self.row, bulk.read(connection, self.model, ("id", *self.columns), where, order, window)))

    # -- the whole table

    def plan(self, session: Session, wanted: Iterable[R], among: Mapping[str, Any] = EVERYTHING) -> Plan[R]:
        """What `replace` would do."""
        return plan(self._read(session.connection(), self._where(among)), wanted, self.key)

    def replace(
        self, session: Session, actor: Actor, wanted: Iterable[R], among: Mapping[str, Any] = EVERYTHING
    ) -> Plan[R]:
        """Make the table (of it, the rows that fit `among`) hold these rows alone; their ids are of no meaning."""
        revisions.touch(session, self.subject)
        connection = session.connection()
        old = self._read(connection, self._where(among))
        wanted = list(wanted)
        made = plan(old, wanted, self.key)
        if not made:
            return made
        bulk.remove(connection, self.model, [row_id(row) for row in made.removed + [was for was, _now in made.changed]])
        self._write(connection, [row for _was, row in made.changed], made.added)
        audit.note(
            session, actor, "import", self.subject, f"{len(wanted)} rows", {"rows": len(old), "digest": self._digest(old)},
            {"rows": len(wanted), "digest": self._digest(wanted), **made.counts},
        )  # fmt: skip
        return made

    def _write(self, connection: Connection, changed: Sequence[R], added: Sequence[R]) -> None:
        now = (_driver_time(dt.datetime.now(dt.UTC)),) if self.dated else ()
        names = (*self.columns, "updated") if self.dated else self.columns
        if changed:
            rows = [(row_id(row), *self.values(row), *now) for row in changed]
            bulk.write(connection, self.model, ("id", *names), rows)
        if added:
            bulk.write(connection, self.model, names, [(*self.values(row), *now) for row in added])

    def _digest(self, rows: Iterable[R]) -> str:
        """Of the CSV form, whatever the order was in which the rows came."""
        lines = sorted(text_of((), map(self.cells, rows)).splitlines())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    # -- row by row

    def add(self, session: Session, actor: Actor, row: R) -> R:
        """A new row; gives it with its id. Raises what `raised` makes of a row that others stand in the way of."""
        revisions.touch(session, self.subject)
        self._judge(session, row)
        made = self._insert(session, row)
        audit.note(session, actor, "add", self.subject, self._name(made), None, self._told(made))
        return made

    def change(self, session: Session, actor: Actor, row: R) -> bool:
        """Another content for the row of this id; False when that is what it holds. Raises NoSuchRow and as `add`."""
        revisions.touch(session, self.subject)
        old = self.get(session, row_id(row))
        if old == row:
            return False
        self._judge(session, row)
        connection = session.connection()
        bulk.remove(connection, self.model, [row_id(row)])
        self._write(connection, [row], [])
        before, after = audit.difference(self._told(old), self._told(row))
        audit.note(session, actor, "change", self.subject, self._name(row), before, after)
        return True

    def delete(self, session: Session, actor: Actor, number: int) -> R:
        """Take a row away; gives it. Raises NoSuchRow."""
        revisions.touch(session, self.subject)
        row = self.get(session, number)
        bulk.remove(session.connection(), self.model, [number])
        audit.note(session, actor, "delete", self.subject, self._name(row), self._told(row), None)
        return row

    def _judge(self, session: Session, row: R) -> None:
        if not self.same:
            return
        values = dict(zip(self.columns, self.values(row), strict=True))
        equal = self._where({name: values[name] for name in self.same})
        rows = [other for other in self._read(session.connection(), equal) if row_id(other) != row_id(row)]
        if faults := self.judge([*rows, row]):
            raise self.raised(faults)

    def _insert(self, session: Session, row: R) -> R:
        connection = session.connection()
        self._write(connection, [], [row])
        newest = connection.execute(
            select(func.max(self.model.__table__.c.id))
        ).scalar_one()  # ours: others wait for the revision
        return self.get(session, newest)

    def _told(self, row: R) -> dict[str, Any]:
        return dict(zip(self.head, self.cells(row), strict=True))

    def _name(self, row: R) -> str:
        return str(self.cells(row)[0]) or "*"


def plan(old: Iterable[R], wanted: Iterable[R], key: Callable[[R], Hashable]) -> Plan[R]:
    """What has to happen to `old`. Rows that are equal but for their id stay; of the others, those of one key are paired in their order."""
    rest = _by(old, content_of)
    new: list[R] = []
    kept = 0
    for row in wanted:
        equal = rest.get(content_of(row))
        if equal:
            equal.popleft()
            kept += 1
        else:
            new.append(row)
    gone = _by((row for rows in rest.values() for row in rows), key)
    added: list[R] = []
    changed: list[tuple[R, R]] = []
    for row in new:
        was = gone.get(key(row))
        if was:
            changed.append((was[0], with_id(row, row_id(was.popleft()))))
        else:
            added.append(row)
    return Plan(added, [row for rows in gone.values() for row in rows], changed, kept)


def _by(rows: Iterable[R], key: Callable[[R], Hashable]) -> dict[Hashable, deque[R]]:
    found: dict[Hashable, deque[R]] = {}
    for row in rows:
        found.setdefault(key(row), deque()).append(row)
    return found


def content_of(row: msgspec.Struct) -> Hashable:
    """All but the id."""
    return msgspec.structs.astuple(row)[1:]


def row_id(row: msgspec.Struct) -> int:
    """The first field."""
    return int(getattr(row, row.__struct_fields__[0]))


def with_id(row: R, number: int) -> R:
    """The same row under another id."""
    return type(row)(number, *msgspec.structs.astuple(row)[1:])


def begins_with(model: type[Base], column: str) -> Callable[[str], ColumnElement[bool]]:
    """A condition: the column's text begins so."""
    return lambda text: model.__table__.c[column].startswith(text, autoescape=True)


def _driver_time(moment: dt.datetime) -> str:
    """As both drivers take it, and as SQLite keeps it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
