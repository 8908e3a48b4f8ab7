"""Everything is bounded, and at the bound the sender hears the protocol's own "busy" while nobody else notices (ARCHITECTURE, invariants 6 and 8)."""

import resource
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from emg.engine import events
from emg.wire.smpp import pdus, times
from emg.wire.smpp.codec import encode
from emg.wire.smpp.lists import SmeAddress
from emg.wire.smpp.names import Status, Tag
from tests.gateways import GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import Customer, Operator, Wire, bound, message

PAYLOAD = int(Tag.MESSAGE_PAYLOAD)
IDLE_SESSIONS = 1000
TROUBLE = ("Traceback", "internal error", "fault of ours", "Exception ignored")


class World:
    """One gateway with a connector for each bound."""

    def __init__(self, folder: Path) -> None:
        self.sink = SinkProcess(folder / "sink", "--report-delay", "0")
        self.gateway = GatewayProcess(
            folder / "gateway",
            "ROTATELOGSIZE=64K\nROTATELOGS=2\n"
            + incoming(ROUTE="operator", INSTANCES=2000, MAXCONNECTIONS=2000, BINDTIMEOUT=2)
            + incoming("few", ROUTE="operator", MAXCONNECTIONS=5)
            + incoming("paced", ROUTE="operator", THROUGHPUT=50)
            + incoming("full", ROUTE="held")
            + incoming("whole", ROUTE="payload", MAXPDUSIZE="70K")
            + incoming("small", ROUTE="operator", MAXPDUSIZE="4K")
            + outgoing("operator", self.sink.address, WINDOWSIZE=50, PROVIDER="sink")
            + outgoing("payload", self.sink.address, WINDOWSIZE=50, MESSAGEMODE="PAYLOAD", PROVIDER="sink")
            + outgoing("held", self.sink.address, HOLD=True, MAXQUEUESIZE=20, PROVIDER="sink")
            + user("acme", SESSIONS=2000) + user("beside") + user("three", SESSIONS=3)
            + user("narrow", WINDOWSIZE=5, SESSIONS=5) + user("slow", THROUGHPUT=50),
        )  # fmt: skip
        self.process = psutil.Process(self.gateway.pid)
        self.beside = bound(self.gateway.port(), "beside")

    def go_on(self) -> None:
        """A customer whom nothing of this concerns sends, and hears of it."""
        assert self.beside.submit(registered_delivery=1).status == 0
        receipt = self.beside.read()
        assert isinstance(receipt, pdus.DeliverSm), receipt
        self.beside.answer(receipt)

    def sessions(self, connector: str = "customers") -> int:
        return int(self.gateway.control("GET", f"/sessions?connector={connector}")["count"])

    def all_kept(self, ids: list[str]) -> None:
        """Each accepted message has come to a good end."""
        wanted = {int(number) for number in ids}
        assert len(wanted) == len(ids), "an id was given twice"
        eventually(
            lambda: wanted <= {event.id for event in self.gateway.events(events.Sent)}, wanted="all accepted are sent"
        )

    def close(self) -> None:
        self.beside.close()
        self.gateway.close()
        self.sink.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("limits"))
    yield made
    try:
        made.go_on()
        logs = [file.read_text(errors="replace") for file in (made.gateway.folder / "log").iterdir() if file.is_file()]
        assert [line for log in logs for line in log.splitlines() if any(word in line for word in TROUBLE)] == []
        assert made.gateway.program is not None, "it was started"
        assert made.gateway.program.printed() == ""
    finally:
        made.close()


# -- sessions and connections


