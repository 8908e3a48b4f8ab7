"""The part of the SMPP session machine that is about the session itself: bind, outbind, unbind, enquire_link, and their timers.

`machine.Machine` adds the messages and is what a driver uses; the promises stand there. State changes of a session happen in this
file alone. Follows SMPP 3.4 §2 and §4.1, §4.2, §4.11; SMPP 5.0 §2.
"""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any, ClassVar

from emg.errors import LocalProtocolError
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import encode, tlv
from emg.wire.smpp.events import BindRefused, BindRequested, Bound, Broken, Event, Note, OutbindReceived, Unbound
from emg.wire.smpp.names import Status, Tag, Version
from emg.wire.smpp.pdus import Bind, BindResp, Pdu
from emg.wire.smpp.states import BOUND, BOUND_BY, KNOWN, OWES, RESPONSE_OF, SENDS, Role, SessionState
from emg.wire.smpp.timers import Timers

LAST_SEQUENCE = 0x7FFFFFFF
OWED_SECONDS = 1.0
"""How long our unbind waits for the answers that we owe: many a peer closes at once when it sees it, and then knows of none. A peer that never stops asking would never
let us go."""


class Parting(Enum):
    """How far the end of a session has come, while its state is UNBINDING."""

    DRAINING = "our unbind waits for the answers in both windows"
    SAID = "our unbind is out"
    ANSWERED = "our unbind is answered, we still owe answers"
    ASKED = "the peer's unbind waits for the answers we owe"


