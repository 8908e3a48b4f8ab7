"""What has to happen to a table of rules so that it holds other rows; pure. Used by `emg.db.rule_table`, and by whoever shows what a change would do."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from emg.db import rule_changes

R = TypeVar("R", bound=msgspec.Struct)


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

    @property
    def pairs(self) -> list[rule_changes.Pair[R]]:
        """Each row as it is and as it will be."""
        return [*((row, None) for row in self.removed), *self.changed, *((None, row) for row in self.added)]

    def merging(self) -> "Plan[R]":
        """The same without taking any row away."""
        return Plan(self.added, [], self.changed, self.kept + len(self.removed))


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
