"""The words of the watchdog: what is seen (`Facts`), what is wrong with it (`Finding`), what is done about it (`Action`). Pure.

Times called `now` are monotonic seconds, times called `at` seconds since 1970. What could not be found out is None, never a guess.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec


class Severity(Enum):
    """How much it matters; both are told, a CRITICAL one means that messages do not flow or soon will not."""

    WARNING = "warning"
    CRITICAL = "critical"


class Cure(Enum):
    """What helps against a finding, mildest first."""

    NONE = "none"
    """Only people can help: a restart would change nothing (a full disk), or do harm."""
    CONTINUE = "continue"
    """SIGCONT: somebody has stopped the program."""
    START = "start"
    """It does not run, and supervisord has given up or waits too long before its next try."""
    RESTART = "restart"
    """An orderly stop, which drains, and a start."""
    KILL = "kill"
    """It does not react any more: what its threads and greenlets do is written down, then SIGKILL; supervisord starts it again."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong now. The same `key` is the same trouble, however its `text` changes from look to look."""

    key: str
    """`subject:what`, or `subject:name:what`: `gateway:silent`, `connector:operator1:stuck`, `disk:/var/spool/emg`."""
    text: str
    """A sentence for a person, with the figures; no secrets."""
    severity: Severity = Severity.WARNING
    program: str = ""
    """Whom the cure is for."""
    cure: Cure = Cure.NONE


class ProgramFacts(msgspec.Struct, frozen=True):
    """A program of the table as supervisord and the system see it."""

    name: str
    state: str
    """supervisord's: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL, UNKNOWN."""
    pid: int = 0
    started: float = 0.0
    """Seconds since 1970; 0 when it does not run."""
    description: str = ""
    """supervisord's words about it."""
    process_state: str = ""
    """The letter of /proc/PID/stat: R, S, D, T (stopped by a signal), Z."""
    resident: int = 0
    """Octets."""
    cpu_seconds: float = 0.0
    files: int | None = None
    """Open file descriptors, and how many it may have."""
    files_limit: int | None = None
    born: int = 0
    """Clock ticks since the machine's start at which the process began: with the pid the name of a process, also when the pid is used again."""
    age: float = 0.0
    """Seconds since then, by a clock that nobody sets; 0: not known."""


class ConnectorFacts(msgspec.Struct, frozen=True):
    """A sending connector of the gateway."""

    name: str
    up: bool
    """Bound, not on hold, not throttled by the far side, inside its hours: it ought to send what is due."""
    due: int
    """Messages in its queues that may be sent now."""
    in_flight: int
    finished: int
    """A counter that rises with each message that was sent, refused or put off: progress."""
    patience: float = 0.0
    """Seconds that its far side may take for an answer: so long nothing moves, and nothing is wrong."""
    waiting: int = 0
    """All messages of its queue, also those that wait for a time, or are in flight."""
    taken: int = 0
    """Counters: what the far side took, and what it never answered."""
    unanswered: int = 0
    state: str = ""
    """As people are shown it: up, idle, retrying, stopped, held, throttled."""
    fault: str = ""
    """Why it is not up, in its own words."""


class GatewayFacts(msgspec.Struct, frozen=True):
    """What the gateway says of itself over the control socket."""

    answered: bool
    """It has answered this time."""
    error: str = ""
    """Why not."""
    listens: bool = False
    """Somebody takes connections on the control socket, whether or not he answers: it is no longer about to start."""
    health: Mapping[str, Any] = {}
    """/health as it is, with `codes` beside `faults`: of the last answer, while that is not older than three seconds."""
    status: Mapping[str, Any] = {}
    connectors: tuple[ConnectorFacts, ...] = ()
    """These two are asked for less often, and stay as they were while nobody answers."""
    seen: float = 0.0
    """When (monotonic) these two were last learnt; 0: never."""


class DiskFacts(msgspec.Struct, frozen=True):
    """A file system that a folder of ours is on."""

    path: str
    size: int
    """Octets."""
    free: int
    """Octets that we may use."""
    inodes: int = 0
    """How many files it can hold; 0 when it knows no such bound."""
    inodes_free: int = 0
    error: str = ""
    """Why it could not be looked at: it does not exist, or it does not answer; the figures are then 0."""


class CertificateFacts(msgspec.Struct, frozen=True):
    """A certificate that a connector or a server of ours shows."""

    path: str
    used_by: str
    ends: float | None
    """Seconds since 1970; None when it can't be read."""
    error: str = ""
    unread: bool = False
    """The gateway still shows the one that stood here before."""


class RecorderFacts(msgspec.Struct, frozen=True):
    """What the recorder says of itself, in the spool's folder."""

    pid: int
    at: float
    """When it said so (seconds since 1970): every few seconds while it works."""
    position: int
    """The outbox's row that the log has come to, and the last one that there is."""
    last: int
    lag_events: int = 0
    lag_seconds: float = 0.0
    error: str = ""
    """What keeps it from going on; empty while it works."""


class Facts(msgspec.Struct, frozen=True):
    """One look at everything. Parts that are looked at less often are repeated from the last time."""

    now: float
    at: float
    late: float = 0.0
    """How late the watchdog itself was: who has slept blames nobody."""
    slept: float = 0.0
    """How long the machine was suspended since the last look; the monotonic clock stood still meanwhile."""
    supervisor: str | None = None
    """None: there is none, or not looked yet; "": it answers; else why it can't be asked, and `programs` are as it last said."""
    programs: Mapping[str, ProgramFacts] = {}
    gateway: GatewayFacts | None = None
    """None when the table has no gateway, or it is stopped on purpose."""
    disks: tuple[DiskFacts, ...] = ()
    memory_free: int | None = None
    """Octets that programs could still have (MemAvailable)."""
    memory_size: int | None = None
    certificates: tuple[CertificateFacts, ...] = ()
    database: str | None = None
    """None: there is none, or not looked yet; "": it answers; else why it can't be reached."""
    recorder: RecorderFacts | None = None
    """None: it has never said anything here, or that can't be read."""
    scheduler_run: float | None = None
    """When a job of the scheduler last began (seconds since 1970)."""
    configuration: str | None = None
    """None: not looked yet; "": server.cfg has no fault; else its faults, in one line."""


class Act(Enum):
    """What the watchdog does to a program."""

    CONTINUE = "continue"
    START = "start"
    RESTART = "restart"
    KILL = "kill"


class Action(msgspec.Struct, frozen=True):
    """To be done now."""

    act: Act
    program: str
    reason: str
    pid: int = 0
    """Whom it is meant for: a process that came after it is not signalled. 0 with START."""
