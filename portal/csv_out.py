"""Tables as CSV that people take away: read by spreadsheets as what they are, and nothing in them is ever a formula.

A cell of text that begins as a formula does (`=`, `+`, `-`, `@`, a tab, a line's end) gets an apostrophe before it, as spreadsheets themselves write such a text; numbers are
written as they are. A byte order mark says UTF-8: without it spreadsheets guess. Our own readers (`emg.rules.csv_rows`) take it off again.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

MARK: Final = "\ufeff"
_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class Amount(str):
    """Text that is a number, such as an amount of money: left as it is."""

    __slots__ = ()


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and not isinstance(value, Amount) and value.startswith(_BEGINS):
        return "'" + value
    return value


def lines(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of a table as lines, without a header."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([[safe(cell) for cell in row] for row in rows])
    return out.getvalue()


def head(columns: Sequence[str]) -> str:
    """What a file begins with."""
    return MARK + lines([columns])
