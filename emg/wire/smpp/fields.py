"""How a field of a PDU stands on the wire: the kinds that the classes in `pdus` are annotated with.

A kind knows the lines of Python that read and write one field of its sort; `codec` joins them into one function a PDU.
The lines work on these names: `frame` (the whole PDU), `text` (the same as latin-1 characters, so that a slice of it is
a string without another call) and `at` (where the last field of variable length ended; `offset` octets of fixed length
follow). Reading past the end raises IndexError, which `codec` turns into RINVCMDLEN; everything else that is wrong
raises `PduError`.
"""

import struct
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec

from emg.errors import LocalProtocolError, RemoteProtocolError
from emg.wire.smpp.names import Status


def _plus(offset: int) -> str:
    """The place `offset` octets after `at`, as an expression."""
    return f"at + {offset}" if offset else "at"


class PduError(RemoteProtocolError):
    """A frame that can't be understood. The stream is sound: answer `status` to this `sequence`, and go on."""

    def __init__(self, reason: str, status: int, command_id: int, sequence: int) -> None:
        super().__init__(reason, status, fatal=False)
        self.command_id = command_id
        self.sequence = sequence


def bad_field(frame: bytes, name: str, status: int) -> PduError:
    """The error for a field of `frame` that is not terminated, too long, or not of its form."""
    command, _, sequence = struct.unpack_from(">3I", frame, 4)
    return PduError(f"{name} is too long, or not of its form", status, command, sequence)


def unfit(name: str, limit: int) -> LocalProtocolError:
    """The error for a value of ours that does not fit its field; it never shows the value, which may be a password."""
    return LocalProtocolError(f"{name} does not fit: more than {limit} octets, or a NUL inside")


class Reading(NamedTuple):
    """Lines that read a field into the variable of its name, and how far after `at` the next one starts then."""

    lines: list[str]
    offset: int


class Writing(NamedTuple):
    """Lines that check a field, its piece of a %-template, and the value for it."""

    lines: list[str]
    template: str
    value: str


class U8(msgspec.Struct, frozen=True):
    """One octet, unsigned."""

    def reading(self, name: str, offset: int, *, response: bool) -> Reading:
        """Lines for the decoder."""
        return Reading([f"{name} = frame[{_plus(offset)}]"], offset + 1)

    def writing(self, name: str) -> Writing:
        """Lines for the encoder. A value over 255 is no latin-1 character: the encoder's last step refuses it."""
        return Writing([], "%c", f"pdu.{name}")


class CString(msgspec.Struct, frozen=True):
    """C-octet string of at most `size` octets with its NUL (§3.1), as latin-1. `status` answers one that is not.

    `tolerated` octets, where more than `size`, are still read, though never written.
    """

    size: int
    status: Status = Status.RSYSERR
    tolerated: int = 0

    def reading(self, name: str, offset: int, *, response: bool) -> Reading:
        """Lines for the decoder. A response can't be refused: a string without NUL ends with the frame there."""
        missing = ["    if end < 0:", "        end = len(text)"] if response else []
        return Reading(
            [
                f"if frame[{_plus(offset)}]:",
                f"    end = text.find('\\0', {_plus(offset)})",
                *missing,
                f"    if not 0 < end - at < {offset + max(self.size, self.tolerated)}:",
                f"        raise bad_field(frame, {name!r}, {int(self.status)})",
                f"    {name} = text[{_plus(offset)}:end]",
                "    at = end + 1",
                "else:",
                f"    {name} = ''",
                f"    at += {offset + 1}",
            ],
            0,
        )

    def writing(self, name: str) -> Writing:
        """Lines for the encoder."""
        check = [
            f"{name} = pdu.{name}",
            f"if {name} and (len({name}) >= {self.size} or '\\0' in {name}):",
            f"    raise unfit({name!r}, {self.size - 1})",
        ]
        return Writing(check, "%s\0", name)


class ShortMessage(msgspec.Struct, frozen=True):
    """sm_length and short_message (§5.2.21, §5.2.22), at most 255 octets (3.4: 254). Last before the TLVs."""

    def reading(self, name: str, offset: int, *, response: bool) -> Reading:
        """Lines for the decoder."""
        return Reading(
            [
                f"end = at + {offset + 1} + frame[{_plus(offset)}]",
                "if end > len(frame):",
                f"    raise bad_field(frame, 'sm_length', {int(Status.RINVMSGLEN)})",
                f"{name} = frame[at + {offset + 1}:end]",
                "at = end",
            ],
            0,
        )

    def writing(self, name: str) -> Writing:
        """Lines for the encoder: the length goes into the template, the octets after it (see `codec`)."""
        return Writing([f"octets = pdu.{name}"], "%c", "len(octets)")


class Listed(msgspec.Struct, frozen=True):
    """A counted list. `read(frame, text, at)` gives the values and where they end, `write(values)` the characters."""

    read: Callable[[bytes, str, int], tuple[tuple[Any, ...], int]]
    write: Callable[[tuple[Any, ...]], str]

    def reading(self, name: str, offset: int, *, response: bool) -> Reading:
        """Lines for the decoder; `codec` makes `read` known to them as `read_<name>`."""
        return Reading([f"{name}, at = read_{name}(frame, text, {_plus(offset)})"], 0)

    def writing(self, name: str) -> Writing:
        """Lines for the encoder; `codec` makes `write` known to them as `write_<name>`."""
        return Writing([], "%s", f"write_{name}(pdu.{name})")


Kind = U8 | CString | ShortMessage | Listed

Octet = Annotated[int, U8()]
ServiceType = Annotated[str, CString(6, Status.RINVSERTYP)]
SourceAddress = Annotated[str, CString(21, Status.RINVSRCADR)]
DestinationAddress = Annotated[str, CString(21, Status.RINVDSTADR)]
LongSourceAddress = Annotated[str, CString(65, Status.RINVSRCADR)]
LongDestinationAddress = Annotated[str, CString(65, Status.RINVDSTADR)]
ScheduleTime = Annotated[str, CString(17, Status.RINVSCHED)]
ValidityTime = Annotated[str, CString(17, Status.RINVEXPIRY)]
SystemId = Annotated[str, CString(16, Status.RINVSYSID)]
Password = Annotated[str, CString(9, Status.RINVPASWD)]
MessageId = Annotated[str, CString(65, Status.RINVMSGID)]
# A provider may answer with a longer id than the standard allows: refusing it would lose the report of a sent message.
ResponseId = Annotated[str, CString(65, Status.RINVMSGID, tolerated=256)]
Text = Annotated[bytes, ShortMessage()]
