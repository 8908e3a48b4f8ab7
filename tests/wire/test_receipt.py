"""Delivery receipts in the manner of many providers, and the ones we write."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp

from emg.message import Encoding, Report, State
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.names import MessageState
from emg.wire.smpp.receipt import (
    LONGEST_WIDE,
    LONGEST_WIDE_ID,
    STATES,
    WORDS,
    WRITTEN,
    Dialect,
    as_report,
    is_shown,
    read_receipt,
    write_receipt,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
UCS2 = 8


def deliver(text: str | bytes, esm_class: int = 0x04, data_coding: int = 0, **tlvs: bytes) -> pdus.DeliverSm:
    """A deliver_sm with this text; parameters as `x001E=b"…"`."""
    body = text if isinstance(text, bytes) else text.encode("utf-16-be" if data_coding == UCS2 else "latin-1")
    pairs = tuple((int(name[1:], 16), octets) for name, octets in tlvs.items())
    return pdus.DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=body, tlvs=pairs)


def fields(pdu: pdus.DeliverSm | pdus.DataSm, dialect: Dialect | None = None) -> dict[str, Any]:
    """The receipt's fields that differ from "nothing was said"."""
    receipt = read_receipt(pdu, dialect or Dialect())
    assert receipt is not None
    silent = {"error": "000", "submitted": 0.0, "done": 0.0, "sub": 0, "dlvrd": 0, "text": "", "stat": ""}
    silent |= {"network_error": b"", "tlvs": (), "sure": True}
    found = {name: getattr(receipt, name) for name in receipt.__struct_fields__}
    return {name: value for name, value in found.items() if silent.get(name) != value}


DELIVERED = {"remote_id": "7", "state": State.DELIVERED, "stat": "DELIVRD"}
COUNTS = {"sub": 1, "dlvrd": 1}
TIMES = {"submitted": NOON, "done": NOON + 60}
TEXTS: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "the standard's": (
        "id:7 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:Hello there",
        DELIVERED | COUNTS | TIMES | {"text": "Hello there"},
    ),
    "Text with a capital and blanks behind it": (
        "id:7 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 Text:Hi   ",
        DELIVERED | COUNTS | TIMES | {"text": "Hi"},
    ),
    "no counts": (
        "id:7 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:",
        DELIVERED | TIMES,
    ),
    "no submit date": ("id:7 done date:2611231201 stat:DELIVRD err:000", DELIVERED | {"done": NOON + 60}),
    "id and state alone": ("id:7 stat:DELIVRD", DELIVERED),
    "state first": ("stat:DELIVRD id:7", DELIVERED),
    "dates with seconds": (
        "id:7 sub:001 dlvrd:001 submit date:261123120030 done date:261123120130 stat:DELIVRD err:000",
        DELIVERED | COUNTS | {"submitted": NOON + 30, "done": NOON + 90},
    ),
    "dates with the century": (
        "id:7 submit date:202611231200 done date:20261123120130 stat:DELIVRD err:000",
        DELIVERED | {"submitted": NOON, "done": NOON + 90},
    ),
    "dates that are none": ("id:7 submit date:0000000000 done date:never stat:DELIVRD err:000", DELIVERED),
    "four digits of error": ("id:7 stat:UNDELIV err:0011", {"remote_id": "7", "state": State.FAILED, "stat": "UNDELIV", "error": "0011"}),
    "letters for an error": ("id:7 stat:UNDELIV err:ABS", {"remote_id": "7", "state": State.FAILED, "stat": "UNDELIV", "error": "ABS"}),
    "keys in mixed case": (
        "Id:7 SUB:001 Dlvrd:001 Submit Date:2611231200 DONE DATE:2611231201 Stat:Delivrd ERR:000 TEXT:Hi",
        DELIVERED | COUNTS | TIMES | {"text": "Hi"},
    ),
    "blanks behind the colons": ("id: 7 sub: 001 dlvrd: 001 stat: DELIVRD err: 000", DELIVERED | COUNTS),
    "underscores, long words": (
        "id:7 submit_date:2611231200 done_date:2611231201 status:DELIVERED error:000",
        DELIVERED | TIMES | {"stat": "DELIVERED"},
    ),
    "lines": ("id:7\r\nsub:001\r\ndlvrd:001\r\nstat:DELIVRD\r\nerr:000\r\ntext:a\nb", DELIVERED | COUNTS | {"text": "a\nb"}),
    "a NUL at the end": (b"id:7 stat:DELIVRD err:000\0", DELIVERED),
    "NULs behind the text": (b"id:7 stat:DELIVRD err:000 text:Hi\0\0", DELIVERED | {"text": "Hi"}),
    "a NUL behind the id": (b"id:7\0 stat:DELIVRD", DELIVERED),
    "a header in front": (b"\x05\x00\x03\x07\x02\x01id:7 stat:DELIVRD", DELIVERED),
    "the message itself looks like a receipt": (
        "id:7 stat:DELIVRD err:000 text:id:8 stat:UNDELIV err:999",
        DELIVERED | {"text": "id:8 stat:UNDELIV err:999"},
    ),
    "no id": ("id: sub:001 stat:DELIVRD", DELIVERED | {"remote_id": "", "sub": 1}),
    "nothing": ("", {"remote_id": "", "state": State.UNKNOWN}),
    "something else": ("Message delivered, thank you", {"remote_id": "", "state": State.UNKNOWN}),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_s32_texts_of_all_sorts_are_read(case: str) -> None:
    text, expected = TEXTS[case]
    assert fields(deliver(text)) == expected


