"""The price table: order of decision, periods, faults, explanations, and agreement with a slow plain reading of the rules."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.price_explain import plain
from emg.rules.price_rows import (
    ALWAYS,
    FOREVER,
    PriceFaults,
    PriceRow,
    ambiguities,
    format_prices,
    parse_moment,
    parse_prices,
    price_of,
    prices_of,
    show_moment,
)
from emg.rules.prices import PriceTable
from emg.rules.snapshot import PriceRow as StoredPrice

HEADER = "prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund\n"
NOW = float(parse_moment("2026-07-15"))


def table(*rows: str) -> PriceTable:
    return PriceTable.parse(HEADER + "\n".join(rows))


def decided(
    prices: PriceTable, dest: str = "46701", account: str = "acme", now: float = NOW, currency: str = "EUR"
) -> int:
    """The line of the row for a message from `in1` to `op1`; 0 for none."""
    row = prices.lookup(dest, account, "in1", "op1", currency, now)
    return row.id if row is not None else 0


# -- the order


def test_prefix_then_account_then_receiving_then_sending_connector() -> None:
    """Each row beats those under it."""
    rows = (
        "467,,,,1,0,EUR",
        "46,acme,in1,op1,1,0,EUR",
        "46,acme,in1,,1,0,EUR",
        "46,acme,,op1,1,0,EUR",
        "46,acme,,,1,0,EUR",
        "46,,in1,op1,1,0,EUR",
        "46,,in1,,1,0,EUR",
        "46,,,op1,1,0,EUR",
        "46,,,,1,0,EUR",
        "*,acme,in1,op1,1,0,EUR",
        ",,,,1,0,EUR",
    )
    for beaten in range(len(rows)):
        assert decided(table(*reversed(rows[beaten:]))) == len(rows) - beaten + 1


def test_rows_for_others_do_not_count() -> None:
    prices = table("467,other,,,1,0,EUR", "46,,in2,,1,0,EUR", "46,,,op2,1,0,EUR", "4,,,,1,0,EUR")
    assert decided(prices) == 5
    assert decided(prices, dest="5") == 0


def test_a_row_of_another_currency_is_not_seen() -> None:
    prices = table("467,acme,,,1,0,SEK", "46,,,,2,0,EUR")
    assert decided(prices) == 3
    assert decided(prices, currency="SEK") == 2
    assert decided(prices, currency="USD") == 0


def test_an_account_without_currency_sees_a_table_of_one_currency_only() -> None:
    assert decided(table("46,,,,1,0,EUR"), currency="") == 2
    assert decided(table("46,,,,1,0,EUR", "47,,,,1,0,SEK"), currency="") == 0


def test_a_price_that_is_not_valid_now_makes_room_for_a_less_specific_one() -> None:
    prices = table("467,,,,1,0,EUR,2026-08-01", "46,acme,,,1,0,EUR,,2026-07-01", "46,,,,1,0,EUR")
    assert decided(prices) == 4
    assert decided(prices, now=parse_moment("2026-08-01")) == 2
    assert decided(prices, now=parse_moment("2026-06-30T23:59:59")) == 3
    assert decided(prices, now=parse_moment("2026-07-01")) == 4


def test_of_several_periods_the_one_that_began_last_counts_and_the_list_goes_on_after_an_offer() -> None:
    prices = table(
        "46,,,,3,0,EUR,2026-01-01", "46,,,,2,0,EUR,2026-06-01,2026-07-01", "46,,,,4,0,EUR,2026-09-01", "46,,,,1,0,EUR"
    )
    expected = {"2025-12-31": 5, "2026-01-01": 2, "2026-06-01": 3, "2026-07-01": 2, "2026-09-01": 4, "2030-01-01": 4}
    assert {day: decided(prices, now=parse_moment(day)) for day in expected} == expected


def test_an_empty_table_is_false_and_knows_no_price() -> None:
    assert not PriceTable()
    assert decided(PriceTable()) == 0
    assert table("46,,,,1,0,EUR")


# -- the text


def test_a_row_as_it_is_read() -> None:
    text = "\ufeff# ours\nCurrency;price;prefix;valid_from;cost;refund\nsek;0.0125;+46;2026-07-01T02:00:00+02:00;0.01;Never\n"
    assert parse_prices(text) == [
        PriceRow(3, "46", "", "", "", 12_500, 10_000, "SEK", parse_moment("2026-07-01"), FOREVER, 0)
    ]
    assert parse_prices("price,currency\n1,EUR\n") == [
        PriceRow(2, "", "", "", "", 1_000_000, 0, "EUR", ALWAYS, FOREVER, 1)
    ]


def test_all_faults_are_reported_with_line_and_field() -> None:
    text = HEADER + (
        "46x,,,,1,0,EUR\n"
        "46,,,,,0,EUR\n"
        "46,,,,-1,0,EUR\n"
        "46,,,,NaN,0,EUR\n"
        "46,,,,1,-0.5,EUR\n"
        "46,,,,1,0,\n"
        "46,,,,1,0,EURO\n"
        "46,,,,1,0,EUR,yesterday\n"
        "46,,,,1,0,EUR,2026-07-01T00:00:00.5\n"
        "46,,,,1,0,EUR,1960-01-01\n"
        "46,,,,1,0,EUR,2026-07-02,2026-07-02\n"
        "46,,,,1,0,EUR,,,perhaps\n"
        "46,,in9,op9,1,0,EUR\n"
        "46,,,,0.0000001,0,EUR\n"
        "46,,,,10000000.000001,0,EUR\n"
        "47,,,,1,0,EUR\n"
    )
    with pytest.raises(PriceFaults) as raised:
        parse_prices(text, ("in1", "op1"))
    assert [(fault.line, fault.field) for fault in raised.value.faults] == [
        (2, "prefix"), (3, "price"), (4, "price"), (5, "price"), (6, "cost"), (7, "currency"), (8, "currency"), (9, "valid_from"),
        (10, "valid_from"), (11, "valid_from"), (12, "valid_until"), (13, "refund"), (14, "connector_in"), (14, "connector_out"),
        (15, "price"), (16, "price"),
    ]  # fmt: skip
    assert "line 4: price: '-1' is negative" in str(raised.value)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("", "", "begins at the same moment"),
        ("2026-01-01", "2026-01-01,2026-02-01", "begins at the same moment"),
        ("2026-01-01,2026-03-01", "2026-02-01", "until 2026-03-01, after this one has begun"),
        ("2026-01-01,2026-12-31", "2026-02-01,2026-03-01", "until 2026-12-31, after this one has begun"),
        (",2026-03-01", "2026-02-01", "until 2026-03-01, after this one has begun"),
    ],
)
def test_rows_that_contradict_each_other_are_a_fault_that_names_both(first: str, second: str, said: str) -> None:
    with pytest.raises(PriceFaults) as raised:
        table("47,,,,1,0,EUR", f"46,,,,1,0,EUR,{first}", "46,acme,,,1,0,EUR", f"46,,,,2,0,EUR,{second}")
    (fault,) = raised.value.faults
    assert (fault.line, fault.field) == (5, "valid_from")
    assert "line 3" in fault.reason
    assert said in fault.reason


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "2026-01-01"),
        ("", "2026-01-01,2026-02-01"),
        ("2026-01-01,2026-02-01", "2026-02-01"),
        ("2026-01-01", "2026-02-01,2026-03-01"),
    ],
)
def test_rows_that_follow_each_other_are_no_fault(first: str, second: str) -> None:
    assert table(f"46,,,,2,0,EUR,{second}", f"46,,,,1,0,EUR,{first}").size == 2


def test_every_row_that_a_long_period_covers_is_named() -> None:
    with pytest.raises(PriceFaults) as raised:
        table(
            "46,,,,1,0,EUR,2026-01-01,2027-01-01",
            "46,,,,1,0,EUR,2026-02-01",
            "46,,,,1,0,EUR,2026-03-01,2026-04-01",
            "46,,,,1,0,EUR,2027-01-01",
        )
    assert [fault.line for fault in raised.value.faults] == [3, 4]


def test_many_faults_are_cut_in_the_sentence() -> None:
    with pytest.raises(PriceFaults, match=r"and 80 more$"):
        table(*("46,,,,x,0,EUR" for _ in range(100)))


def test_one_row_by_its_columns() -> None:
    row = price_of({"prefix": " 46 ", "price": "0.05", "currency": "eur"})
    assert (row.id, row.prefix, row.price, row.currency) == (0, "46", 50_000, "EUR")
    with pytest.raises(PriceFaults, match=r"^colour: no such column") as raised:
        price_of({"colour": "red", "price": "0.05"})
    assert [fault.field for fault in raised.value.faults] == ["colour", "currency"]


def test_moments_are_utc() -> None:
    assert show_moment(parse_moment("2026-07-01T00:00:00-02:00")) == "2026-07-01T02:00:00Z"
    assert show_moment(parse_moment("2026-07-01T00:00:00Z")) == "2026-07-01"
    assert show_moment(ALWAYS) == show_moment(FOREVER) == ""


def test_rows_of_the_database_that_cannot_be_used_are_left_out_and_named() -> None:
    good = StoredPrice(7, "46", "", "", "op1", 50_000, 0, "EUR", None, None, "refused")
    bad = {
        "currency": msgspec.structs.replace(good, id=8, currency=""),
        "price": msgspec.structs.replace(good, id=9, price=-1),
        "prefix": msgspec.structs.replace(good, id=10, prefix="+46"),
        "valid_until": msgspec.structs.replace(good, id=11, valid_from=NOW, valid_until=NOW),
        "refund": msgspec.structs.replace(good, id=12, refund="always"),
        "valid_from": msgspec.structs.replace(good, id=13),
    }
    nonsense = msgspec.structs.replace(good, id=14, prefix="46x")
    assert [str(fault) for fault in prices_of([nonsense])[1]] == ["line 14: prefix: '46x' is not 1 to 20 digits"]
    rows, faults = prices_of([good, *bad.values()])
    assert rows == [PriceRow(7, "46", "", "", "op1", 50_000, 0, "EUR", ALWAYS, FOREVER, 1)]
    assert [(fault.line, fault.field) for fault in faults] == [(row.id, field) for field, row in bad.items()]


# -- why


def test_explain_names_the_deciding_row_and_why_each_rival_lost() -> None:
    prices = table(
        "*,,,,1,0,EUR",
        "46,,,,2,0,EUR",
        "46,acme,,,2,0,EUR",
        "46,acme,in1,,2,0,EUR,2026-01-01",
        "46,acme,in1,,2,0,EUR",
        "46,acme,in1,,3,0,EUR,2026-08-01",
        "467,,,,2,0,EUR,,2026-01-01",
        "467,other,,,1,0,EUR",
        "467,,,op2,1,0,EUR",
        "467,,in2,,1,0,EUR",
        "467,,,,1,0,SEK",
        "47,,,,1,0,EUR",
    )  # fmt: skip
    told = prices.explain("46701", "acme", "in1", "op1", "EUR", NOW)
    assert told.row is not None
    assert told.row.id == 5
    assert told.reason == "the longest prefix is '46', for account 'acme', received on 'in1', valid from 2026-01-01"
    assert {rival.row.id: rival.reason for rival in told.rivals} == {
        2: "it has no prefix; the longest is '46' (row 5)",
        3: "row 5 names the account",
        4: "row 5 names the receiving connector",
        6: "row 5 began later, 2026-01-01",
        7: "valid from 2026-08-01 on",
        8: "ended 2026-01-01",
        9: "for account 'other' only",
        10: "for messages sent by 'op2' only",
        11: "for messages received on 'in2' only",
        12: "in SEK; the account's currency is EUR",
    }
    assert [rival.row.id for rival in told.rivals][-3:] == [9, 10, 11]  # those that were never in question come last
    shown = msgspec.json.decode(msgspec.json.encode(plain(told)))
    assert (shown["row"]["price"], shown["row"]["valid_from"], shown["row"]["valid_until"]) == (
        2_000_000,
        parse_moment("2026-01-01"),
        None,
    )


def test_explain_says_what_is_missing() -> None:
    prices = table("46,,,,1,0,SEK", "47,other,,,1,0,EUR", "48,,in1,op1,1,0,EUR", "48,,in1,,1,0,EUR")
    assert prices.explain("49", "acme", "in1", "op1", "EUR", NOW).reason == "no row fits"
    assert prices.explain("46", "acme", "in1", "op1", "EUR", NOW).reason == "no row is in EUR"
    assert "for others" in prices.explain("47", "acme", "in1", "op1", "EUR", NOW).reason
    assert "several" in prices.explain("46", "acme", "in1", "op1", "", NOW).reason
    assert (
        prices.explain("48", "acme", "in1", "op1", "EUR", NOW).rivals[0].reason == "row 4 names the sending connector"
    )


def test_explain_is_bounded_and_shows_the_near_ones_first() -> None:
    prices = table(*(f"46,customer{number},,,1,0,EUR" for number in range(80)), "46,,,,1,0,EUR")
    told = prices.explain("46", "customer79", "in1", "op1", "EUR", NOW)
    assert (len(told.rivals), told.more_rivals) == (50, 30)
    assert told.rivals[0].reason == "row 81 names the account"


# -- against a plain reading of the rules

MOMENTS = st.sampled_from([ALWAYS, 10, 20, 30])
# Few values, so that rows often compete.
ROWS = st.lists(
    st.builds(
        PriceRow,
        id=st.just(0),
        prefix=st.sampled_from(["", "4", "46", "467"]),
        account=st.sampled_from(["", "x", "y"]),
        connector_in=st.sampled_from(["", "in1"]),
        connector_out=st.sampled_from(["", "op1"]),
        price=st.integers(0, 10**12),
        cost=st.just(0),
        currency=st.sampled_from(["EUR", "SEK"]),
        valid_from=MOMENTS,
        valid_until=st.sampled_from([20, 30, 40, FOREVER, FOREVER]),
        refund=st.sampled_from([0, 1, 2]),
    ).filter(lambda row: row.valid_from < row.valid_until),
    max_size=25,
).map(lambda rows: [msgspec.structs.replace(row, id=number) for number, row in enumerate(rows, 2)])


def sound(rows: list[PriceRow]) -> list[PriceRow]:
    out = {row.id for row, _fault in ambiguities(rows)}
    return [row for row in rows if row.id not in out]


def plain_reading(
    rows: list[PriceRow], dest: str, account: str, connector_in: str, connector_out: str, currency: str, now: float
) -> PriceRow | None:
    """The rules word by word."""
    fitting = [
        row
        for row in rows
        if row.currency == currency
        and row.valid_from <= now < row.valid_until
        and dest.startswith(row.prefix)
        and row.account in ("", account)
        and row.connector_in in ("", connector_in)
        and row.connector_out in ("", connector_out)
    ]
    return max(
        fitting,
        key=lambda row: (len(row.prefix), bool(row.account), bool(row.connector_in), bool(row.connector_out), row.valid_from),
        default=None,
    )  # fmt: skip


@given(
    ROWS,
    st.lists(
        st.tuples(
            st.sampled_from(["", "4", "46", "46701", "47", "5"]),
            st.sampled_from(["x", "y", "z", ""]),
            st.sampled_from(["in1", "in2"]),
            st.sampled_from(["op1", "op2"]),
            st.sampled_from(["EUR", "SEK", "USD"]),
            st.sampled_from([0.0, 10.0, 15.0, 20.0, 29.999, 30.0, 40.0]),
        ),
        min_size=10,
        max_size=40,
    ),
)
def test_it_decides_as_a_plain_reading_of_the_rules_would(rows: list[PriceRow], messages: list) -> None:
    rows = sound(rows)
    prices = PriceTable(rows)
    for asked in messages:
        expected = plain_reading(rows, *asked)
        assert prices.lookup(*asked) == expected
        told = prices.explain(*asked)
        assert told.row == expected
        assert len(told.rivals) == len([row for row in rows if asked[0].startswith(row.prefix)]) - (
            expected is not None
        )


@given(ROWS)
def test_without_those_that_are_named_the_others_are_clear(rows: list[PriceRow]) -> None:
    """No two that are left begin together, and none that says when it ends reaches into another."""
    left = sound(rows)
    assert not ambiguities(left)
    for row in left:
        for other in left:
            same = row is not other and (row.prefix, row.account, row.connector_in, row.connector_out, row.currency) == (
                other.prefix, other.account, other.connector_in, other.connector_out, other.currency,
            )  # fmt: skip
            if same and row.valid_from <= other.valid_from:
                assert row.valid_from < other.valid_from
                assert row.valid_until in (FOREVER, min(row.valid_until, other.valid_from))


@given(ROWS)
def test_what_is_written_reads_back_the_same(rows: list[PriceRow]) -> None:
    rows = [msgspec.structs.replace(row, id=number) for number, row in enumerate(sound(rows), 2)]
    assert parse_prices(format_prices(rows)) == rows


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole in (text, HEADER + text):
        with suppress(PriceFaults):
            parse_prices(whole)
