"""Long messages into parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.errors import Cause
from emg.message import Encoding
from emg.text import coding, gsm7, udh
from emg.text.errors import HeaderError, Malformed, TextError, TooManyParts
from emg.text.split import Segment, capacity, count_parts, split, split_octets

GSM7, UCS2, BINARY = Encoding.GSM7, Encoding.UCS2, Encoding.BINARY
PORTS = bytes.fromhex("0605040b8423f0")


def sizes(body, encoding, header=b"", **options):
    """Octets of body in each part, after checking what holds for every split."""
    parts = split(body, encoding, header, reference=0xCC, **options)
    wide = options.get("wide_reference", False)
    assert b"".join(piece for _, piece in parts) == body
    assert len(parts) == count_parts(body, encoding, header, wide_reference=wide)
    segments = split_octets(body, encoding, header, wide_reference=wide)
    assert segments == [Segment(n, len(parts), header, piece) for n, (_, piece) in enumerate(parts, 1)]
    for number, (part_header, piece) in enumerate(parts, 1):
        assert len(piece) <= capacity(encoding, len(part_header))
        if len(parts) > 1:
            assert udh.concatenation(part_header) == (0xCC, len(parts), number, wide)
            assert udh.without_concatenation(part_header) == header
    return [len(piece) for _, piece in parts]


def test_a_text_of_one_message_is_returned_unchanged():
    body = b"x" * 160
    assert split(body, GSM7, reference=1)[0][1] is body
    assert split(b"", GSM7, PORTS, reference=1) == [(PORTS, b"")]
    part = bytes.fromhex("050003aa0201")
    assert split(b"x" * 153, GSM7, part, reference=1) == [(part, b"x" * 153)]


def test_s42_160_and_161_gsm_characters():
    assert sizes(b"x" * 160, GSM7) == [160]
    assert sizes(b"x" * 161, GSM7) == [153, 8]
    assert sizes(b"x" * 306, GSM7) == [153, 153]
    assert sizes(b"x" * 307, GSM7) == [153, 153, 1]
    assert sizes(b"x" * 161, GSM7, wide_reference=True) == [152, 9]


@pytest.mark.parametrize("character", "€{")
def test_s42_an_escape_pair_at_the_153_boundary_is_not_separated(character):
    pair = gsm7.encode(character)
    assert sizes(b"x" * 152 + pair + b"y" * 20, GSM7) == [152, 22]
    assert sizes(b"x" * 151 + pair + b"y" * 20, GSM7) == [153, 20]
    assert sizes(b"x" * 153 + pair + b"y" * 20, GSM7) == [153, 22]
    assert sizes(pair * 80, GSM7) == [160]
    assert sizes(pair * 81, GSM7) == [152, 10]
    assert sizes(pair * 153, GSM7) == [152, 152, 2]


def test_s42_two_escapes_are_a_pair_of_their_own():
    assert sizes(b"x" * 151 + b"\x1b\x1b" + b"y" * 20, GSM7) == [153, 20]
    assert sizes(b"x" * 150 + b"\x1b\x1b\x1be" + b"y" * 20, GSM7) == [152, 22]
    assert sizes(b"\x1b" * 1000, GSM7) == [152] * 6 + [88]


def test_s43_70_and_71_ucs2_characters():
    assert sizes("д".encode("utf-16-be") * 70, UCS2) == [140]
    assert sizes("д".encode("utf-16-be") * 71, UCS2) == [134, 8]
    assert sizes("д".encode("utf-16-be") * 71, UCS2, wide_reference=True) == [132, 10]


def test_s43_a_surrogate_pair_at_the_boundary_is_not_cut():
    letter, emoji = "д".encode("utf-16-be"), "😀".encode("utf-16-be")
    assert sizes(letter * 66 + emoji + letter * 20, UCS2) == [132, 44]
    assert sizes(letter * 65 + emoji + letter * 20, UCS2) == [134, 40]
    assert sizes(letter * 67 + emoji + letter * 20, UCS2) == [134, 44]
    assert sizes(emoji * 35, UCS2) == [140]
    assert sizes(emoji * 36, UCS2) == [132, 12]


def test_s43_an_odd_number_of_octets_is_refused():
    for length in (1, 71, 139, 141, 301):
        with pytest.raises(Malformed):
            split(bytes(length), UCS2, reference=1)
        with pytest.raises(Malformed):
            split_octets(bytes(length), UCS2)
        with pytest.raises(Malformed):
            count_parts(bytes(length), UCS2)


@pytest.mark.parametrize("encoding", [BINARY, Encoding.LATIN1, Encoding.OPAQUE])
def test_octets_are_cut_at_140_134_and_133(encoding):
    assert sizes(bytes(140), encoding) == [140]
    assert sizes(bytes(141), encoding) == [134, 7]
    assert sizes(bytes(141), encoding, wide_reference=True) == [133, 8]


def test_ascii_counts_as_septets():
    assert sizes(b"x" * 160, Encoding.ASCII) == [160]
    assert sizes(b"x" * 161, Encoding.ASCII) == [153, 8]


def test_s47_other_elements_are_in_every_part_and_counted():
    assert sizes(bytes(133), BINARY, PORTS) == [133]
    assert sizes(bytes(134), BINARY, PORTS) == [128, 6]
    assert sizes(bytes(134), BINARY, PORTS, wide_reference=True) == [127, 7]
    assert sizes(b"x" * 153, GSM7, PORTS) == [146, 7]
    assert all(udh.ports(header) == (2948, 9200, True) for header, _ in split(bytes(134), BINARY, PORTS, reference=1))


def test_s44_more_parts_than_allowed_are_refused_with_both_numbers():
    body = b"x" * (153 * 255)
    assert len(split(body, GSM7, reference=1)) == 255
    for attempt in (
        lambda: split(body + b"x", GSM7, reference=1),
        lambda: split(body + b"x", GSM7, reference=1, limit=1000),
        lambda: split_octets(body + b"x", GSM7),
    ):
        with pytest.raises(TooManyParts) as caught:
            attempt()
        assert (caught.value.needed, caught.value.limit) == (256, 255)
        assert caught.value.cause is Cause.TOO_LONG
    assert count_parts(body + b"x", GSM7) == 256


def test_s44_the_limit_of_an_account():
    assert len(split(b"x" * 459, GSM7, reference=1, limit=3)) == 3
    with pytest.raises(TooManyParts, match="4 parts needed, 3 allowed"):
        split(b"x" * 460, GSM7, reference=1, limit=3)
    with pytest.raises(TooManyParts):
        split_octets(b"x" * 161, GSM7, limit=1)


def test_the_reference_is_taken_in_its_width():
    assert udh.concatenation(split(bytes(141), BINARY, reference=0x1234)[0][0]).reference == 0x34
    assert (
        udh.concatenation(split(bytes(141), BINARY, reference=0x51234, wide_reference=True)[0][0]).reference == 0x1234
    )


def test_a_part_that_is_too_long_is_not_split_again():
    for attempt in (lambda h: split(b"x" * 154, GSM7, h, reference=1), lambda h: count_parts(b"x" * 154, GSM7, h)):
        with pytest.raises(TextError, match="one part") as caught:
            attempt(bytes.fromhex("050003aa0201"))
        assert caught.value.cause is Cause.TOO_LONG


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("length", [134, 135, 138, 139, 140, 141, 250])
def test_a_header_that_leaves_no_room_is_refused(encoding, length):
    """Whatever the length, the answer is parts that fit or an error, and never a loop without end."""
    header = bytes([length - 1, 0x70, length - 3]) + bytes(length - 3)
    with pytest.raises(TextError):
        split(bytes(200), encoding, header, reference=1)
    if length > 140:
        with pytest.raises(TextError):
            split(b"", encoding, header, reference=1)


def test_s47_a_lying_header_is_refused_when_the_body_must_be_split():
    with pytest.raises(HeaderError):
        split(bytes(141), BINARY, bytes.fromhex("060003cc0201"), reference=1)


@given(
    text=st.text(alphabet="a@€{é\f", min_size=100, max_size=900),
    wide=st.booleans(),
    header=st.sampled_from([b"", PORTS, udh.build([udh.Element(0x70, bytes(100))])]),
)
def test_every_part_of_a_gsm_text_is_text_by_itself(text, wide, header):
    body = gsm7.encode(text)
    sizes(body, GSM7, header, wide_reference=wide)
    parts = split(body, GSM7, header, reference=1, wide_reference=wide)
    assert "".join(gsm7.decode(piece) for _, piece in parts) == text


@given(
    text=st.text(alphabet="aд😀", min_size=30, max_size=400), wide=st.booleans(), header=st.sampled_from([b"", PORTS])
)
def test_every_part_of_a_ucs2_text_is_text_by_itself(text, wide, header):
    body = text.encode("utf-16-be")
    sizes(body, UCS2, header, wide_reference=wide)
    parts = split(body, UCS2, header, reference=1, wide_reference=wide)
    assert "".join(coding.to_text(piece, UCS2) for _, piece in parts) == text


@given(body=st.binary(max_size=1500), encoding=st.sampled_from(Encoding), wide=st.booleans())
def test_any_octets_are_split_whole(body, encoding, wide):
    if encoding == UCS2:
        body = body[: len(body) & ~1]
    sizes(body, encoding, wide_reference=wide)
