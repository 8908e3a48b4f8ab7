"""SMPP connectors that bind to an operator: we are the ESME.

Keeps INSTANCES sessions (pairs of them where version 3.3 goes both ways): always (STATIC), or when there is something to send. A
connection that is lost or refused is tried again with growing pauses;
a refused bind (wrong password, unknown system) waits long from the start and says so as an alarm, because trying often gets accounts locked
(protocol case S6). All addresses of all names are tried in turn. What comes in — receipts and messages — is acknowledged only after it is durable.
"""

import itertools
import logging
import time
from typing import Any, Final

import gevent
import gevent.event
import gevent.pool
import gevent.socket

from emg.config.model import ConnectorConfig, Mode
from emg.connectors.smpp.rehearsal import context_of
from emg.connectors.smpp.session import Session, timers_of
from emg.connectors.smpp.translate import Inward, Outward
from emg.engine.engine import Engine
from emg.engine.port import Port
from emg.engine.receive import Sender
from emg.errors import Cause, EmgError, Rejected, SpoolError
from emg.message import Kind, Message, OpenReport
from emg.rules.address import Addressing
from emg.rules.pacing import AdaptiveWindow, Redial
from emg.rules.remoteid import IdFormat
from emg.session.dial import dial
from emg.session.tls import TlsPipe
from emg.wire.smpp import pdus
from emg.wire.smpp.events import Answer, BindRefused, Bound, OutbindReceived
from emg.wire.smpp.machine import Machine, Role
from emg.wire.smpp.names import Status, status_name
from emg.wire.smpp.pdus import Bind, BindReceiver, BindTransceiver, BindTransmitter, DataSm, DeliverSm, Pdu
from emg.wire.smpp.receipt import Receipt, as_report, read_receipt

log = logging.getLogger("emg.connector")

CONNECT_SECONDS = 10.0
TRANSCEIVER_VERSION = 0x34
AUTO_START = 10
AUTO_MOST = 100
_REPORT: Final = Kind.REPORT  # a member of an enum costs ten times as much as a name of the module


