"""One group commit: what is to be written together, and who wants to know.

A batch has two halves. *Intake* is what we have not taken responsibility for yet: new messages, reports from a provider. When the
commit fails, it is dropped and each `done` callback is told, so that the sender gets his "busy". *Settlement* is what happened to
messages that we hold: sent, failed, retried. It is never dropped: it joins the next batch until a commit succeeds.

Rows are collected as flat lists of SQL parameters, because a statement with many rows takes the interpreter's lock once, and one
statement a row would take it once a row, in competition with the event loop.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from emg.errors import SpoolError

Done = Callable[[Any, SpoolError | None], None]

MESSAGE_WIDTH = 7
OPEN_WIDTH = 3
ORPHAN_WIDTH = 5
_STEP = 16
"""Statements exist for 1–15 rows and for multiples of 16 up to `_MOST`: few enough to stay prepared."""
_MOST = 256


class Carrier(Protocol):
    """A session that messages are in flight on; see `emg.engine.lane`."""

    slot: int

    def seal(self) -> bytes:
        """The ids in flight from now on, 8 octets each; what was assigned up to now goes out with this commit."""

    def marked(self) -> None:
        """The commit that holds the last `seal` succeeded."""

    def unmarked(self) -> None:
        """It failed; the next batch seals again."""


class Half:
    """The rows of intake or of settlement."""

    __slots__ = ("closes", "events", "highest", "lowest", "messages", "opens", "orphans")

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.opens: list[Any] = []
        self.closes: list[Any] = []
        self.orphans: list[Any] = []
        self.events: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self.messages or self.opens or self.closes or self.orphans or self.events)

    def extend(self, other: "Half") -> None:
        """Append what happened later."""
        self.messages += other.messages
        self.opens += other.opens
        self.closes += other.closes
        self.orphans += other.orphans
        self.events += other.events


class Batch:
    """Everything of one commit."""

    __slots__ = (
        "carriers",
        "clears",
        "done",
        "drops",
        "error",
        "groups",
        "highest",
        "intake",
        "lowest",
        "marks",
        "orphan_drops",
        "reads",
        "results",
        "settings",
        "settled",
        "statements",
    )

    def __init__(self) -> None:
        self.intake = Half()
        self.settled = Half()
        self.drops: list[int] = []
        self.orphan_drops: list[int] = []
        self.groups: dict[int, tuple[int, bytes] | None] = {}
        self.settings: dict[str, int] = {}
        self.statements: list[tuple[str, Sequence[Any]]] = []
        self.carriers: dict[Carrier, None] = {}
        self.marks: list[Any] = []
        self.clears: list[int] = []
        self.done: list[tuple[Done, Any]] = []
        self.reads: list[tuple[Callable[[sqlite3.Connection], Any], Callable[[Any, Exception | None], None]]] = []
        self.results: list[tuple[Any, Exception | None]] = []
        self.lowest = 0
        self.highest = 0
        self.error: SpoolError | None = None

    def __bool__(self) -> bool:
        return bool(
            self.intake or self.settled or self.drops or self.carriers or self.clears or self.reads
            or self.orphan_drops or self.groups or self.settings or self.statements or self.done
        )  # fmt: skip

    @property
    def writes(self) -> bool:
        """There is something to commit, not only to read."""
        return bool(
            self.intake or self.settled or self.drops or self.marks or self.clears
            or self.orphan_drops or self.groups or self.settings or self.statements
        )  # fmt: skip

    @property
    def size(self) -> int:
        """A measure of how much is in it: about one a row."""
        return len(self.done) + len(self.drops) + len(self.settled.events)

    def seal(self) -> None:
        """Take each carrier's marks; called by the event loop's thread when the batch is handed to the writer."""
        for carrier in self.carriers:
            self.marks += (carrier.slot, carrier.seal())

    def survive(self, later: "Batch") -> "Batch":
        """After a failed commit: settlement, marks and reads of this batch, then all of the later one."""
        next_batch = Batch()
        next_batch.settled = self.settled
        next_batch.settled.extend(later.settled)
        next_batch.intake = later.intake
        next_batch.drops = self.drops + later.drops
        next_batch.orphan_drops = self.orphan_drops + later.orphan_drops
        next_batch.groups = {**self.groups, **later.groups}
        next_batch.settings = {**self.settings, **later.settings}
        next_batch.statements = self.statements + later.statements
        next_batch.carriers = {**self.carriers, **later.carriers}
        next_batch.clears = self.clears + later.clears
        next_batch.done = later.done
        next_batch.reads = self.reads + later.reads
        next_batch.lowest, next_batch.highest = later.lowest or self.lowest, max(self.highest, later.highest)
        return next_batch


_MESSAGE = "(?,?,?,?,?,?,?)"
_texts: dict[tuple[str, str, int, str], str] = {}


def _run(db: sqlite3.Connection, head: str, row: str, tail: str, flat: list[Any], width: int) -> None:
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


def write(db: sqlite3.Connection, batch: Batch, at: int) -> None:
    """All rows of a batch, inside the caller's transaction. First what is added, then what is removed: a message may be both."""
    intake, settled = batch.intake, batch.settled
    _run(db, "INSERT INTO message VALUES ", _MESSAGE, "", intake.messages, MESSAGE_WIDTH)
    _run(db, "INSERT OR REPLACE INTO message VALUES ", _MESSAGE, "", settled.messages, MESSAGE_WIDTH)
    for half in (intake, settled):
        _run(db, "INSERT OR REPLACE INTO open_report VALUES ", "(?,?,?)", "", half.opens, OPEN_WIDTH)
        _run(db, "INSERT OR REPLACE INTO orphan VALUES ", "(?,?,?,?,?)", "", half.orphans, ORPHAN_WIDTH)
    _run(db, "DELETE FROM message WHERE id IN (", "?", ")", batch.drops, 1)
    _run(db, "DELETE FROM orphan WHERE number IN (", "?", ")", batch.orphan_drops, 1)
    _run(db, "DELETE FROM open_report WHERE key IN (", "?", ")", intake.closes + settled.closes, 1)
    _run(db, "INSERT OR REPLACE INTO mark VALUES ", "(?,?)", "", batch.marks, 2)
    _run(db, "DELETE FROM mark WHERE slot IN (", "?", ")", batch.clears, 1)
    for parent, group in batch.groups.items():
        if group is None:
            db.execute("DELETE FROM part_group WHERE parent=?", (parent,))
        else:
            db.execute("INSERT OR REPLACE INTO part_group VALUES (?,?,?)", (parent, *group))
    for name, value in batch.settings.items():
        db.execute("INSERT OR REPLACE INTO setting VALUES (?,?)", (name, value))
    for text, parameters in batch.statements:
        db.execute(text, parameters)
    events = intake.events + settled.events
    if events:
        db.execute(
            "INSERT INTO outbox (at,lowest,highest,count,body) VALUES (?,?,?,?,?)",
            (at, batch.lowest, batch.highest, len(events), b"".join(events)),
        )
