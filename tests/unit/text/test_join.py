"""Parts back into one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.message import Encoding
from emg.text import udh
from emg.text.errors import HeaderError, PartsMissing, TextError
from emg.text.join import join, join_numbered, part_key
from emg.text.split import split, split_octets

PORTS = bytes.fromhex("0605040b8423f0")


def part(number, body, reference=0xCC, total=3, wide=False, other=b""):
    return udh.with_concatenation(other, udh.Concatenation(reference, total, number, wide)), body


def test_parts_in_any_order_with_one_twice():
    assert join([part(3, b"c"), part(1, b"a"), part(3, b"other"), part(2, b"b")]) == (b"", b"abc")


def test_missing_parts_are_named():
    with pytest.raises(PartsMissing) as caught:
        join([part(2, b"b"), part(2, b"b")])
    assert (caught.value.numbers, caught.value.total) == ((1, 3), 3)


@pytest.mark.parametrize(
    "stranger",
    [part(2, b"b", reference=0xCD), part(2, b"b", total=2), part(2, b"b", wide=True), (b"", b"b"), (PORTS, b"b")],
)
def test_parts_of_other_messages_are_refused(stranger):
    whole = [part(1, b"a"), part(2, b"b"), part(3, b"c")]
    with pytest.raises(TextError):
        join([*whole, stranger])
    with pytest.raises(TextError):
        join([stranger, *whole])


def test_nothing_to_join_is_refused():
    with pytest.raises(TextError):
        join([])


def test_a_message_that_is_no_part_comes_back_unchanged():
    assert join([(PORTS, b"abc")]) == (PORTS, b"abc")
    assert join([part(1, b"abc", total=1, other=PORTS)]) == (PORTS, b"abc")


def test_s47_a_lying_header_is_refused():
    with pytest.raises(HeaderError):
        join([(bytes.fromhex("060003cc0201"), b"a")])
    with pytest.raises(HeaderError):
        part_key(bytes.fromhex("060003cc0201"))


def test_s45_the_key_tells_references_totals_and_widths_apart():
    keys = [
        part_key(part(n, b"", reference, total, wide)[0])
        for reference in (1, 2)
        for total in (2, 3)
        for wide in (False, True)
        for n in (1, 2)
    ]
    assert len(set(keys)) == 8
    assert part_key(PORTS) is None
    assert part_key(b"") is None


def test_bodies_with_numbers_from_elsewhere():
    assert join_numbered([(2, b"b"), (1, b"a"), (2, b"x")], 2) == b"ab"
    for wrong in (0, 3):
        with pytest.raises(TextError):
            join_numbered([(1, b"a"), (wrong, b"b")], 2)


@given(
    data=st.data(),
    body=st.binary(max_size=1500),
    encoding=st.sampled_from(Encoding),
    header=st.sampled_from([b"", PORTS]),
    wide=st.booleans(),
)
def test_split_then_join_in_any_order_gives_the_message(data, body, encoding, header, wide):
    if encoding == Encoding.UCS2:
        body = body[: len(body) & ~1]
    parts = split(body, encoding, header, reference=data.draw(st.integers(0, 0xFFFF)), wide_reference=wide)
    assert join(data.draw(st.permutations(parts))) == (header, body)
    assert len({part_key(part_header) for part_header, _ in parts}) == 1
    segments = data.draw(st.permutations(split_octets(body, encoding, header)))
    assert join_numbered([(s.number, s.body) for s in segments], segments[0].total) == body
