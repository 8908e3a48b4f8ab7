"""`emg pdu`: every PDU is shown whole, broken ones as far as they go with the place of the fault."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.tools import hexinput, meanings, pdu
from emg.tools.dissect import cut, dissect
from emg.wire.smpp import show
from emg.wire.smpp.codec import PduError, decode, encode
from emg.wire.smpp.lists import ListName, SmeAddress
from emg.wire.smpp.names import Tag
from emg.wire.smpp.pdus import (
    BY_COMMAND,
    BindTransceiver,
    DeliverSm,
    EnquireLink,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
)

SUBMIT = encode(
    SubmitSm(
        7,
        source_addr="EMG", source_addr_ton=5, destination_addr="46701234567", dest_addr_ton=1, dest_addr_npi=1,
        esm_class=0x40, registered_delivery=1, validity_period="000001000000000R",
        short_message=bytes.fromhex("050003CC0201") + b"Hi there",
        tlvs=((0x1401, b"abc"), (Tag.SOURCE_PORT, b"\x01\x02")),
    )
)  # fmt: skip
RECEIPT = encode(
    DeliverSm(
        8,
        esm_class=4,
        short_message=b"id:123 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:a b",
        tlvs=(
            (Tag.RECEIPTED_MESSAGE_ID, b"123\0"),
            (Tag.MESSAGE_STATE, b"\x02"),
            (Tag.NETWORK_ERROR_CODE, b"\x03\0\x1b"),
        ),
    )
)


def shown(octets):
    found = dissect(octets)
    return {row.name: (row.value, row.meaning) for row in found.rows}, found.fault


def test_a_submit_sm_is_told_field_by_field():
    rows, fault = shown(SUBMIT)
    assert fault == ""
    assert rows["command_id"] == ("0x00000004", "submit_sm")
    assert rows["sequence_number"] == (7, "")
    assert rows["source_addr_ton"] == (5, "alphanumeric")
    assert rows["destination_addr"] == ("46701234567", "")
    assert rows["esm_class"] == (64, "default mode, user data header")
    assert rows["validity_period"][1] == "86400 s from now"
    assert rows["registered_delivery"] == (1, "receipt")
    assert rows["UDH concatenation 8"] == ("cc0201", "part 1 of 2, reference 204")
    assert rows["text"][0] == "Hi there"
    assert rows["TLV 0x1401 vendor parameter"] == ("616263", "'abc'")
    assert rows["TLV 0x020A source_port"] == (258, "")


def test_a_pdu_log_is_read_also_where_it_hides_a_password():
    bind = encode(BindTransceiver(1, system_id="acme", password="secret", interface_version=0x34))
    frames = [bind, encode(EnquireLink(2)), SUBMIT]
    lines = [f"Nov 23 19:01:55.1 gw emg[1]: c#1 < {show.line(each)} | {show.hexadecimal(each)}" for each in frames]
    octets = hexinput.read("\n".join(lines))
    assert octets == bind.replace(b"secret", b"******") + frames[1] + frames[2]
    assert hexinput.read(lines[0])[4:8] == b"\0\0\0\x09"


def test_a_receipt_is_taken_apart():
    rows, fault = shown(RECEIPT)
    assert fault == ""
    assert rows["receipt id"][0] == "123"
    assert rows["receipt submit date"][0] == "2611231200"
    assert rows["receipt stat"][0] == "DELIVRD"
    assert rows["receipt text"][0] == "a b"
    assert rows["TLV 0x001E receipted_message_id"][0] == "123"
    assert rows["TLV 0x0427 message_state"] == (2, "delivered")
    assert rows["TLV 0x0423 network_error_code"][1] == "GSM, error 27"


def test_offsets_say_where_a_field_is():
    for row in dissect(SUBMIT).rows:
        if row.name == "destination_addr":
            assert SUBMIT[row.offset :].startswith(b"46701234567\0")


def test_passwords_are_not_shown(capsys):
    frame = encode(BindTransceiver(1, system_id="x", password="geheim"))
    for arguments in ([frame.hex()], ["--json", frame.hex()]):
        assert pdu.main(arguments) == 0
        output = capsys.readouterr().out
        assert "geheim" not in output
        assert b"geheim".hex() not in output
        assert "******" in output


def test_the_destinations_of_a_submit_multi_are_listed():
    found = dissect(encode(SubmitMulti(1, dest_address=(SmeAddress(1, 1, "467"), ListName("all")))))
    assert [row.value for row in found.rows if row.depth] == ["ton 1, npi 1, address 467", "name all"]


@pytest.mark.parametrize("command", BY_COMMAND)
def test_every_pdu_is_shown_with_all_its_fields(command):
    frame = encode(BY_COMMAND[command](3))
    found = dissect(frame)
    assert found.fault == ""
    names = {row.name for row in found.rows}
    decoded = decode(frame)
    if len(frame) > 16:
        assert set(decoded.__struct_fields__) - {"sequence", "status", "tlvs"} <= names


@pytest.mark.parametrize("tag", list(Tag))
def test_every_standard_parameter_has_a_name_and_takes_any_octets(tag):
    assert "unknown" not in meanings.tlv_name(tag)
    for value in (b"", b"\0", b"\xff", b"\x01\x02\x03", b"\xff" * 300):
        meanings.tlv_value(tag, value)


@pytest.mark.parametrize("value", range(256))
def test_every_octet_has_a_meaning_in_every_field(value):
    for say in (meanings.esm_class, meanings.registered_delivery, meanings.data_coding):
        assert say(value)
    for name, say in meanings.FIELDS.items():
        if not name.endswith(("_time", "_period", "_type")):
            say(value)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", "none"),
        ("261224180000004+", "2026-12-24 18:00:00 +01:00"),
        ("000000010000000R", "3600 s from now"),
        ("tomorrow", "not a time of the standard"),
        ("tomorroR", "not a time of the standard"),
    ],
)
def test_times_in_words(text, meaning):
    assert meanings.moment(text) == meaning


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"HTTP/1.1 400 Bad\r\n", "command_length 1213486160 can't be true: this is HTTP"),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaa",
            "can't be true: this is the beginning of a TLS session",
        ),
        (b"\0\0\0", "a PDU begins with 16 octets of header; here are 3"),
        (SUBMIT[:40], f"command_length says {len(SUBMIT)} octets, {len(SUBMIT) - 40} are missing at the end"),
        (bytes.fromhex("0000001000000999 0000000000000001"), "no command of SMPP has the id 0x00000999"),
        (bytes.fromhex("0000001400000004 0000000000000001 41424344"), "octet 16: service_type has no NUL at its end"),
        (bytes.fromhex("0000001100000015 0000000000000001 00"), "octet 16: 1 octets after the last field"),
        (bytes.fromhex("0000001000000004 0000000000000001"), "octet 16: the PDU ends before service_type"),
    ],
)
def test_a_broken_pdu_says_what_is_wrong_and_where(octets, fault):
    assert fault in dissect(octets).fault


def test_a_parameter_beyond_the_pdu_is_named():
    frame = bytearray(encode(SubmitSm(1, tlvs=((Tag.SOURCE_PORT, b"\x01\x02"),))))
    frame[-3] = 9
    found = dissect(bytes(frame))
    assert f"octet {len(frame) - 6}: parameter 0x020A (source_port) says 9 octets, 2 are left" in found.fault


def test_sm_length_beyond_the_pdu_is_named():
    frame = bytearray(encode(SubmitSm(1, short_message=b"abc")))
    frame[-4] = 200
    assert "sm_length 200, but only 3 octets follow" in dissect(bytes(frame)).fault


def test_a_header_that_lies_is_named_and_does_not_stop():
    rows, fault = shown(encode(SubmitSm(1, esm_class=0x40, short_message=b"\x09\x00", tlvs=((0x1401, b"a"),))))
    assert "BROKEN" in rows["UDH"][1]
    assert fault == ""
    assert "TLV 0x1401 vendor parameter" in rows


def test_a_wrong_size_of_a_standard_parameter_is_pointed_out():
    rows, _ = shown(encode(SubmitSm(1, tlvs=((Tag.SOURCE_PORT, b"\x01"),))))
    assert rows["TLV 0x020A source_port"][1] == "WRONG SIZE: 1 octets instead of 2"


def test_an_error_answer_without_body_is_sound():
    assert dissect(encode(SubmitSmResp(1, 0x45))).fault == ""


@given(st.binary(max_size=80))
def test_any_octets_are_shown_and_called_sound_only_if_the_codec_takes_them(octets):
    for _, frame in cut(octets):
        found = dissect(frame)
        pdu.as_text(0, found)
        json.dumps(pdu.as_json(0, found))
        if not found.fault:
            decode(frame)


@given(st.sampled_from(sorted(BY_COMMAND)), st.binary(max_size=60))
def test_any_body_behind_a_good_header(command, body):
    frame = (16 + len(body)).to_bytes(4, "big") + command.to_bytes(4, "big") + bytes(7) + b"\x01" + body
    found = dissect(frame)
    try:
        decode(frame)
    except PduError:
        assert found.fault


def test_several_pdus_are_cut_by_their_length():
    link = encode(EnquireLink(1))
    assert cut(link + SUBMIT + link) == [(0, link), (16, SUBMIT), (16 + len(SUBMIT), link)]
    assert cut(link + b"\0\0") == [(0, link), (16, b"\0\0")]


LINK = "00000010 00000015 00000000 00000001"


@pytest.mark.parametrize(
    "text",
    [
        LINK,
        LINK.replace(" ", ""),
        LINK.replace(" ", "\n"),
        "00 00 00 10 00 00 00 15 00:00:00:00-00,00,00,01",
        "0x00000010 0x00000015 0x00000000 0x00000001",
        r"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x01",
        "2026-11-23 12:00:00.123456 customers < enquire_link 00000010000000150000000000000001",
        "2026-11-23 12:00:00.123456 > 00 00 00 10 00 00 00 15 00 00 00 00 00 00 00 01",
        "00000000: 0000 0010 0000 0015 0000 0000 0000 0001  ................",
        "00000000  00 00 00 10 00 00 00 15  00 00 00 00 00 00 00 01  |................|\n00000010\n",
    ],
)
def test_hex_is_read_in_any_dress(text):
    assert hexinput.read(text) == encode(EnquireLink(1))


def test_a_dump_of_several_lines_is_read():
    dump = "\n".join(
        f"{at:08x}  {SUBMIT[at : at + 8].hex(' ')}  {SUBMIT[at + 8 : at + 16].hex(' ')}  |................|".replace(
            "    ", "  "
        )
        for at in range(0, len(SUBMIT), 16)
    )
    assert hexinput.read(dump) == SUBMIT


def test_each_line_of_a_log_gives_its_pdu():
    lines = "\n".join(f"12:00:0{n} session 3 > enquire_link {encode(EnquireLink(n)).hex()}" for n in (1, 2))
    assert hexinput.read("the log begins\n" + lines) == encode(EnquireLink(1)) + encode(EnquireLink(2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to decode"),
        (" \n", "nothing to decode"),
        ("0000001", "7 hex digits"),
        ("00\n0g", "line 2: 'g' is no hex digit"),
    ],
)
def test_what_is_no_hex_is_named(text, said):
    with pytest.raises(ValueError, match=said):
        hexinput.read(text)


def test_the_command_reads_arguments_files_and_standard_input(tmp_path, monkeypatch, capsys):
    file = tmp_path / "pdu.hex"
    file.write_text(LINK)
    assert pdu.main(LINK.split()) == 0
    assert pdu.main(["--file", str(file)]) == 0
    for arguments in ([], ["-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO(LINK))
        assert pdu.main(arguments) == 0
    assert capsys.readouterr().out.count("enquire_link, 16 octets") == 4
    assert pdu.main(["--file", str(tmp_path / "none")]) == 1
    assert pdu.main(["xyz"]) == 5
    assert pdu.main(["00000010"]) == 1


def test_json_holds_what_the_text_holds(capsys):
    assert pdu.main(["--json", SUBMIT.hex()]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["length"], found["fault"]) == ("submit_sm", len(SUBMIT), "")
    assert {"offset": 12, "name": "sequence_number", "value": 7, "meaning": ""} in found["fields"]
