"""Reports that match no open report: early ones, and those for messages that we do not know (protocol cases S31, S38).

Kept in the spool and in memory, at most `limit` (ORPHANSIZE) and the one that came last; the oldest leave first, when the new one is on disk.
`early` gives one that came shortly before its message's answer. A very old one is not taken for a new message's: providers reuse their ids.
"""

from typing import Any

import msgspec

from emg.errors import SpoolError
from emg.message import Report
from emg.spool.spool import Spool

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Report).decode


class Orphan(msgspec.Struct, gc=False):
    """One of them."""

    number: int
    provider: str
    remote_id: str
    received: float
    report: Report


class Orphans:
    """All orphans of one gateway."""

    def __init__(
        self, spool: Spool, rows: list[tuple[int, str, str, float, bytes]], *, limit: int, early: float, expire: float
    ) -> None:
        self.limit = limit
        self.early_seconds = early
        self.expire_seconds = expire
        self.dropped = 0
        """How many left because there were too many."""
        self._spool = spool
        self._by_number: dict[int, Orphan] = {}
        self._by_id: dict[tuple[str, str], int] = {}
        self._last = 0
        for number, provider, remote_id, received, body in rows:
            self._add(Orphan(number, provider, remote_id, received, _decode(body)))

    def __len__(self) -> int:
        return len(self._by_number)

    def _add(self, orphan: Orphan) -> None:
        self._by_number[orphan.number] = orphan
        self._by_id[orphan.provider, orphan.remote_id] = orphan.number
        self._last = max(self._last, orphan.number)

    def keep(self, provider: str, ids: tuple[str, ...], report: Report, now: float) -> int:
        """Keep one with the next commit; gives its number."""
        orphan = Orphan(self._last + 1, provider, ids[0] if ids else "", now, report)
        self._add(orphan)
        self._spool.take_orphan(orphan.number, provider, orphan.remote_id, now, _encode(report))
        self._spool.when_kept(self._make_room, None)
        return orphan.number

    def _make_room(self, _argument: None, error: SpoolError | None) -> None:
        if error is not None:  # none leaves for one that is not kept: it will be sent again and again
            return
        while len(self._by_number) > self.limit + 1:  # the last one may be early even where none are to be kept
            self.dropped += 1
            self.remove(next(iter(self._by_number)))

    def forget(self, number: int) -> Orphan | None:
        """It could not be kept."""
        orphan = self._by_number.pop(number, None)
        if orphan is not None and self._by_id.get((orphan.provider, orphan.remote_id)) == number:
            del self._by_id[orphan.provider, orphan.remote_id]
        return orphan

    def remove(self, number: int) -> bool:
        """Take one out for good."""
        found = self.forget(number) is not None
        if found:
            self._spool.drop_orphan(number)
        return found

    def early(self, provider: str, remote_id: str, now: float) -> Report | None:
        """The report for a message that was just answered, if it came before; it is taken out."""
        number = self._by_id.get((provider, remote_id))
        if number is None:
            return None
        orphan = self._by_number[number]
        if now - orphan.received > self.early_seconds:
            return None
        self.remove(number)
        return orphan.report

    def expire(self, now: float) -> None:
        """Forget those that are too old."""
        while self._by_number:
            number, orphan = next(iter(self._by_number.items()))
            if now - orphan.received < self.expire_seconds:
                return
            self.remove(number)

    def listing(self, count: int) -> list[dict[str, Any]]:
        """The newest, for people to look at."""
        newest = list(self._by_number.values())[-count:]
        return [
            {
                "number": orphan.number,
                "provider": orphan.provider,
                "remote_id": orphan.remote_id,
                "received": orphan.received,
                "state": orphan.report.state.name.lower(),
            }
            for orphan in reversed(newest)
        ]
