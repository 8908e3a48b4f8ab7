"""What has to be done from time to time: expiry of open reports and of groups, old orphans and keys, the outbox's bound.

`tick` is called every second. Each duty has its own pace, is bounded a turn, and waits for nothing: open reports are swept a page at a time,
so that five million of them are gone through in about an hour without an index that every message would pay for.
"""

import logging
import sqlite3
import time

from emg.engine import submissions
from emg.engine.engine import Engine
from emg.message import OpenReport

PAGE = 1000
SWEEP_SECONDS = 3600.0
"""One round through all open reports."""
DAY = 86_400

log = logging.getLogger("emg.engine")


class Upkeep:
    """The duties of one gateway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._after = ""
        self._sweeping = False
        self._next_sweep = 0.0
        self._next_minute = 0.0
        self._next_hour = 0.0

    def tick(self, now: float) -> None:
        """`now` in epoch seconds."""
        engine = self._engine
        engine.lanes.tick(now)
        engine.receiver.joiner.tick(now)
        engine.logs.sweep()
        for wrong in engine.logins.reports(time.monotonic()):
            log.warning("%d wrong logins as %r from %s", wrong.count, wrong.account, wrong.address)
        if now >= self._next_sweep and not self._sweeping:
            pages = max(1.0, engine.open_reports.count / PAGE)
            self._next_sweep = now + min(60.0, SWEEP_SECONDS / pages)
            self._sweep(now)
        if now >= self._next_minute:
            self._next_minute = now + 60.0
            engine.orphans.expire(now)
            engine.spool.execute(*submissions.prune(now))
        if now >= self._next_hour:
            self._next_hour = now + 3600.0
            # A group outlives its message's validity by the time that reports are waited for; what is older has lost a part.
            engine.spool.execute(
                "DELETE FROM part_group WHERE expires < ?", (int(now - engine.reporter.concluder.lifetime) - DAY,)
            )
        engine.outbox.tick(engine.config)

    def _sweep(self, now: float) -> None:
        """End the open reports of one page whose time is over."""
        self._sweeping = True
        after = self._after

        def query(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
            return db.execute(
                "SELECT key, body FROM open_report WHERE key > ? ORDER BY key LIMIT ?", (after, PAGE)
            ).fetchall()

        def swept(rows: list[tuple[str, bytes]] | None, error: Exception | None) -> None:
            self._sweeping = False
            if rows is None:
                log.error("open reports cannot be read: %s", error)
                return
            self._after = rows[-1][0] if len(rows) == PAGE else ""
            over: list[OpenReport] = self._engine.open_reports.tickets([row[1] for row in rows], now)
            for ticket in over:
                self._engine.reporter.expired(ticket)

        self._engine.spool.read(query, swept)
