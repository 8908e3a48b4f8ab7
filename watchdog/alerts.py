"""The alert book: which trouble people are to know of, since when, and which channel has told them already.

`update` takes what is wrong now. Trouble that is new is **raised**; while it stands it is **repeated** by schedule, and told again when it gets
**worse**; when it was away for `clear` seconds it is **cleared**. Trouble that comes and goes faster is one alert, which counts how often it came back. Trouble
that comes back within an hour of its clearing is raised again, and must then be away twice as long, and so on up to an hour: however something flaps,
a few tellings come of it.

The book is kept in a file, so that a restarted watchdog raises nothing again, repeats on schedule, and tells what a channel could not tell before. A damaged file
is set aside; one that can't be written is tried again at the next change and each minute, and the book goes on in memory (`fault` says why).
Wall clock times are moved along when the clock is set, so that neither a storm nor a silence comes of it. Texts hold no configured secret and no control characters.

Pure but for its file. Times called `at` are seconds since 1970, `now` is monotonic.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final

import msgspec

from watchdog.alert_file import AlertFile
from watchdog.model import Finding, Severity
from watchdog.plain import Cleaner

MOST: Final = 500
"""Alerts at the same time; further trouble waits for a place, and is counted in `overflow`."""
MOST_ACTIONS: Final = 10
LONGEST_AWAY: Final = 3600.0
"""The most that trouble must be away before its alert is cleared; and how long a cleared one is remembered."""
CLOCK_STEP: Final = 2.0
"""Wall clock and monotonic clock differ so much: somebody has set the clock."""
LONGEST_UNTOLD: Final = 86400.0
"""How long a cleared alert waits for a channel that can't be reached."""
SAVE_AGAIN: Final = 60.0
"""While something stands: so that a watchdog that was away knows when it was last there."""

log = logging.getLogger("emg.watchdog")


class News(Enum):
    """What is told about an alert."""

    RAISED = "raised"
    WORSE = "worse"
    REPEATED = "repeated"
    CLEARED = "cleared"


class Done(msgspec.Struct):
    """Something that the watchdog did about it."""

    at: float
    text: str


class Alert(msgspec.Struct):
    """Trouble that people are to know of, or have been told of. Owned by the book: others only read it."""

    key: str
    text: str
    severity: Severity
    program: str
    since: float
    """When it was raised."""
    seen: float
    """When the finding was last there."""
    cleared: float = 0.0
    """When it was found to be over; 0 while it stands."""
    flaps: int = 0
    """How often it was away and came back, since it was first raised."""
    rounds: int = 0
    """How often it was raised again within an hour of its clearing."""
    actions: list[Done] = []
    news: News = News.RAISED
    """The latest there is to tell."""
    number: int = 1
    """Of the latest news: each news of this alert has the next."""
    first: int = 1
    """Number of the news with which it was raised this time."""
    news_at: float = 0.0
    told: dict[str, int] = {}
    """Channel → number of the latest news that it has told, or need not tell any more."""

    @property
    def stands(self) -> bool:
        """It is not over."""
        return not self.cleared


class Notice(msgspec.Struct, frozen=True):
    """Something to tell. `alert` is the book's own, so that it is told as it is when the telling comes."""

    news: News
    alert: Alert
    number: int


