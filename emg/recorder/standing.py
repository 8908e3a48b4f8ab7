"""What the recorder says of itself: `SPOOLDIR/recorder.json`, for whoever watches it. Written by nobody else, as a whole, and renamed into place."""

import logging
import os
import time
from pathlib import Path

import msgspec

FILE = "recorder.json"
SHOWN_SECONDS = 1.0

log = logging.getLogger("emg.recorder")


class Standing(msgspec.Struct):
    """All numbers are since the start, but for the position and the lag. Times are epoch seconds; 0 for never."""

    process: int
    started: float
    database: str
    """Where, without the password."""
    at: float = 0.0
    """When this was written: at least every few seconds while it lives."""
    node: int = 0
    identity: int = 0
    position: int = 0
    last: int = 0
    """Number of the outbox's last row."""
    lag_events: int = 0
    """How many wait; where they are many, by the mean size of the rows before them."""
    lag_seconds: float = 0.0
    """Age of the oldest that waits."""
    batches: int = 0
    events: int = 0
    messages: int = 0
    """Rows that were made."""
    changes: int = 0
    careful: int = 0
    """Batches that had to be written by halves, since something in them did not fit."""
    refused: int = 0
    """What was set aside in LOGDIR/recorder-refused.jsonl."""
    gaps: list[str] = []
    """What is missing in the log, a sentence each, until somebody has acknowledged it (`emg db gaps`)."""
    error: str = ""
    """What stops it now; empty while it works."""
    error_at: float = 0.0
    last_error: str = ""
    """The latest one, also when it is over."""

    def failed(self, reason: str) -> None:
        """It cannot go on for now."""
        if reason != self.error:
            self.error, self.last_error, self.error_at = reason, reason, time.time()


class Shown:
    """The file."""

    def __init__(self, folder: str, standing: Standing) -> None:
        self.standing = standing
        self._path = Path(folder) / FILE
        self._next = 0.0

    def show(self, *, now: bool = False) -> None:
        """Write it, at most once a second unless `now`. A folder that cannot be written is told of in the log."""
        moment = time.monotonic()
        if moment < self._next and not now:
            return
        self._next = moment + SHOWN_SECONDS
        self.standing.at = time.time()
        fresh = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            fresh.write_bytes(msgspec.json.encode(self.standing) + b"\n")
            fresh.replace(self._path)
        except OSError as error:
            log.debug("%s cannot be written: %s", self._path, error.strerror)
