"""The audit log as people read it: filtered, the newest first, page by page. What writes it is `emg.db.audit`."""

import datetime as dt
import json
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from emg.db.filters import holds
from emg.db.models import AuditLog

PAGE: Final = 50


class Wanted(NamedTuple):
    """Which rows: empty and None do not filter."""

    who: str = ""
    """Part of who did it, or from where."""
    action: str = ""
    subject: str = ""
    name: str = ""
    """Part of what people call the row."""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    """Before this."""


def listing(session: Session, wanted: Wanted, *, falling: bool = True, offset: int = 0, limit: int = PAGE) -> list[AuditLog]:  # fmt: skip
    """The rows, by their time; `falling`: the newest first."""
    order = (AuditLog.at.desc(), AuditLog.id.desc()) if falling else (AuditLog.at, AuditLog.id)
    found = select(AuditLog).where(*_filter(wanted)).order_by(*order).offset(offset).limit(limit)
    return list(session.scalars(found))


def count(session: Session, wanted: Wanted) -> int:
    """How many `listing` has on all pages."""
    return session.scalar(select(func.count(AuditLog.id)).where(*_filter(wanted))) or 0


def _filter(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.who:
        conditions.append(holds(wanted.who, AuditLog.who, AuditLog.origin))
    if wanted.action:
        conditions.append(AuditLog.action == wanted.action)
    if wanted.subject:
        conditions.append(AuditLog.subject == wanted.subject)
    if wanted.name:
        conditions.append(holds(wanted.name, AuditLog.name))
    if wanted.since is not None:
        conditions.append(AuditLog.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditLog.at < wanted.until)
    return conditions


def words(session: Session) -> tuple[list[str], list[str]]:
    """The actions and the subjects that stand in it, for the filters."""
    actions = session.scalars(select(AuditLog.action).distinct().order_by(AuditLog.action).limit(200))
    subjects = session.scalars(select(AuditLog.subject).distinct().order_by(AuditLog.subject).limit(200))
    return list(actions), list(subjects)


def differences(row: AuditLog) -> list[tuple[str, str, str]]:
    """What a row says of each column: its name, what it was, what it is. Empty: there was nothing, or nothing is left."""
    before, after = _values(row.before), _values(row.after)
    return [(name, _text(before.get(name)), _text(after.get(name))) for name in {**before, **after}]


def _values(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {"": text}  # written by a hand
    return found if isinstance(found, dict) else {"": found}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