class OutgoingConnector:
    """One dialling connector and its sessions."""

    def __init__(self, engine: Engine, port: Port) -> None:
        self.engine = engine
        self.port = port
        self.last_fault = ""
        self.wanted = gevent.event.Event()
        """There is something to send: sessions on demand may dial."""
        self._stop = gevent.event.Event()
        self._sessions: dict[str, OutgoingSession] = {}
        self._keepers = gevent.pool.Group()
        self._numbers = itertools.count(1)
        self.sender = Sender(port.name, None)
        port.lane.on_stuck = self.wanted.set
        self.configure()

    def configure(self) -> None:
        """Build what depends on the settings; sessions that stand take what can change while they stand."""
        config = self.port.config
        self.outward = Outward(config, Addressing(config))
        self.inward = Inward(config, Addressing(ConnectorConfig(name="")))
        self.ids = IdFormat.parse(config.msgid_format)
        self.timers = timers_of(config)
        self.tls = context_of(config)
        for session in self._sessions.values():
            session.configure()
            if session.attached:
                session.attach(session.window())

    def start(self) -> None:
        """Begin to keep sessions. A connection that cannot be made is tried again, never an error here."""
        self._stop.clear()
        self.port.started = True
        self.port.reachable = not self.port.config.static
        for _ in range(self.port.config.instances):
            for kind in self._kinds():
                self._keepers.spawn(self._keep, kind)

    def stop(self, seconds: float) -> None:
        """Unbind, wait for the answers in the window, end; at most about `seconds`."""
        self.port.started = self.port.reachable = False
        self._stop.set()
        self.wanted.set()
        for session in list(self._sessions.values()):
            session.unbind()
        if not self._keepers.join(timeout=seconds):
            for session in list(self._sessions.values()):
                session.close("the gateway stops")
            self._keepers.join(timeout=2.0)
        self._keepers.kill(block=True, timeout=1.0)

    def sessions(self) -> list[Session]:
        """Those that stand, bound or not."""
        return list(self._sessions.values())

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""
        bound = sum(1 for session in self._sessions.values() if session.bound)
        down = "stopped" if not self.port.started else "idle" if self.port.reachable else "retrying"
        return {
            "name": self.port.name,
            "type": "outgoing",
            "state": "up" if self._sends() else down,
            "addresses": [str(endpoint) for endpoint in self.port.config.address],
            "sessions": bound,
            "connections": len(self._sessions),
            "last_fault": self.last_fault,
        }

    # -- keeping sessions

    def _kinds(self) -> tuple[type[Bind], ...]:
        """The sessions of one instance. SMPP 3.3 knows no transceiver: both directions take one session each."""
        config = self.port.config
        if config.mode is Mode.BOTH:
            whole = config.interfaceversion >= TRANSCEIVER_VERSION
            return (BindTransceiver,) if whole else (BindTransmitter, BindReceiver)
        return (BindTransmitter,) if config.mode is Mode.TRANSMIT else (BindReceiver,)

    def _keep(self, kind: type[Bind]) -> None:
        """One session: dial, serve, pause, again, until the connector stops."""
        config = self.port.config
        redial = Redial(config.waitbeforeconnect, config.maxfailedconnects, config.maxfailedsleep)
        while not self._stop.is_set():
            if not self._needed(kind):
                continue
            began = time.monotonic()
            session = self._connect_and_serve(kind)
            if self._stop.is_set():
                return
            if session is not None and session.refused:
                pause = redial.refused()
                log.error(
                    "connector %s: the bind was refused (%s); next try in %.0f s",
                    self.port.name,
                    self.last_fault,
                    pause,
                )
            elif session is not None and session.was_bound:
                pause = redial.lost(time.monotonic() - began)
            else:
                pause = redial.failed()
            if session is None or not session.ended_well:
                self._stop.wait(pause)

    def _needed(self, kind: type[Bind]) -> bool:
        """Wait until a session is to be made: at once when STATIC, else when the queue has something. A receiver that stands alone is
        always needed, because nothing here could ask for it; one beside a transmitter is needed as long as that.
        """
        if self.port.config.static or self.port.lane.size or not self.port.can_send:
            return True
        if kind is BindReceiver and self._sends():
            return True
        self.wanted.wait(1.0)
        self.wanted.clear()
        return self.port.lane.size > 0

    def _sends(self) -> bool:
        """A session is up that messages can leave by, or any where none ever do."""
        return any(session.bound and (session.sends or not self.port.can_send) for session in self._sessions.values())

    def _connect_and_serve(self, kind: type[Bind]) -> "OutgoingSession | None":
        config = self.port.config
        name = f"{self.port.name}#{next(self._numbers)}"
        tls = None
        try:
            if self.tls is not None:
                tls = TlsPipe(self.tls, server_side=False, server_name=config.ssl_servername or config.address[0].host)
            sock, where = dial([(e.host, e.port) for e in config.address], CONNECT_SECONDS)
        except EmgError as error:
            self._fault(f"cannot connect: {error}")
            return None
        machine = Machine(Role.ESME, time.monotonic(), timers=self.timers, window=1, limit=config.maxpdusize)
        session = OutgoingSession(self, name, sock, machine, where, tls, kind)
        self._sessions[name] = session
        try:
            session.begin()
            session.driver.run()
        finally:
            del self._sessions[name]
            self._judge()
        return session

    def fault(self, reason: str) -> None:
        """A session failed to come up."""
        self._fault(reason)

    def _fault(self, reason: str) -> None:
        if reason != self.last_fault:
            log.warning("connector %s: %s", self.port.name, reason)
        self.last_fault = reason
        self._judge(failed=True)

    def bound(self) -> None:
        """A session is up."""
        self.last_fault = ""
        self._judge()

    def _judge(self, *, failed: bool = False) -> None:
        """Is this connector one that routes may choose?"""
        self.port.reachable = self.port.started and (self._sends() or (not self.port.config.static and not failed))


