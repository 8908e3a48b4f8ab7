"""The recorder's work: read a batch of events, fold them, write them with the new position in one transaction, tell the gateway.

Exactly once: the position stands in the database and moves with the rows. After any error it is read again, since nobody knows whether the last commit came
through. A database that is away is waited for, for ever; the events wait in the spool. A row that the database refuses for its own sake is set aside.

A batch is at most `MOST_EVENTS` events. With a backlog there is no pause between two; otherwise new events gather for `GATHER_SECONDS`, which makes one
change out of a message's whole life.
"""

import contextlib
import gc
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from emg.config.model import ServerConfig
from emg.control.client import Client
from emg.db.engine import Database
from emg.db.log_tables import Refused, Spot
from emg.db.log_writer import LogWriter, PositionMoved
from emg.engine import events
from emg.errors import ControlError, EmgError, SpoolError
from emg.recorder.aside import Aside
from emg.recorder.complaints import Complaints
from emg.recorder.fold import Fold, stamp
from emg.recorder.footing import Footing, OlderCopy
from emg.recorder.source import Rows, Source, digest
from emg.recorder.standing import Shown, Standing

MOST_EVENTS = 20_000
GATHER_SECONDS = 0.5
PAUSES = (0.5, 1.0, 2.0)
"""After so many errors in a row; the last one for all that follow: a log that stands still begins again within five seconds of the end of what kept it."""
CUSTOMERS_SECONDS = 30.0
TELL_SECONDS = 1.0
SHOWN = 20
"""Lines in the log about what one batch had to set aside."""
SHOWN_GAPS = 5
"""That the gateway is told of."""
REPEAT_SECONDS = 5.0
"""The gateway is told again though nothing is new: it may have been restarted."""
ASK_SECONDS = 5.0
"""While nothing happens the position is asked for again: the database may have been put back from a backup."""

log = logging.getLogger("emg.recorder")


