"""A PDU taken apart, field by field, with the place, value and meaning of each; also one that is broken.

Walks the same field tables that the codec is made from, but slowly and with the offset of everything: where a field can't be read, the rows up to it
are kept and `Dissection.fault` says what is wrong at which octet. `dissect` never fails.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from emg.errors import EmgError
from emg.text import udh
from emg.tools import meanings
from emg.wire.smpp.codec import carries_tlvs, decode, fields
from emg.wire.smpp.fields import CString, Kind, Listed, PduError, ShortMessage
from emg.wire.smpp.names import ESM_RECEIPT, ESM_TYPE, ESM_UDHI, RESPONSE, CommandId, Tag, status_name
from emg.wire.smpp.pdus import BY_COMMAND

HEADER: Final = 16
LIMIT: Final = 1 << 20
"""A command_length above this is taken for garbage."""
_SECRET: Final = frozenset({"password"})
_RECEIPT: Final = re.compile(
    r"\b(id|sub|dlvrd|submit date|done date|stat|err|text):(.*?)(?=\s(?:sub|dlvrd|submit date|done date|stat|err|text):|$)",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One field: where it is in the PDU, and what it says. `depth` > 0: a part of the row above."""

    offset: int
    name: str
    value: Any
    meaning: str = ""
    depth: int = 0


@dataclass(slots=True)
class Dissection:
    """One PDU."""

    octets: bytes
    name: str = ""
    rows: list[Row] = field(default_factory=list)
    fault: str = ""

    def add(self, offset: int, name: str, value: Any, meaning: str = "", depth: int = 0) -> None:
        """Note a field."""
        self.rows.append(Row(offset, name, value, meaning, depth))


class _Unreadable(Exception):
    """A field can't be read; the sentence says where and why."""


def cut(octets: bytes) -> list[tuple[int, bytes]]:
    """Octets into PDUs by their command_length, each with its place; the last may be incomplete or garbage."""
    found = []
    at = 0
    while at < len(octets):
        rest = len(octets) - at
        length = struct.unpack_from(">I", octets, at)[0] if rest >= 4 else 0
        length = length if HEADER <= length <= rest else rest
        found.append((at, octets[at : at + length]))
        at += length
    return found


def dissect(octets: bytes) -> Dissection:
    """One PDU as `cut` gives it."""
    result = Dissection(octets)
    try:
        _walk(octets, result)
    except _Unreadable as fault:
        result.fault = str(fault)
    if not result.fault:
        try:
            decode(octets)
        except PduError as error:
            result.fault = f"{error} (answered with {status_name(error.status)})"
    return result


def _walk(octets: bytes, result: Dissection) -> None:
    if len(octets) < HEADER:
        raise _Unreadable(f"a PDU begins with 16 octets of header; here are {len(octets)}{_hint(octets)}")
    length, command, status, sequence = struct.unpack_from(">4I", octets)
    known = BY_COMMAND.get(command)
    result.name = CommandId(command).name.lower() if known else ""
    result.add(0, "command_length", length, "" if length == len(octets) else f"WRONG: {len(octets)} octets are here")
    result.add(4, "command_id", f"0x{command:08X}", result.name or "unknown command")
    result.add(8, "command_status", f"0x{status:08X}", status_name(status))
    result.add(12, "sequence_number", sequence)
    if length != len(octets):
        if not HEADER <= length <= LIMIT:
            raise _Unreadable(f"command_length {length} can't be true{_hint(octets)}")
        raise _Unreadable(f"command_length says {length} octets, {length - len(octets)} are missing at the end")
    if known is None:
        raise _Unreadable(f"octet 4: no command of SMPP has the id 0x{command:08X}")
    at, values = HEADER, {}
    response = bool(command & RESPONSE)
    for name, kind in fields(known).items():
        if response and at >= len(octets):
            # an answer with an error status needs no body, and nobody refuses one without its tail
            break
        at, values[name] = _field(octets, at, name, kind, result)
        if name == "short_message":
            _text(result, at - len(values[name]), values[name], values)
    if at < len(octets):
        if not carries_tlvs(known):
            raise _Unreadable(f"octet {at}: {len(octets) - at} octets after the last field")
        _tlvs(octets, at, result, values)


