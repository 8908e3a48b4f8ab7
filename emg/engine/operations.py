"""What an operator does to queues and messages while traffic runs: clear, move, cancel, inject a report.

A `Sweep` goes through one queue: first what waits in memory, then page by page what waits on disk, then memory once more for what came
in between. It takes what was accepted before it began and is not in flight; the queue's head is not refilled meanwhile, so that the order is
kept. Each page is one turn of the event loop, and the next one is asked for only when the commit that holds the last one's outcome
succeeded: a full disk stops a sweep, it does not fill the memory. A change is an event like any other, so that each message's story tells of it.

Nothing is done twice: what a page shows is checked against what happened since it was asked for (`Lanes.stale`).
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event

from emg.engine import events
from emg.engine.engine import Engine
from emg.engine.lane import Lane
from emg.engine.lanes import DELAYED_LIMIT
from emg.errors import Cause, ControlError, SpoolError
from emg.message import Message
from emg.spool.opening import decode_message
from emg.spool.schema import DEFERRED, RESIDENT, SPILLED

PAGE = 250
CLAIM_SECONDS = 30.0
MOST_ROUNDS = 10
"""Messages change their place while a sweep passes (what was deferred becomes due): it goes round until it finds nothing."""

log = logging.getLogger("emg.engine")
_Row = tuple[int, int, int, int, bytes]
"""id, rank, due, queue, body."""


class Selection:
    """Which messages of a queue are meant: those of an account, to numbers with a prefix; empty means all."""

    __slots__ = ("account", "before", "prefix")

    def __init__(self, account: str = "", prefix: str = "") -> None:
        self.account = account
        self.prefix = prefix
        self.before = 0
        """Ids from here on came too late."""

    def takes(self, message: Message) -> bool:
        """This one is meant."""
        return (
            message.id < self.before
            and (not self.account or message.account == self.account)
            and message.dest.startswith(self.prefix)
        )


class Sweep:
    """One operation over one queue, from `run` to its end; `status` says how far it is."""

    def __init__(
        self, engine: Engine, lane: Lane, selection: Selection, act: "Act", *, verb: str, dry: bool = False
    ) -> None:
        self.lane = lane
        self.verb = verb
        self.dry = dry
        self.count = 0
        """Messages done, or counted."""
        self.fault = ""
        self.began = time.time()
        self.over = gevent.event.Event()
        selection.before = engine.spool.next_id()
        self._engine = engine
        self._selection = selection
        self._act = act

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""
        return {
            "operation": self.verb,
            "queue": self.lane.name,
            "messages": self.count,
            "complete": self.over.is_set() and not self.fault,
            "fault": self.fault,
            "seconds": round(time.time() - self.began, 3),
        }

    def run(self) -> None:
        """Do it, in the calling greenlet. Never raises for a spool that cannot write; `fault` says so then."""
        lane = self.lane
        claimed = False
        try:
            self._engine.spool.settle()  # what was accepted up to now is kept, or was taken back
            claimed = self._claim()
            self._in_memory()
            for _ in range(MOST_ROUNDS):
                if not self._round() or self.dry:
                    break
            self._engine.spool.settle()
        except Stopped as reason:
            self.fault = str(reason)
        except SpoolError as error:
            self.fault = str(error)
        finally:
            if claimed:
                lane.tail.reading = False
                lane.tail.rewound = None  # nothing was loaded that the cursors would have gone past
            self._engine.lanes.touch(lane)
            self.over.set()

    def _round(self) -> bool:
        """Once through the disk, and what came into memory meanwhile; True when there was anything."""
        before = self.count
        for place in (DEFERRED, SPILLED):
            for _ in self._on_disk(place):
                gevent.sleep(0)
        if not self.dry:
            self._in_memory()
        return self.count > before

    def _claim(self) -> bool:
        """Keep the queue's head from being refilled."""
        deadline = time.monotonic() + CLAIM_SECONDS
        while self.lane.tail.reading:
            if time.monotonic() > deadline:
                raise Stopped("the queue is being read and that does not end")
            gevent.sleep(0.01)
        self.lane.tail.reading = True
        return True

    def _in_memory(self) -> None:
        lane = self.lane
        if not self.dry:
            self._engine.lanes.recall(lane)
        for message in sorted(lane.waiting.values(), key=_order):
            if self._selection.takes(message) and message.id in lane.waiting:
                if not self.dry:
                    self._act.waiting(lane, message)
                self.count += 1

    def _on_disk(self, place: int) -> Iterator[None]:
        """A step a page."""
        after = (-1, -1)
        lanes = self._engine.lanes
        while True:
            page = lanes.begin_page()
            try:
                rows = self._engine.spool.ask(_query(place, self.lane.number, after))
                for row in rows:
                    self._row(place, row, page)
            finally:
                lanes.page_read()
            if len(rows) < PAGE:
                return
            last = rows[-1]
            after = (last[2], last[0]) if place == DEFERRED else (last[1], last[0])
            yield

    def _row(self, place: int, row: _Row, page: int) -> None:
        number, _rank, _due, queue, body = row
        lane = self.lane
        if queue != lane.number or self._engine.lanes.stale(number, page):
            return
        message = decode_message(body)
        if not self._selection.takes(message) or lane.holds(number):
            return
        message.queue = lane.name
        if not self.dry:
            self._act.on_disk(lane, message, place)
        self.count += 1


class Stopped(Exception):
    """A sweep cannot go on; the sentence says why. What is done is done."""


