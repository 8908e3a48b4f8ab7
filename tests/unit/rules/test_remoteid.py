"""Message ids of providers: answers and reports of one message must meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.config.kinds import ID_FORMATS
from emg.rules.remoteid import IdFormat, alternatives


@pytest.mark.parametrize(
    ("setting", "answer", "receipt"),
    [
        ("", "0aB-9", "0aB-9"),
        ("text", " 0aB-9\0", "0aB-9 "),
        ("dec:hex", "255", "FF"),
        ("dec:hex", "0000000255", "00ff"),
        ("dec:hex", "255", "0xFF"),
        ("hex:dec", "1a2b3C", "01715004"),
        ("dec:hex", "9876543210", "24CB016EA"),
        ("hex", "00AB", "ab"),
        ("dec", "0012", "12"),
        ("dec:hex", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("dec:hex", "XYZ-1", "XYZ-1"),
        ("auto", "000AB", "ab"),
        ("auto", "06ba7b81-9dad-11d1-80b4-00c04fd430c8", "06BA7B81-9DAD-11D1-80B4-00C04FD430C8"),
    ],
)
def test_s29_answer_and_receipt_meet(setting: str, answer: str, receipt: str) -> None:
    form = IdFormat.parse(setting)
    assert form.from_answer(answer) == form.from_receipt(receipt)


@pytest.mark.parametrize(("one", "other"), [("ab", "AB"), ("01", "1"), ("a b", "ab")])
def test_s29_as_text_nothing_but_blanks_around_is_taken_off(one: str, other: str) -> None:
    form = IdFormat.parse("text")
    assert form.from_answer(one) != form.from_receipt(other)


@pytest.mark.parametrize(
    ("answer", "receipt"), [("255", "FF"), ("ff", "255"), ("0255", "00FF"), ("9876543210", "24cb016ea")]
)
def test_s29_auto_finds_the_other_base_on_the_second_look(answer: str, receipt: str) -> None:
    form = IdFormat.parse("auto")
    kept = form.from_answer(answer)
    normal = form.from_receipt(receipt)
    assert kept != normal
    assert kept in form.alternatives(normal)


def test_only_auto_guesses() -> None:
    assert IdFormat.parse("text").alternatives("ff") == ()
    assert IdFormat.parse("dec:hex").alternatives("255") == ()


@pytest.mark.parametrize("receipt_id", ["", "xyz", "6ba7b810-9dad", "f" * 65, "7"])
def test_no_alternatives_where_there_are_none(receipt_id: str) -> None:
    assert alternatives(receipt_id) == ()


@pytest.mark.parametrize("setting", ["decimal", "dec:hex:dec", "auto:dec", "text:dec", "dec:text", "dec:"])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="must "):
        IdFormat.parse(setting)


def test_all_that_a_connector_may_say_is_understood() -> None:
    for setting in ID_FORMATS:
        IdFormat.parse(setting)


@given(st.integers(0, 2**64), st.sampled_from(["dec:hex", "hex:dec", "dec", "hex"]), st.integers(0, 5), st.booleans())
def test_s29_every_number_meets_itself(number: int, setting: str, zeros: int, upper: bool) -> None:
    written = {"dec": str(number), "hex": format(number, "X" if upper else "x")}
    answer, _, receipt = setting.partition(":")
    form = IdFormat.parse(setting)
    assert (
        form.from_answer(written[answer]) == form.from_receipt("0" * zeros + written[receipt or answer]) == str(number)
    )


@given(st.text(max_size=5000), st.sampled_from(["text", "dec", "hex", "dec:hex", "auto"]))
def test_no_id_breaks_it(text: str, setting: str) -> None:
    form = IdFormat.parse(setting)
    form.alternatives(form.from_receipt(text))
    assert form.from_answer(form.from_answer(text)) == form.from_answer(text) or setting != "text"
