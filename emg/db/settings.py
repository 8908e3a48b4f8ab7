"""Settings by name: `emg.rules.setting_rows.SETTINGS` says which there are, of what kind, and what holds where nothing is set.

A value in the table that is not of its kind (put there by hand) counts as not set. Each change leaves an audit row and raises the revision of
`setting`. Raises `RowFaults`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.db import changes
from emg.db.audit import Actor
from emg.db.models import Setting
from emg.rules import rows
from emg.rules.setting_rows import SETTINGS

TABLE: Final = ("setting", "setting")


def read(session: Session) -> dict[str, Any]:
    """All settings with their values."""
    kept = session.execute(select(Setting.name, Setting.value))
    known = {name: text for name, text in kept if name in SETTINGS}
    found, _faults = rows.values_of(SETTINGS, known, changes.NOWHERE, whole=True)
    return {field.name: found.get(field.name, field.default) for field in SETTINGS.values()}


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
