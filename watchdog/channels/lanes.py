"""Tells people: each channel in a greenlet of its own, with a deadline for every try, so that none waits for another and the watchdog for none.

What a channel has to tell stands in the alert book (`Book.due`), so nothing is lost when a try fails or the watchdog is restarted, and nothing is told
that is out of date: an alert that is over by the time a channel works again is told once, as over, or not at all (SMS). News waits `gather` seconds for
others, and all go in one. A try that fails is repeated with a growing pause until all is told or forgotten.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import gevent
import gevent.event

from watchdog.alerts import Book, Notice
from watchdog.channels.channel import DEADLINE, Channel, NotTold
from watchdog.channels.mail import Mail
from watchdog.channels.sms import Sms
from watchdog.channels.trial import trial
from watchdog.channels.webhook import Webhook
from watchdog.plain import Cleaner
from watchdog.settings import Settings

FIRST_PAUSE: Final = 5.0
CLOSE_SECONDS: Final = 1.0
MOST_AT_ONCE: Final = 50
"""Alerts in one telling; of the others, their number."""

log = logging.getLogger("emg.watchdog")


class Lane:
    """One channel and its greenlet."""

    def __init__(self, channel: Channel, book: Book, gather: float, clean: Cleaner) -> None:
        self.channel = channel
        self.told = 0
        """Alerts' news that went out."""
        self.failures = 0
        """Tries that failed since one went well."""
        self.error = ""
        self.sending = False
        self._failing_since = 0.0
        self._last = 0.0
        self._next = 0.0
        self._book = book
        self._gather = gather
        self._clean = clean
        self._news = gevent.event.Event()
        self._news.set()  # what was not told before a restart
        self._greenlet = gevent.spawn(self._run)

    def wake(self) -> None:
        """There is news."""
        self._news.set()

    def close(self) -> None:
        """Give up what is being sent."""
        self._greenlet.kill(block=False)

    def status(self) -> dict[str, Any]:
        """How it does; times in seconds since 1970, 0 for never."""
        return {
            "name": self.channel.name,
            "ok": not self.failures,
            "waiting": len(self._due()),
            "told": self.told,
            "last_told": self._last,
            "failures": self.failures,
            "failing_since": self._failing_since,
            "next_try": self._next,
            "error": self.error,
        }

    def _due(self) -> list[Notice]:
        return self._book.due(self.channel.name, self.channel.level, summary=self.channel.summary)

    def _run(self) -> None:
        while True:
            try:
                self._tell_news()
            except Exception:  # a fault of ours in one round: the next may do without it, and people must be told
                log.exception("alerts by %s met a fault of ours", self.channel.name)
                gevent.sleep(FIRST_PAUSE)

    def _tell_news(self) -> None:
        """Wait for news, and tell until there is none."""
        self._news.wait()
        gevent.sleep(self._gather)
        self._news.clear()
        while self._due() and not self._try():
            pause = min(FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20), self.channel.longest_pause)
            self._next = time.time() + pause
            # news of something else is a reason to try again, but no more often than the first pause
            gevent.sleep(min(FIRST_PAUSE, pause))
            self._news.wait(max(0.0, pause - FIRST_PAUSE))
            self._news.clear()
            self._next = 0.0

    def _try(self) -> bool:
        due = self._due()
        self.sending = True
        try:
            with gevent.Timeout(DEADLINE, NotTold(f"not done within {DEADLINE:g} s")):
                self.error = self._clean(
                    self.channel.send(due[:MOST_AT_ONCE], max(0, len(due) - MOST_AT_ONCE), time.time())
                )
        except Exception as error:  # noqa: BLE001 - whatever a server says or a library raises: this channel tries again, the others go on
            self._failed(error)
            return False
        finally:
            self.sending = False
        self._book.tell(self.channel.name, due)
        if self.error:
            log.warning("alerts by %s: a part was refused: %s", self.channel.name, self.error)
        if self.failures:
            log.info("alerts by %s go out again, after %d tries", self.channel.name, self.failures)
        self.told, self.failures, self._failing_since = self.told + len(due), 0, 0.0
        self._last = time.time()
        return True

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.error = self._clean(f"{error}" or type(error).__name__)
        self._failing_since = self._failing_since or time.time()
        log.warning("alerts by %s: try %d failed: %s", self.channel.name, self.failures, self.error)


class Channels:
    """All channels of a configuration. `extra`: channels besides those of the settings."""

    def __init__(self, settings: Settings, book: Book, extra: Iterable[Channel] = ()) -> None:
        self._clean = Cleaner(settings.secrets)
        channels = [*configured(settings), *extra]
        book.channels = tuple(channel.name for channel in channels)
        self._lanes = [Lane(channel, book, settings.gather, self._clean) for channel in channels]

    def tell(self, notices: Sequence[Notice]) -> None:
        """There is news in the book (what `Book.update` gave); never waits."""
        for lane in self._lanes if notices else ():
            lane.wake()

    def status(self) -> list[dict[str, Any]]:
        """How each channel does: name, ok, waiting, told, last_told, failures, failing_since, next_try, error."""
        return [lane.status() for lane in self._lanes]

    def trial(self) -> list[dict[str, Any]]:
        """Send a message by each channel now; `name`, `ok` and `error` of each. Waits, DEADLINE at most."""
        return trial([lane.channel for lane in self._lanes], self._clean)

    def close(self) -> None:
        """Stop telling, after a moment for what is being sent; what is not told yet stands in the book, for the next start."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while any(lane.sending for lane in self._lanes) and time.monotonic() < deadline:
            gevent.sleep(0.02)
        for lane in self._lanes:
            lane.close()


def configured(settings: Settings) -> list[Channel]:
    """The channels that the configuration names."""
    found: list[Channel] = []
    if settings.mail:
        found.append(Mail(settings.mail, settings.host, settings.repeat))
    if settings.webhook:
        found.append(Webhook(settings.webhook, settings.host))
    if settings.sms:
        found += [Sms(settings.sms, number, settings.host) for number in settings.sms.recipients]
    return found
