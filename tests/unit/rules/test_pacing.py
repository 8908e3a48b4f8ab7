"""Rates, pauses, windows and wrong passwords, with the time of the test."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.pacing import AdaptiveWindow, Backoff, LoginGuard, Redial, ThrottlePause, TokenBucket


def taken(bucket: TokenBucket, now: float, tries: int) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_s20_a_burst_of_one_second_then_the_rate() -> None:
    bucket = TokenBucket(10)
    assert taken(bucket, 1000.0, 50) == 10
    assert taken(bucket, 1000.05, 50) == 0
    assert taken(bucket, 1000.5, 50) == 5
    assert taken(bucket, 1060.0, 50) == 10


def test_a_rate_below_one_lets_one_through_at_once() -> None:
    bucket = TokenBucket(0.5)
    assert taken(bucket, 0.0, 5) == 1
    assert taken(bucket, 1.9, 5) == 0
    assert taken(bucket, 2.0, 5) == 1


def test_a_burst_of_its_own() -> None:
    assert taken(TokenBucket(10, burst=3), 0.0, 50) == 3


@pytest.mark.parametrize(("rate", "burst"), [(0, 0), (-1, 0), (1, -1)])
def test_a_rate_that_is_none_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        TokenBucket(rate, burst)


def test_a_clock_that_steps_back_gives_nothing_away_and_stops_nobody() -> None:
    bucket = TokenBucket(10)
    assert taken(bucket, 1000.0, 50) == 10
    assert taken(bucket, 500.0, 50) == 0
    assert taken(bucket, 500.5, 50) == 5


def test_a_new_rate_keeps_what_was_used() -> None:
    bucket = TokenBucket(10)
    taken(bucket, 0.0, 10)
    bucket.change(100)
    assert taken(bucket, 0.0, 10) == 0
    assert taken(bucket, 0.1, 50) == 10


@given(st.floats(0.1, 5000), st.floats(0, 2e9), st.lists(st.floats(0, 2), max_size=30))
def test_waiting_as_long_as_it_says_is_enough(rate: float, start: float, pauses: list[float]) -> None:
    bucket, now = TokenBucket(rate), start
    for pause in [*pauses, 0.0]:
        now += pause
        while bucket.take(now):
            pass
        now += bucket.wait(now)
        # With the seconds of 1970 a float has a quarter of a microsecond: one more such step must do.
        assert bucket.take(now) or bucket.take(now + 2e-6)


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 3), min_size=1, max_size=100))
def test_never_more_than_burst_and_rate(rate: float, pauses: list[float]) -> None:
    bucket, now, count = TokenBucket(rate), 0.0, 0
    for pause in pauses:
        now += pause
        count += taken(bucket, now, 20)
    assert count <= max(1.0, rate) + now * rate + 1e-3


def test_back_off_doubles_to_its_limit_and_starts_anew_after_success() -> None:
    backoff = Backoff(1.0, 2.0, 30.0)
    assert [backoff.failed() for _ in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    backoff.failures = 10**6
    assert backoff.failed() == 30.0
    backoff.succeeded()
    assert backoff.failed() == 1.0


@pytest.mark.parametrize("settings", [(0, 2, 30), (31, 2, 30), (1, 0.5, 30)])
def test_a_back_off_that_does_not_grow_is_refused(settings: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="back-off"):
        Backoff(*settings)


def test_s21_pauses_double_from_a_tenth_to_five_seconds() -> None:
    pause, now, seconds = ThrottlePause(), 0.0, []
    for _ in range(8):
        seconds.append(round(pause.throttled(now), 6))
        now += pause.wait(now)
    assert seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_s21_answers_to_messages_that_were_under_way_are_one_event() -> None:
    pause = ThrottlePause()
    pause.throttled(10.0)
    for _ in range(9):
        assert pause.throttled(10.05) == pytest.approx(0.05)
        pause.succeeded(10.05)
    assert pause.wait(10.05) == pytest.approx(0.05)
    assert pause.window(10) == 1


def test_slow_start_after_a_pause_and_the_first_pause_again_after_success() -> None:
    pause = ThrottlePause(full=4)
    assert (pause.active, pause.window(10)) == (False, 4)
    pause.throttled(0.0)
    pause.throttled(1.0)
    assert (pause.active, pause.window(10)) == (True, 1)
    windows = []
    for _ in range(3):
        pause.succeeded(2.0)
        windows.append(pause.window(10))
    assert windows == [2, 3, 4]
    assert not pause.active
    assert pause.throttled(3.0) == pytest.approx(0.1)


def test_a_retry_scheme_can_ask_for_a_longer_pause() -> None:
    assert ThrottlePause().throttled(0.0, at_least=2.0) == 2.0


def settle(
    window: AdaptiveWindow, latency: float, limit: float, noise: float, samples: int = 200
) -> tuple[list[int], float]:
    """Sizes of the last samples and how much of the peer's limit was used, against a peer that answers at most `limit` a second."""
    chance = random.Random(7)
    sizes, used = [], 0.0
    for number in range(samples):
        rate = min(window.size / latency, limit)
        if number >= samples // 4:
            sizes.append(window.size)
            used += rate / min(window.largest / latency, limit)
        window.feed(round(rate * 2 * chance.uniform(1 - noise, 1 + noise)), 2.0)
    return sizes, used / len(sizes)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
