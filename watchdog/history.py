"""What checks remember of earlier looks: since when something has been as it is. Bounded. Pure.

Times are seconds of a clock that stands still while the watchdog was late: who has slept blames nobody. What no check asks for in a look is
forgotten at its end, so that a subject that was gone, or that nobody could see, begins anew. `who` names whose state it is (`identity`):
another process under the same name begins anew as well.
"""

from collections import deque
from collections.abc import Hashable
from typing import Final

from watchdog.model import Facts

MOST: Final = 20_000
"""Things that are remembered at once; what comes beyond them has never lasted."""
COUNTED: Final = 32
"""Changes of one thing that are remembered."""


class _Mark:
    """What is remembered of one thing."""

    __slots__ = ("changes", "low", "row", "since", "used", "value", "was_right", "who")

    def __init__(self, who: object, value: object, now: float, used: int) -> None:
        self.who = who
        self.value = value
        self.since = now
        self.used = used
        self.row = 0
        self.was_right = False
        self.low = 0.0
        self.changes: deque[float] = deque(maxlen=COUNTED)


class History:
    """See the module's text."""

    def __init__(self) -> None:
        self.now = 0.0
        """The clock that stands still while we sleep."""
        self.before: Facts | None = None
        """The look before this one."""
        self._facts: Facts | None = None
        self._looks = 0
        self._marks: dict[Hashable, _Mark] = {}

    # -- a look

    def begin(self, facts: Facts) -> None:
        """A new look."""
        self.before, self._facts = self._facts, facts
        if self.before is not None:
            self.now += max(0.0, facts.now - self.before.now - max(0.0, facts.late))
        self._looks += 1

    def end(self) -> None:
        """The look is dealt with: forget what nobody asked for."""
        stale = [key for key, mark in self._marks.items() if mark.used != self._looks]
        for key in stale:
            del self._marks[key]

    # -- what checks ask

    def unchanged(self, key: Hashable, value: object) -> float:
        """Seconds for which it has had this value at every look; 0.0 at the first."""
        mark = self._mark(key, None, value)
        if mark.value != value:
            mark.value, mark.since = value, self.now
        return self.now - mark.since

    def lasts(self, key: Hashable, wrong: bool, who: object = None) -> float:
        """Seconds since it was last seen to be right, or was seen at all; 0.0 while it is right."""
        mark = self._mark(key, who, None)
        if wrong:
            mark.row += 1
            return self.now - mark.since
        mark.row, mark.since, mark.was_right = 0, self.now, True
        return 0.0

    def in_a_row(self, key: Hashable) -> int:
        """At how many looks `lasts` has found it wrong since it was last right."""
        mark = self._marks.get(key)
        return mark.row if mark is not None else 0

    def was_right(self, key: Hashable) -> bool:
        """Whether `lasts` has ever found it right for the present `who`."""
        mark = self._marks.get(key)
        return mark is not None and mark.was_right

    def keep(self, key: Hashable, value: object, who: object = None) -> object:
        """The value that was last given for it; None gives no new one."""
        mark = self._mark(key, who, None)
        if value is not None:
            mark.value = value
        return mark.value

    def rising(self, key: Hashable, value: float, who: object = None) -> tuple[float, float]:
        """(seconds since it last fell, or was 0, by how much it has grown since then)."""
        known = key in self._marks
        mark = self._mark(key, who, None)
        if not known or not mark.value or value < float(mark.value):  # type: ignore[arg-type]
            mark.since, mark.low = self.now, value
        mark.value = value
        return self.now - mark.since, value - mark.low

    def changed_within(self, key: Hashable, value: object, seconds: float) -> int:
        """How often its value has become another one in the last so many seconds; None is no value."""
        mark = self._mark(key, None, value)
        if value is not None and mark.value != value:
            if mark.value is not None:
                mark.changes.append(self.now)
            mark.value = value
        return sum(1 for at in mark.changes if at > self.now - seconds)

    def _mark(self, key: Hashable, who: object, value: object) -> _Mark:
        mark = self._marks.get(key)
        if mark is None or mark.who != who:
            mark = _Mark(who, value, self.now, self._looks)
            if key in self._marks or len(self._marks) < MOST:
                self._marks[key] = mark
        mark.used = self._looks
        return mark
