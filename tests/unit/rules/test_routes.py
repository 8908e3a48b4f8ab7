"""The routing table: order of decision, load sharing, failover, and agreement with a slow plain reading of the rules."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.route_rows import Route, RouteFaults, format_routes, parse_routes, route_of, routes_of
from emg.rules.routes import NOWHERE, RouteChoice, RouteTable
from emg.rules.snapshot import RouteRow

HEADER = "prefix,account,connector_in,connector_out,priority,weight,enabled\n"
KNOWN = ("a", "b", "c", "d", "in1", "in2")


def table(*rows: str) -> RouteTable:
    return RouteTable.parse(HEADER + "\n".join(rows), KNOWN)


def everything(_connector: str) -> bool:
    return True


def picked(choice: RouteChoice, usable: Callable[[str], bool]) -> str | None:
    """The connector alone."""
    found = choice.pick(usable)
    return found[1] if found is not None else None


def all_but(*down: str):
    return lambda connector: connector not in down


def test_the_longest_prefix_wins() -> None:
    routes = table("46,,,a", "4670,,,b", "*,,,c")
    assert picked(routes.lookup("46701234567", "", "in1"), everything) == "b"
    assert picked(routes.lookup("46811111111", "", "in1"), everything) == "a"
    assert picked(routes.lookup("4712345678", "", "in1"), everything) == "c"
    assert picked(routes.lookup("", "", "in1"), everything) == "c"


def test_prefix_then_account_then_receiving_connector() -> None:
    routes = table("46,acme,,a", "467,,,b", "46,,in1,c", "46,acme,in1,d")
    assert picked(routes.lookup("467", "acme", "in1"), everything) == "b"
    assert picked(routes.lookup("468", "acme", "in1"), everything) == "d"
    assert picked(routes.lookup("468", "acme", "in2"), everything) == "a"
    assert picked(routes.lookup("468", "other", "in1"), everything) == "c"
    assert routes.lookup("468", "other", "in2") is NOWHERE


def test_a_prefix_that_is_only_for_others_lets_shorter_ones_decide() -> None:
    routes = table("4670,acme,,a", "46,,,b")
    assert picked(routes.lookup("46701", "other", "in1"), everything) == "b"


def test_no_row_is_told_from_no_usable_connector() -> None:
    routes = table("46,,,a")
    assert not routes.lookup("47", "", "")
    assert routes.lookup("46", "", "")
    assert picked(routes.lookup("46", "", ""), all_but("a")) is None
    assert picked(RouteTable().lookup("46", "", ""), everything) is None


def test_the_lower_priority_number_first_then_the_next() -> None:
    choice = table("46,,,b,20", "46,,,a,5", "46,,,c,30").lookup("46", "", "")
    assert picked(choice, everything) == "a"
    assert picked(choice, all_but("a")) == "b"
    assert picked(choice, all_but("a", "b")) == "c"
    assert picked(choice, all_but("a", "b", "c")) is None


def test_the_list_of_a_row_comes_before_rows_of_equal_rank_and_those_before_lower_ones() -> None:
    choice = table("46,,,a:b", "46,,,d,20").lookup("46", "", "")
    assert picked(choice, all_but("a")) == "b"
    assert picked(choice, all_but("a", "b")) == "d"


def test_the_row_that_decides_comes_with_its_connector() -> None:
    routes = table("46,,,a", "47,,,b,10,1", "47,,,c,10,1", "48,acme,,a:d")
    found = [routes.lookup(dest, "acme", "").pick(all_but("a")) for dest in ("46", "47", "47", "48")]
    assert [(row.line, name) for row, name in filter(None, found)] == [(3, "b"), (4, "c"), (5, "d")]
    again = [routes.pick(dest, "acme", "", all_but("a")) for dest in ("46", "47", "47", "48", "49")]
    assert [(row.line, name) for row, name in filter(None, again)] == [(3, "b"), (4, "c"), (5, "d")]


def test_an_unusable_specific_row_never_falls_to_a_general_one() -> None:
    assert picked(table("46,,,a", "*,,,b").lookup("46", "", ""), all_but("a")) is None
    assert picked(table("46,acme,,a", "46,,,b").lookup("46", "acme", ""), all_but("a")) is None
    assert picked(table("46,,,a:b", "*,,,b").lookup("46", "", ""), all_but("a")) == "b"


def test_weights_share_the_load_evenly_and_in_the_same_order_each_time() -> None:
    rows = ("46,,,a,10,5", "46,,,b,10,1", "46,,,c,10,1")
    choice = table(*rows).lookup("46", "", "")
    sequence = "".join(str(picked(choice, everything)) for _ in range(14))
    assert sequence == "aabacaa" * 2


def test_the_share_of_a_connector_that_is_down_goes_to_the_others_by_weight() -> None:
    choice = table("46,,,a,10,4", "46,,,b,10,2", "46,,,c,10,1").lookup("46", "", "")
    assert Counter(picked(choice, all_but("a")) for _ in range(300)) == {"b": 200, "c": 100}
    assert Counter(picked(choice, everything) for _ in range(700)) == {"a": 400, "b": 200, "c": 100}


def test_weight_0_is_a_reserve_of_its_priority() -> None:
    choice = table("46,,,a,10,0", "46,,,b,10,1", "46,,,c,20,1").lookup("46", "", "")
    assert {picked(choice, everything) for _ in range(10)} == {"b"}
    assert picked(choice, all_but("b")) == "a"
    assert picked(choice, all_but("b", "a")) == "c"


def test_a_row_that_is_off_counts_as_not_there_and_may_name_what_is_gone() -> None:
    routes = table("46,,,gone:away,10,1,0", "*,,,a,,,yes")
    assert routes.size == 1
    assert picked(routes.lookup("46", "", ""), everything) == "a"


def test_columns_in_any_order_missing_ones_default_and_prefixes_are_normalised() -> None:
    text = "\ufeff# ours\nconnector_out;Prefix\na : b;+46\n\n# more\nc;0047\n"
    rows = parse_routes(text, KNOWN)
    assert rows == [
        Route(3, "46", "", "", ("a", "b"), 10, 1, enabled=True),
        Route(6, "47", "", "", ("c",), 10, 1, enabled=True),
    ]


def test_quotes_and_windows_line_ends_are_read() -> None:
    assert parse_routes('prefix,connector_out\r\n"46","a"\r\n', KNOWN)[0].prefix == "46"


def test_an_accounts_sessions_on_an_incoming_connector_can_be_a_target() -> None:
    assert picked(table("72345,,,in1/acme").lookup("72345", "", "a"), everything) == "in1/acme"


def test_all_faults_are_reported_with_line_and_field_and_nothing_is_loaded() -> None:
    text = HEADER + (
        "46x,,,a\n"
        "46,,nowhere,a\n"
        "46,,,a:ghost\n"
        "46,,,\n"
        "46,,,a::b\n"
        "46,,,a:a\n"
        "46,,,a,first\n"
        "46,,,a,1,99999\n"
        "46,,,a,1,1,perhaps\n"
        "46,,,a,1,1,1,1\n"
        "+,,,a,-1\n"
        "47,,,a\n"
    )
    with pytest.raises(RouteFaults) as raised:
        RouteTable.parse(text, KNOWN)
    assert [(fault.line, fault.field) for fault in raised.value.faults] == [
        (2, "prefix"),
        (3, "connector_in"),
        (4, "connector_out"),
        (5, "connector_out"),
        (6, "connector_out"),
        (7, "connector_out"),
        (8, "priority"),
        (9, "weight"),
        (10, "enabled"),
        (11, ""),
        (12, "prefix"),
        (12, "priority"),
    ]
    assert "line 4: connector_out: there is no connector 'ghost'" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        ("# only words\n", ""),
        ("prefix,account\n46,x\n", "connector_out"),
        ("prefix,connector_out,colour\n", "colour"),
        ("prefix,prefix,connector_out\n", "prefix"),
    ],
)
def test_a_bad_header_is_one_fault_not_one_a_row(text: str, field: str) -> None:
    with pytest.raises(RouteFaults) as raised:
        RouteTable.parse(text, KNOWN)
    assert [fault.field for fault in raised.value.faults] == [field]


def test_an_open_quote_is_a_fault() -> None:
    with pytest.raises(RouteFaults, match="line"):
        RouteTable.parse(HEADER + '46,,,"a\n47,,,b\n', KNOWN)


def test_a_long_list_of_faults_is_cut_in_the_sentence_only() -> None:
    with pytest.raises(RouteFaults, match=r"and 80 more$") as raised:
        RouteTable.parse(HEADER + "x,,,a\n" * 100, KNOWN)
    assert len(raised.value.faults) == 100


def test_explain_names_the_deciding_row_and_why_each_rival_lost() -> None:
    routes = table(
        "*,,,a",
        "46,acme,,a",
        "46,,,b:c,10,2",
        "46,,,d,10,1",
        "46,,,a,20",
        "46,,,a,10,0",
        "467,,,a,,,0",
        "47,,,a",
        "46,,in2,a",
    )
    explanation = routes.explain("46701", "other", "in1", all_but("b"))
    assert (explanation.connector, explanation.line) == ("c", 4)
    assert "b can't be used" in explanation.reason
    reasons = {rival.row.line: rival.reason for rival in explanation.rivals}
    assert reasons == {
        2: "it has no prefix; the longest is '46' (row 4)",
        3: "for account 'acme' only",
        5: "shares the load with row 4 by weight 1, its turn comes later",
        6: "priority 20 comes after 10 (row 4)",
        7: "a reserve (weight 0) for row 4",
        8: "switched off",
        10: "for messages received on 'in2' only",
    }
    assert msgspec.json.decode(msgspec.json.encode(explanation))["row"]["connectors"] == ["b", "c"]


def test_explain_says_what_beats_a_row_of_the_same_prefix() -> None:
    routes = table("46,acme,in1,a", "46,acme,,b", "46,,in1,c")
    assert [rival.reason for rival in routes.explain("46", "acme", "in1", everything).rivals] == [
        "row 2 names the receiving connector",
        "row 2 names the account",
    ]


def test_explain_without_a_way_says_whether_rows_or_connectors_are_missing() -> None:
    routes = table("46,,,a:b")
    nothing = routes.explain("47", "", "", everything)
    assert (nothing.connector, nothing.line, nothing.row, nothing.rivals) == (None, 0, None, ())
    assert nothing.reason == "no row fits"
    down = routes.explain("46", "", "", all_but("a", "b"))
    assert down.connector is None
    assert "row 2" in down.reason
    assert down.rivals[0].reason == "none of its connectors can be used: a, b"


def test_explain_foresees_the_next_pick_without_taking_its_turn() -> None:
    routes = table("46,,,a,10,3", "46,,,b,10,2", "46,,,c:d,10,1")
    for usable in (everything, all_but("c"), all_but("a"), everything) * 5:
        foreseen = routes.explain("46", "", "", usable).connector
        assert foreseen == routes.explain("46", "", "", usable).connector
        assert foreseen == picked(routes.lookup("46", "", ""), usable)


def test_explain_is_bounded() -> None:
    routes = table(*(f"46,customer{number},,a" for number in range(80)))
    explanation = routes.explain("46", "customer7", "", everything)
    assert (len(explanation.rivals), explanation.more_rivals) == (50, 29)


# Rows that come another way than by a file.


def test_rows_of_the_database_that_cannot_be_used_are_left_out_and_named() -> None:
    good = RouteRow(7, "46", "acme", "in1", "a:b/acme", 10, 1, True)
    bad = {
        "connector_out": msgspec.structs.replace(good, id=8, connector_out="a:ghost"),
        "connector_in": msgspec.structs.replace(good, id=9, connector_in="ghost"),
        "prefix": msgspec.structs.replace(good, id=10, prefix="+46"),
        "priority": msgspec.structs.replace(good, id=11, priority=-1),
        "weight": msgspec.structs.replace(good, id=12, weight=70_000),
        "account": msgspec.structs.replace(good, id=13, account="x" * 65),
    }
    off = msgspec.structs.replace(good, id=14, connector_out="ghost", enabled=False)
    rows, faults = routes_of([good, *bad.values(), off], KNOWN)
    assert rows == [
        Route(7, "46", "acme", "in1", ("a", "b/acme"), 10, 1, True), Route(14, "46", "acme", "in1", ("ghost",), 10, 1, False),
    ]  # fmt: skip
    assert [(fault.line, fault.field) for fault in faults] == [(row.id, field) for field, row in bad.items()]


def test_one_row_by_its_columns() -> None:
    assert route_of({"prefix": " +46 ", "connector_out": "a"}, KNOWN) == Route(0, "46", "", "", ("a",))
    with pytest.raises(RouteFaults) as raised:
        route_of({"colour": "red", "connector_out": "ghost"}, KNOWN)
    assert str(raised.value).startswith("colour: no such column")
    assert [fault.field for fault in raised.value.faults] == ["colour", "connector_out"]


# Against a plain reading of the rules.

# Few values, so that rows often compete.
PREFIXES = st.sampled_from(["", "4", "46", "46", "467"])
NAMES = st.sampled_from(["", "", "x", "y"])
ROUTES = st.lists(
    st.builds(
        Route,
        line=st.just(2),
        prefix=PREFIXES,
        account=NAMES,
        connector_in=st.sampled_from(["", "", "in1", "in2"]),
        connectors=st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(tuple),
        priority=st.sampled_from([1, 2]),
        weight=st.integers(0, 4),
        enabled=st.sampled_from([True, True, True, False]),
    ),
    max_size=16,
).map(lambda rows: [msgspec.structs.replace(row, line=number) for number, row in enumerate(rows, 2)])
UP = st.sets(st.sampled_from("abcd")) | st.just(set("abcd"))


class PlainReading:
    """The rules word by word: every row is looked at for every message."""

    def __init__(self, rows: list[Route]) -> None:
        self.rows = rows
        self.credit = dict.fromkeys((row.line for row in rows), 0)

    def fitting(self, dest: str) -> list[int]:
        fitting = [row for row in self.rows if dest.startswith(row.prefix)]
        return [row.line for row in sorted(fitting, key=lambda row: (-len(row.prefix), row.line))]

    def pick(self, dest: str, account: str, connector_in: str, up: set[str]) -> tuple[int, str] | None:
        fitting = [
            row
            for row in self.rows
            if row.enabled
            and dest.startswith(row.prefix)
            and row.account in ("", account)
            and row.connector_in in ("", connector_in)
        ]
        if not fitting:
            return None
        best = max(specific(row) for row in fitting)
        deciding = [row for row in fitting if specific(row) == best]
        for rank in sorted({(row.priority, row.weight == 0) for row in deciding}):
            equals = [r for r in deciding if (r.priority, r.weight == 0) == rank and up.intersection(r.connectors)]
            if equals:
                return self.turn(equals, up)
        return None

    def turn(self, equals: list[Route], up: set[str]) -> tuple[int, str]:
        for row in equals:
            self.credit[row.line] += row.weight or 1
        winner = max(equals, key=lambda row: (self.credit[row.line], -row.line))
        self.credit[winner.line] -= sum(row.weight or 1 for row in equals)
        return winner.line, next(connector for connector in winner.connectors if connector in up)


def specific(row: Route) -> tuple[int, bool, bool]:
    return len(row.prefix), bool(row.account), bool(row.connector_in)


@given(
    ROUTES,
    st.lists(
        st.tuples(
            st.sampled_from(["", "4", "46", "46701", "47", "5"]),
            st.sampled_from(["", "x", "y", "z"]),
            st.sampled_from(["in1", "in2", "in3"]),
            UP,
        ),
        min_size=10,
        max_size=40,
    ),
)
def test_it_decides_as_a_plain_reading_of_the_rules_would(rows: list[Route], messages: list) -> None:
    """By both ways to ask, each with a table and its turns of its own; and explaining takes no turn."""
    routes, others = RouteTable(rows), RouteTable(rows)
    plain = PlainReading(rows)
    for dest, account, connector_in, up in messages:
        expected = plain.pick(dest, account, connector_in, up)
        told = routes.explain(dest, account, connector_in, up.__contains__)
        assert (told.line, told.connector) == (expected or (0, None))
        found = routes.pick(dest, account, connector_in, up.__contains__)
        assert (found and (found[0].line, found[1])) == expected
        assert picked(others.lookup(dest, account, connector_in), up.__contains__) == (expected and expected[1])
        assert [row.line for row in routes.rows_for(dest)] == plain.fitting(dest)


@given(ROUTES)
def test_what_is_written_reads_back_the_same(rows: list[Route]) -> None:
    assert parse_routes(format_routes(rows), KNOWN) == rows


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole in (text, HEADER + text):
        with suppress(RouteFaults):
            RouteTable.parse(whole, KNOWN)
