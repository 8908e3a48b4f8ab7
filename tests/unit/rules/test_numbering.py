"""Numbering: the longest prefix, the CSV form, its faults."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.numbering import (
    NetworkFaults,
    NetworkRow,
    Numbering,
    format_networks,
    network_of,
    networks_of,
    parse_networks,
)
from emg.rules.snapshot import NetworkRow as StoredNetwork

HEADER = "prefix,country,name,mcc,mnc\n"


def test_the_longest_prefix_names_the_network() -> None:
    plan = Numbering.parse(HEADER + "46,SE,,,\n4670,se,Operator One,240,01\n467012,SE,Operator Two,240,024\n")
    assert plan.lookup("46701999") == NetworkRow(3, "4670", "SE", "Operator One", "240", "01")
    assert [row.id if row else 0 for row in map(plan.lookup, ("46701234", "468", "47", ""))] == [4, 2, 0, 0]
    assert plan
    assert not Numbering()


def test_all_faults_are_reported_with_line_and_field() -> None:
    text = HEADER + "46x,SE,,,\n,SE,,,\n46,Sweden,,,\n46,SE,,24,\n46,SE,,240,1\n46,SE,,,01\n46,SE,,,\n+46,SE,,,\n"
    with pytest.raises(NetworkFaults) as raised:
        parse_networks(text)
    assert [(fault.line, fault.field) for fault in raised.value.faults] == [
        (2, "prefix"), (3, "prefix"), (4, "country"), (5, "mcc"), (6, "mnc"), (7, "mcc"), (9, "prefix"),
    ]  # fmt: skip
    assert "line 8 is about 46 already" in str(raised.value)


def test_one_row_by_its_columns() -> None:
    assert network_of({"prefix": "0046", "country": "se"}) == NetworkRow(0, "46", "SE")
    with pytest.raises(NetworkFaults, match=r"^prefix: it is missing"):
        network_of({"country": "se"})


def test_rows_of_the_database_that_cannot_be_used_are_left_out_and_named() -> None:
    rows, faults = networks_of(
        [StoredNetwork(5, "46", "SE", "", "", ""), StoredNetwork(6, "+46", "", "", "", ""), StoredNetwork(7, "47", "NO", "", "", "1")]
    )  # fmt: skip
    assert rows == [NetworkRow(5, "46", "SE")]
    assert [(fault.line, fault.field) for fault in faults] == [(6, "prefix"), (7, "mnc"), (7, "mcc")]


ROWS = st.lists(
    st.builds(
        NetworkRow,
        id=st.just(0),
        prefix=st.text("46", min_size=1, max_size=4),
        country=st.sampled_from(["", "SE"]),
        name=st.sampled_from(["", 'One, "and" only', "Öst;väst"]),
        mcc=st.just("240"),
        mnc=st.sampled_from(["", "01", "024"]),
    ),
    unique_by=lambda row: row.prefix,
)


@given(ROWS, st.lists(st.text("4567", max_size=6)))
def test_it_finds_what_a_plain_reading_finds(rows: list[NetworkRow], dests: list[str]) -> None:
    plan = Numbering(rows)
    for dest in dests:
        fitting = [row for row in rows if dest.startswith(row.prefix)]
        assert plan.lookup(dest) == max(fitting, key=lambda row: len(row.prefix), default=None)


@given(ROWS)
def test_what_is_written_reads_back_the_same(rows: list[NetworkRow]) -> None:
    text = format_networks(rows)
    assert format_networks(parse_networks(text)) == text


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole in (text, HEADER + text):
        with suppress(NetworkFaults):
            parse_networks(whole)