@pytest.mark.parametrize("case", [case for case, (text, _) in TEXTS.items() if isinstance(text, str)])
def test_s32_texts_in_ucs2_are_read(case: str) -> None:
    text, expected = TEXTS[case]
    assert isinstance(text, str)
    assert fields(deliver(text, data_coding=UCS2)) == expected


@pytest.mark.parametrize("shown", ["Привет", "İstanbul", "\N{SMILING FACE WITH SUNGLASSES}"])
def test_s32_ucs2_keeps_the_text_of_the_message(shown: str) -> None:
    read = fields(deliver(f"id:7 stat:DELIVRD text:{shown}", data_coding=UCS2))
    assert read["remote_id"] == "7"
    assert read["state"] is State.DELIVERED
    if shown != "İstanbul":  # a letter whose small form is two: the keys are found, the text is not worth more
        assert read["text"] == shown


def test_s32_a_data_coding_that_is_wrong_does_no_harm() -> None:
    assert fields(deliver(b"id:7 stat:DELIVRD", data_coding=UCS2)) == DELIVERED
    assert fields(deliver("id:7 stat:DELIVRD".encode("utf-16-be"))) == DELIVERED
    header = b"\x06\x08\x04\x01\x02\x02\x01"
    assert fields(deliver(header + "id:7 stat:DELIVRD".encode("utf-16-be"), 0x44, UCS2)) == DELIVERED


@pytest.mark.parametrize("word", sorted(WORDS))
def test_s32_every_known_word_names_its_state(word: str) -> None:
    for written in (word, word.lower(), word.title()):
        receipt = read_receipt(deliver(f"id:7 stat:{written} err:000"))
        assert receipt is not None
        assert (receipt.state, receipt.intermediate) == (WORDS[word], not WORDS[word].final)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("DELIVRD DELIVERED", State.DELIVERED),
        ("ENROUTE ACCEPTD ACKED BUFFRED BUFFERD SCHEDULED", State.SENT),
        ("UNDELIV UNDELIVERABLE REJECTD REJECTED SKIPPED FAILED", State.FAILED),
        ("EXPIRED", State.EXPIRED),
        ("DELETED", State.DELETED),
        ("UNKNOWN", State.UNKNOWN),
    ],
)
def test_s32_the_words_that_are_met(words: str, state: State) -> None:
    assert {WORDS[word] for word in words.split()} == {state}


