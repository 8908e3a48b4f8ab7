"""A long message into parts that fit a short message each (3GPP TS 23.040 §9.2.3.24.1), or the number of them.

A short message holds 140 octets of user data, header included: 160 septets or 70 UCS-2 characters without a header, 153
and 67 behind a concatenation element with an 8-bit reference. ASCII is counted as septets, as it travels as GSM text in
the end; LATIN1 and OPAQUE as octets, as BINARY. A GSM escape and its character, or the halves of a surrogate pair, stay
together. Other elements of the header are repeated in each part. What needs too many parts is refused whole with
`TooManyParts`; nothing is ever cut off.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from emg.errors import Cause
from emg.message import Encoding
from emg.text import gsm7
from emg.text import udh as header
from emg.text.errors import Malformed, TextError, TooManyParts

SHORT: Final = header.LONGEST
"""Octets of user data that fit a short message (3GPP TS 23.040); unpacked GSM text has 160, or 153 behind a header of 6."""
MOST_PARTS: Final = 255
"""The total is one octet, in a header and in sar_total_segments (SMPP 3.4 §5.3.2.23) alike."""

_GSM7: Final = Encoding.GSM7
_ASCII: Final = Encoding.ASCII
_UCS2: Final = Encoding.UCS2
_NARROW: Final = 5  # octets that a concatenation element takes
_WIDE: Final = 6


class Segment(NamedTuple):
    """One part of a message split without a concatenation element; `number` from 1."""

    number: int
    total: int
    udh: bytes
    body: bytes


def capacity(encoding: Encoding, header_length: int = 0) -> int:
    """How many octets of a body (GSM7: unpacked) fit behind a header of so many octets, its length octet included.

    Negative when the header alone is longer than a short message.
    """
    room = header.LONGEST - header_length
    if encoding in (_GSM7, _ASCII):
        return room * 8 // 7
    return room & ~1 if encoding == _UCS2 else room


def split(
    body: bytes,
    encoding: Encoding,
    udh: bytes = b"",
    *,
    reference: int,
    wide_reference: bool = False,
    limit: int = MOST_PARTS,
) -> list[tuple[bytes, bytes]]:
    """Parts in order, each (header, body); what fits one short message is returned unchanged as the only one.

    `reference` is taken modulo 2^8, or 2^16 with `wide_reference`. `limit` is what the account may use, at most 255.
    Raises `TooManyParts`; `Malformed` for an odd number of octets in UCS-2; `HeaderError`; `TextError` when the header
    leaves no room or says that this already is a part of something.
    """
    if len(body) <= capacity(encoding, len(udh)):
        _check_whole(body, encoding)
        return [(udh, body)]
    reference &= 0xFFFF if wide_reference else 0xFF
    bodies = _bodies(body, encoding, udh, wide_reference, limit)
    headers = header.of_each_part(udh, reference, len(bodies), wide=wide_reference)
    return list(zip(headers, bodies, strict=True))


def split_octets(
    body: bytes, encoding: Encoding, udh: bytes = b"", *, wide_reference: bool = False, limit: int = MOST_PARTS
) -> list[Segment]:
    """As `split`, for peers that take number and total beside the text (SMPP's sar_ parameters).

    `udh` is repeated as it is. The parts are as short as those of `split`, since the far side makes headers of them and
    needs that room.
    """
    if len(body) <= capacity(encoding, len(udh)):
        _check_whole(body, encoding)
        return [Segment(1, 1, udh, body)]
    bodies = _bodies(body, encoding, udh, wide_reference, limit)
    return [Segment(number, len(bodies), udh, piece) for number, piece in enumerate(bodies, 1)]


def count_parts(body: bytes, encoding: Encoding, udh: bytes = b"", *, wide_reference: bool = False) -> int:
    """How many parts `split` would make, even where that is too many. Otherwise raises as `split` does."""
    if len(body) <= capacity(encoding, len(udh)):
        _check_whole(body, encoding)
        return 1
    size = _part_size(body, encoding, udh, wide_reference)
    if encoding == _UCS2 or (encoding == _GSM7 and gsm7.ESCAPE in body):
        return sum(1 for _ in _ends(body, encoding, size))
    return -(-len(body) // size)


def _bodies(body: bytes, encoding: Encoding, udh: bytes, wide: bool, limit: int) -> list[bytes]:
    size = _part_size(body, encoding, udh, wide)
    start = 0
    bodies = []
    for end in _ends(body, encoding, size):
        bodies.append(body[start:end])
        start = end
    limit = min(limit, MOST_PARTS)
    if len(bodies) > limit:
        raise TooManyParts(len(bodies), limit)
    return bodies


def _part_size(body: bytes, encoding: Encoding, udh: bytes, wide: bool) -> int:
    """Octets of body in each part of a message that must be split."""
    _check_whole(body, encoding)
    if header.concatenation(udh) is not None:
        raise TextError("too long for the one part that its header says it is", Cause.TOO_LONG)
    kept = len(header.without_concatenation(udh)) or 1
    size = capacity(encoding, kept + (_WIDE if wide else _NARROW))
    if size < 4:  # a surrogate pair; for the others a header of such a length is as absurd
        raise TextError(f"a header of {len(udh)} octets leaves no room for the text", Cause.TOO_LONG)
    return size


def _check_whole(body: bytes, encoding: Encoding) -> None:
    if encoding == _UCS2 and len(body) % 2:
        raise Malformed(f"{len(body)} octets can't be UCS2")


def _ends(body: bytes, encoding: Encoding, size: int) -> Iterator[int]:
    """Where each part ends."""
    start, length = 0, len(body)
    while length - start > size:
        end = start + size
        if encoding == _GSM7:
            if body[end - 1] == gsm7.ESCAPE and _is_odd_run(body, start, end):
                end -= 1
        elif encoding == _UCS2 and body[end - 2] & 0xFC == 0xD8 and body[end] & 0xFC == 0xDC:
            end -= 2
        yield end
        start = end
    yield length


def _is_odd_run(body: bytes, start: int, end: int) -> bool:
    """An odd number of escapes ends here: the character of the last one is still to come (two are a pair)."""
    first = end
    while first > start and body[first - 1] == gsm7.ESCAPE:
        first -= 1
    return bool((end - first) & 1)
