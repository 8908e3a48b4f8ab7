"""Alerts in words: a mail's subject and body, a short message, and JSON for a webhook. Pure.

All say which host it is about, what is wrong, since when, and what the watchdog has done. Times are UTC and say so.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from emg.text import gsm7
from watchdog.alerts import Alert, News, Notice
from watchdog.model import Severity
from watchdog.plain import cut

LONGEST_SUBJECT: Final = 120
ONE_SMS: Final = 160
"""Septets of one short message (3GPP TS 23.038 §6.1)."""


def moment(at: float) -> str:
    """`2026-11-23 18:02:11 UTC`; a time that no calendar has, as its number."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"


def iso(at: float) -> str | None:
    """`2026-11-23T18:02:11Z`; None for 0."""
    return moment(at).replace(" UTC", "Z").replace(" ", "T") if at else None


def lasting(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h")) if days else ((hours, "h"), (minutes, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def letter_id(host: str, notices: Sequence[Notice]) -> str:
    """The same for the same news, however often it is tried: receivers can tell a second copy."""
    told = "\n".join([host, *sorted(f"{each.alert.key} {each.number} {each.alert.since:.0f}" for each in notices)])
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]


def level(notice: Notice) -> str:
    """`CRITICAL`, `WARNING`, `STILL CRITICAL`, `OVER`."""
    if notice.news is News.CLEARED:
        return "OVER"
    word = notice.alert.severity.value.upper()
    return f"STILL {word}" if notice.news is News.REPEATED else word


# -- mail


def subject(host: str, notices: Sequence[Notice], more: int) -> str:
    """What the mail is about, in one line."""
    if len(notices) == 1 and not more:
        return cut(f"EMG {host}: {level(notices[0])}: {notices[0].alert.text}", LONGEST_SUBJECT)
    return cut(f"EMG {host}: {_counts(notices, more)}", LONGEST_SUBJECT)


def _counts(notices: Sequence[Notice], more: int) -> str:
    over = sum(each.news is News.CLEARED for each in notices)
    critical = sum(each.news is not News.CLEARED and each.alert.severity is Severity.CRITICAL for each in notices)
    warnings = len(notices) - over - critical
    counted = ((critical, "critical"), (warnings, "warning"), (over, "over"), (more, "more"))
    return ", ".join(f"{number} {word}" for number, word in counted if number)


def body(host: str, notices: Sequence[Notice], more: int, at: float, repeat: float) -> str:
    """The mail's text; its lines are ended by a line feed."""
    lines = [f"EMG on {host}, {moment(at)}: {_counts(notices, more)}.", ""]
    for notice in notices:
        lines += [f"{level(notice)}: {notice.alert.text}", *(f"  {line}" for line in _details(notice, at)), ""]
    if more:
        lines += [f"And {more} more, which have no place here.", ""]
    lines.append(f"`emg watchdog alerts` shows what stands now. What stands on is told again every {lasting(repeat)}.")
    return "\n".join([*lines, ""])


def _details(notice: Notice, at: float) -> list[str]:
    alert = notice.alert
    if notice.news is News.CLEARED:
        lines = [f"From {moment(alert.since)} to {moment(alert.seen)} ({lasting(alert.seen - alert.since)})."]
    else:
        lines = [f"Since {moment(alert.since)} ({lasting(at - alert.since)})."]
    if alert.flaps:
        lines.append(f"It went away and came back {'once' if alert.flaps == 1 else f'{alert.flaps} times'}.")
    lines += [f"The watchdog, {moment(done.at)}: {done.text}" for done in alert.actions]
    if not alert.actions and notice.news is not News.CLEARED:
        lines.append(
            f"{'Nothing was done about it so far' if alert.program else 'The watchdog can do nothing about it'}."
        )
    return [*lines, f"({alert.key})"]


# -- SMS


def short(host: str, notices: Sequence[Notice], more: int, room: int = ONE_SMS) -> str:
    """One short message in the GSM alphabet: as many alerts as fit whole, at least the beginning of the first, and the number of the others."""
    head = f"EMG {cut(_plain(host), 40)}: "
    entries = [_plain(f"{level(each)} {each.alert.text}") for each in notices]
    for count in range(len(entries), 0, -1):
        rest = len(entries) - count + more
        text = head + "; ".join(entries[:count]) + _rest(rest)
        if _septets(text) <= room:
            return text
    tail = _rest(len(entries) - 1 + more)
    first = entries[0]
    while first and _septets(f"{head}{first}...{tail}") > room:
        first = first[:-1]
    return f"{head}{first.rstrip()}...{tail}"


def _rest(number: int) -> str:
    return f" (+{number} more)" if number else ""


def _plain(text: str) -> str:
    """As it will be read: what the GSM alphabet does not have is a question mark."""
    return gsm7.decode(gsm7.encode(text, "replace"))


def _septets(text: str) -> int:
    return len(gsm7.encode(text, "replace"))


# -- JSON


def document(host: str, notices: Sequence[Notice], more: int, at: float) -> dict[str, Any]:
    """What a webhook gets."""
    return {
        "version": 1,
        "id": letter_id(host, notices),
        "host": host,
        "sent": iso(at),
        "alerts": [{"event": each.news.value, **_json(each.alert)} for each in notices],
        "more": more,
    }


def _json(alert: Alert) -> dict[str, Any]:
    return {
        "key": alert.key,
        "severity": alert.severity.value,
        "text": alert.text,
        "program": alert.program,
        "since": iso(alert.since),
        "until": iso(alert.cleared and alert.seen),
        "flaps": alert.flaps,
        "actions": [{"at": iso(done.at), "text": done.text} for done in alert.actions],
    }
