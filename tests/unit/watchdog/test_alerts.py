"""The alert book: raised once, repeated by schedule, cleared once; no storm and no silence, whatever flaps, restarts or is set."""

import time
from pathlib import Path

import pytest

from tests.gateways import eventually
from watchdog.alerts import LONGEST_AWAY, LONGEST_UNTOLD, MOST, Alert, Book, News, Notice
from watchdog.model import Finding, Severity

DATABASE = Finding("database:away", "The database can't be reached.")
DISK = Finding("disk:/var", "/var is full by 97 %.", Severity.CRITICAL)
START = 1_800_000_000.0


class Days:
    """A book, its clocks and one channel."""

    def __init__(self, folder: Path, repeat: float = 21600.0, clear: float = 30.0) -> None:
        self.path = folder / "alerts.json"
        self.at, self.now = START, 500.0
        self._arguments = (repeat, clear, ("hunter22",))
        self.open()

    def open(self) -> None:
        """A watchdog starts."""
        if hasattr(self, "book"):
            self.book.save()
        self.book = Book(str(self.path), *self._arguments)
        self.book.channels = ("mail",)

    def restart(self) -> None:
        """It is stopped, and started again; the monotonic clock is another."""
        self.book.save()
        assert not self.book.fault
        self.now = 7.0
        self.open()

    def settle(self) -> None:
        """Wait until what is being written is written, or has failed."""
        file = self.book._file
        eventually(lambda: not file._waiting and not file._busy)

    def pass_by(self, seconds: float, *findings: Finding, step: float = 1.0) -> list[str]:
        """So much time with these findings; what was news, as `second:news:key`."""
        news = []
        for _ in range(int(seconds / step)):
            self.at, self.now = self.at + step, self.now + step
            notices = self.book.update(findings, self.at, self.now)
            news += [f"{each.news.value} {each.alert.key}" for each in notices]
        return news

    def due(self) -> list[tuple[News, str]]:
        """What the channel would tell now."""
        return [(each.news, each.alert.key) for each in self.book.due("mail")]

    def send(self) -> list[tuple[News, str]]:
        """The channel tells it."""
        due = self.book.due("mail")
        self.book.tell("mail", due)
        return [(each.news, each.alert.key) for each in due]


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def test_raised_once_repeated_by_schedule_and_cleared_once(days: Days) -> None:
    assert days.pass_by(6 * 3600, DATABASE, step=10) == ["raised database:away"]
    assert days.pass_by(6 * 3600 + 60, DATABASE, step=10) == ["repeated database:away"] * 2
    assert days.pass_by(29) == []
    assert days.pass_by(300) == ["cleared database:away"]
    assert days.book.standing() == []


def test_a_flapping_database_is_one_alert_that_counts(days: Days) -> None:
    news = []
    for _ in range(100):
        news += days.pass_by(10, DATABASE) + days.pass_by(10)
    assert news == ["raised database:away"]
    assert days.book.standing()[0].flaps == 99


def test_slow_flapping_is_told_a_few_times_and_then_stands(days: Days) -> None:
    news = []
    for _ in range(2000):
        news += days.pass_by(10, DATABASE) + days.pass_by(40)
    assert news[:3] == ["raised database:away", "cleared database:away", "raised database:away"]
    assert [each for each in news[3:] if not each.startswith("repeated")] == []


def test_each_return_within_the_hour_must_be_away_twice_as_long_up_to_an_hour(days: Days) -> None:
    for wait in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert days.pass_by(1, DATABASE) == ["raised database:away"]
        assert days.pass_by(wait) == []
        assert days.pass_by(1) == ["cleared database:away"]
    days.pass_by(1, DATABASE)
    days.pass_by(LONGEST_AWAY + 1)
    days.send()
    days.pass_by(LONGEST_AWAY + 1)
    days.pass_by(1, DATABASE)
    assert days.pass_by(31) == ["cleared database:away"], "it was quiet for an hour: as if it had never been"


def test_worse_is_told_and_better_is_not(days: Days) -> None:
    warning = Finding("disk:/var", "/var is full by 82 %.")
    assert days.pass_by(3, warning) == ["raised disk:/var"]
    days.send()
    assert days.pass_by(3, DISK) == ["worse disk:/var"]
    assert days.send() == [(News.WORSE, "disk:/var")]
    assert days.pass_by(3, warning) + days.pass_by(3, DISK) + days.pass_by(3, warning) == []
    alert = days.book.standing()[0]
    assert (alert.severity, alert.text) == (Severity.CRITICAL, "/var is full by 82 %.")


