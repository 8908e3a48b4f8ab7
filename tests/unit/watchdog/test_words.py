"""Alerts in words: complete, plain, and as long as their channel allows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.text import gsm7
from watchdog.alerts import Alert, Book, Done, News, Notice
from watchdog.channels import words
from watchdog.model import Finding, Severity
from watchdog.plain import LONGEST, Cleaner, cut

AT = 1_800_000_000.0


def notice(
    text: str = "the database can't be reached",
    news: News = News.RAISED,
    severity: Severity = Severity.WARNING,
    since: float = AT - 65,
    **more: object,
) -> Notice:
    alert = Alert("database:away", text, severity, "", since, AT, **more)  # type: ignore[arg-type]
    return Notice(news, alert, alert.number)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (21600, "6 h"), (11100, "3 h 5 min"),
     (86400, "1 d"), (187200, "2 d 4 h")],
)  # fmt: skip
def test_times_as_people_say_them(seconds: float, shown: str) -> None:
    assert words.lasting(seconds) == shown


def test_a_time_that_no_calendar_has() -> None:
    assert words.moment(AT) == "2027-01-15 08:00:00 UTC"
    assert words.iso(AT) == "2027-01-15T08:00:00Z"
    assert words.iso(0) is None
    assert words.moment(1e18) == "1000000000000000000"


def test_a_mail_tells_host_since_when_what_and_what_was_done() -> None:
    critical = notice(
        "the gateway does not answer", severity=Severity.CRITICAL, actions=[Done(AT - 60, "gateway was killed")]
    )
    over = notice("the disk is full", News.CLEARED, since=AT - 7200, flaps=2)
    still = notice(news=News.REPEATED)
    text = words.body("gw1", [critical, still, over], 7, AT, 21600)
    assert text == (
        "EMG on gw1, 2027-01-15 08:00:00 UTC: 1 critical, 1 warning, 1 over, 7 more.\n"
        "\n"
        "CRITICAL: the gateway does not answer\n"
        "  Since 2027-01-15 07:58:55 UTC (1 min).\n"
        "  The watchdog, 2027-01-15 07:59:00 UTC: gateway was killed\n"
        "  (database:away)\n"
        "\n"
        "STILL WARNING: the database can't be reached\n"
        "  Since 2027-01-15 07:58:55 UTC (1 min).\n"
        "  The watchdog can do nothing about it.\n"
        "  (database:away)\n"
        "\n"
        "OVER: the disk is full\n"
        "  From 2027-01-15 06:00:00 UTC to 2027-01-15 08:00:00 UTC (2 h).\n"
        "  It went away and came back 2 times.\n"
        "  (database:away)\n"
        "\n"
        "And 7 more, which have no place here.\n"
        "\n"
        "`emg watchdog alerts` shows what stands now. What stands on is told again every 6 h.\n"
    )


def test_a_subject_is_one_line_that_fits() -> None:
    assert words.subject("gw1", [notice()], 0) == "EMG gw1: WARNING: the database can't be reached"
    assert words.subject("gw1", [notice()], 2) == "EMG gw1: 1 warning, 2 more"
    long = words.subject("gw1", [notice("x" * 500)], 0)
    assert len(long) == words.LONGEST_SUBJECT
    assert long.endswith("...")


def test_a_short_message_holds_what_fits_and_the_number_of_the_rest() -> None:
    many = [notice(f"connector operator{number} is stuck") for number in range(9)]
    text = words.short("gw1", many, 5)
    assert text == (
        "EMG gw1: WARNING connector operator0 is stuck; WARNING connector operator1 is stuck; WARNING connector operator2 is stuck (+11 more)"
    )
    assert words.short("gw1", [notice()], 0) == "EMG gw1: WARNING the database can't be reached"


def test_a_text_that_does_not_fit_is_cut_and_the_rest_still_counted() -> None:
    text = words.short("gw1", [notice("x" * 300), notice()], 0)
    assert text.endswith("xxx... (+1 more)")
    assert len(text) == words.ONE_SMS


@given(st.lists(st.text(max_size=200), min_size=1, max_size=8), st.integers(0, 600), st.text(max_size=80))
def test_a_short_message_always_fits_one_sms(texts: list[str], more: int, host: str) -> None:
    clean = Cleaner()
    notices = [notice(clean(text)) for text in texts]
    octets = gsm7.encode(words.short(clean(host), notices, more))
    assert len(octets) <= words.ONE_SMS


def test_the_same_news_has_the_same_id_and_other_news_another(tmp_path: Path) -> None:
    book = Book(str(tmp_path / "alerts.json"), repeat=10)
    first = book.update([Finding("a:b", "x")], AT, 0)
    name = words.letter_id("gw1", first)
    assert words.letter_id("gw1", book.due("mail")) == name
    assert words.letter_id("gw2", first) != name
    again = book.update([Finding("a:b", "x")], AT + 11, 11)
    assert words.letter_id("gw1", again) != name
    book.save()


# -- plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password hunter22!", "password ***!"),
        ("a.b+c(d is hidden", "*** is hidden"),
        ("xhunter22x is another word", "xhunter22x is another word"),
        ("mysql://emg:p@db/emg", "mysql://***@db/emg"),
        ("a\r\nBcc: x\x1b[31m", "a Bcc: x [31m"),
        ("\ud800 lone", "lone"),
        ("two hunter22 hunter22-more", "two *** ***"),
    ],
)
def test_texts_are_plain(text: str, shown: str) -> None:
    assert Cleaner(["hunter22", "a.b+c(d", "hunter22-more"])(text) == shown


def test_texts_are_bounded() -> None:
    assert len(Cleaner()("x" * 10000)) == LONGEST
    assert cut("abcdef", 5) == "ab..."
