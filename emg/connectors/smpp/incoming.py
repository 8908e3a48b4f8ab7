"""SMPP connectors that others bind to: we are the SMSC.

Listens on every ADDRESS, lets in whom ACCESS, the account and its password allow, takes messages from bound transmitters and brings reports and incoming
messages to bound receivers. What a session may not do gets the protocol's answer and costs that session nothing else. A wrong
password is answered later and later, and logged once a minute.
"""

import itertools
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

import gevent
import gevent.socket

from emg.config.model import ConnectorConfig, Mode, UserConfig
from emg.connectors.smpp.inbox import Inbox
from emg.connectors.smpp.rehearsal import context_of
from emg.connectors.smpp.session import Session, timers_of
from emg.connectors.smpp.translate import Inward, Outward
from emg.engine.engine import Engine
from emg.engine.passwords import Busy
from emg.engine.port import Port
from emg.message import Message
from emg.rules.access import EVERYBODY, Networks, may_log_in
from emg.rules.address import Addressing
from emg.session.listen import Listener
from emg.session.tls import TlsPipe
from emg.wire.smpp.events import BindRequested, Broken, Unbound
from emg.wire.smpp.machine import Machine, Role
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import Bind, BindReceiver, BindTransmitter, Pdu

ANSWER_SECONDS = 0.5
"""So long before its time is over a login is refused that could not be decided."""
END_SECONDS = 1.0
"""For the answers that are due to a session whose account may not log in any more."""

log = logging.getLogger("emg.connector")


class IncomingConnector:
    """One listening connector."""

    def __init__(self, engine: Engine, port: Port) -> None:
        self.engine = engine
        self.port = port
        self.listener: Listener | None = None
        self.log = logging.getLogger(f"emg.connector.{port.name}")
        self.cancelling: set[str] = set()
        """Accounts for which all messages between two addresses are being looked for."""
        self._sessions: dict[str, IncomingSession] = {}
        self._numbers = itertools.count(1)
        self.configure()

    def configure(self) -> None:
        """Build what depends on the settings; sessions that stand keep what they were built with but for limits."""
        config = self.port.config
        addressing = Addressing(config)
        self.inward = Inward(config, addressing)
        self.outward = Outward(config, Addressing(ConnectorConfig(name="")))
        self.access = Networks(config.access) if config.access else EVERYBODY
        self.tls = context_of(config)
        self.timers = timers_of(config)
        for session in self._sessions.values():
            session.reconfigure()

    def accounts_changed(self, names: Collection[str]) -> None:
        """These accounts are other than they were, or gone; sessions of others are not touched."""
        for session in list(self._sessions.values()):
            if session.account in names:
                session.reconfigure()

    def start(self) -> None:
        """Listen. Raises EmgError."""
        config = self.port.config
        addresses = [(e.host, e.port) for e in config.address]
        listener = Listener(addresses, self._on_socket, limit=config.maxconnections, make_room=self._make_room)
        listener.start()
        self.listener = listener
        self.port.started = self.port.reachable = True
        log.info("connector %s listens on %s", self.port.name, ", ".join(f"{h} port {p}" for h, p in listener.bound))

    def stop(self, seconds: float) -> None:
        """Listen no more, let sessions finish, then end them; at most about `seconds`."""
        self.port.started = self.port.reachable = False
        if self.listener is None:
            return
        self.listener.stop()
        for session in list(self._sessions.values()):
            session.unbind()
        if not self.listener.wait(seconds):
            for session in list(self._sessions.values()):
                session.close("the gateway stops")
            self.listener.wait(2.0)
        self.listener.kill()
        self.listener = None

    def _make_room(self) -> bool:
        """End a connection that is not bound: the oldest of the address that has most of them.

        Whoever means to bind has done so long before, but for those whose passwords are being compared: a flood must not push these out.
        """
        unbound: dict[str, list[IncomingSession]] = {}
        for session in self._sessions.values():
            if not session.account and session.driver.open:
                unbound.setdefault(session.ip, []).append(session)
        if not unbound:
            return False
        max(unbound.values(), key=len)[0].close("another one needed the place")
        return True

    def sessions(self) -> list[Session]:
        """Those that stand, bound or not."""
        return list(self._sessions.values())

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""
        return {
            "name": self.port.name,
            "type": "incoming",
            "state": "up" if self.listener is not None else "down",
            "addresses": [f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.listener.bound]
            if self.listener
            else [],
            "sessions": self.bound,
            "connections": len(self._sessions),
            "refused_connections": self.listener.refused if self.listener else 0,
        }

    def _on_socket(self, sock: gevent.socket.socket, ip: str, _port: int) -> None:
        if not self.access.allows(ip):
            self.engine.logs.complain(self.log, f"strangers from {ip}", "%s is not let in by ACCESS", ip)
            sock.close()
            return
        name = f"{self.port.name}#{next(self._numbers)}"
        tls = TlsPipe(self.tls, server_side=True) if self.tls is not None else None
        machine = Machine(Role.SMSC, time.monotonic(), timers=self.timers, window=1, limit=self.port.config.maxpdusize)
        session = IncomingSession(self, name, sock, machine, ip, tls)
        self._sessions[name] = session
        try:
            session.driver.run()
        finally:
            del self._sessions[name]

    @property
    def bound(self) -> int:
        """Sessions that are bound; one that is broken or being ended takes nobody's place any more."""
        return sum(1 for session in self._sessions.values() if session.counts)


