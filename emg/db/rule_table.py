"""A table that the gateway decides by, as a whole and row by row: routes, prices, numbering, black list.

`RuleTable` says how rows of `emg.rules` stand in the database; each of the four has its own in a module of its own. Rows come in checked (by the readers
of `emg.rules`), and go out as they stand. Every change raises the table's revision and leaves an audit row in the same transaction; a change of the whole
table leaves one row with counts and digests. Changes of one table wait for each other, from their first statement on.

`replace` makes the table hold exactly the rows given. A row that stays keeps its id, and one that only changed (of the same `key`) too, so that the
message log still names the row that it was priced by. Nothing is written for what stays. `merge` adds and changes rows, and leaves the others where they are.

Each change is kept with its rows (`emg.db.rule_changes`), and `undo` takes one back as a new change, if the rows are still as it left them.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import Session

from emg.db import audit, bulk, revisions, rule_changes
from emg.db.audit import Actor
from emg.db.models import Base
from emg.db.rule_plan import Plan, plan, row_id, with_id
from emg.errors import EmgError
from emg.rules.csv_rows import text_of
from emg.rules.faults import Fault

__all__ = [
    "NoSuchRow",
    "NotUndone",
    "Plan",
    "RuleTable",
    "Stale",
    "begins_with",
    "decides_for",
    "expect",
    "plan",
    "row_id",
    "with_id",
]

R = TypeVar("R", bound=msgspec.Struct)
"""A row of `emg.rules`; its first field says which one it is."""

EVERYTHING: Final[Mapping[str, Any]] = {}
"""No condition."""


class NoSuchRow(EmgError):
    """The table has no row of this id."""

    def __init__(self, subject: str, number: int) -> None:
        super().__init__(f"there is no {subject} row {number}")


class Stale(EmgError):
    """The table is another than the one that the change was made for."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"the {subject} table has changed meanwhile")


