"""What every change of a row has in common: it is checked, told to the audit log and to the gateway, and refused with the field named.

Rows travel as values by field name, as their table in `emg.rules` has them (`ACCOUNT`, `CUSTOMER`, `WEB_USER`). Raises `NotFound`, and `RowFaults` for
what can't be kept.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emg.db import audit, revisions
from emg.db.audit import Actor
from emg.errors import EmgError
from emg.rules import rows
from emg.rules.rows import Fields, Known, RowFaults

NOWHERE = Known()
"""Which connectors there are is known to whoever has read the configuration, not here."""


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
