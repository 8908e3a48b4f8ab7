"""What every long-running program does before anything else: it ends with its supervisor, and it writes down what it does when it is asked.

`begin(program)` is called by the door. Under supervisord (SUPERVISOR_ENABLED) the kernel is asked for SIGTERM at the death of the parent: a supervisord that is
killed leaves nobody behind who keeps the spool and the ports from those that the next one starts; they drain and stop as at any other stop.

SIGUSR2 has the program write a dump: first the Python stacks of all threads, by a handler in C that works whatever the program is busy with, then those of
all greenlets, as soon as the interpreter comes to it. `dumps_go_to(folder)`, called by who has read the configuration, has each dump be a file
LOGDIR/dump/PROGRAM.PID.NUMBER.txt, opened beforehand and empty until then; without it they go to stderr. Stacks name functions and lines, no values: there is nothing
secret in them. The newest `KEPT` dumps are kept.

SIGHUP, which begins new log files and reads the configuration again, would end a program that is not ready for it yet: a program that takes it
calls `note_hangups()` first, and `hung_up()` it, once its own handler stands, whether there is something to make good.

Whatever a disk does, nothing here raises.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import gc
import io
import os
import select
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

FOLDER: Final = "dump"
"""In LOGDIR."""
KEPT: Final = 20
LONGEST: Final = 4 << 20
"""Octets of greenlets in a dump."""
DEEPEST: Final = 40
"""Frames of a greenlet."""
PATIENCE_SECONDS: Final = 5.0
"""How long a supervised program waits for what the one before it still holds."""
LOCK_SECONDS: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1


def supervised() -> bool:
    """Whether supervisord has started this program."""
    return os.environ.get("SUPERVISOR_ENABLED") == "1"


def patience() -> float:
    """Seconds to wait for a lock: the program before us may still be stopping. Who is started by hand is told at once."""
    return PATIENCE_SECONDS if supervised() else 0.0


def have_lock(handle: int, seconds: float) -> bool:
    """Lock that file for this process alone, within that time (`patience`)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOCK_SECONDS)
        else:
            return True


def begin(program: str) -> None:
    """See the module's text. Ends the program, with a sentence, when its supervisor has died already."""
    if supervised():
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if _nobody_reads(1):
            raise SystemExit(f"emg {program}: supervisord has gone already")
    _Dumps.program = program
    signal.signal(signal.SIGUSR2, _Dumps.on_signal)
    _Dumps.begin()


def note_hangups() -> None:
    """Until the program has its own handler for SIGHUP, note that one came."""
    signal.signal(signal.SIGHUP, _Hangup.on_signal)


def hung_up() -> bool:
    """Whether SIGHUP came while the program started; asked by who now has a handler for it."""
    return _Hangup.noted


def end() -> None:
    """Leave no empty file behind."""
    _Dumps.leave()


def dumps_go_to(logdir: str) -> None:
    """Have dumps be files in that folder of logs, if it can be used."""
    folder = Path(logdir) / FOLDER
    if _Dumps.program and folder != _Dumps.folder:
        _Dumps.folder = folder
        _Dumps.begin()


