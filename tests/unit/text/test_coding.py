"""Data coding in both directions, and text between encodings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.message import Encoding
from emg.text import coding, gsm7
from emg.text.errors import Malformed, TextError, Unencodable

TEXTUAL = (Encoding.GSM7, Encoding.LATIN1, Encoding.UCS2, Encoding.ASCII)
GSM7, BINARY, LATIN1, UCS2, ASCII, OPAQUE = (
    Encoding.GSM7,
    Encoding.BINARY,
    Encoding.LATIN1,
    Encoding.UCS2,
    Encoding.ASCII,
    Encoding.OPAQUE,
)

GSM_CHARACTERS = set(gsm7.BASIC.replace("\x1b", "")) | set(gsm7.EXTENSION.values())
FITS = {
    GSM7: GSM_CHARACTERS.__contains__,
    LATIN1: lambda character: ord(character) < 256,
    ASCII: str.isascii,
    UCS2: lambda character: True,
}

MEANINGS = [
    (range(0x01), GSM7),
    (range(0x01, 0x02), ASCII),
    (range(0x02, 0x03), BINARY),
    (range(0x03, 0x04), LATIN1),
    (range(0x04, 0x05), BINARY),
    (range(0x05, 0x08), OPAQUE),  # JIS, Cyrillic, Hebrew
    (range(0x08, 0x09), UCS2),
    (range(0x09, 0x10), OPAQUE),  # pictograms, music codes, Kanji, KS C 5601, reserved
    (range(0x10, 0x14), GSM7),  # with class
    (range(0x14, 0x18), BINARY),
    (range(0x18, 0x1C), UCS2),
    (range(0x1C, 0x40), OPAQUE),  # reserved alphabet, compressed
    (range(0x40, 0x44), GSM7),  # auto deletion
    (range(0x44, 0x48), BINARY),
    (range(0x48, 0x4C), UCS2),
    (range(0x4C, 0x50), OPAQUE),
    (range(0x50, 0x54), GSM7),  # auto deletion and class
    (range(0x54, 0x58), BINARY),
    (range(0x58, 0x5C), UCS2),
    (range(0x5C, 0xC0), OPAQUE),
    (range(0xC0, 0xC4), GSM7),  # message waiting
    (range(0xC4, 0xC8), OPAQUE),
    (range(0xC8, 0xCC), GSM7),
    (range(0xCC, 0xD0), OPAQUE),
    (range(0xD0, 0xD4), GSM7),
    (range(0xD4, 0xD8), OPAQUE),
    (range(0xD8, 0xDC), GSM7),
    (range(0xDC, 0xE0), OPAQUE),
    (range(0xE0, 0xE4), UCS2),
    (range(0xE4, 0xE8), OPAQUE),
    (range(0xE8, 0xEC), UCS2),
    (range(0xEC, 0xF0), OPAQUE),
    (range(0xF0, 0xF4), GSM7),  # class
    (range(0xF4, 0xF8), BINARY),
    (range(0xF8, 0x100), OPAQUE),
]


def test_s50_all_256_values_mean_what_the_standards_say():
    listed = [(dcs, encoding) for values, encoding in MEANINGS for dcs in values]
    assert [dcs for dcs, _ in listed] == list(range(256))
    assert [coding.encoding_of(dcs, GSM7) for dcs in range(256)] == [encoding for _, encoding in listed]
    assert coding.encodings(GSM7) == tuple(encoding for _, encoding in listed)


@pytest.mark.parametrize("default", list(Encoding))
def test_s50_the_default_alphabet_stands_for_0_and_the_groups_built_on_it_and_for_nothing_else(default):
    for dcs in range(256):
        by_gsm = coding.encoding_of(dcs, GSM7)
        assert coding.encoding_of(dcs, default) == (default if by_gsm == GSM7 else by_gsm)
    assert coding.encoding_of(-1, default) == default


def test_a_data_coding_of_more_than_an_octet_is_refused():
    with pytest.raises(TextError):
        coding.encoding_of(256, GSM7)


def test_message_classes():
    with_class = {
        dcs: dcs & 3 for dcs in [*range(0x10, 0x20), *range(0x30, 0x40), *range(0x50, 0x60), *range(0x70, 0x80)]
    }
    with_class |= {dcs: dcs & 3 for dcs in range(0xF0, 0xF8)}
    assert {
        dcs: coding.message_class(dcs) for dcs in range(-1, 257) if coding.message_class(dcs) is not None
    } == with_class


@pytest.mark.parametrize("default", list(Encoding))
def test_s50_a_data_coding_that_already_says_the_encoding_is_kept(default):
    for dcs in range(256):
        assert coding.dcs_for(coding.encoding_of(dcs, default), default, dcs) == dcs


@pytest.mark.parametrize("default", TEXTUAL)
def test_whatever_data_coding_is_chosen_means_the_encoding(default):
    for encoding in (default, BINARY, LATIN1, UCS2, ASCII):
        for original in range(-1, 256):
            assert coding.encoding_of(coding.dcs_for(encoding, default, original), default) == encoding


@pytest.mark.parametrize(
    ("encoding", "original", "dcs"),
    [
        (GSM7, -1, 0x00),
        (ASCII, -1, 0x01),
        (LATIN1, -1, 0x03),
        (BINARY, -1, 0x04),
        (UCS2, -1, 0x08),
        (OPAQUE, -1, 0x00),
        (OPAQUE, 0x06, 0x06),
        (OPAQUE, 0x00, 0x00),  # came from a peer of whom we don't know what 0 means
        (BINARY, 0x02, 0x02),
        (UCS2, 0x00, 0x08),
        (UCS2, 0x10, 0x18),  # flash text that needed another alphabet is still flash
        (UCS2, 0xF1, 0x19),
        (GSM7, 0x1A, 0x12),
        (UCS2, 0x40, 0x48),
        (UCS2, 0x50, 0x58),
        (UCS2, 0xD9, 0xE9),  # voice mail waiting, stored
        (GSM7, 0xE9, 0xD9),
        (UCS2, 0xC9, 0x08),  # there is no "discard" in UCS-2
        (LATIN1, 0x10, 0x03),  # nor a class
        (GSM7, 0x06, 0x00),
    ],
)
def test_the_data_coding_keeps_what_it_can_of_the_original(encoding, original, dcs):
    assert coding.dcs_for(encoding, GSM7, original) == dcs


def test_latin_1_to_a_peer_whose_default_it_is():
    assert coding.dcs_for(LATIN1, LATIN1) == 0
    assert coding.dcs_for(LATIN1, LATIN1, 0xF0) == 0xF0
    assert coding.dcs_for(LATIN1, LATIN1, 0x18) == 0x10
    with pytest.raises(TextError, match="GSM7"):
        coding.dcs_for(GSM7, LATIN1)


def test_from_text_takes_gsm_where_it_fits_and_ucs2_elsewhere():
    assert coding.from_text("price 5€ @ home") == (GSM7, b"price 5\x1be \x00 home")
    assert coding.from_text("") == (GSM7, b"")
    assert coding.from_text("Привет") == (UCS2, "Привет".encode("utf-16-be"))
    assert coding.from_text("a`") == (UCS2, b"\0a\0`")
    assert coding.from_text("😀") == (UCS2, bytes.fromhex("d83dde00"))
    with pytest.raises(Unencodable):
        coding.from_text("half of one: \ud83d")


@given(st.text(max_size=200))
def test_any_text_survives_from_text_and_to_text(text):
    encoding, body = coding.from_text(text)
    assert coding.to_text(body, encoding) == text


@pytest.mark.parametrize("encoding", TEXTUAL)
@given(text=st.text(max_size=60) | st.text(alphabet="abc@[é€\0", max_size=60))
def test_encode_gives_back_the_same_text_or_says_why_not(encoding, text):
    misfit = next((i for i, character in enumerate(text) if not FITS[encoding](character)), None)
    if misfit is None:
        assert coding.to_text(coding.encode(text, encoding), encoding) == text
        return
    with pytest.raises(Unencodable) as caught:
        coding.encode(text, encoding)
    assert (caught.value.character, caught.value.position, caught.value.encoding) == (text[misfit], misfit, encoding)


@pytest.mark.parametrize("source", TEXTUAL)
@pytest.mark.parametrize("target", TEXTUAL)
def test_text_that_both_have_goes_there_and_back(source, target):
    text = "Hello, World 123"
    body = coding.encode(text, source)
    there = coding.transcode(body, source, target)
    assert coding.to_text(there, target) == text
    assert coding.transcode(there, target, source) == body


@pytest.mark.parametrize(
    ("body", "source", "target", "expected"),
    [
        (b"\xe5@", LATIN1, GSM7, b"\x0f\x00"),
        (b"\x00\x1b\x65", GSM7, UCS2, bytes.fromhex("004020ac")),
        (b"[]", ASCII, GSM7, b"\x1b\x3c\x1b\x3e"),
        (b"\x0f\x00", GSM7, LATIN1, b"\xe5@"),
    ],
)
def test_transcoding_examples(body, source, target, expected):
    assert coding.transcode(body, source, target) == expected


@pytest.mark.parametrize(
    ("body", "source", "target"),
    [
        ("Д".encode("utf-16-be"), UCS2, GSM7),
        (b"\x1b\x65", GSM7, LATIN1),
        (b"\xe5", LATIN1, ASCII),
        (b"\x0f", GSM7, ASCII),
    ],
)
def test_what_does_not_fit_is_refused_and_never_replaced(body, source, target):
    with pytest.raises(Unencodable):
        coding.transcode(body, source, target)


@pytest.mark.parametrize("other", TEXTUAL)
@pytest.mark.parametrize("kind", [BINARY, OPAQUE])
def test_s50_binary_and_unknown_are_never_transcoded(kind, other):
    body = bytes(range(256))
    assert coding.transcode(body, kind, kind) is body
    with pytest.raises(TextError):
        coding.transcode(b"abc", kind, other)
    with pytest.raises(TextError):
        coding.transcode(b"abc", other, kind)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\x00", UCS2),
        (b"\x00a\x00", UCS2),
        (bytes.fromhex("d83d"), UCS2),
        (bytes.fromhex("de00d83d"), UCS2),
        (b"\xe5", ASCII),
        (b"\xe5", GSM7),
    ],
)
def test_s43_octets_that_are_not_in_their_encoding_are_refused(body, encoding):
    with pytest.raises(Malformed):
        coding.to_text(body, encoding)
    coding.to_text(body, encoding, "replace")
