"""Optional parameters (TLVs): reading and writing the list, finding one in it, and what the standard ones' values are.

In a PDU they are pairs of tag and octets, in wire order, unknown ones too (SMPP 3.4 §5.3, 5.0 §4.8). `TLV_FORMS` says
what a standard value looks like. Reading a value is tolerant, since providers send wrong sizes: what can't be read is
None. Writing one is strict and raises `LocalProtocolError`.
"""

import struct
from typing import NamedTuple

from emg.errors import LocalProtocolError
from emg.wire.smpp.fields import PduError
from emg.wire.smpp.names import Status, Tag, Version
from emg.wire.smpp.pdus import Tlvs

_unpack_head = struct.Struct(">HH").unpack_from
_pack_head = struct.Struct(">HH").pack
_HEAD_SIZE = 4
_WIDEST_INT = 4


class Form(NamedTuple):
    """What a TLV's value is: unsigned integer, C-octet string or octets, of `least` to `most` octets (with the NUL)."""

    kind: type[int] | type[str] | type[bytes]
    least: int
    most: int
    since: Version = Version.V34


def _number(size: int, since: Version = Version.V34) -> Form:
    return Form(int, size, size, since)


_U8 = _number(1)
_U16 = _number(2)
_NEW_U8 = _number(1, Version.V50)
_NETWORK_ID = Form(str, 7, 65, Version.V50)
_NODE_ID = Form(bytes, 6, 6, Version.V50)

TLV_FORMS: dict[int, Form] = {
    Tag.DEST_ADDR_SUBUNIT: _U8,
    Tag.DEST_NETWORK_TYPE: _U8,
    Tag.DEST_BEARER_TYPE: _U8,
    Tag.DEST_TELEMATICS_ID: _U16,
    Tag.SOURCE_ADDR_SUBUNIT: _U8,
    Tag.SOURCE_NETWORK_TYPE: _U8,
    Tag.SOURCE_BEARER_TYPE: _U8,
    Tag.SOURCE_TELEMATICS_ID: _U8,
    Tag.QOS_TIME_TO_LIVE: _number(4),
    Tag.PAYLOAD_TYPE: _U8,
    Tag.ADDITIONAL_STATUS_INFO_TEXT: Form(str, 1, 256),
    Tag.RECEIPTED_MESSAGE_ID: Form(str, 1, 65),
    Tag.MS_MSG_WAIT_FACILITIES: _U8,
    Tag.PRIVACY_INDICATOR: _U8,
    Tag.SOURCE_SUBADDRESS: Form(bytes, 2, 23),
    Tag.DEST_SUBADDRESS: Form(bytes, 2, 23),
    Tag.USER_MESSAGE_REFERENCE: _U16,
    Tag.USER_RESPONSE_CODE: _U8,
    Tag.SOURCE_PORT: _U16,
    Tag.DESTINATION_PORT: _U16,
    Tag.SAR_MSG_REF_NUM: _U16,
    Tag.LANGUAGE_INDICATOR: _U8,
    Tag.SAR_TOTAL_SEGMENTS: _U8,
    Tag.SAR_SEGMENT_SEQNUM: _U8,
    Tag.SC_INTERFACE_VERSION: _U8,
    Tag.CALLBACK_NUM_PRES_IND: _U8,
    Tag.CALLBACK_NUM_ATAG: Form(bytes, 1, 65),
    Tag.NUMBER_OF_MESSAGES: _U8,
    Tag.CALLBACK_NUM: Form(bytes, 4, 19),
    Tag.DPF_RESULT: _U8,
    Tag.SET_DPF: _U8,
    Tag.MS_AVAILABILITY_STATUS: _U8,
    Tag.NETWORK_ERROR_CODE: Form(bytes, 3, 3),
    Tag.MESSAGE_PAYLOAD: Form(bytes, 0, 65535),
    Tag.DELIVERY_FAILURE_REASON: _U8,
    Tag.MORE_MESSAGES_TO_SEND: _U8,
    Tag.MESSAGE_STATE: _U8,
    Tag.CONGESTION_STATE: _NEW_U8,
    Tag.USSD_SERVICE_OP: _U8,
    Tag.BROADCAST_CHANNEL_INDICATOR: _NEW_U8,
    Tag.BROADCAST_CONTENT_TYPE: Form(bytes, 3, 3, Version.V50),
    Tag.BROADCAST_CONTENT_TYPE_INFO: Form(bytes, 1, 255, Version.V50),
    Tag.BROADCAST_MESSAGE_CLASS: _NEW_U8,
    Tag.BROADCAST_REP_NUM: _number(2, Version.V50),
    Tag.BROADCAST_FREQUENCY_INTERVAL: Form(bytes, 3, 3, Version.V50),
    Tag.BROADCAST_AREA_IDENTIFIER: Form(bytes, 1, 100, Version.V50),
    Tag.BROADCAST_ERROR_STATUS: _number(4, Version.V50),
    Tag.BROADCAST_AREA_SUCCESS: _NEW_U8,
    Tag.BROADCAST_END_TIME: Form(bytes, 16, 16, Version.V50),
    Tag.BROADCAST_SERVICE_GROUP: Form(bytes, 1, 255, Version.V50),
    Tag.BILLING_IDENTIFICATION: Form(bytes, 1, 1024, Version.V50),
    Tag.SOURCE_NETWORK_ID: _NETWORK_ID,
    Tag.DEST_NETWORK_ID: _NETWORK_ID,
    Tag.SOURCE_NODE_ID: _NODE_ID,
    Tag.DEST_NODE_ID: _NODE_ID,
    Tag.DEST_ADDR_NP_RESOLUTION: _NEW_U8,
    Tag.DEST_ADDR_NP_INFORMATION: Form(bytes, 10, 10, Version.V50),
    Tag.DEST_ADDR_NP_COUNTRY: Form(bytes, 1, 5, Version.V50),
    Tag.DISPLAY_TIME: _U8,
    Tag.SMS_SIGNAL: _U16,
    Tag.MS_VALIDITY: Form(bytes, 1, 4),
    Tag.ALERT_ON_MESSAGE_DELIVERY: Form(bytes, 0, 1),
    Tag.ITS_REPLY_TYPE: _U8,
    Tag.ITS_SESSION_INFO: Form(bytes, 2, 2),
}
"""The form of each standard TLV. Where 3.4 and 5.0 differ (ms_validity, alert_on_message_delivery), both sizes are in."""


