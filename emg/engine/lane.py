"""A lane: one queue and the sessions that empty it.

An outgoing connector has one lane; each account of an incoming connector has one (`connector/account`) for its delivery reports and
incoming messages. Order is (order, id): priority, the account's turn among those that share the queue (`emg.engine.turns`), then arrival.
Only the head is in memory; what lies behind it (`emg.engine.tail`) is in the spool as *spilled* and is loaded page by page, what has
to wait for a time is *delayed* (a few, in memory) or *deferred* (in the spool).

`pump` hands messages to carriers within window, rate, hold and pause. Messages to one destination stay on one carrier while
any of them is in flight, so that two sessions cannot overtake each other (design section 4, invariant 5); reports, each about
another message, take any.
A lane never loses a message: every way out of it is a call of `Lanes`.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import islice

from emg.engine.carrier import Carrier
from emg.engine.tail import Tail
from emg.engine.turns import Turns
from emg.message import TURN_BITS, Message
from emg.rules.pacing import TokenBucket
from emg.text.udh import concatenation

UNLIMITED = 1 << 60
LEADING = 10_000


def whole_of(message: Message) -> object:
    """The same for all parts of a long message, whether we split it or its sender did; None for what is no part."""
    if message.part is not None:
        return message.part.parent
    own = concatenation(message.udh) if message.udh else None
    return (message.account, message.source, message.dest, own.reference, own.total) if own is not None else None


class Lane:
    """One queue. `number` is its number in the spool's tables."""

    __slots__ = (
        "_leading",
        "_left",
        "_next_carrier",
        "_sticky",
        "affinity",
        "cap",
        "carriers",
        "deferred",
        "delayed",
        "failures",
        "head_limit",
        "heap",
        "held",
        "in_flight",
        "name",
        "number",
        "on_stuck",
        "pacer",
        "paused_until",
        "reports_only",
        "sent",
        "size",
        "size_limit",
        "tail",
        "turns",
        "waiting",
        "wake_planned",
    )

    def __init__(self, name: str, number: int, *, head_limit: int, shared: bool = True) -> None:
        self.name = name
        self.number = number
        self.head_limit = head_limit
        self.size_limit = UNLIMITED
        self.heap: list[tuple[int, int, Message]] = []
        self.delayed: list[tuple[float, int, Message]] = []
        self.waiting: dict[int, Message] = {}
        """Everything in `heap` and `delayed` by id; what was taken out of here is skipped there."""
        self.tail = Tail()
        self.turns = Turns() if shared else None
        """Where accounts share the queue."""
        self.deferred = 0
        self.in_flight = 0
        self.size = 0
        """All of them: waiting, in flight, on disk."""
        self.carriers: list[Carrier] = []
        self.on_stuck: Callable[[], None] | None = None
        """Called when there is something to send and no session: a connector on demand dials then."""
        self.pacer: TokenBucket | None = None
        self.held = False
        self.paused_until = 0.0
        self.cap = UNLIMITED
        """Window that a throttling far side leaves us for now."""
        self.wake_planned = 0.0
        self.sent = self.failures = 0
        self.affinity = False
        """All parts of a message leave by one session, also when the earlier ones are answered (AFFINITY)."""
        self._leading: dict[object, Carrier] = {}
        """What the parts of a message have in common → the session that the last of them took, for `LEADING` messages."""
        self._sticky: dict[str, list[object]] = {}
        self._next_carrier = 0
        self._left = 0
        """The order of the message that left last."""

    @property
    def full(self) -> bool:
        """At its bound (MAXQUEUESIZE)."""
        return self.size >= self.size_limit

    @property
    def spilled_count(self) -> int:
        """How many wait on disk behind the head."""
        return self.tail.count

    def stays(self, order: int, room: int) -> bool:
        """A message of this order belongs in memory: the head is open and has room, or ends behind it.

        What is before the head's end never waits for a page, also when the head is full; `Lanes` cuts it when it gets too long.
        """
        tail = self.tail
        cursor = tail.cursor
        if cursor is None:
            if len(self.waiting) < room:
                return True
            cursor = tail.cursor = max(((entry[0], entry[1]) for entry in self.heap), default=(-1, 0))
        return order < cursor[0]

    def push(self, message: Message) -> None:
        """Put a message into memory, in its place."""
        number = message.id
        self.waiting[number] = message
        heappush(self.heap, (message.rank << TURN_BITS | message.turn, number, message))

    def delay(self, message: Message) -> None:
        """Hold it in memory until `message.due`."""
        self.waiting[message.id] = message
        heappush(self.delayed, (message.due, message.id, message))

    def wake(self, now: float) -> bool:
        """Move what is due from `delayed` into the queue; True when there was any. `now` in epoch seconds."""
        delayed, woken = self.delayed, False
        while delayed and delayed[0][0] <= now:
            _due, number, message = heappop(delayed)
            if self.waiting.get(number) is message:
                if self.turns is not None:
                    message.turn = self.turns.again(message.rank, message.account, message.turn)
                heappush(self.heap, (message.order, number, message))
                woken = True
        return woken

    def remove(self, message_id: int) -> Message | None:
        """Take a waiting message out of the order; None when it does not wait here."""
        return self.waiting.pop(message_id, None)

    def expired(self, now: float) -> list[Message]:
        """Waiting messages whose validity is over; `now` in epoch seconds."""
        return [message for message in self.waiting.values() if 0 < message.expires <= now]

    def compact(self) -> None:
        """Forget removed entries when they are the better part of the heap."""
        if len(self.heap) + len(self.delayed) > 2 * len(self.waiting) + 64:
            waiting = self.waiting
            self.heap = [entry for entry in self.heap if entry[1] in waiting]
            self.delayed = [entry for entry in self.delayed if entry[1] in waiting]
            heapify(self.heap)
            heapify(self.delayed)

    def cut(self, count: int) -> list[Message]:
        """The head ends behind its first `count` messages from now on; gives those that have to wait on disk."""
        waiting = self.waiting
        standing = {entry[1]: entry for entry in self.heap if waiting.get(entry[1]) is entry[2]}
        heap = sorted(standing.values(), key=lambda entry: entry[:2])
        over = [entry[2] for entry in heap[count:]]
        del heap[count:]
        self.heap = heap
        end = heap[-1][:2]
        tail = self.tail
        tail.cursor = end if tail.cursor is None else min(tail.cursor, end)
        for message in over:
            del waiting[message.id]
            tail.spill(message.order, message.id)
        return over

    def pump(self, now: float, assign: Callable[["Lane", Carrier, Message], bool]) -> float:
        """Give messages to carriers. `now` is monotonic.

        Returns 0, or the time at which to pump again because of rate or pause.
        """
        if self.held or not self.heap:
            return 0.0
        if not self.carriers:
            if self.on_stuck is not None:
                self.on_stuck()
            return 0.0
        if now < self.paused_until:
            return self.paused_until
        heap, waiting, pacer = self.heap, self.waiting, self.pacer
        while heap:
            order, number, message = heap[0]
            if waiting.get(number) is not message:
                heappop(heap)
                continue
            carrier = self._carrier_for(message)
            if carrier is None:
                return 0.0
            if pacer is not None and not pacer.take(now):
                return now + pacer.wait(now)
            heappop(heap)
            del waiting[number]
            if order != self._left:
                self._left = order
                if self.turns is not None:
                    self.turns.left(order)
            if assign(self, carrier, message):
                self._stick(message, carrier)
        return 0.0

    def _carrier_for(self, message: Message) -> Carrier | None:
        carriers, cap = self.carriers, self.cap
        if len(carriers) == 1:
            carrier = carriers[0]
            return carrier if carrier.depth > len(carrier.in_flight) < cap else None
        leading = self._leading.get(whole_of(message)) if self.affinity else None
        stuck = self._sticky.get(message.dest) if message.report is None else None
        if stuck is not None:
            carrier = stuck[0]  # type: ignore[assignment]
            if carrier.up:
                if leading is not None and leading.up and leading is not carrier:
                    return None  # until nothing to this number is in flight there: neither order nor message is broken
                return carrier if carrier.depth > len(carrier.in_flight) < cap else None
            del self._sticky[message.dest]
        if leading is not None and leading.up:
            return leading if leading.depth > len(leading.in_flight) < cap else None
        count = len(carriers)
        for place in range(self._next_carrier, self._next_carrier + count):
            carrier = carriers[place % count]
            if carrier.depth > len(carrier.in_flight) < cap:
                self._next_carrier = (place + 1) % count
                return carrier
        return None

    def _stick(self, message: Message, carrier: Carrier) -> None:
        self.in_flight += 1
        if self.affinity:
            self._lead(message, carrier)
        if len(self.carriers) > 1 and message.report is None:
            stuck = self._sticky.get(message.dest)
            if stuck is None:
                self._sticky[message.dest] = [carrier, 1]
            else:
                stuck[1] += 1  # type: ignore[operator]

    def _lead(self, message: Message, carrier: Carrier) -> None:
        whole = whole_of(message)
        if whole is not None:
            self._leading.pop(whole, None)
            self._leading[whole] = carrier
            if len(self._leading) > LEADING:
                del self._leading[next(iter(self._leading))]

    def unstick(self, message: Message) -> None:
        """The message is not in flight any more."""
        self.in_flight -= 1
        stuck = self._sticky.get(message.dest) if message.report is None else None
        if stuck is not None:
            stuck[1] -= 1  # type: ignore[operator]
            if not stuck[1]:
                del self._sticky[message.dest]

    def join(self, carrier: Carrier) -> None:
        """One session more. With the second one, what is in flight on the first begins to bind its destinations to it."""
        self.carriers.append(carrier)
        if len(self.carriers) == 2:
            self._sticky.clear()
            for other in self.carriers:
                for message in other.in_flight.values():
                    if message.queue == self.name and message.report is None:
                        self._sticky.setdefault(message.dest, [other, 0])[1] += 1  # type: ignore[operator]

    def holds(self, message_id: int) -> bool:
        """It is in memory: waiting, delayed or in flight."""
        return message_id in self.waiting or any(message_id in carrier.in_flight for carrier in self.carriers)

    def head(self, count: int) -> list[Message]:
        """The first messages in memory, for people to look at."""
        return [entry[2] for entry in islice(sorted(self.heap, key=lambda e: e[:2]), count) if entry[1] in self.waiting]
