"""What peers really send, by protocol case: octets that no specification shows, and what they must be read as."""

import struct
from collections.abc import Callable

import pytest

from emg.errors import LocalProtocolError, RemoteProtocolError
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import PduError, decode, encode, tlv
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.lists import SmeAddress
from emg.wire.smpp.names import CommandId, Status, Tag, Version

Check = Callable[..., None]

MESSAGE = pdus.SubmitSm(7, source_addr="ACME", destination_addr="46701234567", short_message=b"Hi")


def frame(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack(">4I", 16 + len(body), command, status, sequence) + body


def refusal(octets: bytes) -> PduError:
    with pytest.raises(PduError) as caught:
        decode(octets)
    assert not caught.value.fatal
    return caught.value


def test_s1_ten_pdus_in_one_segment_come_out_in_order() -> None:
    frames = [encode(pdus.SubmitSm(number, short_message=b"x" * number)) for number in range(1, 11)]
    assert Framer().feed(b"".join(frames)) == frames


def test_s1_an_octet_a_segment_gives_the_same_pdus() -> None:
    frames = [encode(pdus.SubmitSm(number, short_message=b"x" * number)) for number in range(1, 11)]
    framer = Framer()
    assert [got for octet in b"".join(frames) for got in framer.feed(bytes([octet]))] == frames


@pytest.mark.parametrize(
    "start",
    [b"\0\0\0\x0f", b"\0\0\0\0", b"HTTP", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\0\1\0\1"],
    ids=["15", "0", "http", "get", "tls", "limit"],
)
def test_s2_an_impossible_length_is_fatal_as_soon_as_it_is_there(start: bytes) -> None:
    framer = Framer()
    assert framer.feed(start[:3]) == []
    with pytest.raises(RemoteProtocolError) as caught:
        framer.feed(start[3:])
    assert caught.value.fatal
    assert caught.value.status == Status.RINVCMDLEN
    assert framer.sequence_of_bad == 0
    assert not framer._rest
    with pytest.raises(RemoteProtocolError):
        framer.feed(encode(MESSAGE))


def test_s2_the_sequence_is_known_where_the_rest_of_the_header_makes_sense() -> None:
    framer = Framer(limit=100)
    with pytest.raises(RemoteProtocolError):
        framer.feed(struct.pack(">4I", 101, CommandId.SUBMIT_SM, 0, 77))
    assert framer.sequence_of_bad == 77


def test_s2_what_came_whole_before_it_is_not_lost() -> None:
    framer = Framer()
    with pytest.raises(RemoteProtocolError):
        framer.feed(encode(MESSAGE) + b"HTTP")
    assert framer.frames_before_bad == [encode(MESSAGE)]


@pytest.mark.parametrize("command", [0x00000000, 0x0000000A, 0x00000022, 0x00010200, 0x80000015 ^ 0x40, 0xFFFFFFFF])
def test_s3_an_unknown_command_is_refused_with_its_sequence(command: int) -> None:
    error = refusal(frame(command, 0, 5, b"what"))
    assert (error.status, error.command_id, error.sequence) == (Status.RINVCMDID, command, 5)


@pytest.mark.parametrize("sequence", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_s8_sequence_numbers_of_all_sizes_are_kept(sequence: int, check_pdu: Check) -> None:
    check_pdu(frame(CommandId.ENQUIRE_LINK, 0, sequence), pdus.EnquireLink(sequence))


def test_s11_a_refusal_is_read_without_a_body_and_with_one(check_pdu: Check) -> None:
    refused = pdus.SubmitSmResp(7, Status.RTHROTTLED)
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, 0x58, 7), refused)
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, 0x58, 7, b"\0"), refused, canonical=False)
    with_id = pdus.SubmitSmResp(7, Status.RTHROTTLED, "42")
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, 0x58, 7, b"42\0"), with_id)


def test_s11_a_refusal_is_read_whatever_its_body_is() -> None:
    assert decode(frame(CommandId.SUBMIT_SM_RESP, 8, 7, b"x" * 500)) == pdus.SubmitSmResp(7, 8)
    assert decode(frame(CommandId.BIND_TRANSCEIVER_RESP, 14, 7, b"x" * 500)) == pdus.BindTransceiverResp(7, 14)


def test_s12_an_empty_message_id_is_an_answer(check_pdu: Check) -> None:
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, 0, 7, b"\0"), pdus.SubmitSmResp(7))
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, 0, 7), pdus.SubmitSmResp(7), canonical=False)


def test_s13_a_deliver_sm_resp_may_carry_more_than_it_should(check_pdu: Check) -> None:
    command = CommandId.DELIVER_SM_RESP
    check_pdu(frame(command, 0, 7), pdus.DeliverSmResp(7), canonical=False)
    check_pdu(frame(command, 0, 7, b"42\0"), pdus.DeliverSmResp(7, 0, "42"))
    check_pdu(frame(command, 0, 7, b"\0\0"), pdus.DeliverSmResp(7), canonical=False)
    check_pdu(frame(command, 0, 7, b"\0\x01"), pdus.DeliverSmResp(7), canonical=False)
    check_pdu(frame(command, 0, 7, b"4"), pdus.DeliverSmResp(7, 0, "4"), canonical=False)
    check_pdu(frame(command, 0, 7, b"\0\x04\x20\0\1\0"), pdus.DeliverSmResp(7, 0, "", ((0x0420, b"\0"),)))
    check_pdu(frame(command, 0, 7, b"\0\x04\x20\0\4\0"), pdus.DeliverSmResp(7), canonical=False)


