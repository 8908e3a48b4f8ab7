"""What real gateways got wrong about what they do not know, the rarer operations and versions (S23–S27), on the running gateway."""

import struct

import msgspec
import pytest

from emg.engine.events import Ended, Tried
from emg.message import State
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import encode, tlv
from emg.wire.smpp.lists import ListName, SmeAddress
from emg.wire.smpp.names import MessageState, Status, Tag
from emg.wire.smpp.pdus import DeliverSm, SubmitSm
from tests.gateways import incoming, message, outgoing, routes, user
from tests.integration.station import Station


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\n"
            + incoming("customers")
            + incoming("modern", INTERFACEVERSION=50)
            + outgoing("operator", at["operator"], ROUTE="customers")
            + outgoing("fragile", at["fragile"])
            + user()
            + user("narrow")
        )

    files = {"routes.csv": routes("46,,,operator,,,", "47,,,fragile,,,")}
    with Station(tmp_path_factory.mktemp("operations"), ["operator", "fragile"], config, files) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def mobile(text=b"hello", **fields):
    return DeliverSm(
        source_addr="46709999999", source_addr_ton=1, destination_addr="12345", short_message=text, **fields
    )


# -- what is unknown


@pytest.mark.parametrize("status", [34, 0x3FF, 0x400, 0x4FF, 0x45B, 0x12345678])
def test_s23_an_unknown_status_is_kept_as_a_number_and_the_session_lives(station, status):
    client, operator = station.client(), station.link()
    number = client.accepted("46701", validity_period="000000000003000R")
    pdu = operator.expect(SubmitSm)
    operator.answer(pdu, status)
    assert station.gateway.wait_for_event(Tried, number).status == status
    operator.fence()
    assert client.request(pdus.CancelSm(message_id=number, source_addr="EMG", destination_addr="46701")).status == 0


@pytest.mark.parametrize("tag", [0x1400, 0x1454, 0x3FFF, 0x060D, 0x002B, 0x96EC], ids=hex)
def test_s24_an_unknown_parameter_is_passed_on(station, tag):
    client, operator = station.client(), station.link()
    client.accepted(tlvs=((tag, b"\x01\x02"),))
    assert tlv(operator.take("s24").tlvs, tag) == b"\x01\x02"
    assert (
        operator.deliver(source_addr="4670", destination_addr="1", short_message=b"x", tlvs=((tag, b"\x03"),)).status
        == 0
    )
    assert tlv(client.report().tlvs, tag) == b"\x03"


@pytest.mark.parametrize("tail", [b"\x14", b"\x14\x00\x00", b"\x14\x00\x00\x09x", b"\x04\x24\xff\xff"])
def test_s24_a_parameter_beyond_the_pdu_is_refused_and_the_session_lives(station, tail):
    for peer, pdu in ((station.client(), message(sequence=24)), (station.link(), mobile(sequence=24))):
        frame = encode(pdu)
        peer.send_raw(struct.pack(">I", len(frame) + len(tail)) + frame[4:] + tail)
        answer = peer.answer_to(24)
        assert answer.status in (Status.RINVOPTPARSTREAM, Status.RINVOPTPARAMVAL, Status.RINVPARLEN)
        peer.fence()


# -- the other operations


def test_s26_query_tells_the_state_of_ones_own_messages(station):
    client, operator = station.client(), station.link()
    number = client.accepted()
    pdu = operator.expect(SubmitSm)
    answer = client.request(pdus.QuerySm(message_id=number, source_addr="EMG", source_addr_ton=5))
    assert (answer.status, answer.message_id, answer.message_state) == (0, number, MessageState.ENROUTE)
    operator.answer(pdu, int(Status.RINVDSTADR))
    station.gateway.wait_for_event(Ended, number)
    answer = client.request(pdus.QuerySm(message_id=number, source_addr="EMG", source_addr_ton=5))
    assert (answer.message_state, answer.error_code) == (MessageState.UNDELIVERABLE, 11)
    assert len(answer.final_date) == 16
    other = station.client("narrow")
    assert other.request(pdus.QuerySm(message_id=number, source_addr="EMG")).status == Status.RQUERYFAIL
    assert client.request(pdus.QuerySm(message_id="nonsense")).status in (Status.RINVMSGID, Status.RQUERYFAIL)


