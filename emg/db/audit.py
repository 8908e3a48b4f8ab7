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
"""Characters of `before` or `after` that are kept."""


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
) -> None:
    """Write the row. `action` is a verb of at most 16 characters, `subject` the table, `name` what people call the row."""
    session.add(
        AuditLog(
            at=dt.datetime.now(dt.UTC), who=actor.who[:128], origin=actor.origin[:45], action=action, subject=subject,
            name=name[:128], before=_text(before), after=_text(after),
        )
    )  # fmt: skip


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two whole rows, the columns that differ: as they were, as they are."""
    names = [name for name in new if old.get(name) != new[name]]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}


def _text(values: Mapping[str, Any] | None) -> str:
    if not values:
        return ""
    shown = {name: "***" if name in SECRETS and value else value for name, value in values.items()}
    return json.dumps(shown, default=str, ensure_ascii=False, sort_keys=True)[:LONGEST]
