"""Octets of every kind against a running gateway, from its customers and from its operators.

Whatever comes: each frame is understood or gets the documented answer, the connection ends or answers an enquire_link within a deadline,
nothing of ours fails (no traceback, no "internal error", nothing on stderr), a customer beside it goes on sending and hears of
it, and when all are gone the gateway has as many sockets and sessions as before and no more memory. `make fuzz` looks longer.
"""

import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import Pdu
from tests.gateways import GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import Customer, Operator, Wire, bound, message
from tests.unit.wire.smpp.test_codec_random import ANY_PDU, TLVS

pytestmark = pytest.mark.timeout(900)  # `make fuzz` plays many more examples than the usual 60

TROUBLE = ("Traceback", "internal error", "fault of ours", "Exception ignored", "CRITICAL")
LIMIT = 65536
UNBIND, BINDS = 0x00000006, (0x00000001, 0x00000002, 0x00000009)
BROKEN = object()
"""What a framer makes of a command_length that can't be true."""

on_a_live_gateway = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


# -- streams

ADDRESSES = st.sampled_from(["46701234567", "+46701234567", "0046701234567", "72404", "EMG", "", "1" * 20, "Å@" * 5])
TIMES = st.sampled_from(
    ["", "000001000000000R", "991231235959000+", "000101000000000+", "261123000000048-", "999999999999999R", "rubbish"]
)
OCTET = st.integers(0, 255)
HEADERS = st.sampled_from([b"", b"\x05\x00\x03\x01\x02\x01", b"\x05\x00\x03\x01\x02\x02", b"\x06\x08\x04\x00\x07\x02\x01", b"\x05\x04\x0b\x84\x23\xf0"])  # fmt: skip
BODIES = st.tuples(HEADERS | st.binary(max_size=12), st.binary(max_size=160) | st.text(max_size=40).map(str.encode))
RECEIPTS = st.sampled_from(
    [
        b"id:%d sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:hi",
        b"id:%d sub:9 dlvrd:x submit date:99 done date: stat:DELIVRD err:zz text:",
        b"id: stat:",
        b"id:%d stat:UNDELIV",
        b"ID:%d STAT:EXPIRED ERR:1\0\0\0",
    ]
).flatmap(lambda text: st.integers(0, 20).map(lambda number: text % number if b"%d" in text else text))


def submits(kind: type[Any]) -> st.SearchStrategy[Pdu]:
    """submit_sm or deliver_sm that might well be meant so."""
    return st.builds(
        kind, sequence=st.integers(1, 0x7FFFFFFF), source_addr=ADDRESSES, source_addr_ton=st.integers(0, 6),
        destination_addr=ADDRESSES, dest_addr_ton=st.integers(0, 6), dest_addr_npi=st.sampled_from([0, 1, 9]),
        esm_class=st.sampled_from([0, 0x40, 4, 8, 0x20, 0x44, 0x80, 0xFF]) | OCTET, data_coding=OCTET,
        priority_flag=OCTET, registered_delivery=st.sampled_from([0, 1, 2, 0x10, 0x11]) | OCTET,
        schedule_delivery_time=TIMES, validity_period=TIMES,
        short_message=BODIES.map(lambda parts: b"".join(parts)[:254]) | RECEIPTS, tlvs=st.just(()) | TLVS,
    )  # fmt: skip


PLAUSIBLE = submits(pdus.SubmitSm) | submits(pdus.SubmitSm) | ANY_PDU
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "double", "insert"]), st.integers(0, 1 << 20), st.binary(max_size=8)),
    max_size=4,
)


def mutated(stream: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """A stream after some accidents."""
    octets = bytearray(stream)
    for what, where, more in edits:
        at = where % (len(octets) + 1)
        if what == "flip" and at < len(octets):
            octets[at] ^= 1 << (where % 8)
        elif what == "cut":
            del octets[at : at + len(more) + 1]
        elif what == "double":
            octets[at:at] = octets[max(0, at - 40) : at]
        else:
            octets[at:at] = more
    return bytes(octets)


STREAMS = st.builds(mutated, st.lists(PLAUSIBLE, max_size=5).map(lambda some: b"".join(map(encode, some))), EDITS)
RUBBISH = st.binary(max_size=400) | st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\x02" + b"01/00045/O/60/0/6/5/1/7365637265742F//0100//////61\x03",
        b"EHLO x\r\n",
        b"\0" * 64,
        b"\xff" * 64,
        b"\0\0\0\x0f",
        b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01" * 200,
        b"\0\1\0\1",
        b"\0\1\0\0" + bytes(16),
    ]
)
ANY_STREAM = STREAMS | RUBBISH
SPLITS = st.lists(st.integers(1, 64), max_size=12)


def frames_of(stream: bytes) -> tuple[list[bytes], Any, int]:
    """A second reading of SMPP 3.4 §3.2, as simple as can be: frames, BROKEN or the rest, and what the rest lacks."""
    frames = []
    while len(stream) >= 4:
        (length,) = struct.unpack(">I", stream[:4])
        if not 16 <= length <= LIMIT:
            return frames, BROKEN, 0
        if len(stream) < length:
            return frames, stream, length - len(stream)
        frames.append(stream[:length])
        stream = stream[length:]
    return frames, stream, 0


