"""TLS on both sides of a running gateway: who is let in, who is dialled, and what a peer can do with a handshake."""

import datetime as dt
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.names import Status
from tests.certificates import DAY, Authority, Pair
from tests.gateways import GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import Customer, Operator, Wire, bound, message

ROOT = Path(__file__).parents[2]
TROUBLE = ("Traceback", "internal error", "fault of ours", "Exception ignored")


class World:
    """One gateway with TLS in and out, for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "tls")
        self.stranger = Authority(folder / "tls", "stranger")
        self.server = self.authority.issue("server", "localhost", "127.0.0.1")
        self.client = self.authority.issue("client")
        self.foreign = self.stranger.issue("foreign")
        self.sink_pair = self.authority.issue("sink", "localhost", "127.0.0.1")
        self.sink = SinkProcess(
            folder / "sink", "--tls-cert", self.sink_pair.cert, "--tls-key", self.sink_pair.key,
            "--tls-client-ca", self.authority.ca, "--report-delay", "0",
        )  # fmt: skip
        tls = {"SSL": True, "SSL_KEYFILE": self.server.key, "SSL_CERTFILE": self.server.cert, "ROUTE": "operator"}
        self.gateway = GatewayProcess(
            folder / "gateway",
            incoming("customers", **tls, BINDTIMEOUT=2, MAXPDUSIZE="1M")
            + incoming("strict", **tls, SSL_CLIENT_CERT=True, SSL_CAFILE=self.authority.ca)
            + incoming("plain", ROUTE="operator")
            + outgoing(
                "operator", self.sink.address, SSL=True, SSL_CAFILE=self.authority.ca, SSL_KEYFILE=self.client.key,
                SSL_CERTFILE=self.client.cert, INSTANCES=2, WINDOWSIZE=50,
            )
            + user("acme", SESSIONS=50),
        )  # fmt: skip

    def close(self) -> None:
        self.gateway.close()
        self.sink.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("tls"))
    yield made
    try:
        for name in ("general", "connector.customers", "connector.strict", "connector.plain", "connector.operator"):
            assert not [word for word in TROUBLE if word in made.gateway.logs(name)], made.gateway.logs(name)
        assert made.gateway.program is not None, "it was started"
        assert made.gateway.program.printed() == ""
    finally:
        made.close()


def trusting(authority: Authority, own: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca)
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


def test_a_customer_binds_and_sends_over_tls(world):
    with bound(world.gateway.port(), tls=trusting(world.authority)) as customer:
        assert customer.submit(registered_delivery=1).status == 0
        receipt = customer.read()
        assert isinstance(receipt, pdus.DeliverSm)
        assert receipt.esm_class == 4
        customer.answer(receipt)
        assert isinstance(customer.ask(pdus.Unbind()), pdus.UnbindResp)
        assert customer.sock.recv(1) == b"", (
            "TLS is closed in good order; without a close_notify this is an SSLEOFError"
        )


def test_the_gateway_shows_its_name_to_a_client_that_checks(world):
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere"):
        Customer(world.gateway.port(), trusting(world.authority), "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        Customer(world.gateway.port(), trusting(world.stranger))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_that_are_in_use_are_spoken(world, version):
    context = trusting(world.authority)
    context.minimum_version = context.maximum_version = version
    with bound(world.gateway.port(), tls=context) as customer:
        assert customer.is_alive()


def test_old_versions_of_tls_are_not_spoken(world):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Customer(world.gateway.port(), context)


def test_a_client_certificate_is_asked_for_where_it_is_required(world):
    port = world.gateway.port("strict")
    with bound(port, tls=trusting(world.authority, world.client)) as customer:
        assert customer.submit().status == 0


@pytest.mark.parametrize("shown", ["nothing", "foreign", "expired"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_the_right_client_certificate_nobody_gets_in(world, shown, version):
    own = {
        "nothing": lambda: None,
        "foreign": lambda: world.foreign,
        "expired": lambda: world.authority.issue("late", start=-2 * DAY, end=-DAY),
    }[shown]()
    context = trusting(world.authority, own)
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        # With TLS 1.3 the client's own handshake is over before the server has looked: the refusal comes with the first read.
        bound(world.gateway.port("strict"), tls=context)


# -- what is not TLS


def test_s2_a_tls_hello_on_the_plain_port_is_a_bad_length(world):
    with Customer(world.gateway.port("plain")) as customer:
        hello = ssl.MemoryBIO()
        tls = trusting(world.authority).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        customer.send(hello.read())
        nack = decode(customer.until_closed())
        assert isinstance(nack, pdus.GenericNack)
        assert nack.status == Status.RINVCMDLEN


def test_a_plain_bind_on_the_tls_port_ends_the_connection(world):
    with Customer(world.gateway.port()) as customer:
        customer.send(pdus.BindTransceiver(1, system_id="acme", password="secret"))
        answer = customer.until_closed()
        assert b"acme" not in answer
        assert len(answer) < 32, "an alert at most"


@pytest.mark.parametrize(
    "octets", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"], ids=["silence", "one octet", "a beginning"]
)
def test_a_handshake_that_never_ends_is_ended_by_the_bind_timeout(world, octets):
    began = time.monotonic()
    with Customer(world.gateway.port()) as customer:
        customer.send(octets)
        customer.until_closed()
    assert time.monotonic() - began > 1.0, "BINDTIMEOUT=2 gives it a chance"


def test_a_handshake_that_trickles_is_ended_by_the_bind_timeout(world):
    hello = ssl.MemoryBIO()
    tls = trusting(world.authority).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with Customer(world.gateway.port()) as customer:
        pause = threading.Event()
        try:
            for octet in hello.read() * 10:
                customer.send(bytes((octet,)))
                pause.wait(0.05)
        except ConnectionError:
            return
        pytest.fail("the gateway listened to it all")


def test_a_finished_handshake_without_a_bind_is_ended_too(world):
    with Customer(world.gateway.port(), trusting(world.authority)) as customer:
        assert customer.until_closed() == b""


def test_rubbish_instead_of_a_record_ends_the_session_and_no_other(world):
    with bound(world.gateway.port(), tls=trusting(world.authority)) as other:
        with bound(world.gateway.port(), tls=trusting(world.authority)) as customer:
            raw = socket.socket(fileno=customer.sock.detach())
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32) + b"HTTP" * 10)
            raw.settimeout(10)
            while raw.recv(65536):
                pass
            raw.close()
        assert other.is_alive()
        assert other.submit().status == 0


def test_a_cut_in_the_middle_of_tls_is_an_end_like_any_other(world):
    customers = [bound(world.gateway.port(), tls=trusting(world.authority)) for _ in range(10)]
    for customer in customers:
        raw = socket.socket(fileno=customer.sock.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        raw.close()
    eventually(lambda: world.gateway.logs("connector.customers").count("Connection reset by peer") >= 10)


# -- much at once


def test_a_burst_of_many_pdus_over_tls_is_answered_in_full_and_in_order(world):
    count = 3000
    links = [pdus.EnquireLink(number) for number in range(100, 100 + count)]
    with bound(world.gateway.port(), tls=trusting(world.authority), version=0x34) as customer:
        frames = customer.exchange(b"".join(map(encode, links)), count)
    answers = [decode(frame) for frame in frames]
    assert {type(answer) for answer in answers} == {pdus.EnquireLinkResp}
    assert [answer.sequence for answer in answers] == [link.sequence for link in links]


def test_large_messages_over_tls_come_out_whole(world):
    text = bytes(range(256)) * 200
    with bound(world.gateway.port(), tls=trusting(world.authority)) as customer:
        answers = [customer.ask(message(b"", data_coding=4, tlvs=((0x0424, text),))) for _ in range(3)]
    assert {answer.status for answer in answers} <= {0, Status.RINVMSGLEN}, "kept whole, or refused: never cut"


def test_emg_load_and_emg_sink_over_tls_lose_nothing(world):
    count = 2000
    run = subprocess.run(
        [
            sys.executable, "app.py", "load", "--to", f"localhost:{world.gateway.port('strict')}", "--system-id", "acme",
            "--password", "secret", "--tls", "--tls-ca", world.authority.ca, "--tls-cert", world.client.cert,
            "--tls-key", world.client.key, "--sessions", "2", "--window", "50", "--messages", str(count), "--reports",
            "--json",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    summary: dict[str, Any] = json.loads(run.stdout)
    assert (summary["acked"], summary["reports"]) == (count, {"DELIVRD": count}), summary


# -- towards operators


def answers_binds(context: ssl.SSLContext | None) -> Any:
    """An operator that lets everybody in and says nothing else."""

    def serve(wire: Wire) -> None:
        if context is not None:
            wire.sock.settimeout(5)
            wire.sock = context.wrap_socket(wire.sock, server_side=True, do_handshake_on_connect=False)
            wire.sock.do_handshake()
        while True:
            wire.answer(wire.read(30))

    return serve


def serving(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


CHECKS = [
    # what the operator shows, SSL_VERIFY, other keywords, up or the reason why not
    ("right", "HOST", {}, "bound"),
    ("address", "HOST", {}, "bound"),
    ("wrong-name", "HOST", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("wrong-name", "HOST", {"SSL_SERVERNAME": "elsewhere.example"}, "bound"),
    ("right", "HOST", {"SSL_SERVERNAME": "elsewhere.example"}, "CERTIFICATE_VERIFY_FAILED"),
    ("wrong-name", "PEER", {}, "bound"),
    ("wrong-name", "NONE", {}, "bound"),
    ("stranger", "HOST", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("stranger", "PEER", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("stranger", "NONE", {}, "bound"),
    ("expired", "HOST", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("expired", "PEER", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("expired", "NONE", {}, "bound"),
    ("not-yet", "HOST", {}, "CERTIFICATE_VERIFY_FAILED"),
    ("plain", "HOST", {}, "not bound"),
    ("plain", "NONE", {}, "not bound"),
]


def test_an_operators_certificate_is_checked_as_ssl_verify_says(tmp_path):
    authority, stranger = Authority(tmp_path / "tls"), Authority(tmp_path / "tls", "stranger")
    shown = {
        "right": authority.issue("right", "localhost"),
        "address": authority.issue("address", "127.0.0.1"),
        "wrong-name": authority.issue("wrong", "elsewhere.example"),
        "stranger": stranger.issue("strange", "localhost"),
        "expired": authority.issue("expired", "localhost", start=-2 * DAY, end=-dt.timedelta(minutes=1)),
        "not-yet": authority.issue("early", "localhost", start=dt.timedelta(hours=1)),
    }
    operators = [Operator(answers_binds(serving(shown[kind]) if kind in shown else None)) for kind, *_ in CHECKS]
    hosts = ["127.0.0.1" if kind == "address" else "localhost" for kind, *_ in CHECKS]
    text = "".join(
        outgoing(
            f"o{number}", f"{hosts[number]}:{operator.port}", SSL=True, SSL_VERIFY=verify, SSL_CAFILE=authority.ca,
            BINDTIMEOUT=2, **more,
        )
        for number, (operator, (_, verify, more, _)) in enumerate(zip(operators, CHECKS, strict=True))
    )  # fmt: skip
    try:
        with GatewayProcess(tmp_path / "gateway", text) as gateway:
            for number, (_, _, _, expected) in enumerate(CHECKS):
                if expected == "bound":
                    gateway.wait_for_log(" bound to ", f"connector.o{number}")
                else:
                    line = gateway.wait_for_log(f"connector o{number}: not bound", "general")
                    assert expected in line.split(f"connector o{number}: ")[1].splitlines()[0]
                    assert " bound to " not in gateway.logs(f"connector.o{number}")
            assert not [word for word in TROUBLE if word in gateway.logs()], gateway.logs()
    finally:
        for operator in operators:
            operator.stop()


def test_an_operator_that_never_ends_the_handshake_is_given_up_after_the_bind_timeout(tmp_path):
    silent = Operator(lambda wire: wire.until_closed(20) and None)
    try:
        with GatewayProcess(
            tmp_path, outgoing("operator", f"localhost:{silent.port}", SSL=True, SSL_VERIFY="NONE", BINDTIMEOUT=1)
        ) as gateway:
            gateway.wait_for_log("broken: no answer to our bind within 1 s")
            eventually(lambda: silent.connections >= 2, wanted="another try")
    finally:
        silent.stop()


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"SSL_KEYFILE": "other.key"}, "no usable certificate and key"),
        ({"SSL_CAFILE": "rubbish.pem", "SSL_CLIENT_CERT": True}, "no usable certificates of authorities"),
    ],
)
def test_certificates_that_cannot_be_used_are_a_sentence_at_the_start(tmp_path, keywords, told):
    authority = Authority(tmp_path)
    pair, other = authority.issue("server", "localhost"), authority.issue("other", "localhost")
    (tmp_path / "rubbish.pem").write_text("this is no certificate\n")
    assert Path(other.key).name == "other.key"
    with pytest.raises(AssertionError, match=told) as failed:
        GatewayProcess(
            tmp_path, incoming(SSL=True, **({"SSL_KEYFILE": pair.key, "SSL_CERTFILE": pair.cert} | keywords)) + user()
        )
    assert "Traceback" not in str(failed.value)
