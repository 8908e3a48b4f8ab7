"""From where on something is wrong: what `watchdog.checks` compares with. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from emg.config.model import ServerConfig
from watchdog import programs

BEYOND_STOP: Final = 30.0
"""Seconds that supervisord has for killing a program that does not stop in its time."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, and shares from 0 to 1, but where it says something else."""

    patience: float = 2.5
    """Without an answer of the gateway (WATCHDOG_PATIENCE)."""
    start_patience: float = 120.0
    """The same before its first answer: it may have a large spool to check."""
    listening_patience: float = 20.0
    """The same when it takes connections already: little of a start is left then."""
    stop_patience: float = 120.0
    """For a program that drains and stops: more than DRAINTIME and supervisord's stopwaitsecs."""
    late: float = 1.0
    """By which the gateway's event loop may be late, for `late_lasts`."""
    late_lasts: float = 10.0
    stuck: float = 60.0
    """A connector that is up has messages due, and nothing moves: a warning."""
    stuck_restart: float = 180.0
    """… and the gateway is restarted."""
    unanswered: float = 90.0
    """A far side has let attempts go unanswered for so long since the first of them, and taken nothing."""
    unanswered_tries: int = 3
    connector_down: float = 300.0
    """A connector that should have a session has none."""
    stale: float = 15.0
    """What the gateway said of itself is too old to judge by."""
    recorder: float = 60.0
    """The log stands still, or falls behind, while the database answers."""
    scheduler: float = 300.0
    """No job has begun while the database answers."""
    database: float = 10.0
    """The database does not answer."""
    database_flaps: int = 3
    """How often it may have come back within `database_flaps_within`."""
    database_flaps_within: float = 180.0
    down: float = 3.0
    """A program does not run though supervisord is to start it."""
    restarts: int = 3
    """How often a program may have been started anew within `restarts_within`."""
    restarts_within: float = 120.0
    halted: float = 0.5
    """A program has been stopped by a signal."""
    memory: Mapping[str, int] = {}
    """Octets that a program may have; a program that is not named has no limit."""
    memory_warning: float = 0.8
    memory_lasts: float = 2.0
    """So long it has more before it is restarted."""
    files: float = 0.8
    """Of the open files that a program may have."""
    files_critical: float = 0.95
    disk: float = 0.8
    """Used, of a file system (WATCHDOG_DISK): a warning."""
    disk_critical: float = 0.95
    machine_memory: float = 0.05
    """What has to be left of the machine's memory."""
    machine_memory_critical: float = 0.02
    configuration: float = 30.0
    """server.cfg has a fault: somebody may just be writing it."""
    clock: float = 2.0
    """By which the clock may jump between two looks."""
    clock_told: float = 600.0
    """How long a jump is told of."""
    certificate: float = 14 * 86400.0
    """Before a certificate's end: a warning."""
    certificate_critical: float = 2 * 86400.0
    certificate_unread: float = 20.0
    """A renewed one is not shown: somebody may be about to reload."""


def limits_of(config: ServerConfig) -> Limits:
    """What this configuration says of them, and the table of programs."""
    usual = Limits()
    rows = {program.name: program.memory << 20 for program in programs.PROGRAMS if program.memory}
    longest_stop = max(program.stop_limit(config) for program in programs.PROGRAMS)
    return Limits(
        patience=config.watchdog_patience,
        start_patience=config.watchdog_start_patience,
        stop_patience=max(usual.stop_patience, longest_stop + BEYOND_STOP),
        memory=rows | dict(config.watchdog_memory),
        disk=config.watchdog_disk / 100,
        disk_critical=max(config.watchdog_disk / 100, usual.disk_critical),
        certificate=config.watchdog_certificates,
        certificate_critical=min(config.watchdog_certificates, usual.certificate_critical),
    )