class IncomingSession(Session):
    """One client."""

    def __init__(
        self,
        connector: IncomingConnector,
        name: str,
        sock: gevent.socket.socket,
        machine: Machine,
        ip: str,
        tls: TlsPipe | None,
    ) -> None:
        self.connector = connector
        self.user: UserConfig | None = None
        self.counts = False
        """It is one of the sessions that SESSIONS and INSTANCES bound."""
        super().__init__(connector.engine, connector.port, name, sock, machine, ip, tls)
        self.handlers[BindRequested] = self._on_bind
        self.inbox = Inbox(self)
        self.on_request = self.inbox.handlers

    def reconfigure(self) -> None:
        """The connector's settings or the account's have changed."""
        self.configure()
        if not self.account:
            return
        user = self.engine.users.get(self.account)
        if user is None or user.disabled or not self._same(user) or not may_log_in(user, self.port.name, self.ip):
            self.log.info("session %s %s is ended: the account was changed", self.name, self.describe())
            self.inbox.dismiss()
            self.unbind()
            gevent.spawn_later(END_SECONDS, self.close, "the account was changed")  # also who does not answer
            return
        self.user = user
        self.inbox.adopt()
        if self.attached:
            self.attach(self._window())

    def _same(self, user: UserConfig) -> bool:
        """It is the account that has logged in, and not another one that has got its name."""
        return self.user is None or self.user.number == user.number

    def pdu_for(self, message: Message) -> Pdu:
        """deliver_sm."""
        visible = self.inbox.visible_id(message.report.id) if message.report is not None else ""
        return self.connector.outward.deliver(message, visible)

    def remote_id(self, pdu: Any) -> str:
        """Customers give no ids: a message_id in a deliver_sm_resp means nothing (protocol case S13)."""
        return ""

    # -- binding

    def _on_bind(self, event: BindRequested, now: float) -> None:
        bind: Bind = event.pdu  # type: ignore[assignment]
        delay = self.engine.logins.delay(bind.system_id, self.ip, now)
        if delay > 0:  # whatever the password: guessing must not become quicker by trying more often
            gevent.spawn_later(min(delay, self.connector.timers.bind / 2), self._refuse_bind, bind, Status.RBINDFAIL)
            return
        right = self.engine.passwords.quick(bind.system_id, self._stored(bind), bind.password.encode("latin-1"))
        if right is None:
            gevent.spawn(self._verify, bind, now)
        else:
            self._decide(bind, right, now)

    def _stored(self, bind: Bind) -> str:
        user = self.engine.users.get(bind.system_id)
        return user.password if user is not None else ""

    def _undecided(self) -> bool:
        """There is still somebody to be told."""
        return self.driver.open and not self.machine.closing

    def _verify(self, bind: Bind, now: float) -> None:
        """Compare with a hash, which takes its time; then decide, if there is still somebody to be told."""
        stored, given = self._stored(bind), bind.password.encode("latin-1")
        seconds = min(self.machine.bind_due, now + self.connector.timers.bind) - now - ANSWER_SECONDS
        try:
            right = self.engine.passwords.slow(
                bind.system_id, stored, given, self.ip, max(seconds, ANSWER_SECONDS), self._undecided
            )
        except Busy as error:
            self.complain("refused as %r: %s", bind.system_id, error)
            self._refuse_bind(bind, Status.RBINDFAIL)
            return
        if self._undecided():
            self._decide(bind, right and stored == self._stored(bind), time.monotonic())

    def _decide(self, bind: Bind, right: bool, now: float) -> None:
        user = self.engine.users.get(bind.system_id)
        fault = self._fault(bind, user, right)
        if fault is not None:
            status, reason = fault
            if status in (Status.RINVPASWD, Status.RINVSYSID):
                delay = self.engine.logins.failed(bind.system_id, self.ip, now)
                gevent.spawn_later(min(delay, self.connector.timers.bind / 2), self._refuse_bind, bind, status)
                return
            self.complain("refused as %r: %s", bind.system_id, reason)
            self._refuse_bind(bind, status)
            return
        self.engine.logins.succeeded(bind.system_id, self.ip)
        assert user is not None, "a bind without an account was found faultless"
        self._accept(bind, user, now)

    def _fault(self, bind: Bind, user: UserConfig | None, right: bool) -> tuple[Status, str] | None:
        """Why this bind is refused; `right` says that its password is."""
        if user is None or not right or user.disabled:
            return Status.RINVPASWD, "unknown name, wrong password, or disabled"
        if not may_log_in(user, self.port.name, self.ip):
            return Status.RBINDFAIL, "the account may not log in here or from there"
        mode = self.port.config.mode
        if (mode is Mode.TRANSMIT and isinstance(bind, BindTransmitter)) or (
            mode is Mode.RECEIVE and isinstance(bind, BindReceiver)
        ):
            return Status.RBINDFAIL, f"the connector's MODE is {mode.name}"
        if not self.port.started:
            return Status.RSYSERR, "the connector is stopping"
        mine = self.engine.sender(user.name).sessions
        if mine >= user.sessions:
            return Status.RALYBND, f"{mine} sessions of {user.name} are bound already"
        bound = self.connector.bound
        if bound >= self.port.config.instances:
            return Status.RALYBND, f"all {bound} sessions of the connector are taken"
        return None

    def _refuse_bind(self, bind: Bind, status: Status) -> None:
        if self.driver.open:
            self.machine.refuse_bind(bind, int(status))
            self.driver.flush()
            self.driver.close("bind refused")

    def _accept(self, bind: Bind, user: UserConfig, now: float) -> None:
        self.account, self.user = user.name, user
        self.inbox.adopt()
        highest = self.port.config.interfaceversion
        if not self.machine.accept_bind(bind, self.engine.config.servername, now, highest=highest):
            return
        self.counts = True
        self.engine.sender(user.name).sessions += 1
        self.driver.flush_soon()
        self.log.info(
            "session %s %s bound as %s, version %#04x",
            self.name,
            self.describe(),
            self.machine.state.name.lower(),
            self.machine.version,
        )
        if not isinstance(bind, BindTransmitter) and self.port.can_send:
            self.attach(self._window())
            lanes = self.engine.lanes
            lanes.attach(self.carrier, lanes.get(f"{self.port.name}/{self.account}"))
            lanes.attach(self.carrier, self.port.lane)
            own = f"{self.port.name}/{self.account}/{self.ip}"
            if self.port.config.dlr_to_same_ip or own in lanes.by_name:
                lanes.attach(self.carrier, lanes.get(own))

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over."""
        self._make_room()
        super().closed(events, reason, now)

    def _on_broken(self, event: Broken, now: float) -> None:
        self._make_room()
        super()._on_broken(event, now)

    def _on_unbound(self, event: Unbound, now: float) -> None:
        self._make_room()
        super()._on_unbound(event, now)

    def _make_room(self) -> None:
        """Another session may take this one's place (protocol case S7)."""
        if self.counts:
            self.counts = False
            self.engine.sender(self.account).sessions -= 1

    def _window(self) -> int:
        chosen = (
            self.user.windowsize
            if self.user is not None and self.user.windowsize is not None
            else self.port.config.windowsize
        )
        return 10 if chosen == "auto" else int(chosen)

    def describe(self) -> str:
        """Who is at the other end."""
        return f"({self.account or 'not bound'} from {self.ip})"
