"""Telling those who wait for a commit, each guarded from the others' faults."""

import logging
import sqlite3

from emg.errors import SpoolError
from emg.spool.batch import Batch

log = logging.getLogger("emg.spool")


def tell(batch: Batch, error: SpoolError | None) -> None:
    """What became of the commit."""
    for done, argument in batch.done:
        try:
            done(argument, error)
        except Exception:  # one caller's fault must not keep the others of this commit from their answers
            log.exception("a callback after a commit failed")


def nothing(_db: sqlite3.Connection) -> None:
    """A read that only waits for its turn."""


def hand_out(batch: Batch) -> None:
    """What was read."""
    for (_query, callback), (value, error) in zip(batch.reads, batch.results, strict=True):
        try:
            callback(value, error)
        except Exception:  # as above: one reader's fault must not stop the spool
            log.exception("a callback after a read failed")
