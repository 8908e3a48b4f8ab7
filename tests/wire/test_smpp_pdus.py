"""Every SMPP PDU against its golden octets, which were laid out from the specifications, not by our encoder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emg.wire.smpp import pdus
from emg.wire.smpp.lists import ListName, SmeAddress, UnsuccessSme
from emg.wire.smpp.pdus import BY_COMMAND, Pdu


def read_golden(path: Path) -> dict[str, bytes]:
    """The cases of a golden file: a name in brackets, then lines of hex, each with its comment behind two spaces."""
    cases: dict[str, bytes] = {}
    name = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            cases[name] = b""
        elif name:
            cases[name] += bytes.fromhex(line.partition("  ")[0])
    return cases


GOLDEN = read_golden(Path(__file__).with_name("smpp_pdus.txt"))

BIND = {
    "system_id": "customer", "password": "secret08", "system_type": "VMA", "interface_version": 0x34,
    "addr_ton": 1, "addr_npi": 1, "address_range": "^46",
}  # fmt: skip
VERSION = ((0x0210, b"\x50"),)
SOURCE = {"source_addr_ton": 5, "source_addr": "ACME"}
HANDSET = {"source_addr_ton": 1, "source_addr_npi": 1, "source_addr": "46701234567"}
DEST = {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": "46701234567"}
RECEIPT = (
    b"id:1000000000000042 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hi"
)

PDUS: dict[str, Pdu] = {
    "bind_receiver": pdus.BindReceiver(1, **BIND),
    "bind_transmitter": pdus.BindTransmitter(2, **BIND),
    "bind_transceiver": pdus.BindTransceiver(3, **BIND),
    "bind_receiver_resp": pdus.BindReceiverResp(1, system_id="EMG", tlvs=VERSION),
    "bind_transmitter_resp": pdus.BindTransmitterResp(2, system_id="EMG", tlvs=VERSION),
    "bind_transceiver_resp": pdus.BindTransceiverResp(3, system_id="EMG", tlvs=VERSION),
    "bind_transceiver_resp, refused": pdus.BindTransceiverResp(3, 0x0E),
    "outbind": pdus.Outbind(4, system_id="SMSC", password="pass"),
    "unbind": pdus.Unbind(5),
    "unbind_resp": pdus.UnbindResp(5),
    "enquire_link": pdus.EnquireLink(6),
    "enquire_link_resp": pdus.EnquireLinkResp(6),
    "generic_nack": pdus.GenericNack(7, 3),
    "submit_sm": pdus.SubmitSm(
        8,
        service_type="WAP",
        **SOURCE,
        **DEST,
        esm_class=0x40,
        protocol_id=0x41,
        priority_flag=2,
        schedule_delivery_time="260102030405604+",
        validity_period="000001000000000R",
        registered_delivery=1,
        replace_if_present_flag=1,
        data_coding=8,
        sm_default_msg_id=9,
        short_message=b"\x05\x00\x03\x2a\x02\x01\x00H\x00i",
        tlvs=((0x0204, b"\x12\x34"), (0x1401, b"own")),
    ),
    "submit_sm, as small as it can be": pdus.SubmitSm(9),
    "submit_sm_resp": pdus.SubmitSmResp(8, message_id="1000000000000042"),
    "submit_sm_resp, refused": pdus.SubmitSmResp(9, 0x58),
    "deliver_sm": pdus.DeliverSm(
        10,
        **HANDSET,
        dest_addr_ton=5,
        destination_addr="ACME",
        esm_class=4,
        short_message=RECEIPT,
        tlvs=((0x1E, b"1000000000000042\0"), (0x427, b"\x02"), (0x423, b"\x03\x00\x00")),
    ),
    "deliver_sm_resp": pdus.DeliverSmResp(10),
    "data_sm": pdus.DataSm(
        11, service_type="CMT", **SOURCE, **DEST, registered_delivery=1, data_coding=4, tlvs=((0x424, b"\xfe\xff"),)
    ),
    "data_sm_resp": pdus.DataSmResp(11, 0xFE, "7b", ((0x425, b"\x01"),)),
    "submit_multi": pdus.SubmitMulti(
        12,
        **SOURCE,
        dest_address=(SmeAddress(1, 1, "46701234567"), ListName("staff")),
        priority_flag=1,
        short_message=b"Hi",
        tlvs=((0x381, b"\x01\x01\x01123"),),
    ),
    "submit_multi_resp": pdus.SubmitMultiResp(12, 0, "43", (UnsuccessSme(1, 1, "46701234567", 0x0B),)),
    "query_sm": pdus.QuerySm(13, message_id="42", **SOURCE),
    "query_sm_resp": pdus.QuerySmResp(13, 0, "42", "260102030405000+", 2, 7),
    "cancel_sm": pdus.CancelSm(14, service_type="VMN", message_id="42", **SOURCE, **DEST),
    "cancel_sm_resp": pdus.CancelSmResp(14),
    "replace_sm": pdus.ReplaceSm(
        15,
        message_id="42",
        **SOURCE,
        schedule_delivery_time="260102030405000-",
        registered_delivery=1,
        sm_default_msg_id=3,
        short_message=b"Ho",
    ),
    "replace_sm_resp": pdus.ReplaceSmResp(15, 0x13),
    "alert_notification": pdus.AlertNotification(
        16, **HANDSET, esme_addr_ton=2, esme_addr_npi=8, esme_addr="0701", tlvs=((0x422, b"\x00"),)
    ),
    "broadcast_sm": pdus.BroadcastSm(
        17,
        service_type="CBS",
        **SOURCE,
        priority_flag=3,
        validity_period="000000010000000R",
        tlvs=((0x606, b"\x00abc"), (0x601, b"\x01\x00\x00"), (0x604, b"\x00\x01"), (0x605, b"\x0a\x00\x01")),
    ),
    "broadcast_sm_resp": pdus.BroadcastSmResp(17, 0, "b1", ((0x607, b"\x00\x00\x01\x09"),)),
    "query_broadcast_sm": pdus.QueryBroadcastSm(18, message_id="b1", **SOURCE),
    "query_broadcast_sm_resp": pdus.QueryBroadcastSmResp(18, 0, "b1", ((0x427, b"\x01"), (0x608, b"\x64"))),
    "cancel_broadcast_sm": pdus.CancelBroadcastSm(
        19, service_type="CBS", message_id="b1", **SOURCE, tlvs=((0x204, b"\x00\x01"),)
    ),
    "cancel_broadcast_sm_resp": pdus.CancelBroadcastSmResp(19),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_octets_are_read_and_written(name: str, check_pdu: Callable[..., None]) -> None:
    check_pdu(GOLDEN[name], PDUS[name])


def test_every_pdu_has_golden_octets() -> None:
    assert GOLDEN.keys() == PDUS.keys()
    assert {type(pdu) for pdu in PDUS.values()} == set(BY_COMMAND.values())
