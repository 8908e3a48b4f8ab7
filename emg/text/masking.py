"""A text with its content taken out: each letter as x, each digit as 0. What is left says how long it was, of which alphabet, and how it was built."""

from emg.message import Encoding
from emg.text.coding import encode, to_text

_BINARY = frozenset((Encoding.BINARY, Encoding.OPAQUE))


def masked(body: bytes, encoding: Encoding) -> bytes:
    """The same in its encoding, octets that are no text as `?`; nothing for binary, where every octet may be content. Never raises."""
    if encoding in _BINARY:
        return b""
    text = to_text(body, encoding, "replace")
    return encode("".join(map(_mask, text)), encoding)


def _mask(character: str) -> str:
    if character.isdigit():
        return "0"
    if character.isalpha():
        return "x"
    return "?" if character == "\ufffd" or not character.isprintable() else character
