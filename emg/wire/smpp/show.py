"""A PDU on one line, for logs. Pure; never fails, whatever the octets are.

`line(frame)` gives name, status, sequence number and the fields that say something; `hexadecimal(frame)` the octets. Passwords are left out
of both; what cannot be read of a PDU that may hold one is left out whole.
"""

from typing import Any, Final

from emg.errors import EmgError
from emg.text import coding, udh
from emg.wire.smpp.codec import HEADER_SIZE, PduError, decode
from emg.wire.smpp.names import ESM_UDHI, CommandId, Tag, status_name
from emg.wire.smpp.pdus import Pdu

_WITH_PASSWORD: Final = frozenset(
    {CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER, CommandId.OUTBIND}
)
"""Their bodies begin with system_id and password, each ended by a NUL (SMPP 3.4 §4.1)."""


def line(frame: bytes) -> str:
    """`submit_sm seq 7 source_addr='ACME' … text='hello'`; fields that are empty or 0 are left out."""
    try:
        pdu = decode(frame)
    except PduError as error:
        return f"{_name(error.command_id)} seq {error.sequence} UNREADABLE: {error}"
    shown = [f"{_name(pdu.command_id)} seq {pdu.sequence}"]
    if pdu.status or pdu.command_id & 0x80000000:
        shown.append(status_name(pdu.status))
    for name in pdu.__struct_fields__[2:]:
        value = getattr(pdu, name)
        if not value or name == "tlvs":
            continue
        if name == "password":
            shown.append("password=***")
        elif name == "short_message":
            shown += _text(value, pdu)
        else:
            shown.append(f"{name}={value!r}")
    for tag, octets in getattr(pdu, "tlvs", ()):
        shown += _text(octets, pdu) if tag == Tag.MESSAGE_PAYLOAD else [f"{_tag(tag)}={octets.hex() or 'empty'}"]
    return " ".join(shown)


def hexadecimal(frame: bytes) -> str:
    """The octets in hex; those of a password as `**`."""
    command = int.from_bytes(frame[4:8], "big")
    if command not in _WITH_PASSWORD:
        return frame.hex()
    start = frame.find(b"\0", HEADER_SIZE) + 1
    end = frame.find(b"\0", start)
    if start == 0 or end < 0:
        return frame[:HEADER_SIZE].hex() + "**" * (len(frame) - HEADER_SIZE)
    return frame[:start].hex() + "**" * (end - start) + frame[end:].hex()


def _name(command: int) -> str:
    try:
        return CommandId(command).name.lower()
    except ValueError:
        return f"command 0x{command:08X}"


def _tag(tag: int) -> str:
    try:
        return Tag(tag).name.lower()
    except ValueError:
        return f"0x{tag:04X}"


def _text(octets: bytes, pdu: Any | Pdu) -> list[str]:
    """The text as text where it is text, else in hex; the user data header apart."""
    shown = []
    if getattr(pdu, "esm_class", 0) & ESM_UDHI:
        try:
            header, octets = udh.cut(octets)
        except EmgError as error:
            return [f"text=0x{octets.hex()} (user data header: {error})"]
        shown.append(f"udh={header.hex()}")
    try:
        text = coding.to_text(octets, coding.encoding_of(getattr(pdu, "data_coding", 0)), "replace")
    except EmgError:
        text = ""
    shown.append(f"text={text!r}" if text else f"text=0x{octets.hex()}")
    return shown
