"""What is done against what is wrong: bounded, mildest cure first, never blindly. Pure: facts and findings in, actions out.

- A program that was stopped on purpose is left alone; one that supervisord has given up, or lets wait, is started again, with a pause that
  grows up to a minute.
- A frozen program is continued; only when that does not help, it is killed.
- A restart is a SIGTERM: the program drains, and supervisord starts it again. What has not ended by then is killed.
- Of RESTART and KILL a program gets at most `restarts` within `window` seconds; then there is an alert and nothing more, until it had none for a whole
  window. Starts are not counted: a program that does not run has nothing to lose.
- Each cure gets time to work before the next; nobody is killed twice; and while the watchdog was late itself, it blames nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from watchdog.model import Act, Action, Cure, Facts, Finding, ProgramFacts, Severity

LATE_SECONDS: Final = 1.0
BLIND_SECONDS: Final = 3.0
"""After having been late: longer than the patience with a silent gateway, so that it has been seen silent anew."""
SETTLE_SECONDS: Final = 5.0
"""Between two restarts of the same program at least."""
CONTINUE_SECONDS: Final = 1.0
CONTINUES: Final = 3
"""Tries to continue a frozen program before a finding that asks for more gets it."""
CONTINUES_FORGOTTEN_SECONDS: Final = 30.0
STOP_SECONDS: Final = 45.0
"""How long an orderly stop may take of a program of which nothing else is said."""
KILLED_SECONDS: Final = 10.0
"""A killed program that is still there after this long hangs in the kernel."""
START_SECONDS: Final = 2.0
"""How long supervisord has for its own try; then for ours, doubled each time."""
LONGEST_START_SECONDS: Final = 60.0
WELL_SECONDS: Final = 30.0
"""A program that ran for this long may be started at once again."""

DOWN: Final = ("FATAL", "BACKOFF", "EXITED")
SEVERITY: Final = (Cure.NONE, Cure.CONTINUE, Cure.START, Cure.RESTART, Cure.KILL)


class Verdict(msgspec.Struct, frozen=True):
    """What `Healing.decide` says."""

    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Healing's own: where it has given up, who can't be killed."""


class Record(msgspec.Struct):
    """What was done to one program. Times are monotonic seconds."""

    restarts: list[float] = []
    gave_up: bool = False
    reason: str = ""
    """Of the last restart."""
    terminated: int = 0
    """The pid that was asked to stop."""
    terminated_at: float = 0.0
    killed: int = 0
    killed_at: float = 0.0
    continues: int = 0
    continued_at: float = 0.0
    pause: float = START_SECONDS
    down_since: float | None = None
    """It does not run since then, or was started then."""
    up_since: float | None = None


