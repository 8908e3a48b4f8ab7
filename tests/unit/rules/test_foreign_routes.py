"""The commercial product's routing table: what ours can say the same, and what is left out and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.foreign_routes import Rule, parse


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        (">46 op1", [("46", ("op1",))]),
        (">+46* op1", [("46", ("op1",))]),
        ("> 46\top1:op2", [("46", ("op1", "op2"))]),
        ("46 op1,op2", [("46", ("op1",)), ("46", ("op2",))]),
        (">/^46/ op1", [("46", ("op1",))]),
        (r">/^\+?46.*$/ op1", [("46", ("op1",))]),
        (r">/^(\+|00)?46[0-9]*$/ op1", [("46", ("op1",))]),
        (">/^(46|47)/ op1", [("46", ("op1",)), ("47", ("op1",))]),
        (">/.*/ op1", [("", ("op1",))]),
        ("* op1", [("", ("op1",))]),
    ],
)
def test_what_can_be_said(line: str, rules: list[tuple[str, tuple[str, ...]]]) -> None:
    assert parse(f"# a comment\r\n\r\n{line}\r\n") == ([Rule(3, *rule) for rule in rules], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!billing", "plugin"),
        ("<46 op1", "sender"),
        (">/@example/ smtp", "not the beginning of a number"),
        (">/46/ op1", "not the beginning of a number"),
        (">/^46$/ op1", "not the beginning of a number"),
        (">/^46[0-9]{8}$/ op1", "not the beginning of a number"),
        (">46 a,b:c", "mixes"),
        (">46 a:a", "twice"),
        ("op1", "no rule of the form"),
        (">STOP op1", "neither digits nor"),
        (">46 a b", "neither digits nor"),
        (">123456789012345678901 a", "neither digits nor"),
    ],
)
def test_what_can_not(line: str, reason: str) -> None:
    rules, left = parse(line)
    assert rules == []
    assert [fault.line for fault in left] == [1]
    assert reason in left[0].reason


def test_a_rule_behind_a_shorter_prefix_is_never_reached_there_and_left_out_here() -> None:
    rules, left = parse(">467 a\n>46 b\n>468 c\n* d\n>1 e")
    assert [(rule.line, rule.prefix) for rule in rules] == [(1, "467"), (2, "46"), (4, "")]
    assert [str(fault) for fault in left] == [
        "line 3: never reached: line 2 takes 468…",
        "line 5: never reached: line 4 takes 1…",
    ]


@given(st.text())
def test_rubbish_is_left_out_line_by_line(text: str) -> None:
    rules, left = parse(text)
    assert all(rule.connectors and (not rule.prefix or rule.prefix.isdigit()) for rule in rules)
    assert {fault.line for fault in left} <= set(range(1, text.count("\n") + 2))
