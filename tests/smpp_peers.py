"""SMPP peers for tests, scripted line by line over real sockets: `Esme` binds to a gateway, `Smsc` is what a gateway binds to.

Thin: the codec of `emg.wire.smpp`, a blocking socket, a deadline on every wait, and a transcript of all that passed, which every
failure shows. No threads: a peer reads only when its test asks it to. A peer answers enquire_link by itself unless `answers_enquiries` is
off; everything else is the test's business. `fence` says that all that was sent before it has been dealt with: what a sleep is
wrongly used for elsewhere.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, TypeVar

from emg.spool.transmission import GIVE_WAY_SECONDS
from emg.wire.smpp import show
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import RESPONSE
from emg.wire.smpp.pdus import (
    BY_COMMAND,
    Bind,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)

SECONDS = 10.0
"""How long a peer waits for what must come; a gateway answers in milliseconds, so this is only ever used up by a failure."""
P = TypeVar("P", bound=Pdu)
BINDS: dict[str, type[Bind]] = {"trx": BindTransceiver, "tx": BindTransmitter, "rx": BindReceiver}


class Closed(AssertionError):
    """The other end has closed the connection."""


class Peer:
    """One connection and what passed over it: `>` from this peer, `<` to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.transcript: list[str] = []
        self.answers_enquiries = True
        self.enquiries = 0
        """enquire_link that came in."""
        self.inbox: list[Pdu] = []
        """Came in and was not asked for yet."""
        self._framer = Framer(1 << 20)
        self._frames: list[bytes] = []
        self._sequence = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- out

    def next_sequence(self) -> int:
        """1, 2, 3 …"""
        self._sequence += 1
        return self._sequence

    def send(self, *pdus: Pdu) -> None:
        """All of them in one write."""
        frames = [encode(pdu) for pdu in pdus]
        self.transcript += [f"> {show.line(frame)}" for frame in frames]
        self.sock.sendall(b"".join(frames))

    def send_raw(self, octets: bytes, *, one_by_one: bool = False) -> None:
        """Octets as they are; `one_by_one` gives each a TCP segment of its own."""
        self.transcript.append(f"> raw {octets.hex()}")
        if not one_by_one:
            self.sock.sendall(octets)
            return
        for octet in octets:
            self.sock.sendall(bytes((octet,)))

    def ask(self, pdu: Pdu) -> int:
        """Send a request under a fresh sequence number (unless it has one), which is returned."""
        pdu.sequence = pdu.sequence or self.next_sequence()
        self.send(pdu)
        return pdu.sequence

    def request(self, pdu: Pdu, seconds: float = SECONDS) -> Any:
        """Send a request and wait for its own answer (or a generic_nack); what else comes in waits in `inbox`."""
        return self.answer_to(self.ask(pdu), seconds)

    def answer_to(self, sequence: int, seconds: float = SECONDS) -> Any:
        """The response with this sequence number."""
        return self.pick(lambda pdu: bool(pdu.command_id & RESPONSE) and pdu.sequence == sequence, seconds)

    def answer(self, request: Pdu, status: int = 0, **fields: Any) -> None:
        """Answer a request with its own response."""
        response = BY_COMMAND[request.command_id | RESPONSE]
        self.send(response(sequence=request.sequence, status=status, **fields))

    # -- in

    def expect(self, kind: type[P], seconds: float = SECONDS, **fields: Any) -> P:
        """The next PDU, which must be of this kind and have these values; enquire_links are answered on the way."""
        pdu = self.receive(seconds, f"a {kind.__name__}")
        if not isinstance(pdu, kind):
            self.fail(f"expected {kind.__name__}, got {type(pdu).__name__}")
        wrong = {name: getattr(pdu, name) for name, value in fields.items() if getattr(pdu, name) != value}
        if wrong:
            self.fail(f"{kind.__name__}: expected {fields}, got {wrong}")
        return pdu

    def expect_many(self, kind: type[P], count: int, seconds: float = SECONDS) -> list[P]:
        """The next `count` PDUs of this kind; others wait in `inbox`."""
        return [self.pick(lambda pdu: isinstance(pdu, kind), seconds) for _ in range(count)]

    def receive(self, seconds: float = SECONDS, wanted: str = "a PDU") -> Pdu:
        """The next PDU of any kind."""
        if self.inbox:
            return self.inbox.pop(0)
        return self._read(time.monotonic() + seconds, wanted)

    def pick(self, right: Callable[[Pdu], bool], seconds: float = SECONDS) -> Any:
        """The first PDU that is the right one; the others wait in `inbox`."""
        for index, pdu in enumerate(self.inbox):
            if right(pdu):
                return self.inbox.pop(index)
        deadline = time.monotonic() + seconds
        while True:
            pdu = self._read(deadline, "the right PDU")
            if right(pdu):
                return pdu
            self.inbox.append(pdu)

    def _read(self, deadline: float, wanted: str) -> Pdu:
        """One PDU from the socket, past what waits in `inbox`."""
        while True:
            if not self._frames:
                self._frames += self._framer.feed(self._octets(deadline, wanted))
                continue
            frame = self._frames.pop(0)
            self.transcript.append(f"< {show.line(frame)}")
            pdu = decode(frame)
            if isinstance(pdu, EnquireLink):
                self.enquiries += 1
                if self.answers_enquiries:
                    self.send(EnquireLinkResp(pdu.sequence))
                    continue
            return pdu

    def _octets(self, deadline: float, wanted: str) -> bytes:
        ready, _, _ = select.select([self.sock], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            self.fail(f"nothing came; waited for {wanted}")
        try:
            octets = self.sock.recv(65536)
        except ConnectionResetError:
            octets = b""
        if not octets:
            raise Closed(f"closed by the other end while waiting for {wanted}\n{self.story()}")
        return octets

    def fence(self) -> None:
        """Wait until the other end has handled all that was sent so far: it answers in order.

        The gateway may put off what goes on to others for the sake of a customer who was just answered (`emg.spool.transmission`): that is
        waited for, too, or a test would look too early for what should come, and for what should not.
        """
        select.select([], [], [], 2 * GIVE_WAY_SECONDS)
        self.request(EnquireLink())

    def expect_nothing(self) -> None:
        """Nothing but answers to enquire_link has come, up to a fence."""
        self.fence()
        if self.inbox:
            self.fail("something came that should not have")

    def expect_closed(self, seconds: float = SECONDS) -> list[Pdu]:
        """The other end closes, and then this one; gives what came before that."""
        came, self.inbox = self.inbox, []
        deadline = time.monotonic() + seconds
        while True:
            try:
                came.append(self._read(deadline, "the end of the connection"))
            except Closed:
                self.close()
                return came

    # -- ends

    def unbind(self) -> None:
        """In good order; requests of the other end that cross it are let go."""
        self.request(Unbind())
        self.close()

    def close(self) -> None:
        """Just end."""
        self.sock.close()

    def cut(self) -> None:
        """End as a broken line does: with a reset, and what was unread is lost."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def story(self) -> str:
        """The transcript, for people: its end, where a failure has its cause."""
        return "\n".join(self.transcript[-40:])

    def fail(self, reason: str) -> None:
        """Fail the test, with the transcript."""
        raise AssertionError(f"{reason}\n{self.story()}")


class Esme(Peer):
    """A client of the gateway."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, source: str = "") -> None:
        """Connect; `source` is the address to connect from."""
        origin = (source, 0) if source else None
        super().__init__(socket.create_connection((host, port), timeout=SECONDS, source_address=origin))

    @classmethod
    def bound(
        cls,
        port: int,
        system_id: str = "acme",
        password: str = "secret",
        kind: str = "trx",
        version: int = 0x34,
        **how: Any,
    ) -> "Esme":
        """Connected and bound, or an AssertionError."""
        esme = cls(port, **how)
        response = esme.bind(system_id, password, kind, version)
        if response.status:
            esme.close()
            esme.fail(f"the bind was refused: {response.status}")
        return esme

    def bind(self, system_id: str = "acme", password: str = "secret", kind: str = "trx", version: int = 0x34) -> Any:
        """The answer to a bind."""
        return self.request(BINDS[kind](system_id=system_id, password=password, interface_version=version))

    def submit(self, dest: str = "46701234567", text: bytes | str = b"hello", **fields: Any) -> Any:
        """The answer to a submit_sm."""
        return self.request(message(dest, text, **fields))

    def accepted(self, dest: str = "46701234567", text: bytes | str = b"hello", **fields: Any) -> str:
        """The id of a message that must be accepted."""
        response = self.submit(dest, text, **fields)
        if response.status or not isinstance(response, SubmitSmResp):
            self.fail(f"the message was refused: {response}")
        return response.message_id

    def report(self, seconds: float = SECONDS) -> DeliverSm:
        """The next deliver_sm, answered."""
        pdu: DeliverSm = self.pick(lambda each: isinstance(each, DeliverSm), seconds)
        self.answer(pdu)
        return pdu


def message(dest: str = "46701234567", text: bytes | str = b"hello", **fields: Any) -> SubmitSm:
    """A submit_sm; text that is a string is latin-1."""
    octets = text.encode("latin-1") if isinstance(text, str) else text
    chosen = {"source_addr": "EMG", "source_addr_ton": 5, "dest_addr_ton": 1, "dest_addr_npi": 1} | fields
    return SubmitSm(destination_addr=dest, short_message=octets, **chosen)


class SmscSession(Peer):
    """One session that the gateway has opened."""

    bind: Bind
    """What it bound with."""

    def accept_bind(self, status: int = 0, **fields: Any) -> Bind:
        """Answer the bind that must come next."""
        self.bind = self.expect(Bind)
        self.answer(self.bind, status, **({"system_id": "operator"} | fields if not status else fields))
        return self.bind

    def take(self, message_id: str = "", status: int = 0, **fields: Any) -> SubmitSm:
        """The next submit_sm, answered."""
        pdu = self.expect(SubmitSm, **fields)
        self.answer(pdu, status, **({"message_id": message_id} if message_id else {}))
        return pdu

    def deliver(self, **fields: Any) -> Any:
        """Send a deliver_sm; gives its answer."""
        return self.request(DeliverSm(**fields))

    def receipt(
        self, message_id: str, dest: str = "46701234567", source: str = "EMG", stat: str = "DELIVRD", **fields: Any
    ) -> Any:
        """Send a classic receipt for a message that went to `dest`; gives its answer."""
        err = fields.pop("err", "000" if stat == "DELIVRD" else "001")
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:{stat} err:{err} text:hi"
        chosen: dict[str, Any] = {"esm_class": 4, "short_message": text.encode("latin-1")} | fields
        return self.deliver(source_addr=dest, destination_addr=source, **chosen)


class Smsc:
    """A listening operator; sessions are taken from it one by one, in the order in which they came."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.create_server((host, port), family=family, backlog=64)
        self.port: int = self.sock.getsockname()[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.sessions: list[SmscSession] = []

    def connection(self, seconds: float = SECONDS) -> SmscSession:
        """The next connection, nothing read of it yet."""
        self.sock.settimeout(seconds)
        try:
            sock, _ = self.sock.accept()
        except TimeoutError:
            raise AssertionError(f"nobody connected to {self.address}") from None
        sock.settimeout(SECONDS)
        self.sessions.append(SmscSession(sock))
        return self.sessions[-1]

    def session(self, seconds: float = SECONDS, **fields: Any) -> SmscSession:
        """The next session, bound."""
        session = self.connection(seconds)
        session.accept_bind(**fields)
        return session

    def close(self) -> None:
        """End it all."""
        for session in self.sessions:
            with contextlib.suppress(OSError):
                session.close()
        self.sock.close()