class NotUndone(EmgError):
    """A change can't be taken back; `reasons` says why, row by row."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(f"it can't be undone: {'; '.join(reasons[:3])}")
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class RuleTable(Generic[R]):
    """See the module's text."""

    model: type[Base]
    kind: type[R]
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
    contradictions: Callable[[Iterable[R]], list[tuple[R, Fault]]] = lambda _rows: []
    """Of a whole table: rows that come in the way of others, each with what is wrong."""
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
        self,
        session: Session,
        wanted: Mapping[str, Any] = EVERYTHING,
        *,
        offset: int = 0,
        limit: int = 100,
        order: str = "",
    ) -> tuple[list[R], int]:
        """A page of the rows that fit, and how many there are. `wanted` has values by column, or by the names in `filters`; `order` is a column, with `-` before it falling."""
        where = self._where(wanted)
        total = session.scalar(select(func.count()).select_from(self.model).where(*where)) or 0
        connection, names = session.connection(), (order, "-id" if order.startswith("-") else "id")
        if not order:
            return self._read(connection, where, (offset, limit)), total
        # only the ids are sorted: whole rows of a far page would be read to be left out
        ids = [cells[0] for cells in bulk.read(connection, self.model, ("id",), where, names, (offset, limit))]
        found = {row_id(row): row for row in self._with_ids(connection, ids)}
        return [found[number] for number in ids], total

    def matching(self, session: Session, wanted: Mapping[str, Any]) -> list[R]:
        """All rows that fit, in the order of the CSV form."""
        return self._read(session.connection(), self._where(wanted))

    def _with_ids(self, connection: Connection, ids: Sequence[int]) -> list[R]:
        column = self.model.__table__.c.id
        parts = [ids[first : first + bulk.AT_ONCE] for first in range(0, len(ids), bulk.AT_ONCE)]
        return [row for part in parts for row in self._read(connection, [column.in_(part)])]

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
        return self._import(session, actor, list(wanted), among, merge=False)

    def merge(self, session: Session, actor: Actor, wanted: Iterable[R]) -> Plan[R]:
        """Add these rows; one of the same key takes the place of the one that is there. Raises what `raised` makes of rows that contradict those that stay."""
        return self._import(session, actor, list(wanted), EVERYTHING, merge=True)

    def _import(
        self, session: Session, actor: Actor, wanted: list[R], among: Mapping[str, Any], *, merge: bool
    ) -> Plan[R]:
        revisions.touch(session, self.subject)
        old = self._read(session.connection(), self._where(among))
        made = plan(old, wanted, self.key)
        if merge:
            made = made.merging()
            if faults := self.disturbed(old, made):
                raise self.raised(faults)
        if not made:
            return made
        before = {"rows": len(old), "digest": self._digest(old)}
        after: dict[str, Any] = {"rows": len(old) + len(made.added) - len(made.removed), **made.counts}
        if not merge:
            after["digest"] = self._digest(wanted)
        self._apply(session, actor, made, ("import", f"{len(wanted)} rows", before, after))
        return made

    def delete_all(self, session: Session, actor: Actor, wanted: Mapping[str, Any]) -> int:
        """Take away all rows that fit; how many."""
        revisions.touch(session, self.subject)
        gone = self.matching(session, wanted)
        if gone:
            told = {"rows": len(gone), "digest": self._digest(gone)}
            self._apply(session, actor, Plan(removed=gone), ("delete", f"{len(gone)} rows", told, None))
        return len(gone)

    def disturbed(self, old: Iterable[R], made: Plan[R]) -> list[Fault]:
        """What would contradict each other after a plan, and does not yet."""
        old = list(old)
        before = {row_id(row) for row, _fault in self.contradictions(old)}
        gone = {row_id(was) for was, now in made.pairs if was is not None}
        stay = [row for row in old if row_id(row) not in gone]
        highest = max(map(row_id, old), default=0)
        come = [with_id(row, highest + place) for place, row in enumerate(made.added, 1)]
        lines = {row_id(new): row_id(row) for new, row in zip(come, made.added, strict=True)}
        found = self.contradictions([*stay, *(row for _was, row in made.changed), *come])
        return [
            Fault(lines.get(row_id(row), 0), fault.field, fault.reason)
            for row, fault in found
            if row_id(row) not in before
        ]

    def _apply(
        self,
        session: Session,
        actor: Actor,
        made: Plan[R],
        told: tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None],
        undoes: int | None = None,
    ) -> None:
        """Write a plan, whose changed rows have their ids; `told` is for the audit log: action, name, before, after."""
        connection = session.connection()
        bulk.remove(connection, self.model, [row_id(was) for was, _now in made.pairs if was is not None])
        back = [row for row in made.added if undoes is not None]  # under the ids that they had
        self._write(connection, [*(row for _was, row in made.changed), *back], [])
        added = back or self._insert_all(connection, made.added)
        pairs: list[rule_changes.Pair[R]] = [(row, None) for row in made.removed]
        self._note(session, actor, told, [*pairs, *made.changed, *((None, row) for row in added)], undoes)

    def _insert_all(self, connection: Connection, rows: Sequence[R]) -> list[R]:
        """New rows; gives them with their ids, which go up in the order of the rows: nobody else inserts here now."""
        if not rows:
            return []
        column = self.model.__table__.c.id
        highest = connection.execute(select(func.max(column))).scalar() or 0
        self._write(connection, [], rows)
        ids = [cells[0] for cells in bulk.read(connection, self.model, ("id",), [column > highest], ("id",))]
        return [with_id(row, number) for row, number in zip(rows, ids, strict=True)]

    def _note(
        self,
        session: Session,
        actor: Actor,
        told: tuple[str, str, Mapping[str, Any] | None, Mapping[str, Any] | None],
        pairs: Sequence[rule_changes.Pair[R]],
        undoes: int | None = None,
    ) -> None:
        action, name, before, after = told
        noted = audit.note(session, actor, action, self.subject, name, before, after)
        session.flush()
        rule_changes.keep(session, noted.id, self.subject, pairs, undoes)

    # -- taking back

    def reversal(self, session: Session, number: int) -> Plan[R]:
        """What would take a change of the history back. Raises NoSuchChange and NotUndone."""
        change = rule_changes.get(session, self.subject, number)
        if change.undone is not None:
            raise NotUndone([f"change {change.undone} has done so already"])
        image = rule_changes.image_of(session, number)
        if image is None:
            raise NotUndone(["its rows are not kept any more, or were too many"])
        pairs = rule_changes.pairs_of(image, self.kind)
        back = Plan(
            added=[was for was, now in pairs if was is not None and now is None],
            removed=[now for was, now in pairs if was is None and now is not None],
            changed=[(now, was) for was, now in pairs if was is not None and now is not None],
        )
        if reasons := self._in_the_way(session, back):
            raise NotUndone(reasons)
        return back

    def _in_the_way(self, session: Session, back: Plan[R]) -> list[str]:
        there = {row_id(row): row for row in self.load(session)}
        expected = [*back.removed, *(now for now, _was in back.changed)]
        gone = [row for row in expected if row_id(row) not in there]
        other = [row for row in expected if row_id(row) in there and there[row_id(row)] != row]
        taken = [row for row in back.added if row_id(row) in there]
        reasons = [
            *(f"row {row_id(row)} ({self._name(row)}) is gone" for row in gone),
            *(f"row {row_id(row)} ({self._name(row)}) has changed since" for row in other),
            *(f"there is a row {row_id(row)} again" for row in taken),
        ]
        return reasons or [str(fault) for fault in self.disturbed(there.values(), back)]

    def undo(self, session: Session, actor: Actor, number: int, back: Plan[R] | None = None) -> Plan[R]:
        """Take a change of the history back; that is a change too. `back`: what `reversal` said in this transaction, after the revision was raised. Raises as `reversal`."""
        revisions.touch(session, self.subject)
        back = back or self.reversal(session, number)
        told = ("undo", f"change {number}", None, back.counts)
        self._apply(session, actor, back, told, undoes=number)
        return back

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
        self._note(session, actor, ("add", self._name(made), None, self._told(made)), [(None, made)])
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
        self._note(session, actor, ("change", self._name(row), before, after), [(old, row)])
        return True

    def delete(self, session: Session, actor: Actor, number: int) -> R:
        """Take a row away; gives it. Raises NoSuchRow."""
        revisions.touch(session, self.subject)
        row = self.get(session, number)
        bulk.remove(session.connection(), self.model, [number])
        self._note(session, actor, ("delete", self._name(row), self._told(row), None), [(row, None)])
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


def expect(session: Session, subject: str, number: int) -> None:
    """Have the table to oneself until the transaction ends, if it still has this revision. Raises Stale."""
    revisions.touch(session, subject)
    if revisions.current(session)[subject] != number + 1:
        raise Stale(subject)


def begins_with(model: type[Base], column: str) -> Callable[[str], ColumnElement[bool]]:
    """A condition: the column's text begins so."""
    return lambda text: model.__table__.c[column].startswith(text, autoescape=True)


def _driver_time(moment: dt.datetime) -> str:
    """As both drivers take it, and as SQLite keeps it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def decides_for(model: type[Base], column: str) -> Callable[[str], ColumnElement[bool]]:
    """A condition: the column is a prefix of this number, the empty one too."""
    return lambda number: model.__table__.c[column].in_([number[:length] for length in range(len(number) + 1)])
