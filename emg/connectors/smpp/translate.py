"""SMPP's PDUs as messages, and messages as PDUs. Pure: bytes and values alone.

What one SMPP side says is told to the other unchanged wherever both mean the same: data coding with its class bits, user data header,
vendor parameters. Text is converted only where the far side's default alphabet differs (DEFAULT_CHARCODE), and never truncated: what
does not fit its alphabet goes as UCS-2. Raises `Rejected` for what cannot be a message.
"""

from typing import Final, TypeVar

from emg.config.model import ConnectorConfig, ConnectorType
from emg.errors import Cause, Rejected
from emg.message import NORMAL_RANK, Encoding, Kind, Message, Report, State, Want
from emg.rules.address import Addressing
from emg.text import gsm7, udh
from emg.text.coding import dcs_for, encoding_of, encodings, transcode
from emg.text.errors import TextError
from emg.wire.smpp import times
from emg.wire.smpp.names import Tag
from emg.wire.smpp.pdus import DataSm, DeliverSm, ReplaceSm, SubmitSm
from emg.wire.smpp.receipt import LONGEST_WIDE_ID, is_shown, write_receipt

UDHI: Final = 0x40
RECEIPT: Final = 0x04
INTERMEDIATE: Final = 0x20
LONGEST_SHORT: Final = 254
LONGEST_PAYLOAD: Final = 65535
_ASKED: Final = (Want.NOTHING, Want.FINAL, Want.FAILURE, Want.SUCCESS)
WANTS: Final = [_ASKED[bits & 3] | (Want.INTERMEDIATE if bits & 0x10 else Want.NOTHING) for bits in range(0x14)]
"""By registered_delivery's bits 0, 1 and 4 (SMPP 3.4 §5.2.17; success alone is 5.0's)."""

# A member of an enum costs ten times as much as a name of the module.
_NORMAL: Final = Kind.NORMAL
_GSM7: Final = Encoding.GSM7
_UCS2: Final = Encoding.UCS2
_INTERMEDIATE: Final = int(Want.INTERMEDIATE)
_FINAL: Final = int(State.DELIVERED)
_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
_REFERENCE: Final = int(Tag.USER_MESSAGE_REFERENCE)
Tlvs = tuple[tuple[int, bytes], ...]
T = TypeVar("T", int, str)


class Inward:
    """Reads PDUs of one connector; built from its settings, swapped on reload."""

    __slots__ = ("addressing", "_config", "_encodings", "_forces_priority", "_forces_wants", "_packed")

    def __init__(self, config: ConnectorConfig, addressing: Addressing) -> None:
        self._config = config
        self.addressing = addressing
        self._encodings = encodings(config.default_charcode)
        self._packed = config.packed7bit
        self._forces_wants = config.force_dlr is not None or config.default_dlr is not None
        self._forces_priority = config.type is ConnectorType.INCOMING and (
            config.force_priority is not None or config.default_priority is not None
        )

    def message(self, pdu: SubmitSm | DeliverSm, connector: str, account: str, ip: str, now: float) -> Message:
        """A submit_sm or deliver_sm as a message without id and queue. Raises Rejected."""
        body, tlvs = pdu.short_message, pdu.tlvs
        reference = ""
        if tlvs:
            body, tlvs, reference = _sort_tlvs(body, tlvs)
        expires = due = 0.0
        if pdu.validity_period or pdu.schedule_delivery_time:
            due, expires = times_of(pdu, now)
        message = self._message(pdu, body, tlvs, connector, account, ip, now, due, expires)
        if reference:
            message.reference = reference
        priority = pdu.priority_flag
        if self._forces_priority:  # also in our queues, where a priority goes before all lower ones, whoever chose it
            priority = _chosen(self._config.force_priority, priority, self._config.default_priority)
        if priority:
            message.priority = priority
            message.rank = NORMAL_RANK - min(priority, NORMAL_RANK)
        if self._forces_wants:
            self._apply_wants(message)
        return message

    def data(self, pdu: DataSm, connector: str, account: str, ip: str, now: float) -> Message:
        """A data_sm as a message. Raises Rejected."""
        body, tlvs, reference = _sort_tlvs(b"", pdu.tlvs)
        message = self._message(pdu, body, tlvs, connector, account, ip, now, 0.0, 0.0)
        message.reference = reference
        return message

    def _message(
        self, pdu: SubmitSm | DeliverSm | DataSm, body: bytes, tlvs: Tlvs, connector: str, account: str, ip: str,
        now: float, due: float, expires: float,
    ) -> Message:  # fmt: skip
        addressing = self.addressing
        source, source_ton, source_npi = addressing.source(pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi)
        dest, dest_ton, dest_npi = addressing.dest(pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi)
        dcs, mode = pdu.data_coding, pdu.esm_class
        encoding = self._encodings[dcs]
        header = b""
        if mode & UDHI:
            header, body = _cut(body)
            mode &= ~UDHI
        if self._packed and encoding is _GSM7:
            body = gsm7.unpack(body, None, gsm7.fill_bits(len(header)) if header else 0)
        if encoding is _UCS2 and len(body) & 1:
            raise Rejected(Cause.BAD_TEXT, "UCS-2 text with an odd number of octets")
        want = WANTS[pdu.registered_delivery & 0x13]
        return Message(
            0, _NORMAL, "", connector, account, source, source_ton, source_npi, dest, dest_ton, dest_npi,
            encoding, dcs, header, body, now, due, expires, NORMAL_RANK, want, False, pdu.service_type,
            getattr(pdu, "protocol_id", 0), mode, 0, getattr(pdu, "replace_if_present_flag", 0), tlvs,
            remote_ip=ip, own_validity=expires > 0,
        )  # fmt: skip

    def _apply_wants(self, message: Message) -> None:
        config = self._config
        if config.force_dlr is not None:
            message.want = config.force_dlr
        elif not message.want and config.default_dlr is not None:
            message.want = config.default_dlr


