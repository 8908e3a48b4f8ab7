"""What the pages of routes and of prices have in common: a table of rules that is listed, edited row by row, imported, exported, and whose changes can be undone.

An area describes its table (`Rules`) and calls `register.register`. `sheets` reads and writes CSV and XLSX, `drafts` keeps an upload between its preview and its import.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emg.config.model import ServerConfig
from emg.db.engine import Session
from emg.db.rule_table import RuleTable
from portal.guard import allowed
from portal.listing import Shown
from portal.permissions import Permission

HEADLINES: Final = {
    "prefix": "Prefix", "account": "Account", "connector_in": "Received on", "connector_out": "Sent by", "priority": "Priority", "weight": "Weight",
    "enabled": "Enabled", "price": "Price of a part", "cost": "Cost of a part", "currency": "Currency", "valid_from": "From", "valid_until": "Until", "refund": "Refund",
}  # fmt: skip
NUMBERS: Final = frozenset({"priority", "weight", "price", "cost"})


@dataclass(frozen=True, slots=True)
class Rules:
    """One table."""

    area: str
    """The blueprint."""
    one: str
    """What a row is called."""
    table: RuleTable[Any]
    parse: Callable[[str, Collection[str]], list[Any]]
    """All rows of a CSV text, which may name these connectors. Raises TableFaults."""
    row: Callable[[Mapping[str, str], Collection[str]], Any]
    """A row by its columns. Raises TableFaults."""
    helps: Mapping[str, str]
    see: Permission
    change: Permission
    see_history: Permission
    filters: tuple[str, ...]
    instead: Callable[[ServerConfig], str | None]
    """A file of the configuration that stands in the place of this table."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Columns that are one of these words, the usual one first."""
    scope: Callable[[Session], Mapping[str, Any]] = lambda _session: {}
    """What rows this person sees, as a filter of the table."""
    hidden: Callable[[], Collection[str]] = frozenset
    """Columns that this person does not see."""

    @property
    def columns(self) -> list[str]:
        """Those that this person sees."""
        hidden = self.hidden()
        return [name for name in self.table.head if name not in hidden]

    def wanted(self, session: Session, shown: Shown) -> dict[str, Any]:
        """What the list was filtered by, and what this person may see."""
        given = {name: value for name, value in shown.filters.items() if value}
        for name in ("prefix", "decides"):
            if name in given:
                given[name] = given[name].replace(" ", "").removeprefix("+").removeprefix("00")[:32]
        if "connector_out" in self.hidden():
            given.pop("connector", None)  # he must not find out by trying
        made: dict[str, Any] = {**given, **self.scope(session)}
        if "enabled" in made:
            made["enabled"] = made["enabled"] == "yes"
        return made

    def cells(self, row: Any) -> dict[str, str]:
        """A row as people read it."""
        texts = dict(zip(self.table.head, map(str, self.table.cells(row)), strict=True))
        if "enabled" in texts:
            texts["enabled"] = "yes" if texts["enabled"] == "1" else "no"
        return texts

    @property
    def may_change(self) -> bool:
        """This person may."""
        return allowed(self.change)