def test_an_unknown_word_is_an_unknown_state_unless_more_is_to_come() -> None:
    assert fields(deliver("id:7 stat:GONE"))["state"] is State.UNKNOWN
    assert fields(deliver("id:7 stat:GONE", esm_class=0x20))["state"] is State.SENT


def test_s32_parameters_alone_are_a_receipt() -> None:
    read = fields(deliver("", x001E=b"7\0", x0427=b"\x05"))
    assert read == {"remote_id": "7", "state": State.FAILED}


@pytest.mark.parametrize("number", sorted(STATES))
def test_message_state_wins_over_the_text(number: int) -> None:
    read = fields(deliver("id:7 stat:EXPIRED", x0427=bytes([number])))
    assert read["state"] is STATES[number]


def test_a_message_state_without_a_meaning_leaves_the_text_s_word() -> None:
    assert fields(deliver("id:7 stat:EXPIRED", x0427=b"\x63"))["state"] is State.EXPIRED


@pytest.mark.parametrize(
    "remote_id", ["0000000042", "2A", "2a", "4294967296", "b0a7c2de-11f0-4d53-9c1d-0242ac120002", "MSG-1.a_Z"]
)
def test_s29_the_id_is_kept_as_it_was_written(remote_id: str) -> None:
    assert fields(deliver(f"id:{remote_id} stat:DELIVRD"))["remote_id"] == remote_id
    octets = remote_id.encode()
    for padded in (octets, octets + b"\0", b" " + octets + b" \0\0"):
        assert fields(deliver("", x001E=padded, x0427=b"\x02"))["remote_id"] == remote_id


def test_which_of_two_ids_counts_is_the_dialect_s_business() -> None:
    pdu = deliver("id:42 stat:DELIVRD", x001E=b"2A\0", x0427=b"\x02")
    assert fields(pdu)["remote_id"] == "2A"
    assert fields(pdu, Dialect(id_from_text=True))["remote_id"] == "42"


def test_a_dialect_has_its_own_words_and_clock() -> None:
    dialect = Dialect(words={"ACCEPTD": State.DELIVERED, "GONE": State.EXPIRED}, zone=120)
    assert fields(deliver("id:7 stat:ACCEPTD"), dialect)["state"] is State.DELIVERED
    assert fields(deliver("id:7 stat:GONE"), dialect)["state"] is State.EXPIRED
    assert fields(deliver("id:7 done date:2611231400 stat:DELIVRD"), dialect)["done"] == NOON


@pytest.mark.parametrize("esm_class", [0x04, 0x44, 0x84, 0xC7, 0x20, 0x60, 0x23])
def test_s34_esm_class_says_that_it_is_a_receipt_whatever_other_bits_say(esm_class: int) -> None:
    read = fields(deliver("id:7 stat:ENROUTE", esm_class=esm_class))
    assert read == {"remote_id": "7", "state": State.SENT, "stat": "ENROUTE"}


@pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x40, 0x08, 0x10])
def test_s34_a_text_that_looks_like_a_receipt_is_a_doubtful_one(esm_class: int) -> None:
    read = fields(deliver("id:7 stat:DELIVRD", esm_class=esm_class))
    assert read == DELIVERED | {"sure": False}
    sure = fields(deliver("id:7 stat:DELIVRD", esm_class=esm_class, x001E=b"7\0"))
    assert sure == DELIVERED


@pytest.mark.parametrize(
    "text",
    ["", "Hello", "id:7", "id: stat:", "stat:DELIVRD", "My id: is 7, and the text: id:7 stat:DELIVRD", "\0\0", "id"],
)
def test_s34_ordinary_messages_are_no_receipts(text: str) -> None:
    assert read_receipt(deliver(text, esm_class=0)) is None
    assert read_receipt(deliver(text, esm_class=0, data_coding=UCS2)) is None