class OutgoingSession(Session):
    """One session with an operator."""

    def __init__(
        self,
        connector: OutgoingConnector,
        name: str,
        sock: gevent.socket.socket,
        machine: Machine,
        where: str,
        tls: TlsPipe | None,
        kind: type[Bind],
    ) -> None:
        self.connector = connector
        self.kind = kind
        self.sends = kind is not BindReceiver
        """Messages can leave by it."""
        self.refused = False
        self.was_bound = False
        self.ended_well = False
        self.auto: AdaptiveWindow | None = None
        self._answers = 0
        super().__init__(connector.engine, connector.port, name, sock, machine, where, tls)
        self.account = connector.port.config.username or ""
        self.handlers[Bound] = self._on_bound
        self.handlers[BindRefused] = self._on_bind_refused
        self.handlers[OutbindReceived] = self._on_outbind
        self.on_request = {DeliverSm: self._deliver, DataSm: self._deliver, pdus.AlertNotification: self._alert}

    @property
    def bound(self) -> bool:
        """It is up."""
        return self.was_bound and self.driver.open and not self.machine.closing

    def begin(self) -> None:
        """Bind."""
        self.machine.bind(self._bind(), time.monotonic())

    def _bind(self) -> Bind:
        config = self.port.config
        return self.kind(
            system_id=config.username or "", password=config.password or "", system_type=config.systemtype,
            interface_version=config.interfaceversion, addr_ton=config.authton, addr_npi=config.authnpi,
            address_range=config.addressrange,
        )  # fmt: skip

    def _on_bound(self, _event: Bound, _now: float) -> None:
        self.was_bound = True
        self.log.info("session %s bound to %s, version %#04x", self.name, self.ip, self.machine.version)
        self.connector.bound()
        if self.sends:
            if self.port.config.windowsize == "auto":
                self.auto = AdaptiveWindow(AUTO_START, largest=AUTO_MOST)
                self.handlers[Answer] = self._on_counted_answer
            self.attach(self.window())
            self.engine.lanes.attach(self.carrier, self.port.lane)

    def window(self) -> int:
        """Messages unanswered at once."""
        if self.auto is not None:
            return self.auto.size
        chosen = self.port.config.windowsize
        return AUTO_START if chosen == "auto" else int(chosen)

    def measure(self, seconds: float) -> None:
        """For WINDOWSIZE=auto: called about every second."""
        if self.auto is not None and self.attached:
            full = self.carrier.transmitted >= self.carrier.window
            self.attach(self.auto.feed(self._answers, seconds, full=full))
            self._answers = 0

    def _on_counted_answer(self, event: Answer, now: float) -> None:
        """In the place of `_on_answer` for WINDOWSIZE=auto."""
        self._answers += 1
        self._on_answer(event, now)

    def _on_bind_refused(self, event: BindRefused, _now: float) -> None:
        self.refused = True
        self.connector.fault(f"the bind was refused: {status_name(event.status)}")

    def _on_outbind(self, _event: OutbindReceived, _now: float) -> None:
        self.log.info("session %s: outbind from %s", self.name, self.ip)

    def closed(self, events: Any, reason: str, now: float) -> None:
        """The connection is over."""
        self.ended_well = reason == "closed by us" and self.was_bound and not self.port.config.static
        super().closed(events, reason, now)
        if not self.was_bound and not self.refused:
            self.connector.fault(f"not bound: {reason}")

    def pdu_for(self, message: Message) -> Pdu:
        """submit_sm."""
        if message.kind is _REPORT:
            assert message.report is not None, "a report without its content"
            return self.connector.outward.report(message, str(message.report.id))
        return self.connector.outward.submit(message)

    def remote_id(self, pdu: Any) -> str:
        """The provider's id in its normal form; empty when he gave none (protocol case S12)."""
        written = getattr(pdu, "message_id", "")
        return self.connector.ids.from_answer(written) if written else ""

    # -- what the operator sends

    def _deliver(self, pdu: DeliverSm | DataSm, _now: float) -> None:
        receipt = read_receipt(pdu, alphabet=self.port.config.default_charcode)
        if receipt is None:
            self._message(pdu)
        elif receipt.sure:
            self._receipt(pdu, receipt)
        else:
            self._perhaps(pdu, receipt)

    def _message(self, pdu: DeliverSm | DataSm) -> None:
        self.engine.receiver.receive(self._incoming(pdu), self.port, self.connector.sender, self._kept, pdu)

    def _perhaps(self, pdu: DeliverSm | DataSm, receipt: Receipt) -> None:
        """Only its text looks like a receipt (protocol case S34): it is one if we know its id, or if it can be nothing else."""
        ids = self._ids(receipt.remote_id)

        def found(ticket: OpenReport | None, unread: SpoolError | None) -> None:
            if unread is not None:
                self._kept(pdu, unread)
                return
            known = ticket is not None or self.engine.open_reports.closing(self.port.provider, ids)
            try:
                (self._receipt if known else self._message_or_receipt)(pdu, receipt)
            except EmgError as error:
                self.reject(pdu, error)

        self.engine.open_reports.find(self.port.provider, ids, found)

    def _message_or_receipt(self, pdu: DeliverSm | DataSm, receipt: Receipt) -> None:
        try:
            self._message(pdu)
        except Rejected as error:
            if error.cause is not Cause.NO_ROUTE:
                raise
            self._receipt(pdu, receipt)

    def _ids(self, written: str) -> tuple[str, ...]:
        if not written:
            return ()
        ids = self.connector.ids
        normal = ids.from_receipt(written)
        others = ids.alternatives(normal)
        return (normal, *(other for other in others if other != normal)) if others else (normal,)

    def _receipt(self, pdu: DeliverSm | DataSm, receipt: Receipt) -> None:
        self.engine.spool.admit()
        self.engine.reporter.take(
            self.port, as_report(receipt, 0), self._ids(receipt.remote_id), pdu.source_addr, self._kept, pdu
        )

    def _incoming(self, pdu: DeliverSm | DataSm) -> Message:
        if self.port.config.mode is Mode.TRANSMIT:
            raise Rejected(Cause.NOT_ALLOWED, f"MODE of connector {self.port.name} is TRANSMIT")
        if isinstance(pdu, DataSm):
            return self.connector.inward.data(pdu, self.port.name, "", self.ip, time.time())
        return self.connector.inward.message(pdu, self.port.name, "", self.ip, time.time())

    def _kept(self, pdu: DeliverSm | DataSm, error: SpoolError | None) -> None:
        status = 0 if error is None else int(Status.RMSGQFUL)
        if type(pdu) is DeliverSm:
            self.respond(pdus.DeliverSmResp(pdu.sequence, status))
        else:
            self.respond(pdus.DataSmResp(pdu.sequence, status))

    def _alert(self, pdu: pdus.AlertNotification, _now: float) -> None:
        self.log.info("session %s: %s is available again (alert_notification)", self.name, pdu.source_addr)
