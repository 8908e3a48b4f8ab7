"""Keywords that only a running gateway can show to work: sessions of version 3.3, hashed passwords, lists, joined messages, the log of slow things."""

import pytest

from emg.config import hashes
from emg.message import Encoding
from emg.text.split import split
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BindReceiver, BindTransmitter, EnquireLink
from tests.gateways import Esme, GatewayProcess, Smsc, incoming, outgoing, user


@pytest.fixture
def operator():
    smsc = Smsc()
    yield smsc
    smsc.close()


def test_version_33_both_ways_takes_a_transmitter_and_a_receiver(tmp_path, operator):
    """INTERFACEVERSION=33, MODE=BOTH: two binds; messages leave by the one, reports and messages come in by the other."""
    config = incoming(ROUTE="operator") + outgoing(
        "operator", operator.address, INTERFACEVERSION="33", ROUTE="customers"
    )
    with GatewayProcess(tmp_path, config + user()) as gateway, Esme.bound(gateway.port()) as client:
        sessions = {}
        for _ in range(2):
            session = operator.connection()
            sessions[type(session.accept_bind())] = session
        assert sessions.keys() == {BindTransmitter, BindReceiver}
        number = client.accepted(registered_delivery=1)
        sessions[BindTransmitter].take("33")
        assert sessions[BindReceiver].receipt("33").status == 0
        assert f"id:{number} " in client.report().short_message.decode()


def test_passwords_may_be_hashes(tmp_path, operator):
    """The right one binds, twice; a wrong one, and a name that does not exist, are refused as ever."""
    config = incoming(ROUTE="operator") + outgoing("operator", operator.address) + user(PASSWORD=hashes.make(b"secret"))
    with GatewayProcess(tmp_path, config + user("plain", PASSWORD="clear")) as gateway:
        for _ in range(2):
            with Esme.bound(gateway.port()) as client:
                client.accepted()
        for name, password in (("acme", "wrong"), ("nobody", "secret"), ("plain", "secret")):
            visitor = Esme(gateway.port())
            assert visitor.bind(name, password).status == Status.RINVPASWD
            visitor.expect_closed()
        Esme.bound(gateway.port(), "plain", "clear").close()


def test_another_keepalive_reaches_the_sessions_that_stand(tmp_path, operator):
    def config(seconds: float) -> str:
        return (
            incoming(ROUTE="operator", KEEPALIVE=seconds)
            + outgoing("operator", operator.address, KEEPALIVE=seconds)
            + user()
        )

    with GatewayProcess(tmp_path, config(0)) as gateway, Esme.bound(gateway.port()) as client:
        session = operator.session()
        client.answers_enquiries = session.answers_enquiries = False
        gateway.configure(config(0.2))
        gateway.reload()
        for peer in (client, session):
            peer.answer(peer.expect(EnquireLink))
            peer.answer(peer.expect(EnquireLink))


def test_the_black_list_refuses_and_logs_and_a_reload_swaps_it(tmp_path, operator):
    lists = {"black.txt": "Spam\tREJECT\n4670999*\tREJECT\tDESTADDR\nACME\tLOG\n", "white.txt": "46709991\tDESTADDR\n"}
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    config = f"BLACKLIST={tmp_path}/black.txt\nWHITELIST={tmp_path}/white.txt\n"
    config += incoming(ROUTE="operator") + outgoing("operator", operator.address) + user()
    with GatewayProcess(tmp_path, config) as gateway, Esme.bound(gateway.port()) as client:
        session = operator.session()
        blocked = client.submit(source_addr="SPAM").status
        assert blocked != 0
        assert client.submit("46709992").status == blocked
        assert client.submit("46709991", source_addr="ACME").status == 0
        assert session.take().destination_addr == "46709991"
        assert client.submit("46701", source_addr="ACME").status == 0
        gateway.wait_for_log("from 'ACME' to 46701 passes; the black list has SOURCEADDR acme (line 3)")
        session.take()
        (tmp_path / "black.txt").write_text("EMG\tREJECT\n")
        gateway.reload()
        assert client.submit(source_addr="SPAM").status == 0
        assert client.submit(source_addr="EMG").status == blocked
        (tmp_path / "black.txt").write_text("EMG REJECT\n")
        gateway.reload()
        gateway.wait_for_log("columns are apart by tabs")
        assert client.submit(source_addr="EMG").status == blocked


def test_parts_that_come_in_are_joined_also_across_a_crash(tmp_path, operator):
    """MESSAGEMODE=JOIN: each part has an id of its own, what leaves is one message, and each id gets its report."""
    config = incoming(ROUTE="operator", MESSAGEMODE="JOIN")
    config += outgoing("operator", operator.address, MESSAGEMODE="PAYLOAD") + user()
    text = b"abcdefghij" * 40
    parts = [udh + body for udh, body in split(text, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=9)]
    with GatewayProcess(tmp_path, config) as gateway:
        operator.session()
        with Esme.bound(gateway.port()) as client:
            numbers = [client.accepted(text=part, esm_class=0x40, registered_delivery=1) for part in parts[:2]]
        gateway.kill()
        gateway.start()
        session = operator.session()
        with Esme.bound(gateway.port()) as client:
            numbers.append(client.accepted(text=parts[2], esm_class=0x40, registered_delivery=1))
            whole = session.take("joined")
            assert (whole.esm_class & 0x40, whole.tlvs) == (0, ((0x0424, text),))
            assert session.receipt("joined").status == 0
            told = {client.report().short_message.decode().split()[0] for _ in numbers}
            assert told == {f"id:{number}" for number in numbers}
            client.expect_nothing()


def test_incomplete_messages_go_on_after_cmrexpire(tmp_path, operator):
    config = (
        "CMREXPIRE=1\n"
        + incoming(ROUTE="operator", MESSAGEMODE="JOIN")
        + outgoing("operator", operator.address)
        + user()
    )
    with GatewayProcess(tmp_path, config) as gateway, Esme.bound(gateway.port()) as client:
        session = operator.session()
        part = b"\x05\x00\x03\x07\x02\x01alone"
        client.accepted(text=part, esm_class=0x40)
        assert session.take().short_message == part


def test_slow_operations_stand_in_a_log_of_their_own(tmp_path, operator):
    config = (
        "PROFILING_THRESHOLD=0.00001\n" + incoming(ROUTE="operator") + outgoing("operator", operator.address) + user()
    )
    with GatewayProcess(tmp_path, config) as gateway, Esme.bound(gateway.port()) as client:
        operator.session()
        client.accepted()
        gateway.wait_for_log("s: a commit of about", "profiling")
        gateway.control("GET", "/health")
        gateway.wait_for_log("control request GET /health", "profiling")
        assert "a commit of about" not in gateway.logs()


def test_dlr_to_same_ip_brings_a_report_only_where_its_message_came_from(tmp_path, operator):
    config = incoming(ROUTE="operator", DLR_TO_SAME_IP=True) + outgoing("operator", operator.address) + user()
    with GatewayProcess(tmp_path, config) as gateway:
        session = operator.session()
        with Esme.bound(gateway.port(), source="127.0.0.2") as other:
            with Esme.bound(gateway.port(), source="127.0.0.1") as sender:
                number = sender.accepted(registered_delivery=1)
            session.take("same")
            assert session.receipt("same").status == 0
            other.fence()
            other.expect_nothing()
            with Esme.bound(gateway.port(), source="127.0.0.1") as sender:
                assert f"id:{number} " in sender.report().short_message.decode()
