"""The checks: what is wrong, as a table. Pure: looks in, findings out.

`examine` runs all of `CHECKS` over a look. What has to last before it is wrong (a queue that stands still for a minute) is measured with `History`, on a clock
that stands still while the watchdog itself was late or the machine asleep: who has slept blames nobody. A figure that is None says nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from watchdog.history import History
from watchdog.model import Facts, Finding

GIB: Final = 1 << 30


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is wrong. Seconds and shares (0 to 1) but where it says something else."""

    patience: float = 2.5
    """Without an answer of the gateway (WATCHDOG_PATIENCE)."""
    start_patience: float = 120.0
    """The same before its first answer: it may have a large spool to check."""
    stop_patience: float = 120.0
    """For a program that drains and stops: more than DRAINTIME and supervisord's stopwaitsecs."""
    late: float = 1.0
    """By which the gateway's event loop may be late, look after look."""
    stuck: float = 60.0
    """A connector that is up has messages due, and nothing moves: a warning."""
    stuck_restart: float = 180.0
    """… and the gateway is restarted."""
    connector_down: float = 300.0
    """A connector that should have a session has none."""
    recorder: float = 60.0
    """The log stands still, or falls behind, while the database answers."""
    scheduler: float = 300.0
    """No job has begun while the database answers."""
    database: float = 10.0
    """The database does not answer."""
    down: float = 3.0
    """A program does not run though supervisord is to start it."""
    memory: Mapping[str, int] = {}
    """Octets that a program may have; a program that is not named has no limit."""
    memory_warning: float = 0.8
    files: float = 0.8
    """Of the open files that a program may have."""
    disk: float = 0.8
    """Used, of a file system (WATCHDOG_DISK): a warning."""
    disk_critical: float = 0.95
    machine_memory: float = 0.05
    """What has to be left of the machine's memory."""
    clock: float = 2.0
    """By which the clock may jump between two looks."""
    clock_told: float = 600.0
    """How long a jump is told of."""
    certificate: float = 14 * 86400.0
    """Before a certificate's end: a warning."""
    certificate_critical: float = 2 * 86400.0


class Check(NamedTuple):
    """One row: `name`, what it says, and the function that finds it. It may use what `history` remembers under its own name."""

    name: str
    says: str
    find: Callable[[History, Facts, Limits], Iterable[Finding]]


CHECKS: tuple[Check, ...] = ()
"""Their order is the order of the findings."""


def examine(history: History, facts: Facts, limits: Limits) -> list[Finding]:
    """What is wrong by this look and those before it. To be called with each look once, in their order."""
    history.begin(facts)
    found = [finding for check in CHECKS for finding in check.find(history, facts, limits)]
    history.end()
    return found


def watching(limits: Limits) -> Callable[[Facts], list[Finding]]:
    """`examine` with a history of its own, as the loop wants it."""
    history = History()
    return lambda facts: examine(history, facts, limits)
