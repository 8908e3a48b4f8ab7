"""A search's rows as a CSV file, written beside everything else: page after page, so that neither memory nor the other requests notice.

A job belongs to who asked for it, and shows what he saw then. A portal keeps at most `MOST_JOBS` files, of a person at most `MOST_OWN`, each at most `MOST_ROWS` rows and
`MOST_OCTETS`, for `KEEP_SECONDS`, in SPOOLDIR/exports, which nobody else can read; `RUNNING` are written at the same time, the others wait. What a portal that has
ended left there is deleted: its jobs are gone with it.
"""

import contextlib
import datetime as dt
import logging
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import gevent
from gevent.lock import BoundedSemaphore

from emg.db import deadlines, messages
from emg.db.engine import Database
from emg.db.messages import After, Found, Search
from emg.errors import EmgError
from portal import csv_out
from portal.messages import telling
from portal.messages.telling import Sees

MOST_ROWS: Final = 1_000_000
"""What a spreadsheet can hold."""
MOST_OCTETS: Final = 512 << 20
MOST_JOBS: Final = 50
MOST_OWN: Final = 5
RUNNING: Final = 2
KEEP_SECONDS: Final = 24 * 3600.0
CHUNK: Final = 500
CHUNK_SECONDS: Final = 60.0
"""For the rows of one page: a search that finds little in very much."""
PAUSE_SECONDS: Final = 0.002
"""Between two pages: others have their turn."""

log = logging.getLogger("emg.portal")


class TooMany(EmgError):
    """No room for another one."""


@dataclass(slots=True)
class Job:
    """One export. `state`: waiting, running, ready, cancelled, failed."""

    key: str
    owner: tuple[int, str]
    """The person's number, and his role and customer then: who changes sides has nothing of before."""
    title: str
    search: Search
    sees: Sees
    rising: bool
    begun: float
    state: str = "waiting"
    rows: int = 0
    octets: int = 0
    share: float = 0.0
    """How much of the period is written, from 0 to 1."""
    ended: float = 0.0
    fault: str = ""
    cut: bool = False
    """It ended at a bound; there are more rows."""
    span: tuple[dt.datetime, dt.datetime] | None = field(default=None, repr=False)

    @property
    def about(self) -> int | None:
        """About how many rows there will be; None while nobody can tell."""
        if self.state == "ready":
            return self.rows
        return min(int(self.rows / self.share), MOST_ROWS) if self.share > 0.02 and self.rows else None

    @property
    def goes_on(self) -> bool:
        """Rows are still to come."""
        return self.state in ("waiting", "running")


class Exports:
    """All jobs of a portal."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder
        self._jobs: dict[str, Job] = {}
        self._turn = BoundedSemaphore(RUNNING)
        self._clean = False

    def own(self, owner: tuple[int, str]) -> list[Job]:
        """Somebody's, the newest first."""
        self._sweep()
        return sorted((job for job in self._jobs.values() if job.owner == owner), key=lambda job: -job.begun)

    def find(self, owner: tuple[int, str], key: str) -> Job | None:
        """A job of his."""
        self._sweep()
        job = self._jobs.get(key)
        return job if job is not None and job.owner == owner else None

    def file(self, job: Job) -> Path:
        """Where its rows are."""
        return self.folder / f"{job.key}.csv"

    def start(self, owner: tuple[int, str], title: str, search: Search, sees: Sees, *, rising: bool) -> Job:
        """Begin one. Raises TooMany."""
        self._sweep()
        own = self.own(owner)
        if len(own) >= MOST_OWN and not (done := [job for job in own if not job.goes_on]):
            raise TooMany(f"{MOST_OWN} exports of yours are being written: wait for one, or cancel one")
        if len(own) >= MOST_OWN:
            self.forget(done[-1])
        if len(self._jobs) >= MOST_JOBS:
            raise TooMany(f"the portal keeps {MOST_JOBS} exports already: try again later")
        now = dt.datetime.now(dt.UTC)
        job = Job(secrets.token_hex(8), owner, title, search, sees, rising, time.time())
        if search.since is not None:
            job.span = search.since, min(search.until or now, now)
        self._jobs[job.key] = job
        gevent.spawn(self._run, job)
        return job

    def cancel(self, job: Job) -> None:
        """Write no more of it."""
        if job.goes_on:
            job.state, job.ended = "cancelled", time.time()
            self.file(job).unlink(missing_ok=True)

    def forget(self, job: Job) -> None:
        """It, and its file."""
        self.cancel(job)
        self.file(job).unlink(missing_ok=True)
        self._jobs.pop(job.key, None)

    def _sweep(self) -> None:
        """What is too old goes, and at the first time what another portal left."""
        for job in list(self._jobs.values()):
            if job.ended and time.time() - job.ended > KEEP_SECONDS:
                self.forget(job)
        if self._clean:
            return
        self._clean = True
        with contextlib.suppress(OSError):
            for file in self.folder.glob("*.csv"):
                file.unlink(missing_ok=True)

    def _run(self, job: Job) -> None:
        with self._turn:
            if job.state != "waiting":
                return
            job.state = "running"
            try:
                self._write(job)
            except EmgError as error:
                self._failed(job, str(error))
            except OSError as error:
                self._failed(job, f"the file can't be written: {error.strerror}")
            except Exception:
                log.exception("export %s", job.key)
                self._failed(job, "a fault of ours; the portal's log has the details")

    def _failed(self, job: Job, why: str) -> None:
        with contextlib.suppress(OSError):
            self.file(job).unlink(missing_ok=True)
        if job.goes_on:
            job.state, job.fault, job.ended = "failed", why, time.time()

    def _write(self, job: Job) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.file(job), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        columns = job.sees.columns
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            job.octets += file.write(csv_out.head(columns))
            after: After | None = None
            while job.state == "running":
                rows, texts = self._page(job, after)
                made = csv_out.lines(telling.cells(row, columns, texts.get(row.id, "")) for row in rows)
                file.write(made)
                job.octets += len(made.encode())
                job.rows += len(rows)
                if rows:
                    after = messages.place(rows[-1])
                    job.share = _share(job, rows[-1].received)
                if len(rows) < CHUNK:
                    break
                if job.rows >= MOST_ROWS or job.octets >= MOST_OCTETS:
                    job.cut = True
                    break
                gevent.sleep(PAUSE_SECONDS)
        if job.state == "running":
            job.state, job.share, job.ended = "ready", 1.0, time.time()

    def _page(self, job: Job, after: After | None) -> tuple[list[Found], dict[int, str]]:
        sentence = f"the database took longer than {CHUNK_SECONDS:g} s for {CHUNK} rows: choose a shorter period"
        with self._database.looking() as session, deadlines.within(session, CHUNK_SECONDS, sentence):
            rows = messages.page(session, job.search, CHUNK, after, rising=job.rising)
            return rows, messages.texts(session, rows) if job.sees.texts else {}


def _share(job: Job, at: dt.datetime) -> float:
    if job.span is None:
        return 0.0
    since, until = job.span
    done = (at - since) / (until - since) if until > since else 1.0
    return max(0.0, min(done if job.rising else 1.0 - done, 1.0))
