"""The watchdog itself: looks, thinks, acts and tells, each second, for ever.

A turn: `probe` gives Facts → `checks` gives Findings → `healing` decides what is done → `hands` does it, each action in a greenlet of its own →
`alerts` notes what people must know → `channels` tell them. Every part may fail: that is logged and becomes a finding, and the next turn comes all the
same. Nothing but the look is waited for, and the look has a deadline.

Four verbs: `start`, `serve` (until `stop`), `wake` (look now: something has happened), `stop`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import gevent
import gevent.event
import msgspec

from emg.errors import ControlError, EmgError
from watchdog.alerts import Notice
from watchdog.healing import DOWN, Record, Verdict
from watchdog.model import Action, Facts, Finding, Severity
from watchdog.pulse import Pulse

LOOK_SECONDS: Final = 5.0
"""A look that takes longer is given up; each of its parts has a shorter deadline of its own."""
HURRIED_SECONDS: Final = 0.25
"""Between two looks while the gateway does not answer, or a program does not run: seconds count then."""
SHORTEST_SECONDS: Final = 0.05
"""Between two looks at least, so that many events are one reason to look."""
ACTION_SECONDS: Final = 30.0
DEAF_SECONDS: Final = 10.0
"""Without a whole turn for this long, and four intervals, the watchdog is not well itself."""
LATE_SECONDS: Final = 1.5
"""By which it must have been late itself for the log to tell."""
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

    def update(self, findings: Sequence[Finding], at: float) -> Sequence[Notice]:
        """Note what is wrong now; the notices that people are to get."""

    def did(self, program: str, text: str, at: float) -> None:
        """Something was done to a program: its alerts tell of it."""

    def show(self) -> Any:
        """The alerts, for JSON."""


class Channels(Protocol):
    """`watchdog.channels`."""

    def tell(self, notices: Sequence[Notice]) -> None:
        """Hand them to all channels; never waits."""

    def status(self) -> Any:
        """How each channel does."""


class Healing(Protocol):
    """`watchdog.healing`."""

    def decide(self, facts: Facts, findings: Sequence[Finding]) -> Verdict:
        """What is done now."""

    def undone(self, action: Action) -> None:
        """It could not be carried out."""

    def memory(self) -> Mapping[str, Record]:
        """What must outlive a restart of the watchdog."""

    def status(self) -> Any:
        """What was done to whom, and what is held back."""


class Hands(Protocol):
    """`watchdog.hands`."""

    def carry_out(self, action: Action) -> str:
        """Do it; how it went. Raises EmgError, and then nothing was done."""

    def thaw_supervisor(self) -> bool:
        """Have a supervisord go on that was stopped by a signal; whether it was. Raises EmgError."""

    def dump(self, program: str) -> Path:
        """The path of a new dump. Raises ControlError."""


class Deed(msgspec.Struct, frozen=True):
    """What the watchdog did."""

    at: float
    act: str
    program: str
    reason: str
    outcome: str
    """A sentence; of a failure too."""


class Watchdog:
    """See the module's text.

    `hands` None: not started by supervisord, so it only watches, tells and serves. `remember` keeps what healing must know after a restart; `beat` is called
    after each turn.
    """

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
        remember: Callable[[Mapping[str, Record]], None] = lambda _: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.alerts = alerts
        self.channels = channels
        self.supervisor = supervisor
        """`watchdog.supervisor.Supervisor`: start, stop, restart, signal, quick_stop; None when there is no supervisord."""
        self.facts: Facts | None = None
        """The last look; None before the first."""
        self.findings: tuple[Finding, ...] = ()
        """What is wrong now, healing's own and the watchdog's own with it."""
        self.deeds: deque[Deed] = deque(maxlen=KEPT)
        """Newest last."""
        self.interval = interval
        self.started_at = time.time()
        self.turns = 0
        self._probe = probe
        self._checks = checks
        self._healing = healing
        self._hands = hands
        self._remember = remember
        self._beat = beat
        self._pulse = Pulse()
        self._wake = gevent.event.Event()
        self._stopped = False
        self._turned = time.monotonic()
        self._took = 0.0
        self._found: tuple[Finding, ...] = ()
        self._own: dict[str, Finding] = {}
        self._broken: dict[str, str] = {}
        self._busy: dict[str, gevent.Greenlet[..., None]] = {}

    # -- what the API asks for

    def status(self) -> dict[str, Any]:
        """The watchdog itself: since when, supervised or not, turns, its lateness, failures of its parts, deeds, bounds, channels."""
        return {
            "ok": self.alive(),
            "started": self.started_at,
            "supervised": self._hands is not None,
            "interval_seconds": self.interval,
            "turns": self.turns,
            "turn_seconds": round(self._took, 4),
            "late_seconds": round(self.facts.late, 4) if self.facts else 0.0,
            "failures": dict(self._broken),
            "healing": self._guarded("healing", self._healing.status, {}),
            "deeds": [msgspec.to_builtins(deed) for deed in self.deeds],
            "channels": self._guarded("channels", self.channels.status, []),
        }

    def alive(self) -> bool:
        """The last turn is not long ago."""
        return time.monotonic() - self._turned < max(DEAF_SECONDS, 4 * self.interval)

    def dump(self, program: str) -> Path:
        """A new file in LOGDIR/dump; waits at most 2 s. Raises ControlError: 404 no such program, 409 it does not run or can't, 503 not under supervisord, 504 no file came; and EmgError."""
        if self._hands is None:
            raise ControlError("the watchdog was not started by supervisord: it touches no program", 503)
        return self._hands.dump(program)

    def note(self, key: str, finding: Finding | None) -> None:
        """A part of the program (the API) tells of trouble of its own under `key`; None: it is over."""
        if finding is None:
            self._own.pop(key, None)
        else:
            self._own[key] = finding

    # -- four verbs

    def start(self) -> None:
        """Begin to measure the own lateness."""
        self._pulse.start()

    def serve(self) -> None:
        """Turn until `stop`."""
        due = time.monotonic()
        while not self._stopped:
            self._wake.clear()
            self._guarded("turn", self._turn, None)
            now = time.monotonic()
            self._turned = now
            self._guarded("beat", self._beat, None)
            due = max(now + SHORTEST_SECONDS, due + self._pause())
            if self._wake.wait(due - now) and not self._stopped:
                gevent.sleep(SHORTEST_SECONDS)
                due = time.monotonic()

    def wake(self) -> None:
        """Look at once; safe from any greenlet and a signal handler."""
        self._wake.set()

    def stop(self) -> None:
        """End `serve`. What is being done to a program is not waited for: supervisord alone finishes it."""
        self._stopped = True
        self._pulse.stop()
        self.wake()

    # -- a turn

    def _turn(self) -> None:
        began = time.monotonic()
        late = self._pulse.late()
        if late >= LATE_SECONDS:
            log.warning("the watchdog itself was %.1f s late: it was stopped, or had no time of the machine", late)
        facts = self._guarded("probe", lambda: self._look(late), None)
        # what was wrong before is not over because nobody could look
        found = self._guarded("checks", lambda: self._judge(facts), None) if facts is not None else None
        if facts is not None and found is not None:
            self._found = found
            verdict = self._guarded("healing", lambda: self._healing.decide(facts, found), Verdict())
            for action in verdict.actions:
                self._begin(action)
            if facts.supervisor and self._hands is not None:
                self._guarded("supervisord", self._thaw, None)
            self._found += verdict.findings
        self.findings = (*self._found, *self._own.values(), *self._failures())
        at = facts.at if facts is not None else time.time()
        notices: Sequence[Notice] = self._guarded("alerts", lambda: self.alerts.update(self.findings, at), [])
        self._guarded("channels", lambda: self.channels.tell(notices), None)
        self.turns += 1
        self._took = time.monotonic() - began

    def _judge(self, facts: Facts) -> tuple[Finding, ...]:
        self.facts = facts
        return tuple(self._checks(facts))

    def _look(self, late: float) -> Facts:
        with gevent.Timeout(LOOK_SECONDS, EmgError(f"the look took longer than {LOOK_SECONDS:g} s")):
            return self._probe.look(late)

    def _pause(self) -> float:
        """Seconds to the next look."""
        facts = self.facts
        if facts is None:
            return self.interval
        down = any(program.state in (*DOWN, "STARTING") for program in facts.programs.values())
        silent = facts.gateway is not None and not facts.gateway.answered
        return min(self.interval, HURRIED_SECONDS) if down or silent else self.interval

    def _failures(self) -> list[Finding]:
        return [
            Finding(f"watchdog:{part}", f"a part of the watchdog fails, {part}: {error}", Severity.WARNING)
            for part, error in self._broken.items()
        ]

    def _guarded(self, part: str, step: Callable[[], T], instead: T) -> T:
        """What the step gives, or `instead` where it breaks: the loop goes on whatever a part does. Logged once until it works again."""
        try:
            given = step()
        except Exception as error:  # the watchdog that dies of one part looks after nobody
            sentence = str(error) if isinstance(error, EmgError) else f"{type(error).__name__}; the log has the details"
            if self._broken.get(part) != sentence:
                self._broken[part] = sentence
                log.error("%s fails: %s", part, error, exc_info=not isinstance(error, EmgError))
            return instead
        if self._broken.pop(part, None) is not None:
            log.info("%s works again", part)
        return given

    # -- an action

    def _thaw(self) -> None:
        if self._hands is not None and self._hands.thaw_supervisor():
            log.warning("supervisord was stopped by a signal, and told to go on (SIGCONT)")

    def _begin(self, action: Action) -> None:
        """In a greenlet of its own; one at a time for each program."""
        hands, running = self._hands, self._busy.get(action.program)
        if hands is None or (running is not None and not running.dead):
            self._healing.undone(action)
            return
        self._guarded("memory", lambda: self._remember(self._healing.memory()), None)
        self._busy[action.program] = gevent.spawn(self._carry_out, hands, action)

    def _carry_out(self, hands: Hands, action: Action) -> None:
        log.warning("%s %s: %s", action.act.value, action.program, action.reason)
        try:
            with gevent.Timeout(ACTION_SECONDS, EmgError(f"not done within {ACTION_SECONDS:g} s")):
                outcome = hands.carry_out(action)
            log.warning("%s %s", action.program, outcome)
        except Exception as error:  # an action that fails is tried again; the loop decides
            log.error(
                "%s %s failed: %s", action.act.value, action.program, error, exc_info=not isinstance(error, EmgError)
            )
            self._healing.undone(action)
            outcome = f"{action.act.value} failed: {error if isinstance(error, EmgError) else type(error).__name__}"
        at = time.time()
        self.deeds.append(Deed(at, action.act.value, action.program, action.reason, outcome))
        self._guarded("alerts", lambda: self.alerts.did(action.program, f"{action.program} {outcome}", at), None)
        self.wake()