class Recorder:
    """See the module's text. `run` returns after `stop`."""

    def __init__(self, config: ServerConfig) -> None:
        assert config.database is not None, "a recorder without DATABASE"
        self.standing = Standing(os.getpid(), time.time(), "")
        self._config = config
        self._source = Source(config.spooldir)
        database = Database(config.database)
        self.standing.database = database.place
        self._writer = LogWriter(database)
        database.close()
        self._footing = Footing(self._source, self._writer, config.nodeid)
        self._complaints = Complaints()
        self._shown = Shown(config.spooldir, self.standing)
        self._aside = Aside(config.logdir)
        self._client = Client(config.control, seconds=2.0)
        self._stop = threading.Event()
        self._place: tuple[int, int] | None = None
        """(identity, position), as the database said; None: to be asked."""
        self._ask_at = 0.0
        self._failures = 0
        self._customers: dict[str, int | None] = {}
        self._customers_until = 0.0
        self._strangers: set[str] = set()
        """Accounts of the configuration file."""
        self._told: tuple[int, int, str] = (0, 0, "")
        self._told_at = 0.0
        self._row_events = 1.0

    def stop(self) -> None:
        """End after the batch that is being written."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stop.is_set():
                self._stop.wait(self._turn())
                self._shown.show()
        finally:
            self._shown.show(now=True)
            self._source.close()
            self._writer.close()

    def _turn(self) -> float:
        """One batch; gives for how long to wait then."""
        try:
            pause = 0.0 if self.step() else GATHER_SECONDS
        except EmgError as error:
            return self._failed(error)
        self._complaints.worked()
        self.standing.error = ""
        self._failures = 0
        self._tell()
        return pause

    def _failed(self, error: EmgError) -> float:
        self._place = None
        if isinstance(error, PositionMoved) and not self._failures:
            log.warning("%s", error)
        else:
            self.standing.failed(str(error))
            self._complaints.failed(str(error))
        if isinstance(error, OlderCopy):
            self._tell_of(str(error))
        self._failures += 1
        gc.collect()  # a connection that failed is a circle with half a megabyte of OpenSSL in it, and `program` lets the collector run seldom
        with contextlib.suppress(SpoolError):
            self._measure_lag()
        return PAUSES[min(self._failures, len(PAUSES)) - 1]

    # -- one batch

    def step(self) -> bool:
        """Read and write one batch; gives whether there is more. Raises DatabaseError, SpoolError, EmgError; then it can be called again."""
        node = self._config.nodeid
        if self._place is None:
            self._place = self._find()
        identity, before = self._place
        read = self._source.read(before, MOST_EVENTS)
        if read.identity != identity or before > read.last:
            self._place = None  # another spool, or another copy of it, stands there now
            return True
        if read.rows and read.rows[0][0] > before + 1:
            self._footing.pass_over(identity, before, read.rows[0][0], read.rows[0][1])
            self._place = None
            return True
        if read.rows:
            self._record(read, node, before)
        self._note(read)
        if time.monotonic() >= self._ask_at:
            self._place = self._find()
        return read.more

    def _find(self) -> tuple[int, int]:
        """Where the log stands, and what is missing in it; now and then again, since somebody may have put back the database while nothing happened."""
        place = self._footing.find()
        self.standing.gaps = self._footing.gaps()
        self._ask_at = time.monotonic() + ASK_SECONDS
        return place

    def _record(self, read: Rows, node: int, before: int) -> None:
        fold = Fold(node)
        aside: list[dict[str, Any]] = []
        for number, _at, count, body in read.rows:
            try:
                happened = events.decode_row(body, count)
            except (msgspec.MsgspecError, ValueError) as error:
                aside.append({"events_of": number, "reason": f"row {number} of the outbox: {error}", "events": body})
                continue
            fold.take(happened)
        if fold.strays:
            messages, parts = self._writer.places({event.id for event in fold.strays})
            fold.place(messages, parts)
        aside += [{"reason": reason, "event": repr(event)} for event, reason in fold.faults]
        after, at, _count, body = read.rows[-1]
        batch = fold.batch(self._customers_of(fold.accounts))

        def keep(refused: list[Refused]) -> None:
            rows = [{"table": row.table, "reason": row.reason, "values": row.row} for row in refused]
            self._keep_aside([{"spool": read.identity, "row": after} | each for each in (*aside, *rows)])

        spot = Spot(node, read.identity, before, after, stamp(time.time()), stamp(at), digest(at, body))
        refused = self._writer.write(batch, spot, keep)
        if self._writer.care:
            log.warning("a batch had to be written by halves: %s", self._writer.care)
            self.standing.careful += 1
            self._writer.care = ""
        self._place = (read.identity, after)
        standing = self.standing
        standing.batches += 1
        standing.events += sum(row[2] for row in read.rows)
        standing.messages += len(batch.messages)
        standing.changes += len(batch.changes)
        standing.refused += len(aside) + len(refused)
        if fold.ended_twice:
            log.error("%d messages have ended twice; their first end stays", fold.ended_twice)

    def _keep_aside(self, told: list[dict[str, Any]]) -> None:
        if told:
            self._aside.keep(told)
            for each in told[:SHOWN]:
                log.error("set aside, in %s: %s", self._aside.path.name, each["reason"])
            if len(told) > SHOWN:
                log.error("and %d more", len(told) - SHOWN)

    def _customers_of(self, accounts: set[str]) -> dict[str, int | None]:
        """Account → customer: at most `CUSTOMERS_SECONDS` old, and asked for at once when there is an account that we have not asked about."""
        now = time.monotonic()
        if now >= self._customers_until:
            self._strangers.clear()
        if now >= self._customers_until or not accounts <= self._customers.keys() | self._strangers:
            self._customers = self._writer.customers()
            self._customers_until = now + CUSTOMERS_SECONDS
            self._strangers |= accounts - self._customers.keys()
        return self._customers

    # -- what others are told

    def _note(self, read: Rows) -> None:
        standing = self.standing
        assert self._place is not None, "a batch without a position"
        standing.node, (standing.identity, standing.position) = self._config.nodeid, self._place
        standing.last = read.last
        if read.rows:
            self._row_events = sum(row[2] for row in read.rows) / len(read.rows)
        standing.lag_events, standing.lag_seconds = 0, 0.0
        if read.more:
            self._measure_lag()

    def _measure_lag(self) -> None:
        """How much waits behind the position that we know of. Raises SpoolError."""
        standing = self.standing
        waiting = self._source.read(standing.position, 1)
        standing.last = waiting.last
        standing.lag_events = round(max(0, waiting.last - standing.position) * self._row_events)
        standing.lag_seconds = round(max(0.0, time.time() - waiting.rows[0][1]), 1) if waiting.rows else 0.0

    def _tell(self) -> None:
        """Tell the gateway how far the log is and what is missing in it, if it listens."""
        if self._place is None:
            return
        now = time.monotonic()
        news = (*self._place, _notice(self.standing.gaps))
        due = self._told_at + (TELL_SECONDS if news != self._told else REPEAT_SECONDS)
        if now < due:
            return
        self._post(identity=news[0], recorded=news[1], notice=news[2])
        self._told, self._told_at = news, now

    def _tell_of(self, trouble: str) -> None:
        """Nothing can be recorded until somebody has done something: the gateway shows it too."""
        with contextlib.suppress(SpoolError):
            self._post(identity=self._source.read(None, 0).identity, notice=trouble)

    def _post(self, **told: Any) -> None:
        if not Path(self._client.path).exists():
            return
        try:
            self._client.post("/outbox", **told)
        except ControlError as error:
            log.info("the gateway was not told: %s", error)


def _notice(gaps: list[str]) -> str:
    """What the gateway shows of them."""
    more = f"; and {len(gaps) - SHOWN_GAPS} more" if len(gaps) > SHOWN_GAPS else ""
    return "; ".join(gaps[:SHOWN_GAPS]) + more
