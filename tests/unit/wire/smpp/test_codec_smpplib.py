"""smpplib as a second opinion: what we write it reads as the same values, and what it writes we do.

smpplib keeps strings as bytes when reading, leaves an empty text away, and knows TLVs by field name.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts, exceptions, smpp

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode, fields
from emg.wire.smpp.fields import U8, CString
from emg.wire.smpp.names import CommandId, Status, Tag
from emg.wire.smpp.pdus import BY_COMMAND, Pdu
from emg.wire.smpp.tlvs import make_tlv

OCTET = st.integers(0, 255)
WORD = st.integers(0, 0xFFFFFFFF)
# smpplib has no class for the rest.
KNOWN = [
    pdus.BindReceiver, pdus.BindTransmitter, pdus.BindTransceiver,
    pdus.BindReceiverResp, pdus.BindTransmitterResp, pdus.BindTransceiverResp,
    pdus.SubmitSm, pdus.SubmitSmResp, pdus.DeliverSm, pdus.DeliverSmResp, pdus.DataSm, pdus.DataSmResp,
    pdus.QuerySm, pdus.QuerySmResp, pdus.EnquireLink, pdus.EnquireLinkResp, pdus.Unbind, pdus.UnbindResp,
    pdus.AlertNotification, pdus.GenericNack,
]  # fmt: skip
TLVS: dict[str, st.SearchStrategy[Any]] = {
    "user_message_reference": st.integers(0, 0xFFFF),
    "source_port": st.integers(0, 0xFFFF),
    "sar_total_segments": OCTET,
    "network_error_code": st.binary(min_size=3, max_size=3),
    "message_state": OCTET,
    "receipted_message_id": st.text("0123456789abcdef", min_size=1, max_size=64),
    "message_payload": st.binary(min_size=1, max_size=400),
}


class Client:
    """What smpplib's PDUs ask for a sequence number."""

    sequence = 0

    def next_sequence(self) -> int:
        return 1


def make_theirs(command_id: int, **values: Any) -> Any:
    return smpp.make_pdu(CommandId(command_id).name.lower(), client=Client(), **values)


def strings(size: int, least: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=least, max_size=size - 1)


@st.composite
def some_pdu(draw: st.DrawFn, kinds: list[type[Pdu]]) -> tuple[Pdu, dict[str, Any]]:
    """A PDU of ours and the values in it, TLVs by name."""
    pdu = draw(st.sampled_from(kinds))
    body: dict[str, Any] = {}
    for name, kind in fields(pdu).items():
        match kind:
            case U8():
                body[name] = draw(OCTET)
            case CString():
                # smpplib does not write a query_sm without an id, and cuts all addresses at 20 characters.
                size = min(kind.size, 21) if name.endswith("_addr") else kind.size
                body[name] = draw(strings(size, 1 if name == "message_id" else 0))
            case _:
                body[name] = draw(st.binary(max_size=254))
    extra: dict[str, Any] = {}
    if pdu in {pdus.DeliverSm, pdus.DataSm}:
        extra = {name: draw(values) for name, values in TLVS.items() if draw(st.booleans())}
        if pdu is pdus.DataSm:
            extra.pop("sar_total_segments", None)
    if body.get("short_message"):
        extra.pop("message_payload", None)
    tlvs = tuple(make_tlv(Tag[name.upper()], value) for name, value in extra.items())
    sequence = draw(WORD)
    ours = pdu(sequence, 0, **body, tlvs=tlvs) if extra else pdu(sequence, 0, **body)
    return ours, body | extra


def seen(value: Any) -> Any:
    """A value of ours as smpplib gives it back."""
    return value.encode("latin-1") if isinstance(value, str) else value


@given(some_pdu(KNOWN))
def test_smpplib_reads_what_we_write(case: tuple[Pdu, dict[str, Any]]) -> None:
    ours, values = case
    theirs = smpp.parse_pdu(encode(ours), client=Client())
    assert theirs.sequence == ours.sequence
    assert theirs.status == 0
    assert theirs.command == CommandId(ours.command_id).name.lower()
    for name, value in values.items():
        got = getattr(theirs, name)
        assert (b"" if got is None else got) == seen(value), name


@given(some_pdu(KNOWN))
def test_we_read_what_smpplib_writes(case: tuple[Pdu, dict[str, Any]]) -> None:
    ours, values = case
    theirs = make_theirs(ours.command_id, **values)
    theirs.sequence = ours.sequence
    for name, value in values.items():
        setattr(theirs, name, value)
    got = decode(theirs.generate())
    if hasattr(ours, "tlvs"):
        # Each side has its own order of TLVs.
        ours.tlvs = tuple(sorted(ours.tlvs))
        got.tlvs = tuple(sorted(got.tlvs))
    assert got == ours


def test_the_numbers_are_those_that_smpplib_knows() -> None:
    for name, value in vars(consts).items():
        if name.startswith("SMPP_ESME_"):
            assert Status[name.removeprefix("SMPP_ESME_")] == value
    for name, tag in consts.OPTIONAL_PARAMS.items():
        assert Tag[name.upper()] == tag


@pytest.mark.parametrize("pdu", KNOWN, ids=lambda pdu: pdu.__name__)
def test_the_fields_are_those_that_smpplib_knows(pdu: type[Pdu]) -> None:
    """Same names in the same order; sm_length is not a field of ours, and TLVs are a list."""
    theirs = make_theirs(pdu.command_id)
    order = [
        name
        for name in getattr(theirs, "params_order", ())
        if name not in consts.OPTIONAL_PARAMS or (pdu is pdus.QuerySmResp and name == "message_state")
    ]
    assert [name for name in order if name != "sm_length"] == list(fields(pdu))


def test_the_list_of_what_smpplib_knows_is_whole() -> None:
    unknown = set()
    for pdu in BY_COMMAND.values():
        try:
            make_theirs(pdu.command_id)
        except exceptions.UnknownCommandError:
            unknown.add(pdu)
    assert set(BY_COMMAND.values()) - unknown == set(KNOWN)
