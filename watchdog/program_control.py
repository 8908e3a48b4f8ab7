"""Starting, stopping and restarting programs for somebody else, by supervisord's hand: at most one deed for each program at a time.

A deed goes on in a greenlet of its own: whoever asked for it may wait, or go. A restart is a signal, after which supervisord starts the program again: if the
watchdog ended in between, nothing would stay stopped. What does not end within its time (the table's) is killed. The watchdog may restart itself and not stop:
nobody would be left to start it.

Raises ControlError: 404 no such program, 409 supervisord refuses or something is being done to it, 503 supervisord does not answer.
"""

import signal
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

import gevent

from emg.config.model import ServerConfig
from emg.errors import ControlError, EmgError
from watchdog.model import ProgramFacts
from watchdog.programs import BY_NAME
from watchdog.supervisor import NOT_RUNNING, STOPPING, SupervisorUnreachable, UnknownProgram

OWN: Final = "watchdog"
T = TypeVar("T")
POLL_SECONDS: Final = 0.1
KILLED_SECONDS: Final = 10.0
START_SECONDS: Final = 10.0
"""For supervisord to have it started again."""
ANSWER_FIRST: Final = 0.3
"""Before the watchdog ends itself: so long whoever asked has for his answer."""


class Verb(Enum):
    """What can be done."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    QUICKSTOP = "quickstop"


class Supervisor(Protocol):
    """`watchdog.supervisor`."""

    def programs(self) -> dict[str, ProgramFacts]:
        """Every program."""

    def program(self, name: str) -> ProgramFacts:
        """One of them."""

    def start(self, name: str) -> bool:
        """Have it started; False: it runs."""

    def stop(self, name: str, wait: float = 0.0) -> bool:
        """Have it stopped; False: it did not run."""

    def quick_stop(self, name: str, seconds: float) -> bool:
        """The same, and kill it when it takes longer."""

    def signal(self, name: str, number: int) -> bool:
        """Send it a signal."""


class ProgramControl:
    """See the module's text."""

    def __init__(self, supervisor: Supervisor, config: ServerConfig) -> None:
        self._supervisor = supervisor
        self._config = config
        self._busy: dict[str, tuple[Verb, gevent.Greenlet[..., Any]]] = {}

    def doing(self, name: str) -> str:
        """What is being done to it; empty: nothing."""
        busy = self._busy.get(name)
        return busy[0].value if busy is not None and not busy[1].dead else ""

    def programs(self) -> dict[str, ProgramFacts]:
        """Every program as it is now."""
        return _asked(self._supervisor.programs)

    def act(self, verb: Verb, name: str, wait: float, quick_seconds: float) -> dict[str, Any]:
        """Begin, and wait up to so many seconds for the end: `done` says whether it has come, `state` and `pid` how the program is then."""
        if name not in BY_NAME:
            raise ControlError(f"there is no program '{name[:100]}'; GET /programs lists them", 404)
        if name == OWN and verb in (Verb.STOP, Verb.QUICKSTOP):
            raise ControlError("nobody would be left to start the watchdog again: restart it, or stop it with supervisorctl", 409)  # fmt: skip
        _asked(lambda: self._supervisor.program(name))
        if doing := self.doing(name):  # from here to the spawn nobody else runs
            raise ControlError(f"{name}: {doing} is under way", 409)
        deeds: dict[Verb, Callable[[], bool]] = {
            Verb.START: lambda: self._start(name),
            Verb.STOP: lambda: self._stop(name),
            Verb.RESTART: lambda: self._restart(name),
            Verb.QUICKSTOP: lambda: self._supervisor.quick_stop(name, quick_seconds),
        }
        deed = gevent.spawn(_kept, deeds[verb])
        self._busy[name] = verb, deed
        deed.join(timeout=0.0 if name == OWN else wait)  # who waited for its end would be cut off by it
        changed: bool | None = None
        if deed.dead:
            outcome = deed.value
            changed = _asked(lambda: _or_raise(outcome))
        facts = _asked(lambda: self._supervisor.program(name))
        return {
            "program": name,
            "verb": verb.value,
            "done": deed.dead,
            "changed": changed,
            "state": facts.state,
            "pid": facts.pid,
        }

    def _start(self, name: str) -> bool:
        if not self._supervisor.start(name):
            return False
        self._until(START_SECONDS, lambda: self._supervisor.program(name).state != "STARTING")
        return True

    def _stop(self, name: str) -> bool:
        return self._supervisor.stop(name, self._limit(name) + KILLED_SECONDS)

    def _restart(self, name: str) -> bool:
        if name == OWN:
            gevent.sleep(ANSWER_FIRST)
        before = self._supervisor.program(name)
        if before.state == STOPPING:
            self._until(self._limit(name) + KILLED_SECONDS, lambda: self._supervisor.program(name).state in NOT_RUNNING)
        if not before.pid or before.state == STOPPING:
            return self._start(name)
        self._supervisor.signal(name, signal.Signals[f"SIG{BY_NAME[name].stop_signal}"])
        if not self._until(self._limit(name), lambda: self._supervisor.program(name).pid != before.pid):
            self._supervisor.signal(name, signal.SIGKILL)
            self._until(KILLED_SECONDS, lambda: self._supervisor.program(name).pid != before.pid)
        self._until(START_SECONDS, lambda: self._supervisor.program(name).state == "RUNNING")
        return True

    def _limit(self, name: str) -> float:
        return BY_NAME[name].stop_limit(self._config)

    def _until(self, seconds: float, true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() >= deadline:
                return False
            gevent.sleep(POLL_SECONDS)
        return True


def _kept(deed: Callable[[], bool]) -> bool | EmgError:
    """A greenlet's error would be printed."""
    try:
        return deed()
    except EmgError as error:
        return error


def _or_raise(outcome: bool | EmgError | None) -> bool:
    if isinstance(outcome, EmgError):
        raise outcome
    return bool(outcome)


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except UnknownProgram as error:
        raise ControlError(f"{error}: this configuration has no use for it", 404) from error
    except SupervisorUnreachable as error:
        raise ControlError(str(error), 503) from error
    except ControlError:
        raise
    except EmgError as error:
        raise ControlError(str(error), 409) from error
