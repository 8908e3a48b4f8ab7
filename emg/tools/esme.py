"""The load client itself: what its sessions share (`LoadRun`), and one session (`LoadSession`).

Every message goes out once. One that stays unanswered is written down as unknown and never sent again, so that whatever arrives twice
at the far side was doubled by the gateway. Answers and reports are in the ledger before anything that depends on them leaves. Reports are matched with their messages by
the id in the answer, whichever of the two comes first; those that match nothing are counted (`EARLY_LIMIT` of them are kept).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import gevent.event

from emg.session.driver import Driver
from emg.tools import reports
from emg.tools.histogram import Histogram
from emg.tools.ledger import INTERMEDIATE, Ledger
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.names import Status, Tag, status_name
from emg.wire.smpp.states import RESPONSE_OF

EARLY_LIMIT: Final = 100_000
_BURST_SECONDS: Final = 0.05


class LoadRun:
    """One run of the load client: how much is still to send, and what came of it. Times are monotonic seconds."""

    def __init__(
        self,
        source: Iterator[tuple[str, pdus.SubmitSm]],
        ledger: Ledger,
        *,
        messages: float = math.inf,
        rate: float = 0.0,
    ) -> None:
        self.ledger = ledger
        self.acks = Histogram()
        self.report_times = Histogram()
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.sessions: list[LoadSession] = []
        """Those that may send now."""
        self.outstanding = 0
        self.awaited: dict[str, float] = {}
        """Message id → when it was sent, while its report has not come."""
        self.reports_wanted = False
        self.began = self.ended = 0.0
        self.all_answered = gevent.event.Event()
        self.all_reported = gevent.event.Event()
        self._source = source
        self._left = messages
        self._rate = rate
        self._credit = 0.0 if rate else math.inf
        self._credited = 0.0
        self._early: dict[str, float] = {}
        self._sending = False

    # Sending

    def start(self, now: float) -> None:
        """Begin to send over the sessions that are bound."""
        self.began = self._credited = self.ended = now
        self._sending = True
        self._credit = 1.0 if self._rate else math.inf
        self.refill_all(now)

    def stop_sending(self) -> None:
        """Nothing new leaves any more; answers and reports are still taken."""
        self._left = 0
        self._notice_end()

    @property
    def started(self) -> bool:
        """Sending has begun."""
        return self._sending

    @property
    def sent_everything(self) -> bool:
        """Nothing is left to send."""
        return self._left <= 0

    def pace(self, now: float) -> None:
        """Time has passed: with a rate, some more may be sent."""
        if self._rate and self._sending:
            gained = (now - self._credited) * self._rate
            self._credit = min(self._credit + gained, max(1.0, self._rate * _BURST_SECONDS))
            self._credited = now
            self.refill_all(now)

    def refill_all(self, now: float) -> None:
        """Fill the windows, beginning with another session each time."""
        sessions = self.sessions
        if len(sessions) > 1:
            sessions.append(sessions.pop(0))
        for session in list(sessions):
            self.refill(session, now)

    def refill(self, session: "LoadSession", now: float) -> None:
        """Send as much as the session's window, the rate and what is left allow."""
        if not self._sending or self._left <= 0:
            return
        machine = session.machine
        count = min(machine.free, self._left, self._credit)
        if count < 1:
            return
        count = int(count)
        self._left -= count
        self._credit -= count
        self.outstanding += count
        self.counts["submitted"] += count
        ledger, number, request = self.ledger, session.number, machine.request
        for _ in range(count):
            tag, pdu = next(self._source)
            ledger.submitted(tag, pdu.destination_addr, number, pdu.registered_delivery)
            request(pdu, tag, now)
        session.driver.flush_soon()

    # What came of it

    def answered(self, event: smpp.Answer, now: float) -> None:
        """A submit_sm has its answer."""
        self.outstanding -= 1
        self.ended = now
        pdu: Any = event.pdu
        if pdu.status:
            name = status_name(pdu.status)
            self.statuses[name] += 1
            self.counts["refused"] += 1
            self.ledger.refused(event.token, name)
        else:
            self.acks.record(now - event.sent_at)
            self.counts["acked"] += 1
            self.ledger.acked(event.token, pdu.message_id)
            if self.reports_wanted:
                self._await_report(pdu.message_id, event.sent_at)
        if self._left <= 0:
            self._notice_end()

    def _await_report(self, message_id: str, sent_at: float) -> None:
        arrived = self._early.pop(message_id, None)
        if arrived is None:
            self.awaited[message_id] = sent_at
        else:
            self.report_times.record(arrived - sent_at)

    def lost(self, tag: str) -> None:
        """A submit_sm will get no answer."""
        self.outstanding -= 1
        self.counts["unknown"] += 1
        self.ledger.unknown(tag)
        self._notice_end()

    def reported(self, message_id: str, state: str, now: float) -> None:
        """A report came."""
        self.ledger.report(message_id, state)
        self.counts["reports"] += 1
        self.states[state or "none"] += 1
        if state in INTERMEDIATE:
            return
        sent_at = self.awaited.pop(message_id, None)
        if sent_at is None:
            self._early[message_id] = now
            if len(self._early) > EARLY_LIMIT:
                self.counts["unmatched dropped"] += 1
                del self._early[next(iter(self._early))]
            return
        self.report_times.record(now - sent_at)
        if not self.awaited and self._left <= 0:
            self._notice_end()

    @property
    def unmatched(self) -> int:
        """Final reports that belong to no acknowledged message, or to one that had its report before."""
        return len(self._early) + self.counts["unmatched dropped"]

    def _notice_end(self) -> None:
        if self._left <= 0 and self.outstanding <= 0:
            self.all_answered.set()
            if not self.awaited:
                self.all_reported.set()


