"""The gateway seen by somebody else's SMPP: smpplib as the customer, and as the reader of our receipts."""

import re
import socket

import pytest

smpplib_client = pytest.importorskip("smpplib.client")
from smpplib import consts, exceptions, gsm, smpp  # noqa: E402

from emg.wire.smpp.pdus import SubmitSm  # noqa: E402
from tests.gateways import Esme, GatewayProcess, incoming, outgoing, user  # noqa: E402
from tests.integration.station import Station  # noqa: E402

RECEIPT = re.compile(
    r"id:(\S+) sub:(\d+) dlvrd:(\d+) submit date:(\d+) done date:(\d+) stat:(\w+) err:(\w+) text:(.*)", re.S | re.I
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            incoming("customers", ROUTE="operator") + outgoing("operator", at["operator"], ROUTE="customers") + user()
        )

    with Station(tmp_path_factory.mktemp("smpplib"), ["operator"], config) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


@pytest.fixture
def other(station):
    """A bound smpplib client; what it hears stands in `heard`."""
    client = smpplib_client.Client("127.0.0.1", station.gateway.port(), timeout=10, allow_unknown_opt_params=True)
    client.heard = []
    client.answered = []
    client.set_message_received_handler(lambda pdu: client.heard.append(pdu))  # noqa: PLW0108  it is called by name
    client.set_message_sent_handler(lambda pdu: client.answered.append(pdu))  # noqa: PLW0108
    client.connect()
    client.bind_transceiver(system_id="acme", password="secret")
    yield client
    if client.state != consts.SMPP_CLIENT_STATE_CLOSED:
        client.unbind()
        client.disconnect()


def read(client, heard, count=1):
    """Let it work until it has heard so much."""
    while len(heard) < count:
        client.read_once()


def send(client, text, coding=None, **fields):
    parts, data_coding, esm_class = gsm.make_parts(text) if coding is None else gsm.make_parts(text, coding)
    for part in parts:
        client.send_message(
            source_addr_ton=consts.SMPP_TON_ALNUM, source_addr="EMG", dest_addr_ton=consts.SMPP_TON_INTL,
            dest_addr_npi=consts.SMPP_NPI_ISDN, destination_addr="46701234567", short_message=part, data_coding=data_coding,
            esm_class=esm_class, registered_delivery=True, **fields,
        )  # fmt: skip
    return len(parts)


def test_s36_smpplib_submits_and_reads_the_receipt_that_we_send(station, other):
    operator = station.link()
    send(other, "hello from somebody else")
    operator.take("lib-1", short_message=b"hello from somebody else")
    read(other, other.answered)
    number = other.answered[0].message_id.decode()
    operator.receipt("lib-1")
    read(other, other.heard)
    receipt = other.heard[0]
    found = RECEIPT.match(receipt.short_message.decode())
    assert found is not None
    assert (found[1], found[2], found[3], found[6]) == (number, "001", "001", "DELIVRD")
    assert receipt.receipted_message_id.rstrip(b"\0").decode() == number
    assert receipt.message_state == consts.SMPP_MESSAGE_STATE_DELIVERED
    assert receipt.esm_class == 4


@pytest.mark.parametrize("text", ["x" * 200, "Ж" * 100, "€uro " * 40], ids=["gsm", "ucs2", "extension"])
def test_s45_smpplibs_long_messages_arrive_in_order_and_whole(station, other, text):
    operator = station.link()
    count = send(other, text)
    taken = operator.expect_many(SubmitSm, count)
    for pdu in taken:
        operator.answer(pdu, message_id="long")
    assert [pdu.short_message[:3] for pdu in taken] == [b"\x05\x00\x03"] * count
    assert [pdu.short_message[5] for pdu in taken] == list(range(1, count + 1))
    body = b"".join(pdu.short_message[6:] for pdu in taken)
    if taken[0].data_coding == 8:
        assert body.decode("utf-16-be") == text
    else:
        assert body == gsm.gsm_encode(text)


def test_s6_smpplib_is_told_of_a_wrong_password(station):
    client = smpplib_client.Client("127.0.0.1", station.gateway.port(), timeout=10, allow_unknown_opt_params=True)
    client.connect()
    with pytest.raises(exceptions.PDUError, match=r"(?i)password"):
        client.bind_transceiver(system_id="acme", password="wrong")
    client.disconnect()


def test_s14_smpplibs_enquire_link_is_answered(station, other):
    other.send_pdu(smpplib_client.smpp.make_pdu("enquire_link", client=other))
    assert other.read_pdu().command == "enquire_link_resp"


def test_s8_smpplib_gets_messages_of_operators(station, other):
    operator = station.link()
    assert operator.deliver(source_addr="46709", destination_addr="12345", short_message=b"to smpplib").status == 0
    read(other, other.heard)
    assert other.heard[0].short_message == b"to smpplib"
    assert other.heard[0].source_addr == b"46709"


def test_s24_smpplib_reads_vendor_parameters_of_operators(station, other):
    operator = station.link()
    answer = operator.deliver(source_addr="467", destination_addr="1", short_message=b"x", tlvs=((0x1400, b"\1\2"),))
    assert answer.status == 0
    read(other, other.heard)
    assert other.heard[0].short_message == b"x"


class LibraryOperator:
    """The operator's end of one session, all of whose PDUs smpplib reads and writes."""

    def __init__(self, sock):
        sock.settimeout(10)
        self.sock, _ = sock.accept()
        self.sock.settimeout(10)
        self.sequence = 0

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    def read(self):
        start = self.sock.recv(4, socket.MSG_WAITALL)
        rest = self.sock.recv(int.from_bytes(start, "big") - 4, socket.MSG_WAITALL)
        return smpp.parse_pdu(start + rest, client=self, allow_unknown_opt_params=True)

    def send(self, command, **fields):
        self.sock.sendall(smpp.make_pdu(command, client=self, **fields).generate())


def test_s31_smpplibs_pdus_are_read_by_us_as_esme(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        config = incoming(ROUTE="operator") + outgoing("operator", address) + user()
        with GatewayProcess(tmp_path, config) as gateway, Esme.bound(gateway.port()) as client:
            operator = LibraryOperator(listener)
            bind = operator.read()
            assert (bind.command, bind.system_id, bind.password) == ("bind_transceiver", b"emg", b"pw")
            operator.send("bind_transceiver_resp", sequence=bind.sequence, system_id="library")
            number = client.accepted(text=b"to the library", registered_delivery=1)
            submit = operator.read()
            assert (submit.command, submit.short_message) == ("submit_sm", b"to the library")
            operator.send("submit_sm_resp", sequence=submit.sequence, message_id="lib77")
            text = b"id:lib77 sub:001 dlvrd:001 submit date:2611231200 done date:2611231200 stat:DELIVRD err:000 text:"
            operator.send(
                "deliver_sm", source_addr="46701234567", destination_addr="EMG", short_message=text, esm_class=4
            )
            assert operator.read().command == "deliver_sm_resp"
            assert f"id:{number} ".encode() in client.report().short_message
            operator.sock.close()
