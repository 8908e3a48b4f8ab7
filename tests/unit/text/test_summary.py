"""The first characters of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.message import Encoding
from emg.text.summary import describe


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [
        (b"Hello, this is more than twenty", Encoding.GSM7, "Hello, this is more "),
        (b"\x1be" * 30, Encoding.GSM7, "€" * 20),
        (b"\x00\x0f", Encoding.GSM7, "@å"),
        ("😀".encode("utf-16-be") * 30, Encoding.UCS2, "😀" * 20),
        (b"\x04", Encoding.UCS2, "\ufffd"),
        (b"caf\xe9", Encoding.LATIN1, "café"),
        (b"caf\xe9", Encoding.ASCII, "caf\ufffd"),
        (b"caf\xe9", Encoding.GSM7, "caf\ufffd"),
        (b"plain", Encoding.OPAQUE, "plain"),
        (b"\xff\x00", Encoding.OPAQUE, "FF00"),
        (bytes(range(30)), Encoding.BINARY, "00010203040506070809"),
        (b"", Encoding.GSM7, ""),
        (b"", Encoding.BINARY, ""),
    ],
)
def test_the_first_twenty_characters(body, encoding, text):
    assert describe(body, encoding) == text


def test_binary_shows_its_header_first():
    assert describe(b"\xab\xcd", Encoding.BINARY, bytes.fromhex("0605040b8423f0"), 40) == "0605040B8423F0ABCD"


def test_a_text_can_not_write_a_second_log_line():
    assert describe("a\r\nb\tc\u2028d\x1b[0m".encode("utf-16-be"), Encoding.UCS2) == "a  b c d [0m"


@given(st.binary(max_size=200), st.sampled_from([*Encoding, 0, 77]), st.binary(max_size=10), st.integers(-5, 300))
def test_describe_never_raises_and_keeps_the_limit(body, encoding, header, limit):
    text = describe(body, encoding, header, limit)
    assert len(text) <= max(limit, 0)
    assert text.isprintable()