@pytest.mark.slow
def test_a_thousand_idle_sessions_cost_little(world):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = world.process.memory_info().rss
    customers = []
    try:
        customers += [bound(world.gateway.port()) for _ in range(IDLE_SESSIONS)]
        assert world.sessions() == IDLE_SESSIONS + 1
        used = world.process.cpu_times()
        threading.Event().wait(3)  # nothing is waited for: this is the time over which the load is measured
        load = sum(world.process.cpu_times()[:2]) - sum(used[:2])
        rss = world.process.memory_info().rss
        print(
            f"{IDLE_SESSIONS} idle sessions: {rss / 1048576:.0f} MiB resident, {(rss - before) / 1024 / IDLE_SESSIONS:.1f} KiB "
            f"each, {load / 3:.1%} of one processor"
        )
        assert rss < 200 << 20
        assert load < 0.3, "idle sessions cost time"
        assert customers[0].is_alive()
        assert customers[-1].submit().status == 0
    finally:
        for customer in customers:
            customer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: world.sessions() == 1, wanted="they are forgotten")


def test_the_gateway_takes_all_the_file_descriptors_that_it_may(tmp_path):
    """Services and shells begin with a small soft limit; the customers alone may be more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with GatewayProcess(tmp_path, incoming()) as gateway:
            assert psutil.Process(gateway.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_file_descriptors_newcomers_wait_and_the_others_go_on(tmp_path):
    with (
        SinkProcess(tmp_path / "sink") as sink,
        GatewayProcess(tmp_path / "gateway", incoming(ROUTE="operator") + outgoing("operator", sink.address) + user(SESSIONS=100)) as gateway,
        bound(gateway.port()) as customer,
    ):  # fmt: skip
        sent = customer.submit()
        process = psutil.Process(gateway.pid)
        limits = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 5, limits[1]))
        crowd = [Customer(gateway.port()) for _ in range(20)]
        gateway.wait_for_log("accepting pauses")
        for _ in range(20):
            assert customer.submit().status == 0
        answer = customer.ask(pdus.QuerySm(message_id=sent.message_id, source_addr="EMG"))
        assert answer.status in (0, Status.RQUERYFAIL, Status.RSYSERR), "an answer, whatever it can be"
        assert customer.is_alive()
        for stranger in crowd:
            stranger.close()
        process.rlimit(psutil.RLIMIT_NOFILE, limits)
        with bound(gateway.port()) as newcomer:
            assert newcomer.submit().status == 0
        assert not [word for word in TROUBLE if word in gateway.logs()], gateway.logs()
        assert gateway.logs().count("accepting pauses") == 1, "the log is not filled"
        assert gateway.program is not None, "it was started"
        assert gateway.program.printed() == ""


def test_connections_above_maxconnections_are_closed_at_once(world):
    port = world.gateway.port("few")
    inside = [bound(port) for _ in range(5)]
    with Customer(port) as outside:
        assert outside.until_closed() == b""
    inside.pop().close()

    def comes_in() -> bool:
        with Customer(port) as other:
            try:
                return bool(other.bind().status == 0)
            except ConnectionError:
                return False

    eventually(comes_in, wanted="a place became free")
    assert all(customer.is_alive() for customer in inside)
    assert world.gateway.control("GET", "/connectors/few")["refused_connections"] >= 1
    for customer in inside:
        customer.close()


def test_connections_that_never_bind_keep_nobody_out(world):
    port = world.gateway.port("few")
    idle = [Customer(port) for _ in range(20)]
    inside = [bound(port) for _ in range(5)]
    for customer in idle:
        assert customer.until_closed(5) == b"", "each had to make room"
        customer.close()
    assert all(customer.is_alive() for customer in inside)
    for customer in inside:
        customer.close()


def test_s7_a_flood_of_binds_gets_the_sessions_that_are_allowed_and_no_more(world):
    customers = [Customer(world.gateway.port()) for _ in range(60)]
    for customer in customers:
        customer.send(pdus.BindTransceiver(1, system_id="three", password="secret"))
    answers = Counter(customer.read().status for customer in customers)
    assert answers == {0: 3, int(Status.RALYBND): 57}
    world.go_on()
    for customer in customers:
        customer.close()
    eventually(lambda: world.sessions() == 1, wanted="they are forgotten")
    bound(world.gateway.port(), "three").close()


@pytest.mark.parametrize(
    "says", [b"", encode(pdus.EnquireLink(1)), encode(message())], ids=["nothing", "enquire_link", "submit_sm"]
)
def test_s4_who_does_not_bind_is_gone_after_the_bind_timeout_whatever_he_says(world, says):
    with Customer(world.gateway.port()) as customer:
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                customer.send(says)
                customer.sock.settimeout(0.1)
                try:
                    if not customer.sock.recv(65536):
                        break
                except TimeoutError:
                    continue
        except ConnectionError:
            pass
        assert time.monotonic() - began < 8, "BINDTIMEOUT=2"


def test_s6_wrong_passwords_are_slowed_down_for_the_guesser_alone_and_not_logged_each(world):
    guessers = [Customer(world.gateway.port()) for _ in range(40)]
    for guesser in guessers:
        guesser.send(pdus.BindTransceiver(1, system_id="acme", password="wrong"))
    world.go_on()
    with bound(world.gateway.port(), "narrow") as other:
        assert other.is_alive(), "another account binds while the guessers wait"
    for guesser in guessers:
        assert guesser.read().status in (Status.RINVPASWD, Status.RBINDFAIL)
        assert guesser.until_closed() == b""
        guesser.close()
    general = world.gateway.logs()
    assert general.count("wrong logins as 'acme'") <= 2
    assert "wrong" not in world.gateway.logs("connector.customers")
    # The one account is usable from here again, once its pause is over.
    eventually(lambda: _may_bind(world, "acme"), 20, "the right password gets in after the pause")


def _may_bind(world: World, account: str) -> bool:
    with Customer(world.gateway.port()) as customer:
        return bool(customer.bind(account).status == 0)


# -- clients that read or write badly


def test_a_client_that_sends_but_never_reads_is_not_listened_to_for_ever(world):
    before = world.process.memory_info().rss
    links = encode(pdus.EnquireLink(1)) * 4096
    taken = 0
    with bound(world.gateway.port(), "acme") as customer:
        customer.sock.settimeout(1.0)
        try:
            while taken < 200 << 20:
                taken += customer.sock.send(links)
        except TimeoutError:
            pass
        assert taken < 100 << 20, "it is still read from"
        world.go_on()
        assert world.process.memory_info().rss - before < 5 << 20, "what it does not read is kept in bounds"
    eventually(lambda: world.sessions() == 1, wanted="it is forgotten")


def test_s1_slow_clients_send_an_octet_at_a_time_and_disturb_nobody(world):
    customers = [bound(world.gateway.port()) for _ in range(20)]
    frame = encode(message(sequence=7))
    for octet in frame:
        for customer in customers:
            customer.send(bytes((octet,)))
    world.go_on()
    answers = [customer.read() for customer in customers]
    assert {(type(answer), answer.status) for answer in answers} == {(pdus.SubmitSmResp, 0)}
    for customer in customers:
        customer.close()
    world.all_kept([answer.message_id for answer in answers])


def test_a_message_that_an_operator_cannot_bear_stops_no_other(tmp_path):
    """He hangs up on it each time: it is tried again with growing pauses, and the others arrive, each once."""
    taken: Counter[bytes] = Counter()

    def serve(wire: Wire) -> None:
        while True:
            request = wire.read(30)
            if not isinstance(request, pdus.SubmitSm):
                wire.answer(request)
                continue
            taken[request.short_message] += 1
            if request.short_message == b"poison":
                return
            wire.send(pdus.SubmitSmResp(request.sequence, 0, str(taken.total())))

    operator = Operator(serve)
    try:
        with (
            GatewayProcess(
                tmp_path, incoming(ROUTE="operator") + outgoing("operator", f"127.0.0.1:{operator.port}") + user()
            ) as gateway,
            bound(gateway.port()) as customer,
        ):
            for number in range(60):
                customer.submit(b"poison" if number == 20 else b"%d" % number, f"46701{number:06d}")
            eventually(lambda: len(taken) == 60, wanted="all are sent")
            assert 1 <= taken.pop(b"poison") < 10
            ahead = sum(more for more in taken.values() if more > 1)
            assert ahead <= 20, "at most what was in the window with it was sent again"
            assert "WARNING" not in gateway.logs("connector.customers")
    finally:
        operator.stop()


# -- windows, rates and queues


def submit_all(customer: Wire, count: int) -> Counter[int]:
    """Send so many in one piece; the answers' statuses, and the ids in `customer.ids`."""
    customer.send(*(message(b"%d" % number, sequence=number) for number in range(1, count + 1)))
    answers = [customer.read() for _ in range(count)]
    assert sorted(answer.sequence for answer in answers) == list(range(1, count + 1)), "each has one answer"
    customer.ids = [answer.message_id for answer in answers if not answer.status]  # type: ignore[attr-defined]
    return Counter(answer.status for answer in answers)


