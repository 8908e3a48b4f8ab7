"""Comparisons of passwords wait here for the few native threads that make them.

Who waits is served in turn by address, so that a flood of guesses from one address costs the others one place each. How many wait is decided by
time: a comparison that would not be made before its login is given up is refused at once, by what comparisons have taken lately. And
by room: at most `most` wait; when they do, the newest one of the address that has most gives way to one of an address with fewer. What nobody
waits for any more is left out.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from emg.errors import EmgError

THREADS = 2
WEIGHT = 0.1
"""Of the newest in what a comparison is taken to last."""


class Busy(EmgError):
    """Too many logins are being looked at; nothing is known about this one."""


class _Job:
    __slots__ = ("answer", "arguments", "early", "waits", "work")

    def __init__(self, work: Callable[..., Any], arguments: tuple[object, ...], early: Callable[[], Any]) -> None:
        self.work = work
        self.arguments = arguments
        self.early = early
        self.waits = True
        self.answer: AsyncResult[Any] = AsyncResult()


class Comparing:
    """See the module's text. Threads are made when first needed; `seconds`: what a comparison is taken to last until that is known."""

    def __init__(self, most: int, seconds: float) -> None:
        self.waiting = 0
        self._most = most
        self._seconds = seconds
        self._running = 0
        self._queues: OrderedDict[str, deque[_Job]] = OrderedDict()
        """By address, the one whose turn is next first."""
        self._pool: ThreadPool | None = None

    def run(
        self, address: str, seconds: float, early: Callable[[], Any], work: Callable[..., Any], *arguments: object
    ) -> Any:
        """`work` in a thread within so many seconds, or what `early` says by then when that is not None. Raises Busy."""
        job = _Job(work, arguments, early)
        self._admit(address, seconds)
        queue = self._queues.setdefault(address, deque())
        queue.append(job)
        self.waiting += 1
        self._start()
        try:
            return job.answer.get(timeout=seconds)
        except gevent.Timeout:
            raise Busy(f"a password was not compared within {seconds:.1f} s") from None
        finally:
            self._leave(address, job)

    def _admit(self, address: str, seconds: float) -> None:
        if self._lasts(self.waiting) > seconds:
            mine = len(self._queues.get(address, ()))
            before = sum(min(len(queue), mine + 1) for queue in self._queues.values())
            if self._lasts(before) > seconds:
                raise Busy(f"{self.waiting} logins wait for their passwords to be compared, more than {seconds:.1f} s")
        if self.waiting >= self._most:
            longest = max(self._queues, key=lambda each: len(self._queues[each]), default=address)
            if len(self._queues.get(longest, ())) <= len(self._queues.get(address, ())) + 1:
                raise Busy(f"{self.waiting} logins wait for their passwords to be compared")
            job = self._queues[longest][-1]
            self._leave(longest, job)
            job.answer.set_exception(
                Busy("others needed the place of one from this address, of which most logins come")
            )

    def _lasts(self, before: int) -> float:
        """Seconds until one is done that has so many before it."""
        return (before + self._running + 1) * self._seconds / THREADS

    def _leave(self, address: str, job: _Job) -> None:
        """It does not wait any more, if it still did."""
        if not job.waits:
            return
        job.waits = False
        queue = self._queues[address]
        queue.remove(job)
        self.waiting -= 1
        if not queue:
            del self._queues[address]

    def _start(self) -> None:
        if self._running < THREADS:
            self._running += 1
            gevent.spawn(self._serve)

    def _serve(self) -> None:
        """Take jobs until there are none."""
        try:
            while self._queues:
                address, queue = next(iter(self._queues.items()))
                job = queue[0]
                self._leave(address, job)
                if address in self._queues:
                    self._queues.move_to_end(address)
                self._do(job)
                gevent.sleep(0)  # whoever waited for it goes on first: the next one's answer may be known by that
        finally:
            self._running -= 1

    def _do(self, job: _Job) -> None:
        known = job.early()
        if known is not None:
            job.answer.set(known)
            return
        if self._pool is None:
            self._pool = ThreadPool(THREADS)
        began = time.monotonic()
        try:
            job.answer.set(self._pool.spawn(job.work, *job.arguments).get())
        except Exception as error:  # noqa: BLE001 -- whoever waits gets it; the others still have to be served
            job.answer.set_exception(error)
        self._seconds += WEIGHT * (time.monotonic() - began - self._seconds)

    def close(self) -> None:
        """Let the threads go; who waits is told."""
        for address, queue in list(self._queues.items()):
            for job in list(queue):
                self._leave(address, job)
                job.answer.set_exception(Busy("the gateway stops"))
        if self._pool is not None:
            self._pool.kill()
            self._pool = None