class LoadSession:
    """One connection of the load client (the owner of its driver). `number` is what the ledger calls it."""

    def __init__(self, run: LoadRun, number: int, on_bound: Callable[[], None], *, sends: bool) -> None:
        self.run = run
        self.number = number
        self.refusal = 0
        """The status that our bind was refused with."""
        self.reason = ""
        self.bound = False
        self.machine: smpp.Machine
        self.driver: Driver
        self._sends = sends
        self._on_bound = on_bound

    def attach(self, driver: Driver, machine: smpp.Machine) -> None:
        """The two that move this session's octets; before the driver runs, anew for each connection."""
        self.driver = driver
        self.machine = machine
        self.refusal = 0

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine."""
        kind = type(event)
        if kind is smpp.Answer:
            self.run.answered(event, now)
            self.run.refill(self, now)
        elif kind is smpp.Request:
            self._requested(event.pdu, now)
        elif kind is smpp.Bound:
            self.bound = True
            if self._sends:
                self.run.sessions.append(self)
            self._on_bound()
            self.run.refill(self, now)
        elif kind is smpp.Unanswered:
            self.run.lost(event.token)
            self.run.refill(self, now)
        elif kind is smpp.BindRefused:
            self.refusal = event.status
        elif kind is smpp.Unbound:
            self._leave()
        elif kind is smpp.Broken:
            self.reason = event.reason

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over."""
        self.bound = False
        self.reason = self.reason or reason
        self._leave()
        for event in events:
            if type(event) is smpp.Unanswered:
                self.run.lost(event.token)
        self.run.ledger.flush()

    def _leave(self) -> None:
        if self in self.run.sessions:
            self.run.sessions.remove(self)

    def _requested(self, pdu: Any, now: float) -> None:
        kind = type(pdu)
        if kind is pdus.DeliverSm or kind is pdus.DataSm:
            text = pdu.short_message if kind is pdus.DeliverSm else tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
            if reports.is_report(pdu.esm_class):
                self.run.reported(*reports.read(text, pdu.tlvs), now)
            else:
                self.run.counts["mo"] += 1
            self.machine.respond(RESPONSE_OF[kind](pdu.sequence))
        elif kind in RESPONSE_OF:
            self.machine.respond(RESPONSE_OF[kind](pdu.sequence, int(Status.RSYSERR)))
