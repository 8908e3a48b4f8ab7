"""The recorder's log about errors: one that lasts is told once, one that comes and goes all night does not fill it, and none that lasts goes untold."""

import logging

import pytest

from emg.recorder import complaints
from emg.recorder.complaints import Complaints


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(complaints.time, "monotonic", lambda: Clock.now)
    return Clock


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_an_error_that_lasts_is_told_once_and_its_end_too(clock, caplog):
    said = Complaints()
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            said.failed("away")
            clock.now += 5
        said.worked()
        said.worked()
    assert lines(caplog) == ["away; it is tried again", "it goes on after 500 s: away"]


def test_an_error_that_flaps_is_told_once_a_minute(clock, caplog):
    said = Complaints()
    with caplog.at_level(logging.INFO):
        for _ in range(121):  # ten minutes: up for 2 s, down for 3
            said.failed("away")
            said.failed("still away")
            clock.now += 3
            said.worked()
            clock.now += 2
    told = lines(caplog)
    assert len(told) == 2 * 11
    assert told[:2] == ["away; it is tried again", "it goes on after 3 s: away"]
    assert told[2] == "away; it is tried again (it stopped 12 times since the last of these lines)"


def test_an_error_that_stays_after_flapping_is_told(clock, caplog):
    said = Complaints()
    with caplog.at_level(logging.INFO):
        said.failed("away")
        said.worked()
        clock.now += 10
        for _ in range(12):
            said.failed("away")
            clock.now += 5
    assert lines(caplog)[-1] == "away; it is tried again"
    assert len(lines(caplog)) == 3