def test_s34_a_receipt_may_come_in_data_sm() -> None:
    parameters = ((0x1E, b"7\0"), (0x427, b"\x02"))
    assert fields(pdus.DataSm(esm_class=4, tlvs=parameters)) == {"remote_id": "7", "state": State.DELIVERED}
    assert fields(pdus.DataSm(esm_class=0, tlvs=parameters)) == {"remote_id": "7", "state": State.DELIVERED}
    assert fields(pdus.DataSm(esm_class=4, tlvs=((0x424, b"id:7 stat:DELIVRD"),))) == DELIVERED
    assert read_receipt(pdus.DataSm(tlvs=((0x424, b"Hello"),))) is None


def test_s35_network_error_code_is_passed_on() -> None:
    read = fields(deliver("id:7 stat:UNDELIV err:027", x0423=b"\x03\x00\x1b"))
    assert (read["network_error"], read["error"]) == (b"\x03\x00\x1b", "027")
    assert fields(deliver("id:7 stat:UNDELIV", x0423=b"\x03\x00\x1b"))["error"] == "027"
    assert "network_error" not in fields(deliver("id:7 stat:UNDELIV", x0423=b"\x03\x00"))


def test_parameters_about_something_else_are_passed_on() -> None:
    read = fields(
        deliver("id:7 stat:DELIVRD", x001E=b"7\0", x1403=b"24001", x0427=b"\x02", x0204=b"\x00\x01", x020C=b"\0\1")
    )
    assert read["tlvs"] == ((0x1403, b"24001"), (0x0204, b"\x00\x01"))


@given(st.binary(max_size=160), st.integers(0, 255), st.sampled_from([0, 3, 8]), st.binary(max_size=12))
def test_nothing_a_peer_sends_makes_reading_fail(body: bytes, esm_class: int, data_coding: int, octets: bytes) -> None:
    for text in (body, b"id:" + body + b" stat:" + body, b"id:7 submit date:" + body):
        read_receipt(deliver(text, esm_class, data_coding, x001E=octets, x0427=octets, x0423=octets))
        read_receipt(deliver(text, esm_class, data_coding))


REPORT = Report(
    id=1_000_000_000_000_005, state=State.DELIVERED, submitted=NOON, done=NOON + 60, delivered_parts=1, text="Hello, this is a long one"
)  # fmt: skip


def test_s36_a_receipt_has_all_classic_fields_and_both_parameters() -> None:
    text, tlvs = write_receipt(REPORT, "1000000000000005")
    assert text == (
        b"id:1000000000000005 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 "
        b"text:Hello, this is a lon"
    )
    assert tlvs == ((0x001E, b"1000000000000005\0"), (0x0427, b"\x02"))


def test_s36_counts_are_those_of_the_parts() -> None:
    text, _ = write_receipt(
        Report(id=5, state=State.FAILED, parts=3, delivered_parts=2, submitted=NOON, done=NOON), "5"
    )
    assert text.startswith(b"id:5 sub:003 dlvrd:002 submit date:2611231200 ")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("000", b"000"),
        ("0011", b"011"),
        ("ABS", b"ABS"),
        ("7", b"007"),
        ("", b"000"),
        ("OK", b"OK"),
        ("1034", b"999"),
        ("ABSENT", b"ABS"),
        ("000000", b"000"),
    ],
)
def test_s36_errors_have_three_characters_at_most(error: str, shown: bytes) -> None:
    text, _ = write_receipt(Report(id=5, state=State.FAILED, error=error, submitted=NOON, done=NOON), "5")
    assert b" err:" + shown + b" text:" in text


def test_s35_network_error_and_vendor_parameters_go_to_the_customer() -> None:
    report = Report(id=5, state=State.FAILED, network_error=b"\x03\x00\x1b", tlvs=((0x1403, b"24001"),))
    assert write_receipt(report, "5")[1][2:] == ((0x0423, b"\x03\x00\x1b"), (0x1403, b"24001"))


def test_dates_are_of_the_customer_s_clock() -> None:
    text, _ = write_receipt(REPORT, "5", zone=-60)
    assert b"submit date:2611231100 done date:2611231101" in text


OF_GSM = "Grüße @_$€ Ω"
SEPTETS = b"Gr\x7e\x1ee \x00\x11\x02\x1b\x65 \x15"