def _hint(octets: bytes) -> str:
    if octets[:4] in (b"HTTP", b"GET ", b"POST"):
        return ": this is HTTP"
    if octets[:2] == b"\x16\x03":
        return ": this is the beginning of a TLS session"
    return ""


def _field(octets: bytes, at: int, name: str, kind: Kind, result: Dissection) -> tuple[int, Any]:
    if at >= len(octets):
        raise _Unreadable(f"octet {at}: the PDU ends before {name}")
    if isinstance(kind, CString):
        return _string(octets, at, name, kind, result)
    if isinstance(kind, ShortMessage):
        end = at + 1 + octets[at]
        result.add(at, "sm_length", octets[at])
        if end > len(octets):
            raise _Unreadable(f"octet {at}: sm_length {octets[at]}, but only {len(octets) - at - 1} octets follow")
        result.add(at + 1, name, octets[at + 1 : end].hex())
        return end, octets[at + 1 : end]
    if isinstance(kind, Listed):
        try:
            entries, end = kind.read(octets, octets.decode("latin-1"), at)
        except (PduError, IndexError) as error:
            raise _Unreadable(f"octet {at}: {name}: {str(error) or 'the PDU ends inside it'}") from None
        result.add(at, name, len(entries), "entries")
        for entry in entries:
            shown = ", ".join(f"{key} {value}" for key, value in msgspec.structs.asdict(entry).items())
            result.add(at, type(entry).__name__, shown, depth=1)
        return end, entries
    meaning = meanings.FIELDS.get(name)
    result.add(at, name, octets[at], meaning(octets[at]) if meaning else "")
    return at + 1, octets[at]


def _string(octets: bytes, at: int, name: str, kind: CString, result: Dissection) -> tuple[int, str]:
    end = octets.find(b"\0", at)
    if end < 0:
        raise _Unreadable(f"octet {at}: {name} has no NUL at its end")
    value = octets[at:end].decode("latin-1")
    meaning = meanings.FIELDS.get(name)
    said = meaning(value) if meaning else ""
    if end - at >= max(kind.size, kind.tolerated):
        said = f"TOO LONG: {end - at + 1} octets with the NUL, at most {kind.size}"
    result.add(at, name, "*" * len(value) if name in _SECRET else value, said)
    return end + 1, value


def _tlvs(octets: bytes, at: int, result: Dissection, values: dict[str, Any]) -> None:
    while at < len(octets):
        rest = len(octets) - at
        if rest < 4:
            if rest < 4 and not octets[at:].strip(b"\0"):
                result.add(at, "padding", octets[at:].hex())
                return
            raise _Unreadable(f"octet {at}: {rest} octets are too few for an optional parameter")
        tag, length = struct.unpack_from(">HH", octets, at)
        name = meanings.tlv_name(tag)
        if length > rest - 4:
            raise _Unreadable(f"octet {at}: parameter 0x{tag:04X} ({name}) says {length} octets, {rest - 4} are left")
        value = octets[at + 4 : at + 4 + length]
        shown, meaning = meanings.tlv_value(tag, value)
        result.add(at, f"TLV 0x{tag:04X} {name}", shown, meaning)
        if tag == Tag.MESSAGE_PAYLOAD:
            _text(result, at + 4, value, values)
        at += 4 + length


def _text(result: Dissection, at: int, octets: bytes, values: dict[str, Any]) -> None:
    """The parts of a message's text: user data header, the text itself, a receipt's fields."""
    body = octets
    if values.get("esm_class", 0) & ESM_UDHI and octets:
        try:
            header, body = udh.cut(octets)
            for one in udh.elements(header):
                name, meaning = meanings.element(one)
                result.add(at, f"UDH {name}", one.data.hex(), meaning, 1)
        except EmgError as error:
            result.add(at, "UDH", octets[:1].hex(), f"BROKEN: {error}", 1)
            body = b""
    text = meanings.body_text(body, values.get("data_coding", 0))
    if text:
        result.add(at + len(octets) - len(body), "text", text, depth=1)
    if values.get("esm_class", 0) & ESM_TYPE == ESM_RECEIPT:
        for key, value in _RECEIPT.findall(text.rstrip("\0")):
            result.add(at, f"receipt {key.lower()}", value.strip(), depth=1)
