"""What the watchdog does to a program: signals, starts, dumps. Each deed asks supervisord once more whom it is about to touch.

A process that came after the one that was judged is not signalled, and nobody is signalled while supervisord does not answer: nobody would start him again.
A dump is asked for with SIGUSR2, of programs that listen to it alone (`emg.supervised`); it is a file LOGDIR/dump/PROGRAM.PID.NUMBER.txt,
which is there beforehand and empty. What spins inside C writes its threads and not its greenlets: that is a dump too.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import gevent

from emg.errors import ControlError, EmgError
from watchdog.model import Act, Action, ProgramFacts

DUMP_SECONDS: Final = 2.0
LAST_DUMP_SECONDS: Final = 0.5
"""Before a kill or a restart: nobody may be served meanwhile."""
POLL_SECONDS: Final = 0.02
NUDGES: Final = 2
PROC: Final = Path("/proc")

log = logging.getLogger("emg.watchdog.hands")


class Supervisor(Protocol):
    """`watchdog.supervisor`."""

    def programs(self) -> dict[str, ProgramFacts]:
        """Every program. Raises EmgError."""

    def start(self, name: str) -> bool:
        """Start it now. Raises EmgError."""


class Hands:
    """See the module's text. `dumps`: the folder of the dumps; `stop_signals`: of programs whose orderly stop is no SIGTERM; `parent`: supervisord, or 0."""

    def __init__(
        self, supervisor: Supervisor, dumps: Path, stop_signals: Mapping[str, str] | None = None, parent: int = 0
    ) -> None:
        self._supervisor = supervisor
        self._dumps = dumps
        self._stop_signals = dict(stop_signals or {})
        self._parent = parent

    def carry_out(self, action: Action) -> str:
        """Do it; how it went, as a part of a sentence. Raises EmgError, and then nothing was done."""
        deeds: dict[Act, Callable[[Action], str]] = {
            Act.CONTINUE: self._continue,
            Act.START: self._start,
            Act.RESTART: self._restart,
            Act.KILL: self._kill,
        }
        return deeds[action.act](action)

    def thaw_supervisor(self) -> bool:
        """Have supervisord go on if somebody has stopped it with a signal; whether that was so. Nothing else helps supervisord that would not end all it has started."""
        if not self._parent or os.getppid() != self._parent or letter(self._parent) != "T":
            return False
        _signal(self._parent, signal.SIGCONT)
        return True

    def dump(self, program: str, seconds: float = DUMP_SECONDS) -> Path:
        """Have a program write down what its threads and greenlets do. Raises ControlError: 404, 409 (does not run, or does not listen), 504 (no file)."""
        known = self._supervisor.programs().get(program)
        if known is None:
            raise ControlError(f"there is no program '{program}'", 404)
        if not known.pid:
            raise ControlError(f"{program} does not run", 409)
        if not catches(known.pid, signal.SIGUSR2):
            raise ControlError(f"{program} does not write dumps, or not yet", 409)
        before = self._files(program, known.pid)
        _signal(known.pid, signal.SIGUSR2)
        deadline = time.monotonic() + seconds
        written: dict[Path, int] = {}
        while time.monotonic() < deadline:
            gevent.sleep(POLL_SECONDS)
            files = self._files(program, known.pid)
            written = {path: size for path, size in files.items() if size > before.get(path, 0)}
            if written and files.keys() - before.keys() - written.keys():
                break  # the file of the next dump is there: this one is whole
        if not written:
            raise ControlError(f"{program} has written no dump within {seconds:g} s", 504)
        return max(written, key=lambda path: written[path])

    def _files(self, program: str, pid: int) -> dict[Path, int]:
        found = {}
        for path in self._dumps.glob(f"{program}.{pid}.*"):
            try:
                found[path] = path.stat().st_size
            except OSError:
                pass  # an old one that was just removed
        return found

    # -- the deeds

    def _continue(self, action: Action) -> str:
        self._still(action)
        _signal(action.pid, signal.SIGCONT)
        return "was told to go on (SIGCONT)"

    def _start(self, action: Action) -> str:
        return "was started" if self._supervisor.start(action.program) else "ran already"

    def _restart(self, action: Action) -> str:
        """A signal, not supervisord's stop and start: had we died between the two, it would stay stopped."""
        self._still(action)
        dump = self._last_dump(action)
        self._still(action)
        name = f"SIG{self._stop_signals.get(action.program, 'TERM')}"
        _signal(action.pid, signal.Signals[name])
        return f"was told to end ({name}), {dump}; supervisord starts it again"

    def _kill(self, action: Action) -> str:
        self._still(action)
        dump = self._last_dump(action)
        self._still(action)
        _signal(action.pid, signal.SIGKILL)
        self._nudge()
        return f"was killed, {dump}; supervisord starts it again"

    def _nudge(self) -> None:
        """Wake supervisord up: by itself it looks for the dead, and starts them again, once a second."""
        for _ in range(NUDGES):
            gevent.sleep(POLL_SECONDS)
            try:
                self._supervisor.programs()
            except EmgError:
                return  # then it takes that second

    def _last_dump(self, action: Action) -> str:
        try:
            return f"what it did is in {self.dump(action.program, LAST_DUMP_SECONDS)}"
        except EmgError as error:
            return f"without a dump ({error})"
        except Exception:  # a dump is worth having, but nobody waits for one
            log.exception("the dump of %s failed", action.program)
            return "without a dump (it failed)"

    def _still(self, action: Action) -> None:
        """Raise EmgError unless it is still the process that was judged."""
        known = self._supervisor.programs().get(action.program)
        if known is None or known.pid != action.pid or not action.pid:
            raise EmgError(f"{action.program} is no longer process {action.pid}")


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether that process has a handler for the signal (SigCgt of /proc/PID/status): without one it would die of it."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def letter(pid: int) -> str:
    """The state of a process as /proc/PID/stat has it; empty when there is none."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError as error:
        raise EmgError(f"process {pid} cannot be sent {number.name}: {error.strerror}") from error
