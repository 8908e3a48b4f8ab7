"""PDU ↔ bytes (SMPP 3.4 §3.2). No I/O, no state.

`decode` and `encode` are the doors. Behind them stands one function a PDU and direction, written as Python source from
the field table in `pdus` when this module is loaded: walking the table for each PDU would cost several times as much.
Every frame gives a PDU or a `PduError` with the status to answer, nothing else. In a response, which can't be refused,
missing fields keep their defaults and a broken tail of TLVs is left out; with an error status its body may be anything.
"""

import struct
from collections.abc import Callable
from typing import Any, cast, get_type_hints

from emg.errors import LocalProtocolError
from emg.wire.smpp.fields import Kind, Listed, PduError, ShortMessage, bad_field, unfit
from emg.wire.smpp.names import RESPONSE, Status, Tag
from emg.wire.smpp.pdus import BY_COMMAND, Pdu, Tlvs
from emg.wire.smpp.tlvs import read_tlvs, tlv, write_tlvs

__all__ = ["HEADER_SIZE", "PduError", "decode", "decoder_source", "encode", "encoder_source", "tlv"]

HEADER_SIZE = 16

_GIVING_UP = ["except IndexError:", "    pass", "except PduError:", "    if not status:", "        raise"]
_HEADER = struct.Struct(">4I")
_unpack_header = _HEADER.unpack_from


def decode(frame: bytes) -> Pdu:
    """The PDU in a whole frame, header included. Raises `PduError`."""
    if len(frame) < HEADER_SIZE:
        raise PduError(f"a frame of {len(frame)} octets has no header", Status.RINVCMDLEN, 0, 0)
    length, command, status, sequence = _unpack_header(frame)
    if length != len(frame):
        raise PduError(f"command_length {length} for {len(frame)} octets", Status.RINVCMDLEN, command, sequence)
    decoder = _DECODERS.get(command)
    if decoder is None:
        raise PduError(f"unknown command_id 0x{command:08X}", Status.RINVCMDID, command, sequence)
    try:
        return decoder(frame, status, sequence)
    except IndexError:
        reason = f"0x{command:08X} ends inside its mandatory fields"
        raise PduError(reason, Status.RINVCMDLEN, command, sequence) from None


def encode(pdu: Pdu, tlvs: bool = True) -> bytes:
    """The frame for a PDU. `tlvs=False` leaves the TLVs out, as a peer below version 3.4 needs it.

    A response with an error status and otherwise only defaults has no body (§4.4.2). Raises `LocalProtocolError` for a
    value that does not fit, and for a message_payload with `tlvs=False`: leaving that out would lose the text.
    """
    try:
        return _ENCODERS[type(pdu)](pdu, tlvs)
    except (ValueError, OverflowError, struct.error) as error:
        raise LocalProtocolError(f"{type(pdu).__name__}: a value does not fit ({error})") from None


def fields(pdu: type[Pdu]) -> dict[str, Kind]:
    """The body's fields by name, in wire order, without the TLVs."""
    hints = get_type_hints(pdu, include_extras=True)
    return {name: cast(Kind, hints[name].__metadata__[0]) for name in pdu.__struct_fields__[2:] if name != "tlvs"}


def carries_tlvs(pdu: type[Pdu]) -> bool:
    """Whether this PDU has a place for optional parameters."""
    return "tlvs" in pdu.__struct_fields__


def decoder_source(pdu: type[Pdu]) -> str:
    """The source of `decode(frame, status, sequence)` for this class."""
    table = fields(pdu)
    response = bool(pdu.command_id & RESPONSE)
    lines = ["at = 16", "text = frame.decode('latin-1')"] if table else []
    offset = 0
    for name, kind in table.items():
        reading = kind.reading(name, offset, response=response)
        lines += reading.lines
        offset = reading.offset
    if carries_tlvs(pdu):
        start = f"at + {offset}" if offset else "at"
        lines.append(f"tlvs = read_tlvs(frame, {start}, {not response}) if {start} < len(frame) else ()")
    names = pdu.__struct_fields__[2:]
    if response and names:
        defaults = [f"{name} = {getattr(pdu(), name)!r}" for name in names]
        lines = [*defaults, "try:", *_indented(lines), *_GIVING_UP]
    lines.append(f"return pdu_class({', '.join(('sequence', 'status', *names))})")
    return "\n".join(["def decode(frame, status, sequence):", *_indented(lines), ""])


def encoder_source(pdu: type[Pdu]) -> str:
    """The source of `encode(pdu, tlvs)` for this class."""
    table = fields(pdu)
    writings = [kind.writing(name) for name, kind in table.items()]
    lines = [line for writing in writings for line in writing.lines]
    header = "pack_header({}, " + f"{int(pdu.command_id)}, pdu.status, pdu.sequence)"
    if pdu.command_id & RESPONSE and table:
        lines += ["if pdu.status and pdu == pdu_class(pdu.sequence, pdu.status):", f"    return {header.format(16)}"]
    if not table:
        return "\n".join(["def encode(pdu, tlvs):", *_indented([*lines, f"return {header.format(16)}"]), ""])
    template = "".join(writing.template for writing in writings)
    values = ", ".join(writing.value for writing in writings)
    octets = " + octets" if any(isinstance(kind, ShortMessage) for kind in table.values()) else ""
    lines.append(f"body = ({template!r} % ({values},)).encode('latin-1'){octets}")
    if carries_tlvs(pdu):
        lines += ["if pdu.tlvs:", "    body += write_tlvs(pdu.tlvs) if tlvs else leave_out(pdu.tlvs)"]
    lines.append(f"return {header.format('16 + len(body)')} + body")
    return "\n".join(["def encode(pdu, tlvs):", *_indented(lines), ""])


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _leave_out(tlvs: Tlvs) -> bytes:
    if tlv(tlvs, Tag.MESSAGE_PAYLOAD) is not None:
        raise LocalProtocolError("message_payload can't be sent to a peer below version 3.4")
    return b""


def _compiled(pdu: type[Pdu], source: str, name: str) -> Any:
    """The function `name` that `source` defines, with the names that such sources use."""
    scope: dict[str, Any] = {
        "pdu_class": pdu,
        "PduError": PduError,
        "bad_field": bad_field,
        "unfit": unfit,
        "read_tlvs": read_tlvs,
        "write_tlvs": write_tlvs,
        "leave_out": _leave_out,
        "pack_header": _HEADER.pack,
    }
    for field, kind in fields(pdu).items():
        if isinstance(kind, Listed):
            scope[f"read_{field}"] = kind.read
            scope[f"write_{field}"] = kind.write
    exec(compile(source, f"<{name} {pdu.__name__}>", "exec"), scope)  # noqa: S102  our own table is the only input
    return scope[name]


_DECODERS: dict[int, Callable[[bytes, int, int], Pdu]] = {
    command: _compiled(pdu, decoder_source(pdu), "decode") for command, pdu in BY_COMMAND.items()
}
_ENCODERS: dict[type[Pdu], Callable[[Any, bool], bytes]] = {
    pdu: _compiled(pdu, encoder_source(pdu), "encode") for pdu in BY_COMMAND.values()
}
