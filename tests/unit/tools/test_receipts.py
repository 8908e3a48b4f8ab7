"""Receipts in every dialect, and our own quick reading of them."""

import itertools
import random

import pytest

from emg.tools import reports
from emg.tools.receipts import IDS, MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPTED_MESSAGE_ID, STATES, VARIANTS, Dialect

NOON = 1_795_435_200.0


def receipt(dialect, state="DELIVRD", number=255):
    report_id = dialect.report_id(number)
    return dialect.receipt(report_id, state, NOON, NOON + 61, "hello"), dialect.parameters(report_id, state)


def test_the_classic_form_is_that_of_the_standard():
    text, parameters = receipt(Dialect())
    assert text == (
        b"id:255 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:hello"
    )
    assert parameters == ((RECEIPTED_MESSAGE_ID, b"255\0"), (MESSAGE_STATE, b"\x02"))


def test_a_failed_message_has_no_delivered_part_and_an_error():
    text, parameters = receipt(Dialect(), "UNDELIV")
    assert b"dlvrd:000" in text
    assert b"stat:UNDELIV err:001" in text
    assert parameters[1] == (MESSAGE_STATE, b"\x05")


@pytest.mark.parametrize(
    ("name", "answer", "report"),
    [
        ("dec:hex", "255", "ff"),
        ("dec:HEX", "255", "FF"),
        ("hex:dec", "ff", "255"),
        ("hex", "ff", "ff"),
        ("hex:HEX", "ff", "FF"),
        ("hex8:dec", "000000ff", "255"),
        ("dec:padded", "255", "00000000000000000255"),
        ("letters", "MSG-ff-Zq", "MSG-ff-Zq"),
    ],
)
def test_ids_look_one_way_in_the_answer_and_another_in_the_report(name, answer, report):
    dialect = Dialect(name)
    assert (dialect.answer_id(255), dialect.report_id(255)) == (answer, report)


@pytest.mark.parametrize("name", IDS)
def test_ids_differ_for_each_message_and_fit_the_field(name):
    dialect = Dialect(name)
    ids = {dialect.answer_id(number) for number in range(1000, 1100)}
    assert len(ids) == 100
    assert all(len(each) <= 64 for each in ids)


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("no-counts", b"id:255 submit date:"),
        ("no-submit", b"dlvrd:001 done date:"),
        ("seconds", b"submit date:261123120000 done date:261123120101 "),
        ("err4", b"err:0000 "),
        ("err-letters", b"err:OK "),
        ("spelt-out", b"stat:DELIVERED "),
        ("mixed-case", b"Stat:DELIVRD ERR:000"),
        ("nul", b"text:hello\0\0"),
        ("ucs2", "id:255 sub".encode("utf-16-be")),
    ],
)
def test_variants_of_the_text(name, piece):
    assert piece in receipt(Dialect(name))[0]


def test_variants_beyond_the_text():
    assert receipt(Dialect("tlv-only"))[0] == b""
    assert receipt(Dialect("text-only"))[1] == ()
    assert receipt(Dialect("network-error"))[1][2] == (NETWORK_ERROR_CODE, b"\x03\x00\x00")
    assert Dialect("ucs2").data_coding == 8
    assert [Dialect(name).esm_class for name in ("classic", "esm00", "esm44", "esm20")] == [4, 0, 0x44, 0x20]
    assert receipt(Dialect("no-text"))[0].endswith(b"err:000")


def test_variants_can_be_put_together():
    dialect = Dialect("dec:hex, seconds,nul,no-counts")
    assert receipt(dialect)[0] == (
        b"id:ff submit date:261123120000 done date:261123120101 stat:DELIVRD err:000 text:hello\0\0"
    )


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'oct' is none of dec"):
        Dialect("oct")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_client_reads_every_dialect(variant):
    for ids, state in itertools.product(IDS, ("DELIVRD", "EXPIRED")):
        dialect = Dialect(f"{ids},{variant}")
        text, parameters = receipt(dialect, state)
        assert reports.read(text, parameters) == (dialect.report_id(255), state)


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_told_by_its_parameter(state):
    name = reports.read(*receipt(Dialect("tlv-only"), state))[1]
    assert STATES[name] == STATES[state]
    assert len(name) == 7


def test_reading_garbage_gives_empty_strings_and_never_fails():
    assert reports.read(b"", ()) == ("", "")
    assert reports.read(b"id:", ((MESSAGE_STATE, b""), (RECEIPTED_MESSAGE_ID, b""))) == ("", "")
    assert reports.read(b"stat:delivrd id:7", ((MESSAGE_STATE, b"\x63"),)) == ("7", "UNKNOWN")
    generator = random.Random(1)
    for _ in range(200):
        reports.read(generator.randbytes(40), ((MESSAGE_STATE, generator.randbytes(1)),))


def test_many_seconds_do_not_fill_the_memory_for_dates():
    dialect = Dialect()
    for second in range(2000):
        dialect.receipt("1", "DELIVRD", NOON + second, NOON, "")
    assert len(dialect._dates) <= 602
