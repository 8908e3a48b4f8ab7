"""The keys under which messages were handed over, so that none is taken twice (`emg.engine.submissions`).

A row is kept by the commit that keeps its message, and stays longer than the message. Its number is the message's id, which grows with time: the oldest keys
are the first rows.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

Row = tuple[str, int, int, bytes, int, int, str]
"""(key, message id, epoch seconds, digest of what was given, parts, price in micro-units, currency)"""
WIDTH: Final = 7
PRUNED: Final = 5000
"""Keys that one statement forgets at most: some milliseconds of a commit."""
TABLE: Final = """CREATE TABLE submission (
    key TEXT NOT NULL UNIQUE, id INTEGER PRIMARY KEY, at INTEGER NOT NULL, digest BLOB NOT NULL, parts INTEGER NOT NULL,
    price INTEGER NOT NULL, currency TEXT NOT NULL)"""


def find(asked: Sequence[str], db: sqlite3.Connection) -> list[Row]:
    """The rows of those that are known."""
    marks = ",".join("?" * len(asked))
    text = f"SELECT key, id, at, digest, parts, price, currency FROM submission WHERE key IN ({marks})"  # noqa: S608 -- marks alone
    return db.execute(text, asked).fetchall()


def prune(before: int) -> tuple[str, tuple[Any, ...]]:
    """The statement that forgets the oldest that are from before that time."""
    first = "SELECT id, at FROM submission ORDER BY id LIMIT ?"
    return f"DELETE FROM submission WHERE id IN (SELECT id FROM ({first}) WHERE at < ?)", (PRUNED, before)  # noqa: S608
