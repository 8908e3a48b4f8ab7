"""The spool: where every message is that we answer for.

Everything that must survive is collected in the pending `Batch` and committed in groups by the writer thread. At the end of a turn of
the event loop in which anything was added, the `before_commit` hooks run (queues assign messages to sessions there, so that their
in-flight marks join the very commit that keeps the message), the batch is sealed and handed over; what comes meanwhile waits for the next.

Promises: a callback given to `when_kept` runs once, with None after the fsync, or with the SpoolError after the batch failed, in
which case nothing given to the `intake` calls since is kept. Settlement calls cannot fail: they are tried until they succeed.
While the spool is `full`, `admit` refuses at once. `SpoolError` at opening says in a sentence what is wrong.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from math import ceil
from typing import Any, TypeVar, cast

import gevent
import gevent.event
import msgspec

from emg.errors import SpoolError
from emg.message import TURN_BITS, Message, OpenReport
from emg.spool import outbox
from emg.spool.asking import wait_for
from emg.spool.batch import Batch, Carrier, Done, Prompt, Purse
from emg.spool.ids import Ids
from emg.spool.journal import Journal
from emg.spool.keys import Row
from emg.spool.schema import RESIDENT, report_key
from emg.spool.telling import hand_out, nothing, tell
from emg.spool.transmission import Transmission
from emg.spool.writer import Writer

RETRY_SECONDS = 0.25
LAZY_SECONDS = 0.004
"""How long what nobody waits for may gather before it is committed."""
GATHER_ROWS = 24
GATHER_SECONDS_A_ROW, GATHER_LIMIT = 0.00006, 0.006
"""After a batch of more than GATHER_ROWS rows the next one gathers for a time that goes with its size, up to the limit: fewer
commits, each for more messages. A sender that waits for each answer never meets this."""

log = logging.getLogger("emg.spool")
T = TypeVar("T")
_encode = msgspec.msgpack.Encoder().encode


class Spool:
    """See the module's text. Built by `emg.spool.opening.open_spool`, which has reserved the first ids from `next_id` on."""

    def __init__(
        self, db: sqlite3.Connection, journal: Journal, path: str, node: int, next_id: int, queues: dict[str, int]
    ) -> None:
        self.path = path
        self.before_commit: list[Callable[[], None]] = []
        self.on_commit: Callable[[int, float], None] | None = None
        """Told of each commit, failed ones too: about how many rows, and the seconds it took."""
        self.refusals = 0
        self.outbox_events = 0
        self.outbox_last = 0
        """Number of the outbox's last row."""
        self.identity = 0
        self.barred = ""
        """Why nothing new is taken although it could be written; empty: it is."""
        self._unnoted = 0
        self.full_since = 0.0
        """Monotonic time since when commits fail, 0 while they succeed."""
        self.closing = False
        """It is being closed, or is: nobody may begin anything more with it."""
        self._db = db
        self._ids = Ids(node, next_id, self._reserve_ids)
        self.decided = self._ids.upcoming
        """Whatever has an id below this is kept, or gone. Others must not end yet: their end would be kept also where they are not."""
        self.next_id = self._ids.next
        """A message id that was never given out before. Raises SpoolError when the reserved ones are used up (commits fail)."""
        self._queues = queues
        self._slot = int(db.execute("SELECT coalesce(max(slot), 0) FROM mark").fetchone()[0])
        self.on_close: list[Callable[[], None]] = []
        self._pending = Batch()
        self._planned = False
        self._lazy = False
        self._refuse_until = 0.0
        self._loop = gevent.get_hub().loop
        self._timer = self._lazy_timer = cast(Any, None)
        self._idle = gevent.event.Event()
        self._idle.set()
        self._transmission = Transmission()
        self.writer = Writer(db, journal, self._on_finished)
        self.writer.start()

    # -- ids, queues, slots

    def _reserve_ids(self, limit: int, kept: Done) -> None:
        self._pending.settings["next_id"] = limit
        self.when_kept(kept, limit)

    def note(self, name: str, value: int) -> None:
        """Keep a number under a name with the next commit; of several for one name, the last."""
        self._pending.settings[name] = value

    def queue_number(self, name: str) -> int:
        """The number that stands for a queue's name in the table."""
        number = self._queues.get(name)
        if number is None:
            number = self._queues[name] = max(self._queues.values(), default=0) + 1
            self._pending.statements.append(("INSERT OR IGNORE INTO queue VALUES (?,?)", (number, name)))
        return number

    def new_slot(self) -> int:
        """A number for a session's in-flight marks."""
        self._slot += 1
        return self._slot

    # -- intake: dropped, and its callbacks told, when the commit fails

    def admit(self) -> None:
        """Raise SpoolError while new messages cannot be kept."""
        if self.full_since and time.monotonic() < self._refuse_until:
            self.refusals += 1
            raise SpoolError("the spool is full", full=True)

    def admit_new(self) -> None:
        """The same for what nobody has answered for yet: reports about messages that we have are let in even when it is barred."""
        self.admit()
        if self.barred:
            self.refusals += 1
            raise SpoolError(self.barred, full=True)

    def accept(self, message: Message, queue: int, place: int = RESIDENT) -> None:
        """Keep a new message (or a report, or a part) with the next commit.

        The row's times are whole seconds, rounded up: nothing leaves before it is due, or ends before its validity does.
        """
        order = message.rank << TURN_BITS | message.turn  # Message.order, without the call
        row = (message.id, queue, order, place, ceil(message.due), ceil(message.expires), _encode(message))
        if place == RESIDENT:
            self._pending.intake.residents.append(row)
        else:
            self._pending.intake.messages += row
        if not self._planned:
            self.plan()

    def when_kept(self, done: Done, argument: Any, prompt: tuple[Prompt, Any] | None = None) -> None:
        """Call `done(argument, error)` after the commit of everything that was taken in up to now; a prompt with its argument may answer a moment before."""
        self._pending.done.append((done, argument))
        if prompt is not None:
            self._pending.prompts.append(prompt)
        if not self._planned:
            self.plan()

    def take_event(self, message_id: int, event: bytes) -> None:
        """An outbox event that belongs to an intake."""
        pending = self._pending
        pending.intake_events.append(len(pending.events))
        pending.tell(message_id, event)
        if not self._planned:
            self.plan()

    def take_close(self, report: OpenReport) -> None:
        """The open report has been answered, provided that the intake of the answer succeeds."""
        self._pending.intake.closes.append(report_key(report.provider, report.remote_id, report.id))
        if not self._planned:
            self.plan()

    def take_key(self, row: Row) -> None:
        """The key under which the message that is being taken in was handed over."""
        self._pending.intake.keys += row

    def take_orphan(self, number: int, provider: str, remote_id: str, received: float, body: bytes) -> None:
        """Keep a report that matches nothing yet."""
        self._pending.intake.orphans += (number, provider, remote_id, int(received), body)
        if not self._planned:
            self.plan()

    # -- settlement: tried until it succeeds

    def update(self, message: Message, queue: int, place: int = RESIDENT) -> None:
        """A message that we hold has changed: another try, another queue, a later time."""
        body = _encode(message)
        row = (message.id, queue, message.order, place, ceil(message.due), ceil(message.expires), body)
        self._pending.settled.messages += row
        if not self._planned:
            self.plan()

    def drop(self, message_id: int) -> None:
        """The message has left the spool for good."""
        self._pending.drops.append(message_id)
        if not self._planned:
            self._plan_lazily()

    def open_report(self, report: OpenReport) -> None:
        """Sent; its report is awaited."""
        key = report_key(report.provider, report.remote_id, report.id)
        self._pending.settled.opens.append((key, int(report.expires), _encode(report)))

    def close_report(self, report: OpenReport) -> None:
        """Its report is not awaited any more."""
        self._pending.settled.closes.append(report_key(report.provider, report.remote_id, report.id))
        self.plan()

    def event(self, message_id: int, event: bytes) -> None:
        """An outbox event about a message that we hold."""
        self._pending.tell(message_id, event)
        if not self._planned:
            self._plan_lazily()

    def drop_orphan(self, number: int) -> None:
        """The orphan was matched, or is too old, or too many."""
        self._pending.orphan_drops.append(number)
        self.plan()

    def keep_group(self, parent: int, expires: float, body: bytes | None) -> None:
        """The parts of a long message: how far they are; None when all are final."""
        self._pending.groups[parent] = None if body is None else (int(expires), body)
        self.plan()

    def mark(self, carrier: Carrier) -> None:
        """The set of messages in flight on this carrier has changed."""
        self._pending.carriers[carrier] = None
        if not self._planned:
            self._plan_lazily()

    def balance(self, purse: Purse) -> None:
        """What an account was charged has changed, with the event that says so."""
        self._pending.purses[purse] = None
        if not self._planned:
            self._plan_lazily()

    def clear_marks(self, carrier: Carrier) -> None:
        """The carrier is gone; its messages have been put back or settled in this batch."""
        self._pending.carriers.pop(carrier, None)
        self._pending.clears.append(carrier.slot)
        self.plan()

    def forget_marks(self, highest_slot: int) -> None:
        """The messages marked by an earlier run have been looked at; their marks go with the commit that holds the outcome."""
        self.execute("DELETE FROM mark WHERE slot <= ?", (highest_slot,))

    @property
    def highest_slot(self) -> int:
        """The last slot given out, by this run or an earlier one."""
        return self._slot

    def execute(self, text: str, parameters: tuple[Any, ...]) -> None:
        """A statement of the spool's own upkeep, with the next commit."""
        self._pending.statements.append((text, parameters))
        self.plan()

    # -- reading

    def read(
        self, query: Callable[[sqlite3.Connection], T], callback: Callable[[T | None, Exception | None], None]
    ) -> None:
        """Run `query(db)` in the writer's thread after the next commit; `callback(result, error)` in the loop's."""
        self._pending.reads.append((query, callback))
        if not self._planned:
            self.plan()

    def ask(self, query: Callable[[sqlite3.Connection], T], seconds: float = 30.0) -> T:
        """`read`, waited for by the calling greenlet. Raises SpoolError, also when the answer takes too long."""

        def start(answered: Callable[[T | None, Exception | None], None]) -> None:
            self.read(query, answered)

        return wait_for(start, seconds)

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until everything given up to now is on disk. Raises SpoolError when it is not by then; it is kept later, or redone."""
        self.ask(nothing, seconds)

    # -- committing

    @property
    def commits(self) -> int:
        """Successful commits since the start."""
        return self.writer.commits

    @property
    def commit_seconds(self) -> float:
        """How long the present commit has been running, 0 when none is."""
        return time.monotonic() - self.writer.busy_since if self.writer.busy else 0.0

    def plan(self) -> None:
        """Run the `before_commit` hooks soon, and commit what is pending and what they add."""
        if not self._planned:
            self._planned = True
            self._idle.clear()
            if not self.writer.busy and self._timer is None:
                self._loop.run_callback(self._hand_over)

    def _plan_lazily(self) -> None:
        """Commit within LAZY_SECONDS, or with whatever has to be committed sooner: nobody waits for it.

        A settlement alone would stand in the way of the next message: a sender that waits for each answer would wait for two commits.
        """
        if not self._lazy:
            self._lazy = True
            self._idle.clear()
            self._lazy_timer = self._loop.timer(LAZY_SECONDS)
            self._lazy_timer.start(self.plan)

    def _hand_over(self) -> None:
        """Seal the pending batch and give it to the writer, unless that is at work: then its end comes back here."""
        if self.writer.busy or self._timer is not None:
            return
        for hook in self.before_commit:
            hook()
        self._planned = False
        if self._lazy:
            self._lazy = False
            self._lazy_timer.close()
        batch = self._pending
        if not batch:
            self._idle.set()
            return
        self._pending = Batch()
        self._unnoted += 1
        if self._unnoted >= outbox.NOTE_COMMITS or batch.statements:  # a statement may be the outbox's own trimming
            self._unnoted = 0
            batch.settings.update(outbox.note(self.outbox_events, self.outbox_last))
        batch.seal()
        batch.until = self._ids.upcoming
        self.writer.submit(batch)
        self._transmission.go()

    def _on_finished(self, batch: Batch) -> None:
        self.decided = batch.until
        if self.on_commit is not None:
            self.on_commit(batch.size, time.monotonic() - self.writer.busy_since)
        if batch.error is not None:
            self._failed(batch, batch.error)
        else:
            self._succeeded(batch)
            hand_out(batch)
        if not self._planned:
            if not self._pending:
                self._idle.set()
            elif not self._lazy:
                self.plan()
        elif self._timer is None:
            rows = batch.size
            if rows > GATHER_ROWS:
                self._wait(min(rows * GATHER_SECONDS_A_ROW, GATHER_LIMIT))
            else:
                self._loop.run_callback(self._hand_over)

    def _succeeded(self, batch: Batch) -> None:
        if self.full_since and batch.writes:
            log.warning("the spool writes again after %.1f s", time.monotonic() - self.full_since)
            self.full_since = 0.0
        self.outbox_events += len(batch.events)
        self.outbox_last = batch.outbox_row or self.outbox_last
        tell(batch, None)
        self._transmission.begin(batch.carriers, give_way=batch.answer is not None)

    def _failed(self, batch: Batch, error: SpoolError) -> None:
        now = time.monotonic()
        if not self.full_since:
            self.full_since = now
            log.error("%s; new messages are refused until it can", error)
        self._refuse_until = now + RETRY_SECONDS
        for carrier in batch.carriers:
            carrier.unmarked()
        self._pending = batch.survive(self._pending)
        self._planned = True
        self._wait(RETRY_SECONDS)
        self.refusals += len(batch.done)
        tell(batch, error)

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.timer(seconds)
        self._timer.start(self._waited)

    def _waited(self) -> None:
        self._timer.close()
        self._timer = None
        self._hand_over()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until everything given up to now is committed; False when it is not by then."""
        return bool(self._idle.wait(seconds))

    def close(self) -> None:
        """Commit what is pending, note that the end was orderly, and close the file. Raises SpoolError when it could not be written."""
        self.closing = True
        self._pending.settings["clean"] = 1
        self.plan()
        if not self.flush():
            raise SpoolError("the spool could not write its last changes; they are redone at the next start")
        self.writer.stop()
        self._transmission.go()
        self._db.close()
        for release in self.on_close:
            release()
