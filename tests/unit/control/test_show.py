"""What `emg ctl` shows of a value."""

from emg.control.show import value


def test_a_counter_with_the_name_of_a_time_is_a_number() -> None:
    assert value("counters.accepted", 4) == "4"
    assert value("counters.accepted", 12345) == "12,345"


def test_a_time_is_a_time_whole_or_not() -> None:
    assert value("accepted", 1795437910.5).startswith("2026-")
    assert value("received", 1795437910).startswith("2026-")
    assert value("due", 0.0) == ""