@pytest.mark.parametrize(("latency", "limit"), [(0.05, 500), (0.3, 20), (0.01, 5000), (0.1, 1e6), (0.2, 3), (0.5, 100)])
def test_the_window_settles_where_the_peer_is_busy_and_not_far_above(
    latency: float, limit: float, noise: float
) -> None:
    sizes, used = settle(AdaptiveWindow(), latency, limit, noise)
    assert used > 0.9
    enough = latency * limit
    assert max(sizes) <= max(2, min(100, 2 * enough))


def test_the_window_shrinks_when_the_peer_gets_slower_and_grows_when_it_recovers() -> None:
    window = AdaptiveWindow()
    settle(window, 0.05, 1000, 0.02)
    assert window.size > 35
    settle(window, 0.05, 100, 0.02)
    assert window.size <= 10
    settle(window, 0.05, 1000, 0.02)
    assert window.size > 35


def test_the_window_stays_where_it_is_when_there_was_nothing_to_send() -> None:
    window = AdaptiveWindow(first=10)
    assert window.feed(0, 1.0, full=False) == 10
    assert window.feed(5, 0.0) == 10


@given(st.integers(1, 20), st.lists(st.integers(0, 100_000)))
def test_the_window_keeps_its_bounds_whatever_it_is_fed(largest: int, answers: list[int]) -> None:
    window = AdaptiveWindow(largest=largest)
    for count in answers:
        assert 1 <= window.feed(count, 1.0) <= largest


def test_a_peer_that_stops_answering_brings_the_window_down() -> None:
    window = AdaptiveWindow(first=50)
    for _ in range(3):
        window.feed(1000, 1.0)
    before = window.size
    for _ in range(40):
        window.feed(0, 1.0)
    assert window.size < before


def test_s6_wrong_passwords_are_slowed_down_doubling_to_thirty_seconds() -> None:
    guard, now, delays = LoginGuard(), 0.0, []
    for _ in range(7):
        delays.append(guard.failed("acme", "10.0.0.1", now))
        now += delays[-1]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_s6_others_are_not_slowed_down() -> None:
    guard = LoginGuard()
    guard.failed("acme", "10.0.0.1", 0.0)
    assert guard.delay("acme", "10.0.0.1", 0.4) == pytest.approx(0.6)
    assert guard.delay("acme", "10.0.0.2", 0.4) == 0.0
    assert guard.delay("other", "10.0.0.1", 0.4) == 0.0


def test_the_right_password_or_ten_quiet_minutes_forget() -> None:
    guard = LoginGuard()
    for _ in range(5):
        guard.failed("acme", "10.0.0.1", 0.0)
    guard.succeeded("acme", "10.0.0.1")
    assert guard.delay("acme", "10.0.0.1", 0.0) == 0.0
    for _ in range(5):
        guard.failed("acme", "10.0.0.1", 0.0)
    assert guard.failed("acme", "10.0.0.1", 600.0) == 1.0


def test_the_log_hears_of_wrong_passwords_once_a_minute_with_their_count() -> None:
    guard = LoginGuard()
    guard.failed("acme", "10.0.0.1", 0.0)
    assert [line.count for line in guard.reports(0.0)] == [1]
    for second in range(1, 50):
        guard.failed("acme", "10.0.0.1", float(second))
        guard.failed("other", "10.0.0.2", float(second))
        assert guard.reports(float(second)) == []
    assert [(line.account, line.count) for line in guard.reports(60.0)] == [("acme", 49), ("other", 49)]
    assert guard.reports(120.0) == []


def test_the_table_of_wrong_passwords_is_bounded() -> None:
    guard = LoginGuard(size=100)
    for number in range(1000):
        guard.failed("x" * 1000, f"10.0.{number // 250}.{number % 250}", 0.0)
        guard.failed("x" * 1000, "10.9.9.9", 0.0)
    assert len(guard.reports(0.0)) == 100
    assert guard.delay("x" * 1000, "10.9.9.9", 0.0) == 30.0
    guard.reports(10_000.0)
    guard.failed("x", "10.0.0.1", 10_000.0)
    assert len(guard.reports(10_000.0)) == 1


def test_s6_a_refused_login_waits_long_from_the_start():
    redial = Redial(5.0, 3, 60.0)
    assert [redial.refused() for _ in range(5)] == [60.0, 120.0, 240.0, 480.0, 600.0]


def test_a_lost_session_is_dialled_again_soon_and_one_that_never_came_about_ever_later():
    redial = Redial(8.0, 3, 60.0)
    assert [redial.failed() for _ in range(4)] == [1.0, 2.0, 60.0, 60.0]
    assert redial.lost(1.0) == 4.0
    assert redial.lost(100.0) == 1.0
    assert [redial.failed() for _ in range(3)] == [2.0, 4.0, 60.0]


def test_without_a_number_of_failed_connects_the_pause_stays_what_it_is():
    redial = Redial(0.0, 0, 60.0)
    assert [redial.failed() for _ in range(100)] == [0.1] * 100