class Healing:
    """Remembers what was done to whom. `stop_seconds`: how long the orderly stop of each program may take; `spared`: who is never acted on."""

    def __init__(
        self,
        restarts: int = 5,
        window: float = 600.0,
        stop_seconds: Mapping[str, float] | None = None,
        spared: Iterable[str] = ("watchdog",),
    ) -> None:
        self.restarts = restarts
        self.window = window
        self._stop_seconds = dict(stop_seconds or {})
        self._spared = frozenset(spared)
        self._records: dict[str, Record] = {}
        self._blind_until = 0.0

    def decide(self, facts: Facts, findings: Sequence[Finding]) -> Verdict:
        """What is done now."""
        if facts.late > LATE_SECONDS or facts.slept > LATE_SECONDS:
            self._blind_until = facts.now + BLIND_SECONDS
        if facts.supervisor:
            return Verdict()  # what it last said is no reason to act, and nobody would start again what ends
        actions, own = [], []
        for name, program in facts.programs.items():
            if name in self._spared:
                continue
            record = self._records.setdefault(name, Record())
            self._follow(record, program, facts.now)
            wanted = max(
                (finding for finding in findings if finding.program == name),
                key=lambda finding: SEVERITY.index(finding.cure),
                default=None,
            )
            action = self._overdue(record, program, facts.now)
            if action is None and wanted is not None:
                action = self._treat(record, program, wanted, facts.now)
            if action is not None:
                actions.append(action)
            own += self._own(record, program, wanted, facts.now)
        return Verdict(tuple(actions), tuple(own))

    def undone(self, action: Action) -> None:
        """That action could not be carried out: nothing has happened, and it may be decided again."""
        record = self._records.get(action.program)
        if record is None or action.act not in (Act.RESTART, Act.KILL):
            return
        record.killed = 0
        if action.act is Act.KILL and record.terminated:
            return  # the kill of what does not stop: it was counted as the restart that it is part of
        record.terminated = 0
        if record.restarts:
            record.restarts.pop()

    def status(self) -> dict[str, Any]:
        """For each program that was restarted: how often within the window, why last, and whether it has been given up."""
        return {
            name: {"restarts": len(record.restarts), "gave_up": record.gave_up, "reason": record.reason}
            for name, record in self._records.items()
            if record.restarts
        }

    # -- outliving the own restart

    def memory(self) -> dict[str, Record]:
        """What must outlive the watchdog's own restart, so that the bound holds over it."""
        return {name: record for name, record in self._records.items() if record.restarts}

    def recall(self, memory: Mapping[str, Record], now: float) -> None:
        """Take up what an earlier watchdog remembered; of the same boot, or its times mean nothing."""
        for name, record in memory.items():
            record.restarts = [moment for moment in record.restarts if moment <= now]
            record.down_since = record.up_since = None
            self._records[name] = record

    # -- one program

    def _follow(self, record: Record, program: ProgramFacts, now: float) -> None:
        """Note how it goes."""
        record.restarts = [moment for moment in record.restarts if now - moment < self.window]
        if not record.restarts:
            record.gave_up = False
        if program.pid != record.terminated:
            record.terminated = 0
        if program.pid != record.killed:
            record.killed = 0
        if now - record.continued_at > CONTINUES_FORGOTTEN_SECONDS:
            record.continues = 0
        if program.state in DOWN:
            record.up_since = None
            if record.down_since is None:
                record.down_since = now
        elif program.state == "RUNNING":
            record.up_since = now if record.up_since is None else record.up_since
            if now - record.up_since >= WELL_SECONDS:
                record.pause, record.down_since = START_SECONDS, None
        else:
            record.up_since = None
            if program.state == "STOPPED":
                record.pause, record.down_since = START_SECONDS, None

    def _treat(self, record: Record, program: ProgramFacts, finding: Finding, now: float) -> Action | None:
        if finding.cure is Cure.NONE:
            return None
        if program.state in DOWN:
            return self._start(record, program, now)
        if not program.pid or program.state not in ("RUNNING", "STARTING", "STOPPING"):
            return None
        if self._frozen(record, program, finding):
            return self._continue(record, program, now)
        if program.state != "RUNNING" or finding.cure not in (Cure.RESTART, Cure.KILL):
            return None
        return self._restart(record, program, finding, now)

    def _overdue(self, record: Record, program: ProgramFacts, now: float) -> Action | None:
        """It was asked to stop, and has not: what was wrong with it may be over, but it serves nobody any more."""
        patience = self._stop_seconds.get(program.name, STOP_SECONDS)
        if not record.terminated or record.killed or program.state != "RUNNING" or now < self._blind_until:
            return None
        if now - record.terminated_at < patience:
            return None
        return self._kill(record, program, f"it has not stopped within {patience:.0f} s", now)

    def _start(self, record: Record, program: ProgramFacts, now: float) -> Action | None:
        since = now if record.down_since is None else record.down_since
        if now - since < record.pause:
            return None
        record.down_since = now
        record.pause = min(2 * record.pause, LONGEST_START_SECONDS)
        return Action(Act.START, program.name, f"it does not run: {program.description or program.state}")

    def _frozen(self, record: Record, program: ProgramFacts, finding: Finding) -> bool:
        if program.process_state != "T":
            return False
        return finding.cure is not Cure.KILL or record.continues < CONTINUES

    def _continue(self, record: Record, program: ProgramFacts, now: float) -> Action | None:
        if record.continues and now - record.continued_at < CONTINUE_SECONDS:
            return None
        record.continues += 1
        record.continued_at = now
        return Action(Act.CONTINUE, program.name, "somebody has stopped it with a signal", program.pid)

    def _restart(self, record: Record, program: ProgramFacts, finding: Finding, now: float) -> Action | None:
        if (
            record.killed
            or record.terminated
            or now < self._blind_until
            or not self._may(record)
            or (record.restarts and now - record.restarts[-1] < SETTLE_SECONDS)
            or now - record.continued_at < CONTINUE_SECONDS
        ):
            return None
        record.restarts.append(now)
        record.reason = finding.text
        if finding.cure is Cure.KILL:
            return self._kill(record, program, finding.text, now)
        record.terminated, record.terminated_at = program.pid, now
        return Action(Act.RESTART, program.name, finding.text, program.pid)

    def _kill(self, record: Record, program: ProgramFacts, reason: str, now: float) -> Action:
        record.killed, record.killed_at = program.pid, now
        return Action(Act.KILL, program.name, reason, program.pid)

    def _may(self, record: Record) -> bool:
        if len(record.restarts) >= self.restarts:
            record.gave_up = True
        return not record.gave_up

    def _own(self, record: Record, program: ProgramFacts, wanted: Finding | None, now: float) -> list[Finding]:
        name = program.name
        own = []
        if record.gave_up and wanted is not None and wanted.cure in (Cure.RESTART, Cure.KILL):
            text = f"{self._why_not(record, name, now)}. {wanted.text}"
            own.append(Finding(f"program:{name}:given-up", text, Severity.CRITICAL, name))
        if record.killed and now - record.killed_at >= KILLED_SECONDS:
            own.append(
                Finding(
                    f"program:{name}:unkillable",
                    f"{name} (process {program.pid}) was killed {now - record.killed_at:.0f} s ago and is still there: the system waits for something, a disk for instance",
                    Severity.CRITICAL,
                    name,
                )
            )
        return own

    def _why_not(self, record: Record, name: str, now: float) -> str:
        times = len(record.restarts)
        if not times:
            return f"{name} is not restarted: WATCHDOG_RESTARTS is 0"
        again = self.window - (now - record.restarts[-1])
        return f"restarts do not help {name}: there were {times} within {self.window:.0f} s; the next is tried in {again:.0f} s"