def times_of(pdu: SubmitSm | DeliverSm | ReplaceSm, now: float) -> tuple[float, float]:
    """schedule_delivery_time and validity_period as (due, expires) (SMPP 3.4 §7.1.1; protocol case S52)."""
    try:
        due = times.parse_time(pdu.schedule_delivery_time, now) or 0.0
    except ValueError as error:
        raise Rejected(Cause.BAD_SCHEDULE, str(error)) from error
    try:
        expires = times.parse_time(pdu.validity_period, now) or 0.0
    except ValueError as error:
        raise Rejected(Cause.BAD_VALIDITY, str(error)) from error
    if due and due <= now - 60.0:
        raise Rejected(Cause.BAD_SCHEDULE, "the scheduled time is in the past")
    if expires and expires <= max(now, due):
        raise Rejected(Cause.BAD_VALIDITY, "the validity ends before the message could be sent")
    return due if due > now else 0.0, expires


def _sort_tlvs(body: bytes, tlvs: Tlvs) -> tuple[bytes, Tlvs, str]:
    """Text, what is passed on, and the sender's reference."""
    rest = []
    reference = ""
    for tag, value in tlvs:
        if tag == _PAYLOAD:
            if body:
                raise Rejected(Cause.SYNTAX, "both short_message and message_payload")
            body = value
        else:
            if tag == _REFERENCE:
                reference = value.hex()
            rest.append((tag, value))
    return body, tuple(rest), reference


def _cut(body: bytes) -> tuple[bytes, bytes]:
    try:
        return udh.cut(body)
    except TextError as error:
        raise Rejected(Cause.BAD_TEXT, str(error)) from error


