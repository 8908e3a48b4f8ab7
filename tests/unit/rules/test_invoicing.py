"""The arithmetic of invoices: nothing disappears, and only one thing is rounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules import invoicing
from emg.rules.invoicing import Counted, Line, Totals

M = 1_000_000


@pytest.mark.parametrize(
    ("net", "vat", "currency", "wanted"),
    [
        (100 * M, 2500, "EUR", Totals(100 * M, 25 * M, 0, 125 * M)),
        (100 * M, 0, "EUR", Totals(100 * M, 0, 0, 100 * M)),
        (10_003_250, 2500, "EUR", Totals(10_003_250, 2_500_000, -3_250, 12_500_000)),
        (20_000, 2500, "EUR", Totals(20_000, 10_000, 0, 30_000)),  # half a cent of VAT goes up
        (-20_000, 2500, "EUR", Totals(-20_000, -10_000, 0, -30_000)),  # and the credit note mirrors it
        (1234 * M, 1000, "JPY", Totals(1234 * M, 123 * M, 0, 1357 * M)),
        (1_234_500, 500, "KWD", Totals(1_234_500, 62_000, 500, 1_297_000)),
        (0, 2500, "EUR", Totals(0, 0, 0, 0)),
    ],
)
def test_vat_is_rounded_once_to_the_coin_and_the_rest_is_named(
    net: int, vat: int, currency: str, wanted: Totals
) -> None:
    assert invoicing.totals(net, vat, currency) == wanted


@given(st.integers(-(10**17), 10**17), st.integers(0, 10_000), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_totals_add_up_in_whole_coins(net: int, vat: int, currency: str) -> None:
    found = invoicing.totals(net, vat, currency)
    coin = M // 10 ** invoicing.decimals(currency)
    assert found.net == net
    assert found.net + found.vat_amount + found.rounding == found.total
    assert found.total % coin == found.vat_amount % coin == 0
    assert abs(found.rounding) * 2 <= coin
    assert abs(found.vat_amount * 10_000 - net * vat) * 2 <= coin * 10_000
    assert invoicing.totals(-net, vat, currency) == Totals(*(-each for each in found))


def test_lines_are_by_account_network_and_price() -> None:
    counted = [
        Counted("b", "24001", "4670", 20_000, 0, 2, 3),
        Counted("b", "24001", "467", 10_000, 0, 1, 5),
        Counted("b", "", "467", 10_000, 0, 1, 1),
        Counted("a", "24001", "467", 12_000, 0, 1, 1),
        Counted("a", "24001", "467", 0, 12_000, 1, 9),
    ]
    assert invoicing.lines(counted) == [
        Line("a", "24001", "", 12_000, 1, 1, 12_000),
        Line("b", "", "467", 10_000, 1, 1, 10_000),
        Line("b", "24001", "", 10_000, 8, 11, 110_000),
    ]


def test_parts_that_were_given_back_are_not_on_the_line() -> None:
    assert invoicing.lines([Counted("a", "", "1", 20_000, 10_000, 3, 4)]) == [Line("a", "", "1", 10_000, 4, 8, 80_000)]


def test_a_price_that_no_part_explains_is_a_line_without_unit_price() -> None:
    assert invoicing.lines([Counted("a", "", "1", 10_001, 0, 3, 2), Counted("a", "", "1", 7, 0, 2, 1)]) == [
        Line("a", "", "1", 0, 3, 8, 20_009)
    ]


COUNTED = st.builds(
    Counted,
    st.sampled_from("ab"), st.sampled_from(["", "24001"]), st.sampled_from(["1", "12"]),
    st.integers(0, 100_000), st.integers(0, 100_000), st.integers(1, 5), st.integers(1, 1000),
)  # fmt: skip


@given(st.lists(COUNTED, max_size=30))
def test_the_sum_of_the_lines_is_the_sum_of_the_messages(counted: list[Counted]) -> None:
    lines = invoicing.lines(counted)
    assert sum(line.amount for line in lines) == sum(each.price * each.messages for each in counted)
    assert all(line.unit_price * line.parts == line.amount for line in lines if line.unit_price)
    assert len({line[:4] for line in lines}) == len(lines)
