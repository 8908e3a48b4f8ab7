"""What was done to a table of rules, and taking it back: the rows of each change as they were and as they became, beside its row of the audit log.

Written by `emg.db.rule_table` in the transaction of the change, whoever makes it. Rows are kept with their ids, as JSON, compressed; a change whose image is larger than
`LARGEST` has none, and of those that weigh (`LARGE`) the newest `KEPT` of a table alone have theirs: the others are shown by their counts and can't be undone.
"""

import datetime as dt
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from emg.db import revisions
from emg.db.filters import holds
from emg.db.models import AuditLog, RuleChange
from emg.errors import EmgError

R = TypeVar("R", bound=msgspec.Struct)
Pair = tuple[R | None, R | None]
"""A row as it was (None: it was not there) and as it became (None: it went)."""

LARGEST: Final = 15 << 20
LARGE: Final = 64 << 10
KEPT: Final = 50
LEVEL: Final = 1
"""Of compression: half a second for 100,000 rows, and a fifth of their size."""
ORDERS: Final = {
    "at": AuditLog.id,
    "who": AuditLog.who,
    "rows": RuleChange.added + RuleChange.removed + RuleChange.changed,
}


class Change(NamedTuple):
    """One entry of the history."""

    id: int
    """Of the audit log."""
    at: dt.datetime
    who: str
    origin: str
    action: str
    name: str
    added: int
    removed: int
    changed: int
    number: int
    undoes: int | None
    undone: int | None
    can_be_undone: bool
    """Its rows are known, and nobody has taken it back."""


class NoSuchChange(EmgError):
    """The history has no such entry."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no change {number} in the history")


def keep(session: Session, audit_id: int, subject: str, pairs: Sequence[Pair[Any]], undoes: int | None = None) -> None:
    """Beside a row of the audit log; the caller has raised the table's revision."""
    image = _packed(pairs)
    session.add(
        RuleChange(
            audit_id=audit_id, subject=subject, number=revisions.current(session)[subject],
            added=sum(was is None for was, _now in pairs), removed=sum(now is None for _was, now in pairs),
            changed=sum(was is not None and now is not None for was, now in pairs), undoes=undoes, image=image,
        )
    )  # fmt: skip
    session.flush()
    if undoes is not None:
        session.execute(update(RuleChange).where(RuleChange.audit_id == undoes).values(undone=audit_id))
    if image is not None and len(image) >= LARGE:
        _thin(session, subject)


def _thin(session: Session, subject: str) -> None:
    weighs = (RuleChange.subject == subject, func.length(RuleChange.image) >= LARGE)
    newest = select(RuleChange.audit_id).where(*weighs).order_by(RuleChange.audit_id.desc())
    last = session.scalar(newest.offset(KEPT - 1).limit(1))
    if last is not None:
        old = update(RuleChange).where(*weighs, RuleChange.audit_id < last).values(image=None)
        session.execute(old, execution_options={"synchronize_session": False})


def _packed(pairs: Sequence[Pair[Any]]) -> bytes | None:
    kind = next((type(row) for pair in pairs for row in pair if row is not None), None)
    cells = [[None if row is None else msgspec.structs.astuple(row) for row in pair] for pair in pairs]
    fields = kind.__struct_fields__ if kind is not None else ()
    packed = zlib.compress(msgspec.json.encode({"fields": fields, "rows": cells}), LEVEL)
    return packed if len(packed) <= LARGEST else None


def pairs_of(image: bytes, kind: type[R]) -> list[Pair[R]]:
    """The rows of a change. Fields that came later have their defaults; those that went are left out."""
    read = msgspec.json.decode(zlib.decompress(image))
    fields = read["fields"]

    found: list[R] = msgspec.convert(
        [dict(zip(fields, cells, strict=True)) for pair in read["rows"] for cells in pair if cells is not None],
        list[kind],  # type: ignore[valid-type]  # the table's
    )
    rows = iter(found)
    return [(next(rows) if was else None, next(rows) if now else None) for was, now in read["rows"]]


_COLUMNS: Final = (
    AuditLog.id, AuditLog.at, AuditLog.who, AuditLog.origin, AuditLog.action, AuditLog.name,
    func.coalesce(RuleChange.added, 0), func.coalesce(RuleChange.removed, 0), func.coalesce(RuleChange.changed, 0),
    func.coalesce(RuleChange.number, 0), RuleChange.undoes, RuleChange.undone,
    and_(RuleChange.image.is_not(None), RuleChange.undone.is_(None)),
)  # fmt: skip


def listing(
    session: Session, subject: str, *, text: str = "", action: str = "", order: str = "-at", offset: int = 0, limit: int = 100
) -> tuple[list[Change], int]:  # fmt: skip
    """The history of a table, the newest first, and how many entries fit. `text` is looked for in who did it and in the row's name."""
    where: list[ColumnElement[bool]] = [AuditLog.subject == subject]
    if text:
        where.append(holds(text, AuditLog.who, AuditLog.name))
    if action:
        where.append(AuditLog.action == action)
    by: Any = ORDERS[order.removeprefix("-")]
    falling = order.startswith("-")
    wanted = select(*_COLUMNS).outerjoin(RuleChange, RuleChange.audit_id == AuditLog.id).where(*where)
    ordered = wanted.order_by(by.desc() if falling else by, AuditLog.id.desc()).offset(offset).limit(limit)
    total = session.scalar(select(func.count()).select_from(AuditLog).where(*where)) or 0
    return [_change(row) for row in session.execute(ordered)], total


def get(session: Session, subject: str, number: int) -> Change:
    """One entry. Raises NoSuchChange."""
    wanted = select(*_COLUMNS).outerjoin(RuleChange, RuleChange.audit_id == AuditLog.id)
    found = session.execute(wanted.where(AuditLog.id == number, AuditLog.subject == subject)).one_or_none()
    if found is None:
        raise NoSuchChange(number)
    return _change(found)


def image_of(session: Session, number: int) -> bytes | None:
    """What `pairs_of` reads; None where it was not kept."""
    return session.scalar(select(RuleChange.image).where(RuleChange.audit_id == number))


def since(session: Session, subject: str, number: int, limit: int = 10) -> list[Change]:
    """What was done after this revision, the newest first."""
    wanted = select(*_COLUMNS).join(RuleChange, RuleChange.audit_id == AuditLog.id)
    newer = wanted.where(RuleChange.subject == subject, RuleChange.number > number)
    return [_change(row) for row in session.execute(newer.order_by(AuditLog.id.desc()).limit(limit))]


def _change(row: Any) -> Change:
    *rest, possible = row
    return Change._make([*rest, bool(possible)])