class Act:
    """What a sweep does to each message. `waiting`: it is in memory; `on_disk`: it is not."""

    def waiting(self, lane: Lane, message: Message) -> None:
        """Raises Stopped."""
        raise NotImplementedError

    def on_disk(self, lane: Lane, message: Message, place: int) -> None:
        """Raises Stopped."""
        raise NotImplementedError


class Clear(Act):
    """End it as deleted; a failure report goes to whoever asked for one."""

    def __init__(self, engine: Engine) -> None:
        self._lanes = engine.lanes

    def waiting(self, lane: Lane, message: Message) -> None:
        """See `Act`."""
        if self._lanes.take(message) is not None:
            self._lanes.end(message, lane, Cause.DELETED)

    def on_disk(self, lane: Lane, message: Message, place: int) -> None:
        """See `Act`."""
        self._lanes.end_on_disk(message, place, Cause.DELETED)


class Move(Act):
    """Put it into another queue, behind what its account has there, with all its tries before it."""

    def __init__(self, engine: Engine, target: Lane) -> None:
        self._lanes = engine.lanes
        self._spool = engine.spool
        self._ports = engine.ports
        self._charging = engine.charging
        self._target = target

    def waiting(self, lane: Lane, message: Message) -> None:
        """See `Act`."""
        self._check()
        if self._lanes.take(message) is not None:
            self._place(lane, message, in_memory=True)

    def on_disk(self, lane: Lane, message: Message, place: int) -> None:
        """See `Act`."""
        self._check()
        if place == DEFERRED:
            lane.deferred -= 1
        else:
            lane.tail.gone()
        self._place(lane, message, in_memory=False)

    def _check(self) -> None:
        if self._target.full:
            raise Stopped(f"the queue of {self._target.name} is full")

    def _place(self, source: Lane, message: Message, *, in_memory: bool) -> None:
        target, now = self._target, time.time()
        self._lanes.changed(message.id)
        source.size -= 1
        target.size += 1
        message.queue = target.name
        message.tries = 0
        message.turn = 0
        place = RESIDENT
        if message.due > now:
            if in_memory and len(target.delayed) < DELAYED_LIMIT:
                target.delay(message)
            else:
                target.deferred += 1
                place = DEFERRED
        else:
            if target.turns is not None:
                message.turn = target.turns.take(message.rank, message.account)
            place = self._lanes.place(message, target)
        moved = events.Moved(message.id, now, source.name, target.name, message.accepted)
        if message.part is not None:
            moved.parent = message.part.parent
        port = self._ports.get(target.name.partition("/")[0])
        if port is not None:
            moved.cost = self._charging.move(message, port)
        self._spool.update(message, target.number, place)
        self._spool.event(message.id, events.encode(moved))
        self._lanes.touch(target)


def _order(message: Message) -> tuple[int, int]:
    return message.order, message.id


def _query(place: int, queue: int, after: tuple[int, int]) -> Callable[[sqlite3.Connection], list[_Row]]:
    """One page of what waits on disk: of one queue in its order, or of all deferred messages by time (they have no index by queue)."""
    if place == SPILLED:
        text = (
            "SELECT id, rank, due, queue, body FROM message WHERE place = 1 AND queue = ? AND (rank, id) > (?, ?)"
            " ORDER BY rank, id LIMIT ?"
        )
        return lambda db: db.execute(text, (queue, *after, PAGE)).fetchall()
    text = (
        "SELECT id, rank, due, queue, body FROM message WHERE place = 2 AND (due, id) > (?, ?) ORDER BY due, id LIMIT ?"
    )
    return lambda db: db.execute(text, (*after, PAGE)).fetchall()


class Operations:
    """The operations of one gateway; one sweep at a time for each queue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sweeps: dict[str, Sweep] = {}
        """The last one of each queue that had one."""

    def clear(self, lane: Lane, selection: Selection, *, dry: bool = False) -> Sweep:
        """End the messages that wait in a queue. Raises ControlError, SpoolError."""
        return self._start(Sweep(self._engine, lane, selection, Clear(self._engine), verb="clear", dry=dry))

    def move(self, lane: Lane, target: Lane, selection: Selection, *, dry: bool = False) -> Sweep:
        """Move the messages that wait in a queue to another one. Raises ControlError, SpoolError."""
        if target is lane:
            raise ControlError(f"the messages are in queue {lane.name} already", 409)
        if not dry and self.running(target.name) is not None:
            raise ControlError(f"queue {target.name} is being swept itself: wait until that is over", 409)
        return self._start(Sweep(self._engine, lane, selection, Move(self._engine, target), verb="move", dry=dry))

    def running(self, queue: str) -> Sweep | None:
        """The sweep that is going through this queue now."""
        sweep = self.sweeps.get(queue)
        return sweep if sweep is not None and not sweep.over.is_set() else None

    def _start(self, sweep: Sweep) -> Sweep:
        name = sweep.lane.name
        running = self.running(name)
        if running is not None:
            raise ControlError(f"a {running.verb} of queue {name} is under way: wait until it is over", 409)
        for other in [name for name, known in self.sweeps.items() if known.over.is_set()]:
            del self.sweeps[other]
        self.sweeps[name] = sweep
        gevent.spawn(self._run, sweep)
        return sweep

    def _run(self, sweep: Sweep) -> None:
        try:
            sweep.run()
        finally:
            if not sweep.dry:
                told = sweep.status()
                log.info(
                    "queue %s: %s of %d messages %s",
                    sweep.lane.name,
                    sweep.verb,
                    sweep.count,
                    told["fault"] or "is done",
                )
