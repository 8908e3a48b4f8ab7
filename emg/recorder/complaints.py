"""What the log is told of errors that come and go: a database that flaps all night must not fill it.

An error that lasts is told once. One that comes again within `QUIET_SECONDS` after the last line is counted; it is told when it lasts, or
comes again, after that, with how often it was there meanwhile. `emg.recorder.standing` always has the present one.
"""

import logging
import time

QUIET_SECONDS = 60.0

log = logging.getLogger("emg.recorder")


class Complaints:
    """See the module's text."""

    def __init__(self) -> None:
        self._reason = ""
        """What was told of the error that lasts; empty: nothing yet."""
        self._failing_since = 0.0
        self._told_at = -QUIET_SECONDS
        self._untold = 0
        """How often it failed anew since, and nobody was told."""

    def failed(self, reason: str) -> None:
        """It did not work, for the first time or again."""
        now = time.monotonic()
        if not self._failing_since:
            self._failing_since = now
            self._untold += 1
        if reason == self._reason or now - self._told_at < QUIET_SECONDS:
            return
        times = f" (it stopped {self._untold} times since the last of these lines)" if self._untold > 1 else ""
        log.error("%s; it is tried again%s", reason, times)
        self._reason, self._told_at, self._untold = reason, now, 0

    def worked(self) -> None:
        """It works, perhaps again."""
        if not self._failing_since:
            return
        if self._reason:
            log.warning("it goes on after %.0f s: %s", time.monotonic() - self._failing_since, self._reason)
        self._reason, self._failing_since = "", 0.0
