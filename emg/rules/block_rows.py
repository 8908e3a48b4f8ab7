"""Rows of the black and the white list as the database keeps them: CSV text ↔ `Entry`.

As CSV: `address,action,field,list,note`, read as `csv_rows` says; `address` is required. `action` is REJECT (the default) or LOG and empty in the white list;
`field` is SOURCEADDR (the default) or DESTADDR; `list` is `black` (the default) or `white`; `note` is anybody's. Addresses are as `blocklist` says.
A text without such a header is one in the form of the files BLACKLIST and WHITELIST, and is of one list alone.

Fails with `BlockListFaults`, which lists every faulty row; then nothing is loaded.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from emg.rules.blocklist import AddressList, BlockListFaults, Place, Row, row_of
from emg.rules.csv_rows import CsvReader, delimiter_of, text_of
from emg.rules.faults import Fault

COLUMNS: Final = ("address", "action", "field", "list", "note")
LISTS: Final = {"": False, "black": False, "white": True}
LONGEST_NOTE: Final = 255


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One row, its address in the form that is used inside, with `*` for all that start so."""

    id: int
    white: bool
    field: str
    address: str
    action: str = "REJECT"
    """Of no meaning in the white list."""
    note: str = ""


def is_csv(text: str) -> bool:
    """Whether this has the header of the CSV form; otherwise it is read as a file BLACKLIST or WHITELIST."""
    lines = (
        line for line in text.removeprefix("\ufeff").split("\n") if line.strip() and not line.lstrip().startswith("#")
    )
    first = next(lines, "").lower().split(delimiter_of(text))
    return any(cell.strip().strip('"') == "address" for cell in first)


def parse_entries(text: str) -> list[Entry]:
    """All rows of a text in CSV form. Raises BlockListFaults."""
    reader = _Reader()
    entries = reader.rows(text)
    reader.faults.extend(_twice(entries))
    if reader.faults:
        raise BlockListFaults(sorted(reader.faults, key=_line))
    return entries


def parse_file(text: str, *, white: bool) -> list[Entry]:
    """All rows of a file BLACKLIST or WHITELIST. Raises BlockListFaults."""
    rows = AddressList.parse(text, white=white).all()
    return [_entry(row, "", white=white) for row in sorted(rows, key=_line_of_row)]


def format_entries(entries: Iterable[Entry]) -> str:
    """The rows as CSV; `parse_entries` reads it back."""
    return text_of(COLUMNS, map(cells_of, entries))


def cells_of(entry: Entry) -> tuple[str, ...]:
    """A row's cells, in the order of `COLUMNS`."""
    colour = "white" if entry.white else "black"
    return entry.address, "" if entry.white else entry.action, entry.field, colour, entry.note


def entry_of(cells: Mapping[str, str]) -> Entry:
    """One row, given by its columns; its id is 0. Raises BlockListFaults."""
    reader = _Reader()
    reader.unknown_columns(cells)
    entry = reader.row(0, {column: cell.strip() for column, cell in cells.items()})
    if reader.faults or entry is None:
        raise BlockListFaults(reader.faults)
    return entry


def _entry(row: Row, note: str, *, white: bool) -> Entry:
    address = row.address + "*" * row.prefix
    return Entry(row.line, white, row.place.value, address, "REJECT" if white else row.action.value, note)


def _twice(entries: Iterable[Entry]) -> Iterable[Fault]:
    first: dict[tuple[bool, str, str], Entry] = {}
    for entry in entries:
        other = first.setdefault((entry.white, entry.field, entry.address), entry)
        if other is not entry:
            yield Fault(entry.id, "address", f"line {other.id} speaks for this {entry.field} already")


def _line(fault: Fault) -> int:
    return fault.line


def _line_of_row(row: Row) -> int:
    return row.line


class _Reader(CsvReader):
    columns = COLUMNS
    required = ("address",)

    def row(self, line: int, cells: Mapping[str, str]) -> Entry | None:
        """The row in these cells; of no use when `faults` has grown."""
        white = LISTS.get(cells.get("list", "").lower())
        if white is None:
            self.fault(line, "list", f"{cells['list'][:40]!r} is neither black nor white")
            return None
        note, action = cells.get("note", ""), cells.get("action", "")
        if len(note) > LONGEST_NOTE:
            self.fault(line, "note", f"longer than {LONGEST_NOTE} characters")
        if white and action:
            self.fault(line, "action", "a row of the white list has none")
        address, field = cells.get("address", ""), cells.get("field", "").upper() or Place.SOURCE.value
        if not address.isprintable():
            self.fault(line, "address", f"{address[:40]!r} holds characters that can't be printed")
        if action and action.upper() not in ("REJECT", "LOG"):
            self.fault(line, "action", f"{action[:40]!r} is neither REJECT nor LOG")
            action = ""
        if field not in tuple(Place):
            self.fault(line, "field", f"{field[:40]!r} is neither SOURCEADDR nor DESTADDR")
            field = Place.SOURCE.value
        row = row_of(
            line, [address, field] if white else [address, action or "REJECT", field], self.faults, white=white
        )
        return _entry(row, note, white=white) if row is not None else None
