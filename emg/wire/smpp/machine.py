"""The SMPP session machine, for both roles: bytes and the time in, events, bytes to send and the next deadline out.

It owns the state of one session, the window of our requests and all its timers; it never waits and has no clock. The driver's order:
`receive` (or `tick`), write `take_output()`, handle the events, and end the connection once `closing` is true; `closing` may become
true in any call. Whatever ends the connection, `connection_lost` comes last: with it every request of ours has ended in exactly one
`Answer` or `Unanswered`.

The machine itself answers enquire_link (always), unbind (once the answers we owe are out), requests that the state forbids
(RINVBNDSTS, the session lives), commands nobody knows (generic_nack RINVCMDID) and bodies nobody can read. Where the stream of
frames can't be trusted any more it nacks and closes. It raises LocalProtocolError alone, when *we* are about to break a rule; then
nothing was sent. To a peer without TLVs (before 3.4) they are left out, and a message_payload is such an error.

Follows SMPP 3.4 §2 and §4 and SMPP 5.0 §2; who may send what when is the table in `states`.
"""

from typing import Any, Final

from emg.errors import LocalProtocolError, RemoteProtocolError
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import PduError, decode, encode
from emg.wire.smpp.events import (
    Answer,
    BindRefused,
    BindRequested,
    Bound,
    Broken,
    Event,
    Note,
    OutbindReceived,
    Request,
    Unanswered,
    Unbound,
    Why,
)
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.link import Link
from emg.wire.smpp.names import RESPONSE, Status
from emg.wire.smpp.pdus import BY_COMMAND, Pdu
from emg.wire.smpp.states import BOUND, RESPONSE_OF, RESPONSES, Role, SessionState
from emg.wire.smpp.timers import Timers

__all__ = [
    "Answer",
    "BindRefused",
    "BindRequested",
    "Bound",
    "Broken",
    "Event",
    "Machine",
    "Note",
    "OutbindReceived",
    "Request",
    "Role",
    "SessionState",
    "Timers",
    "Unanswered",
    "Unbound",
    "Why",
]

_UNBINDING: Final = SessionState.UNBINDING  # a member of an enum costs ten times as much as a name of the module


