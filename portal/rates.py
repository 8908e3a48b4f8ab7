"""How fast counters rise, from what they were when somebody looked before. They are kept in the portal's memory: a portal that has just started knows no rates.

    rates = Rates()
    rates.see("operator", time.monotonic(), {"sent": 1200})
    rates.of("operator")                                    # {} at the first look, {"sent": 40.0} a second at the next

A counter that falls has begun anew (the gateway was restarted), and so do the rates.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

LEAST_SECONDS: Final = 1.0
"""Between two looks that count: many people may look at once."""
SPAN_SECONDS: Final = 12.0
"""A rate is that of so long: short enough to be live, long enough not to jump."""
OLD_SECONDS: Final = 60.0
"""Nobody looked for so long: what was then says nothing about now."""
MOST_NAMES: Final = 20_000


class _Look(NamedTuple):
    moment: float
    counters: Mapping[str, int]


class Rates:
    """See the module's text."""

    def __init__(self) -> None:
        self._looks: dict[str, deque[_Look]] = {}

    def see(self, name: str, now: float, counters: Mapping[str, int]) -> None:
        """These are the counters now (monotonic seconds)."""
        looks = self._looks.setdefault(name, deque())
        if looks:
            last = looks[-1]
            fallen = any(counters.get(key, 0) < value for key, value in last.counters.items())
            if fallen or now - last.moment > OLD_SECONDS:
                looks.clear()
            elif now - last.moment < LEAST_SECONDS:
                return
        looks.append(_Look(now, dict(counters)))
        while len(looks) > 2 and now - looks[1].moment >= SPAN_SECONDS:
            looks.popleft()
        if len(self._looks) > MOST_NAMES:
            self._forget(now)

    def _forget(self, now: float) -> None:
        self._looks = {name: looks for name, looks in self._looks.items() if now - looks[-1].moment <= OLD_SECONDS}

    def of(self, name: str) -> dict[str, float]:
        """Each counter's rate a second; empty while it is not known."""
        looks = self._looks.get(name)
        if not looks or len(looks) < 2:
            return {}
        first, last = looks[0], looks[-1]
        seconds = last.moment - first.moment
        return {key: (value - first.counters.get(key, 0)) / seconds for key, value in last.counters.items()}
