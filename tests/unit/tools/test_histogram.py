"""Durations are counted in bounded memory and come back within 1 %."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.tools.histogram import LIMIT, Histogram


def test_an_empty_histogram_answers_zero():
    assert Histogram().percentile(99) == 0.0
    assert Histogram().mean() == 0.0


def test_percentiles_of_a_known_row():
    histogram = Histogram()
    for milliseconds in range(1, 1001):
        histogram.record(milliseconds / 1000)
    assert histogram.percentile(50) == pytest.approx(0.5, rel=0.01)
    assert histogram.percentile(99) == pytest.approx(0.99, rel=0.01)
    assert histogram.percentile(100) == histogram.maximum == 1.0
    assert histogram.mean() == pytest.approx(0.5005)


@given(st.lists(st.floats(0, LIMIT / 1e6), min_size=1, max_size=50), st.floats(0, 100))
def test_every_percentile_is_within_one_percent_of_a_recorded_value(values, percent):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    found = histogram.percentile(percent)
    assert any(found == pytest.approx(value, rel=0.01, abs=2e-6) for value in values)


def test_memory_stays_bounded_whatever_is_recorded():
    histogram = Histogram()
    size = len(histogram.buckets)
    for value in (-1.0, 0.0, 1e-9, 1e12):
        histogram.record(value)
    assert len(histogram.buckets) == size
    assert histogram.count == 4
    assert histogram.maximum == 1e12


def test_adding_is_the_same_as_recording_both():
    one, other, both = Histogram(), Histogram(), Histogram()
    for value in (0.001, 0.5):
        one.record(value)
        both.record(value)
    other.record(0.25)
    both.record(0.25)
    one.add(other)
    assert one.summary() == both.summary()


def test_a_summary_is_in_milliseconds():
    histogram = Histogram()
    histogram.record(0.25)
    assert histogram.summary() == {
        "count": 1, "mean": 250.0, "p50": 250.0, "p90": 250.0, "p99": 250.0, "p99.9": 250.0, "max": 250.0,
    }  # fmt: skip
