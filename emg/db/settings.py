"""Settings by name: `emg.rules.setting_rows.SETTINGS` says which there are, of what kind, and what holds where nothing is set.

A value in the table that is not of its kind (put there by hand) counts as not set, and `examine` says so: the scheduler to its log, the gateway's reader to
the gateway, the shell to whoever lists settings. Each change leaves an audit row and raises the revision of
`setting`. Raises `RowFaults`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from emg.db import changes
from emg.db.audit import Actor
from emg.db.models import Setting
from emg.rules import rows
from emg.rules.faults import Fault
from emg.rules.setting_rows import SETTINGS
from emg.rules.snapshot import Skipped

TABLE: Final = ("setting", "setting")


def read(session: Session) -> dict[str, Any]:
    """All settings with their values."""
    session.flush()
    return examine(session.connection())[0]


def examine(connection: Connection) -> tuple[dict[str, Any], list[Skipped]]:
    """The same, and the rows that are not used, each with the reason; never with a secret's value."""
    plain = select(type_coerce(Setting.name, NullType()), type_coerce(Setting.value, NullType()))
    kept: list[tuple[Any, Any]] = [(name, text) for name, text in connection.execute(plain)]
    texts = {name: text for name, text in kept if name in SETTINGS and isinstance(text, str)}
    found, faults = rows.values_of(SETTINGS, texts, changes.NOWHERE, whole=True)
    wrong = {fault.field: _reason(fault) for fault in faults}
    wrong |= {name: "there is no such setting" for name, _text in kept if name not in SETTINGS}
    wrong |= {name: "is no text" for name, text in kept if name in SETTINGS and name not in texts}
    values = {field.name: found.get(field.name, field.default) for field in SETTINGS.values()}
    return values, [Skipped("setting", 0, str(name)[:64], "", reason) for name, reason in sorted(wrong.items())]


def _reason(fault: Fault) -> str:
    """What is wrong with it, and what holds in its place."""
    field = SETTINGS[fault.field]
    reason = "its value can't be used" if field.secret else fault.reason
    return f"{reason}; {rows.text(field, field.default) or 'nothing'} holds in its place"


def write(session: Session, actor: Actor, given: Mapping[str, str]) -> bool:
    """Set these, as people write them; an empty text is the default. False when that changes nothing."""
    wanted = rows.write(SETTINGS, rows.read(SETTINGS, given, changes.NOWHERE, whole=False))
    order = select(Setting).where(Setting.name.in_(wanted)).order_by(Setting.name)
    kept = {row.name: row for row in session.scalars(order.with_for_update())}
    before = {
        name: kept[name].value if name in kept else rows.text(SETTINGS[name], SETTINGS[name].default) for name in wanted
    }
    if before == wanted:
        return False
    moment = changes.now()
    for name, value in sorted(wanted.items()):
        if name in kept:
            kept[name].value, kept[name].updated = value, moment
        elif value != before[name]:
            session.add(Setting(name=name, value=value, updated=moment))
    changes.flush(session, next(iter(wanted)), "somebody else has just set this")
    for name in sorted(wanted):
        if wanted[name] != before[name]:
            column = "password" if SETTINGS[name].secret else "value"  # the audit log shows no password
            changes.tell(session, actor, "change", TABLE, name, {column: before[name]}, {column: wanted[name]})
    return True
