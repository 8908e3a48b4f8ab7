"""The file of the alert book: JSON, replaced as a whole, readable for its owner alone.

It is written in a native thread, one at a time and the latest only: a disk that hangs holds up no look. A file that can't be understood is set aside
under a name with the time, never deleted. Nothing raises: `fault` says what is wrong. One watchdog at a time has it: whoever starts a second one by hand
gets no second mail of everything.

It is not forced to the disk. What a power cut may cost is an alert that is told once more.
"""

import fcntl
import logging
import os
import time
from collections import deque
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from gevent import monkey

VERSION: Final = 1
LARGEST: Final = 16 << 20
"""Octets of a file that is read; ours is far below."""
TAKEN: Final = "another watchdog has the alert book, and tells"
T = TypeVar("T")

log = logging.getLogger("emg.watchdog")
_start_thread = monkey.get_original("_thread", "start_new_thread")


class AlertFile:
    """See the module's text."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.fault = ""
        self._lock: int | None = None
        self._waiting: deque[bytes] = deque(maxlen=1)
        self._busy = False

    def claim(self) -> bool:
        """Nobody else has it, and now it is ours until `close`. Where no lock can be had (no such folder, a full disk), it is ours too."""
        if self._lock is not None:
            return True
        try:
            lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self.fault = TAKEN
            return False
        self._lock = lock
        if self.fault == TAKEN:
            self.fault = ""
        return True

    def load(self, kind: type[T]) -> list[T]:
        """What it holds; [] if there is none or it can't be used."""
        try:
            with self.path.open("rb") as file:
                octets = file.read(LARGEST + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.fault = f"{self.path} can't be read: {error.strerror}"
            log.warning("%s; the alert book begins anew", self.fault)
            return []
        try:
            version, found = msgspec.json.decode(octets, type=tuple[int, list[kind]])  # type: ignore[valid-type]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._set_aside(str(error))
            return []
        if version != VERSION:
            self._set_aside(f"version {version}")
            return []
        return list(found)

    def _set_aside(self, reason: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time():.0f}")
        try:
            self.path.replace(aside)
        except OSError as error:
            self.fault = f"{self.path} is damaged and can't be set aside: {error.strerror}"
        log.warning("%s is damaged (%s); set aside as %s, the alert book begins anew", self.path, reason, aside.name)

    def keep(self, alerts: list[T]) -> None:
        """Have it hold these; does not wait."""
        self._waiting.append(msgspec.json.encode((VERSION, alerts)))
        self.push()

    def push(self) -> None:
        """See that what waits is being written."""
        if self._waiting and not self._busy:
            self._busy = True
            try:
                _start_thread(self._write, ())
            except RuntimeError:  # no thread to be had now
                self._busy = False

    def close(self, seconds: float = 2.0) -> None:
        """Wait for what is being written, if it comes to an end, and let go of the file."""
        deadline = time.monotonic() + seconds
        while (self._waiting or self._busy) and time.monotonic() < deadline:
            self.push()
            time.sleep(0.005)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write(self) -> None:
        """In a native thread: no greenlet, no log."""
        try:
            while self._waiting:
                self._replace(self._waiting.popleft())
        finally:
            self._busy = False

    def _replace(self, octets: bytes) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(octets)
            fresh.replace(self.path)
            self.fault = ""
        except OSError as error:
            self.fault = f"{self.path} can't be written: {error.strerror}"
