"""Rows of the routing table as people write them: CSV text ↔ `Route`.

The header is required, its columns may stand in any order and all but `connector_out` may be missing. Empty or `*`
means "any". `prefix` is digits; a leading `+` or `00` is taken off. `connector_out` names the connectors to try, in
this order, joined by `:`; `name/account` is one account's sessions on an incoming connector. `priority` 0–65535, the lower is tried first, default 10; `weight` 0–65535, the share among
rows of equal rank, default 1, and 0 for a reserve that gets traffic only when no weighted row of that rank can;
`enabled` 1/0, yes/no, true/false, on/off, default 1. Blank lines and lines that start with `#` are skipped; a byte
order mark and semicolons for commas, as spreadsheets write them, are read.

A row that is switched off must be well formed but may name connectors that don't exist (any more).
Fails with `RouteFaults`, which lists every faulty row; then nothing is loaded.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from emg.rules.faults import Fault, TableFaults

COLUMNS: Final = ("prefix", "account", "connector_in", "connector_out", "priority", "weight", "enabled")
DEFAULT_PRIORITY: Final = 10
DEFAULT_WEIGHT: Final = 1
LARGEST: Final = 65535
LONGEST_PREFIX: Final = 20
LONGEST_NAME: Final = 255

_ANY: Final = ("", "*")
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


class Route(msgspec.Struct, frozen=True, gc=False):
    """One row. Empty `prefix`, `account` and `connector_in` mean any; `connectors` are tried in their order."""

    line: int
    """Where it stands in its file, the header being line 1; for rows of a database, whatever number finds them
    again."""
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
    routes = []
    for line, cells in _lines(text, reader.faults):
        if reader.columns:
            route = reader.row(line, cells)
            if route is not None:
                routes.append(route)
        elif not reader.header(line, cells):
            break  # every row after a header that can't be read would be a fault
    if not reader.columns and not reader.faults:
        reader.faults.append(Fault(1, "", "the header is missing"))
    if reader.faults:
        raise RouteFaults(reader.faults)
    return routes


def format_routes(routes: Iterable[Route]) -> str:
    """The rows as CSV with all columns; `parse_routes` reads it back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for route in routes:
        names = (route.prefix, route.account, route.connector_in, ":".join(route.connectors))
        writer.writerow((*names, route.priority, route.weight, int(route.enabled)))
    return out.getvalue()


def _lines(text: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that holds something, the header first."""
    text = text.removeprefix("\ufeff")
    first = next((row for row in text.split("\n") if row.strip() and not row.lstrip().startswith("#")), "")
    delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in rows:
            if cells and not cells[0].lstrip().startswith("#") and any(map(str.strip, cells)):
                yield rows.line_num, cells
    except csv.Error as fault:  # the rest of the text can't be told into rows
        faults.append(Fault(rows.line_num, "", str(fault)))


class _Reader:
    """Turns cells into routes, collects faults, and keeps each name and each connector list once for all rows."""

    def __init__(self, known_connectors: Collection[str]) -> None:
        self.faults: list[Fault] = []
        self.columns: list[str] = []
        self._known = frozenset(known_connectors)
        self._names: dict[str, str] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def header(self, line: int, cells: Sequence[str]) -> bool:
        """Takes the columns from the first row; False when they can't be read."""
        columns = [cell.strip().lower() for cell in cells]
        if "connector_out" not in columns:
            self.faults.append(Fault(line, "connector_out", "the header must name this column"))
        for number, column in enumerate(columns):
            if column not in COLUMNS:
                self.faults.append(Fault(line, column, f"no such column; there are {', '.join(COLUMNS)}"))
            elif column in columns[:number]:
                self.faults.append(Fault(line, column, "this column stands there twice"))
        self.columns = columns
        return not self.faults

    def row(self, line: int, cells: Sequence[str]) -> Route | None:
        """The route in this row; None for a faulty one."""
        if len(cells) > len(self.columns):
            self.faults.append(Fault(line, "", f"{len(cells)} cells under {len(self.columns)} columns"))
            return None
        cell = dict(zip(self.columns, map(str.strip, cells), strict=False))
        before = len(self.faults)
        enabled = self._switch(line, cell.get("enabled", ""))
        route = Route(
            line,
            self._prefix(line, cell.get("prefix", "")),
            self._name(line, "account", cell.get("account", "")),
            self._connector_in(line, cell.get("connector_in", ""), enabled),
            self._connectors(line, cell.get("connector_out", ""), enabled),
            self._number(line, "priority", cell.get("priority", ""), DEFAULT_PRIORITY),
            self._number(line, "weight", cell.get("weight", ""), DEFAULT_WEIGHT),
            enabled,
        )
        return route if len(self.faults) == before else None

    def _prefix(self, line: int, text: str) -> str:
        if text in _ANY:
            return ""
        digits = text[1:] if text[0] == "+" else text.removeprefix("00")
        if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_PREFIX:
            return digits
        self.faults.append(Fault(line, "prefix", f"{text!r} is not 1 to {LONGEST_PREFIX} digits"))
        return ""

    def _name(self, line: int, field: str, text: str) -> str:
        if text in _ANY:
            return ""
        if len(text) > LONGEST_NAME:
            self.faults.append(Fault(line, field, f"longer than {LONGEST_NAME} characters"))
        return self._names.setdefault(text, text)

    def _connector_in(self, line: int, text: str, enabled: bool) -> str:
        name = self._name(line, "connector_in", text)
        if name and enabled and name not in self._known:
            self.faults.append(Fault(line, "connector_in", f"there is no connector {name!r}"))
        return name

    def _connectors(self, line: int, text: str, enabled: bool) -> tuple[str, ...]:
        ready = self._lists.get(text)
        if ready is not None and enabled:
            return ready
        names = tuple(self._names.setdefault(name.strip(), name.strip()) for name in text.split(":"))
        fault = ""
        if text in _ANY:
            fault = "a route must name the connector that it leads to"
        elif "" in names:
            fault = f"an empty name in {text!r}"
        elif len(set(names)) < len(names):
            fault = f"a connector stands twice in {text!r}"
        elif enabled and (unknown := [name for name in names if name.partition("/")[0] not in self._known]):
            fault = f"there is no connector {', '.join(map(repr, unknown))}"
        if fault:
            self.faults.append(Fault(line, "connector_out", fault))
        elif enabled:
            self._lists[text] = names
        return names

    def _number(self, line: int, field: str, text: str, default: int) -> int:
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST:
            return int(text)
        self.faults.append(Fault(line, field, f"{text!r} is not a number from 0 to {LARGEST}"))
        return default

    def _switch(self, line: int, text: str) -> bool:
        enabled = _SWITCH.get(text.lower())
        if enabled is None:
            self.faults.append(Fault(line, "enabled", f"{text!r} is neither yes nor no"))
            return True
        return enabled
