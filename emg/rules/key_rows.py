"""What a program's key to the REST API may hold; see `emg.rules.rows`. Pure.

A scope is `AREA:read` or `AREA:write`, and writing includes reading. A key of a customer sees what is his alone, and has scopes of `CUSTOMERS` only.
"""

from collections.abc import Mapping
from typing import Any, Final

from emg.config import kinds
from emg.config.keywords import Kind
from emg.rules import rows
from emg.rules.faults import Fault
from emg.rules.price_rows import parse_moment, show_moment
from emg.rules.rows import Field, Fields

AREAS: Final = {
    "accounts": True, "balances": True, "blacklist": True, "connectors": True, "customers": True, "messages": False, "networks": True,
    "prices": True, "queues": True, "reports": False, "routes": True,
}  # fmt: skip
"""What there is to be reached, and whether there is anything to change."""
SCOPES: Final = tuple(
    f"{area}:{right}" for area, changes in AREAS.items() for right in ("read", "write")[: 1 + changes]
)
CUSTOMERS: Final = frozenset({"accounts:read", "balances:read", "messages:read", "prices:read", "reports:read"})
"""Of these a customer's key may have any."""
LARGEST_RATE: Final = 1000.0


def _scopes(given: str) -> str:
    wanted = {word.lower() for word in given.replace(",", " ").split()}
    if unknown := sorted(wanted - set(SCOPES)):
        raise ValueError(f"there is no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    return ",".join(scope for scope in SCOPES if scope in wanted)


def _rate(given: str) -> float:
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= LARGEST_RATE:
        raise ValueError(f"must be a number from 0.01 to {LARGEST_RATE:g}")
    return rate


KEY: Final[Fields] = rows.table(
    Field("name", kinds.GROUP_NAME, "", "What people call it.", needed=True),
    Field("customer", rows.words(128), None, "Whose it is; without one it is the house's own.", refers="customers", group="key"),
    Field("scopes", Kind("scopes", "such as accounts:read,prices:write", _scopes), "", "What it may do.", needed=True, group="key"),
    Field("rate", Kind("rate", f"from 0.01 to {LARGEST_RATE:g}", _rate, lambda rate: f"{rate:g}"), 10.0, "Requests a second.", group="key"),
    Field("expires", Kind("moment", "2026-07-01 or 2026-07-01T12:30:00, in UTC", parse_moment, show_moment), None, "From when on it is of no use.", group="key"),
    Field("locked", kinds.FLAG, False, "It is of no use until it is unlocked."),
)  # fmt: skip


def contradictions(values: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with fields that are right each by itself."""
    beyond = [scope for scope in values["scopes"].split(",") if scope not in CUSTOMERS]
    if values["customer"] is None or not beyond:
        return []
    allowed = ", ".join(sorted(CUSTOMERS))
    return [Fault(0, "scopes", f"{', '.join(beyond)}: a customer's key may have {allowed} alone")]


def allows(scopes: str, wanted: str) -> bool:
    """A key with these may do what needs the scope `wanted`."""
    had = scopes.split(",")
    return wanted in had or f"{wanted.removesuffix(':read')}:write" in had
