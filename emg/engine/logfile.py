"""One log file: lines go out at once, by size it is put aside as `name.1`, `name.2` …, and nothing that a disk does reaches the writer.

A line that cannot be written (disk full, folder gone) is counted and forgotten; the next one that can says before itself how many were
lost and why. `reopen` follows a file that somebody else has moved away (logrotate). Lines of several programs in one file stay whole.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from emg.supervised import StandardError, supervised

RETRY_SECONDS = 1.0
ROTATE_RETRY_SECONDS = 60.0
"""After a rotation that failed the file grows past its limit for this long: better than no log."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


class LogFile:
    """See the module's text. `limit` octets a file, `keep` files put aside besides the current one."""

    def __init__(self, path: Path, limit: int, keep: int) -> None:
        self.path = path
        self.limit = limit
        self.keep = keep
        self.lost = 0
        """Lines that could not be written since the last one that could."""
        self.lost_total = 0
        self._fault = ""
        self._retry_at = 0.0
        self._rotate_at = 0.0
        self._handle = -1
        self._size = 0
        self._ragged = False

    def write(self, text: str) -> None:
        """One line without its end. Never raises OSError."""
        if self._retry_at and time.monotonic() < self._retry_at:
            self._lose()
            return
        data = (text + "\n").encode("utf-8", "backslashreplace")
        try:
            if self._handle < 0:
                self.open()
            if self._size and self._size + len(data) > self.limit and time.monotonic() >= self._rotate_at:
                self._rotate()
            if self.lost or self._ragged:
                self._catch_up()
            self._put(data)
        except OSError as error:
            self._fault = error.strerror or str(error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._lose()

    def open(self) -> None:
        """Open for appending. Raises OSError."""
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._handle).st_size

    def _lose(self) -> None:
        self.lost += 1
        self.lost_total += 1

    def _catch_up(self) -> None:
        note = f"--- {self.lost} lines were lost here: {self._fault} ---\n" if self.lost else ""
        self._put((("\n" if self._ragged else "") + note).encode())
        self.lost = 0
        self._retry_at = 0.0

    def _put(self, data: bytes) -> None:
        written = os.write(self._handle, data)
        self._size += written
        self._ragged = written < len(data)
        if self._ragged:  # the disk is full in the middle of a line: ask once more, to learn why
            rest = os.write(self._handle, data[written:])
            self._size += rest
            self._ragged = written + rest < len(data)

    def _rotate(self) -> None:
        moved = self._moved()
        self.close()
        try:
            if not moved:
                self._put_aside()
        except OSError:
            self._rotate_at = time.monotonic() + ROTATE_RETRY_SECONDS
        self.open()

    def _moved(self) -> bool:
        """Another program (a scheduler that waits beside one that works) has put it aside already."""
        try:
            return self.path.stat().st_ino != os.fstat(self._handle).st_ino
        except OSError:
            return False  # what is wrong shows when it is put aside

    def _put_aside(self) -> None:
        for number in range(self.keep - 1, 0, -1):
            older = Path(f"{self.path}.{number}")
            if older.exists():
                older.replace(f"{self.path}.{number + 1}")
        self.path.replace(f"{self.path}.1")
        for number in range(self.keep + 1, self.keep + 1000):  # ROTATELOGS became smaller
            surplus = Path(f"{self.path}.{number}")
            if not surplus.exists():
                break
            surplus.unlink()

    def reopen(self) -> None:
        """Close; the next line opens the path anew."""
        self._retry_at = 0.0
        self.close()

    def close(self) -> None:
        """Close; a later line opens it again."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            try:
                os.close(handle)
            except OSError:
                pass  # nothing is buffered here that could be lost by it


class Stamp:
    """`Mar  3 12:34:56.123456`, or `2026-03-03 12:34:56.123456` with the year; local time."""

    def __init__(self, *, year: bool) -> None:
        self.form = "%Y-%m-%d %H:%M:%S" if year else "%b %e %H:%M:%S"
        self._second = -1
        self._text = ""

    def __call__(self, moment: float) -> str:
        """The stamp of a moment (seconds since 1970)."""
        second = int(moment)
        if second != self._second:
            self._second, self._text = second, time.strftime(self.form, time.localtime(second))
        return f"{self._text}.{int((moment - second) * 1_000_000):06d}"


class Prefix:
    """What each line of each log begins with: `Mar  3 12:34:56.123456 server emg[4711]:`."""

    def __init__(self, server: str, *, year: bool) -> None:
        self._stamp = Stamp(year=year)
        self._tag = f"{server} emg[{os.getpid()}]:"

    def __call__(self, moment: float) -> str:
        """At this moment (seconds since 1970)."""
        return f"{self._stamp(moment)} {self._tag}"


class LineHandler(logging.Handler):
    """Hands records to `write` as syslog-like lines: `Prefix`, level, origin, text."""

    def __init__(self, write: Callable[[str], None], prefix: Callable[[float], str], level: int) -> None:
        super().__init__(level)
        self.write = write
        self.prefix = prefix

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; never raises."""
        try:
            text = clean(record.getMessage())
            if record.exc_info:
                text += "\n" + self._trace(record)
        except Exception as error:  # noqa: BLE001 -- a wrong argument in some log call costs its line, not its caller
            text = f"a log line could not be formatted ({error!r}): {record.msg!r}"
        self.write(f"{self.prefix(record.created)} {record.levelname} {origin(record.name)}: {text}")

    @staticmethod
    def _trace(record: logging.LogRecord) -> str:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        return "\n".join("    " + clean(line) for line in trace.splitlines())


class FileHandler(LineHandler):
    """Hands them to a `LogFile`."""

    def __init__(self, file: LogFile, prefix: Callable[[float], str], level: int) -> None:
        super().__init__(file.write, prefix, level)
        self.file = file


def printed(prefix: Callable[[float], str]) -> list[logging.Handler]:
    """Under supervisord: the handler that has what is logged from INFO up also printed, so that `supervisorctl tail` shows it."""
    return [LineHandler(StandardError().write, prefix, logging.INFO)] if supervised() else []


def origin(name: str) -> str:
    """`emg.connector.operator1` → `connector.operator1`."""
    return name.removeprefix("emg.")


def clean(text: str) -> str:
    """Control characters escaped: what a peer sends must not look like a line of ours."""
    text = text.replace("\n", "\\n")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
