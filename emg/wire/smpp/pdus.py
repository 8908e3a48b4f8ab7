"""Every PDU of SMPP 3.3, 3.4 and 5.0 as a class; the class body is its field table, in the order of the wire.

`codec` makes the reading and writing functions from these annotations, and the tests enumerate them. Every PDU starts
with `sequence` and `status` (always 0 in a request); one that may carry optional parameters ends with `tlvs`, pairs of
tag and octets in their order on the wire. Strings are latin-1, so that any octet survives; numbers without a name in
`names` are legal. 3.3 is the same without TLVs: its message ids are hexadecimal digits (at most 8), just a string here.
"""

from typing import Annotated, ClassVar

import msgspec

from emg.wire.smpp.fields import (
    CString,
    DestinationAddress,
    LongDestinationAddress,
    LongSourceAddress,
    MessageId,
    Octet,
    Password,
    ResponseId,
    ScheduleTime,
    ServiceType,
    SourceAddress,
    SystemId,
    Text,
    ValidityTime,
)
from emg.wire.smpp.lists import Destinations, Refused
from emg.wire.smpp.names import CommandId, Status

Tlvs = tuple[tuple[int, bytes], ...]


class Pdu(msgspec.Struct, gc=False):
    """What all PDUs have: the header (§3.2) without its length, which the encoder counts."""

    command_id: ClassVar[int] = 0

    sequence: int = 0
    status: int = 0


class GenericNack(Pdu, gc=False):
    """Answer to what could not be read as a request (§4.3.1)."""

    command_id: ClassVar[int] = CommandId.GENERIC_NACK


class Bind(Pdu, gc=False):
    """The body that all three binds share (§4.1.1)."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: Annotated[str, CString(13, Status.RINVSYSTYP)] = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: Annotated[str, CString(41, Status.RBINDFAIL)] = ""
    tlvs: Tlvs = ()


class BindReceiver(Bind, gc=False):
    """Open a session that takes deliver_sm (§4.1.3)."""

    command_id: ClassVar[int] = CommandId.BIND_RECEIVER


class BindTransmitter(Bind, gc=False):
    """Open a session that sends submit_sm (§4.1.1)."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER


class BindTransceiver(Bind, gc=False):
    """Open a session for both (§4.1.5), not in 3.3."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER


class BindResp(Pdu, gc=False):
    """The body that the answers to all three binds share (§4.1.2)."""

    system_id: SystemId = ""
    tlvs: Tlvs = ()


class BindReceiverResp(BindResp, gc=False):
    """Answer to `BindReceiver` (§4.1.4)."""

    command_id: ClassVar[int] = CommandId.BIND_RECEIVER_RESP


class BindTransmitterResp(BindResp, gc=False):
    """Answer to `BindTransmitter` (§4.1.2)."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER_RESP


class BindTransceiverResp(BindResp, gc=False):
    """Answer to `BindTransceiver` (§4.1.6)."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER_RESP


class Outbind(Pdu, gc=False):
    """The SMSC asks an ESME that it has called to bind as receiver (§4.1.7); it has no answer."""

    command_id: ClassVar[int] = CommandId.OUTBIND

    system_id: SystemId = ""
    password: Password = ""


class Unbind(Pdu, gc=False):
    """End the session (§4.2.1)."""

    command_id: ClassVar[int] = CommandId.UNBIND


class UnbindResp(Pdu, gc=False):
    """Answer to `Unbind` (§4.2.2)."""

    command_id: ClassVar[int] = CommandId.UNBIND_RESP


class EnquireLink(Pdu, gc=False):
    """Are you there (§4.11.1)."""

    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK


class EnquireLinkResp(Pdu, gc=False):
    """Answer to `EnquireLink` (§4.11.2)."""

    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK_RESP


class ShortMessagePdu(Pdu, gc=False):
    """The body that submit_sm and deliver_sm share (§4.4.1)."""

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestinationAddress = ""
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""
    tlvs: Tlvs = ()


class MessageIdResp(Pdu, gc=False):
    """The body that the answers to all kinds of messages share (§4.4.2); its TLVs are 5.0, but for data_sm_resp."""

    message_id: ResponseId = ""
    tlvs: Tlvs = ()


class SubmitSm(ShortMessagePdu, gc=False):
    """A message from an ESME (§4.4.1)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_SM