def test_s26_cancel_takes_back_what_waits_and_nothing_else(station):
    client, operator = station.client(), station.link()
    number = client.accepted(registered_delivery=1, schedule_delivery_time="000001000000000R")
    cancel = pdus.CancelSm(message_id=number, source_addr="EMG", destination_addr="46701234567")
    for field, wrong in (("source_addr", "XYZ"), ("destination_addr", "46701234568")):
        assert client.request(msgspec.structs.replace(cancel, **{field: wrong})).status == Status.RCANCELFAIL
    assert client.request(cancel).status == 0
    assert b"stat:DELETED" in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.DELETED
    cancel.sequence = 0
    assert client.request(cancel).status == Status.RCANCELFAIL
    sent = client.accepted()
    operator.take("s26")
    assert client.request(pdus.CancelSm(message_id=sent, source_addr="EMG")).status == Status.RCANCELFAIL


def test_s26_cancel_without_an_id_takes_back_all_between_two_addresses_also_what_is_on_disk(station):
    client, scheduled = station.client(), {"schedule_delivery_time": "000001000000000R"}
    mine = [client.accepted("46709", **scheduled) for _ in range(3)]
    others = [client.accepted("46708", **scheduled), station.client("narrow").accepted("46709", **scheduled)]
    station.gateway.control("POST", "/connectors/operator/hold")
    mine += [client.accepted("46709") for _ in range(3)]
    cancel = pdus.CancelSm(source_addr="EMG", destination_addr="46709")
    assert client.request(msgspec.structs.replace(cancel, source_addr="XYZ")).status == Status.RCANCELFAIL
    assert client.request(cancel).status == 0
    assert [station.gateway.wait_for_event(Ended, number).state for number in mine] == [State.DELETED] * 6
    assert client.request(msgspec.structs.replace(cancel, sequence=0)).status == Status.RCANCELFAIL
    assert [station.gateway.control("GET", f"/messages/{number}")["state"] for number in others] == ["queued"] * 2
    for number in others:
        station.gateway.control("POST", f"/messages/{number}/cancel")
    station.gateway.control("POST", "/connectors/operator/release")


def test_s26_a_long_message_is_cancelled_whole_by_the_id_that_its_sender_knows(station):
    client = station.client()
    station.gateway.control("POST", "/connectors/operator/hold")
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"long " * 100),)
    number = client.accepted("46701", b"", tlvs=payload, registered_delivery=1)
    assert client.request(pdus.CancelSm(message_id=number, source_addr="EMG")).status == 0
    assert b"stat:DELETED" in client.report().short_message
    assert station.gateway.control("GET", "/queues/operator")["size"] == 0
    station.gateway.control("POST", "/connectors/operator/release")


def test_s26_a_scheduled_message_can_be_replaced_and_scheduled_anew(station):
    client, operator = station.client(), station.link()
    number = client.accepted("46701", b"before", schedule_delivery_time="000001000000000R")
    replace = pdus.ReplaceSm(message_id=number, source_addr="EMG", short_message=b"after", registered_delivery=1)
    assert client.request(replace).status == 0
    past = msgspec.structs.replace(replace, sequence=0, schedule_delivery_time="200101000000000+")
    assert client.request(past).status == Status.RINVSCHED
    soon = msgspec.structs.replace(replace, sequence=0, schedule_delivery_time="000000000001000R")
    assert client.request(soon).status == 0
    pdu = operator.take("s26")
    assert (pdu.destination_addr, pdu.short_message, pdu.registered_delivery) == ("46701", b"after", 1)


def test_s26_replace_changes_the_text_of_what_waits(station):
    client, link = station.client(), station.link("fragile")
    in_flight = client.accepted("47701")
    pdu = link.expect(SubmitSm)
    station.gateway.control("POST", "/connectors/fragile/hold")
    waiting = client.accepted("47702", b"before")
    assert client.request(pdus.ReplaceSm(message_id=waiting, source_addr="EMG", short_message=b"after")).status == 0
    late = pdus.ReplaceSm(message_id=in_flight, source_addr="EMG", short_message=b"x")
    assert client.request(late).status == Status.RREPLACEFAIL
    link.answer(pdu, message_id="s26")
    station.gateway.control("POST", "/connectors/fragile/release")
    assert link.take("s26").short_message == b"after"


def test_s26_submit_multi_reaches_each_destination_and_names_the_refused(station):
    client, operator = station.client(), station.link()
    several = (SmeAddress(1, 1, "46701"), SmeAddress(1, 1, "99999"), SmeAddress(1, 1, "46702"))
    answer = client.request(
        pdus.SubmitMulti(source_addr="EMG", source_addr_ton=5, dest_address=several, short_message=b"all")
    )
    assert answer.status == 0
    assert int(answer.message_id) > 0
    assert [(refused.address, refused.status) for refused in answer.unsuccess_sme] == [
        ("99999", int(Status.RINVDSTADR))
    ]
    assert [operator.take("s26").destination_addr for _ in range(2)] == ["46701", "46702"]


