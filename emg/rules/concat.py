"""Where the earlier parts of a long message went, so that the later ones follow (CMREXPIRE, S49).

A route is remembered for `seconds` after the last part. At most `size` long messages are remembered; then the oldest is
forgotten, and its next part is routed afresh, which is counted in `forgotten`. `now` never runs backwards for long: a
step back only keeps an entry for longer.
"""

from collections import OrderedDict
from typing import Final

DEFAULT_SECONDS: Final = 60.0
DEFAULT_SIZE: Final = 100_000


Key = tuple[str, str, str, int, int]
"""(account, source, destination, reference, total): what all parts of a long message share (3GPP TS 23.040 §9.2.3.24.1)."""


class RouteMemory:
    """Long message → connector of its earlier parts."""

    __slots__ = ("_routes", "forgotten", "seconds", "size")

    def __init__(self, seconds: float = DEFAULT_SECONDS, size: int = DEFAULT_SIZE) -> None:
        """`seconds` 0 switches it off."""
        self.seconds = seconds
        self.size = size
        self.forgotten = 0
        """Entries that gave way before their time."""
        self._routes: OrderedDict[Key, tuple[float, str]] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._routes)

    def recall(self, key: Key, now: float) -> str | None:
        """The connector that the earlier parts went to; None when there were none, or too long ago."""
        entry = self._routes.get(key)
        return entry[1] if entry is not None and now < entry[0] else None

    def remember(self, key: Key, connector: str, now: float) -> None:
        """A part went to this connector."""
        if self.seconds <= 0:
            return
        routes = self._routes
        routes[key] = (now + self.seconds, connector)
        routes.move_to_end(key)
        while routes:
            oldest = next(iter(routes))
            if routes[oldest][0] <= now:
                del routes[oldest]
            elif len(routes) > self.size:
                del routes[oldest]
                self.forgotten += 1
            else:
                return
