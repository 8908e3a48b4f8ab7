"""Rows of the routing table as people write them: CSV text ↔ `Route`.

What `csv_rows` says of header, lines and cells holds; all columns but `connector_out` may be missing. `connector_out` names the connectors to
try, in this order, joined by `:`; `name/account` is one account's sessions on an incoming connector. `priority` 0–65535, the lower is tried
first, default 10; `weight` 0–65535, the share among rows of equal rank, default 1, and 0 for a reserve that gets traffic only when no weighted
row of that rank can; `enabled` 1/0, yes/no, true/false, on/off, default 1.

A row that is switched off must be well formed but may name connectors that don't exist (any more).
Fails with `RouteFaults`, which lists every faulty row; then nothing is loaded.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, final

import msgspec

from emg.rules.csv_rows import ANY, CsvReader, text_of
from emg.rules.faults import Fault, TableFaults
from emg.rules.snapshot import RouteRow

COLUMNS: Final = ("prefix", "account", "connector_in", "connector_out", "priority", "weight", "enabled")
HELPS: Final = {
    "prefix": "of the destination; without it any",
    "account": "only messages of this account",
    "connector_in": "only messages received on this connector",
    "connector_out": "where to: one connector, or several to try, by `:`",
    "priority": "the lower is tried first (default: 10)",
    "weight": "share among rows of equal rank, 0 for a reserve (default: 1)",
    "enabled": "yes or no (default: yes)",
}
"""What each column is, for options and forms."""
DEFAULT_PRIORITY: Final = 10
DEFAULT_WEIGHT: Final = 1
LARGEST: Final = 65535
LONGEST_LIST: Final = 255
"""Characters of `connector_out`."""

_SWITCH: Final = {
    "": True,
    "1": True,
    "yes": True,
    "true": True,
    "on": True,
    "0": False,
    "no": False,
    "false": False,
    "off": False,
}


@final
class Route(msgspec.Struct, frozen=True, gc=False):
    """One row. Empty `prefix`, `account` and `connector_in` mean any; `connectors` are tried in their order."""

    line: int
    """Where it stands in its file, the header being line 1; a row of a database has its id here."""
    prefix: str
    account: str
    connector_in: str
    connectors: tuple[str, ...]
    priority: int = DEFAULT_PRIORITY
    weight: int = DEFAULT_WEIGHT
    enabled: bool = True


class RouteFaults(TableFaults):
    """The routing table has faulty rows; see `faults`."""


def parse_routes(text: str, known_connectors: Collection[str]) -> list[Route]:
    """All rows of `text`. Raises RouteFaults with every fault that it has."""
    reader = _Reader(known_connectors)
    routes = [reader.row(line, cells) for line, cells in reader.lines(text)]
    if reader.faults:
        raise RouteFaults(reader.faults)
    return routes


def format_routes(routes: Iterable[Route]) -> str:
    """The rows as CSV with all columns; `parse_routes` reads it back."""
    return text_of(COLUMNS, map(cells_of, routes))


def cells_of(route: Route) -> tuple[str | int, ...]:
    """A row's cells, in the order of `COLUMNS`."""
    names = (route.prefix, route.account, route.connector_in, ":".join(route.connectors))
    return (*names, route.priority, route.weight, int(route.enabled))


def route_of(cells: Mapping[str, str], known_connectors: Collection[str]) -> Route:
    """One row, given by its columns. Raises RouteFaults."""
    reader = _Reader(known_connectors)
    reader.unknown_columns(cells)
    route = reader.row(0, {column: cell.strip() for column, cell in cells.items()})
    if reader.faults:
        raise RouteFaults(reader.faults)
    return route


def routes_of(rows: Iterable[RouteRow], known_connectors: Collection[str]) -> tuple[list[Route], list[Fault]]:
    """Rows of the database that can be used, and what is wrong with the others (`Fault.line` is the row's id)."""
    reader = _Reader(known_connectors)
    faults = reader.faults
    routes = []
    for row in rows:
        before = len(faults)
        route = reader.checked(row)
        if len(faults) == before:
            routes.append(route)
    return routes, faults


class _Reader(CsvReader):
    """Turns cells into routes, and keeps each connector list once for all rows."""

    columns = COLUMNS
    required = ("connector_out",)

    def __init__(self, known_connectors: Collection[str]) -> None:
        super().__init__(known_connectors)
        self._lists: dict[str, tuple[str, ...]] = {}

    def row(self, line: int, cells: Mapping[str, str]) -> Route:
        """The route in these cells; of no use when `faults` has grown."""
        get = cells.get
        enabled = self._switch(line, get("enabled", ""))
        return Route(
            line,
            self.prefix(line, get("prefix", "")),
            self.name(line, "account", get("account", "")),
            self._connector_in(line, get("connector_in", ""), enabled),
            self._connectors(line, get("connector_out", ""), enabled),
            self._number(line, "priority", get("priority", ""), DEFAULT_PRIORITY),
            self._number(line, "weight", get("weight", ""), DEFAULT_WEIGHT),
            enabled,
        )

    def checked(self, row: RouteRow) -> Route:
        """The same of a row whose values have their types already; they must be in the form that `row` makes."""
        line, enabled = row.id, row.enabled
        for field, number in (("priority", row.priority), ("weight", row.weight)):
            if not 0 <= number <= LARGEST:
                self.fault(line, field, f"{number} is not a number from 0 to {LARGEST}")
        prefix = self.stored_prefix(line, row.prefix)
        return Route(
            line,
            prefix,
            self.name(line, "account", row.account),
            self._connector_in(line, row.connector_in, enabled),
            self._connectors(line, row.connector_out, enabled),
            row.priority,
            row.weight,
            enabled,
        )

    def _connector_in(self, line: int, text: str, enabled: bool) -> str:
        return self.connector(line, "connector_in", text) if enabled else self.name(line, "connector_in", text)

    def _connectors(self, line: int, text: str, enabled: bool) -> tuple[str, ...]:
        ready = self._lists.get(text)
        if ready is not None and enabled:
            return ready
        names = tuple(self._names.setdefault(name.strip(), name.strip()) for name in text.split(":"))
        fault = ""
        if text in ANY:
            fault = "a route must name the connector that it leads to"
        elif "" in names:
            fault = f"an empty name in {text!r}"
        elif len(text) > LONGEST_LIST:
            fault = f"longer than {LONGEST_LIST} characters"
        elif len(set(names)) < len(names):
            fault = f"a connector stands twice in {text!r}"
        elif enabled and (unknown := [name for name in names if name.partition("/")[0] not in (self._known or ())]):
            fault = f"there is no connector {', '.join(map(repr, unknown))}"
        if fault:
            self.fault(line, "connector_out", fault)
        elif enabled:
            self._lists[text] = names
        return names

    def _number(self, line: int, field: str, text: str, default: int) -> int:
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST:
            return int(text)
        self.fault(line, field, f"{text!r} is not a number from 0 to {LARGEST}")
        return default

    def _switch(self, line: int, text: str) -> bool:
        enabled = _SWITCH.get(text.lower())
        if enabled is None:
            self.fault(line, "enabled", f"{text!r} is neither yes nor no")
            return True
        return enabled
