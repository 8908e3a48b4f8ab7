"""Message ids: reserved in blocks with a commit, given out one by one. A crash leaves a gap, never a double."""

from collections.abc import Callable

import gevent

from emg.errors import SpoolError
from emg.spool.batch import Done

SPACE = 10**15
"""Ids of one node: NODEID × 10^15 + counter."""
BLOCK = 100_000


class Ids:
    """The ids of one spool; `next_id` and the block behind it are reserved already.

    `reserve(limit, kept)` has the next commit keep that all ids below `limit` are taken, and calls `kept(limit, error)` after it.
    """

    __slots__ = ("_limit", "_next", "_node", "_reserve", "_reserved")

    def __init__(self, node: int, next_id: int, reserve: Callable[[int, Done], None]) -> None:
        self._node = node
        self._next = next_id
        self._limit = self._reserved = next_id + BLOCK
        self._reserve = reserve

    def next(self) -> int:
        """A new one. Raises SpoolError when the reserved ones are used up (commits fail)."""
        number = self._next
        if number >= self._limit:
            raise SpoolError("no message id is reserved", full=True)
        self._next = number + 1
        if self._reserved - number < BLOCK // 2:
            self._ask()
        return self._node * SPACE + number

    @property
    def upcoming(self) -> int:
        """The next one."""
        return self._node * SPACE + self._next

    def _ask(self) -> None:
        self._reserved += BLOCK
        self._reserve(self._reserved, self._kept)

    def _kept(self, limit: int, error: SpoolError | None) -> None:
        if error is None:
            self._limit = max(self._limit, limit)
        elif self._reserved == limit:
            self._reserved = (
                self._limit
            )  # the setting survives in the next batch; the callback has to be asked for again
            gevent.get_hub().loop.run_callback(self._ask)
