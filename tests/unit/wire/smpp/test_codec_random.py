"""Random PDUs of all kinds survive the wire, and no octets do anything but give a PDU or a refusal."""

import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emg.errors import RemoteProtocolError
from emg.wire.smpp.codec import PduError, decode, encode, fields
from emg.wire.smpp.fields import U8, CString, Kind, ShortMessage
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.lists import ListName, SmeAddress, UnsuccessSme
from emg.wire.smpp.names import RESPONSE, Tag
from emg.wire.smpp.pdus import BY_COMMAND, Pdu

OCTET = st.integers(0, 255)
WORD = st.integers(0, 0xFFFFFFFF)
TLV = st.tuples(st.sampled_from(list(Tag)) | st.integers(0, 0xFFFF), st.binary(max_size=40))
TLVS = st.lists(TLV, max_size=4).map(tuple)


def strings(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=size - 1)


LISTS: dict[str, st.SearchStrategy[Any]] = {
    "dest_address": st.lists(
        st.builds(SmeAddress, OCTET, OCTET, strings(21)) | st.builds(ListName, strings(21)), max_size=4
    ).map(tuple),
    "unsuccess_sme": st.lists(st.builds(UnsuccessSme, OCTET, OCTET, strings(21), WORD), max_size=4).map(tuple),
}


def values(name: str, kind: Kind) -> st.SearchStrategy[Any]:
    """What may stand in a field."""
    match kind:
        case U8():
            return OCTET
        case CString():
            return strings(kind.size)
        case ShortMessage():
            return st.binary(max_size=255)
        case _:
            return LISTS[name]


def pdus_of(pdu: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """PDUs of one class, all fields random."""
    body = {name: values(name, kind) for name, kind in fields(pdu).items()}
    if "tlvs" in pdu.__struct_fields__:
        body["tlvs"] = TLVS
    return st.builds(pdu, sequence=WORD, status=st.just(0) | WORD, **body)


ANY_PDU = st.sampled_from(list(BY_COMMAND.values())).flatmap(pdus_of)


@given(ANY_PDU)
def test_what_is_written_is_read_back(pdu: Pdu) -> None:
    assert decode(encode(pdu)) == pdu


@given(ANY_PDU)
def test_what_is_written_without_tlvs_is_the_same_without_them(pdu: Pdu) -> None:
    if any(tag == Tag.MESSAGE_PAYLOAD for tag, _ in getattr(pdu, "tlvs", ())):
        return
    plain = decode(encode(pdu, tlvs=False))
    assert getattr(plain, "tlvs", ()) == ()
    assert all(getattr(plain, name) == getattr(pdu, name) for name in pdu.__struct_fields__ if name != "tlvs")


@given(st.lists(ANY_PDU, max_size=4), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(sent: list[Pdu], data: st.DataObject) -> None:
    stream = b"".join(encode(pdu) for pdu in sent)
    framer = Framer()
    got: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += framer.feed(stream[:size])
        stream = stream[size:]
    assert [decode(frame) for frame in got] == sent


def understood(frame: bytes) -> Pdu | None:
    """The fuzz invariant: any frame is a PDU that can be written again as the same, or a refusal with its header's words."""
    refusal: PduError | None = None
    pdu: Pdu | None = None
    try:
        pdu = decode(frame)
    except PduError as error:
        refusal = error
    if pdu is None:
        assert refusal is not None
        assert (refusal.command_id, refusal.sequence) == struct.unpack_from(">4xI4xI", frame)
        assert refusal.status
        assert not refusal.fatal
        return None
    if all(
        len(getattr(pdu, name)) < kind.size for name, kind in fields(type(pdu)).items() if isinstance(kind, CString)
    ):
        assert decode(encode(pdu)) == pdu
    return pdu


@given(st.sampled_from(list(BY_COMMAND)) | WORD, WORD, WORD, st.binary(max_size=120))
@example(0x80000004, 0, 1, b"x" * 300)
@example(0x80000003, 0, 1, b"42\0" + b"1" * 300)
def test_any_frame_is_a_pdu_or_a_refusal(command: int, status: int, sequence: int, body: bytes) -> None:
    understood(struct.pack(">4I", 16 + len(body), command, status, sequence) + body)


@given(ANY_PDU, st.data())
def test_any_damaged_pdu_is_a_pdu_or_a_refusal(pdu: Pdu, data: st.DataObject) -> None:
    frame = bytearray(encode(pdu))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(4, len(frame) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                frame[at] = data.draw(OCTET)
            case "cut" if at >= 16:
                del frame[at:]
            case "insert" if at >= 16:
                frame[at:at] = data.draw(st.binary(max_size=30))
    frame[:4] = struct.pack(">I", len(frame))
    understood(bytes(frame))


@given(ANY_PDU.filter(lambda pdu: not pdu.command_id & RESPONSE), st.integers(0, 300))
def test_a_request_cut_short_is_never_read_as_another_text(pdu: Pdu, cut: int) -> None:
    """No truncated request loses part of its text and is taken all the same."""
    frame = encode(pdu)
    frame = frame[: max(16, len(frame) - cut)]
    got = understood(struct.pack(">I", len(frame)) + frame[4:])
    if got is not None and hasattr(pdu, "short_message"):
        assert got.short_message == pdu.short_message


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_stream_gives_frames_or_one_fatal_error(stream: bytes, size: int) -> None:
    framer = Framer(limit=100)
    for at in range(0, len(stream), size):
        try:
            frames = framer.feed(stream[at : at + size])
        except RemoteProtocolError:
            with pytest.raises(RemoteProtocolError):
                framer.feed(b"")
            return
        for frame in frames:
            assert 16 <= len(frame) <= 100
            understood(frame)
