"""The user data header."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.text import udh
from emg.text.errors import HeaderError
from emg.text.udh import Concatenation, Element, Ports

PORTS_AND_CONCATENATION = bytes.fromhex("0b 05040b8423f0 0003cc0201")  # 16-bit ports 2948/9200, part 1 of 2 of 0xCC

elements = st.lists(st.builds(Element, st.integers(0, 255), st.binary(max_size=20)), max_size=5)


def test_s47_several_elements_are_read_in_their_order():
    assert udh.elements(PORTS_AND_CONCATENATION) == [
        Element(udh.ElementId.PORTS_16, bytes.fromhex("0b8423f0")),
        Element(udh.ElementId.CONCATENATION_8, bytes.fromhex("cc0201")),
    ]
    assert udh.ports(PORTS_AND_CONCATENATION) == Ports(2948, 9200)
    assert udh.concatenation(PORTS_AND_CONCATENATION) == Concatenation(0xCC, 2, 1)


def test_s47_unknown_elements_are_kept():
    header = bytes.fromhex("08 7f03010203 c00155")
    assert udh.elements(header) == [Element(0x7F, b"\x01\x02\x03"), Element(0xC0, b"\x55")]
    assert udh.concatenation(header) is None
    assert udh.ports(header) is None
    assert udh.build(udh.elements(header)) == header


LIES = [
    "04 0003cc02",  # element of 3 octets, 2 left
    "01 00",  # no room for the length
    "06 0003cc020108",  # something behind, without a length
    "05 0004cc0201",
    "05 00ffcc0201",
    "06 0003cc0201",  # header says more than there is
    "04 0003cc0201",  # and less
    "07 0804cc010201",
    "0b 05040b8423f0 0004cc0201",
]


@pytest.mark.parametrize("digits", LIES)
def test_s47_lying_lengths_are_a_typed_error_everywhere(digits):
    header = bytes.fromhex(digits)
    for read in (udh.elements, udh.concatenation, udh.ports, udh.without_concatenation):
        with pytest.raises(HeaderError):
            read(header)
    with pytest.raises(HeaderError):
        udh.with_concatenation(header, Concatenation(1, 2, 1))


@given(st.binary(max_size=30))
def test_s47_any_octets_are_read_or_refused(octets):
    for read in (udh.elements, udh.concatenation, udh.ports, udh.without_concatenation, udh.cut):
        with suppress(HeaderError):
            read(octets)


@given(elements)
def test_build_then_elements(found):
    assert udh.elements(udh.build(found)) == found


def test_no_elements_is_no_header():
    assert udh.build([]) == b""
    assert udh.elements(b"") == []
    assert udh.concatenation(b"") is None
    assert udh.ports(b"") is None
    assert udh.without_concatenation(b"") == b""


def test_a_header_that_no_short_message_holds_is_refused():
    assert len(udh.build([Element(0x70, bytes(137))])) == 140
    for too_much in ([Element(0x70, bytes(138))], [Element(0x70, bytes(300))], [Element(0x70, bytes(70))] * 2):
        with pytest.raises(HeaderError):
            udh.build(too_much)


def test_cut_parts_header_and_body():
    assert udh.cut(b"\x05\x00\x03\xcc\x02\x01text") == (b"\x05\x00\x03\xcc\x02\x01", b"text")
    assert udh.cut(b"\x00text") == (b"\x00", b"text")
    assert udh.cut(b"\x01a") == (b"\x01a", b"")
    for short in (b"", b"\x05", b"\x05\x00\x03\xcc\x02"):
        with pytest.raises(HeaderError):
            udh.cut(short)


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("05 0003cc0201", Concatenation(0xCC, 2, 1, False)),
        ("05 000300ffff", Concatenation(0, 255, 255, False)),
        ("06 0804cc010201", Concatenation(0xCC01, 2, 1, True)),
        ("05 0003cc0101", Concatenation(0xCC, 1, 1, False)),
        ("05 0003cc0203", None),  # number beyond the total
        ("05 0003cc0200", None),
        ("05 0003cc0000", None),
        ("06 0804cc010203", None),
        ("04 0002cc02", None),  # wrong length
        ("05 0103cc0201", None),  # another element
        ("0a 0003aa0201 0003bb0302", Concatenation(0xBB, 3, 2, False)),  # of two the last counts
        ("0a 0003aa0201 0003bb0300", Concatenation(0xAA, 2, 1, False)),  # that is not void
        ("0b 0804aa010201 c003000000", Concatenation(0xAA01, 2, 1, True)),
    ],
)
def test_s45_both_kinds_of_concatenation_are_read(digits, expected):
    assert udh.concatenation(bytes.fromhex(digits)) == expected


def test_a_concatenation_is_put_in_front_and_taken_out_again():
    ports_only = udh.build([udh.ports_element(Ports(2948, 9200))])
    part = Concatenation(0x1234, 3, 2, True)
    header = udh.with_concatenation(ports_only, part)
    assert header.hex() == "0c" + "080412340302" + "05040b8423f0"
    assert udh.without_concatenation(header) == ports_only
    assert udh.with_concatenation(b"", Concatenation(0xCC, 2, 1)).hex() == "050003cc0201"
    assert udh.without_concatenation(bytes.fromhex("050003cc0201")) == b""
    assert udh.without_concatenation(bytes.fromhex("060804cc010201")) == b""


def test_a_concatenation_takes_the_place_of_an_old_one():
    header = udh.with_concatenation(PORTS_AND_CONCATENATION, Concatenation(7, 4, 3))
    assert udh.concatenation(header) == Concatenation(7, 4, 3)
    assert len(udh.elements(header)) == 2
    assert udh.ports(header) == Ports(2948, 9200)


@pytest.mark.parametrize("pair", [Ports(0, 65535), Ports(200, 255, False)])
def test_ports_of_both_widths(pair):
    assert udh.ports(udh.build([udh.ports_element(pair)])) == pair
