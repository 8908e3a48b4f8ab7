"""Loaded by supervisord itself, with `watchdog.promptness`: a watchdog that somebody has stopped with a signal is told to go on.

The watchdog does the same for supervisord (`watchdog.hands`), and supervisord starts a watchdog that has ended; one whose loop hangs ends itself. So each looks after
the other, and nobody else has to. What is not stopped by a signal (T in /proc) is not touched; a debugger's stop (t) is none.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

NAME: Final = "watchdog"
LOOK_SECONDS: Final = 0.5
"""supervisord's loop goes round more often when there is much to do."""
PATIENCE_SECONDS: Final = 1.0
PROC: Final = Path("/proc")


class Guard:
    """`look` at each round of supervisord's loop; never waits, never raises. `pid`: of the watchdog, 0 while there is none."""

    def __init__(self, pid: Callable[[], int], told: Callable[[str], None]) -> None:
        self._pid = pid
        self._told = told
        self._due = 0.0
        self._stopped: tuple[int, float] | None = None
        """Who was seen stopped, and since when (monotonic)."""

    def look(self) -> None:
        """Tell it to go on, if it has been stopped for a while."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        pid = self._pid()
        if not pid or _letter(pid) != "T":
            self._stopped = None
        elif self._stopped is None or self._stopped[0] != pid:
            self._stopped = pid, now
        elif now - self._stopped[1] >= PATIENCE_SECONDS:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
                self._stopped = None
                self._told(f"the watchdog (process {pid}) was stopped by a signal, and told to go on (SIGCONT)")


def guard(supervisord: Any) -> Guard:
    """Of the watchdog of this supervisord."""

    def pid() -> int:
        try:
            return int(supervisord.process_groups[NAME].processes[NAME].pid)
        except (KeyError, AttributeError):
            return 0  # it has no watchdog, or is just reading its configuration

    def tell(text: str) -> None:
        supervisord.options.logger.warn(text)  # noqa: G010 (supervisor's own logger knows no other name)

    return Guard(pid, tell)


def _letter(pid: int) -> str:
    """The state of a process, as /proc/PID/stat has it."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return ""