class Link:
    """One session without its messages."""

    __slots__ = (
        "_accepts",
        "_bind_due",
        "_binding",
        "_due",
        "_goodbye",
        "_heard",
        "_link_due",
        "_next",
        "_output",
        "_own",
        "_owed_due",
        "_parting",
        "_pending",
        "_sends",
        "_tlvs",
        "_traffic",
        "_unbind_due",
        "closing",
        "owed",
        "role",
        "state",
        "tap",
        "timers",
        "version",
    )

    def __init__(self, role: Role, now: float, timers: Timers) -> None:
        self.role = role
        self.timers = timers
        self.tap: Callable[[bool, bytes], None] | None = None
        self.closing = False
        self.version: int = Version.V34
        self._output: list[bytes] = []
        self._next = 1
        self._pending: dict[int, tuple[Any, float, type[Pdu]]] = {}  # our messages: token, sent at, class of the answer
        self._own: dict[int, type[Pdu]] = {}  # our requests about the session, by sequence
        self.owed = 0
        """Requests of the peer that we have not answered yet. To bound it, stop reading."""
        self._binding: Bind | None = None  # SMSC: being decided on; ESME: sent
        self._parting = Parting.DRAINING
        self._goodbye = 0  # sequence of the peer's unbind
        self._tlvs = True  # False: bound, and the peer knows none
        self._heard = self._traffic = now
        self._bind_due = now + timers.bind
        self._link_due = self._unbind_due = self._owed_due = inf
        # Never later than the next deadline. Most of what happens only moves deadlines away and costs nothing here:
        # `tick` works out the exact value.
        self._due = self._bind_due
        self.state = SessionState.OPEN
        self._sends = SENDS[role, self.state]  # what we may ask for, and what answers it
        self._accepts = OWES[role, self.state]  # what the peer may ask for, and how many answers it gets

    @property
    def tlvs_allowed(self) -> bool:
        """The peer understands optional parameters (interface version 3.4 and later)."""
        return self.version >= Version.V34

    @property
    def bind_due(self) -> float:
        """When the session ends unless it is bound by then; inf: it is."""
        return self._bind_due

    def next_deadline(self) -> float:
        """When to call `tick` at the latest; inf: never. It may be earlier than need be, then that `tick` does nothing."""
        return self._due

    def retime(self, timers: Timers) -> None:
        """Other times from now on; what is being waited for already keeps its own. The next deadline may be nearer after it."""
        self.timers = timers
        if not self.closing:
            self._rearm()

    def take_output(self) -> bytes:
        """What is to be written now, in order; it is given out once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    # The beginning of a session

    def bind(self, pdu: Bind, now: float) -> None:
        """ESME: ask to be let in, by one of the three bind PDUs. `Bound` or `BindRefused` says how it ended."""
        unbound = self.state is SessionState.OPEN or self.state is SessionState.OUTBOUND
        if self.role is not Role.ESME or not unbound or self._own or type(pdu) not in BOUND_BY:
            raise self._forbidden(pdu)
        self._send_own(pdu)
        self._binding = pdu
        self._bind_due = self._due = now + self.timers.bind

    def outbind(self, pdu: pdus.Outbind) -> None:
        """SMSC: ask the ESME to bind as a receiver (SMPP 3.4 §2.2.1)."""
        if self.role is not Role.SMSC or self.state is not SessionState.OPEN or self._binding is not None:
            raise self._forbidden(pdu)
        self._number(pdu)
        self._send(pdu)
        self._enter(SessionState.OUTBOUND)

    def accept_bind(
        self, request: Bind, system_id: str, now: float, tlvs: pdus.Tlvs = (), *, highest: int = Version.V50
    ) -> bool:
        """SMSC: let the peer in, as `system_id`, in the version he asks for or `highest`, whichever is less.

        Adds sc_interface_version. False: too late, the session is over.
        """
        if not self._undecided(request):
            return False
        version = min(request.interface_version, int(highest))
        if Version.V34 < version < Version.V50:  # there is none in between: he gets what both know
            version = int(Version.V34)
        response = RESPONSE_OF[type(request)](sequence=request.sequence)
        assert isinstance(response, BindResp), "each bind is answered by a bind_resp"
        response.system_id = system_id
        response.tlvs = ((int(Tag.SC_INTERFACE_VERSION), bytes([version])), *tlvs)
        self._tlvs = version >= Version.V34
        self._send(response)
        self._settle(request, version, now)
        return True

    def refuse_bind(self, request: Bind, status: int) -> bool:
        """SMSC: don't let the peer in; the connection ends. False: too late, the session is over."""
        if not self._undecided(request):
            return False
        self._send(RESPONSE_OF[type(request)](sequence=request.sequence, status=status))
        self._close()
        return True

    def _undecided(self, request: Bind) -> bool:
        if self.closing:
            return False
        if self.role is not Role.SMSC or self._binding is not request:
            raise LocalProtocolError("there is no such bind to decide on")
        return True

    def _settle(self, bind: Bind, version: int, now: float) -> None:
        """`bind` has been granted."""
        self.version = version
        self._tlvs = version >= Version.V34
        self._binding = None
        self._enter(BOUND_BY[type(bind)])
        self._heard = self._traffic = now
        self._bind_due = inf
        self._rearm()

    # The end of a session

    def unbind(self, now: float) -> None:
        """End the session in good order: no more requests, wait for the answers on both sides, say unbind. `timers.unbind` bounds it all.

        Where nobody is bound, it just closes; where the session is ending already, it does nothing.
        """
        if self.state in BOUND:
            self._part(Parting.DRAINING, now)
        elif self.state is not SessionState.UNBINDING:
            self._close()

    def _part(self, parting: Parting, now: float) -> None:
        self._parting = parting
        if self._unbind_due == inf:
            self._unbind_due = now + self.timers.unbind
        accepts = self._accepts
        self._enter(SessionState.UNBINDING)
        if parting is Parting.DRAINING:
            # What the peer sent before it could see our unbind is taken as ever: a refusal might be final to it.
            self._accepts = accepts
            self._owed_due = now + min(OWED_SECONDS, self.timers.unbind)
        self._link_due = inf
        self._rearm()
        self._part_further()

    def _part_further(self) -> None:
        """Take the next step of the goodbye, if nothing holds it back. To be called when a window has become emptier."""
        if self._parting is Parting.ASKED and not self.owed:
            self._send(pdus.UnbindResp(sequence=self._goodbye))
            self._close()
        elif self._parting is Parting.ANSWERED and not self.owed:
            self._close()
        elif self._parting is Parting.DRAINING and not self._pending and (not self.owed or self._owed_due == inf):
            self._send_own(pdus.Unbind())
            self._parting = Parting.SAID
            self._owed_due = inf

    def _part_at_last(self, events: list[Event]) -> None:
        """The time for a goodbye is up: say what is still to be said, and close."""
        events.append(Note(f"session not ended in time: {self._parting.value}"))
        if self._parting is Parting.ASKED:
            self._send(pdus.UnbindResp(sequence=self._goodbye))
        elif self._parting is not Parting.ANSWERED:
            if self._parting is Parting.DRAINING:
                self._send_own(pdus.Unbind())
            events.append(Unbound(by_peer=False))
        self._close()

    # What the peer says about the session

    def _on_enquire_link(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        self._send(pdus.EnquireLinkResp(sequence=pdu.sequence))

    def _on_bind(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        if self.role is Role.ESME:
            self._refuse(pdu, Status.RINVCMDID, events)
        elif self._binding is not None or self.state not in (SessionState.OPEN, SessionState.OUTBOUND):
            self._refuse(pdu, Status.RALYBND, events)
        else:
            assert isinstance(pdu, Bind), "the table of handlers names binds alone"
            self._binding = pdu
            events.append(BindRequested(pdu))

    def _on_outbind(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        if self.role is Role.ESME and self.state is SessionState.OPEN and not self._own:
            self._enter(SessionState.OUTBOUND)
            events.append(OutbindReceived(pdu))
        else:
            self._refuse(pdu, self._objection(type(pdu)), events)

    def _on_unbind(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        told = self._parting in (Parting.ANSWERED, Parting.ASKED)
        self._goodbye = pdu.sequence
        self._part(Parting.ASKED, now)
        if not told:
            events.append(Unbound(by_peer=True))

    def _on_answer(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        """A response about the session, or a generic_nack."""
        request = self._own.get(pdu.sequence)
        if request is None or type(pdu) not in (RESPONSE_OF[request], pdus.GenericNack):
            events.append(
                Note(f"{type(pdu).__name__} to sequence {pdu.sequence}, which was not asked or has timed out")
            )
            return
        del self._own[pdu.sequence]
        if request is pdus.EnquireLink:
            self._heard = now
            self._link_due = inf
            self._rearm()
        elif request is pdus.Unbind:
            if self._parting is Parting.SAID:
                self._parting = Parting.ANSWERED
                events.append(Unbound(by_peer=False))
                self._part_further()
        else:
            self._on_bind_answer(pdu, now, events)

    def _on_bind_answer(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        bind = self._binding
        assert bind is not None, "a bind that is out is kept"
        if pdu.status or not isinstance(pdu, BindResp):
            events.append(BindRefused(pdu.status or int(Status.RBINDFAIL)))
            self._close()
            return
        # Many an SMSC that knows TLVs leaves sc_interface_version out: then it speaks the version we asked for.
        theirs = tlv(pdu.tlvs, Tag.SC_INTERFACE_VERSION)
        version = min(bind.interface_version, theirs[0]) if theirs else bind.interface_version
        self._settle(bind, version, now)
        events.append(Bound(pdu))

    # Time

    def _tick(self, now: float, events: list[Event]) -> None:
        if now >= self._bind_due:
            waiting = "no answer to our bind" if self._own else "not bound"
            self._break(f"{waiting} within {self.timers.bind:g} s", 0, events)
        elif now >= self._unbind_due:
            self._part_at_last(events)
        elif now >= self._owed_due:
            self._owed_due = inf
            self._part_further()
        elif now >= self._link_due:
            self._break(f"enquire_link not answered within {self.timers.link_answer:g} s", 0, events)
        elif self.state in BOUND:
            if self.timers.idle and now >= self._traffic + self.timers.idle:
                events.append(Note(f"no message for {self.timers.idle:g} s: unbinding"))
                self.unbind(now)
            elif self.timers.keepalive and now >= self._heard + self.timers.keepalive:
                self._probe(now)

    def _probe(self, now: float) -> None:
        """Ask the peer whether it is there, unless we are asking already."""
        if self._link_due == inf:
            self._send_own(pdus.EnquireLink())
            self._link_due = now + self.timers.link_answer

    def _rearm(self) -> None:
        """Work out the next deadline."""
        timers = self.timers
        due = min(self._bind_due, self._unbind_due, self._owed_due, self._link_due)
        if self._pending:
            due = min(due, next(iter(self._pending.values()))[1] + timers.answer)
        if self.state in BOUND:
            if timers.keepalive and self._link_due == inf:
                due = min(due, self._heard + timers.keepalive)
            if timers.idle:
                due = min(due, self._traffic + timers.idle)
        self._due = due

    # What everything above stands on

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self._sends = SENDS[self.role, state]
        self._accepts = OWES[self.role, state]

    def _close(self) -> None:
        self._enter(SessionState.CLOSED)
        self.closing = True
        self._due = inf

    def _break(self, reason: str, status: int, events: list[Event]) -> None:
        """The peer's fault: no goodbye."""
        events.append(Broken(reason, status))
        self._close()

    def _send(self, pdu: Pdu) -> None:
        frame = encode(pdu, self._tlvs)
        self._output.append(frame)
        if self.tap is not None:
            self.tap(False, frame)

    def _send_own(self, pdu: Pdu) -> None:
        """Send a request about the session; `_on_answer` gets what comes of it."""
        sequence = self._number(pdu)
        self._send(pdu)
        self._own[sequence] = type(pdu)

    def _number(self, pdu: Pdu) -> int:
        """Give a request of ours the next sequence number (§3.2), never one that is still out."""
        sequence = self._next
        while sequence > LAST_SEQUENCE or sequence in self._pending or sequence in self._own:
            sequence = sequence + 1 if sequence < LAST_SEQUENCE else 1
        self._next = sequence + 1
        pdu.sequence = sequence
        return sequence

    def _objection(self, request: type[Pdu]) -> Status:
        """Why `request` is not taken: not in this state, or from a peer of this role never."""
        return Status.RINVBNDSTS if request in KNOWN[self.role] else Status.RINVCMDID

    def _refuse(self, pdu: Pdu, status: int, events: list[Event]) -> None:
        """Answer a request with an error in its own response; the session lives."""
        response = RESPONSE_OF.get(type(pdu), pdus.GenericNack)
        self._send(response(sequence=pdu.sequence, status=status))
        events.append(Note(f"{type(pdu).__name__} refused in state {self.state.value}"))

    def _forbidden(self, pdu: Pdu) -> LocalProtocolError:
        return LocalProtocolError(f"{self.role.value} may not send {type(pdu).__name__} in state {self.state.value}")

    _handlers: ClassVar[dict[type[Pdu], Callable[["Link", Pdu, float, list[Event]], None]]] = {
        pdus.EnquireLink: _on_enquire_link,
        pdus.Unbind: _on_unbind,
        pdus.BindTransmitter: _on_bind,
        pdus.BindReceiver: _on_bind,
        pdus.BindTransceiver: _on_bind,
        pdus.Outbind: _on_outbind,
        pdus.EnquireLinkResp: _on_answer,
        pdus.UnbindResp: _on_answer,
        pdus.BindTransmitterResp: _on_answer,
        pdus.BindReceiverResp: _on_answer,
        pdus.BindTransceiverResp: _on_answer,
        pdus.GenericNack: _on_answer,
    }
