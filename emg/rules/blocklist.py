"""Black and white lists: addresses that are refused, logged, or let through whatever the black list says.

A row of a black list is `address TAB REJECT|LOG [TAB SOURCEADDR|DESTADDR]`, of a white list `address [TAB SOURCEADDR|DESTADDR]`;
without the last column it is about the sender. Lines that start with `#`, and empty ones, are skipped. An address is a number, with or without `+`
or `00` in front, or a sender's name in any case; `4670*` is everything that starts so, `*` everything. A whole address comes before a
prefix, and of prefixes the longest counts. A message is let through when the white list holds either of its addresses; else
the black list is asked about the sender, then about the destination, and REJECT counts more than LOG.

A text with faults raises `BlockListFaults` with all of them. Rows of the database are checked by the same functions; those with faults are left out.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from emg.rules.faults import Fault, TableFaults
from emg.rules.snapshot import BlockRow

LONGEST_ADDRESS: Final = 21


class Action(StrEnum):
    """What becomes of a message; the value is the word in the list."""

    REJECT = "REJECT"
    LOG = "LOG"
    PASS = "PASS"  # noqa: S105 -- not a password; all that a white list knows


class Place(StrEnum):
    """Which address a row is about."""

    SOURCE = "SOURCEADDR"
    DEST = "DESTADDR"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row. `address` is in the form that is used inside, without `*`; `line` is its id for a row of the database."""

    line: int
    address: str
    prefix: bool
    action: Action
    place: Place

    def __str__(self) -> str:
        return f"{self.place} {self.address}{'*' if self.prefix else ''} (line {self.line})"


class BlockListFaults(TableFaults):
    """The list has faulty rows; see `faults`."""


class _Addresses:
    """The rows about one place."""

    __slots__ = ("_lengths", "_prefixes", "_whole")

    def __init__(self) -> None:
        self._whole: dict[str, Row] = {}
        self._prefixes: dict[str, Row] = {}
        self._lengths: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._whole or self._prefixes)

    def add(self, row: Row) -> Row | None:
        """Take a row; gives the one that says something about the same address already."""
        rows = self._prefixes if row.prefix else self._whole
        known = rows.setdefault(row.address, row)
        if row.prefix:
            self._lengths = tuple(sorted({*self._lengths, len(row.address)}, reverse=True))
        return known if known is not row else None

    def all(self) -> list[Row]:
        """Every row."""
        return [*self._whole.values(), *self._prefixes.values()]

    def find(self, address: str) -> Row | None:
        """The row that speaks for an address."""
        if not address.isdigit():
            address = address.lower()
        row = self._whole.get(address)
        if row is None:
            for length in self._lengths:
                row = self._prefixes.get(address[:length])
                if row is not None:
                    break
        return row


class AddressList:
    """One list, black or white."""

    __slots__ = ("dests", "rows", "sources")

    def __init__(self) -> None:
        self.sources = _Addresses()
        self.dests = _Addresses()
        self.rows = 0

    @classmethod
    def parse(cls, text: str, *, white: bool = False) -> "AddressList":
        """Reads a list. Raises BlockListFaults."""
        found = cls()
        faults: list[Fault] = []
        for line, content in enumerate(text.split("\n"), 1):
            if content.strip() and not content.lstrip().startswith("#"):
                row = row_of(line, [cell.strip() for cell in content.rstrip().split("\t")], faults, white=white)
                if row is not None:
                    found._add(row, faults)
        if faults:
            raise BlockListFaults(faults)
        return found

    @classmethod
    def of(cls, rows: Iterable[BlockRow], *, white: bool = False) -> tuple["AddressList", list[Fault]]:
        """The black (or the white) list of the database's rows, and what is wrong with those that are left out (`Fault.line` is the row's id)."""
        found = cls()
        faults: list[Fault] = []
        for stored in rows:
            if stored.white == white:
                cells = [stored.address, stored.field] if white else [stored.address, stored.action, stored.field]
                row = row_of(stored.id, cells, faults, white=white)
                if row is not None:
                    found._add(row, faults, "row")
        return found, faults

    def all(self) -> list[Row]:
        """Every row."""
        return self.sources.all() + self.dests.all()

    def _add(self, row: Row, faults: list[Fault], called: str = "line") -> None:
        other = (self.sources if row.place is Place.SOURCE else self.dests).add(row)
        if other is None:
            self.rows += 1
        else:
            faults.append(Fault(row.line, "address", f"{called} {other.line} speaks for this {row.place} already"))


class BlockLists:
    """A black list and a white list together; either may be missing."""

    __slots__ = ("_black", "_white")

    def __init__(self, black: AddressList | None, white: AddressList | None) -> None:
        self._black = black or AddressList()
        self._white = white or AddressList()

    @classmethod
    def of(cls, rows: Iterable[BlockRow]) -> tuple["BlockLists", list[Fault]]:
        """Both lists of the database's rows, and what is wrong with those that are left out."""
        rows = list(rows)
        black, faults = AddressList.of(rows)
        white, more = AddressList.of(rows, white=True)
        return cls(black, white), faults + more

    def find(self, source: str, dest: str) -> Row | None:
        """The black list's row for a message with these addresses; None when nothing is said against it."""
        white, black = self._white, self._black
        row = black.sources.find(source) if black.sources else None
        if (row is None or row.action is Action.LOG) and black.dests:
            about_dest = black.dests.find(dest)
            if row is None or (about_dest is not None and about_dest.action is Action.REJECT):
                row = about_dest
        if row is None or (white.sources and white.sources.find(source)) or (white.dests and white.dests.find(dest)):
            return None
        return row


def row_of(line: int, cells: list[str], faults: list[Fault], *, white: bool) -> Row | None:
    """The row in these cells, in the order of the file's columns; None, and what is wrong added to `faults`."""
    before = len(faults)
    address, prefix = _address(line, cells[0], faults)
    rest = cells[1:]
    action = Action.PASS if white else _action(line, rest.pop(0) if rest else "", faults)
    place = Place.SOURCE
    if rest and rest[0]:
        try:
            place = Place(rest[0].upper())
        except ValueError:
            faults.append(Fault(line, "type", f"{rest[0][:40]!r} is neither SOURCEADDR nor DESTADDR"))
    if len(rest) > 1:
        faults.append(Fault(line, "", f"{len(cells)} columns; there are at most {2 if white else 3}, apart by tabs"))
    return Row(line, address, prefix, action, place) if len(faults) == before else None


def _action(line: int, word: str, faults: list[Fault]) -> Action:
    if word.upper() in ("REJECT", "LOG"):
        return Action(word.upper())
    faults.append(Fault(line, "action", f"{word[:40]!r} is neither REJECT nor LOG; columns are apart by tabs"))
    return Action.REJECT


def _address(line: int, text: str, faults: list[Fault]) -> tuple[str, bool]:
    prefix = text.endswith("*")
    address = text[:-1] if prefix else text
    if "*" in address:
        faults.append(Fault(line, "address", f"{text[:40]!r}: a * may only stand at the end"))
    if not address and not prefix:
        faults.append(Fault(line, "address", "there is none"))
    if len(address) > LONGEST_ADDRESS + 2:
        faults.append(Fault(line, "address", f"{text[:40]!r} is longer than any address"))
    number = address[1:] if address[:1] == "+" else address.removeprefix("00")
    if number.isascii() and number.isdigit():
        return number, prefix
    return address.lower(), prefix
