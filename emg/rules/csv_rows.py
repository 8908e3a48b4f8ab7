"""What all tables in CSV form have in common: header, lines, and the kinds of cells that stand in several of them.

The header is required, its columns may stand in any order. Blank lines and lines that start with `#` are skipped; a byte order mark and
semicolons for commas, as spreadsheets write them, are read. Empty or `*` means "any"; a prefix is digits, a leading `+` or `00` is taken off.

A reader collects faults and never raises; whoever asked for the table raises all of them at once. It reads cells for everybody: a file's
lines, a command's options and a form are all mappings of column to text, and rows of a database are checked by the same functions.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from emg.rules.faults import Fault

ANY: Final = ("", "*")
LONGEST_PREFIX: Final = 20
LONGEST_NAME: Final = 64
"""Characters of an account's or a connector's name."""


def text_of(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV, with its header (without one when there are no `columns`)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def delimiter_of(text: str) -> str:
    """A semicolon or a comma, as the first line that says something has it."""
    first = next((row for row in text.split("\n") if row.strip() and not row.lstrip().startswith("#")), "")
    return ";" if ";" in first and "," not in first else ","


class CsvReader:
    """Reads one table. `known_connectors` None: connectors are not looked up."""

    columns: tuple[str, ...] = ()
    """All that a header may name."""
    required: tuple[str, ...] = ()
    """Those that it must name."""

    def __init__(self, known_connectors: Collection[str] | None = None) -> None:
        self.faults: list[Fault] = []
        self._header: list[str] = []
        self._known = None if known_connectors is None else frozenset(known_connectors)
        self._names: dict[str, str] = {}

    def lines(self, text: str) -> Iterator[tuple[int, dict[str, str]]]:
        """(line, cells by column) of each row under the header. A row of too many cells is a fault; a header that can't be read ends it all."""
        text = text.removeprefix("\ufeff")
        rows = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter_of(text), skipinitialspace=True, strict=True
        )
        try:
            for cells in rows:
                if not cells or cells[0].lstrip().startswith("#") or not any(map(str.strip, cells)):
                    continue
                if not self._header:
                    if not self._take_header(rows.line_num, cells):
                        return  # every row after it would be a fault
                elif len(cells) > len(self._header):
                    self.fault(rows.line_num, "", f"{len(cells)} cells under {len(self._header)} columns")
                else:
                    yield rows.line_num, dict(zip(self._header, map(str.strip, cells), strict=False))
        except csv.Error as fault:  # the rest of the text can't be told into rows
            self.fault(rows.line_num, "", str(fault))
        if not self._header and not self.faults:
            self.fault(1, "", "the header is missing")

    def row(self, line: int, cells: Mapping[str, str]) -> Any:
        """One row out of its cells; what is wrong with it is a fault."""
        raise NotImplementedError

    def rows(self, text: str) -> list[Any]:
        """All rows under the header that have no fault."""
        rows = []
        for line, cells in self.lines(text):
            before = len(self.faults)
            row = self.row(line, cells)
            if len(self.faults) == before:
                rows.append(row)
        return rows

    def _take_header(self, line: int, cells: Sequence[str]) -> bool:
        header = [cell.strip().lower() for cell in cells]
        for column in self.required:
            if column not in header:
                self.fault(line, column, "the header must name this column")
        for number, column in enumerate(header):
            if column not in self.columns:
                self.fault(line, column, f"no such column; there are {', '.join(self.columns)}")
            elif column in header[:number]:
                self.fault(line, column, "this column stands there twice")
        self._header = header
        return not self.faults

    def unknown_columns(self, cells: Mapping[str, str]) -> None:
        """For cells that came without a header: a fault for each that is no column."""
        for column in cells:
            if column not in self.columns:
                self.fault(0, column, f"no such column; there are {', '.join(self.columns)}")

    def fault(self, line: int, field: str, reason: str) -> None:
        """Take note of one."""
        self.faults.append(Fault(line, field, reason))

    # -- cells; each gives a value even where it took note of a fault

    def prefix(self, line: int, text: str) -> str:
        """Digits, or empty for any destination."""
        if text in ANY:
            return ""
        digits = text[1:] if text[0] == "+" else text.removeprefix("00")
        if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_PREFIX:
            return digits
        self.fault(line, "prefix", f"{text[:40]!r} is not 1 to {LONGEST_PREFIX} digits")
        return ""

    def stored_prefix(self, line: int, text: str) -> str:
        """The same of a row of the database, where it stands without a sign."""
        before = len(self.faults)
        digits = self.prefix(line, text) if text else ""
        if digits != text and len(self.faults) == before:
            self.fault(line, "prefix", f"{text[:40]!r} is not digits alone")
        return digits

    def name(self, line: int, field: str, text: str) -> str:
        """A name, or empty for any. Each name is kept once for all rows."""
        if text in ANY:
            return ""
        if len(text) > LONGEST_NAME:
            self.fault(line, field, f"longer than {LONGEST_NAME} characters")
        elif not text.isprintable():
            self.fault(line, field, f"{text!r} holds characters that can't be printed")
        return self._names.setdefault(text, text)

    def connector(self, line: int, field: str, text: str) -> str:
        """The name of a connector that exists, or empty for any."""
        name = self.name(line, field, text)
        if name and self._known is not None and name not in self._known:
            self.fault(line, field, f"there is no connector {name!r}")
        return name
