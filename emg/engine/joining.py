"""Long messages that come in in parts, put together before they are routed (MESSAGEMODE=JOIN).

Each part is kept in the spool and then acknowledged, with an id of its own, like any message; its `queue` says that it is held. When all
are there and kept, the long message takes a new id and its way (routed, split again as its way out wants it), and the parts leave,
all in one commit: settlement, tried until it succeeds. The message remembers its parts (`Message.joined`), and when it is final the
sender gets what he asked for each of them; see `emg.engine.report`.

What is not complete CMREXPIRE seconds after its first part goes on as it came. A part that comes again with the same content gets the first one's
answer; with another content it begins a new message, and what was there goes on. So does the oldest when more than
`MOST_PARTS` are held, and what cannot be one message on its way out (MAXPARTS). A queue that is full is waited for. A crash
changes nothing: `recover` takes up the parts that the spool holds, with their time.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from emg.engine import events
from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.port import Port
from emg.engine.report import Reporter
from emg.engine.routing import Router
from emg.errors import Cause, Rejected, SpoolError
from emg.message import Charge, Message, Want
from emg.spool.schema import RESIDENT
from emg.spool.spool import Spool
from emg.text.udh import concatenation, without_concatenation

if TYPE_CHECKING:
    from emg.engine.receive import Done, Receiver, Sender

HELD = "\x1f"
"""A held part's `queue` is this and the name of the queue that it would stand in."""
MOST_PARTS = 10_000

REFERENCE, TOTAL, NUMBER = 0x020C, 0x020E, 0x020F
"""sar_msg_ref_num, sar_total_segments, sar_segment_seqnum (SMPP 3.4 §5.3.2.22–24)"""


class Spot(NamedTuple):
    """Where a part belongs. `kind` tells references of 8 bits, 16 bits and sar_ parameters apart."""

    reference: int
    total: int
    number: int
    kind: str


Key = tuple[str, str, str, str, int, int, int, str]
Way = tuple[Lane, Port, str]
"""Where a message would go, and what decided."""


def spot_of(message: Message) -> Spot | None:
    """The place of a part in its message; None for what is no part."""
    if message.udh:
        part = concatenation(message.udh)
        if part is not None:
            return Spot(part.reference, part.total, part.number, "16" if part.wide else "8")
    sar = {tag: int.from_bytes(value, "big") for tag, value in message.tlvs if tag in (REFERENCE, TOTAL, NUMBER)}
    if len(sar) < 3 or not 1 <= sar[NUMBER] <= sar[TOTAL] <= 255:
        return None
    return Spot(sar[REFERENCE], sar[TOTAL], sar[NUMBER], "sar")


class _Held:
    """The parts of one message that are here."""

    __slots__ = ("key", "parts", "since", "total", "unkept")

    def __init__(self, key: Key, since: float, total: int) -> None:
        self.key = key
        self.since = since
        self.total = total
        self.parts: dict[int, Message] = {}
        self.unkept: dict[int, list[tuple[Any, Any]]] = {}
        """Parts whose commit is to come, each with those who sent it again meanwhile and want to know."""

    @property
    def ready(self) -> bool:
        """Everything is there and kept."""
        return len(self.parts) == self.total and not self.unkept


