"""Slowing down whoever guesses: wrong tries are counted by key (a login's name, an address), and each key has to wait longer with each of them. Pure.

The first `FREE` tries cost nothing: people mistype. After that a key waits 1, 2, 4 … seconds, at most `LONGEST`. A right one forgets the name's tries, not the address's. The
count is kept in memory for `FORGET` seconds after the last try and bounded: when there are too many keys the oldest go.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

FREE: Final = 4
LONGEST: Final = 300.0
FORGET: Final = 3600.0
MOST: Final = 20_000


class Throttle:
    """See the module's text. Times are seconds of any clock that only goes forward."""

    def __init__(self, free: int = FREE) -> None:
        self._free = free
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, keys: Iterable[str], now: float) -> float:
        """Seconds until somebody with these keys may try again; 0: now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def _wait(self, key: str, now: float) -> float:
        count, last = self._tries.get(key, (0, 0.0))
        if count <= self._free or now - last > FORGET:
            return 0.0
        return max(0.0, last + min(LONGEST, 2.0 ** min(count - self._free - 1, 30)) - now)

    def failed(self, keys: Iterable[str], now: float) -> None:
        """A wrong try of these keys."""
        for key in keys:
            count, last = self._tries.pop(key, (0, now))
            self._tries[key] = (1 if now - last > FORGET else count + 1, now)
        while len(self._tries) > MOST:
            self._tries.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """A right one."""
        self._tries.pop(key, None)
