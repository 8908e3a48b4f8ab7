"""What took longer than PROFILING_THRESHOLD: the log `profiling`.

Measured are commits of the spool, requests on the control socket, and how long something kept the event loop, which all sessions share:
a stand of the loop that is longer than the threshold by a quarter is always seen, one that is just over it perhaps. Without
a threshold nothing is measured.
"""

import logging
import time

import gevent

from emg.engine.logs import PROFILING
from emg.spool.spool import Spool

SHORTEST_LOOK, LONGEST_LOOK = 0.005, 0.25

log = logging.getLogger(PROFILING)


class Profiler:
    """The watch over one gateway."""

    def __init__(self, spool: Spool) -> None:
        self.threshold = 0.0
        self._spool = spool
        self._watch: gevent.Greenlet[[], None] | None = None

    def configure(self, threshold: float) -> None:
        """Take a new threshold in seconds; 0 for off."""
        self.threshold = threshold
        self._spool.on_commit = self._committed if threshold else None
        if threshold and self._watch is None:
            self._watch = gevent.spawn(self._look)

    def note(self, what: str, seconds: float) -> None:
        """Something took so long; logged if that was too long."""
        if 0 < self.threshold < seconds:
            log.info("%.3f s: %s", seconds, what)

    def _committed(self, rows: int, seconds: float) -> None:
        self.note(f"a commit of about {rows} rows", seconds)

    def _look(self) -> None:
        while self.threshold:
            pause = min(max(self.threshold / 4, SHORTEST_LOOK), LONGEST_LOOK)
            due = time.monotonic() + pause
            gevent.sleep(pause)
            self.note("the event loop stood still", time.monotonic() - due)
        self._watch = None

    def close(self) -> None:
        """Look no more."""
        self.threshold = 0.0
        if self._watch is not None:
            self._watch.kill()
            self._watch = None
