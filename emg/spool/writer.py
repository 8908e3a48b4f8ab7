"""The native thread that owns the spool's writing connection: one batch at a time, one commit a batch.

The event loop hands over a sealed batch with `submit` and is told through `finished` — called in the loop's own thread — when it is
on disk or could not be. Between the two the loop goes on: an fsync never stops a greenlet. The thread is a real one
even after gevent has patched `threading`, and nothing of gevent is touched in it but the loop's async watcher. The answer to a lone submission is
written in it, between COMMIT and waking the loop (`emg.session.prompt`).

When a commit fails nothing of the batch is on disk (one transaction). `SpoolError.full` says that there was no room.
"""

import sqlite3
import time
from collections.abc import Callable

import gevent
from gevent import monkey

from emg.errors import SpoolError
from emg.spool import batch as batches
from emg.spool.batch import Batch
from emg.spool.journal import Journal

_thread = monkey.get_original("_thread", "start_new_thread")
_lock = monkey.get_original("_thread", "allocate_lock")

_FULL_WORDS = ("full", "disk i/o", "readonly", "unable to open")
"""SQLite tells a full disk as SQLITE_FULL, or as an I/O error where the file system has its own way of saying so."""


class Writer:
    """Owns `db` from `start` to `stop`."""

    def __init__(self, db: sqlite3.Connection, journal: Journal, finished: Callable[[Batch], None]) -> None:
        self._db = db
        self._journal = journal
        self._finished = finished
        self._wake = _lock()
        self._wake.acquire()
        self._over = _lock()
        self._over.acquire()
        self._stopping = False
        self._batch: Batch | None = None
        self.answers = 0
        """Answers to lone submissions that were given to the thread and whose commit succeeded; counted by the thread alone."""
        self.busy = False
        """A batch is with the thread; only the loop's thread reads and writes this."""
        self.commits = 0
        self.seconds = 0.0
        """From hand-over to answer, all batches together."""
        self.writing_seconds = 0.0
        """From BEGIN to the end of COMMIT, all successful ones together; written by the thread alone."""
        self.busy_since = 0.0
        """Monotonic time of the hand-over, for the probe: a commit that does not return is a fault."""
        self._async = gevent.get_hub().loop.async_()

    def start(self) -> None:
        """Begin."""
        self._async.start(self._on_finished)
        _thread(self._run, ())

    def submit(self, batch: Batch) -> None:
        """Hand over a sealed batch. The writer must not be busy."""
        assert not self.busy, "a batch was handed over while another one is being written"
        self.busy = True
        self.busy_since = time.monotonic()
        self._batch = batch
        self._wake.release()

    def _on_finished(self) -> None:
        batch = self._batch
        if batch is None or not self.busy:
            return  # woken by stop
        self._batch = None
        self.busy = False
        self.seconds += time.monotonic() - self.busy_since
        self._finished(batch)

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            batch = self._batch
            if batch is None:
                break
            self._write(batch)
            if batch.error is None:  # a read promises to see what was given before it
                self._read(batch)
            self._async.send()
        self._over.release()

    def _write(self, batch: Batch) -> None:
        if not batch.writes and not batch.reads:
            return
        db = self._db
        try:
            began = time.monotonic()
            db.execute("BEGIN IMMEDIATE")
            entry, plan = batches.write(db, self._journal, batch, int(time.time()))
            db.execute("COMMIT")
            done = time.monotonic()
            if batch.answer is not None:  # from here on nothing may make this a commit that failed
                batch.answer()
                self.answers += 1
            self.writing_seconds += done - began
            self._journal.committed(entry, plan, reads=bool(batch.reads))
            self.commits += 1
        except sqlite3.Error as error:
            text = str(error)
            batch.error = SpoolError(
                f"the spool cannot write: {text}", full=any(w in text.lower() for w in _FULL_WORDS)
            )
            self._roll_back()

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite has rolled back by itself; the error that matters is already noted

    def _read(self, batch: Batch) -> None:
        for query, _callback in batch.reads:
            try:
                batch.results.append((query(self._db), None))
            except sqlite3.Error as error:
                batch.results.append((None, error))

    def stop(self) -> None:
        """End the thread; the writer must not be busy. Returns when it is over."""
        assert not self.busy, "the writer was stopped with a batch in hand"
        self._wake.release()
        self._over.acquire()
        self._async.stop()
        self._async.close()
