"""Peers for tests that the gateway's own tools are too well-behaved for: raw SMPP on plain blocking sockets, right or wrong as the test likes.

`Customer` connects to the gateway, `Operator` waits for it. Both send any octets, read one PDU at a time within a deadline, and
raise `TimeoutError` when nothing comes and `ConnectionError` when the far side has hung up. They use the product's codec for PDUs, which other
tests hold against smpplib's.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.pdus import Pdu

SECONDS = 10.0
"""Deadline of everything here: generous, because the machine may be busy; never reached when all is well."""


_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Wire:
    """One connection, either side."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.sequence = 0

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *what: bytes | Pdu) -> None:
        """Octets as they are, PDUs encoded, all in one piece."""
        self.sock.sendall(b"".join(part if isinstance(part, bytes) else encode(part) for part in what))

    def read(self, seconds: float = SECONDS) -> Any:
        """The next PDU."""
        return decode(self.read_frame(seconds))

    def read_frame(self, seconds: float = SECONDS) -> bytes:
        """The next PDU's octets."""
        deadline = time.monotonic() + seconds
        while len(self._rest) < 16 or len(self._rest) < struct.unpack(">I", self._rest[:4])[0]:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the far side hung up")
            self._rest += data
        return self._cut()

    def _cut(self) -> bytes:
        """The first whole PDU of what was read; nothing when there is none."""
        length = int.from_bytes(self._rest[:4], "big")
        if len(self._rest) < 16 or len(self._rest) < length:
            return b""
        frame, self._rest = self._rest[:length], self._rest[length:]
        return frame

    def exchange(self, octets: bytes, count: int, seconds: float = SECONDS) -> list[bytes]:
        """Send much and meanwhile read so many PDUs, in this one thread: an SSL connection is nothing for two, and sending alone would stand
        still when the far side waits for us to read.
        """
        deadline = time.monotonic() + seconds
        rest, frames = memoryview(octets), []
        self.sock.settimeout(0.0)
        while len(frames) < count:
            sent = self._send_some(rest)
            rest = rest[sent:]
            self._read_some()
            while len(frames) < count and (frame := self._cut()):
                frames.append(frame)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(frames)} of {count} came, {len(rest)} octets are not sent")
            if not sent:
                select.select([self.sock], [self.sock] if rest else [], [], 0.01)
        return frames

    def _send_some(self, octets: memoryview) -> int:
        with contextlib.suppress(*_LATER):
            return self.sock.send(octets[:16384]) if octets else 0
        return 0

    def _read_some(self) -> None:
        with contextlib.suppress(*_LATER):
            while data := self.sock.recv(65536):
                self._rest += data
            raise ConnectionError("the far side hung up")

    def ask(self, pdu: Pdu, seconds: float = SECONDS) -> Any:
        """Send a request under a new sequence number and read until its answer; requests that come between get theirs."""
        self.sequence += 1
        pdu.sequence = self.sequence
        self.send(pdu)
        deadline = time.monotonic() + seconds
        while True:
            answer = self.read(deadline - time.monotonic())
            if answer.command_id & 0x80000000:
                if answer.sequence == pdu.sequence:
                    return answer
                continue
            self.answer(answer)

    def answer(self, request: Any) -> None:
        """Say yes to a request."""
        self.send(pdus.BY_COMMAND[request.command_id | 0x80000000](sequence=request.sequence))

    def is_alive(self, seconds: float = SECONDS) -> bool:
        """The far side answers an enquire_link; what comes before is passed over."""
        self.sequence += 1
        deadline = time.monotonic() + seconds
        try:
            self.send(pdus.EnquireLink(self.sequence))
            while True:
                frame = self.read_frame(deadline - time.monotonic())
                if struct.unpack(">4xI4xI", frame[:16]) == (0x80000015, self.sequence):
                    return True
        except OSError:
            return False

    def until_closed(self, seconds: float = SECONDS) -> bytes:
        """Everything that comes until the far side hangs up. Raises TimeoutError when it does not."""
        deadline = time.monotonic() + seconds
        data, self._rest = [self._rest], b""
        while True:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                got = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                got = b""
            if not got:
                return b"".join(data)
            data.append(got)

    def close(self) -> None:
        """Hang up."""
        self.sock.close()


class Customer(Wire):
    """A client of the gateway."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, name: str = "localhost") -> None:
        sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        if tls is not None:
            try:
                sock = tls.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)
            except BaseException:
                sock.close()
                raise
        super().__init__(sock)

    def bind(
        self, account: str = "acme", password: str = "secret", *, kind: type[Any] = pdus.BindTransceiver,
        version: int = 0x34,
    ) -> Any:  # fmt: skip
        """The answer to a bind."""
        return self.ask(kind(system_id=account, password=password, interface_version=version))

    def submit(self, text: bytes = b"Hej", dest: str = "46701234567", **more: Any) -> Any:
        """The answer to a submit_sm."""
        return self.ask(message(text, dest, **more))


def message(text: bytes = b"Hej", dest: str = "46701234567", **more: Any) -> Any:
    """A submit_sm."""
    return pdus.SubmitSm(
        source_addr_ton=5, source_addr="EMG", dest_addr_ton=1, dest_addr_npi=1, destination_addr=dest,
        short_message=text, **more,
    )  # fmt: skip


def bound(port: int, account: str = "acme", password: str = "secret", **more: Any) -> Customer:
    """A customer that is bound."""
    customer = Customer(port, more.pop("tls", None))
    try:
        answer = customer.bind(account, password, **more)
        assert answer.status == 0, answer
    except BaseException:
        customer.close()
        raise
    return customer


class Operator:
    """Waits for the gateway; `serve(wire)` runs in a thread for each connection, and the connection ends when it returns."""

    def __init__(self, serve: Callable[[Wire], None], port: int = 0) -> None:
        self._serve = serve
        self._server = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            if self._stopping:
                sock.close()
                return
            self.connections += 1
            self._open.add(sock)
            self._start(self._one, sock)

    def _one(self, sock: socket.socket) -> None:
        wire = Wire(sock)
        try:
            self._serve(wire)
        except OSError:
            pass  # the gateway hung up, or stop() did
        finally:
            self._open.discard(sock)
            wire.close()
            sock.close()

    def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        self._stopping = True
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()  # wakes accept()
        self._server.close()
        for thread in self._threads:
            thread.join(SECONDS)


@contextlib.contextmanager
def operator(serve: Callable[[Wire], None]) -> Iterator[Operator]:
    """An operator for the time of a `with`."""
    one = Operator(serve)
    try:
        yield one
    finally:
        one.stop()


def wait_until(true: Callable[[], Any], what: str, seconds: float = SECONDS) -> None:
    """Look until it is true; fails with the sentence `what`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, what
        pause.wait(0.02)
