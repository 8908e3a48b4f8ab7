"""The receive path: from a message that a connector has read to one that we answer for.

`Receiver.receive` runs the steps in order — limits, block lists, route, joining, parts, price and balance — and gives the message to the spool. Each step
either passes or raises `Rejected`, whose cause the connector puts into its protocol's own code; nothing was kept then. What it returns is the
message's id, and `done(argument, error)` follows after the group commit: acknowledging before it would lose
the message with the machine; not at all, would have the sender send it twice. When the commit fails everything is undone and
`done` gets the SpoolError.
"""

import logging
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from emg.config.model import LongOut, Operation, UserConfig
from emg.engine import events
from emg.engine.charging import Charging, share
from emg.engine.daily import Daily, DailyCounts
from emg.engine.joining import Joiner, spot_of
from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.parts import Group, Groups
from emg.engine.port import Port
from emg.engine.routing import Router
from emg.errors import Cause, Rejected, SpoolError
from emg.message import Encoding, Message, Part
from emg.rules.address import normal_source
from emg.rules.blocklist import Action, BlockLists
from emg.rules.pacing import TokenBucket
from emg.spool.spool import Spool
from emg.text.errors import TextError
from emg.text.masking import masked
from emg.text.references import References
from emg.text.split import SHORT, split, split_octets
from emg.text.udh import concatenation

if TYPE_CHECKING:
    from emg.rules.prices import PriceRow

Done = Callable[[Any, SpoolError | None], None]
Noted = Callable[[events.Accepted], None]
Prompt = Callable[[Any], Callable[[], None] | None]
Keep = Callable[[Message, int, int], None]
log = logging.getLogger("emg.engine")


class Sender:
    """Who a message comes from: limits that are his. One an account, shared by all its sessions."""

    __slots__ = ("_counts", "accepted", "bucket", "content", "daily", "name", "sessions", "user")

    def __init__(self, name: str, user: UserConfig | None, counts: DailyCounts | None = None) -> None:
        self.name = name
        self.user = user
        self._counts = counts
        self.accepted = 0
        self.sessions = 0
        """Bound now, over all connectors."""
        self.bucket: TokenBucket | None = None
        self.daily: Daily | None = None
        self.configure(user)

    def configure(self, user: UserConfig | None) -> None:
        """Take the limits of a new configuration; what has been used of them stays used."""
        self.user = user
        self.content = "full" if user is None else str(user.logcontent)
        if user is None or not user.throughput:
            self.bucket = None
        elif self.bucket is None:
            self.bucket = TokenBucket(user.throughput)
        else:
            self.bucket.change(user.throughput)
        self.daily = self._counts.of(self.name, user.dailylimit) if user is not None and self._counts else None

    def apply(self, message: Message) -> None:
        """What the account may do and what its senders are. Raises Rejected."""
        user = self.user
        if user is None:
            return
        if user.force_sourceaddr:
            message.source, message.source_ton, message.source_npi = normal_source(user.force_sourceaddr, 0, 0)
        elif user.sourceaddr and not any(fnmatchcase(message.source, pattern) for pattern in user.sourceaddr):
            raise Rejected(Cause.BAD_SOURCE, f"account {user.name} may not send from {message.source!r}")
        if Operation.SUBMIT not in user.operations:
            raise Rejected(Cause.NOT_ALLOWED, f"account {user.name} may not submit")


class Limits(msgspec.Struct):
    """Server-wide bounds; swapped on reload."""

    total: int
    default_validity: float
    longest_validity: float