def test_a_restarted_watchdog_raises_nothing_again_and_repeats_on_schedule(days: Days) -> None:
    days.pass_by(1, DATABASE)
    assert days.send() == [(News.RAISED, "database:away")]
    days.pass_by(3 * 3600, DATABASE, step=60)
    days.restart()
    assert days.pass_by(60, DATABASE) == []
    assert days.due() == []
    assert days.pass_by(3 * 3600 - 120, DATABASE, step=1) == []
    assert days.pass_by(120, DATABASE) == ["repeated database:away"]


def test_what_ended_while_the_watchdog_was_away_is_cleared(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.send()
    days.restart()
    assert days.pass_by(40) == ["cleared database:away"]
    assert days.send() == [(News.CLEARED, "database:away")]


def test_what_could_not_be_told_before_a_restart_is_told_after_it(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.restart()
    days.pass_by(1, DATABASE)
    assert days.send() == [(News.RAISED, "database:away")]
    assert days.due() == []


def test_raised_and_cleared_unheard_is_told_once_as_over_or_not_at_all(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.pass_by(60)
    assert [each.news for each in days.book.due("mail")] == [News.CLEARED]
    assert days.book.due("sms", summary=False) == []
    assert days.send() == [(News.CLEARED, "database:away")]
    assert days.due() == []


def test_a_channel_without_summaries_tells_the_end_of_what_it_told(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.book.tell("sms", days.book.due("sms", summary=False))
    days.pass_by(60)
    assert [each.news for each in days.book.due("sms", summary=False)] == [News.CLEARED]


def test_news_that_comes_while_something_is_being_told_is_not_lost(days: Days) -> None:
    days.pass_by(1, DATABASE)
    being_told = days.book.due("mail")
    days.pass_by(60)
    days.book.tell("mail", being_told)
    assert days.due() == [(News.CLEARED, "database:away")]


def test_a_level_lets_only_severe_alerts_through_and_one_that_got_worse(days: Days) -> None:
    warning = Finding("disk:/var", "/var is full by 82 %.")
    days.pass_by(1, warning, DATABASE)
    assert days.book.due("sms", Severity.CRITICAL) == []
    days.pass_by(1, DISK, DATABASE)
    found = days.book.due("sms", Severity.CRITICAL)
    assert [(each.news, each.alert.key) for each in found] == [(News.RAISED, "disk:/var")]


def test_critical_alerts_come_first(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.pass_by(1, DATABASE, DISK)
    assert [key for _, key in days.due()] == ["disk:/var", "database:away"]


@pytest.mark.parametrize("jump", [-86400.0 * 400, -7200.0, 7200.0, 86400.0 * 400])
def test_a_clock_that_is_set_makes_neither_a_storm_nor_a_silence(days: Days, jump: float) -> None:
    days.pass_by(3600, DATABASE, step=10)
    days.send()
    days.at += jump
    assert days.pass_by(5 * 3600 - 60, DATABASE, step=10) == []
    assert days.pass_by(120, DATABASE, step=10) == ["repeated database:away"]
    assert days.pass_by(60) == ["cleared database:away"]
    alert = days.book.past()[0]
    assert 21000 < alert.cleared - alert.since < 22000, "it lasted as long as it did"


def test_a_clock_that_was_set_back_while_the_watchdog_was_away(days: Days) -> None:
    days.pass_by(3600, DATABASE, step=10)
    days.send()
    days.book.did("gateway", "x", days.at)
    days.restart()
    days.at -= 86400 * 30
    assert days.pass_by(60, DATABASE) == []
    assert "repeated database:away" in days.pass_by(6 * 3600, DATABASE, step=10)
    assert days.book.standing()[0].since <= days.at


def test_what_the_watchdog_did_stands_with_the_alerts_of_that_program(days: Days) -> None:
    silent = Finding("gateway:silent", "No answer.", Severity.CRITICAL, program="gateway")
    days.pass_by(1, silent, DATABASE)
    for number in range(30):
        days.book.did("gateway", f"restarted hunter22 {number}", days.at)
    first, second = days.book.standing()
    assert [done.text for done in first.actions][-1] == "restarted *** 29"
    assert len(first.actions) == 10
    assert second.actions == []


def test_secrets_and_control_characters_stay_out_of_the_book(days: Days) -> None:
    days.pass_by(1, Finding("a:b", "login hunter22 at mysql://emg:p%40w@db/emg\r\nBcc: all@example.com\x00\u202e"))
    days.book.save()
    written = days.path.read_text()
    assert "hunter22" not in written
    assert "p%40w" not in written
    assert days.book.standing()[0].text == "login *** at mysql://***@db/emg Bcc: all@example.com"


def test_the_book_is_bounded(days: Days) -> None:
    many = [Finding(f"connector:c{number}:stuck", "It is stuck.") for number in range(MOST + 10)]
    news = days.pass_by(2, *many)
    assert len(news) == MOST
    assert days.book.overflow == 10
    days.send()
    days.pass_by(40)
    days.send()
    other = [Finding(f"connector:d{number}:stuck", "It is stuck.") for number in range(3)]
    assert days.pass_by(1, *other) == [f"raised {each.key}" for each in other], "what is over makes room"
    assert (days.book.overflow, days.book.dropped) == (0, 0)


def test_what_is_over_is_forgotten_after_an_hour_and_untold_after_a_day(days: Days) -> None:
    days.pass_by(1, DATABASE)
    days.send()
    days.pass_by(40)
    days.pass_by(LONGEST_AWAY + 60, step=10)
    assert len(days.book.past()) == 1
    days.pass_by(LONGEST_UNTOLD, step=60)
    assert days.book.past() == []
    assert days.book.dropped == 1
    days.pass_by(1, DATABASE)
    days.send()
    days.pass_by(40)
    days.send()
    days.pass_by(LONGEST_AWAY + 60, step=10)
    assert days.book.past() == []


def test_a_damaged_file_is_set_aside_and_the_book_goes_on(tmp_path: Path) -> None:
    for number, damaged in enumerate((b"", b"\xff\x00", b"[1,[{}]]", b"[2,[]]", b"[" * 100000, b'{"version":1}')):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "alerts.json").write_bytes(damaged)
        days = Days(folder)
        assert days.pass_by(1, DATABASE) == ["raised database:away"]
        days.book.save()
        assert days.book.fault == ""
        [aside] = folder.glob("alerts.json.damaged-*")
        assert aside.read_bytes() == damaged
        days.restart()
        assert days.pass_by(1, DATABASE) == []


def test_a_file_that_can_not_be_written_is_tried_again(days: Days) -> None:
    days.path.with_name("alerts.json.new").mkdir()
    assert days.pass_by(1, DATABASE) == ["raised database:away"]
    days.settle()
    assert "can't be written" in days.book.fault
    assert days.pass_by(1, DATABASE, DISK) == ["raised disk:/var"]
    days.path.with_name("alerts.json.new").rmdir()
    days.pass_by(120, DATABASE, DISK)
    days.settle()
    assert days.book.fault == ""
    days.open()
    assert len(days.book.standing()) == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    days = Days(tmp_path / "nowhere")
    assert days.pass_by(1, DATABASE) == ["raised database:away"]
    days.book.save()
    assert "can't be written" in days.book.fault


def test_the_file_is_for_its_owner_alone_and_shown_for_the_api(days: Days) -> None:
    days.pass_by(1, DISK)
    days.book.save()
    assert days.path.stat().st_mode & 0o777 == 0o600
    [shown] = days.book.show()
    assert shown["key"] == "disk:/var"
    assert shown["severity"] == "critical"
    assert shown["cleared"] == 0


def test_a_notice_is_of_the_book_itself(days: Days) -> None:
    """What is done after an alert was raised is told with it."""
    silent = Finding("gateway:silent", "No answer.", program="gateway")
    [notice] = days.book.update([silent], days.at, days.now)
    days.book.did("gateway", "It was killed.", days.at)
    assert isinstance(notice, Notice)
    assert isinstance(notice.alert, Alert)
    assert [done.text for done in notice.alert.actions] == ["It was killed."]


def test_a_look_that_took_long_is_no_set_clock(days: Days) -> None:
    """The time of the look is older than the update; both clocks are then read at the update."""
    began = time.time()
    days.book.update([DATABASE], began - 9)
    days.book.update([DATABASE], began)
    days.book.update([DATABASE], began - 9)
    assert days.book.standing()[0].since == began - 9


def test_news_stands_in_the_log(days: Days, caplog: pytest.LogCaptureFixture) -> None:
    days.pass_by(2, DATABASE)
    days.pass_by(31)
    assert caplog.messages == [
        "alert raised: warning The database can't be reached. (database:away)",
        "alert cleared: warning The database can't be reached. (database:away)",
    ]


def test_a_restarted_watchdog_knows_how_long_it_stood(days: Days) -> None:
    days.pass_by(7200, DATABASE)
    days.restart()
    days.pass_by(40)
    [alert] = days.book.past()
    assert alert.seen - alert.since > 7100


def test_a_second_watchdog_tells_nothing_until_the_first_is_gone(days: Days) -> None:
    days.pass_by(1, DATABASE)
    second = Book(str(days.path))
    second.channels = ("mail",)
    assert len(second.update([DATABASE, DISK], days.at, days.now)) == 2
    assert second.due("mail") == []
    assert "another watchdog" in second.fault
    days.send()
    days.book.save()
    assert [each.alert.key for each in second.update([DATABASE, DISK], days.at, days.now)] == ["disk:/var"]
    assert [each.alert.key for each in second.due("mail")] == ["disk:/var"]
    assert second.fault == ""
    second.save()
