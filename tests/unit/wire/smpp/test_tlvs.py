"""Optional parameters: found by tag, read with tolerance, written with the size that the standard gives them."""

import pytest

from emg.errors import LocalProtocolError
from emg.wire.smpp.names import Status, Tag
from emg.wire.smpp.tlvs import TLV_FORMS, make_tlv, tlv, tlv_fault, tlv_int, tlv_text

TLVS = (
    (int(Tag.USER_MESSAGE_REFERENCE), b"\x12\x34"),
    (int(Tag.RECEIPTED_MESSAGE_ID), b"1a2b\0"),
    (int(Tag.MESSAGE_STATE), b"\x02"),
    (int(Tag.MESSAGE_STATE), b"\x05"),
    (0x1454, b""),
)


def test_the_first_of_a_tag_is_found() -> None:
    assert tlv(TLVS, Tag.MESSAGE_STATE) == b"\x02"
    assert tlv(TLVS, 0x1454) == b""
    assert tlv(TLVS, Tag.SOURCE_PORT) is None
    assert tlv((), Tag.SOURCE_PORT) is None


def test_numbers_are_read_in_whatever_size_they_come() -> None:
    assert tlv_int(TLVS, Tag.USER_MESSAGE_REFERENCE) == 0x1234
    assert tlv_int(((5, b"\0\0\0\7"),), 5) == 7
    assert tlv_int(((5, b"\0\0\0\0\7"),), 5) is None
    assert tlv_int(((5, b""),), 5) is None
    assert tlv_int((), 5) is None


@pytest.mark.parametrize("octets", [b"1a2b\0", b"1a2b", b"1a2b\0\0", b"1a2b\0rest"])
def test_strings_are_read_with_and_without_their_nul(octets: bytes) -> None:
    assert tlv_text(((Tag.RECEIPTED_MESSAGE_ID, octets),), Tag.RECEIPTED_MESSAGE_ID) == "1a2b"
    assert tlv_text((), Tag.RECEIPTED_MESSAGE_ID) is None


def test_values_are_written_in_their_form() -> None:
    assert make_tlv(Tag.MESSAGE_STATE, 2) == (0x0427, b"\x02")
    assert make_tlv(Tag.USER_MESSAGE_REFERENCE, 2) == (0x0204, b"\0\x02")
    assert make_tlv(Tag.QOS_TIME_TO_LIVE, 2) == (0x0017, b"\0\0\0\x02")
    assert make_tlv(Tag.RECEIPTED_MESSAGE_ID, "42") == (0x001E, b"42\0")
    assert make_tlv(0x1454, b"any") == (0x1454, b"any")


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.MESSAGE_STATE, 256),
        (Tag.MESSAGE_STATE, -1),
        (Tag.MESSAGE_STATE, "2"),
        (Tag.RECEIPTED_MESSAGE_ID, "x" * 65),
        (Tag.RECEIPTED_MESSAGE_ID, "€"),
        (Tag.RECEIPTED_MESSAGE_ID, 42),
        (0x1454, 1),
    ],
)
def test_values_that_do_not_fit_are_not_written(tag: int, value: int | str) -> None:
    with pytest.raises(LocalProtocolError):
        make_tlv(tag, value)


def test_what_is_made_is_what_is_read() -> None:
    for tag, form in TLV_FORMS.items():
        if form.kind is int:
            assert tlv_int((make_tlv(tag, 7),), tag) == 7
        if form.kind is str:
            assert tlv_text((make_tlv(tag, "network"),), tag) == "network"


def test_a_wrong_size_can_be_found() -> None:
    assert tlv_fault(TLVS) == Status.ROK
    assert tlv_fault((*TLVS, (Tag.SOURCE_PORT, b"\1"))) == Status.RINVTLVLEN
    assert tlv_fault(((Tag.NETWORK_ERROR_CODE, b"\3\0\0\0"),)) == Status.RINVPARLEN
