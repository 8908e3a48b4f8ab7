"""Guards over SMPP's tables: nothing that has a number is forgotten, and no two tables say different things."""

import pytest

from emg.wire.smpp import codec, tlvs
from emg.wire.smpp.fields import CString, ShortMessage
from emg.wire.smpp.names import RESPONSE, CommandId, Status, Tag, Version, status_name
from emg.wire.smpp.pdus import BY_COMMAND, Pdu

UNANSWERED = {CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION}


def test_every_command_has_its_class() -> None:
    assert BY_COMMAND.keys() == set(CommandId)
    for command, pdu in BY_COMMAND.items():
        assert pdu.__name__.lower() == CommandId(command).name.replace("_", "").lower()


def test_every_request_but_two_has_an_answer() -> None:
    requests = {command for command in CommandId if not command & RESPONSE}
    assert {command for command in requests if command | RESPONSE not in BY_COMMAND} == UNANSWERED


@pytest.mark.parametrize("pdu", BY_COMMAND.values(), ids=lambda pdu: pdu.__name__)
def test_every_pdu_has_the_shape_that_the_codec_relies_on(pdu: type[Pdu]) -> None:
    """Header first, TLVs last, and a text nowhere but before them: the encoder puts its octets behind all the rest."""
    names = pdu.__struct_fields__
    assert names[:2] == ("sequence", "status")
    assert "tlvs" not in names[:-1]
    kinds = list(codec.fields(pdu).values())
    assert not any(isinstance(kind, ShortMessage) for kind in kinds[:-1])


@pytest.mark.parametrize("pdu", BY_COMMAND.values(), ids=lambda pdu: pdu.__name__)
def test_every_string_of_a_request_has_a_status_of_its_own(pdu: type[Pdu]) -> None:
    if pdu.command_id & RESPONSE:
        return
    for name, kind in codec.fields(pdu).items():
        assert not isinstance(kind, CString) or kind.status != Status.RSYSERR, name


def test_every_standard_tag_has_its_form() -> None:
    assert tlvs.TLV_FORMS.keys() == set(Tag)
    for form in tlvs.TLV_FORMS.values():
        assert form.least <= form.most
        assert form.kind is not int or form.least == form.most <= 4


def test_the_broadcast_parameters_came_with_5_0() -> None:
    assert {tag for tag, form in tlvs.TLV_FORMS.items() if form.since == Version.V50} == {
        tag for tag in Tag if 0x0600 <= tag <= 0x0613 or tag == Tag.CONGESTION_STATE
    }


def test_statuses_are_shown_by_name_or_number() -> None:
    assert status_name(0x58) == "RTHROTTLED"
    assert status_name(0xC0) == "RINVOPTPARSTREAM"
    assert status_name(0x45B) == "0x0000045B"
    assert Status.RINVTLVSTREAM is Status.RINVOPTPARSTREAM
