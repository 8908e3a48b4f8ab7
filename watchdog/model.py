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


class GatewayFacts(msgspec.Struct, frozen=True):
    """What the gateway says of itself over the control socket."""

    answered: bool
    """It has answered this time; the rest is then what it said."""
    error: str = ""
    """Why not."""
    health: Mapping[str, Any] = {}
    """/health as it is, with `codes` beside `faults`."""
    status: Mapping[str, Any] = {}
    connectors: tuple[ConnectorFacts, ...] = ()


class DiskFacts(msgspec.Struct, frozen=True):
    """A file system that a folder of ours is on."""

    path: str
    size: int
    """Octets."""
    free: int
    """Octets that we may use."""


class CertificateFacts(msgspec.Struct, frozen=True):
    """A certificate that a connector or a server of ours shows."""

    path: str
    used_by: str
    ends: float | None
    """Seconds since 1970; None when it can't be read."""
    error: str = ""


class Facts(msgspec.Struct, frozen=True):
    """One look at everything. Parts that are looked at less often are repeated from the last time."""

    now: float
    at: float
    late: float = 0.0
    """How late the watchdog itself was: who has slept blames nobody."""
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
    scheduler_run: float | None = None
    """When a job of the scheduler last began (seconds since 1970)."""


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
