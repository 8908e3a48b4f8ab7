"""The GSM 7-bit alphabet and its packing."""

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.errors import Cause, EmgError
from emg.message import Encoding
from emg.text import gsm7
from emg.text.errors import Malformed, TextError, Unencodable

ORACLE = gsm0338.Codec()
CHARACTERS = gsm7.BASIC.replace("\x1b", "") + "".join(gsm7.EXTENSION.values())
texts = st.text(alphabet=CHARACTERS, max_size=400)
septets = st.binary(max_size=400).map(lambda octets: bytes(octet & 0x7F for octet in octets))


def pack_bit_by_bit(data: bytes, fill: int) -> bytes:
    """The standard's definition taken literally."""
    number = sum(septet << (7 * place + fill) for place, septet in enumerate(data))
    return number.to_bytes((7 * len(data) + fill + 7) // 8, "little")


@pytest.mark.parametrize("code", [code for code in range(128) if code != gsm7.ESCAPE])
def test_every_code_of_the_basic_table_agrees_with_an_independent_codec(code):
    assert gsm7.decode(bytes([code])) == ORACLE.decode(bytes([code]))[0]
    assert gsm7.encode(gsm7.BASIC[code]) == bytes([code]) == ORACLE.encode(gsm7.BASIC[code])[0]


@pytest.mark.parametrize(("code", "character"), gsm7.EXTENSION.items())
def test_every_code_of_the_extension_table_agrees_with_an_independent_codec(code, character):
    pair = bytes([gsm7.ESCAPE, code])
    assert gsm7.decode(pair) == character == ORACLE.decode(pair)[0]
    assert gsm7.encode(character) == pair == ORACLE.encode(character)[0]


def test_nothing_but_the_two_tables_is_encodable():
    for number in range(0x10000):
        if not 0xD800 <= number < 0xE000 and chr(number) not in CHARACTERS:
            with pytest.raises(Unencodable):
                gsm7.encode(chr(number))


@given(texts)
def test_encode_then_decode_gives_the_text_and_the_octets_of_an_independent_codec(text):
    assert gsm7.decode(gsm7.encode(text)) == text
    assert gsm7.encode(text) == ORACLE.encode(text)[0]


def test_s50_the_at_sign_inside_a_text_survives():
    assert gsm7.encode("a@b@") == b"a\x00b\x00"
    assert gsm7.decode(b"a\x00b\x00") == "a@b@"


@pytest.mark.parametrize(
    ("text", "character", "position"),
    [
        ("abcδdπ", "δ", 3),
        ("a\0π", "\0", 1),
        ("π\0", "π", 0),
        ("\0", "\0", 0),
        ("{€}\x1b", "\x1b", 3),
        ("@@😀", "😀", 2),
        ("`", "`", 0),
    ],
)
def test_strict_encoding_names_the_first_character_that_does_not_fit(text, character, position):
    with pytest.raises(Unencodable) as caught:
        gsm7.encode(text)
    error = caught.value
    assert (error.character, error.position, error.encoding) == (character, position, Encoding.GSM7)
    assert isinstance(error, TextError)
    assert isinstance(error, EmgError)
    assert error.cause is Cause.BAD_TEXT
    assert f"U+{ord(character):04X} at character {position + 1}" in str(error)


def test_replacing_puts_one_question_mark_for_each_character_that_does_not_fit():
    assert gsm7.encode("a\0π😀{@", "replace") == b"a???\x1b\x28\x00"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1bA", "A"),  # unknown: the basic table's character
        (b"\x1b\x00", "@"),
        (b"\x1b\x0d", "\r"),
        (b"a\x1b", "a "),  # nothing follows
        (b"\x1b", " "),
        (b"\x1b\x1b<", " <"),  # the second escape is for a table that does not exist; it takes the first with it
        (b"\x1b\x1b\x1b<", " ["),
        (b"\x1b\x1b\x1b\x1b", "  "),
        (b"\x1b\x1b\x1b", "  "),
        (b"", ""),
    ],
)
def test_unknown_escapes_show_as_the_standard_says(octets, text):
    assert gsm7.decode(octets) == text


