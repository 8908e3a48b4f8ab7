"""The last ten minutes of counters that rise, as rates: what the live chart draws.

They come from the looks of those who have the page open, shared by all of them: the portal asks the gateway for nothing that nobody looks at, needs no greenlet that outlives its pages,
and a test sees what it asked for. So the chart of the first one to look begins empty; whoever comes within ten minutes finds the points of those before.
Bounded: a point each `STEP` seconds at most, `KEEP` seconds of them, of `MOST` names.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from portal.rates import Rates

KEEP: Final = 600.0
STEP: Final = 2.0
MOST: Final = 200


class Point(NamedTuple):
    """Rates a second at a moment (seconds since 1970)."""

    at: float
    rates: Mapping[str, float]


class Pulse:
    """See the module's text."""

    def __init__(self) -> None:
        self._rates = Rates()
        self._points: OrderedDict[str, deque[Point]] = OrderedDict()

    def see(self, name: str, counters: Mapping[str, int]) -> None:
        """These are the counters now."""
        self._rates.see(name, time.monotonic(), counters)
        points = self._points.setdefault(name, deque())
        self._points.move_to_end(name)
        if len(self._points) > MOST:
            self._points.popitem(last=False)
        now, found = time.time(), self._rates.of(name)
        if found and (not points or now - points[-1].at >= STEP):
            points.append(Point(now, found))
        while points and now - points[0].at > KEEP:
            points.popleft()

    def rates(self, name: str) -> dict[str, float]:
        """A second; empty while they are not known."""
        return self._rates.of(name)

    def points(self, name: str) -> list[Point]:
        """The oldest first."""
        return list(self._points.get(name, ()))


LINES: Final = {"accepted": "#0d6efd", "sent": "#6f42c1", "delivered": "#198754", "failed": "#dc3545"}
"""What is drawn, and its colour: readable on light and on dark."""


def chart(points: list[Point], names: tuple[str, ...]) -> dict[str, Any]:
    """As `ui.chart` takes it."""
    return {
        "type": "line",
        "data": {
            "labels": [time.strftime("%H:%M:%S", time.gmtime(point.at)) for point in points],
            "datasets": [
                {
                    "label": name, "data": [round(point.rates.get(name, 0.0), 2) for point in points], "borderColor": LINES[name],
                    "backgroundColor": LINES[name], "borderWidth": 2, "pointRadius": 0, "tension": 0.2,
                }
                for name in names
            ],
        },
        "options": {
            "interaction": {"mode": "index", "intersect": False},
            "plugins": {"legend": {"position": "bottom", "labels": {"boxWidth": 12}}},
            "scales": {"x": {"ticks": {"maxTicksLimit": 6, "maxRotation": 0}}, "y": {"beginAtZero": True, "title": {"display": True, "text": "messages a second"}}},
        },
    }  # fmt: skip