def test_s20_over_the_window_is_throttled_and_what_was_accepted_is_kept(world):
    with bound(world.gateway.port(), "narrow", kind=pdus.BindTransmitter) as customer:
        answers = submit_all(customer, 500)
        assert set(answers) == {0, int(Status.RTHROTTLED)}
        assert answers[0] >= 5
        assert customer.is_alive()
        world.all_kept(customer.ids)


def test_a_flood_of_queries_is_throttled_and_costs_no_memory(world):
    """They are answered from disk, one after the other: what cannot wait its turn is refused."""
    with bound(world.gateway.port(), kind=pdus.BindTransmitter) as customer:
        number = customer.submit().message_id
        count = 20_000
        flood = encode(pdus.QuerySm(1, message_id=number, source_addr="EMG")) * count
        before = world.process.memory_info().rss
        sender = threading.Thread(target=customer.send, args=(flood,))
        sender.start()
        answers = Counter(customer.read(30).status for _ in range(count))
        sender.join()
        assert set(answers) == {0, int(Status.RTHROTTLED)}
        assert answers[0] >= 1000
        world.go_on()
        assert world.process.memory_info().rss - before < 20 << 20


def test_a_flood_of_receipts_is_throttled_by_us_and_accepted_ones_are_kept(tmp_path):
    """An operator that does not wait for our answers gets RTHROTTLED beyond a bound, and everything is answered."""
    count = 20_000
    answers: Counter[int] = Counter()

    def serve(wire: Wire) -> None:
        wire.answer(wire.read())
        flood = b"".join(
            encode(pdus.DeliverSm(number, esm_class=4, short_message=b"id:%d stat:DELIVRD err:000" % number))
            for number in range(1, count + 1)
        )
        sender = threading.Thread(target=wire.send, args=(flood,))
        sender.start()
        while answers.total() < count:
            pdu = wire.read(30)
            if isinstance(pdu, pdus.DeliverSmResp):
                answers[pdu.status] += 1
            else:
                wire.answer(pdu)
        sender.join()
        wire.until_closed(30)

    operator = Operator(serve)
    text = "ORPHANSIZE=100000\n" + incoming() + outgoing("operator", f"127.0.0.1:{operator.port}") + user()
    try:
        with GatewayProcess(tmp_path, text) as gateway:
            eventually(lambda: answers.total() == count, 30, "all are answered")
            assert set(answers) <= {0, int(Status.RTHROTTLED)}
            assert gateway.control("GET", "/status")["orphans"] == answers[0]
            print(f"{count} receipts at once: {dict(answers)}")
    finally:
        operator.stop()


