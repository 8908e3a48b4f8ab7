"""What a bound SMPP session does in either role: transmit messages, hear their outcomes, and log its PDUs.

`Session` is the owner of one `Driver`: it turns the machine's events into calls of the engine. Its two children add what is particular to
being bound to (`incoming`) and to binding (`outgoing`). A session counts nothing itself; it has one state, that of its machine.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent.socket

from emg.config.model import ConnectorConfig, MaybeSent
from emg.connectors.smpp.statuses import cause_of, status_of
from emg.engine import slowing
from emg.engine.carrier import Carrier
from emg.engine.engine import Engine
from emg.engine.logs import REFUSALS_A_SESSION, REFUSALS_AN_ADDRESS
from emg.engine.port import Port
from emg.errors import Cause, EmgError, LocalProtocolError, Rejected
from emg.message import Message
from emg.session.driver import Driver
from emg.session.tls import TlsPipe
from emg.text.errors import TextError
from emg.wire.smpp.events import Answer, Broken, Note, Request, Unanswered, Unbound, Why
from emg.wire.smpp.machine import Machine
from emg.wire.smpp.names import RESPONSE, Status, Tag, Version
from emg.wire.smpp.pdus import BY_COMMAND, DataSmResp, Pdu, SubmitMultiResp, SubmitSmResp
from emg.wire.smpp.timers import Timers

LINK_SECONDS = 15.0
"""At most so long an answer to enquire_link takes, whatever OPTIMEOUT gives to messages: nothing has to be kept for it."""


def timers_of(config: ConnectorConfig) -> Timers:
    """The machine's timers by a connector's keywords."""
    return Timers(
        bind=config.bindtimeout,
        keepalive=config.keepalive,
        answer=config.optimeout,
        link_answer=min(config.optimeout, LINK_SECONDS),
        idle=config.idletimeout,
    )


PENDING = 1000
"""Requests of one session that may wait for their answer; more are refused as throttled (protocol case S20)."""


class Session:
    """One SMPP connection. `name` is `connector#n`."""

    def __init__(
        self,
        engine: Engine,
        port: Port,
        name: str,
        sock: gevent.socket.socket,
        machine: Machine,
        ip: str,
        tls: TlsPipe | None,
    ) -> None:
        self.engine = engine
        self.port = port
        self.name = name
        self.ip = ip
        self.machine = machine
        self.account = ""
        self.since = time.time()
        self.last_message = 0.0
        self.log = logging.getLogger(f"emg.connector.{port.name}")
        self.driver = Driver(sock, machine, self, peer=ip, tls=tls)
        self.carrier = Carrier(engine.spool.new_slot(), name, 1, self.transmit)
        self.attached = False
        self._broken = False
        self.pending_limit = PENDING
        self.handlers: dict[type, Callable[[Any, float], None]] = {
            Request: self._on_request,
            Answer: self._on_answer,
            Unanswered: self._on_unanswered,
            Note: self._on_note,
            Broken: self._on_broken,
            Unbound: self._on_unbound,
        }
        self.on_request: dict[type[Pdu], Callable[[Any, float], None]] = {}
        self.configure()

    def configure(self) -> None:
        """Take settings that may change while the session stands."""
        self.machine.tap = self._tap if self.engine.logs.pdu_wanted(self.port.config) else None
        timers = timers_of(self.port.config)
        if timers != self.machine.timers:
            self.machine.retime(timers)
            self.driver.flush_soon()

    # -- the driver's owner

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine."""
        self.handlers[type(event)](event, now)

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over: everything that is unanswered goes back to its queue."""
        self.carrier.up = False
        for event in events:
            self.handlers[type(event)](event, now)
        self.detach()
        if self.account:
            self.log.info("session %s %s ended: %s", self.name, self.describe(), reason)
        elif not self._broken:
            self.complain("ended: %s", reason)

    def complain(self, text: str, *values: object) -> None:
        """A line that the peer can cause as often as he likes: bounded for each session, and for each address of those not bound."""
        text = "session %s %s " + text
        about, most = f"session {self.name}", REFUSALS_A_SESSION
        if not self.account:
            about, most = f"strangers from {self.ip}", REFUSALS_AN_ADDRESS
        self.engine.logs.complain(self.log, about, text, self.name, self.describe(), *values, most=most)

    def describe(self) -> str:
        """Who is at the other end."""
        return f"({self.account or 'nobody'} from {self.ip})"

    def attach(self, window: int) -> None:
        """The session may transmit."""
        self.carrier.window = self.machine.window = window
        slowing.deepen(self.port, self.carrier, window if self.port.config.maybesent is MaybeSent.FAIL else 2 * window)
        self.carrier.up = self.attached = True

    def detach(self) -> None:
        """It may not any more."""
        if self.attached:
            self.attached = False
            self.engine.deliverer.release(self.port, self.carrier)

    # -- sending

    def transmit(self, message: Message) -> None:
        """Put a message on the wire; its marks are committed."""
        try:
            self.machine.request(self.pdu_for(message), message, time.monotonic())
            self.driver.flush_soon()
        except (Rejected, TextError) as error:
            self.engine.deliverer.impossible(self.port, self.carrier, message, error.cause, str(error))
        except LocalProtocolError as error:
            self._on_local_error(message, error)

    def _on_local_error(self, message: Message, error: LocalProtocolError) -> None:
        if self.machine.free and self.driver.open:  # the state allows it: it is this message that cannot be written
            self.engine.deliverer.impossible(self.port, self.carrier, message, Cause.UNSUPPORTED, str(error))
        else:
            self.engine.deliverer.unsent(self.port, self.carrier, message)

    def pdu_for(self, message: Message) -> Pdu:
        """The PDU that carries this message in this session's direction."""
        raise NotImplementedError

    def remote_id(self, pdu: Any) -> str:
        """What the far side calls a message that it has taken."""
        raise NotImplementedError

    def _on_answer(self, event: Answer, _now: float) -> None:
        message: Message = event.token
        status = event.pdu.status
        if not status:
            self.engine.deliverer.sent(self.port, self.carrier, message, self.remote_id(event.pdu))
        else:
            self.engine.deliverer.refused(self.port, self.carrier, message, status, cause_of(status))

    def _on_unanswered(self, event: Unanswered, _now: float) -> None:
        if event.why is Why.UNSENT:
            self.engine.deliverer.unsent(self.port, self.carrier, event.token)
        else:
            lost = event.why is not Why.TIMEOUT
            self.engine.deliverer.unanswered(self.port, self.carrier, event.token, lost=lost)

    # -- receiving

    def _on_request(self, event: Request, now: float) -> None:
        pdu = event.pdu
        handler = self.on_request.get(type(pdu))
        if handler is None:
            self.refuse(pdu, int(Status.RINVCMDID))
            return
        try:
            if self.machine.owed > self.pending_limit:
                raise Rejected(Cause.THROTTLED, f"more than {self.pending_limit} requests unanswered")
            handler(pdu, now)
        except EmgError as error:
            self.reject(pdu, error)

    def reject(self, pdu: Pdu, error: EmgError) -> None:
        """A request was refused: note it, and answer with its cause."""
        rejected = self.noted(pdu, error)
        self.refuse(pdu, status_of(rejected.cause), rejected.cause.value)

    def noted(self, pdu: Pdu, error: EmgError) -> Rejected:
        """Why a request, or one of its destinations, is refused: now noted. What is no `Rejected` is a spool without room: "busy"."""
        rejected = error if isinstance(error, Rejected) else Rejected(Cause.SPOOL_FULL, str(error))
        self.note_refusal(pdu, rejected)
        return rejected

    def note_refusal(self, pdu: Pdu, error: Rejected) -> None:
        """Count and log it, bounded: a client that is refused a thousand times a second does not fill the disk."""
        self.port.counters.refused += 1
        self.engine.logs.refusal(self.log, self.name, type(pdu).__name__, error)

    def refuse(self, request: Pdu, status: int, reason: str = "") -> None:
        """Answer with an error in the request's own response; with the reason in words where that has a parameter for it."""
        response = BY_COMMAND.get(request.command_id | RESPONSE)
        if response is None:
            return
        answer = response(sequence=request.sequence, status=status)
        if reason and isinstance(answer, SubmitSmResp | DataSmResp | SubmitMultiResp):
            answer.tlvs = self.in_words(reason)
        self.respond(answer)

    def in_words(self, reason: str) -> tuple[tuple[int, bytes], ...]:
        """additional_status_info_text (SMPP 5.0 §4.8.4.2), which answers to submissions have room for from that version on; older clients need not
        expect one there.
        """
        if not reason or self.machine.version < Version.V50:
            return ()
        return ((Tag.ADDITIONAL_STATUS_INFO_TEXT, reason.encode() + b"\0"),)

    def respond(self, pdu: Pdu) -> None:
        """Answer a request of the peer; too late is no fault."""
        try:
            self.machine.respond(pdu)
        except LocalProtocolError as error:
            self.log.warning("session %s: an answer was not sent: %s", self.name, error)
        self.driver.flush_soon()

    # -- the session itself

    def _on_note(self, event: Note, _now: float) -> None:
        self.complain("met: %s", event.text)

    def _on_broken(self, event: Broken, _now: float) -> None:
        if self.account:
            self.log.warning("session %s %s broken: %s", self.name, self.describe(), event.reason)
        else:
            self._broken = True
            self.complain("broken: %s", event.reason)
        self.driver.flush()

    def _on_unbound(self, event: Unbound, _now: float) -> None:
        self.log.info("session %s %s unbound by %s", self.name, self.describe(), "the peer" if event.by_peer else "us")

    def unbind(self) -> None:
        """End it in good order: nothing new, the answers in the window, unbind."""
        self.carrier.window = 0
        self.machine.unbind(time.monotonic())
        self.driver.flush()

    def close(self, reason: str) -> None:
        """End it now."""
        self.driver.close(reason)

    def _tap(self, inward: bool, frame: bytes) -> None:
        self.engine.logs.pdu(self.port.name, self.name, inward, frame)

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""
        return {
            "session": self.name,
            "connector": self.port.name,
            "account": self.account,
            "ip": self.ip,
            "state": self.machine.state.name.lower(),
            "version": f"{self.machine.version:#04x}",
            "tls": self.driver.tls is not None,
            "since": self.since,
            "window": self.carrier.window,
            "in_flight": len(self.carrier.in_flight),
            "owed": self.machine.owed,
        }