class Outward:
    """Writes PDUs for one connector; built from its settings, swapped on reload."""

    __slots__ = ("addressing", "_config", "_default", "_encodings", "_forced", "_plain", "_straight")

    def __init__(self, config: ConnectorConfig, addressing: Addressing) -> None:
        self._config = config
        self.addressing = addressing
        self._default = config.default_charcode
        self._plain = not config.packed7bit and config.force_dcs is None
        self._forced = any(
            value is not None
            for value in (
                config.force_servicetype, config.default_servicetype, config.force_protocolid, config.default_protocolid,
                config.force_priority, config.default_priority, config.force_dlr, config.default_dlr,
            )
        )  # fmt: skip
        self._encodings = encodings(config.default_charcode)
        self._straight = self._plain and not self._forced and addressing.is_identity
        """Nothing is set that changes a message: most are written in one step."""

    def submit(self, message: Message) -> SubmitSm:
        """A message as submit_sm. Raises Rejected, TextError, LocalProtocolError when it cannot be one."""
        want = int(message.want)
        registered = (0x11 if want & _INTERMEDIATE else 1) if want else 0
        if self._straight and message.dcs >= 0 and self._encodings[message.dcs] is message.encoding and not message.udh:
            body = message.body
            if len(body) <= LONGEST_SHORT and not message.own_validity:
                return SubmitSm(
                    0, 0, message.service_type, message.source_ton, message.source_npi, message.source,
                    message.dest_ton, message.dest_npi, message.dest, message.mode, message.protocol_id, message.priority,
                    "", "", registered, message.replace, message.dcs, 0, body, message.tlvs,
                )  # fmt: skip
        pdu = SubmitSm()
        self._fill(pdu, message)
        pdu.registered_delivery = registered
        if message.own_validity:
            pdu.validity_period = times.format_absolute(message.expires)
        if self._forced:
            self._force(pdu)
        return pdu

    def deliver(self, message: Message, visible_id: str) -> DeliverSm:
        """A message or a report as deliver_sm. `visible_id`: what the customer calls the message of the report."""
        if message.report is None:
            pdu = DeliverSm()
            self._fill(pdu, message)
            if message.want:
                pdu.registered_delivery = 1
            return pdu
        pdu = DeliverSm()
        self._address(pdu, message)
        pdu.short_message, pdu.tlvs = write_receipt(message.report, visible_id, alphabet=self._default)
        if self._config.dlr_ucs2:
            self._widen(pdu, message.report, visible_id)
        pdu.esm_class = RECEIPT if message.report.state >= _FINAL else INTERMEDIATE
        return pdu

    def report(self, message: Message, visible_id: str) -> SubmitSm:
        """A report towards a far side that we submit to (ROUTEDLR to an outgoing connector)."""
        pdu = SubmitSm()
        self._address(pdu, message)
        assert message.report is not None, "a report without its content"
        pdu.short_message, pdu.tlvs = write_receipt(message.report, visible_id, alphabet=self._default)
        if self._config.dlr_ucs2:
            self._widen(pdu, message.report, visible_id)
        pdu.esm_class = RECEIPT
        return pdu

    def _widen(self, pdu: SubmitSm | DeliverSm, report: Report, visible_id: str) -> None:
        """The receipt as UCS-2, where it repeats what the alphabet has not (DLR_UCS2)."""
        if report.text and len(visible_id) <= LONGEST_WIDE_ID and not is_shown(report.text, self._default):
            pdu.short_message, pdu.tlvs = write_receipt(report, visible_id, alphabet=Encoding.UCS2)
            pdu.data_coding = dcs_for(Encoding.UCS2, self._default)

    def _address(self, pdu: SubmitSm | DeliverSm, message: Message) -> None:
        source, source_ton, source_npi = message.source, message.source_ton, message.source_npi
        dest, dest_ton, dest_npi = message.dest, message.dest_ton, message.dest_npi
        addressing = self.addressing
        if not addressing.is_identity:
            source, source_ton, source_npi = addressing.source(source, source_ton, source_npi)
            dest, dest_ton, dest_npi = addressing.dest(dest, dest_ton, dest_npi)
        pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi = source, source_ton, source_npi
        pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi = dest, dest_ton, dest_npi

    def _fill(self, pdu: SubmitSm | DeliverSm, message: Message) -> None:
        self._address(pdu, message)
        encoding, body, header = message.encoding, message.body, message.udh
        if encoding is not Encoding.OPAQUE and message.dcs >= 0 and encoding_of(message.dcs, self._default) is encoding:
            pdu.data_coding = message.dcs
        else:
            body, pdu.data_coding = self._coded(body, encoding, message.dcs)
        if not self._plain:
            body = self._shape(pdu, body, encoding, header)
        pdu.esm_class = message.mode
        if header:
            body = header + body
            pdu.esm_class |= UDHI
        pdu.service_type = message.service_type
        pdu.protocol_id = message.protocol_id
        pdu.priority_flag = message.priority
        pdu.replace_if_present_flag = message.replace
        pdu.tlvs = message.tlvs
        if len(body) <= LONGEST_SHORT:
            pdu.short_message = body
        elif len(body) <= LONGEST_PAYLOAD:
            pdu.tlvs = (*message.tlvs, (_PAYLOAD, body))
        else:
            raise Rejected(Cause.TOO_LONG, f"{len(body)} octets do not fit message_payload")

    def _coded(self, body: bytes, encoding: Encoding, dcs: int) -> tuple[bytes, int]:
        """Body and data coding for a far side whose default alphabet is another one."""
        if encoding is Encoding.OPAQUE:
            return body, max(dcs, 0)
        try:
            return body, dcs_for(encoding, self._default, dcs)
        except TextError:
            pass  # no data coding says this encoding to that peer: convert it
        try:
            return transcode(body, encoding, self._default), 0
        except TextError:
            return transcode(body, encoding, Encoding.UCS2), dcs_for(Encoding.UCS2, self._default, dcs)

    def _shape(self, pdu: SubmitSm | DeliverSm, body: bytes, encoding: Encoding, header: bytes) -> bytes:
        if self._config.force_dcs is not None:
            pdu.data_coding = self._config.force_dcs
        if self._config.packed7bit and encoding is Encoding.GSM7:
            return gsm7.pack(body, gsm7.fill_bits(len(header)) if header else 0)
        return body

    def _force(self, pdu: SubmitSm) -> None:
        config = self._config
        pdu.service_type = _chosen(config.force_servicetype, pdu.service_type, config.default_servicetype)
        pdu.protocol_id = _chosen(config.force_protocolid, pdu.protocol_id, config.default_protocolid)
        pdu.priority_flag = _chosen(config.force_priority, pdu.priority_flag, config.default_priority)
        if config.force_dlr is not None:
            pdu.registered_delivery = int(bool(config.force_dlr))
        elif config.default_dlr and not pdu.registered_delivery:
            pdu.registered_delivery = 1


def _chosen(force: T | None, given: T, default: T | None) -> T:
    if force is not None:
        return force
    return default if default is not None and not given else given