def send(wire: Wire, stream: bytes, splits: list[int]) -> None:
    """In pieces of these sizes, then the rest."""
    for size in splits:
        wire.send(stream[:size])
        stream = stream[size:]
    wire.send(stream)


# -- the gateway under it all


class World:
    """A gateway with a customer beside, whom nothing may disturb."""

    def __init__(self, folder: Path) -> None:
        self.queue: Queue[bytes | None] = Queue()
        self.done: Queue[bool] = Queue()
        self.fuzzer = Operator(self.be_rubbish)
        self.sink = SinkProcess(folder / "sink", "--report-delay", "0")
        self.gateway = GatewayProcess(
            folder / "gateway",
            incoming("customers", ROUTE="operator", BINDTIMEOUT=20, MAXCONNECTIONS=3000, KEEPALIVE=0)
            + incoming("logged", ROUTE="operator", LOGPDU=True, BINDTIMEOUT=20)
            + incoming("toward-rubbish", ROUTE="rubbish")
            + outgoing("operator", self.sink.address, WINDOWSIZE=50)
            + outgoing(
                "rubbish", f"127.0.0.1:{self.fuzzer.port}", INSTANCES=30, BINDTIMEOUT=2, OPTIMEOUT=1, KEEPALIVE=1,
                ROUTE="toward-rubbish", LOGPDU=True,
            )
            + user("acme", SESSIONS=1000) + user("fuzz", SESSIONS=1000) + user("beside", SESSIONS=10),
        )  # fmt: skip
        self.process = psutil.Process(self.gateway.pid)
        self.beside = bound(self.gateway.port(), "beside")
        self.sent = 0

    def go_on(self) -> None:
        """The customer beside sends, and hears of it."""
        self.sent += 1
        assert self.beside.submit(b"%d" % self.sent, registered_delivery=1).status == 0
        receipt = self.beside.read()
        assert isinstance(receipt, pdus.DeliverSm), receipt
        self.beside.answer(receipt)

    def be_rubbish(self, wire: Wire) -> None:
        """One connection of the gateway to an operator who says what the test has put into the queue."""
        bind = wire.read()
        said = self.queue.get(timeout=60)
        if said is None:
            return
        try:
            if said[:1] == b"B":  # instead of a bind_resp
                wire.send(said[1:])
            else:
                wire.send(pdus.BindTransceiverResp(bind.sequence, system_id="x"))
                send(wire, said[1:], [7, 11])
            wire.sock.shutdown(1)
            wire.until_closed()
        except OSError:
            pass  # hung up on
        finally:
            self.done.put(True)

    def faults(self) -> list[str]:
        """What may never be in a log."""
        logs = [
            file
            for file in (self.gateway.folder / "log").iterdir()
            if file.is_file() and not file.name.startswith("pdu")
        ]
        assert self.gateway.program is not None, "it was started"
        texts = [file.read_text(errors="replace") for file in logs] + [self.gateway.program.printed()]
        return [line for text in texts for line in text.splitlines() if any(word in line for word in TROUBLE)]

    def sessions(self, connector: str = "customers") -> int:
        return len(self.gateway.control("GET", f"/sessions?connector={connector}")["sessions"])

    def close(self) -> None:
        self.beside.close()
        for _ in range(200):
            self.queue.put(None)
        self.fuzzer.stop()
        self.gateway.close()
        self.sink.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("fuzz"))
    yield made
    try:
        assert made.faults() == []
        assert made.beside.is_alive()
        made.go_on()
    finally:
        made.close()


# -- from customers


def check(wire: Wire, stream: bytes, splits: list[int], *, is_bound: bool) -> None:
    """Send it; the far side answers what comes after it, or has ended the connection for a reason that the stream gave."""
    _frames, rest, lacking = frames_of(stream)
    whole, _, _ = frames_of(stream + bytes(lacking))  # what the rest becomes when it is made whole below counts too
    commands = [struct.unpack(">4xI", frame[:8])[0] for frame in whole]
    excuse = rest is BROKEN or UNBIND in commands or (not is_bound and any(each in BINDS for each in commands))
    try:
        send(wire, stream, splits)
        if rest is BROKEN:
            answers, _, _ = frames_of(wire.until_closed())
            if not excuse or UNBIND not in commands:
                assert answers, "no generic_nack"
                assert decode(answers[-1]).status == Status.RINVCMDLEN
            return
        if 0 < len(rest) < 4:
            wire.send(struct.pack(">I", 16)[len(rest) :] if bytes(len(rest)) == rest else b"\xff\xff\xff")
            return
        wire.send(bytes(lacking))
        assert wire.is_alive() or excuse, "neither alive nor ended for a reason"
    except ConnectionError:
        assert excuse, "ended without a reason"