class SubmitSmResp(MessageIdResp, gc=False):
    """Answer to `SubmitSm` (§4.4.2)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_SM_RESP


class DeliverSm(ShortMessagePdu, gc=False):
    """A message or a receipt to an ESME (§4.6.1)."""

    command_id: ClassVar[int] = CommandId.DELIVER_SM


class DeliverSmResp(MessageIdResp, gc=False):
    """Answer to `DeliverSm` (§4.6.2). message_id is unused: one that comes all the same is kept."""

    command_id: ClassVar[int] = CommandId.DELIVER_SM_RESP


class DataSm(Pdu, gc=False):
    """A message either way, its text in the parameter message_payload (§4.7.1)."""

    command_id: ClassVar[int] = CommandId.DATA_SM

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: LongDestinationAddress = ""
    esm_class: Octet = 0
    registered_delivery: Octet = 0
    data_coding: Octet = 0
    tlvs: Tlvs = ()


class DataSmResp(MessageIdResp, gc=False):
    """Answer to `DataSm` (§4.7.2)."""

    command_id: ClassVar[int] = CommandId.DATA_SM_RESP


class SubmitMulti(Pdu, gc=False):
    """One message to several destinations (§4.5.1)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_address: Destinations = ()
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""
    tlvs: Tlvs = ()


class SubmitMultiResp(Pdu, gc=False):
    """Answer to `SubmitMulti` (§4.5.2)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI_RESP

    message_id: ResponseId = ""
    unsuccess_sme: Refused = ()
    tlvs: Tlvs = ()


class QuerySm(Pdu, gc=False):
    """What became of a message (§4.8.1)."""

    command_id: ClassVar[int] = CommandId.QUERY_SM

    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""


class QuerySmResp(Pdu, gc=False):
    """Answer to `QuerySm` (§4.8.2). `final_date` is empty until the state is final."""

    command_id: ClassVar[int] = CommandId.QUERY_SM_RESP

    message_id: ResponseId = ""
    final_date: Annotated[str, CString(17)] = ""
    message_state: Octet = 0
    error_code: Octet = 0
    tlvs: Tlvs = ()


class CancelSm(Pdu, gc=False):
    """Don't send a message, or all between two addresses (§4.9.1)."""

    command_id: ClassVar[int] = CommandId.CANCEL_SM

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestinationAddress = ""


class CancelSmResp(Pdu, gc=False):
    """Answer to `CancelSm` (§4.9.2)."""

    command_id: ClassVar[int] = CommandId.CANCEL_SM_RESP


class ReplaceSm(Pdu, gc=False):
    """New text, times and receipt wish for a message that still waits (§4.10.1); TLVs from 5.0 on."""

    command_id: ClassVar[int] = CommandId.REPLACE_SM

    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: Text = b""
    tlvs: Tlvs = ()


class ReplaceSmResp(Pdu, gc=False):
    """Answer to `ReplaceSm` (§4.10.2)."""

    command_id: ClassVar[int] = CommandId.REPLACE_SM_RESP


class AlertNotification(Pdu, gc=False):
    """A handset that was asked for can be reached again (§4.12.1); it has no answer."""

    command_id: ClassVar[int] = CommandId.ALERT_NOTIFICATION

    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddress = ""
    esme_addr_ton: Octet = 0
    esme_addr_npi: Octet = 0
    esme_addr: LongDestinationAddress = ""
    tlvs: Tlvs = ()


class BroadcastSm(Pdu, gc=False):
    """A message to all handsets of an area (5.0 §4.4.1); area, content type, repetitions and interval are TLVs."""

    command_id: ClassVar[int] = CommandId.BROADCAST_SM

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    message_id: MessageId = ""
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    tlvs: Tlvs = ()


class BroadcastSmResp(MessageIdResp, gc=False):
    """Answer to `BroadcastSm` (5.0 §4.4.1.2)."""

    command_id: ClassVar[int] = CommandId.BROADCAST_SM_RESP


class QueryBroadcastSm(Pdu, gc=False):
    """What became of a broadcast (5.0 §4.6.1)."""

    command_id: ClassVar[int] = CommandId.QUERY_BROADCAST_SM

    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    tlvs: Tlvs = ()


class QueryBroadcastSmResp(MessageIdResp, gc=False):
    """Answer to `QueryBroadcastSm` (5.0 §4.6.1.2); the state is in the TLVs."""

    command_id: ClassVar[int] = CommandId.QUERY_BROADCAST_SM_RESP


class CancelBroadcastSm(Pdu, gc=False):
    """Stop a broadcast (5.0 §4.6.2)."""

    command_id: ClassVar[int] = CommandId.CANCEL_BROADCAST_SM

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    tlvs: Tlvs = ()


class CancelBroadcastSmResp(Pdu, gc=False):
    """Answer to `CancelBroadcastSm` (5.0 §4.6.2.3)."""

    command_id: ClassVar[int] = CommandId.CANCEL_BROADCAST_SM_RESP


def _concrete(base: type[Pdu]) -> list[type[Pdu]]:
    """All classes under `base` that are a PDU of their own, not only a shared body."""
    found = [one for one in base.__subclasses__() if one.command_id]
    return found + [two for one in base.__subclasses__() for two in _concrete(one)]


BY_COMMAND: dict[int, type[Pdu]] = {int(pdu.command_id): pdu for pdu in _concrete(Pdu)}
"""Which class a command_id is. The answer to a request is at `command_id | RESPONSE`, where there is one."""
