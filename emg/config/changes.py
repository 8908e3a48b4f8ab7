"""What differs between two configurations, and what a reload has to do about it. Pure.

Values are compared, not texts: a comment, an order or another spelling of the same time changes nothing. A file that keeps its name
but not its contents (routes, prices, certificates) is not seen here: a reload reads those anew whatever this says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from emg.config.connector import ConnectorConfig
from emg.config.keywords import Apply, table
from emg.config.model import ServerConfig, UserConfig

S = TypeVar("S", ConnectorConfig, UserConfig)
NAMED = 10
"""Accounts, or connectors, that a line of the log names."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A section that both configurations have; the names of its changed keywords, by what they need."""

    name: str
    live: tuple[str, ...]
    """Swapped at once."""
    rebuild: tuple[str, ...]
    """Its sessions are closed and made anew; a user's are closed."""


@dataclass(frozen=True, slots=True)
class Changes:
    """All differences; false if there are none. `connectors_changed` and `users_changed` are in the order of the new file."""

    connectors_added: tuple[str, ...] = ()
    connectors_removed: tuple[str, ...] = ()
    connectors_changed: tuple[Changed, ...] = ()
    users_added: tuple[str, ...] = ()
    users_removed: tuple[str, ...] = ()
    users_changed: tuple[Changed, ...] = ()
    general_live: tuple[str, ...] = ()
    """General keywords that take effect at once."""
    general_restart: tuple[str, ...] = ()
    """General keywords that wait for a restart, of the gateway, the portal or the watchdog."""

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Changes()


def compare(old: ServerConfig, new: ServerConfig) -> Changes:
    """What a reload from `old` to `new` has to add, remove and change."""
    live: list[str] = []
    restart: list[str] = []
    for row in table(ServerConfig).values():
        if getattr(old, row.attribute) != getattr(new, row.attribute):
            (live if row.apply is Apply.LIVE else restart).append(row.name)
    return Changes(
        connectors_added=_missing(new.connectors, old.connectors),
        connectors_removed=_missing(old.connectors, new.connectors),
        connectors_changed=_changed(ConnectorConfig, old.connectors, new.connectors),
        users_added=_missing(new.users, old.users),
        users_removed=_missing(old.users, new.users),
        users_changed=_changed(UserConfig, old.users, new.users),
        general_live=tuple(live),
        general_restart=tuple(restart),
    )


def _missing(names: Mapping[str, S], others: Mapping[str, S]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


def _changed(cls: type[S], old: Mapping[str, S], new: Mapping[str, S]) -> tuple[Changed, ...]:
    found = []
    columns = table(cls).values()
    for name, after in new.items():
        before = old.get(name)
        if before is None or before == after:
            continue
        rows = [row for row in columns if getattr(before, row.attribute) != getattr(after, row.attribute)]
        live = tuple(row.name for row in rows if row.apply is Apply.LIVE)
        found.append(Changed(name, live, tuple(row.name for row in rows if row.apply is not Apply.LIVE)))
    return tuple(found)


def summary(changes: Changes) -> dict[str, Any]:
    """What a reload did, for the log and its caller."""
    return {
        "connectors_added": list(changes.connectors_added),
        "connectors_removed": list(changes.connectors_removed),
        "connectors_changed": [changed.name for changed in changes.connectors_changed],
        "connectors_rebuilt": [changed.name for changed in changes.connectors_changed if changed.rebuild],
        "users_added": list(changes.users_added),
        "users_removed": list(changes.users_removed),
        "users_changed": [changed.name for changed in changes.users_changed],
        "general": list(changes.general_live),
        "after_restart": list(changes.general_restart),
    }


def in_words(told: dict[str, Any]) -> str:
    """What has changed, for the log: `connectors added op1, op2; users changed acme`; empty when nothing has."""
    return "; ".join(f"{what.replace('_', ' ')} {_some(names)}" for what, names in told.items() if names)


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
