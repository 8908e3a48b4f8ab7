"""Masking: nothing of the content is left, and it never fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.message import Encoding
from emg.text.coding import encode, to_text
from emg.text.masking import masked


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("Your code is 48-15: hurry!", Encoding.GSM7, "xxxx xxxx xx 00-00: xxxxx!"),
        ("Привет, 42", Encoding.UCS2, "xxxxxx, 00"),
        ("Å {ö} €", Encoding.GSM7, "x {x} €"),
        ("na\nme", Encoding.LATIN1, "xx?xx"),
    ],
)
def test_letters_and_digits_go_and_the_form_stays(text, encoding, shown):
    assert to_text(masked(encode(text, encoding), encoding), encoding) == shown


@pytest.mark.parametrize("encoding", [Encoding.BINARY, Encoding.OPAQUE])
def test_of_binary_nothing_stays(encoding):
    assert masked(b"secret", encoding) == b""


@given(st.binary(max_size=80), st.sampled_from(list(Encoding)))
def test_any_octets_can_be_masked(body, encoding):
    shown = masked(body, encoding)
    if shown:
        text = to_text(shown, encoding)
        assert not any(each.isalpha() and each != "x" for each in text)
        assert not any(each.isdigit() and each != "0" for each in text)