@pytest.mark.parametrize("status", [34, 0x400, 0x4FF, 0xFFFFFFFF])
def test_s23_a_status_that_no_standard_knows_stays_a_number(status: int, check_pdu: Check) -> None:
    check_pdu(frame(CommandId.SUBMIT_SM_RESP, status, 7), pdus.SubmitSmResp(7, status))


@pytest.mark.parametrize("tag", [0x1400, 0x3FFF, 0x1454, 0x060D, 0x002B, 0x96EC, 0x0000, 0xFFFF])
def test_s24_unknown_tlvs_are_kept_in_order(tag: int, check_pdu: Check) -> None:
    tail = struct.pack(">HH3sHHHHH", tag, 3, b"one", tag, 0, 0x0204, 2, 1)
    message = pdus.SubmitSm(7, tlvs=((tag, b"one"), (tag, b""), (0x0204, b"\0\1")))
    check_pdu(frame(CommandId.SUBMIT_SM, 0, 7, bytes(17) + tail), message)


@pytest.mark.parametrize("tail", [b"\x04\x24\0\x03ab", b"\x04\x24\xff\xff", b"\x04\x24\0", b"\x04", b"\0\0\0\1"])
def test_s24_a_tlv_beyond_the_pdu_is_refused(tail: bytes) -> None:
    error = refusal(frame(CommandId.SUBMIT_SM, 0, 7, encode(MESSAGE)[16:] + tail))
    assert (error.status, error.command_id, error.sequence) == (Status.RINVTLVSTREAM, CommandId.SUBMIT_SM, 7)


@pytest.mark.parametrize("padding", [b"\0", b"\0\0", b"\0\0\0"])
def test_s24_nuls_behind_the_text_are_padding(padding: bytes, check_pdu: Check) -> None:
    check_pdu(frame(CommandId.SUBMIT_SM, 0, 7, encode(MESSAGE)[16:] + padding), MESSAGE, canonical=False)


@pytest.mark.parametrize(
    "pdu",
    [
        pdus.QuerySm(1, message_id="42"),
        pdus.CancelSm(2, message_id="42"),
        pdus.ReplaceSm(3, message_id="42", short_message=b"Hi"),
        pdus.SubmitMulti(4, dest_address=(SmeAddress(1, 1, "46701"),), short_message=b"Hi"),
        pdus.DataSm(5, tlvs=((Tag.MESSAGE_PAYLOAD, b"Hi"),)),
        pdus.Outbind(6, system_id="me"),
    ],
    ids=lambda pdu: type(pdu).__name__,
)
def test_s26_the_rarer_requests_are_read_as_what_they_are(pdu: pdus.Pdu, check_pdu: Check) -> None:
    check_pdu(encode(pdu), pdu)


@pytest.mark.parametrize("version", [Version.V33, Version.V34, Version.V50])
def test_s27_binds_of_all_versions_are_read(version: Version, check_pdu: Check) -> None:
    body = b"customer\0secret\0\0" + bytes([version]) + b"\0\0\0"
    bind = pdus.BindTransmitter(1, 0, "customer", "secret", "", version)
    check_pdu(frame(CommandId.BIND_TRANSMITTER, 0, 1, body), bind)


def test_s27_a_peer_below_3_4_gets_no_tlvs() -> None:
    answer = pdus.BindTransmitterResp(1, 0, "EMG", ((Tag.SC_INTERFACE_VERSION, b"\x34"),))
    assert encode(answer, tlvs=False) == encode(pdus.BindTransmitterResp(1, 0, "EMG"))
    receipt = pdus.DeliverSm(1, short_message=b"id:1", tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"1\0"),))
    assert decode(encode(receipt, tlvs=False)) == pdus.DeliverSm(1, short_message=b"id:1")


def test_s27_text_is_never_left_out_with_the_tlvs() -> None:
    with pytest.raises(LocalProtocolError, match="message_payload"):
        encode(pdus.SubmitSm(1, tlvs=((Tag.MESSAGE_PAYLOAD, b"a long text"),)), tlvs=False)


def test_s35_network_error_code_keeps_its_three_octets(check_pdu: Check) -> None:
    receipt = pdus.DeliverSm(1, tlvs=((Tag.NETWORK_ERROR_CODE, b"\x03\x00\x21"),))
    check_pdu(encode(receipt), receipt)
    assert tlv(receipt.tlvs, Tag.NETWORK_ERROR_CODE) == b"\x03\x00\x21"


def test_s51_an_address_that_is_too_long_names_its_field() -> None:
    good = encode(pdus.SubmitSm(7, source_addr="1" * 20, destination_addr="2" * 20))[16:]
    assert refusal(frame(4, 0, 7, good.replace(b"1" * 20, b"1" * 21))).status == Status.RINVSRCADR
    assert refusal(frame(4, 0, 7, good.replace(b"2" * 20, b"2" * 21))).status == Status.RINVDSTADR


def test_a_text_longer_than_the_pdu_is_refused() -> None:
    octets = bytearray(encode(MESSAGE))
    octets[-3] = 3
    assert refusal(bytes(octets)).status == Status.RINVMSGLEN


def test_provider_ids_longer_than_the_standard_are_read() -> None:
    for size in (65, 100, 255):
        assert decode(frame(CommandId.SUBMIT_SM_RESP, 0, 7, b"a" * size + b"\0")).message_id == "a" * size
    assert refusal(frame(CommandId.SUBMIT_SM_RESP, 0, 7, b"a" * 256 + b"\0")).status == Status.RINVMSGID


def test_an_at_sign_inside_the_text_survives(check_pdu: Check) -> None:
    message = pdus.SubmitSm(7, short_message=b"\0a\0")
    check_pdu(encode(message), message)