def test_an_octet_that_is_no_septet_is_refused_or_marked():
    with pytest.raises(Malformed, match="octet 3 "):
        gsm7.decode(b"ab\xe5")
    assert gsm7.decode(b"ab\xe5\x1b\xe5\x1be", "replace") == "ab\ufffd\ufffd€"


@given(st.binary(max_size=100))
def test_decoding_with_replacement_takes_any_octets(octets):
    assert len(gsm7.decode(octets, "replace")) <= len(octets)


def test_packing_gives_the_well_known_example():
    assert gsm7.pack(b"hellohello").hex() == "e8329bfd4697d9ec37"


@given(septets, st.integers(0, 7))
def test_pack_is_the_standards_definition_and_unpack_its_inverse(data, fill):
    packed = gsm7.pack(data, fill)
    assert packed == pack_bit_by_bit(data, fill)
    assert gsm7.unpack(packed, len(data), fill) == data
    assert gsm7.unpack(packed + b"\xff" * 9, len(data), fill) == data


@pytest.mark.parametrize(("octets", "bits"), [(0, 0), (1, 6), (5, 2), (6, 1), (7, 0), (12, 2), (13, 1), (14, 0)])
def test_s41_fill_bits_bring_the_text_to_a_septet_boundary(octets, bits):
    assert gsm7.fill_bits(octets) == bits
    assert (octets * 8 + bits) % 7 == 0


@pytest.mark.parametrize("udh", [bytes.fromhex("050003cc0201"), bytes.fromhex("060804cc010201"), bytes(12)])
def test_s41_the_first_character_behind_a_header_is_not_lost(udh):
    """Who unpacks the whole user data and drops the header's septets finds the text from its first character on."""
    text = gsm7.encode("@First character, and the last€")
    user_data = udh + gsm7.pack(text, gsm7.fill_bits(len(udh)))
    header_septets = (len(udh) * 8 + 6) // 7
    whole = gsm7.unpack(user_data, header_septets + len(text))
    assert whole[header_septets:] == text


def test_s41_160_septets_are_140_octets_and_153_fit_behind_six():
    assert len(gsm7.pack(bytes(160))) == 140
    assert 6 + len(gsm7.pack(bytes(153), gsm7.fill_bits(6))) == 140
    assert 7 + len(gsm7.pack(bytes(152), gsm7.fill_bits(7))) == 140


def test_trailing_padding_is_not_read_as_an_at_sign():
    packed = gsm7.pack(b"1234567")
    assert len(packed) == 7  # room for an eighth septet, seven zero bits
    assert gsm7.unpack(packed, 7) == b"1234567"
    assert gsm7.unpack(packed, None) == b"1234567"
    assert gsm7.unpack(gsm7.pack(b"12345678"), None) == b"12345678"
    assert gsm7.unpack(gsm7.pack(b"@ 234567".replace(b"@", b"\0")), None) == b"\x00 234567"
    assert gsm7.unpack(gsm7.pack(b"\x00\x00"), None) == b"\x00\x00"


@given(septets, st.integers(0, 7))
def test_unpacking_without_a_count_loses_at_most_a_last_at_sign(data, fill):
    found = gsm7.unpack(gsm7.pack(data, fill), None, fill)
    assert found in (data, data + b"\0", data[:-1] if data.endswith(b"\0") else data)


@pytest.mark.parametrize(
    ("octets", "count", "fill"), [(b"", 1, 0), (b"\x01", 2, 0), (bytes(7), 8, 1), (b"", 1, 7), (b"a", -1, 0)]
)
def test_unpacking_more_than_there_is_raises(octets, count, fill):
    with pytest.raises(Malformed):
        gsm7.unpack(octets, count, fill)


def test_packing_what_is_no_septet_raises():
    with pytest.raises(Malformed):
        gsm7.pack(b"ab\x80")
