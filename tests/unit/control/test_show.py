"""What `emg ctl` shows of a value."""

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from emg.control import moments
from emg.control.show import pairs, story, table, value


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


# -- times

STOCKHOLM = dt.timezone(dt.timedelta(hours=2))
NOON = dt.datetime(2026, 7, 1, 12, 0, 0, 123456, STOCKHOLM)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that is not in UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_column_of_times_is_utc_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(
        [{"name": "a", "since": NOON.timestamp(), "created": NOON}],
        (("S", "name"), ("Since", "since"), ("Made", "created")),
    )
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["S", "Since", "(UTC)", "Made", "(UTC)"]
    assert row.split() == ["a", "2026-07-01", "10:00:00", "2026-07-01", "10:00:00"]


def test_a_column_that_holds_no_time_says_no_zone(capsys: pytest.CaptureFixture[str]) -> None:
    table([{"name": "a", "accepted": 4}], (("Connector", "name"), ("Accepted", "accepted")))
    assert "UTC" not in capsys.readouterr().out


def test_a_time_beside_its_name_says_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    pairs({"created": NOON, "expires": None, "due": 0.0, "inner": {"started": NOON.timestamp()}})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["created", "2026-07-01", "10:00:00", "UTC"]
    assert lines[1:3] == [["expires"], ["due"]]
    assert lines[3][-3:] == ["2026-07-01", "10:00:00", "UTC"]


def test_a_story_is_told_in_utc_to_the_millisecond(capsys: pytest.CaptureFixture[str]) -> None:
    story([{"at": NOON.timestamp(), "id": 7, "event": "deferred", "again": NOON.timestamp()}], "Story")
    told = capsys.readouterr().out
    assert "Time (UTC)" in told
    assert "2026-07-01 10:00:00.123" in told
    assert "again 2026-07-01 10:00:00 UTC" in told


def test_programs_get_iso_8601_with_its_offset() -> None:
    assert moments.iso(NOON) == "2026-07-01T10:00:00.123Z"
    assert moments.people(NOON, fine=True) == "2026-07-01 10:00:00.123"
