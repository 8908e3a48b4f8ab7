"""The checks: what is wrong, as a table. Pure: looks in, findings out.

`examine` runs all of `CHECKS` over a look. What has to last before it is wrong (a queue that stands still for a minute) is measured with `History`, on a clock
that stands still while the watchdog itself was late. A figure that is None says nothing, and a program that was stopped on purpose is not wrong.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from watchdog import checks_programs as programs
from watchdog import checks_work as work
from watchdog.history import History
from watchdog.limits import Limits
from watchdog.model import Facts, Finding

__all__ = ["CHECKS", "Check", "History", "Limits", "examine", "watching"]


class Check(NamedTuple):
    """One row: its name, what it says, and the function that finds it."""

    name: str
    says: str
    find: Callable[[History, Facts, Limits], Iterable[Finding]]


CHECKS: Final = (
    Check("supervisor", "supervisord does not answer", programs.supervisor),
    Check("down", "a program does not run though it should", programs.down),
    Check("halted", "a program was stopped by a signal", programs.halted),
    Check("silent", "the gateway does not answer", work.silent),
    Check("drains", "the gateway stops and does not end", work.drains),
    Check("health", "the gateway says what is wrong: the spool is full, a commit hangs", work.health),
    Check("late", "the gateway's event loop is late, or its regular duties hang", work.late),
    Check("stuck", "a connector is up with messages due, and nothing moves", work.stuck),
    Check("unanswered", "the far side of a connector answers no message", work.unanswered),
    Check("connectors", "a connector tries to get a session and gets none", work.connectors_down),
    Check("copy", "the gateway runs on the last good copy of its configuration", work.copy),
    Check("outbox", "too many events wait for the log, or the recorder wants somebody to look", work.outbox),
    Check("database", "the database does not answer", work.database),
    Check("recorder", "the log does not follow", work.recorder),
    Check("scheduler", "no job begins", work.scheduler),
    Check("restarts", "a program is started again and again", programs.restarts),
    Check("stopping", "a program was told to stop and does not end", programs.stopping),
    Check("memory", "a program has grown beyond its limit, or nearly", programs.memory),
    Check("files", "a program has nearly as many files open as it may", programs.files),
    Check("disks", "a file system is nearly full, or does not answer", programs.disks),
    Check("machine", "the machine has hardly any memory left", programs.machine_memory),
    Check("configuration", "server.cfg has a fault", programs.configuration),
    Check("clock", "somebody has set the clock", programs.clock),
    Check("certificates", "a certificate ends soon, or can't be read", programs.certificates),
)
"""Their order is that of the findings."""


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
