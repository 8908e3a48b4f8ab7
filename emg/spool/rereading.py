"""Reading from the spool with patience: what one I/O error hides is still there, and must not be taken for gone.

`read` asks again after a failure, a few times and each time after a longer pause; the callback then gets the value, or the SpoolError of the
last try. Once the spool closes nothing is asked again, and a callback that still waits is not called: what it would have settled stays
in the spool, and what it would have acknowledged comes again.
"""

import logging
import sqlite3
from collections.abc import Callable
from typing import TypeVar

import gevent

from emg.errors import SpoolError
from emg.spool.spool import Spool

PAUSES = (0.2, 0.6, 1.8)
"""Seconds before the second try and each that follows; a provider waits longer than all of them for the answer to his report."""

log = logging.getLogger("emg.spool")
T = TypeVar("T")


def read(
    spool: Spool,
    what: str,
    query: Callable[[sqlite3.Connection], T],
    callback: Callable[[T | None, SpoolError | None], None],
) -> None:
    """`Spool.read`, tried once more after each of `PAUSES`. The log names `what` is read, at its first failure and at the last."""
    loop = gevent.get_hub().loop
    failures = 0

    def answered(value: T | None, error: Exception | None) -> None:
        nonlocal failures
        if error is None:
            callback(value, None)
            return
        if spool.closing:
            return
        failures += 1
        if failures > len(PAUSES):
            log.error("%s cannot be read, given up after %d tries: %s", what, failures, error)
            callback(None, SpoolError(f"the spool cannot read: {error}"))
            return
        if failures == 1:
            log.warning("%s cannot be read, trying again: %s", what, error)
        timer = loop.timer(PAUSES[failures - 1])

        def again() -> None:
            timer.close()
            if not spool.closing:
                spool.read(query, answered)

        timer.start(again)

    spool.read(query, answered)