@pytest.mark.parametrize(("connector", "account"), [("customers", "slow"), ("paced", "acme")])
def test_s20_over_the_rate_is_throttled_after_a_second_of_burst(world, connector, account):
    with bound(world.gateway.port(connector), account, kind=pdus.BindTransmitter) as customer:
        answers = submit_all(customer, 300)
        assert set(answers) == {0, int(Status.RTHROTTLED)}
        assert 50 <= answers[0] <= 100, "a burst of a second at least, and not much more"
        world.all_kept(customer.ids)


def test_a_full_queue_is_rmsgqful_and_keeps_what_it_has(world):
    with bound(world.gateway.port("full"), kind=pdus.BindTransmitter) as customer:
        answers = submit_all(customer, 50)
        assert answers == {0: 20, int(Status.RMSGQFUL): 30}
        world.go_on()
        assert world.gateway.control("GET", "/queues/held")["size"] == 20
        world.gateway.control("POST", "/connectors/held/release")
        world.all_kept(customer.ids)
        world.gateway.control("POST", "/connectors/held/hold")


def test_the_server_wide_bound_is_rmsgqful_too(tmp_path):
    text = "MAXTOTALQUEUESIZE=10\n" + incoming(ROUTE="away") + outgoing("away", "127.0.0.1:1") + user()
    with GatewayProcess(tmp_path, text) as gateway, bound(gateway.port(), kind=pdus.BindTransmitter) as customer:
        assert submit_all(customer, 25) == {0: 10, int(Status.RMSGQFUL): 15}


