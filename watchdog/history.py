"""What checks remember of earlier looks: since when something has been as it is. Bounded. Pure.

Times are seconds of a clock that stands still while the watchdog was late. What no check asks for in a look is forgotten at its end: so a
subject that is gone (a connector, a program that was restarted) begins anew when it comes back.
"""

from collections.abc import Hashable
from typing import Final

from watchdog.model import Facts

MOST: Final = 20_000
"""Things that are remembered at once; beyond that new ones have lasted for no time."""


class _Since:
    __slots__ = ("last", "since", "start", "used", "value")

    def __init__(self, value: object, now: float, used: int) -> None:
        self.value = value
        self.since = now
        self.used = used
        self.start: float = 0.0
        self.last: float = 0.0


class History:
    """See the module's text."""

    def __init__(self) -> None:
        self.now = 0.0
        """The clock that stands still while we sleep."""
        self.looks = 0
        self._marks: dict[Hashable, _Since] = {}
        self._before: Facts | None = None
        self._facts: Facts | None = None

    @property
    def before(self) -> Facts | None:
        """The look before this one."""
        return self._before

    def begin(self, facts: Facts) -> None:
        """A new look."""
        self._before, self._facts = self._facts, facts
        if self._before is not None:
            passed = facts.now - self._before.now
            self.now += max(0.0, passed - max(0.0, facts.late))
        self.looks += 1

    def end(self) -> None:
        """The look is dealt with: forget what nobody asked for."""
        stale = [key for key, mark in self._marks.items() if mark.used != self.looks]
        for key in stale:
            del self._marks[key]

    def unchanged(self, key: Hashable, value: object = True) -> float:
        """Seconds for which this has had the same value at every look; 0.0 at the first."""
        mark = self._mark(key, value)
        if mark.value != value:
            mark.value, mark.since = value, self.now
        return self.now - mark.since

    def rising(self, key: Hashable, value: float) -> tuple[float, float]:
        """(seconds since it last fell, by how much it has grown since then)."""
        known = key in self._marks
        mark = self._mark(key, None)
        if not known or value < mark.last:
            mark.since, mark.start = self.now, value
        mark.last = value
        return self.now - mark.since, value - mark.start

    def _mark(self, key: Hashable, value: object) -> _Since:
        mark = self._marks.get(key)
        if mark is None:
            mark = _Since(value, self.now, self.looks)
            if len(self._marks) < MOST:
                self._marks[key] = mark
        mark.used = self.looks
        return mark