def test_s26_each_refused_destination_of_a_submit_multi_is_counted(station):
    def refused():
        return station.gateway.control("GET", "/connectors/customers")["counters"]["refused"]

    before = refused()
    several = tuple(SmeAddress(1, 1, address) for address in ("99999", "46701", "98888"))
    station.client().request(pdus.SubmitMulti(source_addr="EMG", dest_address=several, short_message=b"some"))
    station.link().take("s26")
    assert refused() == before + 2


def test_s26_a_distribution_list_is_refused_and_the_session_lives(station):
    client = station.client()
    answer = client.request(pdus.SubmitMulti(dest_address=(ListName("friends"),), short_message=b"x"))
    assert answer.status == Status.RINVDLNAME
    assert client.request(pdus.SubmitMulti(dest_address=(), short_message=b"x")).status == Status.RINVNUMDESTS
    client.fence()


def test_s26_data_sm_is_a_message(station):
    client, operator = station.client(), station.link()
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"by data_sm"),)
    answer = client.request(pdus.DataSm(source_addr="EMG", source_addr_ton=5, destination_addr="46701", tlvs=payload))
    assert answer.status == 0
    assert int(answer.message_id) > 0
    operator.take("s26", short_message=b"by data_sm")


@pytest.mark.parametrize(
    "pdu",
    [pdus.Outbind(system_id="x"), DeliverSm(destination_addr="1"), pdus.AlertNotification(), pdus.BroadcastSm()],
    ids=lambda pdu: type(pdu).__name__,
)
def test_s26_what_a_customer_may_not_ask_gets_an_answer_and_the_session_lives(station, pdu):
    client = station.client()
    pdu.sequence = 26
    client.send(pdu)
    client.fence()
    if client.inbox:
        (answer,) = client.inbox
        assert answer.status in (Status.RINVCMDID, Status.RINVBNDSTS)
        client.inbox.clear()


# -- versions


@pytest.mark.parametrize(("asked", "told"), [(0x33, 0x33), (0x34, 0x34), (0x50, 0x34)], ids=["3.3", "3.4", "5.0"])
def test_s27_the_version_is_told_and_parameters_go_to_3_4_and_later_alone(station, asked, told):
    kind = "rx" if asked == 0x33 else "trx"
    visitor, operator = station.visitor(), station.link()
    answer = visitor.bind(kind=kind, version=asked)
    assert answer.status == 0
    assert tlv(answer.tlvs, Tag.SC_INTERFACE_VERSION) == (bytes([told]) if asked >= 0x34 else None)
    sender = visitor if kind == "trx" else station.client(kind="tx", version=asked)
    number = sender.accepted(registered_delivery=1)
    operator.take("s27")
    assert operator.receipt("s27").status == 0
    report = visitor.report()
    assert f"id:{number} ".encode() in report.short_message
    assert bool(report.tlvs) == (asked >= 0x34)


def test_s27_interfaceversion_is_the_highest_that_is_spoken(station):
    for connector, asked, told in (("modern", 0x50, 0x50), ("modern", 0x34, 0x34), ("customers", 0x50, 0x34)):
        answer = station.visitor(connector).bind(version=asked)
        assert tlv(answer.tlvs, Tag.SC_INTERFACE_VERSION) == bytes([told])


@pytest.mark.parametrize(
    ("version", "words"), [(0x50, b"no route\0"), (0x34, None), (0x33, None)], ids=["5.0", "3.4", "3.3"]
)
def test_s27_a_refusal_is_told_in_words_where_the_version_has_room_for_them(station, version, words):
    visitor = station.visitor("modern")
    assert visitor.bind(kind="tx", version=version).status == 0
    to = {"source_addr": "EMG", "source_addr_ton": 5, "destination_addr": "99999"}
    requests = [
        pdus.SubmitSm(**to, short_message=b"x"),
        pdus.SubmitMulti(source_addr="EMG", dest_address=(SmeAddress(1, 1, "99999"),), short_message=b"x"),
        pdus.DataSm(**to, tlvs=((int(Tag.MESSAGE_PAYLOAD), b"x"),)),
    ]
    for request in requests if version > 0x33 else requests[:2]:
        answer = visitor.request(request)
        assert answer.status == Status.RINVDSTADR
        assert tlv(answer.tlvs, Tag.ADDITIONAL_STATUS_INFO_TEXT) == words