def test_a_users_own_bound_is_rmsgqful_for_him_alone(tmp_path):
    text = incoming(ROUTE="away") + outgoing("away", "127.0.0.1:1") + user(MAXQUEUESIZE=10) + user("other")
    with GatewayProcess(tmp_path, text) as gateway:
        with bound(gateway.port(), kind=pdus.BindTransmitter) as customer:
            assert submit_all(customer, 25) == {0: 10, int(Status.RMSGQFUL): 15}
        with bound(gateway.port(), "other", kind=pdus.BindTransmitter) as customer:
            assert submit_all(customer, 25) == {0: 25}
        gateway.kill()
        gateway.start()
        with bound(gateway.port(), kind=pdus.BindTransmitter) as customer:
            assert submit_all(customer, 5) == {int(Status.RMSGQFUL): 5}


# -- large things


def many(count: int) -> tuple[SmeAddress, ...]:
    return tuple(SmeAddress(1, 1, f"46701{number:06d}") for number in range(count))


@pytest.mark.parametrize("count", [1, 254, 255])
def test_a_submit_multi_to_as_many_as_the_field_allows(world, count):
    with bound(world.gateway.port()) as customer:
        accepted = len(world.gateway.events(events.Accepted))
        answer = customer.ask(pdus.SubmitMulti(source_addr="EMG", dest_address=many(count), short_message=b"Hej"))
        assert (answer.status, answer.unsuccess_sme) == (0, ())
        assert len(world.gateway.events(events.Accepted)) == accepted + count
        assert customer.is_alive()


def test_a_submit_multi_that_does_not_fit_the_queue_tells_whom_it_left_out(world):
    with bound(world.gateway.port("full")) as customer:
        answer = customer.ask(pdus.SubmitMulti(source_addr="EMG", dest_address=many(30), short_message=b"Hej"))
        assert (answer.status, len(answer.unsuccess_sme)) == (0, 10)
        assert {left.status for left in answer.unsuccess_sme} == {int(Status.RMSGQFUL)}
    world.gateway.control("POST", "/connectors/held/release")
    eventually(lambda: world.gateway.control("GET", "/queues/held")["size"] == 0)
    world.gateway.control("POST", "/connectors/held/hold")


def padded(size: int) -> bytes:
    """A submit_sm of so many octets: what its text lacks is an unknown TLV."""
    bare = len(encode(message(sequence=1, tlvs=((0x1400, b""),))))
    return encode(message(sequence=1, tlvs=((0x1400, bytes(size - bare)),)))


def test_s2_a_pdu_of_maxpdusize_is_taken_and_an_octet_more_ends_the_session(world):
    with bound(world.gateway.port("small")) as customer:
        customer.send(padded(4096))
        assert customer.read().status == 0
        customer.send(padded(4097))
        nack = customer.read()
        assert (type(nack), nack.status) == (pdus.GenericNack, Status.RINVCMDLEN)
        assert customer.until_closed() == b""


def test_s2_a_length_of_gigabytes_takes_no_memory(world):
    before = world.process.memory_info().rss
    with bound(world.gateway.port("small")) as customer:
        customer.send(struct.pack(">4I", 0x7FFFFFFF, 4, 0, 1))
        assert customer.read().status == Status.RINVCMDLEN
        assert customer.until_closed() == b""
    assert world.process.memory_info().rss - before < 1 << 20