def _nobody_reads(handle: int) -> bool:
    """Whether it is a pipe whose reader is gone: supervisord died before we could ask the kernel to tell us."""
    poll = _system_poll()
    poll.register(handle, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _system_poll() -> Any:
    """poll(2) itself: gevent's goes through the loop, and a callback of the loop, which may write a line too, can't wait for that."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey.get_original("select", "poll")() if monkey is not None else select.poll()


class StandardError:
    """Lines for `supervisorctl tail`, never waited for: a line that a full pipe has no room for, or whose reader is gone, is left out there."""

    def __init__(self) -> None:
        self._poll = _system_poll()
        self._poll.register(2, select.POLLOUT)

    def write(self, text: str) -> None:
        """One line without its end."""
        data = text.encode("utf-8", "backslashreplace")[: select.PIPE_BUF - 1] + b"\n"
        try:
            if any(event == select.POLLOUT for _, event in self._poll.poll(0)):  # room for PIPE_BUF octets
                os.write(2, data)
        except OSError:
            pass  # it stands in the log all the same


class _Hangup:
    """SIGHUP before the program's own handler stands."""

    noted = False

    @classmethod
    def on_signal(cls, _number: int, _frame: FrameType | None) -> None:
        cls.noted = True


class _Dumps:
    """Where the next dump goes; one a process, as a signal's handler is."""

    program = ""
    folder: Path | None = None
    number = 0
    _path: Path | None = None
    _handle = -1
    _busy = False
    _asked = False
    """While it was busy."""

    @classmethod
    def begin(cls) -> None:
        """Be ready for the first dump, or for one in another place."""
        cls._busy = True
        try:
            cls._next()
        finally:
            cls._busy = False
        if cls._asked:
            cls.on_signal(0, None)

    @classmethod
    def on_signal(cls, _number: int, frame: FrameType | None) -> None:
        """Between two bytecodes of the main thread, which may be ours: the threads are written, the greenlets follow."""
        cls._asked = True
        if cls._busy:
            return
        cls._busy = True
        try:
            while cls._asked:
                cls._asked = False
                cls._write(greenlets(frame))
                if cls.folder is not None:
                    cls._next()
        finally:
            cls._busy = False

    @classmethod
    def _write(cls, text: str) -> None:
        try:
            if cls._handle >= 0:
                os.write(cls._handle, text.encode("utf-8", "backslashreplace"))
            else:
                print(text, file=sys.stderr, flush=True)
        except OSError:
            pass  # a full disk: what did not fit is not worth more than the program

    @classmethod
    def _next(cls) -> None:
        """Open the next dump's file, if there is a folder, and have the C handler write there; stderr where that fails. There is no moment without it."""
        old, cls._handle = cls._handle, cls._open() if cls.folder is not None else -1
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # without a stderr there is nothing to tell
            file = cls._handle if cls._handle >= 0 else sys.stderr
            faulthandler.register(signal.SIGUSR2, file=file, all_threads=True, chain=True)
        cls._close(old)

    @classmethod
    def _open(cls) -> int:
        assert cls.folder is not None, "asked only with a folder"
        try:
            cls.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            _tidy(cls.folder)
            cls.number += 1
            cls._path = cls.folder / f"{cls.program}.{os.getpid()}.{cls.number}.txt"
            return os.open(cls._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_TRUNC, 0o640)
        except OSError:
            return -1

    @staticmethod
    def _close(handle: int) -> None:
        if handle >= 0:
            with contextlib.suppress(OSError):
                os.close(handle)

    @classmethod
    def leave(cls) -> None:
        """At an orderly end: no empty file stays behind, and a dump that is asked for now comes too late."""
        faulthandler.unregister(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        cls._close(cls._handle)
        cls._handle = -1
        if cls._path is not None:
            _remove_if_empty(cls._path)


def greenlets(frame: FrameType | None = None) -> str:
    """The stacks of all greenlets, those that look alike once with their number, most first. `frame`: of what runs now."""
    lines = [f"\n{time.strftime('%Y-%m-%d %H:%M:%S')}: what runs in the main thread\n"]
    lines += traceback.format_stack(frame, DEEPEST) if frame is not None else []
    stacks = Counter(_stack(greenlet) for greenlet in _all_greenlets())
    lines.append(f"\n{sum(stacks.values())} greenlets wait\n")
    size = 0
    for stack, count in stacks.most_common():
        size += len(stack)
        if size > LONGEST:
            lines.append("\n… and more, which are left out\n")
            break
        lines.append(f"\n{count} x\n{stack}")
    return "".join(lines)


def _all_greenlets() -> list[Any]:
    """Those that have begun, do not run now and have not ended. Nothing is imported here: the program may be stuck in an import."""
    module = sys.modules.get("greenlet")
    if module is None:
        return []
    kind = module.greenlet
    frozen = gc.get_freeze_count() > 0
    if frozen:
        gc.unfreeze()  # what is frozen is not among the objects, and the oldest greenlets are
    try:
        return [thing for thing in gc.get_objects() if issubclass(type(thing), kind) and thing.gr_frame]
    finally:
        if frozen:
            gc.freeze()


def _stack(greenlet: Any) -> str:
    out = io.StringIO()
    out.write(f"{type(greenlet).__name__}\n")
    # outermost first, as in a traceback
    summary = traceback.StackSummary.extract(traceback.walk_stack(greenlet.gr_frame), limit=DEEPEST, lookup_lines=False)
    summary.reverse()
    out.writelines(summary.format())
    return out.getvalue()


def _tidy(folder: Path) -> None:
    """Keep the newest; and no empty ones of programs that are no more."""
    written = []
    for file in folder.glob("*.*.*.txt"):
        number = file.name.split(".")[-3]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            _remove_if_empty(file)
        with contextlib.suppress(OSError):
            about = file.stat()
            if about.st_size:
                written.append((about.st_mtime, file))
    for _, file in sorted(written)[:-KEPT]:
        with contextlib.suppress(OSError):
            file.unlink()


def _remove_if_empty(file: Path) -> None:
    with contextlib.suppress(OSError):
        if not file.stat().st_size:
            file.unlink()
