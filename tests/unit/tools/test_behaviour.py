"""What the simulated operator chooses."""

from collections import Counter

import pytest

from emg.tools.behaviour import Behaviour, Chooser
from emg.wire.smpp.names import Status


def test_by_default_everything_is_taken_at_once_and_delivered():
    choose = Chooser(Behaviour())
    assert choose.status(0.0) == 0
    assert choose.between((0.0, 0.0)) == 0.0
    assert choose.report_state(1) == "DELIVRD"


@pytest.mark.parametrize(
    ("registered_delivery", "state", "reported"),
    [
        (0, "DELIVRD", False), (0, "UNDELIV", False),
        (1, "DELIVRD", True), (1, "UNDELIV", True),
        (2, "DELIVRD", False), (2, "UNDELIV", True),
        (3, "DELIVRD", True), (3, "UNDELIV", False),
        (0x11, "DELIVRD", True), (0x10, "DELIVRD", False),
    ],
)  # fmt: skip
def test_registered_delivery_is_honoured(registered_delivery, state, reported):
    choose = Chooser(Behaviour(report_states={state: 1}))
    assert choose.report_state(registered_delivery) == (state if reported else "")


def test_no_reports_means_none():
    assert Chooser(Behaviour(reports=False)).report_state(1) == ""


def test_shares_come_out_as_asked_for():
    choose = Chooser(Behaviour(error_rate=0.2, report_states={"DELIVRD": 95, "UNDELIV": 5, "EXPIRED": 0}), seed=1)
    states = Counter(choose.state() for _ in range(10_000))
    assert states["UNDELIV"] == pytest.approx(500, rel=0.2)
    assert states["EXPIRED"] == 0
    refused = sum(choose.status(0.0) == Status.RSYSERR for _ in range(10_000))
    assert refused == pytest.approx(2000, rel=0.1)
    assert not any(choose.happens(0.0) for _ in range(100))
    assert all(choose.happens(1.0) for _ in range(100))


def test_delays_stay_in_their_range():
    choose = Chooser(Behaviour(), seed=1)
    drawn = [choose.between((0.1, 0.3)) for _ in range(1000)]
    assert 0.1 <= min(drawn) < 0.12
    assert 0.28 < max(drawn) <= 0.3


def test_throttling_lets_a_second_s_burst_through_and_then_the_rate():
    choose = Chooser(Behaviour(throttle=10))
    assert [choose.status(100.0) for _ in range(12)] == [0] * 10 + [int(Status.RTHROTTLED)] * 2
    assert [choose.status(100.2) for _ in range(3)] == [0, 0, int(Status.RTHROTTLED)]
    assert sum(not choose.status(200.0) for _ in range(100)) == 10


def test_one_seed_gives_one_run():
    draws = [[Chooser(Behaviour(), seed=7).draw() for _ in range(5)] for _ in range(2)]
    assert draws[0] == draws[1]
