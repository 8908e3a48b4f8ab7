"""Many rows a statement: each statement takes the interpreter's lock a few times, in competition with the event loop."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_STEP = 16
"""Statements exist for 1–15 rows and for multiples of 16 up to `_MOST`: few enough to stay prepared."""
_MOST = 256

_texts: dict[tuple[str, str, int, str], str] = {}


def run(db: sqlite3.Connection, head: str, row: str, tail: str, flat: Sequence[Any], width: int) -> None:
    """Execute `head row,row,… tail` over a flat parameter list in as few statements as the prepared sizes allow."""
    rows = len(flat) // width
    start = 0
    while rows:
        count = rows if rows < _STEP else min(rows - rows % _STEP, _MOST)
        key = (head, row, count, tail)
        text = _texts.get(key)
        if text is None:
            text = _texts[key] = head + ",".join([row] * count) + tail
        end = start + count * width
        db.execute(text, flat if start == 0 and end == len(flat) else flat[start:end])
        start = end
        rows -= count


def insert_rows(db: sqlite3.Connection, table: str, width: int, rows: Sequence[Sequence[Any]]) -> None:
    """Put rows into a table; those with the same key are replaced."""
    if rows:
        mark = "(" + ",".join("?" * width) + ")"
        run(db, f"INSERT OR REPLACE INTO {table} VALUES ", mark, "", list(chain.from_iterable(rows)), width)  # noqa: S608 -- our own names


def delete_rows(db: sqlite3.Connection, table: str, column: str, keys: Sequence[Any]) -> None:
    """Delete the rows with these keys, as far as they exist."""
    run(db, f"DELETE FROM {table} WHERE {column} IN (", "?", ")", keys, 1)  # noqa: S608 -- our own names