@on_a_live_gateway
@given(stream=ANY_STREAM, splits=SPLITS)
def test_any_octets_before_a_bind(world, stream, splits):
    with Customer(world.gateway.port()) as wire:
        check(wire, stream, splits, is_bound=False)


@on_a_live_gateway
@given(
    stream=ANY_STREAM,
    splits=SPLITS,
    connector=st.sampled_from(["customers", "logged"]),
    version=st.sampled_from([0x33, 0x34, 0x50]),
)
def test_any_octets_after_a_bind(world, stream, splits, connector, version):
    with bound(world.gateway.port(connector), "fuzz", version=version) as wire:
        check(wire, stream, splits, is_bound=True)


@on_a_live_gateway
@given(some=st.lists(submits(pdus.SubmitSm), min_size=1, max_size=8), splits=SPLITS)
def test_each_submit_gets_exactly_one_answer_of_its_own(world, some, splits):
    for number, pdu in enumerate(some, 1):
        pdu.sequence = number
    with bound(world.gateway.port(), "fuzz", kind=pdus.BindTransmitter) as wire:
        send(wire, b"".join(map(encode, some)), splits)
        answers = [wire.read() for _ in some]
        assert {type(answer) for answer in answers} == {pdus.SubmitSmResp}
        assert sorted(answer.sequence for answer in answers) == list(range(1, len(some) + 1))
        for answer in answers:
            assert bool(answer.message_id) == (answer.status == 0)
        assert wire.is_alive()


@on_a_live_gateway
@given(stream=st.binary(max_size=60))
def test_what_stops_in_the_middle_is_let_go_when_the_peer_hangs_up(world, stream):
    with Customer(world.gateway.port()) as wire:
        wire.send(stream)
        wire.sock.shutdown(1)
        wire.until_closed()


def test_the_customer_beside_was_not_disturbed(world):
    world.go_on()
    assert world.faults() == []


# -- from operators

SAID = st.builds(lambda kind, stream: kind + stream, st.sampled_from([b"B", b"A"]), ANY_STREAM) | st.lists(
    submits(pdus.DeliverSm) | ANY_PDU, max_size=5
).map(lambda some: b"A" + b"".join(map(encode, some)))


@on_a_live_gateway
@given(said=SAID)
def test_any_octets_from_an_operator(world, said):
    """As its bind_resp or after it; the gateway comes back, whatever it was told."""
    world.queue.put(said)
    while True:
        try:
            world.done.get(timeout=3.0)
            break
        except Empty:  # all sessions pause after a refused bind: begin anew
            world.gateway.control("POST", "/connectors/rubbish/stop")
            world.gateway.control("POST", "/connectors/rubbish/start")


def test_rubbish_from_operators_left_no_trace(world):
    world.go_on()
    assert world.faults() == []


# -- nothing is left behind


def measure(world: World) -> tuple[int, int]:
    return world.process.num_fds(), world.process.memory_info().rss


@pytest.mark.slow
def test_thousands_of_bad_connections_leave_nothing_behind(world):
    """Sockets, sessions and memory after 2,000 bad connections, when all pools are filled, and after 2,000 more."""
    bind = encode(pdus.BindTransceiver(1, system_id="fuzz", password="secret"))
    kinds = [
        b"", b"\0\0", b"HTTP/1.1 200", bind, bind[:20], bind + b"\0\0\0\x10" + bytes(12), bind + b"\xff" * 64,
        bind + encode(message(b"x" * 140)), bind + encode(pdus.Unbind(2)),
        bind + encode(pdus.EnquireLink(3)) * 50,
    ]  # fmt: skip
    world.gateway.control("POST", "/connectors/rubbish/stop")

    def play(count: int) -> None:
        for number in range(count):
            with Customer(world.gateway.port()) as wire:
                wire.send(kinds[number % len(kinds)])
                if number % 3:
                    wire.sock.shutdown(1)
                    wire.until_closed()
        eventually(lambda: world.sessions() == 1, wanted="only the customer beside is left")

    play(2000)
    fds, before = measure(world)
    play(2000)
    eventually(lambda: measure(world)[0] <= fds, wanted="all sockets are closed")
    grown = measure(world)[1] - before
    print(f"2,000 bad connections: {grown / 1024:.0f} KiB more of {before / 1048576:.0f} MiB, {fds} descriptors")
    assert grown < 2 << 20, "memory grows"
    world.go_on()


def test_bad_connections_at_the_same_time_hurt_nobody(world):
    """Fifty at once, each sending rubbish without end, while the customer beside goes on."""
    stop = threading.Event()

    def flood(number: int) -> None:
        rubbish = [b"\0\0\0\x10\0\0\xff\xff\0\0\0\0\0\0\0\1" * 1000, b"\xff" * 4000, encode(message()) * 50][number % 3]
        while not stop.is_set():
            try:
                with Customer(world.gateway.port()) as wire:
                    wire.sock.settimeout(1)
                    while not stop.is_set():
                        wire.send(rubbish)
            except OSError:
                stop.wait(0.05)

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            world.go_on()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert world.faults() == []
