"""All lanes of a gateway: the only place where messages change queue, memory or carrier.

Keeps what a lane holds in memory and what the spool holds in step. Everything here runs in the event loop's thread and waits for
nothing; what reads from disk comes back by callback. `tick` is called every second by the gateway and does what time brings:
messages that become due, messages that expire.
"""

import logging
import time
from collections.abc import Callable, Iterator

import gevent

from emg.engine import paging
from emg.engine.carrier import Carrier
from emg.engine.lane import Lane
from emg.engine.shares import Shares
from emg.errors import Cause
from emg.message import Message
from emg.spool.schema import DEFERRED, RESIDENT, SPILLED
from emg.spool.spool import Spool

DELAYED_LIMIT = 500
"""Retries of one lane that wait in memory; more of them wait in the spool."""
CROWD = 200_000
"""With more messages than these in all lanes, wherever they stand, the heads get shorter:"""
CROWDED_HEAD = 50
LATE_LIMIT = 1000
"""Messages of one lane that wait for the page that is being read, to be put before or behind its end."""
ACCOUNT_HEAD = 200
"""Head of an account's lane: there may be thousands of these."""

log = logging.getLogger("emg.engine")

Ended = Callable[[Message, Lane, Cause], None]


def _unheard(_message: Message, _lane: Lane, _cause: Cause) -> None:
    """Until the reporter listens there is nothing that could end."""
    raise AssertionError("a message ended before anybody was there to report it")


