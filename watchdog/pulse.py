"""How late the watchdog itself is: a greenlet that wants to run five times a second, and notes when it could not.

Who was stopped by a signal, starved by the machine or asleep with it has no right to say that others did not answer in time.
"""

import time
from typing import Final

import gevent

BEAT_SECONDS: Final = 0.2


class Pulse:
    """`start`; `late` after each look; `stop`."""

    def __init__(self) -> None:
        self._late = 0.0
        self._due = time.monotonic() + BEAT_SECONDS
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._due = time.monotonic() + BEAT_SECONDS
        self._greenlet = gevent.spawn(self._beat)

    def late(self) -> float:
        """The most that it was late since it was last asked, in seconds; what is being late now counts too."""
        now = max(0.0, time.monotonic() - self._due) if self._greenlet is not None else 0.0
        late, self._late = max(self._late, now), 0.0
        return late

    def stop(self) -> None:
        """Measure no more."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    def _beat(self) -> None:
        while True:
            self._due = time.monotonic() + BEAT_SECONDS
            gevent.sleep(BEAT_SECONDS)
            self._late = max(self._late, time.monotonic() - self._due)
