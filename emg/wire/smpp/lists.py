"""The two lists inside PDUs: the destinations of a submit_multi, and in its answer those that were refused.

Both are an octet with the count and then the entries (3.4 §4.5.1.1, §4.5.1.2, §4.5.2.1). The readers raise `PduError`,
or IndexError where the frame ends inside an entry; the writers raise `LocalProtocolError`.
"""

from typing import Annotated

import msgspec

from emg.errors import LocalProtocolError
from emg.wire.smpp.fields import Listed, bad_field, unfit
from emg.wire.smpp.names import Status

ADDRESS_SIZE = 21
_SME = 1
_LIST = 2


class SmeAddress(msgspec.Struct, gc=False):
    """A destination of a submit_multi: one address."""

    ton: int = 0
    npi: int = 0
    address: str = ""


class ListName(msgspec.Struct, gc=False):
    """A destination of a submit_multi: the name of a distribution list, at most 20 octets."""

    name: str = ""


class UnsuccessSme(msgspec.Struct, gc=False):
    """A destination that was not accepted, and why."""

    ton: int = 0
    npi: int = 0
    address: str = ""
    status: int = 0


Destination = SmeAddress | ListName


def read_destinations(frame: bytes, text: str, at: int) -> tuple[tuple[Destination, ...], int]:
    """The list that starts at `at`, and the place after it."""
    found: list[Destination] = []
    count = frame[at]
    at += 1
    for _ in range(count):
        if frame[at] == _SME:
            address, end = _read_string(frame, text, at + 3, "dest_address", Status.RINVDSTADR)
            found.append(SmeAddress(frame[at + 1], frame[at + 2], address))
        elif frame[at] == _LIST:
            name, end = _read_string(frame, text, at + 1, "dl_name", Status.RINVDLNAME)
            found.append(ListName(name))
        else:
            raise bad_field(frame, "dest_flag", Status.RINVDESTFLAG)
        at = end
    return tuple(found), at


def write_destinations(destinations: tuple[Destination, ...]) -> str:
    """The list's octets as latin-1 characters."""
    pieces = [_count(len(destinations), "dest_address")]
    for one in destinations:
        if isinstance(one, SmeAddress):
            pieces.append(chr(_SME) + _address(one.ton, one.npi, one.address, "dest_address"))
        else:
            pieces.append(f"{chr(_LIST)}{_fitting(one.name, 'dl_name')}\0")
    return "".join(pieces)


def read_unsuccessful(frame: bytes, text: str, at: int) -> tuple[tuple[UnsuccessSme, ...], int]:
    """The list that starts at `at`, and the place after it."""
    found = []
    count = frame[at]
    at += 1
    for _ in range(count):
        address, end = _read_string(frame, text, at + 2, "unsuccess_sme", Status.RINVDSTADR)
        if end + 4 > len(frame):
            raise IndexError
        found.append(UnsuccessSme(frame[at], frame[at + 1], address, int.from_bytes(frame[end : end + 4], "big")))
        at = end + 4
    return tuple(found), at


def write_unsuccessful(refused: tuple[UnsuccessSme, ...]) -> str:
    """The list's octets as latin-1 characters."""
    pieces = [_count(len(refused), "unsuccess_sme")]
    for one in refused:
        status = one.status.to_bytes(4, "big").decode("latin-1")
        pieces.append(_address(one.ton, one.npi, one.address, "unsuccess_sme") + status)
    return "".join(pieces)


def _count(count: int, name: str) -> str:
    if count > 255:
        raise LocalProtocolError(f"{name}: {count} entries, at most 255 fit")
    return chr(count)


def _read_string(frame: bytes, text: str, at: int, name: str, status: int) -> tuple[str, int]:
    if not frame[at]:
        return "", at + 1
    end = text.find("\0", at)
    if not 0 <= end - at < ADDRESS_SIZE:
        raise bad_field(frame, name, status)
    return text[at:end], end + 1


def _address(ton: int, npi: int, address: str, name: str) -> str:
    return f"{chr(ton)}{chr(npi)}{_fitting(address, name)}\0"


def _fitting(value: str, name: str) -> str:
    if len(value) >= ADDRESS_SIZE or "\0" in value:
        raise unfit(name, ADDRESS_SIZE - 1)
    return value


Destinations = Annotated[tuple[Destination, ...], Listed(read_destinations, write_destinations)]
Refused = Annotated[tuple[UnsuccessSme, ...], Listed(read_unsuccessful, write_unsuccessful)]