class Receiver:
    """See the module's text."""

    def __init__(
        self, spool: Spool, lanes: Lanes, router: Router, groups: Groups, charging: Charging, limits: Limits
    ) -> None:
        self.charging = charging
        self.logs_text = False
        """The events are for a log that keeps texts and networks (DATABASE)."""
        self.limits = limits
        self.open = True
        """False while the gateway drains: new messages are refused."""
        self.joiner: Joiner
        """Set where the engine is built: the two need each other."""
        self.lists: BlockLists | None = None
        """BLACKLIST and WHITELIST; None when there is nothing to ask."""
        self._spool = spool
        self._lanes = lanes
        self._router = router
        self._groups = groups
        self._references = References(int(time.time()))

    def receive(
        self,
        message: Message,
        origin: Port,
        sender: Sender,
        done: Done,
        argument: Any,
        noted: Noted | None = None,
        prompt: Prompt | None = None,
    ) -> int:
        """Take a message in; gives its id. Raises Rejected or SpoolError (full), and then nothing was kept.

        `done` and `prompt` are the spool's (`when_kept`). `noted` is called with what the log will be told, before the commit that holds it. A message
        that waits to be joined uses neither `prompt` nor `noted`.
        """
        user = sender.user
        now = message.accepted
        self._admit(origin, sender, now)
        if self.lists is not None:
            self._ask_lists(self.lists, message, origin)
        lane, port, why = self._router.route(message, origin, user, now)
        self._set_times(message, origin, now)
        if origin.joins and (message.udh or message.tlvs):
            spot = spot_of(message)
            if spot is not None:
                return self.joiner.hold(message, spot, (lane, port, why), origin, sender, done, argument)
        message.id = self._spool.next_id()
        parts = self._cut(message, port, user, origin) if len(message.body) + len(message.udh) > SHORT else None
        row = self.charging.reserve(message, parts, origin, port)  # the last that can refuse: what follows keeps it
        if sender.daily is not None:
            sender.daily.add(now)
        if parts is None:
            self._spool.accept(message, lane.number, self._lanes.add(message, lane))
        else:
            self._keep_parts(message, parts, lane, port, self._spool.accept, self._spool.take_event)
        event = self.accepted(message, parts, origin, sender, lane, why, row)
        self._spool.take_event(message.id, events.encode(event))
        if noted is not None:
            noted(event)
        self._spool.when_kept(
            self._kept, (message, parts, origin, sender, done, argument), prompt and (prompt, argument)
        )
        return message.id

    def accepted(
        self, message: Message, parts: list[Message] | None, origin: Port, sender: Sender, lane: Lane, why: str, row: "PriceRow | None",
    ) -> events.Accepted:  # fmt: skip
        """The event that tells the log of a message; `row` is its price's."""
        event = events.Accepted(
            message.id, message.accepted, origin.name, message.account, message.source, message.dest, message.encoding,
            len(message.body), 1 if parts is None else len(parts), lane.name, why, int(message.want), message.remote_ip, message.reference,
        )  # fmt: skip
        if row is not None:
            charge = message.charge if parts is None else parts[0].charge
            assert charge is not None, "a priced message without its price"
            count = event.parts = charge.parts if parts is None else len(parts)
            event.price, event.cost, event.currency = row.price * count, row.cost * count, row.currency
            event.price_row, event.prefix, event.payer = row.id, row.prefix, charge.payer
        if self.logs_text:
            event.network = self.charging.network(message.dest)
            if sender.content != "none":
                event.masked = sender.content == "masked"
                event.udh = message.udh
                event.text = masked(message.body, message.encoding) if event.masked else message.body
        return event

    def _admit(self, origin: Port, sender: Sender, received: float) -> None:
        if not self.open:
            raise Rejected(Cause.STOPPING)
        self._spool.admit_new()
        bucket, port_bucket = sender.bucket, origin.bucket
        if bucket is not None or port_bucket is not None:
            now = time.monotonic()
            if bucket is not None and not bucket.take(now):
                raise Rejected(Cause.THROTTLED, f"account {sender.name} sends faster than {bucket.rate:g}/s")
            if port_bucket is not None and not port_bucket.take(now):
                raise Rejected(Cause.THROTTLED, f"connector {origin.name} receives faster than {port_bucket.rate:g}/s")
        if sender.daily is not None and sender.daily.used_up(received):
            limit = sender.daily.limit
            raise Rejected(Cause.THROTTLED, f"account {sender.name} has sent all {limit} messages of the day (UTC)")
        shares, user = self._lanes.shares, sender.user
        if shares is not None and user is not None and 0 < user.maxqueuesize <= shares.count(user.name):
            raise Rejected(Cause.QUEUE_FULL, f"{user.maxqueuesize} messages of account {user.name} wait already")
        if self._lanes.total >= self.limits.total:
            raise Rejected(Cause.QUEUE_FULL, f"{self._lanes.total} messages wait: the server-wide bound is reached")

    @staticmethod
    def _ask_lists(lists: BlockLists, message: Message, origin: Port) -> None:
        row = lists.find(message.source, message.dest)
        if row is None:
            return
        if row.action is Action.REJECT:
            raise Rejected(Cause.BLOCKED, f"from {message.source!r} to {message.dest}: the black list has {row}")
        log.info(
            "connector %s, account %r: a message from %r to %s passes; the black list has %s",
            origin.name, message.account, message.source, message.dest, row,
        )  # fmt: skip

    def _set_times(self, message: Message, origin: Port, now: float) -> None:
        config, limits = origin.config, self.limits
        begins = message.due if message.due > now else now
        if message.expires and not config.force_vp:
            expires = message.expires  # the sender's own moment, scheduled or not
        else:
            expires = begins + (config.force_vp or config.default_vp or limits.default_validity)
        latest = begins + limits.longest_validity
        message.expires = expires if expires < latest else latest

    def forward(self, message: Message, lane: Lane, port: Port, user: UserConfig | None, origin: Port) -> None:
        """Queue a message that we answer for already, as settlement. Raises Rejected, and then nothing is changed."""
        parts = self._cut(message, port, user, origin)
        if parts is None:
            self._spool.update(message, lane.number, self._lanes.add(message, lane))
        else:
            if message.charge is not None:
                share(message.charge, parts)
            self._keep_parts(message, parts, lane, port, self._spool.update, self._spool.event)

    def _cut(self, message: Message, port: Port, user: UserConfig | None, origin: Port) -> list[Message] | None:
        """The parts of a message that is too long for one PDU; None when it travels as it is."""
        longest = SHORT - len(message.udh)
        if message.encoding in _SEPTETS:
            longest = longest * 8 // 7
        if len(message.body) <= longest or port.splits is LongOut.PAYLOAD or port.splits is LongOut.ASIS:
            return None
        return self._parts(message, port, user, origin)

    def _parts(self, message: Message, port: Port, user: UserConfig | None, origin: Port) -> list[Message] | None:
        """Cut a long message; None when it travels as it is (binary for a far side that takes it, a part of the sender's own)."""
        if message.udh and concatenation(message.udh) is not None:
            raise Rejected(Cause.TOO_LONG, "a part of a long message is itself too long")
        limit = min(
            port.config.maxparts, origin.config.maxparts, user.maxparts if user is not None and user.maxparts else 255
        )
        wide = port.splits is LongOut.SPLIT16
        try:
            if port.splits is LongOut.SAR:
                segments = split_octets(message.body, message.encoding, message.udh, limit=limit)
                reference = self._references.next(message.dest, wide=True)
                cut = [(s.udh, s.body, _sar(reference, s.number, s.total)) for s in segments]
            else:
                reference = self._references.next(message.dest, wide=wide)
                pieces = split(
                    message.body, message.encoding, message.udh, reference=reference, wide_reference=wide, limit=limit
                )
                cut = [(udh, body, ()) for udh, body in pieces]
        except TextError as error:
            raise Rejected(error.cause, str(error)) from error
        if len(cut) == 1:
            return None
        return [
            msgspec.structs.replace(
                message, id=self._spool.next_id(), udh=udh, body=body, tlvs=message.tlvs + sar,
                part=Part(message.id, number, len(cut)),
            )
            for number, (udh, body, sar) in enumerate(cut, 1)
        ]  # fmt: skip

    def _keep_parts(
        self,
        message: Message,
        parts: list[Message],
        lane: Lane,
        port: Port,
        keep: Keep,
        note: Callable[[int, bytes], None],
    ) -> None:
        self._groups.open(Group.of(message, [part.id for part in parts], port.name))
        for part in parts:
            keep(part, lane.number, self._lanes.add(part, lane))
            assert part.part is not None, "a part without its number"
            split_event = events.Split(message.id, message.accepted, part.id, part.part.number, part.part.total)
            note(message.id, events.encode(split_event))

    def _kept(self, kept: tuple[Any, ...], error: SpoolError | None) -> None:
        message, parts, origin, sender, done, argument = kept
        if error is None:
            origin.counters.accepted += 1
            sender.accepted += 1
        else:
            if sender.daily is not None:
                sender.daily.undo(message.accepted)
            if parts is not None:
                self._groups.forget(message.id)
            for part in parts or (message,):
                self._lanes.withdraw(part)
                if part.charge is not None:
                    self.charging.give_back(part.charge.payer, part.charge.price)
        done(argument, error)


_SEPTETS = frozenset((Encoding.GSM7, Encoding.ASCII))


def _sar(reference: int, number: int, total: int) -> tuple[tuple[int, bytes], ...]:
    """sar_msg_ref_num, sar_segment_seqnum, sar_total_segments (SMPP 3.4 §5.3.2.22–24)."""
    return (
        (0x020C, reference.to_bytes(2, "big")),
        (0x020F, bytes((number,))),
        (0x020E, bytes((total,))),
    )
