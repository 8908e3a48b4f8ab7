"""Only currencies of ISO 4217 pass, wherever a row names one, and who mistypes is told the nearest."""

import pytest

from emg.rules import currencies, invoicing, rows
from emg.rules.account_rows import ACCOUNT, CUSTOMER
from emg.rules.price_rows import PriceFaults, parse_prices, prices_of
from emg.rules.rows import Known, RowFaults
from emg.rules.snapshot import PriceRow


def test_codes_in_any_case() -> None:
    assert [currencies.code(text) for text in ("eur", " SEK ", "Xof", "XCG")] == ["EUR", "SEK", "XOF", "XCG"]


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("EUE", "EUR"), ("ERU", "EUR"), ("EURO", "EUR"), ("UDS", "USD"), ("US$", "USD"), ("€", "EUR"), ("SKE", "SEK"), ("E", "EUR"),
        ("HRK", "EUR"), ("ANG", "XCG"), ("SLL", "SLE"), ("GPB", "GBP"), ("ZZR", "ZAR"),
    ],
)  # fmt: skip
def test_any_other_three_letters_are_refused_with_the_nearest_code(text: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"is no currency of ISO 4217; the nearest is {nearest}$"):
        currencies.code(text)


def test_metals_and_codes_for_tests_are_no_currencies() -> None:
    assert not {"XAU", "XAG", "XBA", "XTS"} & set(currencies.DECIMALS)


def test_the_table_is_of_codes_and_names_each_once() -> None:
    everything = [
        code
        for text in (currencies._TWO, currencies._NONE, currencies._THREE, currencies._FOUR)
        for code in text.split()
    ]
    assert sorted(everything) == sorted(set(everything))
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in everything)
    assert len(everything) > 165
    assert set(currencies._SUCCESSORS.values()) | set(currencies._USUAL) <= set(everything)
    assert not set(currencies._SUCCESSORS) & set(everything)


def test_every_row_that_names_a_currency_is_checked() -> None:
    for fields, given in ((ACCOUNT, {"name": "a", "currency": "ERU"}), (CUSTOMER, {"name": "A", "currency": "ERU"})):
        with pytest.raises(RowFaults, match="currency: 'ERU' is no currency of ISO 4217; the nearest is EUR"):
            rows.read(fields, given, Known(), whole=True)
    with pytest.raises(PriceFaults, match="line 2: currency: 'ERU' is no currency of ISO 4217; the nearest is EUR"):
        parse_prices("price,currency\n1,ERU\n")


def test_a_row_that_got_in_by_hand_is_left_out() -> None:
    used, faults = prices_of([PriceRow(7, "", "", "", "", 1, 0, "ABC", None, None, "never")])
    assert (used, [(fault.line, fault.field) for fault in faults]) == ([], [(7, "currency")])


def test_an_invoice_is_rounded_to_the_coin_of_its_currency() -> None:
    assert [invoicing.decimals(code) for code in ("EUR", "JPY", "KWD", "CLF", "HRK")] == [2, 0, 3, 4, 2]
