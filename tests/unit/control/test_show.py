"""What `emg ctl` shows of a value."""

import pytest

from emg.control.show import pairs, table, value


def test_a_counter_with_the_name_of_a_time_is_a_number() -> None:
    assert value("counters.accepted", 4) == "4"
    assert value("counters.accepted", 12345) == "12,345"


def test_a_time_is_a_time_whole_or_not() -> None:
    assert value("accepted", 1795437910.5).startswith("2026-")
    assert value("received", 1795437910).startswith("2026-")
    assert value("due", 0.0) == ""


def test_a_rate_has_no_fraction_unless_it_needs_one() -> None:
    assert (value("throughput", 0.0), value("throughput", 2.5)) == ("0", "2.5")


def test_beside_its_name_no_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    pairs({"stopping": False, "uptime_seconds": 21.0, "database": {"reachable": False}})
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown == [["stopping", "no"], ["uptime", "21", "s"], ["database:", "reachable", "no"]]


def test_a_table_without_rows_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    table([], (("Session", "session"),))
    assert capsys.readouterr().out == "none\n"


def test_a_counter_with_the_name_of_a_time_stands_on_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    table([{"name": "a", "accepted": 5}], (("Connector", "name"), ("Accepted", "accepted")))
    assert capsys.readouterr().out.splitlines()[1].rstrip().endswith("       5")
