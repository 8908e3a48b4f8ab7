"""Numbering: which country and network a number belongs to, by the longest prefix, so that prices and reports can be named by network.

As CSV: `prefix,country,name,mcc,mnc`, read as `csv_rows` says; `prefix` is required and not empty, `country` two letters (ISO 3166) or empty for an
international network, `mcc` three digits, `mnc` two or three, both or neither or `mcc` alone (ITU-T E.212). A prefix stands there once.

`Numbering.lookup` is on the hot path. Fails with `NetworkFaults`, which lists every faulty row; then nothing is loaded.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from emg.rules.csv_rows import CsvReader, text_of
from emg.rules.faults import Fault, TableFaults
from emg.rules.longest import Longest
from emg.rules.snapshot import NetworkRow as StoredNetwork

COLUMNS: Final = ("prefix", "country", "name", "mcc", "mnc")
LONGEST_TITLE: Final = 128


class NetworkRow(msgspec.Struct, frozen=True, gc=False):
    """One row. All but `prefix` may be empty."""

    id: int
    """Of the database's row; of a file's row its line, the header being line 1."""
    prefix: str
    country: str = ""
    name: str = ""
    mcc: str = ""
    mnc: str = ""


class NetworkFaults(TableFaults):
    """The numbering table has faulty rows; see `faults`."""


class Numbering:
    """A loaded table. It never changes; false when it is empty."""

    __slots__ = ("lookup", "size")

    def __init__(self, rows: Iterable[NetworkRow] = ()) -> None:
        by_prefix = {row.prefix: row for row in rows}
        self.size = len(by_prefix)
        self.lookup = Longest(by_prefix).find
        """The network of a number (digits); None for one that no prefix fits."""

    def __bool__(self) -> bool:
        return self.size > 0

    @classmethod
    def parse(cls, text: str) -> "Numbering":
        """The table in CSV form. Raises NetworkFaults with all faults of all rows; then nothing is loaded."""
        return cls(parse_networks(text))


def parse_networks(text: str) -> list[NetworkRow]:
    """All rows of `text`. Raises NetworkFaults."""
    reader = _Reader()
    rows = reader.rows(text)
    reader.faults.extend(fault for _row, fault in _twice(rows, "line"))
    if reader.faults:
        raise NetworkFaults(sorted(reader.faults, key=_line))
    return rows


def format_networks(rows: Iterable[NetworkRow]) -> str:
    """The rows as CSV; `parse_networks` reads it back."""
    return text_of(COLUMNS, map(cells_of, rows))


def cells_of(row: NetworkRow) -> tuple[str, ...]:
    """A row's cells, in the order of `COLUMNS`."""
    return row.prefix, row.country, row.name, row.mcc, row.mnc


def network_of(cells: Mapping[str, str]) -> NetworkRow:
    """One row, given by its columns; its id is 0. Raises NetworkFaults."""
    reader = _Reader()
    reader.unknown_columns(cells)
    row = reader.row(0, {column: cell.strip() for column, cell in cells.items()})
    if reader.faults:
        raise NetworkFaults(reader.faults)
    return row


def networks_of(rows: Iterable[StoredNetwork]) -> tuple[list[NetworkRow], list[Fault]]:
    """Rows of the database that can be used, and what is wrong with the others (`Fault.line` is the row's id)."""
    reader = _Reader()
    networks = []
    for stored in rows:
        before = len(reader.faults)
        row = reader.row(
            stored.id,
            dict(zip(COLUMNS, (stored.prefix, stored.country, stored.name, stored.mcc, stored.mnc), strict=True)),
        )
        if row.prefix != stored.prefix and len(reader.faults) == before:
            reader.fault(stored.id, "prefix", f"{stored.prefix!r} is not digits alone")
        if len(reader.faults) == before:
            networks.append(row)
    return networks, reader.faults


def _twice(rows: Iterable[NetworkRow], called: str) -> Iterable[tuple[NetworkRow, Fault]]:
    first: dict[str, NetworkRow] = {}
    for row in rows:
        other = first.setdefault(row.prefix, row)
        if other is not row:
            yield row, Fault(row.id, "prefix", f"{called} {other.id} is about {row.prefix} already")


def _line(fault: Fault) -> int:
    return fault.line


class _Reader(CsvReader):
    columns = COLUMNS
    required = ("prefix",)

    def row(self, line: int, cells: Mapping[str, str]) -> NetworkRow:
        """The row in these cells; of no use when `faults` has grown."""
        get = cells.get
        prefix = self.prefix(line, get("prefix", ""))
        if get("prefix", "") in ("", "*"):
            self.fault(line, "prefix", "it is missing")
        country, mcc, mnc = get("country", "").upper(), get("mcc", ""), get("mnc", "")
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            self.fault(line, "country", f"{country[:40]!r} is not two letters such as SE")
        if mcc and not _digits(mcc, 3, 3):
            self.fault(line, "mcc", f"{mcc[:40]!r} is not three digits")
        if mnc and not _digits(mnc, 2, 3):
            self.fault(line, "mnc", f"{mnc[:40]!r} is not two or three digits")
        if mnc and not mcc:
            self.fault(line, "mcc", "an mnc means nothing without it")
        return NetworkRow(
            line, prefix, self._names.setdefault(country, country), self._title(line, get("name", "")), mcc, mnc
        )

    def _title(self, line: int, text: str) -> str:
        if len(text) > LONGEST_TITLE:
            self.fault(line, "name", f"longer than {LONGEST_TITLE} characters")
        elif not text.isprintable():
            self.fault(line, "name", f"{text!r} holds characters that can't be printed")
        return self._names.setdefault(text, text)


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most
