"""What every change of a row has in common: it is checked, told to the audit log and to the gateway, and refused with the field named.

Rows travel as values by field name, as their table in `emg.rules` has them (`ACCOUNT`, `CUSTOMER`, `WEB_USER`). Raises `NotFound`, and `RowFaults` for
what can't be kept.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emg.db import audit, revisions
from emg.db.audit import Actor
from emg.errors import EmgError
from emg.rules import rows
from emg.rules.rows import Fields, Known, RowFaults

NOWHERE = Known()
"""Which connectors there are is known to whoever has read the configuration, not here."""


class Dated(Protocol):
    """A row that knows when it was changed."""

    updated: Any


R = TypeVar("R", bound=Dated)


@dataclass(frozen=True, slots=True)
class Subject(Generic[R]):
    """A table whose rows people change: what `change` has to know of it."""

    table: tuple[str, str]
    """Its name, and the revision's subject or empty."""
    fields: Fields
    values: Callable[[R], Mapping[str, Any]]
    """What a row is, by the fields."""
    texts: Callable[[R], Mapping[str, str]]
    """All of it as people read it, for the audit log and for comparing."""
    taken: tuple[str, str]
    """The field, and a sentence, of a row that another has in its way."""


class NotFound(EmgError):
    """There is no such row."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is no {what} {name!r}")


def now() -> dt.datetime:
    """UTC."""
    return dt.datetime.now(dt.UTC)


def whole(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole row, with defaults for what is not given. Raises RowFaults."""
    return {field.name: field.default for field in fields.values()} | check(fields, values, needed=True)


def check(fields: Fields, values: Mapping[str, Any], *, needed: bool = False) -> dict[str, Any]:
    """The values, if they may be; None is the default. Raises RowFaults; `needed`: also for a needed field that is not among them.

    What is not given is not looked at: an account can be locked whatever a hand has put into its row.
    """
    strange = [name for name in values if name not in fields]
    assert not strange, f"there are no fields {strange}"
    looked_at = {name: field for name, field in fields.items() if name in values or (needed and field.needed)}
    if faults := rows.check(looked_at, {name: values.get(name) for name in looked_at}, NOWHERE):
        raise RowFaults(faults)
    return {name: fields[name].default if value is None else value for name, value in values.items()}


def change(
    session: Session,
    actor: Actor,
    action: str,
    subject: Subject[R],
    row: R,
    given: Mapping[str, Any],
    put: Callable[[dict[str, Any]], None],
) -> bool:
    """Have a locked row hold what is given; False when that changes nothing.

    `put` gets all values as they shall be, refuses (RowFaults) what the database alone can tell to be wrong, and writes the rest into the row.
    """
    before, name = subject.texts(row), str(subject.values(row)["name"])
    put({**subject.values(row), **check(subject.fields, given)})
    after = subject.texts(row)
    if after == before:
        return False
    row.updated = now()
    flush(session, *subject.taken)
    tell(session, actor, action, subject.table, name, before, after)
    return True


def flush(session: Session, field: str, sentence: str) -> None:
    """Write what is waiting; `sentence` is told when another row has the same already."""
    try:
        session.flush()
    except IntegrityError as error:
        raise rows.fault(field, sentence) from error


def tell(
    session: Session,
    actor: Actor,
    action: str,
    table: tuple[str, str],
    name: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Audit row and revision of a change. `table`: its name, and the revision's subject or empty; `before` and `after` are whole rows as texts."""
    subject, revision = table
    if before is not None and after is not None:
        before, after = audit.difference(before, after)
    elif after is not None:
        after = {column: value for column, value in after.items() if value not in ("", None)}
    audit.note(session, actor, action, subject, name, before, after)
    if revision:
        revisions.touch(session, revision)
