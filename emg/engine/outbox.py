"""The outbox's bounds: what is trimmed, and what happens when nobody fetches its events.

Without DATABASE the events serve `emg ctl message` alone: the oldest go beyond OUTBOXSIZE. With it they are for the message log, and only those go that
the recorder has `told` us are in it. Then OUTBOXLIMIT bounds them: at 80 % of it an alarm stands in the status and the log, at 100 % new messages are
refused as busy until there is room; what we hold already is delivered, and its events are kept beyond the limit. While the recorder is away nothing is
trimmed at all: the database may be put back from a backup just then, and wants them once more.
"""

import logging
import sqlite3
import time
from typing import Any

from emg.config.model import ServerConfig
from emg.errors import ControlError
from emg.spool.spool import Spool

TRIM_ROWS = 200
TRIM_MORE = 1000
"""Rows a second where it is more than a twentieth too long."""
ALARM_SHARE = 0.8
SILENCE = 60.0
"""Seconds after which a recorder that says nothing is called silent."""
TRIM_SILENCE = 15.0
"""Seconds after which nothing is trimmed any more."""

log = logging.getLogger("emg.engine")


class Outbox:
    """See the module's text."""

    def __init__(self, spool: Spool) -> None:
        self.recorded = 0
        """Number of the last row that is in the log; 0 while no recorder has told us since the start."""
        self.alarm = ""
        """A sentence while the outbox is too full; empty: it isn't."""
        self.notice = ""
        """What the recorder wants somebody to look at: a gap in the log, or why it can't go on."""
        self._told_at = 0.0
        self._spool = spool
        self._trimming = False

    def told(self, recorded: int | None, identity: int, notice: str = "") -> None:
        """The recorder has written everything up to this row; None: it can't say. Raises ControlError 409: it speaks of another spool."""
        spool = self._spool
        if identity != spool.identity:
            raise ControlError("that is about another spool than this gateway's", 409)
        if recorded is not None and recorded > spool.outbox_last:
            raise ControlError(
                f"the log is at {recorded}, but the last event of this spool is {spool.outbox_last}: it was put back from an older copy",
                409,
            )
        if notice != self.notice:
            log.error("the recorder says: %s", notice) if notice else log.warning(
                "the recorder has nothing to say any more"
            )
            self.notice = notice
        if recorded is not None:
            self.recorded = recorded  # it may have gone back: the database was put back from a backup
            self._told_at = time.monotonic()

    @property
    def behind(self) -> int:
        """Rows that the recorder has not told us of yet; 0 while there is none."""
        return self._spool.outbox_last - self.recorded if self.recorded else 0

    def status(self, config: ServerConfig) -> dict[str, Any]:
        """For people and programs to look at."""
        spool, now = self._spool, time.monotonic()
        return {
            "identity": spool.identity,
            "last": spool.outbox_last,
            "recorded": self.recorded,
            "told_seconds_ago": round(now - self._told_at, 1) if self._told_at else None,
            "recorder_silent": config.database is not None and (not self._told_at or now - self._told_at > SILENCE),
            "events": spool.outbox_events,
            "size": config.outboxsize,
            "limit": config.outboxlimit if config.database is not None else None,
            "alarm": self.alarm,
            "notice": self.notice,
            "refusing": bool(spool.barred),
        }

    def tick(self, config: ServerConfig) -> None:
        """Once a second: look at the bounds, trim a portion."""
        recording = config.database is not None
        self._look(config.outboxlimit if recording else 0)
        size = min(config.outboxsize, config.outboxlimit // 2) if recording else config.outboxsize
        excess = self._spool.outbox_events - size
        if excess > 0 and not self._trimming and (not recording or self._recorder_there):
            self._trim(excess, TRIM_MORE if excess > size // 20 else TRIM_ROWS, self.recorded if recording else None)

    @property
    def _recorder_there(self) -> bool:
        return bool(self.recorded) and time.monotonic() - self._told_at < TRIM_SILENCE

    def _look(self, limit: int) -> None:
        spool = self._spool
        events = spool.outbox_events
        before = self.alarm
        self.alarm = spool.barred = ""
        if limit and events >= limit:
            self.alarm = f"{events} events wait for the message log: OUTBOXLIMIT is reached, new messages are refused"
            spool.barred = "too many events wait for the message log"
        elif limit and events >= ALARM_SHARE * limit:
            self.alarm = f"{events} events wait for the message log; at OUTBOXLIMIT={limit} new messages are refused: is the recorder running, and the database?"
        if bool(self.alarm) != bool(before) or ("reached" in self.alarm) != ("reached" in before):
            log.error("%s", self.alarm) if self.alarm else log.warning("the outbox has room again")

    def _trim(self, excess: int, rows: int, upto: int | None) -> None:
        """Drop the oldest rows, until so many events are gone; not more than so many rows at once."""
        self._trimming = True
        spool = self._spool
        bound = upto if upto is not None else (1 << 63) - 1

        def query(db: sqlite3.Connection) -> tuple[int, int]:
            found = db.execute(
                "SELECT seq, count FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?", (bound, rows)
            ).fetchall()
            last = dropped = 0
            for number, count in found:
                if dropped >= excess:
                    break
                last, dropped = number, dropped + count
            return last, dropped

        def found(oldest: tuple[int, int] | None, _error: Exception | None) -> None:
            self._trimming = False
            if oldest is not None and oldest[0]:
                spool.execute("DELETE FROM outbox WHERE seq <= ?", (oldest[0],))
                spool.outbox_events -= oldest[1]

        spool.read(query, found)
