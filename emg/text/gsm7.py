"""The GSM 7-bit default alphabet with its extension table, and packed septets (3GPP TS 23.038 §6.1.2.1, §6.2.1).

Unpacked text is one septet an octet; a character of the extension table is two of them, 0x1B and its code. National
language tables (§6.2.1.2) are not known here: such texts pass through a gateway unchanged, with their header.

Speed: Python's own charmap codec does the work in C with one octet a character. As that is not one septet a character,
encoding goes through *marks*: extension characters are marked by their code + 0x80, '@' by the unused 0x1B (the C table
wants NUL at 0), and marks are replaced only where there are any.
"""

import codecs
from typing import Final

from emg.message import Encoding
from emg.text.errors import Malformed, Unencodable

ESCAPE: Final = 0x1B

BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Code → character. 0x1B stands for itself here: it is the escape and no character."""

EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
"""Code after an escape → character."""

_NOTHING: Final = "\ufffe"  # how charmap tables say "no such code"


def _marks_table() -> str:
    table = [*BASIC, *[_NOTHING] * 128]
    table[0], table[ESCAPE] = "\0", "@"
    for code, character in EXTENSION.items():
        table[code | 0x80] = character
    return "".join(table)


_MARKS: Final = codecs.charmap_build(_marks_table())
_EXPANSIONS: Final = tuple((bytes([code | 0x80]), bytes([ESCAPE, code])) for code in EXTENSION)
_ESCAPE: Final = bytes([ESCAPE])
_FROM_BASIC: Final = BASIC + _NOTHING * 128
_FROM_EXTENSION: Final = "".join(EXTENSION.get(code, BASIC[code]) for code in range(128)) + _NOTHING * 128


def encode(text: str, errors: str = "strict") -> bytes:
    """Text → unpacked septets.

    `errors` is "strict" (raises `Unencodable`, naming the first character that does not fit) or "replace" (a '?' for
    each).
    """
    try:
        marks = codecs.charmap_encode(text, errors, _MARKS)[0]
    except UnicodeEncodeError as error:
        nul = text.find("\0", 0, error.start)
        position = error.start if nul < 0 else nul
        raise Unencodable(text[position], position, Encoding.GSM7) from None
    if 0 in marks:
        if errors == "strict":
            raise Unencodable("\0", text.index("\0"), Encoding.GSM7)
        marks = marks.replace(b"\0", b"?")
    marks = marks.replace(_ESCAPE, b"\0")
    if not marks.isascii():
        for mark, pair in _EXPANSIONS:
            marks = marks.replace(mark, pair)
    return marks


def decode(septets: bytes, errors: str = "strict") -> str:
    """Unpacked septets → text. An octet above 0x7F raises `Malformed`, or with "replace" becomes U+FFFD.

    A code that the extension table does not have shows as the basic table's character; a second escape, or one at the
    very end, as a space (3GPP TS 23.038 §6.2.1.1).
    """
    if errors == "strict" and not septets.isascii():
        position = next(i for i, octet in enumerate(septets) if octet > 0x7F)
        raise Malformed(f"octet {position + 1} (0x{septets[position]:02X}) is not a septet")
    if ESCAPE not in septets:
        return codecs.charmap_decode(septets, "replace", _FROM_BASIC)[0]
    return _decode_escaped(septets)


def _decode_escaped(septets: bytes) -> str:
    first, *rest = septets.split(_ESCAPE)
    text = [codecs.charmap_decode(first, "replace", _FROM_BASIC)[0]]
    pieces = iter(rest)
    for piece in pieces:
        if piece:
            text.append(codecs.charmap_decode(piece[:1], "replace", _FROM_EXTENSION)[0])
            text.append(codecs.charmap_decode(piece[1:], "replace", _FROM_BASIC)[0])
        else:  # two escapes, or one at the end; what follows the second is ordinary text again
            text.append(" ")
            text.append(codecs.charmap_decode(next(pieces, b""), "replace", _FROM_BASIC)[0])
    return "".join(text)


def fill_bits(header_length: int) -> int:
    """How many bits to leave empty behind a header, so that the text starts on a septet.

    `header_length` is in octets, the header's own length octet included. 3GPP TS 23.040 §9.2.3.24: septets are counted
    from the start of the user data, header included.
    """
    return -8 * header_length % 7


# Eight septets, each in its own octet of a little-endian number, are seven octets once the top bits are squeezed out.
# That is done for all groups at once: neighbours are joined in three steps, 7+7, 14+14 and 28+28 bits. Each row: bits
# to keep of the lower neighbour, of the upper one, and how far the upper one moves.
_JOINTS: Final = (
    (bytes.fromhex("7f00") * 4, bytes.fromhex("007f") * 4, 1),
    (bytes.fromhex("ff3f0000") * 2, bytes.fromhex("0000ff3f") * 2, 2),
    (bytes.fromhex("ffffff0f00000000"), bytes.fromhex("00000000ffffff0f"), 4),
)
_SPLITS: Final = (
    (bytes.fromhex("ffffff0f00000000"), bytes.fromhex("000000f0ffffff00"), 4),
    (bytes.fromhex("ff3f0000") * 2, bytes.fromhex("00c0ff0f") * 2, 2),
    (bytes.fromhex("7f00") * 4, bytes.fromhex("803f") * 4, 1),
)


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Septets → octets, lowest bits first, behind `fill_bits` (0 to 7) zero bits. Spare bits at the end are zero.

    The number of septets is not in the result: the receiver must be told (TP-UDL, semi-octets …), see `unpack`.
    Raises `Malformed` for an octet above 0x7F.
    """
    if not septets.isascii():
        raise Malformed("an octet above 0x7F can't be packed")
    groups = (len(septets) + 7) // 8
    number = int.from_bytes(septets, "little")
    for lower, upper, distance in _JOINTS:
        number = (number & int.from_bytes(lower * groups, "little")) | (
            (number & int.from_bytes(upper * groups, "little")) >> distance
        )
    squeezed = bytearray(number.to_bytes(groups * 8, "little"))
    del squeezed[7::8]
    if fill_bits:
        shifted = int.from_bytes(squeezed, "little") << fill_bits
        squeezed[:] = shifted.to_bytes(len(squeezed) + 1, "little")
    return bytes(squeezed[: (len(septets) * 7 + fill_bits + 7) // 8])


def unpack(octets: bytes, count: int | None, fill_bits: int = 0) -> bytes:
    """Octets → `count` septets, skipping `fill_bits`. Raises `Malformed` if there are not as many.

    `count` None is for peers that do not tell: as many as fit, but a last one of seven zero bits that ends with the
    last octet is taken for padding and not for an '@'.
    """
    room = max((len(octets) * 8 - fill_bits) // 7, 0)
    if count is None:
        count = room
        ends_flush = len(octets) * 8 - fill_bits == room * 7
        if ends_flush and room and octets[-1] < 2:
            count -= 1
    if not 0 <= count <= room:
        raise Malformed(f"{count} septets announced, {room} there")
    groups = (count + 7) // 8
    number = int.from_bytes(octets, "little") >> fill_bits
    dense = number.to_bytes(max(len(octets), groups * 7), "little")
    spread = bytearray(groups * 8)
    for column in range(7):
        spread[column::8] = dense[column : groups * 7 : 7]
    number = int.from_bytes(spread, "little")
    for lower, upper, distance in _SPLITS:
        number = (number & int.from_bytes(lower * groups, "little")) | (
            (number & int.from_bytes(upper * groups, "little")) << distance
        )
    return number.to_bytes(groups * 8, "little")[:count]
