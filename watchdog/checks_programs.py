"""Checks of the programs and of the machine that they run on. Pure; rows of `watchdog.checks.CHECKS`."""

from collections.abc import Iterator
from typing import Final

from watchdog.history import History
from watchdog.limits import Limits
from watchdog.model import Cure, Facts, Finding, ProgramFacts, Severity

MIB: Final = 1 << 20
ALIVE: Final = ("STARTING", "RUNNING", "STOPPING")
NOT_UP: Final = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")
"""supervisord wants it to run, and it does not. STOPPED is not among them: somebody has stopped it on purpose."""


def identity(program: ProgramFacts | None) -> object:
    """Which process this is, also when its pid is used again."""
    return (program.pid, program.born) if program is not None else None


def supervisor(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Nobody would start again what dies: supervisord does not answer."""
    if facts.supervisor is None:
        return
    seconds = history.lasts("supervisor", bool(facts.supervisor))
    if seconds >= limits.down:
        yield Finding("supervisor:silent", f"{facts.supervisor}, for {seconds:.0f} s", Severity.CRITICAL)


def down(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program does not run though it should."""
    for program in facts.programs.values():
        if program.state == "STOPPED":
            continue
        # while it is STARTING it has not come up, but is not to be helped either
        seconds = history.lasts(("down", program.name), program.state in NOT_UP or program.state == "STARTING")
        if program.state not in NOT_UP or (program.state != "FATAL" and seconds < limits.down):
            continue
        text = f"{program.name} does not run: {program.state}" + (
            f", {program.description}" * bool(program.description)
        )
        yield Finding(f"program:{program.name}:down", text, Severity.CRITICAL, program.name, Cure.START)


def restarts(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program is started again and again: it runs at every look, and still does not work."""
    for program in facts.programs.values():
        if program.state == "STOPPED":
            continue
        who = (program.pid, program.started) if program.pid else None
        count = history.changed_within(("restarts", program.name), who, limits.restarts_within)
        if count >= limits.restarts:
            text = f"{program.name} was started {count} times within {limits.restarts_within:.0f} s"
            yield Finding(f"program:{program.name}:restarts", text, program=program.name)


def halted(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program was stopped by a signal (SIGSTOP): it is there and does nothing, and a SIGTERM does not reach it."""
    for program in facts.programs.values():
        if program.state not in ALIVE:
            continue
        seconds = history.lasts(("halted", program.name), program.process_state == "T", identity(program))
        if program.process_state == "T" and seconds >= limits.halted:
            text = f"{program.name} (process {program.pid}) was stopped by a signal"
            yield Finding(f"program:{program.name}:halted", text, Severity.CRITICAL, program.name, Cure.CONTINUE)


def stopping(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program was told to stop and does not end."""
    for program in facts.programs.values():
        seconds = history.lasts(("stopping", program.name), program.state == "STOPPING", identity(program))
        if seconds >= limits.stop_patience:
            text = f"{program.name} (process {program.pid}) was told to stop {seconds:.0f} s ago, and is still there"
            yield Finding(f"program:{program.name}:stopping", text, Severity.CRITICAL, program.name)


def memory(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program has grown beyond its limit, or is about to."""
    for program in facts.programs.values():
        limit = limits.memory.get(program.name, 0)
        if not limit or program.state not in ALIVE:
            continue
        over = history.lasts(("memory", program.name), program.resident >= limit, identity(program))
        text = f"{program.name} takes {program.resident // MIB} MiB; its limit is {limit // MIB} MiB"
        key = f"program:{program.name}:memory"
        if program.resident >= limit and over >= limits.memory_lasts and program.state == "RUNNING":
            yield Finding(key, text, Severity.CRITICAL, program.name, Cure.RESTART)
        elif program.resident >= limits.memory_warning * limit:
            yield Finding(key, text, program=program.name)


def files(_history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A program has nearly as many files and connections open as it may."""
    for program in facts.programs.values():
        if program.files is None or not program.files_limit or program.state not in ALIVE:
            continue
        if program.files >= limits.files * program.files_limit:
            critical = program.files >= limits.files_critical * program.files_limit
            text = f"{program.name} has {program.files} files and connections open; it may have {program.files_limit}"
            severity = Severity.CRITICAL if critical else Severity.WARNING
            yield Finding(f"program:{program.name}:files", text, severity, program.name)


def disks(_history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A file system of ours is nearly full, or does not answer."""
    for disk in facts.disks:
        key = f"disk:{disk.path}"
        if disk.error:
            yield Finding(key, f"{disk.path}: {disk.error}", Severity.CRITICAL)
            continue
        used = 1 - disk.free / disk.size if disk.size else 0.0
        names = 1 - disk.inodes_free / disk.inodes if disk.inodes else 0.0
        share = max(used, names)
        if share >= limits.disk:
            what = f"{disk.free // MIB} MiB are left" if used >= names else f"{disk.inodes_free} files are left"
            severity = Severity.CRITICAL if share >= limits.disk_critical else Severity.WARNING
            yield Finding(key, f"the file system of {disk.path} is full to {share:.0%}: {what}", severity)


def machine_memory(_history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The machine has hardly any memory left: the system will kill a program."""
    if facts.memory_free is None or not facts.memory_size:
        return
    share = facts.memory_free / facts.memory_size
    if share < limits.machine_memory:
        severity = Severity.CRITICAL if share < limits.machine_memory_critical else Severity.WARNING
        text = f"the machine has {facts.memory_free // MIB} MiB of {facts.memory_size // MIB} MiB memory left"
        yield Finding("machine:memory", text, severity)


def clock(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Somebody has set the clock; told for a while, since it is over at once."""
    before = history.before
    jump = 0.0
    if before is not None:
        jump = (facts.at - before.at) - (facts.now - before.now) - facts.slept
    jumped = abs(jump) > limits.clock
    last = history.keep("clock jump", jump if jumped else None)
    if last is None:
        return
    since = history.lasts("clock", not jumped)
    if jumped or since < limits.clock_told:
        assert isinstance(last, float), "a jump is seconds"
        text = f"the clock was set {'forward' if last > 0 else 'back'} by {abs(last):.1f} s"
        yield Finding("machine:clock", text)


def configuration(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """server.cfg has a fault: what runs goes on, what has to start takes the last copy that had none."""
    seconds = history.lasts("configuration", bool(facts.configuration))
    if facts.configuration and seconds >= limits.configuration:
        text = f"server.cfg has faults, and programs that start now take the last good copy: {facts.configuration}"
        yield Finding("configuration:faulty", text)


def certificates(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A certificate of ours ends soon, can't be read, or was renewed and is not shown yet."""
    for certificate in facts.certificates:
        key, whose = f"certificate:{certificate.path}", f"the certificate {certificate.path} of {certificate.used_by}"
        unread = history.lasts(("certificate unread", certificate.path), certificate.unread)
        ends = history.keep(("certificate ends", certificate.path), None if certificate.unread else certificate.ends)
        if certificate.ends is None:
            if certificate.error:
                yield Finding(key, f"{whose} can't be read: {certificate.error}")
            continue
        left = ends - facts.at if isinstance(ends, float) else limits.certificate
        severity = Severity.CRITICAL if left < limits.certificate_critical else Severity.WARNING
        days = f"{'ends in' if left > 0 else 'ended'} {abs(left) / 86400:.1f} days{'' if left > 0 else ' ago'}"
        if unread >= limits.certificate_unread:
            which = f", which {days}" if left < limits.certificate else ""
            text = f"{whose} was renewed, and the gateway goes on with the old one{which}: emg ctl reload takes the new one"
            yield Finding(key, text, severity)
        elif left < limits.certificate:
            yield Finding(key, f"{whose} {days}", severity)
