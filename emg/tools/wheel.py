"""A timer wheel: many things due later, in buckets of 10 ms, at the cost of a list append each.

Pure: it is given the time and gives what is due. What is put in comes out in the order of its bucket, and within a bucket in the
order of arrival, at most one bucket late and never early. `len()` is what is still in it; the owner bounds it.
"""

import heapq
from typing import Final, Generic, TypeVar

Thing = TypeVar("Thing")

TICK: Final = 0.01
"""Width of a bucket in seconds."""


class Wheel(Generic[Thing]):
    """Things by the time at which they are due; times are seconds of one monotonic clock."""

    __slots__ = ("_buckets", "_order", "_size")

    def __init__(self) -> None:
        self._buckets: dict[int, list[Thing]] = {}
        self._order: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, due: float, thing: Thing) -> None:
        """Keep `thing` until `due`."""
        # rounding up, so that nothing comes out early
        number = int(due / TICK) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = [thing]
            heapq.heappush(self._order, number)
        else:
            bucket.append(thing)
        self._size += 1

    def take(self, now: float) -> list[Thing]:
        """Everything due at `now`, taken out."""
        reached = int(now / TICK)
        result: list[Thing] = []
        while self._order and self._order[0] <= reached:
            result += self._buckets.pop(heapq.heappop(self._order))
        self._size -= len(result)
        return result

    def next_due(self) -> float | None:
        """When `take` will next give something, or None."""
        return self._order[0] * TICK if self._order else None

    def take_all(self) -> list[Thing]:
        """Everything, due or not; the wheel is empty afterwards."""
        return self.take(float("1e18"))
