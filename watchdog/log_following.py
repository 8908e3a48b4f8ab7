"""Following a log as it grows: an answer of JSON lines (application/x-ndjson), for a bounded time, to a bounded number of callers.

`{"line": …}` is a line; `{"note": …}` says what happened to the log (a new file was begun; so many octets were left out, because the caller takes them too slowly);
`{"alive": true}` comes when there was nothing for a while; `{"end": …}` is the last row, and says why. A caller who goes away is noticed at the next row.
A new file after a rotation is followed from its beginning, once the old one is read to its end.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import gevent
import msgspec

from emg.errors import ControlError
from watchdog.log_reading import LONGEST_LINE, Threads, folded, last_lines, open_plain, shown

KIND: Final = "application/x-ndjson"
FOLLOWERS: Final = 8
FOLLOW_SECONDS: Final = 600.0
"""Unless the caller says otherwise; and at most:"""
LONGEST_SECONDS: Final = 3600.0
POLL_SECONDS: Final = 0.25
BLOCK: Final = 64 << 10
"""Octets at a time: a row costs far more memory than an empty line of the log."""
ALIVE_SECONDS: Final = 10.0
FAR_BEHIND: Final = 8 << 20
"""Octets; then the caller misses some."""
CATCH_UP: Final = 1 << 20


class Followers:
    """Who follows; one for the API."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        self.count = 0

    def follow(self, path: Path, lines: int, search: str, seconds: float) -> "Follower":
        """Begin. Raises ControlError (429) when there are too many."""
        if self.count >= FOLLOWERS:
            raise ControlError(f"{FOLLOWERS} callers follow logs already; try again later", 429)
        self.count += 1
        return Follower(self, path, lines, search, seconds)


class Follower:
    """One answer. `close` must be called."""

    def __init__(self, followers: Followers, path: Path, lines: int, search: str, seconds: float) -> None:
        self._followers = followers
        self._tail = Tail(path, lines, search)
        self._seconds = seconds
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        deadline = time.monotonic() + self._seconds
        spoken = time.monotonic()
        try:
            while True:
                rows, more = self._followers.threads.run(self._tail.step)
                now = time.monotonic()
                if not rows and now - spoken >= ALIVE_SECONDS:
                    rows = [{"alive": True}]
                if rows:
                    spoken = now
                    yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
                if now >= deadline:
                    yield _row("end", f"followed for {self._seconds:g} s")
                    return
                gevent.sleep(0.0 if more else min(POLL_SECONDS, deadline - now))
        except ControlError as error:
            yield _row("end", str(error))

    def close(self) -> None:
        """Make room for another one."""
        if self._open:
            self._open = False
            self._followers.count -= 1
            self._tail.close()


def _row(name: str, text: str) -> bytes:
    return msgspec.json.encode({name: text}) + b"\n"


class Tail:
    """A log and how far it was read. `step` blocks, in a native thread; `close` may come meanwhile, and then takes effect when it ends."""

    def __init__(self, path: Path, lines: int, search: str) -> None:
        self._path = path
        self._lines = lines
        self._search = search
        self._needle = folded(search)
        self._open: list[int] = []
        self._at = 0
        self._rest = b""
        self._begun = False
        self._renewed = False
        self._busy = False
        self._closed = False

    def step(self) -> tuple[list[dict[str, object]], bool]:
        """What is new, as rows; and whether there is more at once. Raises OSError."""
        self._busy = True
        try:
            return ([], False) if self._closed else self._step()
        finally:
            self._busy = False
            if self._closed:
                self._let_go()

    def close(self) -> None:
        """Let go of the file: never while somebody reads it, who would read from another file of its number."""
        self._closed = True
        if not self._busy:
            self._let_go()

    def _let_go(self) -> None:
        while self._open:
            os.close(self._open.pop())

    def _step(self) -> tuple[list[dict[str, object]], bool]:
        if not self._begun:
            self._begun = True
            return self._begin(), True
        handle = self._handle()
        if handle < 0:
            return [], False
        notes = self._hurry(handle)
        data = os.pread(handle, BLOCK, self._at)
        if data:
            self._at += len(data)
            return notes + self._rows(data), len(data) == BLOCK
        if not self._has_moved(handle):
            return notes, False
        if not self._renewed:
            self._renewed = True  # look once more: its last lines may have come just before it was put aside
            return notes, True
        rows = self._rows(b"\n") if self._rest else []
        self._let_go()
        return [*notes, *rows, {"note": "a new file was begun"}], True

    def _handle(self) -> int:
        """Of the file; -1 while there is none."""
        if not self._open:
            self._at, self._renewed = 0, False
            handle = open_plain(self._path)
            if handle < 0:
                return -1
            self._open.append(handle)
        return self._open[0]

    def _begin(self) -> list[dict[str, object]]:
        """The lines that are there already."""
        handle = self._handle()
        if handle >= 0:
            self._at = _line_end(handle, os.fstat(handle).st_size)
        if not self._lines:
            return []
        found = last_lines(self._path, self._lines, self._search, end=self._at, handle=handle)
        return [{"line": line} for line in found.lines]

    def _rows(self, data: bytes) -> list[dict[str, object]]:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: LONGEST_LINE + 1]
        return [{"line": shown(line)} for line in lines if not self._needle or self._needle in line.lower()]

    def _hurry(self, handle: int) -> list[dict[str, object]]:
        """A caller who is far behind goes on near the end; a file that became shorter is read from its beginning."""
        size = os.fstat(handle).st_size
        if size < self._at:
            self._at, self._rest = 0, b""
            return [{"note": "the file was emptied"}]
        behind = size - self._at
        if behind <= FAR_BEHIND:
            return []
        self._rest = b""
        was, self._at = self._at, _line_end(handle, size - CATCH_UP)
        return [{"note": f"{self._at - was} octets were left out: they come faster than you take them"}]

    def _has_moved(self, handle: int) -> bool:
        """Another file has the name now."""
        own = os.fstat(handle)
        try:
            new = self._path.lstat()
        except FileNotFoundError:
            return False  # it is not there yet
        return (new.st_dev, new.st_ino) != (own.st_dev, own.st_ino)


def _line_end(handle: int, size: int) -> int:
    """Where the last whole line before `size` ends; `size` itself when there is none near."""
    start = max(0, size - LONGEST_LINE)
    block = os.pread(handle, size - start, start)
    last = block.rfind(b"\n")
    if last >= 0:
        return start + last + 1
    return size if start else 0
