"""References for concatenated messages: two long messages to one number, one after the other, get different ones.

A handset joins parts by sender and reference; with eight bits a single counter for all would come round to the same
value after 256 long messages, whoever they went to, and a gateway sends that many in a second. So numbers are spread
over a fixed set of counters. Two numbers that share a counter disturb each other only if one of them gets a multiple of
256 long messages between two of the other. Memory is bounded by that set: 16,384 counters of two octets, whatever the
traffic.
"""

from array import array
from typing import Final
from zlib import crc32

COUNTERS: Final = 16_384


class References:
    """The counters. One owner, one thread.

    `seed` sets where they start: give another one at each start (the clock's seconds do), so that a restart does not
    begin with the references that the last messages before it had.
    """

    __slots__ = ("_counters",)

    def __init__(self, seed: int = 0, counters: int = COUNTERS) -> None:
        # 40503 is odd, so that neighbouring seeds and counters start far apart.
        self._counters = array("H", [(seed + i) * 40_503 & 0xFFFF for i in range(counters)])

    def next(self, destination: str, *, wide: bool = False) -> int:
        """The reference for the next long message to this number: 8 bits, or 16 if `wide`."""
        counters = self._counters
        i = crc32(destination.encode("utf-8", "replace")) % len(counters)
        value = counters[i] = (counters[i] + 1) & 0xFFFF
        return value if wide else value & 0xFF
