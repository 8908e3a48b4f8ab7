"""The parts of a long message back into one. Pure: who keeps the parts, and for how long, is the spool's affair.

Parts come in any order and may come twice (the first of a number counts: networks repeat a part, they don't correct
it).
"""

from collections.abc import Iterable, Sequence

from emg.errors import Cause
from emg.text import udh as header
from emg.text.errors import PartsMissing, TextError

PartKey = tuple[int, int, bool]
"""Reference, total, and whether the reference has 16 bits."""


def part_key(udh: bytes) -> PartKey | None:
    """What the parts of one message have in common, beside both addresses; None for a message that is no part.

    Raises `HeaderError` when a length lies.
    """
    part = header.concatenation(udh)
    return None if part is None else (part.reference, part.total, part.wide)


def join(parts: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Parts (header, body) → header without concatenation, whole body.

    A single message that is no part comes back unchanged. The other elements are those of part 1. Raises
    `PartsMissing`; `TextError` for parts of different messages or none at all; `HeaderError` when a length lies.
    """
    if len(parts) == 1 and header.concatenation(parts[0][0]) is None:
        return parts[0]
    numbered = []
    keys = set()
    first_header = b""
    for udh, body in parts:
        part = header.concatenation(udh)
        if part is None:
            raise TextError("not a part of a long message", Cause.SYNTAX)
        keys.add((part.reference, part.total, part.wide))
        numbered.append((part.number, body))
        if part.number == 1 and not first_header:
            first_header = udh
    if len(keys) != 1:
        raise TextError(f"parts of {len(keys)} messages can't be one", Cause.SYNTAX)
    [(_, total, _)] = keys
    return header.without_concatenation(first_header), join_numbered(numbered, total)


def join_numbered(parts: Iterable[tuple[int, bytes]], total: int) -> bytes:
    """Bodies with their numbers (from 1), as from SMPP's sar_ parameters → whole body.

    Raises `PartsMissing`, and `TextError` for a number outside 1 … `total`.
    """
    bodies: dict[int, bytes] = {}
    for number, body in parts:
        if not 1 <= number <= total:
            raise TextError(f"part {number} of {total}", Cause.SYNTAX)
        bodies.setdefault(number, body)
    if len(bodies) != total:
        raise PartsMissing(tuple(number for number in range(1, total + 1) if number not in bodies), total)
    return b"".join([bodies[number] for number in range(1, total + 1)])
