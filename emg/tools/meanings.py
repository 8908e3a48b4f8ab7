"""What the numbers in a PDU mean, in words: one table from field to sentence, one from optional parameter to sentence.

Numbers as in SMPP 3.4 §5.2 and §5.3, information elements as in 3GPP TS 23.040 §9.2.3.24. What has no meaning here gives an empty string; nothing fails.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from emg.errors import EmgError
from emg.message import Encoding
from emg.text import coding, udh
from emg.wire.smpp import times
from emg.wire.smpp.names import MessageState, Npi, Tag, Ton, Version
from emg.wire.smpp.tlvs import TLV_FORMS


def _named(names: type[IntEnum]) -> Callable[[int], str]:
    def say(value: int) -> str:
        try:
            return _words(names(value).name)
        except ValueError:
            return "reserved"

    return say


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


_MODES: Final = ("default mode", "datagram", "transaction", "store and forward")
_TYPES: Final = {
    0x00: "", 0x04: "delivery receipt", 0x08: "delivery acknowledgement", 0x10: "user acknowledgement", 0x18: "conversation abort",
    0x20: "intermediate notification",
}  # fmt: skip


def esm_class(value: int) -> str:
    """esm_class (§5.2.12)."""
    parts = [_MODES[value & 3], _TYPES.get(value & 0x3C, "reserved type")]
    parts += ["user data header"] * bool(value & 0x40) + ["reply path"] * bool(value & 0x80)
    return ", ".join(filter(None, parts))


def registered_delivery(value: int) -> str:
    """registered_delivery (§5.2.17)."""
    receipt = ("no receipt", "receipt", "receipt on failure", "receipt on success")[value & 3]
    parts = [receipt]
    parts += ["delivery acknowledgement"] * bool(value & 4) + ["user acknowledgement"] * bool(value & 8)
    parts += ["intermediate notification"] * bool(value & 0x10)
    return ", ".join(parts)


def data_coding(value: int) -> str:
    """data_coding (§5.2.19, 3GPP TS 23.038 §4)."""
    encoding = coding.encoding_of(value)
    name = (
        "default alphabet"
        if value == 0
        else {Encoding.OPAQUE: "another or reserved alphabet"}.get(encoding, encoding.name)
    )
    message_class = coding.message_class(value)
    return name if message_class is None else f"{name}, class {message_class}"


def moment(value: str) -> str:
    """schedule_delivery_time and validity_period (§7.1.1)."""
    if not value:
        return "none"
    if value.endswith("R"):
        try:
            return f"{times.parse_time(value, 0.0) or 0.0:.0f} s from now"
        except ValueError:
            return "not a time of the standard"
    try:
        times.parse_time(value, 0.0)
    except ValueError:
        return "not a time of the standard"
    year, month, day, hour, minute, second = (value[at : at + 2] for at in range(0, 12, 2))
    hours, quarter = divmod(int(value[13:15]), 4)
    return f"20{year}-{month}-{day} {hour}:{minute}:{second} {value[15]}{hours:02d}:{quarter * 15:02d}"


FIELDS: Final[dict[str, Callable[..., str]]] = {
    "source_addr_ton": _named(Ton),
    "dest_addr_ton": _named(Ton),
    "esme_addr_ton": _named(Ton),
    "addr_ton": _named(Ton),
    "source_addr_npi": _named(Npi),
    "dest_addr_npi": _named(Npi),
    "esme_addr_npi": _named(Npi),
    "addr_npi": _named(Npi),
    "interface_version": lambda value: f"SMPP {value >> 4}.{value & 15}" if value in list(Version) else "",
    "esm_class": esm_class,
    "registered_delivery": registered_delivery,
    "data_coding": data_coding,
    "schedule_delivery_time": moment,
    "validity_period": moment,
    "replace_if_present_flag": lambda value: ("don't replace", "replace")[value] if value < 2 else "reserved",
    "message_state": _named(MessageState),
    "service_type": lambda value: "default" if not value else "",
}
"""Field → what its value means."""

_NETWORKS: Final = ("unknown", "GSM", "TDMA", "CDMA", "PDC", "PHS", "iDEN", "AMPS", "paging")
_ERROR_NETWORKS: Final = {1: "ANSI-136", 2: "IS-95", 3: "GSM", 4: "reserved", 8: "ANSI-136 call control"}

TLVS: Final[dict[int, Callable[[bytes], str]]] = {
    Tag.MESSAGE_STATE: lambda value: _named(MessageState)(value[0]),
    Tag.SC_INTERFACE_VERSION: lambda value: FIELDS["interface_version"](value[0]),
    Tag.NETWORK_ERROR_CODE: lambda value: (
        f"{_ERROR_NETWORKS.get(value[0], 'network type ' + str(value[0]))}, error {int.from_bytes(value[1:], 'big')}"
    ),
    Tag.SOURCE_NETWORK_TYPE: lambda value: _NETWORKS[value[0]],
    Tag.DEST_NETWORK_TYPE: lambda value: _NETWORKS[value[0]],
    Tag.PAYLOAD_TYPE: lambda value: ("default", "WAP control message")[value[0]],
    Tag.DELIVERY_FAILURE_REASON: lambda value: (
        "destination unavailable", "destination address invalid", "permanent network error", "temporary network error",
    )[value[0]],
    Tag.MORE_MESSAGES_TO_SEND: lambda value: ("no more", "more")[value[0]],
}  # fmt: skip
"""Optional parameter → what its octets mean; may raise IndexError for octets that mean nothing."""


def tlv_name(tag: int) -> str:
    """The standard's name of an optional parameter, or what range its tag is in."""
    try:
        return Tag(tag).name.lower()
    except ValueError:
        return "vendor parameter" if 0x1400 <= tag <= 0x3FFF else "unknown parameter"


def tlv_value(tag: int, value: bytes) -> tuple[object, str]:
    """(value as number, string or hex; what it means)."""
    form = TLV_FORMS.get(tag)
    if form is None:
        return value.hex(), repr(value.decode("latin-1")) if value.isascii() and value.rstrip(
            b"\0"
        ).decode().isprintable() else ""
    shown: object = value.hex()
    if form.kind is int:
        shown = int.from_bytes(value, "big")
    elif form.kind is str:
        shown = value.rstrip(b"\0").decode("latin-1")
    if not form.least <= len(value) <= form.most:
        wanted = str(form.least) if form.least == form.most else f"{form.least} to {form.most}"
        return shown, f"WRONG SIZE: {len(value)} octets instead of {wanted}"
    try:
        return shown, TLVS[tag](value) if tag in TLVS else ""
    except IndexError:
        return shown, "reserved"


def element(one: udh.Element) -> tuple[str, str]:
    """(name, meaning) of an information element of a user data header."""
    try:
        name = _words(udh.ElementId(one.id).name)
    except ValueError:
        name = f"element 0x{one.id:02X}"
    data = one.data
    if one.id in (udh.ElementId.CONCATENATION_8, udh.ElementId.CONCATENATION_16) and len(data) in (3, 4):
        return name, f"part {data[-1]} of {data[-2]}, reference {int.from_bytes(data[:-2], 'big')}"
    if one.id in (udh.ElementId.PORTS_8, udh.ElementId.PORTS_16) and len(data) in (2, 4):
        half = len(data) // 2
        return name, f"to port {int.from_bytes(data[:half], 'big')}, from {int.from_bytes(data[half:], 'big')}"
    return name, ""


def body_text(body: bytes, dcs: int) -> str:
    """A message's text, or an empty string for what is not text."""
    try:
        return coding.to_text(body, coding.encoding_of(dcs), "replace")
    except EmgError:
        return ""
