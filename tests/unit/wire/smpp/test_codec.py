"""The SMPP codec is strict where a peer can be told and where we write; walked over all fields of all PDUs."""

import struct
from typing import Any

import pytest

from emg.errors import LocalProtocolError
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import PduError, decode, encode, fields
from emg.wire.smpp.fields import U8, CString, ShortMessage
from emg.wire.smpp.lists import ListName, SmeAddress, UnsuccessSme
from emg.wire.smpp.names import RESPONSE, Status
from emg.wire.smpp.pdus import BY_COMMAND, Pdu

STRINGS = [
    pytest.param(pdu, name, kind, id=f"{pdu.__name__}.{name}")
    for pdu in BY_COMMAND.values()
    for name, kind in fields(pdu).items()
    if isinstance(kind, CString)
]
REQUEST_STRINGS = [case for case in STRINGS if not case.values[0].command_id & RESPONSE]
OCTETS = [
    pytest.param(pdu, name, id=f"{pdu.__name__}.{name}")
    for pdu in BY_COMMAND.values()
    for name, kind in fields(pdu).items()
    if isinstance(kind, U8)
]


def reframed(frame: bytes) -> bytes:
    """The frame with the length that it has now."""
    return struct.pack(">I", len(frame)) + frame[4:]


def mark(pdu: type[Pdu], name: str, value: str) -> tuple[bytes, int]:
    """A frame with `value` in one field, and the place where that starts."""
    frame = encode(pdu(9, 0, **{name: value}))
    return frame, frame.index(value.encode())


@pytest.mark.parametrize(("pdu", "name", "kind"), STRINGS)
def test_a_string_may_fill_its_field(pdu: type[Pdu], name: str, kind: CString) -> None:
    longest = pdu(9, 0, **{name: "\xe5" * (kind.size - 1)})
    assert decode(encode(longest)) == longest


@pytest.mark.parametrize(("pdu", "name", "kind"), STRINGS)
@pytest.mark.parametrize("extra", ["size", "NUL", "character"])
def test_a_string_that_does_not_fit_is_not_written(pdu: type[Pdu], name: str, kind: CString, extra: str) -> None:
    value = {"size": "x" * kind.size, "NUL": "a\0b", "character": "€"}[extra]
    with pytest.raises(LocalProtocolError) as caught:
        encode(pdu(9, 0, **{name: value}))
    assert value not in str(caught.value)


@pytest.mark.parametrize(("pdu", "name", "kind"), REQUEST_STRINGS)
def test_a_string_that_is_too_long_is_refused_with_its_status(pdu: type[Pdu], name: str, kind: CString) -> None:
    frame, at = mark(pdu, name, "abc")
    longer = reframed(frame[:at] + b"x" * (kind.size - 3) + frame[at:])
    with pytest.raises(PduError) as caught:
        decode(longer)
    assert (caught.value.status, caught.value.command_id, caught.value.sequence) == (kind.status, pdu.command_id, 9)
    assert not caught.value.fatal


@pytest.mark.parametrize(("pdu", "name", "kind"), REQUEST_STRINGS)
def test_a_string_without_its_end_is_refused_with_its_status(pdu: type[Pdu], name: str, kind: CString) -> None:
    frame, at = mark(pdu, name, "abc")
    with pytest.raises(PduError) as caught:
        decode(reframed(frame[: at + 3]))
    assert (caught.value.status, caught.value.command_id, caught.value.sequence) == (kind.status, pdu.command_id, 9)


@pytest.mark.parametrize("pdu", BY_COMMAND.values(), ids=lambda pdu: pdu.__name__)
def test_a_request_that_ends_too_soon_is_refused_and_a_response_read(pdu: type[Pdu]) -> None:
    frame = encode(pdu(9))
    for end in range(16, len(frame)):
        if pdu.command_id & RESPONSE:
            assert decode(reframed(frame[:end])) == pdu(9)
            continue
        with pytest.raises(PduError) as caught:
            decode(reframed(frame[:end]))
        assert caught.value.status == Status.RINVCMDLEN


