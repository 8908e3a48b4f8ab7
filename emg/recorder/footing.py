"""Where the log stands against the spool, whenever that has to be found out: at a start, after an error, and now and then.

Most often the position is a row of this spool and what follows it is there. What else there is:

- the spool is another one than before: it has a position of its own, and what the old one had not told yet is a gap;
- rows behind the position are gone (the database was put back from a backup): a gap, from which on the log goes on;
- the spool is an older copy than the log knows: its rows have numbers that others had; or the one before the last. Nothing is written then (`OlderCopy`) until somebody has
  accepted it (`emg.recorder.acceptance`).

A gap is noted in the database in the transaction that moves the position past it, once; balances are made right there (`emg.db.log_gaps`).
"""

import logging
import time

from emg.db.log_gaps import shown
from emg.db.log_tables import REPLACED, Gap, Place, Spot
from emg.db.log_writer import LogWriter
from emg.db.models import GapKind
from emg.errors import SpoolError
from emg.recorder.fold import stamp
from emg.recorder.source import Source

ACCEPT = "emg recorder --accept-spool"

log = logging.getLogger("emg.recorder")


class OlderCopy(SpoolError):
    """The spool was put back from an older copy."""


class Footing:
    """See the module's text. For one thread."""

    def __init__(self, source: Source, writer: LogWriter, node: int) -> None:
        self._source = source
        self._writer = writer
        self._node = node

    def find(self) -> tuple[int, int]:
        """(the spool's identity, the position in it). Raises SpoolError (OlderCopy), DatabaseError."""
        head = self._source.read(None, 0)
        places = self._writer.positions(self._node)
        for place in places:
            if place.spool == head.identity:
                self.compare(place, head.last)
                return head.identity, place.seq
        return head.identity, self._begin(head.identity, places)

    def compare(self, place: Place, last: int) -> None:
        """Is the log's last row of this spool (whose own last one is `last`) what stands in it? Raises OlderCopy."""
        number, path = place.seq, self._source.path
        if place.row_mark == REPLACED:
            raise OlderCopy(
                f"the log has gone on with another spool since it was at row {number} of {path}: this one was put back, or two gateways"
                f" have the same NODEID; see `{ACCEPT}`"
            )
        if number > last:
            raise OlderCopy(
                f"the log is at row {number}, but the last one of {path} is {last}: the spool was put back from an older copy; see `{ACCEPT}`"
            )
        if place.row_mark:
            found = self._source.row(number)
            if found is not None and found[1] != place.row_mark:
                raise OlderCopy(
                    f"row {number} of {path} is not the one that is in the log: the spool was put back from an older copy; see `{ACCEPT}`"
                )

    def _begin(self, identity: int, others: list[Place]) -> int:
        """A spool that the log does not know: where its rows begin."""
        rows = self._source.read(0, 1).rows
        first, at = (rows[0][0], stamp(rows[0][1])) if rows else (1, stamp(time.time()))
        gap = None
        if others:
            old = next((place for place in others if place.row_mark != REPLACED), others[-1])
            gap = Gap(GapKind.FRESH, old.seq + 1, 0, old.row_at, at)
        elif first > 1:
            gap = Gap(GapKind.EVENTS, 1, first - 1, None, at)
        spot = Spot(self._node, identity, 0, first - 1, stamp(time.time()))
        corrected = self._writer.begin(spot, gap, self._source.charged(first) if gap is not None else None)
        if others:
            log.warning("another spool stands in %s: it begins anew with that", self._source.path)
        if gap is not None:
            _tell(gap, corrected)
        return first - 1

    def pass_over(self, identity: int, before: int, first: int, at: int) -> None:
        """The rows between `before` and `first`, which the spool wrote at `at`, are gone. Raises SpoolError, DatabaseError."""
        since = next((place.row_at for place in self._writer.positions(self._node) if place.spool == identity), None)
        gap = Gap(GapKind.EVENTS, before + 1, first - 1, since, stamp(at))
        spot = Spot(self._node, identity, before, first - 1, stamp(time.time()), since)
        _tell(gap, self._writer.pass_over(spot, gap, self._source.charged(first)))

    def gaps(self) -> list[str]:
        """A sentence for each gap that nobody has acknowledged. Raises DatabaseError."""
        return [sentence(gap) for gap in self._writer.open_gaps(self._node)]


def sentence(gap: Gap) -> str:
    """What is missing."""
    between = f"between {shown(gap.since)} and {shown(gap.until)}"
    if gap.kind == GapKind.FRESH:
        return (
            f"another spool took the old one's place: what that one had not told yet is missing in the log, {between}"
        )
    if gap.kind == GapKind.COPY:
        return f"the spool was put back from an older copy: what the lost one had not told yet is missing in the log, {between}"
    return f"events are missing in the log, {between}: rows {gap.first} to {gap.last} of the spool's outbox are gone"


def _tell(gap: Gap, corrected: int) -> None:
    log.error("%s; `emg db gaps` shows it until it is acknowledged", sentence(gap))
    if corrected:
        log.error("%d accounts were charged something else than the log knew: their ledgers say by how much", corrected)
