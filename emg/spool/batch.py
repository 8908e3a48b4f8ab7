"""One group commit: what is to be written together, and who wants to know.

A batch has two halves. *Intake* is what we have not taken responsibility for yet: new messages, reports from a provider. When the
commit fails, it is dropped and each `done` callback is told, so that the sender gets his "busy". *Settlement* is what happened to
messages that we hold: sent, failed, retried. It is never dropped: it joins the next batch until a commit succeeds.

Rows are collected as flat lists of SQL parameters, because a statement with many rows takes the interpreter's lock once, and one
statement a row would take it once a row, in competition with the event loop.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from emg.errors import SpoolError
from emg.spool import keys
from emg.spool.journal import Entry, Journal, MessageRow, OpenRow, Plan
from emg.spool.rows import run

Done = Callable[[Any, SpoolError | None], None]
Prompt = Callable[[Any], Callable[[], None] | None]
"""Asked in the loop's thread when the batch is handed over: what writes the answer in the writer's thread once it is committed, None: the loop will."""
log = logging.getLogger("emg.spool")

MESSAGE_WIDTH = 7
ORPHAN_WIDTH = 5
_MESSAGE = "(?,?,?,?,?,?,?)"


class Carrier(Protocol):
    """A session that messages are in flight on; see `emg.engine.lane`."""

    slot: int

    def seal(self) -> bytes:
        """The ids in flight from now on, 8 octets each; what was assigned up to now goes out with this commit."""

    def marked(self) -> None:
        """The commit that holds the last `seal` succeeded."""

    def advance(self) -> None:
        """Transmit what is marked."""

    def unmarked(self) -> None:
        """It failed; the next batch seals again."""


class Purse(Protocol):
    """An account's balance; see `emg.engine.charging`."""

    def seal(self) -> tuple[int, int]:
        """(account id, what it was charged), with everything of this batch."""


class Half:
    """The rows of intake or of settlement."""

    __slots__ = ("closes", "keys", "messages", "opens", "orphans", "residents")

    def __init__(self) -> None:
        self.residents: list[MessageRow] = []
        """New messages that are in memory: they go into the journal."""
        self.messages: list[Any] = []
        """All others, and those that changed, flat: they go into their table."""
        self.opens: list[OpenRow] = []
        self.closes: list[str] = []
        self.orphans: list[Any] = []
        self.keys: list[Any] = []
        """Under which messages were handed over, flat."""

    def __bool__(self) -> bool:
        return bool(self.residents or self.messages or self.opens or self.closes or self.orphans or self.keys)

    def extend(self, other: "Half") -> None:
        """Append what happened later."""
        self.residents += other.residents
        self.messages += other.messages
        self.opens += other.opens
        self.closes += other.closes
        self.orphans += other.orphans
        self.keys += other.keys