@pytest.mark.parametrize("size", [1000, 65000])
def test_a_message_payload_of_up_to_64k_goes_through_whole(world, size):
    with bound(world.gateway.port("whole")) as customer:
        answer = customer.ask(message(b"", data_coding=4, tlvs=((PAYLOAD, bytes(size)),)))
        assert answer.status == 0
        world.all_kept([answer.message_id])


def test_s44_a_message_payload_of_too_many_parts_is_refused_not_cut(world):
    with bound(world.gateway.port()) as customer:
        assert customer.ask(message(b"", data_coding=4, tlvs=((PAYLOAD, bytes(60000)),))).status == Status.RINVMSGLEN
        answer = customer.ask(message(b"", data_coding=4, tlvs=((PAYLOAD, bytes(255 * 134)),)))
        assert answer.status == 0, "255 parts of 134 octets"


def test_s24_thousands_of_unknown_tlvs_are_passed_on(world):
    with bound(world.gateway.port()) as customer:
        answer = customer.submit(tlvs=tuple((0x1400 + number % 0x2000, b"x") for number in range(5000)))
        assert answer.status == 0
        world.all_kept([answer.message_id])


# -- logs


def test_a_flood_of_refusals_does_not_fill_the_disk(world):
    """Refused submissions, unknown commands, unreadable bodies, and connections that are nothing: a few lines and a count."""
    folder = world.gateway.folder / "log"
    before = sum(file.stat().st_size for file in folder.iterdir())
    refused = encode(message(dest="no number", sequence=5))
    unknown = struct.pack(">4I", 16, 0x77, 0, 9)
    unreadable = struct.pack(">4I", 17, 4, 0, 9) + b"x"
    with bound(world.gateway.port()) as customer:
        for frame in (refused, unknown, unreadable):
            count = 5000
            threading.Thread(target=customer.send, args=(frame * count,)).start()
            for _ in range(count):
                assert customer.read().status != 0
    for _ in range(300):
        with Customer(world.gateway.port()) as stranger:
            stranger.send(b"HTTP/1.1 is not spoken here")
            stranger.until_closed()
    grown = sum(file.stat().st_size for file in folder.iterdir()) - before
    print(f"15,000 refusals and 300 strangers: {grown / 1024:.1f} KiB of log")
    assert grown < 60_000


def test_log_files_are_put_aside_by_size_and_only_so_many_kept(tmp_path):
    text = (
        "ROTATELOGSIZE=64K\nROTATELOGS=2\n"
        + incoming(ROUTE="away", LOGPDU=True)
        + outgoing("away", "127.0.0.1:1")
        + user()
    )
    with GatewayProcess(tmp_path, text) as gateway:
        with bound(gateway.port()) as customer:
            for number in range(1000):
                customer.sequence = number
                assert customer.is_alive()
        files = {
            file.name: file.stat().st_size
            for file in (tmp_path / "log").iterdir()
            if file.name.startswith("pdu.customers")
        }
        assert sorted(files) == ["pdu.customers", "pdu.customers.1", "pdu.customers.2"]
        assert max(files.values()) <= 64 << 10
        secret = b"secret".hex()
        assert not [name for name in files if secret in (tmp_path / "log" / name).read_text()]


# -- time


def test_s52_times_of_the_past_are_refused_and_short_validity_ends_in_a_report(world):
    now = time.time()
    with bound(world.gateway.port("full")) as customer:
        past = customer.submit(validity_period=times.format_absolute(now - 3600))
        assert past.status == Status.RINVEXPIRY
        past = customer.submit(schedule_delivery_time=times.format_absolute(now - 3600))
        assert past.status == Status.RINVSCHED
        soon = customer.submit(validity_period="000000000001000R", registered_delivery=1)
        assert soon.status == 0
        receipt = customer.read()
        assert f"id:{soon.message_id} ".encode() in receipt.short_message
        assert b"stat:EXPIRED" in receipt.short_message
        customer.answer(receipt)