def tlv(tlvs: Tlvs, tag: int) -> bytes | None:
    """The octets of the first TLV with this tag, None where there is none."""
    for one, value in tlvs:
        if one == tag:
            return value
    return None


def tlv_int(tlvs: Tlvs, tag: int) -> int | None:
    """The number in the TLV with this tag, of whatever size from 1 to 4 octets; None where there is none."""
    value = tlv(tlvs, tag)
    if not value or len(value) > _WIDEST_INT:
        return None
    return int.from_bytes(value, "big")


def tlv_text(tlvs: Tlvs, tag: int) -> str | None:
    """The string in the TLV with this tag, up to its NUL or, without one, its end; None where there is no such TLV."""
    value = tlv(tlvs, tag)
    return None if value is None else value.partition(b"\0")[0].decode("latin-1")


def make_tlv(tag: int, value: int | str | bytes) -> tuple[int, bytes]:
    """A TLV for a PDU; numbers and strings only for tags with that form. Raises `LocalProtocolError`."""
    if isinstance(value, bytes):
        return (tag, value)
    form = TLV_FORMS.get(tag)
    if form is None or not isinstance(value, form.kind):
        raise LocalProtocolError(f"TLV {tag:#06x} takes no {type(value).__name__}")
    try:
        octets = value.to_bytes(form.most, "big") if isinstance(value, int) else value.encode("latin-1") + b"\0"
    except (OverflowError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"TLV {tag:#06x} does not fit") from error
    if not form.least <= len(octets) <= form.most:
        raise LocalProtocolError(f"TLV {tag:#06x} does not fit: {len(octets)} octets")
    return (tag, octets)


def tlv_fault(tlvs: Tlvs) -> Status:
    """RINVPARLEN where a standard TLV is not of its size, else ROK: for a connector that wants to be strict."""
    for tag, value in tlvs:
        form = TLV_FORMS.get(tag)
        if form is not None and not form.least <= len(value) <= form.most:
            return Status.RINVPARLEN
    return Status.ROK


def read_tlvs(frame: bytes, at: int, strict: bool) -> Tlvs:
    """The TLVs from `at` to the end of the frame.

    Raises `PduError` (RINVOPTPARSTREAM) where the last one reaches beyond the frame; if not `strict`, leaves it out.
    Up to three NULs at the end are padding that some peers add, and are ignored.
    """
    found = []
    size = len(frame)
    while at + _HEAD_SIZE <= size:
        tag, length = _unpack_head(frame, at)
        start = at + _HEAD_SIZE
        at = start + length
        found.append((tag, frame[start:at]))
    if at != size and (at > size or frame[at:].strip(b"\0")):
        if strict:
            command, _, sequence = struct.unpack_from(">3I", frame, 4)
            raise PduError("a TLV reaches beyond the PDU", Status.RINVOPTPARSTREAM, command, sequence)
        if at > size:
            found.pop()
    return tuple(found)


def write_tlvs(tlvs: Tlvs) -> bytes:
    """Their octets. Raises `struct.error` for a tag or a length over 65535."""
    pieces = []
    for tag, value in tlvs:
        pieces.append(_pack_head(tag, len(value)))
        pieces.append(value)
    return b"".join(pieces)