@pytest.mark.parametrize(
    ("alphabet", "text", "octets"),
    [
        (Encoding.GSM7, OF_GSM, SEPTETS),
        (Encoding.GSM7, "Čau, 世界 😀", b"?au, ?? ?"),
        (Encoding.GSM7, "{" * 21, b"\x1b\x28" * 20),
        (Encoding.LATIN1, "Grüße @_$€", b"Gr\xfc\xdfe @_$?"),
        (Encoding.ASCII, "Grüße @_$€", b"Gr??e @_$?"),
    ],
)
def test_s36_the_text_is_what_data_coding_0_says(alphabet: Encoding, text: str, octets: bytes) -> None:
    """And nothing else of the receipt is: its keys and values are read as ASCII by everybody."""
    report = Report(id=5, state=State.DELIVERED, submitted=NOON, done=NOON, text=text)
    body, _ = write_receipt(report, "a_@5", alphabet=alphabet)
    head, _, shown = body.partition(b" text:")
    assert shown == octets
    assert head == b"id:a_@5 sub:001 dlvrd:000 submit date:2611231200 done date:2611231200 stat:DELIVRD err:000"


@pytest.mark.parametrize(
    ("data_coding", "alphabet", "octets", "text"),
    [
        (0, Encoding.GSM7, SEPTETS, OF_GSM),
        (0xF1, Encoding.GSM7, SEPTETS, OF_GSM),
        (0, Encoding.GSM7, b"Gr\xfc\xdfe @_$", "Grüße @_$"),  # octets that are no septets: he writes Latin 1
        (0, Encoding.LATIN1, b"Gr\xfc\xdfe @_$", "Grüße @_$"),
        (0, Encoding.ASCII, b"Hej @_$", "Hej @_$"),
        (1, Encoding.GSM7, b"Hej @_$", "Hej @_$"),
        (3, Encoding.GSM7, b"Hej @_$", "Hej @_$"),
        (0, Encoding.GSM7, b"Hej\0\0 \0", "Hej"),
    ],
)
@pytest.mark.parametrize(
    "head",
    [
        b"id:7 stat:DELIVRD text:",
        b"id:7 sub:001 dlvrd:001 submit date:2611231200 done date:2611231200 stat:DELIVRD err:000 text:",
    ],
)
def test_the_text_is_read_as_data_coding_says(
    data_coding: int, alphabet: Encoding, octets: bytes, text: str, head: bytes
) -> None:
    receipt = read_receipt(deliver(head + octets, data_coding=data_coding), alphabet=alphabet)
    assert receipt is not None
    assert (receipt.remote_id, receipt.text) == ("7", text)


@given(octets=st.binary(max_size=20))
def test_septets_that_a_provider_shows_are_shown_to_the_customer(octets: bytes) -> None:
    """Whatever he means by them: he may write ASCII where GSM's alphabet has another character."""
    septets = bytes(octet & 0x7F for octet in octets).replace(b"\x1b", b"").rstrip(b"\0 ")
    receipt = read_receipt(deliver(b"id:7 stat:DELIVRD text:" + septets))
    assert receipt is not None
    assert write_receipt(as_report(receipt, 5), "5")[0].partition(b" text:")[2] == septets


@pytest.mark.parametrize("state", State)
def test_s36_every_state_is_written_and_read_back(state: State) -> None:
    word, octet = WRITTEN[state]
    assert (
        MessageState[
            {"UNDELIV": "UNDELIVERABLE", "DELIVRD": "DELIVERED", "ACCEPTD": "ACCEPTED", "REJECTD": "REJECTED"}.get(
                word, word
            )
        ]
        == octet[0]
    )
    text, tlvs = write_receipt(Report(id=5, state=state, submitted=NOON, done=NOON, text="Grüße\n@_$€"), "5")
    frame = encode(pdus.DeliverSm(esm_class=4, short_message=text, tlvs=tlvs))
    pdu = decode(frame)
    assert isinstance(pdu, pdus.DeliverSm)
    for read in (read_receipt(pdu), read_receipt(deliver(text))):
        assert read is not None
        assert (read.remote_id, read.submitted, read.stat) == ("5", NOON, word)
        assert read.state is (state if state.final and state is not State.REJECTED else WORDS[word])


