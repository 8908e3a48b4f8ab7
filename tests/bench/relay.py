"""A bare relay, the yardstick: what a message costs at least in this language, on this machine, with this codec.

It reads submit_sm, keeps each batch with one commit in a native thread, answers, sends them on, and passes the report back with its own
id, found in a dictionary. Nothing else: no accounts, routes, windows, retries, marks, events, no restart; what an error
does to it is not thought of. Run: python -m tests.bench.relay FILE LISTEN-PORT OPERATOR-PORT
"""

import gc
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.server
import gevent.socket
import msgspec

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode, tlv
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import Tag

GATHER_SECONDS = 0.005
SESSIONS_OUT = 2


class Line:
    """A connection and what has to go out over it."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.out: list[bytes] = []
        self.sequence = 0
        self._flushing = False
        sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)

    def flush(self) -> None:
        """Write it; one greenlet at a time."""
        if self._flushing:
            return
        self._flushing = True
        while self.out:
            octets = b"".join(self.out)
            self.out.clear()
            self.sock.sendall(octets)
        self._flushing = False

    def each(self, take: Callable[["Line", Any], None], after: Callable[[], None]) -> None:
        """Give every PDU that comes to `take`, until the end."""
        framer = Framer()
        while octets := self.sock.recv(1 << 16):
            for frame in framer.feed(octets):
                take(self, decode(frame))
            after()


class Store:
    """One commit a batch, in a thread that gevent knows nothing of."""

    def __init__(self, path: str, kept: Callable[[list[Any]], None]) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS batch (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self._kept = kept
        self._pending: list[Any] = []
        self._batch: list[Any] = []
        self._go = threading.Semaphore(0)
        self._busy = self._timed = False
        loop = gevent.get_hub().loop
        self._done = loop.async_()
        self._done.start(self._written)
        self._timer = loop.timer(GATHER_SECONDS)
        threading.Thread(target=self._write, daemon=True).start()

    def add(self, item: tuple[int, Line, Any]) -> None:
        """Keep it with the next commit."""
        self._pending.append(item)
        if not self._timed:
            self._timed = True
            self._timer.start(self._hand_over)

    def _hand_over(self) -> None:
        self._timed = False
        if not self._busy and self._pending:
            self._busy = True
            self._batch, self._pending = self._pending, []
            self._go.release()

    def _write(self) -> None:
        while True:
            self._go.acquire()
            rows = [
                (number, pdu.source_addr, pdu.destination_addr, pdu.short_message) for number, _, pdu in self._batch
            ]
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO batch (body) VALUES (?)", (msgspec.msgpack.encode(rows),))
            self._db.execute("COMMIT")
            self._done.send()

    def _written(self) -> None:
        batch, self._batch = self._batch, []
        self._busy = False
        self._kept(batch)
        if self._pending and not self._timed:
            self._hand_over()


class Relay:
    """Customers on one side, one operator on the other."""

    def __init__(self, path: str, operator: int) -> None:
        self._store = Store(path, self._kept)
        self._numbers = 0
        self._customers: list[Line] = []
        self._waiting: dict[int, tuple[int, Line]] = {}
        self._reports: dict[str, tuple[int, Line]] = {}
        self._sequence = 0
        self._operators = [self._dial(operator) for _ in range(SESSIONS_OUT)]
        for line in self._operators:
            gevent.spawn(line.each, self._from_operator, self._flush)

    def _dial(self, port: int) -> Line:
        line = Line(gevent.socket.create_connection(("127.0.0.1", port)))
        line.out.append(encode(pdus.BindTransceiver(1, system_id="relay", interface_version=0x34)))
        line.flush()
        return line

    def serve(self, sock: Any, _address: Any) -> None:
        """One customer."""
        line = Line(sock)
        self._customers.append(line)
        try:
            line.each(self._from_customer, self._flush)
        finally:
            self._customers.remove(line)

    def _flush(self) -> None:
        for line in self._operators:
            if line.out:
                line.flush()
        for line in self._customers:
            if line.out:
                line.flush()

    def _from_customer(self, line: Line, pdu: Any) -> None:
        kind = type(pdu)
        if kind is pdus.SubmitSm:
            self._numbers += 1
            self._store.add((self._numbers, line, pdu))
        elif kind is pdus.BindTransceiver:
            line.out.append(encode(pdus.BindTransceiverResp(pdu.sequence, system_id="relay")))
        elif kind is pdus.Unbind:
            line.out.append(encode(pdus.UnbindResp(pdu.sequence)))

    def _kept(self, batch: list[tuple[int, Line, Any]]) -> None:
        for number, line, pdu in batch:
            line.out.append(encode(pdus.SubmitSmResp(pdu.sequence, 0, str(number))))
            self._sequence = sequence = self._sequence + 1
            self._waiting[sequence] = (number, line)
            pdu.sequence = sequence
            self._operators[sequence % SESSIONS_OUT].out.append(encode(pdu))
        gevent.spawn(self._flush)

    def _from_operator(self, line: Line, pdu: Any) -> None:
        kind = type(pdu)
        if kind is pdus.SubmitSmResp:
            self._reports[pdu.message_id] = self._waiting.pop(pdu.sequence)
        elif kind is pdus.DeliverSm:
            remote = (tlv(pdu.tlvs, Tag.RECEIPTED_MESSAGE_ID) or b"").rstrip(b"\0")
            number, customer = self._reports.pop(remote.decode())
            line.out.append(encode(pdus.DeliverSmResp(pdu.sequence)))
            own = b"%d" % number
            customer.sequence += 1
            pdu.sequence = customer.sequence
            pdu.short_message = pdu.short_message.replace(remote, own, 1)
            pdu.tlvs = tuple(
                (tag, own + b"\0" if tag == Tag.RECEIPTED_MESSAGE_ID else value) for tag, value in pdu.tlvs
            )
            customer.out.append(encode(pdu))


def main(arguments: list[str]) -> None:
    """Run until killed; prints a line when it listens."""
    path, port, operator = arguments
    relay = Relay(path, int(operator))
    server = gevent.server.StreamServer(("127.0.0.1", int(port)), relay.serve)
    server.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    Path(f"{path}.up").touch()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