class Lanes:
    """See the module's text. `ended(message, lane, cause)` is told of each message that expired or
    was deleted by an operator, and has it leave its lane by `finished`.
    """

    def __init__(self, spool: Spool, *, head_limit: int = 2000) -> None:
        self.by_name: dict[str, Lane] = {}
        self.ended: Ended = _unheard
        self.ending: set[int] = set()
        """Ids whose end is being written: a page that still shows them must not end them again."""
        self.total = 0
        """Messages in all lanes."""
        self.shares: Shares | None = None
        """Messages by account, while an account has a bound of its own."""
        self.spool = spool
        self._head_limit = head_limit
        self._dirty: dict[Lane, None] = {}
        self._wakes: list[tuple[float, Lane]] = []
        self.waking = False
        self.expiring = False
        self.reading = 0
        """Pages asked for and not yet here."""
        self._changed: dict[int, int] = {}
        """Ids whose row changed its meaning while pages were being read, and the number of the last of these pages."""
        self._page = 0
        self.on_new: Callable[[Lane], None] = lambda _lane: None
        """Told of every lane that is made."""
        self._by_number: dict[int, Lane] = {}
        self._loop = gevent.get_hub().loop
        spool.before_commit.append(self.pump)

    def get(self, name: str) -> Lane:
        """The lane of this name, made when it does not exist yet."""
        lane = self.by_name.get(name)
        if lane is None:
            one_account = "/" in name
            head = ACCOUNT_HEAD if one_account else self._head_limit
            lane = self.by_name[name] = Lane(
                name, self.spool.queue_number(name), head_limit=head, shared=not one_account
            )
            self._by_number[lane.number] = lane
            self.on_new(lane)
        return lane

    def by_number(self, number: int) -> Lane:
        """The lane that a row of the spool names."""
        return self._by_number[number]

    # -- messages coming in

    def add(self, message: Message, lane: Lane) -> int:
        """Queue a new message; gives the place with which the caller has the spool keep it."""
        message.queue = lane.name
        lane.size += 1
        self.total += 1
        if self.shares is not None:
            self.shares.add(message)
        if message.due:
            lane.deferred += 1
            return DEFERRED
        self._dirty[lane] = None  # also for a spilled one: it may be the first, and somebody has to load it
        if lane.turns is not None:
            message.turn = lane.turns.take(message.rank, message.account)
        return self.place(message, lane)

    def place(self, message: Message, lane: Lane) -> int:
        """Put a message that is not in the lane, or not in memory, where its order wants it; gives the place for the spool."""
        if lane.tail.cursor is None and self.total <= CROWD and len(lane.waiting) < lane.head_limit:
            lane.push(message)
            return RESIDENT
        order = message.order
        room = lane.head_limit if self.total <= CROWD else min(CROWDED_HEAD, lane.head_limit)
        if lane.stays(order, room) and (len(lane.heap) < 2 * lane.head_limit or self._fits(lane, order)):
            lane.push(message)
            return RESIDENT
        late = lane.tail.late
        if late is not None and order < lane.tail.last and len(late) < LATE_LIMIT:
            lane.waiting[message.id] = message
            late.append(message)
            return RESIDENT
        lane.tail.spill(order, message.id)
        return SPILLED

    def _fits(self, lane: Lane, order: int) -> bool:
        """The head is twice as long as it should be: what is behind its proper length goes to disk. While that is read it may grow a little more."""
        if lane.tail.reading or lane.tail.cursor is None:
            return len(lane.heap) < 4 * lane.head_limit
        for message in lane.cut(lane.head_limit):
            self.changed(message.id)
            self.spool.update(message, lane.number, SPILLED)
        return lane.stays(order, lane.head_limit)

    def place_late(self, lane: Lane, late: list[Message]) -> None:
        """A page is here: what came in meanwhile goes before its end, or behind it to disk."""
        for message in late:
            if lane.waiting.get(message.id) is not message:
                continue
            del lane.waiting[message.id]
            if self.place(message, lane) == SPILLED:
                self.changed(message.id)
                self.spool.update(message, lane.number, SPILLED)

    def withdraw(self, message: Message) -> None:
        """Undo `add` after a failed commit."""
        lane = self.by_name[message.queue]
        lane.size -= 1
        self.total -= 1
        if self.shares is not None:
            self.shares.remove(message)
        if lane.remove(message.id) is not None:
            return
        for carrier in lane.carriers:
            if message.id in carrier.in_flight:
                carrier.withdraw(message.id)
                lane.unstick(message)
                return
        if message.due:
            lane.deferred -= 1
        else:
            lane.tail.gone()
            # it may have gone there after it came in, which is settlement and does not fail with the commit
            self.spool.drop(message.id)

    # -- carriers

    def attach(self, carrier: Carrier, lane: Lane) -> None:
        """The carrier may take messages from this lane."""
        lane.join(carrier)
        self.touch(lane)

    def touch(self, lane: Lane) -> None:
        """Something changed that may let messages go: pump this lane at the next commit."""
        self._dirty[lane] = None
        self.spool.plan()

    def pump(self) -> None:
        """Let every lane that changed hand messages to its carriers; runs before each commit."""
        if not self._dirty:
            return
        now = time.monotonic()
        dirty, self._dirty = self._dirty, {}
        for lane in dirty:
            again = lane.pump(now, self._assign)
            if again:
                self._plan_wake(lane, again, now)
            if lane.tail.cursor is not None and len(lane.heap) <= lane.head_limit // 2:
                paging.refill(self, lane)

    def _plan_wake(self, lane: Lane, at: float, now: float) -> None:
        if lane.wake_planned > now:
            return
        lane.wake_planned = at
        timer = self._loop.timer(max(at - now, 0.001))

        def wake() -> None:
            timer.close()
            lane.wake_planned = 0.0
            self.touch(lane)

        timer.start(wake)

    def _assign(self, lane: Lane, carrier: Carrier, message: Message) -> bool:
        if 0 < message.expires <= time.time() and message.id < self.spool.decided:
            self.end(message, lane, Cause.EXPIRED)
            return False
        carrier.assign(message)
        self.spool.mark(carrier)
        return True

    def settle(self, carrier: Carrier, message: Message) -> Lane:
        """The carrier has its answer for this message: it is not in flight any more. The caller drops it or puts it back."""
        lane = self.by_name[message.queue]
        del carrier.in_flight[message.id]
        lane.unstick(message)
        self.spool.mark(carrier)
        self._dirty[lane] = None
        if lane.heap or lane.tail.count:
            self.spool.plan()
        carrier.advance()
        return lane

    def recall(self, lane: Lane) -> None:
        """Nothing more is to leave this lane for now: put back what is not transmitted yet.

        All of it: a message that stayed would overtake those that went back.
        """
        for carrier in lane.carriers:
            self.recall_from(carrier)

    def recall_from(self, carrier: Carrier) -> None:
        """The same for one session, of whichever lanes."""
        for message in carrier.take_untransmitted():
            self.spool.mark(carrier)
            home = self.by_name[message.queue]
            home.unstick(message)
            self.put_back(message, home, changed=False)

    def finished(self, message: Message, lane: Lane) -> None:
        """The message has left the lane for good."""
        lane.size -= 1
        self.total -= 1
        if self.shares is not None:
            self.shares.remove(message)
        number = message.id
        if self.reading:
            self.changed(number)
        if self.ending:
            self.ending.discard(number)
        self.spool.drop(number)

    def put_back(self, message: Message, lane: Lane, *, due: float = 0.0, changed: bool = True) -> None:
        """A message that was in flight waits again, until `due` (epoch) if given, at its old place in the order."""
        message.due = due
        if due and len(lane.delayed) >= DELAYED_LIMIT:
            self.changed(message.id)
            lane.deferred += 1
            self.spool.update(message, lane.number, DEFERRED)
            return
        if changed:
            self.spool.update(message, lane.number, RESIDENT)
        if due:
            lane.delay(message)
        else:
            lane.push(message)
        self.touch(lane)

    def detach(self, carrier: Carrier) -> list[Message]:
        """The carrier takes no more. What was never transmitted is put back; gives what may have reached the far side."""
        carrier.up = False
        unsent = carrier.untransmitted()
        doubtful = []
        for lane in self.by_name.values():
            if carrier in lane.carriers:
                lane.carriers.remove(carrier)
                self._dirty[lane] = None
        for message in list(carrier.in_flight.values()):
            if message.id in unsent:
                lane = self.by_name[message.queue]
                del carrier.in_flight[message.id]
                lane.unstick(message)
                self.put_back(message, lane, changed=False)
            else:
                doubtful.append(message)
        self.spool.mark(carrier)
        return doubtful

    # -- what time brings

    def tick(self, now: float) -> None:
        """`now` in epoch seconds."""
        for lane in list(self.by_name.values()):  # the report on a message that expired may need a lane of its own
            if lane.delayed and lane.wake(now):
                self.touch(lane)
            if lane.waiting:
                decided = self.spool.decided
                for message in lane.expired(now):
                    if message.id >= decided:
                        continue
                    lane.remove(message.id)
                    self.end(message, lane, Cause.EXPIRED)
            lane.compact()
        paging.wake_deferred(self, now)
        paging.end_expired(self, now)

    def end(self, message: Message, lane: Lane, cause: Cause) -> None:
        """A message that was taken out of the order is over: its final state, and the report if one is wanted."""
        if message.id not in self.ending:
            self.ending.add(message.id)
            self.ended(message, lane, cause)

    def end_on_disk(self, message: Message, place: int, cause: Cause) -> None:
        """A message that was only on disk is over."""
        lane = self.by_name[message.queue]
        if place == DEFERRED:
            lane.deferred -= 1
        else:
            lane.tail.gone()
        self.end(message, lane, cause)

    def rewrite(self, message: Message, place: int) -> None:
        """A message that waits was changed (replace_sm); its place stays."""
        lane = self.by_name[message.queue]
        self.spool.update(message, lane.number, place)
        if place != RESIDENT:
            self.changed(message.id)
        if place == SPILLED:
            lane.tail.reread(message.order, message.id)

    def take(self, message: Message) -> Lane | None:
        """Take a waiting message out, to be settled by the caller; None when it does not wait in memory."""
        lane = self.by_name.get(message.queue)
        return lane if lane is not None and lane.remove(message.id) is not None else None

    def remove(self, message_id: int, cause: Cause) -> Message | None:
        """End a message that waits in memory (cancel_sm, an operator); None when it does not."""
        for lane in self.by_name.values():
            message = lane.remove(message_id)
            if message is not None:
                self.end(message, lane, cause)
                return message
        return None

    def begin_page(self) -> int:
        """Rows are about to be read: gives the page's number. `page_read` has to follow, once."""
        self.reading += 1
        self._page += 1
        return self._page

    def changed(self, message_id: int) -> None:
        """The message left, or stands in another queue now: pages asked for before show what is not true any more."""
        if self.reading:
            self._changed[message_id] = self._page

    def stale(self, message_id: int, page: int) -> bool:
        """What this page shows of the message is not true any more."""
        return self._changed.get(message_id, 0) >= page

    def page_read(self) -> None:
        """A page has been dealt with."""
        self.reading -= 1
        if not self.reading:
            self._changed.clear()

    def in_memory(self) -> Iterator[Message]:
        """Every message that is in memory, waiting or in flight."""
        for lane in self.by_name.values():
            yield from lane.waiting.values()
        carriers = {carrier for lane in self.by_name.values() for carrier in lane.carriers}
        for carrier in carriers:
            yield from carrier.in_flight.values()

    def find_waiting(self, message_id: int) -> Message | None:
        """A message in memory that has not been transmitted; one that stood ready on a session waits in its lane again."""
        found = self.find(message_id)
        if found is None or not found[1]:
            return found[0] if found is not None else None
        message = found[0]
        lane = self.by_name[message.queue]
        if any(message_id in carrier.untransmitted() for carrier in lane.carriers):
            self.recall(lane)
        return lane.waiting.get(message_id)

    def find(self, message_id: int) -> tuple[Message, bool] | None:
        """A message in memory, and whether it is in flight."""
        for lane in self.by_name.values():
            message = lane.waiting.get(message_id)
            if message is not None:
                return message, False
            for carrier in lane.carriers:
                if message_id in carrier.in_flight:
                    return carrier.in_flight[message_id], True
        return None
