"""Who changed what: one row a change, in the transaction of the change.

`before` and `after` are what differs, as a mapping of column to value; `difference` makes both from whole rows. Secrets never get in: columns whose
name is in `SECRETS` show as `***`.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy.orm import Session

from emg.db.models import AuditLog

SECRETS: Final = frozenset({"password_hash", "password", "key_hash", "totp_secret", "recovery_codes"})
LONGEST: Final = 60_000
"""Octets of `before` or `after` that are kept; a column holds 65,535."""
LONGEST_VALUE: Final = 1000
"""Characters of one value; what is longer is cut and ends with an ellipsis."""


class Actor(NamedTuple):
    """Who makes a change: a web user's name, `key:NAME`, `shell:USER`, `scheduler`; and the IP address, empty for the shell."""

    who: str
    origin: str = ""


def note(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditLog:
    """Write the row, which has its id from the next flush on. `action` is a verb of at most 16 characters, `subject` the table, `name` what people call the row."""
    row = AuditLog(
        at=dt.datetime.now(dt.UTC), who=actor.who[:128], origin=actor.origin[:45], action=action, subject=subject,
        name=name[:128], before=_text(before), after=_text(after),
    )  # fmt: skip
    session.add(row)
    return row


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two whole rows, the columns that differ: as they were, as they are."""
    names = [name for name in new if old.get(name) != new[name]]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}


def _text(values: Mapping[str, Any] | None) -> str:
    """As JSON; columns that there is no room for are counted."""
    shown: dict[str, Any] = {}
    room = LONGEST
    for name, value in sorted((values or {}).items()):
        shown[name] = _shown(name, value)
        room -= len(_json({name: shown[name]}).encode())
        if room < 0:
            del shown[name]
            shown["…"] = f"{len(values or ()) - len(shown)} more"
            break
    return _json(shown) if shown else ""


def _shown(name: str, value: Any) -> Any:
    if name in SECRETS and value:
        return "***"
    return value[:LONGEST_VALUE] + "…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=str, ensure_ascii=False)
