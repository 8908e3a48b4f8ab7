"""Checks that the work goes on: the gateway answers, its queues move, the log follows, jobs run. Pure; rows of `watchdog.checks.CHECKS`."""

from collections.abc import Iterator
from typing import Final

from watchdog.checks_programs import ALIVE, identity
from watchdog.history import History
from watchdog.limits import Limits
from watchdog.model import ConnectorFacts, Cure, Facts, Finding, GatewayFacts, ProgramFacts, Severity

GATEWAY, RECORDER, SCHEDULER = "gateway", "recorder", "scheduler"
TOLD_BY_OTHERS: Final = frozenset({"stopping", "loop_late"})
"""Codes of /health that are no fault, or not yet."""
DEADLY: Final = frozenset({"commit_hangs"})
"""Codes after which the gateway does nothing more until it is started anew."""


# -- the gateway


def silent(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The gateway does not answer: not at all, or not any more. One that starts, or drains, may take its time."""
    gateway, program = facts.gateway, facts.programs.get(GATEWAY)
    if gateway is None or (program is not None and program.state not in ALIVE):
        return
    who = identity(program)
    drains = history.keep("gateway drains", "stopping" in _codes(gateway) if gateway.answered else None, who)
    seconds = history.lasts("gateway", not gateway.answered, who)
    listened = history.lasts("gateway listens", gateway.listens and not gateway.answered, who)
    if gateway.answered or history.in_a_row("gateway") < 2:
        return
    if (
        program is not None
        and not history.was_right("gateway")
        and _starts(gateway, program, seconds, listened, limits)
    ):
        return
    if seconds < (limits.stop_patience if drains else limits.patience):
        return
    frozen = program is not None and program.process_state == "T"
    cure = Cure.NONE if program is None else Cure.CONTINUE if frozen else Cure.KILL
    text = f"the gateway has not answered for {seconds:.1f} s" + (f": {gateway.error}" if gateway.error else "")
    yield Finding("gateway:silent", text, Severity.CRITICAL, GATEWAY if program else "", cure)


def _starts(gateway: GatewayFacts, program: ProgramFacts, silent: float, listened: float, limits: Limits) -> bool:
    """It has not come up yet, and still may."""
    if gateway.listens and listened >= limits.listening_patience:
        return False
    return (program.age or silent) < limits.start_patience


def drains(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The gateway answers that it stops, and does not end: nobody is served meanwhile, and nobody starts another."""
    gateway, program = facts.gateway, facts.programs.get(GATEWAY)
    if gateway is None or not gateway.health:
        return
    seconds = history.lasts("drains", "stopping" in _codes(gateway), identity(program))
    if seconds >= limits.stop_patience:
        text = f"the gateway has been stopping for {seconds:.0f} s"
        yield Finding("gateway:drains", text, Severity.CRITICAL, GATEWAY if program else "", _cure(program, Cure.KILL))


def health(_history: History, facts: Facts, _limits: Limits) -> Iterator[Finding]:
    """What the gateway says is wrong with it."""
    if facts.gateway is None:
        return
    program = facts.programs.get(GATEWAY)
    said = facts.gateway.health.get("faults") or ()
    for number, code in enumerate(_codes(facts.gateway)):
        if code in TOLD_BY_OTHERS:
            continue
        text = str(said[number]) if number < len(said) else code
        cure = _cure(program, Cure.KILL) if code in DEADLY else Cure.NONE
        yield Finding(
            f"gateway:{code}", f"the gateway says: {text}", Severity.CRITICAL, GATEWAY if program else "", cure
        )


def late(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The gateway's event loop is late again and again; where it says so itself, it, or its regular duties, hang."""
    gateway, program = facts.gateway, facts.programs.get(GATEWAY)
    if gateway is None:
        return
    lag = gateway.health.get("loop_lag_seconds")
    if not isinstance(lag, int | float):
        return
    who, hangs = identity(program), "loop_late" in _codes(gateway)
    hung = history.lasts("loop late", hangs, who)
    seconds = history.lasts("late", lag >= limits.late, who)
    if seconds < limits.late_lasts:
        return
    deadly = hangs and hung >= limits.late_lasts
    text = f"the gateway's event loop or its regular duties are {lag:.1f} s late, for {seconds:.0f} s now"
    severity = Severity.CRITICAL if deadly else Severity.WARNING
    cure = _cure(program, Cure.KILL) if deadly else Cure.NONE
    yield Finding("gateway:late", text, severity, GATEWAY if program else "", cure)


# -- its connectors and its outbox


def stuck(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A connector is up, messages are due in its queue, and nothing moves."""
    gateway, program = _fresh(facts, limits), facts.programs.get(GATEWAY)
    if gateway is None:
        return
    who = gateway.status.get("process")
    for connector in gateway.connectors:
        if not connector.up or connector.due <= 0:
            continue  # forgotten: it begins anew
        moves = (who, connector.finished, connector.in_flight)
        seconds = history.unchanged(("stuck", connector.name), moves)
        waits = connector.patience if connector.in_flight else 0.0
        if seconds < limits.stuck + waits:
            continue
        text = (
            f"connector {connector.name} is up with {connector.due} messages due and {connector.in_flight} in flight,"
            f" and nothing has moved for {seconds:.0f} s"
        )
        key = f"connector:{connector.name}:stuck"
        if seconds >= limits.stuck_restart + waits:
            yield Finding(key, text, Severity.CRITICAL, GATEWAY if program else "", _cure(program, Cure.RESTART))
        else:
            yield Finding(key, text)


def unanswered(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The far side of a connector never answers: each message is tried again and again, which looks like work, and none is taken. No restart helps against that."""
    gateway = _fresh(facts, limits)
    if gateway is None:
        return
    who = gateway.status.get("process")
    for connector in gateway.connectors:
        seen = ("taken", connector.name)
        before = history.keep(seen, None, who)
        if not isinstance(before, tuple) or before[0] != connector.taken:
            before = history.keep(seen, (connector.taken, connector.unanswered), who)
            assert isinstance(before, tuple), "it was just given"
        tries = connector.unanswered - before[1]
        seconds = history.lasts(("unanswered", connector.name), bool(tries and connector.waiting), who)
        if seconds >= limits.unanswered and tries >= limits.unanswered_tries and connector.state != "retrying":
            text = (
                f"the far side of connector {connector.name} has taken nothing for {seconds / 60:.0f} minutes:"
                f" {tries} tries got no answer, and {connector.waiting} messages wait"
            )
            yield Finding(f"connector:{connector.name}:unanswered", text)


def connectors_down(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """A connector tries to get a session and gets none."""
    gateway = _fresh(facts, limits)
    if gateway is None:
        return
    for connector in gateway.connectors:
        seconds = history.lasts(("connector down", connector.name), connector.state == "retrying")
        if seconds >= limits.connector_down:
            yield Finding(f"connector:{connector.name}:down", _why_down(connector, seconds))


def _why_down(connector: ConnectorFacts, seconds: float) -> str:
    waiting = f", {connector.due} messages wait" if connector.due else ""
    fault = f": {connector.fault}" if connector.fault else ""
    return f"connector {connector.name} has had no session for {seconds / 60:.0f} minutes{waiting}{fault}"


def copy(_history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The gateway had to start while its configuration had a fault: what was changed last is not in force."""
    gateway = _fresh(facts, limits)
    if gateway is not None and (faults := gateway.status.get("configuration_faults")):
        yield Finding("gateway:configuration", f"the gateway could not use its configuration: {faults}")


def outbox(_history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """So many events wait for the log that new messages are, or soon will be, refused; or the recorder wants somebody to look."""
    gateway = _fresh(facts, limits)
    if gateway is None:
        return
    if alarm := gateway.status.get("outbox_alarm"):
        yield Finding("outbox:full", str(alarm), Severity.CRITICAL)
    if notice := gateway.status.get("recorder_notice"):
        yield Finding("recorder:notice", f"the recorder says: {notice}")


# -- the database and who works on it


def database(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The database does not answer: messages flow, but nothing is logged and no change is seen."""
    if facts.database is None:
        return
    seconds = history.lasts("database", bool(facts.database))
    losses = history.changed_within("database comes and goes", bool(facts.database), limits.database_flaps_within) // 2
    if seconds >= limits.database:
        yield Finding("database:away", f"{facts.database}, for {seconds:.0f} s")
    elif losses >= limits.database_flaps:
        text = f"the database comes and goes: it was away {losses} times within {limits.database_flaps_within:.0f} s"
        yield Finding("database:away", text)


def recorder(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """The log does not follow although the database answers: the recorder is mute, stands still, says what stops it, or is too slow."""
    program, said = facts.programs.get(RECORDER), facts.recorder
    if facts.database != "" or said is None or (program is not None and program.state != "RUNNING"):
        return
    who = identity(program)
    name, cure = RECORDER if program else "", _cure(program, Cure.RESTART)
    mute = history.unchanged("recorder at", (who, said.pid, said.at))
    waits = said.last > said.position
    stands = history.unchanged(
        "recorder position", (who, said.pid, said.position, waits)
    )  # idle for an hour is not stuck
    failing = history.lasts("recorder error", bool(said.error), who)
    since, grown = history.rising("recorder lag", said.lag_events, who)
    if mute >= limits.recorder:
        yield Finding("recorder:mute", f"the recorder has said nothing for {mute:.0f} s", Severity.WARNING, name, cure)
    elif said.error:
        if failing >= limits.recorder:
            yield Finding("recorder:error", f"the recorder can't go on for {failing:.0f} s: {said.error}")
    elif waits and stands >= limits.recorder:
        text = f"{said.last - said.position} rows of events wait for the log, and the recorder has written none for {stands:.0f} s"
        yield Finding("recorder:stuck", text, Severity.WARNING, name, cure)
    elif since >= limits.recorder and grown > 0 and said.lag_seconds >= limits.recorder:
        text = f"{said.lag_events} events wait for the log, more and more for {since:.0f} s: it is {said.lag_seconds:.0f} s behind"
        yield Finding("recorder:behind", text)


def scheduler(history: History, facts: Facts, limits: Limits) -> Iterator[Finding]:
    """No job has begun for longer than the shortest of their schedules allows, although the database answers."""
    program = facts.programs.get(SCHEDULER)
    if facts.database != "" or (program is None or program.state != "RUNNING"):
        return
    if facts.scheduler_run is not None and facts.scheduler_run > facts.at + limits.clock:
        return  # the clock was set back: jobs are due when it has come there again, and a restart would not change that
    seconds = history.unchanged("scheduler", (identity(program), facts.scheduler_run))
    if seconds >= limits.scheduler:
        text = f"no job of the scheduler has begun for {seconds:.0f} s"
        yield Finding("scheduler:silent", text, Severity.WARNING, SCHEDULER, Cure.RESTART)


# -- words


def _codes(gateway: GatewayFacts) -> tuple[str, ...]:
    codes = gateway.health.get("codes")
    return tuple(str(code) for code in codes) if isinstance(codes, list | tuple) else ()


def _cure(program: ProgramFacts | None, cure: Cure) -> Cure:
    """Nobody can cure what supervisord does not run."""
    return cure if program is not None else Cure.NONE


def _fresh(facts: Facts, limits: Limits) -> GatewayFacts | None:
    """The gateway, while what it said of its queues is true and means something: not of long ago, and not while it drains."""
    gateway = facts.gateway
    if gateway is None or not gateway.seen or facts.now - gateway.seen > limits.stale or "stopping" in _codes(gateway):
        return None
    return gateway