class Machine(Link):
    """One SMPP session. To be read: `state`, `closing` (write the output, then close the connection), `version` (what both sides
    know), `tlvs_allowed`, `outstanding`, `free`, `owed`. To be set at any time: `window` (most message requests of ours
    unanswered at once; made smaller, it takes effect as answers come) and `tap` (called with incoming? and each frame, bind
    passwords included; None costs nothing).
    """

    __slots__ = ("_framer", "window")

    def __init__(
        self, role: Role, now: float, *, timers: Timers | None = None, window: int = 10, limit: int = 65536
    ) -> None:
        super().__init__(role, now, timers or Timers())
        self.window = window
        self._framer = Framer(limit)

    @property
    def outstanding(self) -> int:
        """Message requests of ours that are not answered yet."""
        return len(self._pending)

    @property
    def free(self) -> int:
        """How many message requests may be made now; 0 in a state that allows none."""
        return max(0, self.window - len(self._pending)) if self._sends else 0

    def request(self, pdu: Pdu, token: Any, now: float) -> int:
        """Queue a message request of ours and return its sequence number. `token` comes back with what became of it.

        Raises LocalProtocolError where the state, the window or the codec forbids it.
        """
        answer = self._sends.get(type(pdu))
        pending = self._pending
        if answer is None:
            raise self._forbidden(pdu)
        if len(pending) >= self.window:
            raise LocalProtocolError(f"the window of {self.window} is full")
        sequence = self._number(pdu)
        frame = encode(pdu, self._tlvs)
        self._output.append(frame)
        if self.tap is not None:
            self.tap(False, frame)
        pending[sequence] = (token, now, answer)
        self._traffic = now
        due = now + self.timers.answer
        if due < self._due:
            self._due = due
        return sequence

    def alert(self, pdu: pdus.AlertNotification) -> None:
        """SMSC: queue an alert_notification, the one message request that takes no answer (SMPP 3.4 §4.12)."""
        if self._sends.get(type(pdu), pdu) is not None:
            raise self._forbidden(pdu)
        self._number(pdu)
        self._send(pdu)

    def respond(self, pdu: Pdu) -> bool:
        """Answer a `Request`; `pdu.sequence` is the request's. False: too late, the session is over and nothing was sent."""
        if self.closing:
            return False
        if type(pdu) not in RESPONSES or not self.owed:
            raise LocalProtocolError(f"{type(pdu).__name__} answers nothing that was asked")
        frame = encode(pdu, self._tlvs)
        self._output.append(frame)
        self.responded(frame)
        return True

    def compose(self, pdu: Pdu) -> bytes:
        """The octets of an answer that is written past `take_output`; once it is, `responded` is to be told."""
        return encode(pdu, self._tlvs)

    def responded(self, frame: bytes) -> None:
        """The answer to a `Request` is among the output, or written: count it."""
        if self.tap is not None:
            self.tap(False, frame)
        self.owed -= 1
        if self.state is _UNBINDING:
            self._part_further()

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take what came from the peer; gives what it means, in order. After `closing` it takes nothing more."""
        events: list[Event] = []
        if self.closing:
            return events
        fault: RemoteProtocolError | None = None
        try:
            frames = self._framer.feed(data)
        except RemoteProtocolError as error:
            fault = error
            frames = self._framer.frames_before_bad
        tap = self.tap
        pending = self._pending
        for frame in frames:
            if tap is not None:
                tap(True, frame)
            try:
                pdu = decode(frame)
            except PduError as error:
                self._on_unreadable(frame, error, now, events)
                continue
            kind = type(pdu)
            owes = self._accepts.get(kind)
            if owes is not None:
                self.owed += owes
                events.append(Request(pdu))
                continue
            asked = pending.get(pdu.sequence)
            if asked is not None and asked[2] is kind:
                del pending[pdu.sequence]
                events.append(Answer(asked[0], pdu, asked[1]))
                continue
            self._on_other(pdu, now, events)
            if self.state is SessionState.CLOSED:
                return events
        if fault is not None:
            self._send(pdus.GenericNack(sequence=self._framer.sequence_of_bad, status=fault.status))
            self._break(str(fault), fault.status, events)
        elif events:
            # enquire_links make no event: a peer that asks but never answers is not heard (and gets asked).
            self._heard = self._traffic = now
            if self.state is _UNBINDING:
                self._part_further()
        return events

    def tick(self, now: float) -> list[Event]:
        """Do what is due at `now`."""
        events: list[Event] = []
        if now < self._due:
            return events
        pending = self._pending
        last = now - self.timers.answer
        late = []
        for sequence, (_, sent_at, _) in pending.items():  # in the order of sending
            if sent_at > last:
                break
            late.append(sequence)
        for sequence in late:
            token, sent_at, _ = pending.pop(sequence)
            events.append(Unanswered(token, sent_at, Why.TIMEOUT))
        if late and self.timers.keepalive and self.state in BOUND:
            self._probe(now)
        self._tick(now, events)
        if not self.closing:
            self._rearm()
        return events

    def connection_lost(self, now: float) -> list[Event]:
        """The connection is gone: all requests still without an answer, in the order in which they were made."""
        unsent = {int.from_bytes(frame[12:16], "big") for frame in self._output if not frame[4] & 0x80}
        events: list[Event] = [
            Unanswered(token, sent_at, Why.UNSENT if sequence in unsent else Why.LOST)
            for sequence, (token, sent_at, _) in self._pending.items()
        ]
        self._pending.clear()
        self._output.clear()
        self._close()
        return events

    def _on_other(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        """Everything but a message request that is welcome and the answer to one of ours."""
        kind = type(pdu)
        handler = self._handlers.get(kind)
        if kind is pdus.GenericNack and pdu.sequence in self._pending:
            # A nack that says "no error" is still no answer with a body.
            pdu.status = pdu.status or int(Status.RUNKNOWNERR)
            token, sent_at, _ = self._pending.pop(pdu.sequence)
            events.append(Answer(token, pdu, sent_at))
        elif handler is not None:
            handler(self, pdu, now, events)
        elif kind in RESPONSES:
            self._on_answer(pdu, now, events)
        else:
            self._refuse(pdu, self._objection(kind), events)

    def _on_unreadable(self, frame: bytes, fault: PduError, now: float, events: list[Event]) -> None:
        """The frame is sound, its content is not: the peer gets told, if it asked something; the session lives."""
        events.append(Note(f"unreadable PDU 0x{fault.command_id:08X}, sequence {fault.sequence}: {fault}"))
        kind = BY_COMMAND.get(fault.command_id)
        if not fault.command_id & RESPONSE:
            response = RESPONSE_OF.get(kind, pdus.GenericNack) if kind else pdus.GenericNack
            self._send(response(sequence=fault.sequence, status=fault.status))
            return
        asked = self._pending.get(fault.sequence)
        if kind in self._handlers:
            # What a response about the session says stands in its status.
            self._on_other(kind(fault.sequence, int.from_bytes(frame[8:12], "big")), now, events)
        elif asked is not None and asked[2] is kind:
            del self._pending[fault.sequence]
            events.append(Unanswered(asked[0], asked[1], Why.UNREADABLE))
