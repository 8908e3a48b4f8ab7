"""The simulated operator itself: what its sessions share (`Operator`), and one bound session (`OperatorSession`).

A message that is taken is in the ledger before its answer leaves: the machine's output is only handed to the socket after the ledger was
written (`connect.LedgerMachine`). A report is kept until it was acknowledged with ESME_ROK, over whichever session and however many reconnects; it is
given up only when the operator ends. Message ids start at the clock's microseconds and count up, so they are unique over restarts as long
as the mean rate stays under a million a second.

Bad peers: what the machine nacks is counted as `notes`; nothing that a peer sends raises here.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from emg.errors import LocalProtocolError
from emg.session.driver import Driver
from emg.tools import tags
from emg.tools.behaviour import Behaviour, Chooser
from emg.tools.ledger import Ledger
from emg.tools.parcels import Mailbox, MobileOriginated, Parcel
from emg.tools.wheel import Wheel
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.lists import SmeAddress
from emg.wire.smpp.names import Status, Tag, status_name
from emg.wire.smpp.states import RESPONSE_OF

MOST_CUSTOMERS: Final = 10_000
"""Different names that may bind in one run: each has a mailbox for as long as the operator lives."""
_BEFORE_ANSWER: Final = 0.05
"""An answer that is to come after its report waits at least so long, in seconds."""

_REFUSALS: Final[dict[type[pdus.Pdu], Status]] = {
    pdus.QuerySm: Status.RQUERYFAIL,
    pdus.CancelSm: Status.RCANCELFAIL,
    pdus.ReplaceSm: Status.RREPLACEFAIL,
    pdus.BroadcastSm: Status.RBCASTFAIL,
    pdus.QueryBroadcastSm: Status.RBCASTQUERYFAIL,
    pdus.CancelBroadcastSm: Status.RBCASTCANCELFAIL,
}
"""A message is gone as soon as it is taken: nothing is left to ask about, to cancel or to replace."""


class Operator:
    """What all sessions of the simulated operator share. Times named `now` are monotonic seconds, `clock` gives seconds since 1970."""

    def __init__(
        self,
        behaviour: Behaviour,
        ledger: Ledger,
        *,
        first_id: int = 0,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.behaviour = behaviour
        self.choose = Chooser(behaviour, seed)
        self.ledger = ledger
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.answers: Wheel[tuple[OperatorSession, pdus.Pdu]] = Wheel()
        self.reports: Wheel[tuple[Mailbox, Parcel]] = Wheel()
        self.mailboxes: dict[str, Mailbox] = {}
        self.sessions: list[OperatorSession] = []
        self.kept = 0
        """Parcels somewhere between their making and their acknowledgement."""
        self.wake: Callable[[], None] = lambda: None
        """Called when a wheel got something; whoever turns the wheels waits for it."""
        self._next_id = first_id or time.time_ns() // 1000

    def mailbox(self, system_id: str) -> Mailbox:
        """The mailbox of a customer, made when first asked for."""
        found = self.mailboxes.get(system_id)
        if found is None:
            found = self.mailboxes[system_id] = Mailbox()
        return found

    def take(self, session: "OperatorSession", pdu: Any, dests: Sequence[str], text: bytes, now: float) -> None:
        """A message was submitted: decide what becomes of it, write that down, and answer or plan the answer."""
        self.counts["received"] += len(dests)
        tag = tags.read(text, pdu.esm_class, pdu.data_coding)
        status = self.choose.status(now)
        if not status and self.kept >= self.behaviour.backlog:
            status = int(Status.RMSGQFUL)
        response: Any = RESPONSE_OF[type(pdu)](pdu.sequence, status)
        delay = self.choose.between(self.behaviour.delay)
        if status:
            self.ledger.refused(tag, status_name(status))
            self.statuses[status_name(status)] += len(dests)
            self._answer(session, response, now, delay)
            return
        number = self._next_id
        self._next_id = number + 1
        remote_id = self.behaviour.dialect.answer_id(number)
        for dest in dests:
            self.ledger.received(tag, remote_id, pdu.source_addr, dest)
        self.counts["taken"] += len(dests)
        state = self.choose.report_state(pdu.registered_delivery)
        if state:
            report_delay = delay + self.choose.between(self.behaviour.report_delay)
            if self.choose.happens(self.behaviour.report_before_answer):
                report_delay, delay = 0.0, max(delay, _BEFORE_ANSWER)
            self._plan_reports(session.mailbox, number, remote_id, state, pdu, dests, now, report_delay)
        if self.choose.happens(self.behaviour.drop):
            self.counts["dropped"] += 1
            session.driver.close("cut by --drop")
        elif self.choose.happens(self.behaviour.stall):
            self.counts["stalled"] += 1
        else:
            response.message_id = remote_id
            self._answer(session, response, now, delay)

    def _answer(self, session: "OperatorSession", response: pdus.Pdu, now: float, delay: float) -> None:
        if delay:
            self.answers.put(now + delay, (session, response))
            self.wake()
        else:
            session.machine.respond(response)

    def _plan_reports(
        self,
        mailbox: Mailbox,
        number: int,
        remote_id: str,
        state: str,
        pdu: Any,
        dests: Sequence[str],
        now: float,
        delay: float,
    ) -> None:
        submitted = self.clock()
        self.kept += len(dests)
        for dest in dests:
            parcel = Parcel(number, remote_id, state, pdu, dest, submitted)
            if delay:
                self.reports.put(now + delay, (mailbox, parcel))
            else:
                mailbox.waiting.append(parcel)
        # even a report without delay goes after what this turn of the loop has to say, or it would always overtake its answer
        self.wake()

    def turn(self, now: float) -> None:
        """Do what is due: answers, then reports. Called by whoever turns the wheels."""
        for session, response in self.answers.take(now):
            if session.driver.open:
                session.machine.respond(response)
                session.driver.flush_soon()
        for mailbox, parcel in self.reports.take(now):
            mailbox.waiting.append(parcel)
        for mailbox in self.mailboxes.values():
            if mailbox.waiting:
                mailbox.pump(now)

    def next_due(self) -> float | None:
        """When `turn` has something to do; None for nothing planned."""
        due = [each for each in (self.answers.next_due(), self.reports.next_due()) if each is not None]
        return min(due) if due else None

    def post(self, message: pdus.DeliverSm, now: float) -> bool:
        """A mobile-originated message for whoever is bound, in turn. False when nobody is, or the backlog is full."""
        bound = [mailbox for mailbox in self.mailboxes.values() if mailbox.carriers]
        if not bound or self.kept >= self.behaviour.backlog:
            return False
        mailbox = bound[self.counts["mo"] % len(bound)]
        self.counts["mo"] += 1
        self.kept += 1
        mailbox.waiting.append(MobileOriginated(0, "-", "MO", message, message.source_addr, 0.0))
        mailbox.pump(now)
        return True

    def come_back(self, mailbox: Mailbox, parcel: Parcel, now: float) -> None:
        """A parcel was not accepted: it is tried again after a pause."""
        self.counts["sent again"] += 1
        self.reports.put(now + self.behaviour.retry, (mailbox, parcel))
        self.wake()

    def summary(self) -> dict[str, Any]:
        """The counts so far, by name."""
        return {
            "sessions": len(self.sessions),
            **{name: self.counts[name] for name in COUNTED},
            "waiting reports": self.kept,
            "errors": dict(self.statuses),
        }


COUNTED: Final = (
    "received", "taken", "reports sent", "reports acked", "sent again", "mo", "mo acked", "stalled", "dropped", "binds refused", "unsendable", "notes",
)  # fmt: skip
"""The counts that a summary shows."""


class OperatorSession:
    """One connection of a customer (the owner of its driver)."""

    def __init__(self, operator: Operator, system_id: str, password: str, version: int) -> None:
        self.operator = operator
        self.machine: smpp.Machine
        self.driver: Driver
        self.mailbox = operator.mailbox("")
        self._system_id = system_id
        self._password = password
        self._version = version

    def attach(self, driver: Driver, machine: smpp.Machine) -> None:
        """The two that move this session's octets; once, before the driver runs."""
        self.driver = driver
        self.machine = machine
        self.operator.sessions.append(self)

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine."""
        kind = type(event)
        if kind is smpp.Request:
            self._requested(event.pdu, now)
        elif kind is smpp.Answer:
            self._answered(event, now)
        elif kind is smpp.Unanswered:
            self.operator.come_back(self.mailbox, event.token, now)
        elif kind is smpp.BindRequested:
            self._bind(event.pdu, now)
        elif kind is smpp.Note or kind is smpp.Broken:
            self.operator.counts["notes"] += 1

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over: what was on its way goes back to the head of the mailbox."""
        operator = self.operator
        self.mailbox.remove(self)
        operator.sessions.remove(self)
        lost = [event.token for event in events if type(event) is smpp.Unanswered]
        operator.counts["sent again"] += len(lost)
        self.mailbox.give_back(lost)
        operator.ledger.flush()
        operator.wake()

    def _requested(self, pdu: Any, now: float) -> None:
        kind = type(pdu)
        if kind is pdus.SubmitSm:
            text = pdu.short_message or tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
            self.operator.take(self, pdu, (pdu.destination_addr,), text, now)
        elif kind is pdus.DataSm:
            self.operator.take(self, pdu, (pdu.destination_addr,), tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"", now)
        elif kind is pdus.SubmitMulti:
            dests = [each.address if type(each) is SmeAddress else each.name for each in pdu.dest_address]
            self.operator.take(self, pdu, dests, pdu.short_message or tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"", now)
        elif kind in _REFUSALS:
            self.machine.respond(RESPONSE_OF[kind](pdu.sequence, int(_REFUSALS[kind])))

    def _bind(self, pdu: Any, now: float) -> None:
        refusal = 0
        if self._system_id and pdu.system_id != self._system_id:
            refusal = int(Status.RINVSYSID)
        elif self._password and pdu.password != self._password:
            refusal = int(Status.RINVPASWD)
        elif pdu.system_id not in self.operator.mailboxes and len(self.operator.mailboxes) >= MOST_CUSTOMERS:
            refusal = int(Status.RBINDFAIL)
        if refusal:
            self.operator.counts["binds refused"] += 1
            self.machine.refuse_bind(pdu, refusal)
            return
        # the session speaks what both sides know
        pdu.interface_version = min(pdu.interface_version, self._version)
        if not self.machine.accept_bind(pdu, self._system_id or "emgsink", now):
            return
        self.mailbox = self.operator.mailbox(pdu.system_id)
        if type(pdu) is not pdus.BindTransmitter:
            self.mailbox.add(self)
            self.operator.wake()

    # What a mailbox asks of a session

    def room(self) -> int:
        """How many parcels the window takes now."""
        return self.machine.free if self.driver.open else 0

    def carry(self, parcel: Parcel, now: float) -> None:
        """Send a parcel to the customer."""
        operator = self.operator
        behaviour = operator.behaviour
        if parcel.remote_id == "-":
            operator.counts["mo sent"] += 1
        else:
            operator.counts["reports sent"] += 1
            operator.ledger.report_sent(parcel.remote_id, parcel.state)
        pdu = parcel.pdu(behaviour.dialect, operator.clock(), by_data_sm=behaviour.report_by_data_sm)
        try:
            self.machine.request(pdu, parcel, now)
        except LocalProtocolError:
            # an address of a data_sm may be longer than a deliver_sm can carry back
            operator.kept -= 1
            operator.counts["unsendable"] += 1
            return
        self.driver.flush_soon()

    def _answered(self, event: smpp.Answer, now: float) -> None:
        operator = self.operator
        parcel: Parcel = event.token
        if event.pdu.status:
            operator.come_back(self.mailbox, parcel, now)
        else:
            operator.kept -= 1
            if parcel.remote_id == "-":
                operator.counts["mo acked"] += 1
            else:
                operator.counts["reports acked"] += 1
                operator.ledger.report_acked(parcel.remote_id)
        mailbox = self.mailbox
        if mailbox.waiting:
            mailbox.pump(now)
