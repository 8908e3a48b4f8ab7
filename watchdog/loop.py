"""The watchdog itself: looks, thinks, acts and tells, each second, for ever.

A turn: `probe` gives Facts → `checks` gives Findings → `healing` decides what is done → `hands` does it, each action in a greenlet of its own →
`alerts` notes what people must know → `channels` tell them. Every part may fail: that is logged, and the next turn comes all the same. Nothing
but the look is waited for, and the look has a deadline.

Four verbs: `start`, `serve` (until `stop`), `wake` (look now: something has happened), `stop`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import gevent
import gevent.event
import msgspec

from watchdog.healing import Verdict
from watchdog.model import Action, Facts, Finding

LOOK_SECONDS: Final = 10.0
"""A look that takes longer is given up; each of its parts has a shorter deadline of its own."""
HURRIED_SECONDS: Final = 0.25
"""Between two looks while the gateway does not answer, or a program does not run: seconds count then."""
KEPT: Final = 100
"""Deeds that are remembered."""

log = logging.getLogger("emg.watchdog")
T = TypeVar("T")


class Probe(Protocol):
    """`watchdog.probe`."""

    def look(self, late: float) -> Facts:
        """See everything; `late`: how late the watchdog itself was since the last look."""


class Book(Protocol):
    """`watchdog.alerts`."""

    def update(self, findings: Sequence[Finding], at: float) -> Sequence[Any]:
        """Note what is wrong now; the notices that people are to get."""

    def standing(self) -> Sequence[Any]:
        """The alerts that stand now."""


class Channels(Protocol):
    """`watchdog.channels`."""

    def tell(self, notices: Sequence[Any]) -> None:
        """Hand them to all channels; never waits."""

    def status(self) -> Any:
        """How each channel does."""


class Healing(Protocol):
    """`watchdog.healing`."""

    def decide(self, facts: Facts, findings: Sequence[Finding]) -> Verdict:
        """What is done now."""

    def status(self) -> Any:
        """What was done to whom, and what is held back."""


class Hands(Protocol):
    """`watchdog.hands`."""

    def carry_out(self, action: Action) -> str:
        """Do it; a sentence about how it went. Raises EmgError."""

    def dump(self, program: str) -> str:
        """Have a program write down what its threads and greenlets do; the file's path. Raises ControlError."""


class Deed(msgspec.Struct, frozen=True):
    """What the watchdog did."""

    at: float
    act: str
    program: str
    reason: str
    outcome: str
    """A sentence; of a failure too."""


class Watchdog:
    """See the module's text. `hands` None: not started by supervisord, so it only watches, tells and serves."""

    def __init__(
        self,
        probe: Probe,
        checks: Callable[[Facts], Sequence[Finding]],
        healing: Healing,
        hands: Hands | None,
        alerts: Book,
        channels: Channels,
        supervisor: Any,
        interval: float = 1.0,
    ) -> None:
        self.alerts = alerts
        self.channels = channels
        self.supervisor = supervisor
        """`watchdog.supervisor.Supervisor`: start, stop, restart, signal, quick_stop."""
        self.facts: Facts | None = None
        """The last look; None before the first."""
        self.findings: tuple[Finding, ...] = ()
        """What is wrong now, healing's own and the watchdog's own with it."""
        self.deeds: deque[Deed] = deque(maxlen=KEPT)
        """Newest last."""

    # -- what the API asks for

    def status(self) -> dict[str, Any]:
        """The watchdog itself: since when, supervised or not, looks, its lateness, failures of its parts, deeds, bounds, channels."""
        raise NotImplementedError

    def alive(self) -> bool:
        """The last turn is not long ago."""
        raise NotImplementedError

    def dump(self, program: str) -> str:
        """The path of a new file in LOGDIR/dump; waits at most 2 s. Raises ControlError: 404 no such program, 409 it does not run or cannot, 504 no file came."""
        raise NotImplementedError

    def note(self, finding: Finding | None, key: str) -> None:
        """A part of the program (the API, a listener) reports trouble of its own under `key`; None: it is over."""
        raise NotImplementedError

    # -- four verbs

    def start(self) -> None:
        """Begin to measure the own lateness."""
        raise NotImplementedError

    def serve(self) -> None:
        """Turn until `stop`."""
        raise NotImplementedError

    def wake(self) -> None:
        """Look at once; safe from any greenlet and a signal handler."""
        raise NotImplementedError

    def stop(self) -> None:
        """End `serve`; what is being done to a program is finished by supervisord alone."""
        raise NotImplementedError
