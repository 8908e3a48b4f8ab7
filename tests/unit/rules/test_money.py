"""Amounts: exact both ways, and nothing doubtful gets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules import money


@pytest.mark.parametrize(
    ("text", "micro"),
    [("10", 10_000_000), ("10.00", 10_000_000), ("-0.00325", -3250), ("+1.5", 1_500_000), (" 7 ", 7_000_000), ("0", 0)],
)
def test_what_people_write_is_taken_exactly(text, micro):
    assert money.parse(text) == micro


@pytest.mark.parametrize(
    "text", ["", "NaN", "inf", "1e3", "1,50", "1.0000001", ".5", "5.", "--1", "0x10", "١", "1 000", "9" * 18]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"amount|counts"):
        money.parse(text)


@given(st.integers(-money.LARGEST, money.LARGEST), st.integers(0, 6))
def test_what_is_shown_reads_back_as_the_same(micro, decimals):
    assert money.parse(money.show(micro, decimals)) == micro


def test_at_least_two_decimals_are_shown_and_more_where_there_are_more():
    assert [money.show(each) for each in (0, 10_000_000, -3250, 1_230_000)] == ["0.00", "10.00", "-0.00325", "1.23"]
    assert money.show(5_000_000, 0) == "5"