class Book:
    """See the module's text. `secrets`: words that may not appear in any text, longest first."""

    def __init__(self, path: str, repeat: float = 21600.0, clear: float = 30.0, secrets: Iterable[str] = ()) -> None:
        self.repeat = repeat
        self.clear = clear
        self.channels: tuple[str, ...] = ()
        """Names of those that have to tell."""
        self.overflow = 0
        """Findings of the last look that found no place."""
        self.dropped = 0
        """Cleared alerts that were forgotten before every channel had told of them."""
        self._clean = Cleaner(secrets)
        self._file = AlertFile(path)
        self._alerts: dict[str, Alert] = {}
        self._ours = False
        self._away: dict[str, float] = {}
        """Since when (monotonic) the findings of standing alerts are away."""
        self._clocks: tuple[float, float] | None = None
        self._changed = False
        self._saved = 0.0
        self._logged = ""
        self._take_over()

    @property
    def fault(self) -> str:
        """Why the book is kept in memory only, or was begun anew; empty if all is well."""
        return self._file.fault

    # -- what is wrong

    def update(self, findings: Sequence[Finding], at: float, now: float | None = None) -> list[Notice]:
        """What is wrong now; gives what is new for people. `now` is the time of this call unless given, and then was read together with `at`."""
        self._take_over()
        if now is None:
            # the look may have taken its time since `at` was read
            now = time.monotonic()
            self._follow_the_clock(time.time(), now)
        else:
            self._follow_the_clock(at, now)
        notices: list[Notice] = []
        self.overflow = 0
        present = {finding.key: finding for finding in findings}
        for finding in present.values():
            self._note(finding, at, now, notices)
        for alert in list(self._alerts.values()):
            if alert.stands and alert.key not in present:
                self._missed(alert, at, now, notices)
            elif alert.stands and at - alert.news_at >= self.repeat:
                self._announce(alert, News.REPEATED, at, notices)
        self._forget(at)
        stale = now - self._saved >= SAVE_AGAIN and (
            self._file.fault or any(each.stands for each in self._alerts.values())
        )
        if self._changed or stale:
            self._keep(now)
        self._file.push()
        if self._file.fault != self._logged:
            self._logged = self._file.fault
            log.warning("the alert book: %s", self._logged or "it is on disk again")
        for notice in notices:
            alert = notice.alert
            log.warning("alert %s: %s %s (%s)", notice.news.value, alert.severity.value, alert.text, alert.key)
        return notices

    def did(self, program: str, text: str, at: float) -> None:
        """The watchdog has done something to a program: its alerts tell of it."""
        for alert in self._alerts.values():
            if alert.stands and alert.program == program:
                alert.actions = [*alert.actions, Done(at, self._clean(text))][-MOST_ACTIONS:]
                self._changed = True

    def standing(self) -> list[Alert]:
        """The alerts that stand, critical ones first, then the oldest first."""
        found = (alert for alert in self._alerts.values() if alert.stands)
        return sorted(found, key=lambda alert: (alert.severity is not Severity.CRITICAL, alert.since, alert.key))

    def past(self) -> list[Alert]:
        """Those that were cleared within the last hour, or were not told of yet; the latest first."""
        return sorted((alert for alert in self._alerts.values() if not alert.stands), key=lambda alert: -alert.cleared)

    def show(self) -> list[dict[str, Any]]:
        """Both for JSON, times as seconds since 1970: key, text, severity, program, since, seen, cleared, flaps, actions, news, told …"""
        return [msgspec.to_builtins(alert) for alert in (*self.standing(), *self.past())]

    # -- what a channel has to tell

    def due(self, channel: str, level: Severity = Severity.WARNING, *, summary: bool = True) -> list[Notice]:
        """What this channel has not told yet, the most important first.

        `level`: alerts below it are not for this channel. `summary`: what came and went before it could be told is told as CLEARED; else it is left out.
        """
        found = []
        for alert in (*self.standing(), *self.past()) if self._ours else ():
            told = alert.told.get(channel, 0)
            if told >= alert.number:
                continue
            fits = level is Severity.WARNING or alert.severity is Severity.CRITICAL
            if alert.stands and fits:
                found.append(Notice(News.RAISED if told < alert.first else alert.news, alert, alert.number))
            elif not alert.stands and (told >= alert.first or (summary and fits)):
                found.append(Notice(News.CLEARED, alert, alert.number))
            elif not alert.stands:
                self._settle(alert, channel, alert.number)
        return found

    def tell(self, channel: str, notices: Iterable[Notice]) -> None:
        """The channel has told these."""
        for notice in notices:
            self._settle(notice.alert, channel, notice.number)

    def _settle(self, alert: Alert, channel: str, number: int) -> None:
        alert.told[channel] = max(number, alert.told.get(channel, 0))
        self._changed = True

    def save(self, seconds: float = 2.0) -> None:
        """Write down what has changed since the last look, wait for it, and let go of the file: the watchdog stops."""
        if self._changed:
            self._keep(time.monotonic())
        self._file.close(seconds)
        self._ours = False

    # -- one alert

    def _note(self, finding: Finding, at: float, now: float, notices: list[Notice]) -> None:
        alert = self._alerts.get(finding.key)
        if alert is None:
            alert = self._place(finding, at)
            if alert is None:
                self.overflow += 1
                return
            self._announce(alert, News.RAISED, at, notices)
        elif not alert.stands:
            self._raise_again(alert, finding, at, notices)
        elif self._away.pop(finding.key, None) is not None:
            alert.flaps += 1
            self._changed = True
        alert.text, alert.program, alert.seen = self._clean(finding.text), finding.program, at
        if finding.severity is Severity.CRITICAL and alert.severity is not Severity.CRITICAL:
            # it stays so until it is cleared: trouble around the mark would tell of itself each time
            alert.severity = Severity.CRITICAL
            self._announce(alert, News.WORSE, at, notices)

    def _place(self, finding: Finding, at: float) -> Alert | None:
        if len(self._alerts) >= MOST:
            past = self.past()
            if not past:
                return None
            self._drop(past[-1])
        alert = Alert(finding.key, "", finding.severity, finding.program, at, at, number=0)
        self._alerts[finding.key] = alert
        return alert

    def _raise_again(self, alert: Alert, finding: Finding, at: float, notices: list[Notice]) -> None:
        soon = at - alert.cleared < LONGEST_AWAY
        alert.rounds = alert.rounds + 1 if soon else 0
        alert.flaps = alert.flaps + 1 if soon else 0
        alert.since, alert.cleared, alert.severity, alert.actions = at, 0.0, finding.severity, []
        self._announce(alert, News.RAISED, at, notices)

    def _missed(self, alert: Alert, at: float, now: float, notices: list[Notice]) -> None:
        since = self._away.setdefault(alert.key, now)
        patience = min(self.clear * 2.0 ** min(alert.rounds, 30), max(self.clear, LONGEST_AWAY))
        if now - since >= patience:
            del self._away[alert.key]
            alert.cleared = at
            self._announce(alert, News.CLEARED, at, notices)

    def _announce(self, alert: Alert, news: News, at: float, notices: list[Notice]) -> None:
        alert.news, alert.number, alert.news_at = news, alert.number + 1, at
        if news is News.RAISED:
            alert.first = alert.number
        notices.append(Notice(news, alert, alert.number))
        self._changed = True

    # -- all of them

    def _forget(self, at: float) -> None:
        for alert in self.past():
            age = at - alert.cleared
            told = all(alert.told.get(channel, 0) >= alert.number for channel in self.channels)
            if age >= (LONGEST_AWAY if told else LONGEST_UNTOLD):
                self._drop(alert)

    def _drop(self, alert: Alert) -> None:
        self.dropped += any(alert.told.get(channel, 0) < alert.number for channel in self.channels)
        del self._alerts[alert.key]
        self._changed = True

    def _follow_the_clock(self, at: float, now: float) -> None:
        """Times of ours stay as long ago as they were, whatever the clock is set to."""
        if self._clocks is None:
            step = -max(
                (alert.seen - at for alert in self._alerts.values()), default=0.0
            )  # set back while we were away
            step = min(step, 0.0)
        else:
            step = (at - self._clocks[0]) - (now - self._clocks[1])
        self._clocks = at, now
        if abs(step) < CLOCK_STEP:
            return
        self._changed = True
        for alert in self._alerts.values():
            alert.since, alert.seen, alert.news_at = alert.since + step, alert.seen + step, alert.news_at + step
            alert.cleared = alert.cleared and alert.cleared + step
            for done in alert.actions:
                done.at += step

    def _keep(self, now: float) -> None:
        self._changed = False
        self._saved = now
        if self._ours:
            self._file.keep(list(self._alerts.values()))

    def _take_over(self) -> None:
        """Read the file once it is ours. What stood before stands in the findings."""
        if not self._ours and self._file.claim():
            self._ours = True
            self._alerts = {alert.key: alert for alert in self._file.load(Alert)}
            self._away.clear()
            self._clocks = None
