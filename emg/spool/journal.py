"""The journal: what most commits consist of is one row of it.

A message that goes straight through lives for less than a second, and its open report for a few: to put each into its table and to delete it
there again would touch a page a row. So a commit writes new resident messages, open reports, and what left the spool as *one* row of the
table `journal`, as it came. What is still there after `KEEP_SECONDS` goes into its own table, in small portions with the commits that
follow; what has gone by then never gets there. `replay` brings the tables up to date at the next start.

A journal belongs to the writer's thread. `plan` decides, inside the transaction, what this commit moves; only `committed` changes
what the journal remembers: a commit that fails leaves it as it was. Rows that are to be deleted from the tables are *stale*
until then; a commit with reads deletes them first, so that a read never sees what has left.
"""

import sqlite3
import time
from collections import deque
from typing import Any

import msgspec

from emg.spool.rows import delete_rows, insert_rows

KEEP_SECONDS = 3.0
PORTION = 400
"""Rows that one commit moves into a table at most: about 2 ms."""
STALE_LIMIT = 512
TRIM_ROWS = 64

MessageRow = tuple[int, int, int, int, int, int, bytes]
"""(id, queue, rank, place, due, expires, body), as in the table."""
OpenRow = tuple[str, int, bytes]
"""(key, expires, body), as in the table."""


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One row of the journal: what a commit added, what it put into the tables itself, and what it took away, in this order."""

    messages: list[MessageRow]
    opens: list[OpenRow]
    tabled: list[int]
    drops: list[int]
    closes: list[str]

    def __bool__(self) -> bool:
        return bool(self.messages or self.opens or self.tabled or self.drops or self.closes)


class Plan(msgspec.Struct):
    """What one commit moves from the journal's memory into the tables."""

    messages: list[MessageRow]
    opens: list[OpenRow]
    drops: list[int]
    closes: list[str]
    trim: int = 0


_encode = msgspec.msgpack.Encoder().encode
decode_entry = msgspec.msgpack.Decoder(Entry).decode


class Journal:
    """See the module's text."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._trimmed = last
        self._messages: dict[int, tuple[int, MessageRow]] = {}
        self._opens: dict[str, tuple[int, OpenRow]] = {}
        self._stale_messages: list[int] = []
        self._stale_opens: list[str] = []
        self._ages: deque[tuple[float, int]] = deque()

    def write(self, db: sqlite3.Connection, entry: Entry, *, reads: bool, everything: bool) -> Plan:
        """Add an entry and move what is due, inside the caller's transaction."""
        if entry:
            db.execute("INSERT INTO journal VALUES (?,?)", (self._last + 1, _encode(entry)))
        plan = self._plan(everything=everything)
        if plan.messages and entry.tabled:  # the table has a newer version of them already
            tabled = set(entry.tabled)
            plan.messages = [row for row in plan.messages if row[0] not in tabled]
        delete = bool(plan.messages or plan.opens or reads or everything)
        if delete or len(self._stale_messages) + len(self._stale_opens) > STALE_LIMIT:
            plan.drops, plan.closes = self._stale_messages[:], self._stale_opens[:]
        insert_rows(db, "message", 7, plan.messages)
        insert_rows(db, "open_report", 3, plan.opens)
        delete_rows(db, "message", "id", plan.drops + entry.drops if reads else plan.drops)
        delete_rows(db, "open_report", "key", plan.closes + entry.closes if reads else plan.closes)
        self._plan_trim(db, plan, everything=everything)
        return plan

    def _plan(self, *, everything: bool) -> Plan:
        horizon = self._last if everything else self._horizon(time.monotonic())
        portion = len(self._messages) + len(self._opens) if everything else PORTION
        return Plan(_due(self._messages, horizon, portion), _due(self._opens, horizon, portion), [], [])

    def _horizon(self, now: float) -> int:
        """The number of the last entry that is old enough to be moved."""
        ages = self._ages
        while len(ages) > 1 and ages[1][0] <= now - KEEP_SECONDS:
            ages.popleft()
        return ages[0][1] if ages and ages[0][0] <= now - KEEP_SECONDS else 0

    def _plan_trim(self, db: sqlite3.Connection, plan: Plan, *, everything: bool) -> None:
        """Delete the entries that the tables hold whole by now."""
        if len(plan.drops) < len(self._stale_messages) or len(plan.closes) < len(self._stale_opens):
            return
        first = min(
            _first(self._messages, len(plan.messages), self._last), _first(self._opens, len(plan.opens), self._last)
        )
        if first - self._trimmed >= TRIM_ROWS or everything:
            db.execute("DELETE FROM journal WHERE seq <= ?", (first,))
            plan.trim = first

    def committed(self, entry: Entry, plan: Plan, *, reads: bool) -> None:
        """The transaction is on disk: remember what it did."""
        self._moved(plan)
        messages, opens = self._messages, self._opens
        if entry:
            self._last += 1
            number = self._last
            self._ages.append((time.monotonic(), number))
            for row in entry.messages:
                messages[row[0]] = (number, row)
            for open_row in entry.opens:
                opens[open_row[0]] = (number, open_row)
        for message_id in entry.tabled:
            messages.pop(message_id, None)
        for message_id in entry.drops:
            if messages.pop(message_id, None) is None and not reads:
                self._stale_messages.append(message_id)
        for key in entry.closes:
            if opens.pop(key, None) is None and not reads:
                self._stale_opens.append(key)

    def _moved(self, plan: Plan) -> None:
        for row in plan.messages:
            del self._messages[row[0]]
        for open_row in plan.opens:
            del self._opens[open_row[0]]
        if plan.drops:
            del self._stale_messages[: len(plan.drops)]
        if plan.closes:
            del self._stale_opens[: len(plan.closes)]
        if plan.trim:
            self._trimmed = plan.trim


def _due(rows: dict[Any, tuple[int, Any]], horizon: int, portion: int) -> list[Any]:
    found: list[Any] = []
    for number, row in rows.values():  # oldest first: that is their order
        if number > horizon or len(found) >= portion:
            break
        found.append(row)
    return found


def _first(rows: dict[Any, tuple[int, Any]], skipped: int, last: int) -> int:
    """The number of the last entry before the first row that stays in memory."""
    for place, (number, _row) in enumerate(rows.values()):
        if place >= skipped:
            return number - 1
    return last


def replay(db: sqlite3.Connection) -> int:
    """Bring the tables up to date with what the journal holds, empty it, and give the number to go on from.

    What left is deleted from the tables first, whether or not it came in by the same journal: it may have been moved before it left.
    """
    journal = Journal(0)
    drops: list[int] = []
    closes: list[str] = []
    for _seq, body in db.execute("SELECT seq, body FROM journal ORDER BY seq").fetchall():
        entry = decode_entry(body)
        journal.committed(entry, Plan([], [], [], []), reads=False)
        drops += entry.drops
        closes += entry.closes
    db.execute("BEGIN IMMEDIATE")
    delete_rows(db, "message", "id", drops)
    delete_rows(db, "open_report", "key", closes)
    journal.write(db, Entry([], [], [], [], []), reads=False, everything=True)
    db.execute("DELETE FROM journal")
    db.execute("COMMIT")
    return 0