class Batch:
    """Everything of one commit."""

    __slots__ = (
        "answer",
        "balances",
        "carriers",
        "clears",
        "done",
        "drops",
        "error",
        "events",
        "groups",
        "highest",
        "intake",
        "intake_events",
        "lowest",
        "marks",
        "orphan_drops",
        "outbox_row",
        "prompts",
        "purses",
        "reads",
        "results",
        "settings",
        "settled",
        "statements",
        "until",
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
        self.purses: dict[Purse, None] = {}
        self.balances: list[int] = []
        self.clears: list[int] = []
        self.done: list[tuple[Done, Any]] = []
        self.prompts: list[tuple[Prompt, Any]] = []
        self.answer: Callable[[], None] | None = None
        """Called in the writer's thread right after COMMIT."""
        self.reads: list[tuple[Callable[[sqlite3.Connection], Any], Callable[[Any, Exception | None], None]]] = []
        self.results: list[tuple[Any, Exception | None]] = []
        self.events: list[bytes] = []
        """In the order in which things happened."""
        self.intake_events: list[int] = []
        """The places of those that are intake."""
        self.outbox_row = 0
        """The number that its events got in the outbox."""
        self.until = 0
        """Ids from here on were given out after it was handed over."""
        self.lowest = 0
        self.highest = 0
        self.error: SpoolError | None = None

    def __bool__(self) -> bool:
        return bool(
            self.intake or self.settled or self.drops or self.carriers or self.clears or self.reads or self.events
            or self.orphan_drops or self.groups or self.settings or self.statements or self.done or self.purses
        )  # fmt: skip

    @property
    def writes(self) -> bool:
        """There is something to commit, not only to read."""
        return bool(
            self.intake or self.settled or self.drops or self.marks or self.clears or self.events
            or self.orphan_drops or self.groups or self.settings or self.statements or self.balances
        )  # fmt: skip

    @property
    def size(self) -> int:
        """A measure of how much is in it: about one a row."""
        return len(self.done) + len(self.drops) + len(self.events)

    def tell(self, message_id: int, event: bytes) -> None:
        """Add an event."""
        self.events.append(event)
        if message_id > self.highest:
            self.highest = message_id
        if message_id < self.lowest or not self.lowest:
            self.lowest = message_id

    def seal(self) -> None:
        """Take each carrier's marks, each changed balance and the answer to a lone submission; called by the event loop's thread when the batch is handed to the writer."""
        for carrier in self.carriers:
            self.marks += (carrier.slot, carrier.seal())
        for purse in self.purses:
            self.balances += purse.seal()
        if len(self.prompts) == 1:  # many are answered at less cost by the loop: one write for all of a session
            prompt, argument = self.prompts[0]
            try:
                self.answer = prompt(argument)
            except Exception:  # the loop answers then; one session's fault must not cost the others their commit
                log.exception("an answer could not be prepared for the writer")

    def survive(self, later: "Batch") -> "Batch":
        """After a failed commit: settlement, marks, balances and reads of this batch, then all of the later one."""
        next_batch = Batch()
        next_batch.settled = self.settled
        next_batch.settled.extend(later.settled)
        next_batch.intake = later.intake
        dropped = set(self.intake_events)
        next_batch.events = [event for place, event in enumerate(self.events) if place not in dropped]
        next_batch.intake_events = [place + len(next_batch.events) for place in later.intake_events]
        next_batch.events += later.events
        next_batch.drops = self.drops + later.drops
        next_batch.orphan_drops = self.orphan_drops + later.orphan_drops
        next_batch.groups = {**self.groups, **later.groups}
        next_batch.settings = {**self.settings, **later.settings}
        next_batch.statements = self.statements + later.statements
        next_batch.carriers = {**self.carriers, **later.carriers}
        next_batch.purses = {**self.purses, **later.purses}
        next_batch.clears = self.clears + later.clears
        next_batch.done, next_batch.prompts = later.done, later.prompts
        next_batch.reads = self.reads + later.reads
        next_batch.lowest, next_batch.highest = later.lowest or self.lowest, max(self.highest, later.highest)
        return next_batch


def write(db: sqlite3.Connection, journal: Journal, batch: Batch, at: int) -> tuple[Entry, Plan]:
    """All of a batch, inside the caller's transaction; gives what `journal.committed` wants after it.

    First what is added, then what is removed: a message may be both.
    """
    intake, settled = batch.intake, batch.settled
    tabled = intake.messages[::MESSAGE_WIDTH] + settled.messages[::MESSAGE_WIDTH]
    run(db, "INSERT OR REPLACE INTO message VALUES ", _MESSAGE, "", intake.messages + settled.messages, MESSAGE_WIDTH)
    entry = Entry(intake.residents, settled.opens, tabled, batch.drops, intake.closes + settled.closes)
    plan = journal.write(db, entry, reads=bool(batch.reads), everything="clean" in batch.settings)
    run(db, "INSERT OR REPLACE INTO orphan VALUES ", "(?,?,?,?,?)", "", intake.orphans + settled.orphans, ORPHAN_WIDTH)
    run(db, "INSERT INTO submission VALUES ", "(?,?,?,?,?,?,?)", "", intake.keys, keys.WIDTH)
    run(db, "DELETE FROM orphan WHERE number IN (", "?", ")", batch.orphan_drops, 1)
    run(db, "INSERT OR REPLACE INTO mark VALUES ", "(?,?)", "", batch.marks, 2)
    run(db, "DELETE FROM mark WHERE slot IN (", "?", ")", batch.clears, 1)
    run(db, "INSERT OR REPLACE INTO balance VALUES ", "(?,?)", "", batch.balances, 2)
    for parent, group in batch.groups.items():
        if group is None:
            db.execute("DELETE FROM part_group WHERE parent=?", (parent,))
        else:
            db.execute("INSERT OR REPLACE INTO part_group VALUES (?,?,?)", (parent, *group))
    for name, value in batch.settings.items():
        db.execute("INSERT OR REPLACE INTO setting VALUES (?,?)", (name, value))
    for text, parameters in batch.statements:
        db.execute(text, parameters)
    events = batch.events
    if events:
        written = db.execute(
            "INSERT INTO outbox (at,lowest,highest,count,body) VALUES (?,?,?,?,?)",
            (at, batch.lowest, batch.highest, len(events), b"".join(events)),
        )
        batch.outbox_row = written.lastrowid or 0
    return entry, plan
