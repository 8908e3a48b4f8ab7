"""Retry schemes: what a status means, when the next try is, and how a table with faults is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.errors import Cause
from emg.rules.retry import BY_CAUSE, Action, RetryFaults, RetryScheme, Verdict, parse_intervals
from emg.rules.retry_smpp import CUSTOMER, NAMES, OPERATOR, PERMANENT, TEMPORARY, THROTTLE
from emg.wire.smpp.names import Status

REFUSED = Cause.REFUSED
EMPTY = RetryScheme({}, [])


def test_s22_permanent_statuses_fail_at_once() -> None:
    for status in (0x01, 0x0A, 0x0B, 0x48, 0x61, 0x65, 0x66, 0xC4, 0x101):
        decision = OPERATOR.decide(status, Cause.BAD_DESTINATION, 1, 100.0, 0.0, 0)
        assert (decision.verdict, decision.cause) == (Verdict.FAIL, Cause.BAD_DESTINATION), hex(status)


def test_s22_temporary_statuses_are_tried_until_the_validity_ends() -> None:
    now, tries, times = 0.0, 0, []
    while True:
        tries += 1
        decision = OPERATOR.decide(0x08, REFUSED, tries, now, 1000.0, 0)
        if decision.verdict is Verdict.FAIL:
            break
        now = decision.at
        times.append(now)
    assert times == [10.0, 40.0, 160.0, 760.0, 999.0]
    assert decision.cause is Cause.EXPIRED


def test_s21_throttled_statuses_pause_the_connector_and_are_no_tries() -> None:
    for status in (0x14, 0x58):
        decision = OPERATOR.decide(status, Cause.THROTTLED, 99, 0.0, 0.0, 3)
        assert (decision.verdict, decision.seconds) == (Verdict.PAUSE, 0.0)
    assert OPERATOR.decide(0x58, Cause.THROTTLED, 1, 50.0, 50.0, 0).cause is Cause.EXPIRED


def test_s22_a_customers_answer_is_final_unless_it_asks_for_another_try() -> None:
    again = {
        status
        for status in range(1, 0x500)
        if CUSTOMER.decide(status, REFUSED, 1, 0.0, 0.0, 0).verdict is not Verdict.FAIL
    }
    assert again == {0x08, 0x14, 0x45, 0x58, 0x64, 0x67, 0xFE, 0xFF}


def test_s23_unknown_and_vendor_statuses_are_temporary() -> None:
    for status in (0x22, 0x400, 0x4FF, 0xFFFFFFFF):
        assert OPERATOR.decide(status, REFUSED, 1, 0.0, 0.0, 0).verdict is Verdict.RETRY


def test_every_status_with_a_name_has_its_place_in_one_list() -> None:
    placed = [*PERMANENT, *TEMPORARY, *THROTTLE]
    assert len(placed) == len(set(placed))
    assert set(placed) == set(Status) - {Status.ROK}


def test_without_a_status_the_cause_decides() -> None:
    assert OPERATOR.decide(0, Cause.UNANSWERED, 1, 0.0, 0.0, 0).verdict is Verdict.RETRY
    assert OPERATOR.decide(0, Cause.BAD_TEXT, 1, 0.0, 0.0, 0).verdict is Verdict.FAIL
    assert EMPTY.decide(503, Cause.QUEUE_FULL, 1, 0.0, 0.0, 0).verdict is Verdict.PAUSE
    assert EMPTY.decide(404, Cause.BAD_DESTINATION, 1, 0.0, 0.0, 0).verdict is Verdict.FAIL


def test_a_cause_that_nobody_judged_is_temporary() -> None:
    for cause in set(Cause) - set(BY_CAUSE):
        assert EMPTY.decide(0, cause, 1, 0.0, 0.0, 0).verdict is Verdict.RETRY, cause


def test_the_number_of_tries_is_bounded() -> None:
    assert OPERATOR.decide(8, REFUSED, 2, 0.0, 0.0, 3).verdict is Verdict.RETRY
    decision = OPERATOR.decide(8, REFUSED, 3, 0.0, 0.0, 3)
    assert (decision.verdict, decision.cause) == (Verdict.FAIL, Cause.TOO_MANY_TRIES)


def test_the_last_try_is_moved_before_the_end_of_the_validity() -> None:
    assert OPERATOR.decide(8, REFUSED, 1, 100.0, 105.0, 0).at == 104.0
    assert OPERATOR.decide(8, REFUSED, 1, 100.0, 101.5, 0).cause is Cause.EXPIRED


def test_a_table_in_words_over_the_one_that_ships() -> None:
    scheme = RetryScheme.parse(
        """
        status action interval
        # our operator misuses this one
        RINVDSTADR   temporary 1m
        0x400-0x4FF  permanent
        0x410        temporary 5s, 1.5m
        8,temporary,"2s,4s"
        0x58         throttle  0.5s,2
        *            permanent
        """,
        NAMES,
        OPERATOR,
    )
    assert scheme.decide(0x0B, REFUSED, 1, 0.0, 0.0, 0).at == 60.0
    assert scheme.decide(0x0A, REFUSED, 1, 0.0, 0.0, 0).verdict is Verdict.FAIL
    assert scheme.decide(0x45, REFUSED, 1, 0.0, 0.0, 0).at == 10.0
    assert scheme.decide(0x44F, REFUSED, 1, 0.0, 0.0, 0).verdict is Verdict.FAIL
    assert [scheme.decide(0x410, REFUSED, tries, 0.0, 0.0, 0).at for tries in (1, 2, 3)] == [5.0, 90.0, 90.0]
    assert [scheme.decide(8, REFUSED, tries, 0.0, 0.0, 0).at for tries in (1, 2)] == [2.0, 4.0]
    assert [scheme.decide(0x58, REFUSED, tries, 0.0, 0.0, 0).seconds for tries in (1, 2)] == [0.5, 2.0]
    assert scheme.decide(0x22, REFUSED, 1, 0.0, 0.0, 0).verdict is Verdict.FAIL


def test_the_connectors_retry_time_stands_where_a_row_has_no_interval() -> None:
    scheme = RetryScheme.parse("8 temporary 5s", base=OPERATOR, pauses=(60.0,))
    assert scheme.decide(8, REFUSED, 4, 0.0, 0.0, 0).at == 5.0
    assert scheme.decide(0x45, REFUSED, 4, 0.0, 0.0, 0).at == 60.0


def test_all_faults_are_reported_with_line_and_field() -> None:
    with pytest.raises(RetryFaults) as raised:
        RetryScheme.parse(
            "RNOSUCH temporary\n"
            "8 sometimes\n"
            "8\n"
            "8 temporary 10x\n"
            "9-8 temporary\n"
            "8 permanent 10s\n"
            "8 temporary\n"
            "0x8 throttle\n"
            "1-9 temporary\n"
            "9-12 temporary\n"
            "* temporary\n"
            "* permanent\n"
            "-1 temporary\n"
            "0x1FFFFFFFF temporary\n"
        )
    assert [(fault.line, fault.field) for fault in raised.value.faults] == [
        (1, "status"),
        (2, "action"),
        (3, "action"),
        (4, "interval"),
        (5, "status"),
        (6, "interval"),
        (8, "status"),
        (10, "status"),
        (12, "status"),
        (13, "status"),
        (14, "status"),
    ]


@pytest.mark.parametrize(
    "text", ["", "10,,20", "-1s", "0", "8d", "s", "1.", "1.5.2s", "inf", "nan", "1e5", "1²", ",".join(["1"] * 33)]
)
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|more than"):
        parse_intervals(text)


def test_intervals_are_seconds_minutes_hours_and_days() -> None:
    assert parse_intervals("10s,2m, 1H,1d,7,0.5s") == (10.0, 120.0, 3600.0, 86400.0, 7.0, 0.5)


@given(
    st.integers(0, 0x600),
    st.sampled_from(list(Cause)),
    st.integers(1, 50),
    st.floats(0, 1e6),
    st.floats(1, 1e6),
    st.integers(0, 20),
)
def test_a_retry_is_always_in_the_future_and_within_the_validity(
    code: int, cause: Cause, tries: int, now: float, validity: float, maxtries: int
) -> None:
    expires = now + validity
    decision = OPERATOR.decide(code, cause, tries, now, expires, maxtries)
    if decision.verdict is Verdict.RETRY:
        assert now < decision.at < expires
        assert not maxtries or tries < maxtries


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(RetryFaults):
        RetryScheme.parse(text + "\n* " + text, NAMES)


def test_actions_are_the_words_of_the_table() -> None:
    assert [str(action) for action in Action] == ["permanent", "temporary", "throttle"]
