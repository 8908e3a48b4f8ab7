r"""Reading logs from their end: the last lines, or the last that hold a text, over the current file and those that were put aside (`name.1`, `name.2` …).

Files are read in blocks from the end, whatever their size; a search ends after `SCAN_OCTETS` or `SCAN_SECONDS`, and says so. The text is plain, letters A to Z in
either case. Lines come as text: octets that are no UTF-8 as \xNN, control characters too; a line is cut at `LONGEST_LINE`, and searched no further.

Everything here blocks: it runs in a native thread (`Threads`), since a disk that hangs must hold up nobody. Symbolic links are not followed, and only
plain files are read. Raises OSError.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import gevent
import msgspec
from gevent.threadpool import ThreadPool

from emg.engine.logfile import clean
from emg.errors import ControlError

BLOCK: Final = 256 << 10
LONGEST_LINE: Final = 64 << 10
LONGEST_ANSWER: Final = 4 << 20
"""Octets of all lines together."""
MOST_LINES: Final = 10_000
MOST_FILES: Final = 1001
SCAN_OCTETS: Final = 512 << 20
SCAN_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 15.0
"""For a disk that hangs."""
THREADS: Final = 4
T = TypeVar("T")


class Found(msgspec.Struct):
    """Lines, oldest first."""

    lines: list[str]
    whole: bool
    """There are no older ones that were not looked at."""
    scanned: int
    """Octets that were."""


def last_lines(path: Path, count: int, search: str = "", *, end: int | None = None, handle: int = -1) -> Found:
    """The last `count` lines (that hold `search`). `handle`: the current file, if it is open already, read up to `end`."""
    budget = _Budget(SCAN_OCTETS, time.monotonic() + SCAN_SECONDS)
    needle = folded(search)
    found: list[str] = []
    room = LONGEST_ANSWER
    for line in _all_lines(path, handle, end, needle, budget):
        if needle and needle not in line.lower():
            continue
        if len(found) >= count or len(line) > room:
            return _found(found, False, budget)
        found.append(shown(line))
        room -= len(line)
    return _found(found, not budget.over, budget)


def _found(lines: list[str], whole: bool, budget: "_Budget") -> Found:
    return Found(lines[::-1], whole, budget.spent)


def folded(search: str) -> bytes:
    """As it is looked for."""
    return search.encode("utf-8", "backslashreplace").lower()


def shown(line: bytes) -> str:
    """A line as text."""
    cut = len(line) > LONGEST_LINE
    text = clean(line[:LONGEST_LINE].rstrip(b"\r").decode("utf-8", "backslashreplace"))
    return f"{text}… (cut)" if cut else text


class _Budget:
    def __init__(self, octets: int, deadline: float) -> None:
        self.spent = 0
        self.over = False
        self._octets = octets
        self._deadline = deadline

    def spend(self, octets: int) -> bool:
        """False: no more."""
        self.over = self.spent + octets > self._octets or time.monotonic() >= self._deadline
        if not self.over:
            self.spent += octets
        return not self.over


def _all_lines(path: Path, handle: int, end: int | None, needle: bytes, budget: _Budget) -> Iterator[bytes]:
    """Of all files of a log, the last first. A file that is put aside meanwhile is not read twice."""
    seen: set[tuple[int, int]] = set()
    for number in range(MOST_FILES):
        own = handle if number == 0 and handle >= 0 else -1
        opened = own if own >= 0 else open_plain(Path(f"{path}.{number}") if number else path)
        if opened < 0:
            if number:
                return
            continue  # there may be older ones: the next line begins a new file
        try:
            facts = os.fstat(opened)
            if (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                yield from _backwards(opened, facts.st_size if own < 0 or end is None else end, needle, budget)
        finally:
            if own < 0:
                os.close(opened)
        if budget.over:
            return


def open_plain(path: Path) -> int:
    """A handle to read a plain file; -1 when there is none. Raises OSError, also for what is no plain file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path.name} is no plain file")
    return handle


def _backwards(handle: int, end: int, needle: bytes, budget: _Budget) -> Iterator[bytes]:
    """Lines without their ends, the last first; of a block where nothing is to be found, none. Cut a little behind `LONGEST_LINE`."""
    if end and os.pread(handle, 1, end - 1) == b"\n":
        end -= 1
    elif not end:
        return
    rest = b""
    while end > 0:
        size = min(BLOCK, end)
        if not budget.spend(size):
            return
        end -= size
        block = os.pread(handle, size, end) + rest
        first = block.find(b"\n")
        if first >= 0 and not (needle and needle not in block.lower()):
            yield from (line[: LONGEST_LINE + 1] for line in reversed(block[first + 1 :].split(b"\n")))
        rest = block[: min(first, LONGEST_LINE + 1)] if first >= 0 else block[: LONGEST_LINE + 1]
    yield rest


class Threads:
    """Where a few such readings run at the same time; the others wait, and a disk that hangs costs no more than these threads."""

    def __init__(self) -> None:
        self._pool = ThreadPool(THREADS)

    def run(self, call: Callable[[], T]) -> T:
        """What it gives. Raises ControlError (503: the disk can't be read, or not in time)."""
        try:
            with gevent.Timeout(ANSWER_SECONDS):
                outcome: Any = self._pool.spawn(_kept, call).get()
        except gevent.Timeout:
            raise ControlError(f"the disk with the logs gave no answer within {ANSWER_SECONDS:g} s", 503) from None
        if isinstance(outcome, OSError):
            raise ControlError(f"the log can't be read: {outcome.strerror or outcome}", 503)
        given: T = outcome
        return given


def _kept(call: Callable[[], T]) -> T | OSError:
    """An error is given, not raised: gevent would print it."""
    try:
        return call()
    except OSError as error:
        return error
