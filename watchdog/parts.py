"""The parts of a look: each has its own pace, its own deadline, and its own greenlet or native thread, so that none waits for another.

`Part.begin` starts a try when one is due and none is under way, `Part.settle` takes what it found. One that is not back at its deadline counts as no answer until it
is. Whoever looks has deadlines of his own; a greenlet that still is not back long after is ended, a native thread (for what hangs in
the system: a dead disk) can't be, and no second one is sent after it.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import gevent
import gevent.event
import gevent.threadpool

from emg.errors import EmgError

ENDED_AFTER: Final = 4
"""Deadlines after which a greenlet is ended."""

log = logging.getLogger("emg.watchdog")
T = TypeVar("T")


class Part(Generic[T]):
    """One thing that is looked at by `look`, which raises EmgError or OSError where it can't. Seconds throughout; `again`: the pace after a failure."""

    def __init__(
        self,
        name: str,
        look: Callable[[], T],
        every: float,
        deadline: float,
        *,
        again: float = 0.0,
        native: bool = False,
    ) -> None:
        self.name = name
        self.value: T | None = None
        """What it last found; stays when it can't look any more."""
        self.error: str | None = None
        """Why it could not look the last time; "": it could; None: no try has ended yet."""
        self.seen = 0.0
        """When (monotonic) the try that found `value` began."""
        self.tries = 0
        """How many have ended."""
        self._look = look
        self._every = every
        self._again = again or every
        self._deadline = deadline
        self._pool = gevent.threadpool.ThreadPool(1) if native else None
        self._task: Any = None
        """The try that is under way: a greenlet, or a thread's AsyncResult; what it returns is (found, error)."""
        self._began = 0.0
        self._due = float("-inf")

    def begin(self, now: float) -> None:
        """Try, if it is time and no try is under way."""
        if self._task is None and now >= self._due:
            self._began = now
            self._task = self._pool.spawn(self._try) if self._pool is not None else gevent.spawn(self._try)

    def wait(self, seconds: float) -> None:
        """Wait so long at most for the try that is under way."""
        if self._task is not None and seconds > 0:
            gevent.wait([self._task], timeout=seconds)

    def soon(self) -> None:
        """What it found is out of date: the next try is due now."""
        self._due = float("-inf")

    def settle(self, now: float) -> None:
        """Take what the try found, or give it up when it takes too long."""
        task = self._task
        if task is None:
            return
        took = now - self._began
        if task.ready():
            found, error = task.get() if task.successful() else (None, "the look was ended")
            self._end(found, error)
        elif took > ENDED_AFTER * self._deadline and isinstance(task, gevent.Greenlet):
            task.kill(block=False)
            self._end(None, f"no answer within {took:.0f} s")
        elif took > self._deadline:
            self.error = f"no answer for {took:.0f} s"

    def close(self) -> None:
        """End the greenlet; a thread ends with the program."""
        if isinstance(self._task, gevent.Greenlet):
            self._task.kill(block=False)

    def _end(self, found: T | None, error: str) -> None:
        self._task = None
        self.tries += 1
        self.error = error
        if not error:
            self.value, self.seen = found, self._began
        self._due = self._began + (self._again if error else self._every)

    def _try(self) -> tuple[T | None, str]:
        try:
            return self._look(), ""
        except OSError as error:
            return None, error.strerror or str(error) or type(error).__name__
        except EmgError as error:
            return None, str(error) or type(error).__name__
        except Exception as error:  # a fault of ours in one part must not blind the others
            log.exception("the look at %s broke", self.name)
            return None, f"{type(error).__name__}: the log has the details"