class Joiner:
    """See the module's text."""

    def __init__(
        self, spool: Spool, lanes: Lanes, router: Router, reporter: Reporter, receiver: "Receiver", seconds: float
    ) -> None:
        self.seconds = seconds
        self.count = 0
        """Parts that are held."""
        self._spool = spool
        self._lanes = lanes
        self._router = router
        self._reporter = reporter
        self._receiver = receiver
        self._held: OrderedDict[Key, _Held] = OrderedDict()  # the oldest first
        self._ready: list[_Held] = []
        """Complete, but their queue was full."""
        self._leaving: list[_Held] = []
        """Not to be joined any more; what is left of them waits for room."""

    # -- parts that come in

    def hold(
        self, message: Message, spot: Spot, way: Way, origin: Port, sender: "Sender", done: "Done", argument: Any
    ) -> int:
        """Keep a part, on its way alone; gives its id. Raises as `Receiver.receive` does, and `done` is told as there."""
        key = _key(message, spot)
        held = self._held.get(key)
        known = held.parts.get(spot.number) if held is not None else None
        if held is not None and known is not None:
            if known.body == message.body and known.udh == message.udh:
                waiting = held.unkept.get(spot.number)
                if waiting is not None:
                    waiting.append((done, argument))
                else:
                    self._spool.when_kept(done, argument)
                return known.id
            self._release(held)
            held = None
        lane, port, why = way
        number = self._spool.next_id()
        row = self._receiver.charging.reserve(message, None, origin, port)
        if sender.daily is not None:
            sender.daily.add(message.accepted)
        if held is None:
            held = self._held[key] = _Held(key, message.accepted, spot.total)
        message.id = number
        message.queue = HELD + lane.name
        held.parts[spot.number] = message
        held.unkept[spot.number] = []
        self.count += 1
        self._spool.accept(message, lane.number, RESIDENT)
        event = self._receiver.accepted(message, None, origin, sender, lane, why, row)
        self._spool.take_event(message.id, events.encode(event))
        self._spool.when_kept(self._kept, (held, spot.number, message, origin, sender, done, argument))
        if self.count > MOST_PARTS:
            self._release(next(iter(self._held.values())))
        return message.id

    def _kept(self, kept: tuple[Any, ...], error: SpoolError | None) -> None:
        held: _Held = kept[0]
        _, number, message, origin, sender, done, argument = kept
        waiting = held.unkept.pop(number)
        if error is None:
            origin.counters.accepted += 1
            sender.accepted += 1
        else:
            if sender.daily is not None:
                sender.daily.undo(message.accepted)
            if message.charge is not None:
                self._receiver.charging.give_back(message.charge.payer, message.charge.price)
        if error is not None and held.parts.get(number) is message:
            del held.parts[number]
            self.count -= 1
            if not held.parts and self._held.get(held.key) is held:
                del self._held[held.key]
        done(argument, error)
        for told, its_argument in waiting:
            told(its_argument, error)
        if held.unkept:
            return
        if self._held.get(held.key) is not held:
            self._release(held)
        elif held.ready:
            self._join(held)

    # -- messages that go on

    def _join(self, held: _Held) -> None:
        """All parts are there: one message in their place."""
        if self._held.get(held.key) is held:  # it may have waited for room, and another one begun under its key
            del self._held[held.key]
        parts = [held.parts[number] for number in range(1, held.total + 1)]
        if len({(part.charge.payer, part.charge.refund) for part in parts if part.charge is not None}) > 1:
            self._release(held)  # prices or the account have changed meanwhile: each is paid for as it was accepted
            return
        try:
            whole = self._joined(parts)
            self._go_on(whole, parts[0].accepted, held.total, parts[0].queue)
        except SpoolError:  # no id is reserved: commits fail
            self._ready.append(held)
            return
        except Rejected as error:
            if error.cause is Cause.QUEUE_FULL:
                self._ready.append(held)
            else:
                self._release(held)
            return
        for number, part in enumerate(parts, 1):
            self._spool.drop(part.id)
            charge = part.charge
            price, cost = (charge.price, charge.cost) if charge is not None else (0, 0)
            event = events.Joined(part.id, time.time(), whole.id, number, held.total, part.accepted, price, cost)
            self._spool.event(part.id, events.encode(event))
        self.count -= len(parts)

    def _joined(self, parts: list[Message]) -> Message:
        """One message out of its parts. Raises SpoolError."""
        first = parts[0]
        want = Want.NOTHING
        for part in parts:
            want |= part.want
        return msgspec.structs.replace(
            first,
            id=self._spool.next_id(),
            queue="",
            udh=without_concatenation(first.udh),
            body=b"".join([part.body for part in parts]),
            tlvs=tuple(tlv for tlv in first.tlvs if tlv[0] not in (REFERENCE, TOTAL, NUMBER)),
            want=want,
            per_part=False,
            joined=tuple((part.id, int(part.want)) for part in parts),
            charge=_sum([part.charge for part in parts if part.charge is not None]),
        )

    def _go_on(self, message: Message, accepted: float, parts: int, priced: str = "") -> None:
        """Route an accepted message and queue it, as settlement; `priced` is the queue that its parts were priced by. Raises Rejected."""
        origin = self._router.ports.get(message.connector)
        if origin is None:
            raise Rejected(Cause.NO_ROUTE, f"connector {message.connector} is gone")
        user = self._reporter.concluder.users.get(message.account)
        lane, port, why = self._router.route(message, origin, user, time.time())
        charge = message.charge
        more = self._receiver.charging.move(message, port)
        try:
            self._receiver.forward(message, lane, port, user, origin)
        except (Rejected, SpoolError):
            message.charge = charge  # it stays where it was
            raise
        event: events.Any
        if message.joined:
            event = self._accepted(message, accepted, parts, lane, why)
            event.cost = more
            self._tell_price(event, message, priced.removeprefix(HELD).partition("/")[0])
        else:
            event = events.Moved(message.id, time.time(), "", lane.name, message.accepted, 0, more)
        self._spool.event(message.id, events.encode(event))

    @staticmethod
    def _accepted(message: Message, accepted: float, parts: int, lane: Lane, why: str) -> events.Accepted:
        return events.Accepted(
            message.id, accepted, message.connector, message.account, message.source, message.dest, message.encoding,
            len(message.body), parts, lane.name, why, int(message.want), message.remote_ip, message.reference,
        )  # fmt: skip

    def _tell_price(self, event: events.Accepted, message: Message, connector_out: str) -> None:
        """By what a joined message was priced. The price itself comes to it from its parts, and is paid; so does what it costs."""
        charging = self._receiver.charging
        if self._receiver.logs_text:
            event.network = charging.network(message.dest)
        event.currency = charging.currency(message)
        row = charging.row(message, connector_out)
        if row is not None:
            event.currency, event.price_row, event.prefix = row.currency, row.id, row.prefix

    def _release(self, held: _Held) -> None:
        """Let the parts go on as they came, in their order; none before it is kept: its sender may be told yet that it was not taken."""
        if self._held.get(held.key) is held:
            del self._held[held.key]
        if held.unkept:
            return  # `_kept` of the last one comes back here
        for number in sorted(held.parts):
            part = held.parts[number]
            try:
                self._go_on(part, part.accepted, 1)
            except SpoolError:
                self._leaving.append(held)
                return
            except Rejected as error:
                if error.cause is Cause.QUEUE_FULL:
                    self._leaving.append(held)
                    return
                self._reporter.lost(part, error.cause)
            del held.parts[number]
            self.count -= 1

    # -- what time brings

    def tick(self, now: float) -> None:
        """Once a second; `now` in epoch seconds."""
        ready, self._ready = self._ready, []
        for held in ready:
            self._join(held)
        leaving, self._leaving = self._leaving, []
        for held in leaving:
            self._release(held)
        for held in list(self._held.values()):
            if held.since + self.seconds > now:
                break
            if not held.unkept:
                self._release(held)

    def recover(self, parts: Iterable[Message]) -> None:
        """After a start: take up what the spool held; once, when all ports stand."""
        for part in sorted(parts, key=lambda part: part.accepted):
            self._lanes.get(part.queue.removeprefix(HELD))
            spot = spot_of(part)
            assert spot is not None, "a held message is no part"
            key = _key(part, spot)
            held = self._held.get(key)
            if held is None:
                held = self._held[key] = _Held(key, part.accepted, spot.total)
            elif spot.number in held.parts:  # it was let go, but that was not committed
                self._release(held)
                held = self._held[key] = _Held(key, part.accepted, spot.total)
            held.parts[spot.number] = part
            self.count += 1
        for held in list(self._held.values()):
            if held.ready:
                self._join(held)


def _sum(charges: list[Charge]) -> Charge | None:
    """What a message was priced at, and costs, by its parts, which have one payer and one rule for giving back."""
    if not charges:
        return None
    first = charges[0]
    price, cost = sum(each.price for each in charges), sum(each.cost for each in charges)
    return Charge(first.payer, price, first.refund, sum(each.parts for each in charges), cost)


def _key(message: Message, spot: Spot) -> Key:
    return (
        message.connector, message.account, message.source, message.dest,
        int(message.encoding), spot.reference, spot.total, spot.kind,
    )  # fmt: skip