def test_s36_a_plain_reader_of_the_standard_s_form_finds_every_field() -> None:
    """What client libraries do with a receipt: cut it at its keys, in the standard's order."""
    rest = write_receipt(REPORT, "1000000000000005")[0].decode()
    found = []
    keys = ["id:", " sub:", " dlvrd:", " submit date:", " done date:", " stat:", " err:", " text:"]
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        assert rest.startswith(key)
        value, _, rest = rest[len(key) :].partition(following) if following else (rest[len(key) :], "", "")
        rest = f"{following}{rest}"
        found.append(value)
    assert found == [
        "1000000000000005",
        "001",
        "001",
        "2611231200",
        "2611231201",
        "DELIVRD",
        "000",
        "Hello, this is a lon",
    ]


def test_a_receipt_becomes_a_report() -> None:
    receipt = read_receipt(
        deliver("id:7 sub:001 dlvrd:001 done date:2611231201 stat:DELIVRD err:000 text:Hi", x1403=b"x")
    )
    assert receipt is not None
    assert as_report(receipt, 42) == Report(
        id=42,
        state=State.DELIVERED,
        done=NOON + 60,
        delivered_parts=1,
        text="Hi",
        tlvs=((0x1403, b"x"),),
        remote_id="7",
    )
    short = read_receipt(deliver("id:7 stat:DELIVRD"))
    assert short is not None
    assert (as_report(short, 1).parts, as_report(short, 1).delivered_parts) == (1, 1)


WIDE_ID = "9" * LONGEST_WIDE_ID


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Привет", "Привет"),
        ("世界" * 20, "世界" * 7 + "世"),
        ("x" * 14 + "😀", "x" * 14),
        ("x" * 13 + "😀", "x" * 13 + "😀"),
    ],
)
def test_a_receipt_that_is_all_ucs_2_fits_and_is_read(text: str, shown: str) -> None:
    body, tlvs = write_receipt(msgspec.structs.replace(REPORT, text=text), WIDE_ID, alphabet=Encoding.UCS2)
    assert len(body) <= LONGEST_WIDE
    assert body.decode("utf-16-be").partition(" text:")[2] == shown
    read = read_receipt(pdus.DeliverSm(esm_class=4, data_coding=8, short_message=body, tlvs=tlvs))
    assert read is not None
    assert (read.remote_id, read.state, read.text) == (WIDE_ID, REPORT.state, shown)
    assert tlvs == write_receipt(REPORT, WIDE_ID)[1]


@pytest.mark.parametrize(
    ("alphabet", "text", "shown"),
    [
        (Encoding.GSM7, "Grüße {€}", True), (Encoding.GSM7, "Привет", False), (Encoding.GSM7, "x" * 20 + "й", True),
        (Encoding.LATIN1, "Grüße", True), (Encoding.LATIN1, "€", False), (Encoding.ASCII, "ü", False),
    ],
)  # fmt: skip
def test_what_an_alphabet_shows_of_a_text(alphabet: Encoding, text: str, *, shown: bool) -> None:
    assert is_shown(text, alphabet) is shown


@pytest.mark.parametrize("shown", ["Hello, this is a long one", OF_GSM])
def test_s36_smpplib_reads_what_we_write(shown: str) -> None:
    text, tlvs = write_receipt(msgspec.structs.replace(REPORT, text=shown), "1000000000000005")
    frame = encode(pdus.DeliverSm(sequence=1, esm_class=4, short_message=text, tlvs=tlvs))
    read = smpp.parse_pdu(
        frame, client=SimpleNamespace(sequence=1, next_sequence=lambda: 2), allow_unknown_opt_params=False
    )
    assert (read.short_message, read.message_state) == (text, 2)
    assert read.receipted_message_id.rstrip(b"\0") == b"1000000000000005"
