"""A histogram of durations with bounded memory and under 1 % error, in the manner of HdrHistogram.

Values are seconds in and out; inside they are whole microseconds in log-linear buckets: every power of two is cut into 128 equal
buckets, so that a bucket is never wider than 1/128 of its value. Durations beyond `LIMIT` count as `LIMIT`; `maximum` stays exact.
Recording costs well under a microsecond. Nothing here fails.
"""

from typing import Final

_BITS: Final = 7
LIMIT: Final = 2**36
"""The longest duration told apart, in microseconds (19 hours)."""
_SIZE: Final = (LIMIT.bit_length() - _BITS + 1) << _BITS

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
"""What a summary shows, besides the maximum."""


class Histogram:
    """Counts durations; answers percentiles. One owner, not for several native threads."""

    __slots__ = ("buckets", "count", "maximum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.maximum = 0.0
        self.total = 0.0
        self.buckets = [0] * _SIZE

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one (clocks) counts as 0."""
        value = int(seconds * 1e6)
        if value < 0:
            value = 0
        elif value > LIMIT:
            value = LIMIT
        shift = value.bit_length() - _BITS - 1
        self.buckets[value if shift <= 0 else (shift << _BITS) + (value >> shift)] += 1
        self.count += 1
        self.total += seconds
        if seconds > self.maximum:
            self.maximum = seconds

    def add(self, other: "Histogram") -> None:
        """Take another histogram's counts into this one."""
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def percentile(self, percent: float) -> float:
        """The duration in seconds that `percent` % of the values do not exceed; 0 without values."""
        if not self.count:
            return 0.0
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for index, count in enumerate(self.buckets):
            seen += count
            if seen >= wanted:
                return min(_upper_edge(index) / 1e6, self.maximum)
        return self.maximum

    def mean(self) -> float:
        """The mean in seconds; 0 without values."""
        return self.total / self.count if self.count else 0.0

    def summary(self) -> dict[str, float]:
        """Milliseconds by name: `p50` … `p99.9`, `mean`, `max`; and `count`."""
        result: dict[str, float] = {"count": self.count, "mean": round(self.mean() * 1000, 3)}
        for percent in PERCENTILES:
            result[f"p{percent:g}"] = round(self.percentile(percent) * 1000, 3)
        result["max"] = round(self.maximum * 1000, 3)
        return result


def _upper_edge(index: int) -> int:
    """The first microsecond beyond bucket `index`."""
    shift = max(0, (index >> _BITS) - 1)
    return (index - (shift << _BITS) + 1) << shift
