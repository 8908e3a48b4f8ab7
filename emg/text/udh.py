"""The user data header of a short message (3GPP TS 23.040 §9.2.3.24): read, built, made that of a part.

A header here always carries its length octet; no header is `b""`. Elements we don't know are kept in their order. A
header whose lengths lie raises `HeaderError`, everywhere but in the fast paths for a header that is one concatenation
element alone, where nothing can lie.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from emg.text.errors import HeaderError

LONGEST: Final = 140
"""Octets of user data in one short message; a header can't be longer."""


class ElementId(IntEnum):
    """Information elements that gateways meet (3GPP TS 23.040 §9.2.3.24); any other number passes as well."""

    CONCATENATION_8 = 0x00
    SPECIAL_SMS = 0x01
    PORTS_8 = 0x04
    PORTS_16 = 0x05
    SMSC_CONTROL = 0x06
    SOURCE_INDICATOR = 0x07
    CONCATENATION_16 = 0x08
    WIRELESS_CONTROL = 0x09
    RFC822_HEADER = 0x20
    REPLY_ADDRESS = 0x22
    SINGLE_SHIFT = 0x24
    LOCKING_SHIFT = 0x25


class Element(NamedTuple):
    """One information element; `id` is an `ElementId` or any other number of an octet."""

    id: int
    data: bytes


class Concatenation(NamedTuple):
    """This is part `number` (from 1) of `total`; `wide`: the reference has 16 bits, not 8."""

    reference: int
    total: int
    number: int
    wide: bool = False


class Ports(NamedTuple):
    """Application ports; `wide`: 16 bits, not 8."""

    destination: int
    originator: int
    wide: bool = True


_CONCATENATION_IDS: Final = (ElementId.CONCATENATION_8, ElementId.CONCATENATION_16)
_ALONE_8: Final = b"\x05\x00\x03"
_ALONE_16: Final = b"\x06\x08\x04"


def cut(user_data: bytes) -> tuple[bytes, bytes]:
    """User data that begins with a header (UDHI set) → header, body. Raises `HeaderError` when the header is longer."""
    if not user_data:
        raise HeaderError("a header is announced, the text is empty")
    end = user_data[0] + 1
    if end > len(user_data):
        raise HeaderError(f"header of {end} octets in {len(user_data)}")
    return user_data[:end], user_data[end:]


def elements(udh: bytes) -> list[Element]:
    """All elements in their order. Raises `HeaderError` when a length lies."""
    if not udh:
        return []
    end = len(udh)
    if udh[0] != end - 1:
        raise HeaderError(f"header says {udh[0]} octets, has {end - 1}")
    found = []
    at = 1
    while at < end:
        start = at + 2
        if start > end or start + udh[at + 1] > end:
            raise HeaderError(f"element 0x{udh[at]:02X} reaches beyond its header")
        at_next = start + udh[at + 1]
        found.append(Element(udh[at], udh[start:at_next]))
        at = at_next
    return found


def build(parts: Iterable[Element]) -> bytes:
    """Elements → header; none gives `b""`. Raises `HeaderError` for more than a short message holds."""
    octets = bytearray(1)
    for id_, data in parts:
        if len(octets) + 2 + len(data) > LONGEST:
            raise HeaderError(f"a header has at most {LONGEST} octets")
        octets += bytes((id_, len(data)))
        octets += data
    octets[0] = len(octets) - 1
    return bytes(octets) if octets[0] else b""


def concatenation(udh: bytes) -> Concatenation | None:
    """What the header says about a long message, None for nothing. Raises `HeaderError` when a length lies.

    An element with a wrong length, or with a number of 0 or beyond the total, is to be ignored (§9.2.3.24.1); of two,
    the last counts (§9.2.3.24).
    """
    if not udh:
        return None
    if len(udh) == 6 and udh.startswith(_ALONE_8):
        return _concatenation_8(udh[3:])
    if len(udh) == 7 and udh.startswith(_ALONE_16):
        return _concatenation_16(udh[3:])
    found = None
    for id_, data in elements(udh):
        if id_ == ElementId.CONCATENATION_8 and len(data) == 3:
            found = _concatenation_8(data) or found
        elif id_ == ElementId.CONCATENATION_16 and len(data) == 4:
            found = _concatenation_16(data) or found
    return found


def _concatenation_8(data: bytes) -> Concatenation | None:
    reference, total, number = data
    return Concatenation(reference, total, number, False) if 0 < number <= total else None


def _concatenation_16(data: bytes) -> Concatenation | None:
    high, low, total, number = data
    return Concatenation(high << 8 | low, total, number, True) if 0 < number <= total else None


def concatenation_element(part: Concatenation) -> Element:
    """The element for one part. The caller sees to the bounds: reference of 8 or 16 bits, 1 ≤ number ≤ total ≤ 255."""
    if part.wide:
        return Element(ElementId.CONCATENATION_16, part.reference.to_bytes(2, "big") + bytes((part.total, part.number)))
    return Element(ElementId.CONCATENATION_8, bytes((part.reference, part.total, part.number)))


def with_concatenation(udh: bytes, part: Concatenation) -> bytes:
    """The header with this concatenation in front, in place of any it had.

    Raises `HeaderError` when a length lies or the header gets too long.
    """
    return build([concatenation_element(part), *_others(udh)])


def of_each_part(udh: bytes, reference: int, total: int, *, wide: bool = False) -> list[bytes]:
    """The headers of all parts of a long message, in order: `with_concatenation` for each number, at the cost of one.

    Raises `HeaderError` as that does.
    """
    first = with_concatenation(udh, Concatenation(reference, total, 1, wide))
    at = 6 if wide else 5  # the element stands in front; its last octet is the number
    before, after = first[:at], first[at + 1 :]
    return [before + bytes((number,)) + after for number in range(1, total + 1)]


def without_concatenation(udh: bytes) -> bytes:
    """The header without any concatenation element, `b""` if nothing else was in it.

    Raises `HeaderError` when a length lies.
    """
    if not udh or (len(udh) == 6 and udh.startswith(_ALONE_8)) or (len(udh) == 7 and udh.startswith(_ALONE_16)):
        return b""
    return build(_others(udh))


def _others(udh: bytes) -> list[Element]:
    return [element for element in elements(udh) if element.id not in _CONCATENATION_IDS]


def ports(udh: bytes) -> Ports | None:
    """The application ports (§9.2.3.24.3, .4), None without. Raises `HeaderError` when a length lies."""
    found = None
    for id_, data in elements(udh):
        if id_ == ElementId.PORTS_8 and len(data) == 2:
            found = Ports(data[0], data[1], False)
        elif id_ == ElementId.PORTS_16 and len(data) == 4:
            found = Ports(int.from_bytes(data[:2], "big"), int.from_bytes(data[2:], "big"), True)
    return found


def ports_element(pair: Ports) -> Element:
    """The element for a pair of ports. The caller sees to their bounds."""
    size = 2 if pair.wide else 1
    id_ = ElementId.PORTS_16 if pair.wide else ElementId.PORTS_8
    return Element(id_, pair.destination.to_bytes(size, "big") + pair.originator.to_bytes(size, "big"))
