"""How many messages an account may send a day (DAILYLIMIT of a USER section, `daily_limit` of a row): days of UTC.

Counts stand in memory and in the spool's table `setting`, written by the very commit that keeps the message: a restart or a crash forgets
none. What was refused, by this or any other limit, is not counted; a message to several destinations counts once for each, and one that comes in
parts once for each part. An account without a limit is not counted.
"""

from collections.abc import Mapping
from typing import Final

from emg.spool.spool import Spool

DAY: Final = 86400
PREFIX: Final = "daily/"
"""How the names of these settings begin."""
_COUNT: Final = (1 << 32) - 1
"""A setting is one number: the day since 1970 above, the count in the lower 32 bits."""


class Daily:
    """One account's count of today."""

    __slots__ = ("_count", "_day", "_name", "_spool", "limit")

    def __init__(self, spool: Spool, account: str, stored: int) -> None:
        self.limit = 0
        self._spool = spool
        self._name = PREFIX + account
        self._day, self._count = stored >> 32, stored & _COUNT

    def used_up(self, now: float) -> bool:
        """No more today; `now` in epoch seconds."""
        return self._count >= self.limit and int(now) // DAY == self._day

    def add(self, now: float) -> None:
        """A message was taken at this time, to be kept by the next commit."""
        day = int(now) // DAY
        if day != self._day:
            self._day, self._count = day, 0
        self._count += 1
        self._spool.note(self._name, day << 32 | self._count)

    def undo(self, then: float) -> None:
        """That commit failed; `then` is the time given to `add`."""
        if int(then) // DAY == self._day and self._count:
            self._count -= 1
            self._spool.note(self._name, self._day << 32 | self._count)


class DailyCounts:
    """The counts of all accounts that have a limit."""

    def __init__(self, spool: Spool, stored: Mapping[str, int]) -> None:
        self._spool = spool
        self._stored = stored
        self._known: dict[str, Daily] = {}

    def of(self, account: str, limit: int) -> Daily | None:
        """The count of an account, which goes on where it stood; None where there is no limit."""
        if not limit:
            return None
        daily = self._known.get(account)
        if daily is None:
            daily = self._known[account] = Daily(self._spool, account, self._stored.get(PREFIX + account, 0))
        daily.limit = limit
        return daily