@pytest.mark.parametrize("value", [-1, 256, 0x110000])
@pytest.mark.parametrize(("pdu", "name"), OCTETS)
def test_a_number_that_does_not_fit_is_not_written(pdu: type[Pdu], name: str, value: int) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdu(9, 0, **{name: value}))


@pytest.mark.parametrize("header", [{"sequence": -1}, {"sequence": 1 << 32}, {"status": -1}, {"status": 1 << 32}])
def test_a_header_that_does_not_fit_is_not_written(header: dict[str, int]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdus.SubmitSmResp(**header))


@pytest.mark.parametrize("tlvs", [((-1, b""),), ((65536, b""),), ((1, b"x" * 65536),)])
def test_a_tlv_that_does_not_fit_is_not_written(tlvs: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdus.SubmitSm(1, tlvs=tlvs))


@pytest.mark.parametrize("size", [140, 254, 255])
def test_a_text_may_have_255_octets(size: int) -> None:
    message = pdus.SubmitSm(1, short_message=b"x" * size)
    assert decode(encode(message)) == message


def test_a_text_of_256_octets_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdus.SubmitSm(1, short_message=b"x" * 256))


@pytest.mark.parametrize(
    "pdu",
    [
        pdus.SubmitMulti(1, dest_address=(SmeAddress(),) * 256),
        pdus.SubmitMulti(1, dest_address=(SmeAddress(address="1" * 21),)),
        pdus.SubmitMulti(1, dest_address=(SmeAddress(ton=256),)),
        pdus.SubmitMulti(1, dest_address=(ListName("a\0b"),)),
        pdus.SubmitMultiResp(1, unsuccess_sme=(UnsuccessSme(status=1 << 32),)),
        pdus.SubmitMultiResp(1, unsuccess_sme=(UnsuccessSme(npi=-1),)),
    ],
)
def test_a_list_that_does_not_fit_is_not_written(pdu: Pdu) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdu)


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (b"\3", Status.RINVDESTFLAG),
        (b"\1\1\1" + b"1" * 21 + b"\0", Status.RINVDSTADR),
        (b"\2" + b"x" * 21 + b"\0", Status.RINVDLNAME),
        (b"\1\1", Status.RINVCMDLEN),
        (b"", Status.RINVCMDLEN),
    ],
)
def test_a_destination_that_is_wrong_is_refused_with_its_status(entry: bytes, status: Status) -> None:
    body = b"\0\1\1\0\1" + entry
    with pytest.raises(PduError) as caught:
        decode(struct.pack(">4I", 16 + len(body), pdus.SubmitMulti.command_id, 0, 9) + body)
    assert (caught.value.status, caught.value.sequence) == (status, 9)


@pytest.mark.parametrize("frame", [b"", b"\0\0\0\x0f", bytes(15), struct.pack(">4I", 17, 0x15, 0, 1)])
def test_what_is_no_whole_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(PduError) as caught:
        decode(frame)
    assert caught.value.status == Status.RINVCMDLEN


def test_octets_behind_a_pdu_without_parameters_are_ignored() -> None:
    assert decode(struct.pack(">4I", 19, 0x15, 0, 1) + b"abc") == pdus.EnquireLink(1)


def test_an_error_response_is_a_header_alone_unless_it_says_more() -> None:
    assert len(encode(pdus.SubmitMultiResp(1, 8))) == 16
    assert len(encode(pdus.SubmitSmResp(1, 8))) == 16
    assert len(encode(pdus.SubmitSmResp(1, 0))) == 17
    assert len(encode(pdus.DataSmResp(1, 8, tlvs=((0x0425, b"\0"),)))) == 22


def test_any_field_can_be_given_by_name() -> None:
    values: dict[str, Any] = {name: 1 for name, kind in fields(pdus.SubmitSm).items() if isinstance(kind, U8)}
    values |= {name: "1" for name, kind in fields(pdus.SubmitSm).items() if isinstance(kind, CString)}
    values |= {name: b"1" for name, kind in fields(pdus.SubmitSm).items() if isinstance(kind, ShortMessage)}
    assert decode(encode(pdus.SubmitSm(1, **values))) == pdus.SubmitSm(1, **values)
