"""The loop with parts that say, do and break what a test wants: it looks, acts and tells, and never dies."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pytest

from emg.errors import ControlError, EmgError
from watchdog import loop
from watchdog.alerts import Alert, News, Notice
from watchdog.healing import Healing
from watchdog.loop import Watchdog
from watchdog.model import Act, Cure, Facts, Finding, GatewayFacts, ProgramFacts, Severity
from watchdog.pulse import Pulse

SILENT = Finding("gateway:silent", "the gateway does not answer", Severity.CRITICAL, "gateway", Cure.KILL)


class Parts:
    """All parts of a watchdog; each does what its attribute says, and raises it where it is an error."""

    def __init__(self) -> None:
        self.pid = 7
        self.found: Any = ()
        self.looking: Any = None
        self.carrying: Any = "was killed"
        self.updating: Any = ()
        self.telling: Any = None
        self.looks = 0
        self.lates: list[float] = []
        self.did_to: list[tuple[str, str]] = []
        self.updates: list[tuple[Finding, ...]] = []
        self.told: list[Any] = []
        self.carried: list[tuple[Act, str, int]] = []
        self.kept = 0
        self.thawed = 0
        self.thawing: Any = True
        self.beats = 0

    def _do(self, what: Any) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what() if callable(what) else what

    def look(self, late: float) -> Facts:
        self.looks += 1
        self.lates.append(late)
        given = self._do(self.looking)
        if given is not None:
            return given
        program = ProgramFacts("gateway", "RUNNING", self.pid)
        return Facts(time.monotonic(), time.time(), supervisor="", programs={"gateway": program})

    def checks(self, _facts: Facts) -> tuple[Finding, ...]:
        return self._do(self.found)

    def carry_out(self, action: Any) -> str:
        self.carried.append((action.act, action.program, action.pid))
        return self._do(self.carrying)

    def thaw_supervisor(self) -> bool:
        self.thawed += 1
        return self._do(self.thawing)

    def dump(self, program: str) -> Path:
        return Path(f"/log/dump/{program}")

    def update(self, findings: Any, _at: float) -> Any:
        self.updates.append(tuple(findings))
        return self._do(self.updating)

    def did(self, program: str, text: str, _at: float) -> None:
        self.did_to.append((program, text))

    def show(self) -> Any:
        return []

    def tell(self, notices: Any) -> None:
        self._do(self.telling)
        self.told += notices

    def status(self) -> Any:
        return []

    def keep(self, _records: Any) -> None:
        self.kept += 1

    def beat(self) -> None:
        self.beats += 1


class Run:
    """A watchdog that turns every 10 ms."""

    def __init__(self, monkeypatch, supervised: bool = True) -> None:
        monkeypatch.setattr(loop, "SHORTEST_SECONDS", 0.001)
        self.parts = parts = Parts()
        self.watchdog = Watchdog(
            parts, parts.checks, Healing(restarts=2), parts if supervised else None, parts, parts, None, 0.01, parts.keep, parts.beat
        )  # fmt: skip
        self.watchdog.start()
        self.greenlet = gevent.spawn(self.watchdog.serve)

    def until(self, true: Callable[[], Any]) -> None:
        with gevent.Timeout(5):
            while not true():
                gevent.sleep(0.001)
                assert not self.greenlet.dead

    def turns(self, count: int = 3) -> None:
        wanted = self.watchdog.turns + count
        self.until(lambda: self.watchdog.turns >= wanted)

    def stop(self) -> None:
        self.watchdog.stop()
        self.greenlet.get(timeout=5)


@pytest.fixture
def run(monkeypatch):
    running = Run(monkeypatch)
    yield running
    running.stop()


def keys(run: Run) -> list[str]:
    return [finding.key for finding in run.watchdog.findings]


def test_each_turn_is_told_to_the_book_and_its_news_to_the_channels(run):
    notice = Notice(News.RAISED, Alert(SILENT.key, SILENT.text, SILENT.severity, "gateway", 0.0, 0.0), 1)
    run.parts.found, run.parts.updating = (SILENT,), [notice]
    run.until(lambda: run.parts.told)
    assert run.parts.updates[-1][0] == SILENT
    assert run.parts.told[0] == notice
    assert run.parts.beats


def test_a_cure_is_carried_out_once_and_remembered(run):
    run.parts.found = (SILENT,)
    run.until(lambda: run.watchdog.deeds)
    run.turns()
    assert run.parts.carried == [(Act.KILL, "gateway", 7)]
    (deed,) = run.watchdog.deeds
    assert (deed.act, deed.program, deed.reason, deed.outcome) == ("kill", "gateway", SILENT.text, "was killed")
    assert run.parts.did_to == [("gateway", "gateway was killed")]
    assert run.parts.kept == 1
    assert run.watchdog.status()["deeds"][0]["outcome"] == "was killed"
    assert run.watchdog.status()["healing"]["gateway"]["restarts"] == 1


def test_an_action_that_fails_is_told_and_tried_again(run, caplog):
    run.parts.found, run.parts.carrying = (SILENT,), EmgError("supervisord does not answer")
    run.until(lambda: len(run.watchdog.deeds) >= 3)
    assert run.watchdog.deeds[0].outcome == "kill failed: supervisord does not answer"
    assert run.watchdog.status()["healing"] == {}, "nothing was done, so nothing counts"
    run.parts.carrying = ValueError("a fault of ours")
    run.until(lambda: run.watchdog.deeds[-1].outcome == "kill failed: ValueError")
    assert "a fault of ours" in caplog.text


def test_an_action_that_takes_long_holds_up_nobody_and_is_alone(run):
    go_on = gevent.event.Event()
    run.parts.found, run.parts.carrying = (SILENT,), lambda: go_on.wait() and "was killed"
    run.until(lambda: run.parts.carried)
    run.parts.pid = 8
    run.turns(10)
    assert run.parts.carried == [(Act.KILL, "gateway", 7)]
    go_on.set()
    run.until(lambda: run.watchdog.deeds)


def test_an_action_has_a_deadline(run, monkeypatch):
    monkeypatch.setattr(loop, "ACTION_SECONDS", 0.01)
    run.parts.found, run.parts.carrying = (SILENT,), lambda: gevent.sleep(60)
    run.until(lambda: run.watchdog.deeds)
    assert "not done within" in run.watchdog.deeds[0].outcome


@pytest.mark.parametrize("part", ["looking", "found", "updating", "telling"])
@pytest.mark.parametrize("error", [EmgError("no"), RuntimeError("a fault of ours"), RecursionError("deep")])
def test_a_part_that_fails_is_told_of_and_the_loop_goes_on(run, caplog, part, error):
    caplog.set_level(logging.INFO)
    run.turns()
    setattr(run.parts, part, error)
    run.turns(5)
    name = {"looking": "probe", "found": "checks", "updating": "alerts", "telling": "channels"}[part]
    assert keys(run) == [f"watchdog:{name}"]
    assert name in run.watchdog.status()["failures"]
    assert len([record for record in caplog.records if f"{name} fails" in record.message]) == 1, "logged once"
    setattr(run.parts, part, () if part in ("found", "updating") else None)
    run.turns()
    assert keys(run) == []
    assert f"{name} works again" in caplog.text


@pytest.mark.parametrize("part", ["looking", "found"])
def test_what_was_wrong_is_not_over_because_nobody_could_look(run, part):
    quiet = Finding("disk:/", "full")
    run.parts.found = (quiet,)
    run.turns()
    setattr(run.parts, part, EmgError("no"))
    run.turns()
    assert "disk:/" in keys(run)
    assert "disk:/" in [finding.key for finding in run.parts.updates[-1]]


def test_a_look_has_a_deadline(run, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_SECONDS", 0.01)
    run.parts.looking = lambda: gevent.sleep(60)
    run.until(lambda: keys(run) == ["watchdog:probe"])


def test_trouble_of_the_watchdogs_own_is_a_finding_until_it_is_over(run):
    run.watchdog.note("api", Finding("watchdog:api", "port 3000 is taken"))
    run.turns()
    assert keys(run) == ["watchdog:api"]
    run.watchdog.note("api", None)
    run.turns()
    assert keys(run) == []


def test_a_supervisord_that_does_not_answer_is_told_to_go_on(run, caplog):
    run.turns()
    assert run.parts.thawed == 0
    run.parts.looking = lambda: Facts(time.monotonic(), time.time(), supervisor="supervisord does not answer")
    run.until(lambda: "supervisord was stopped by a signal" in caplog.text)
    run.parts.thawing = EmgError("not allowed")
    run.until(lambda: keys(run) == ["watchdog:supervisord"])


def test_it_looks_at_once_when_it_is_woken(run):
    run.watchdog.interval = 60.0
    run.turns(1)
    gevent.sleep(0.02)
    before = run.parts.looks
    run.watchdog.wake()
    run.until(lambda: run.parts.looks > before)


@pytest.mark.parametrize(
    ("facts", "hurried"),
    [
        (Facts(1, 1), False),
        (Facts(1, 1, gateway=GatewayFacts(answered=True)), False),
        (Facts(1, 1, gateway=GatewayFacts(answered=False)), True),
        (Facts(1, 1, programs={"recorder": ProgramFacts("recorder", "RUNNING", 1)}), False),
        (Facts(1, 1, programs={"recorder": ProgramFacts("recorder", "STOPPED")}), False),
        (Facts(1, 1, programs={"recorder": ProgramFacts("recorder", "BACKOFF")}), True),
        (Facts(1, 1, programs={"recorder": ProgramFacts("recorder", "STARTING", 1)}), True),
    ],
)
def test_it_looks_more_often_while_something_is_away(run, facts, hurried):
    run.watchdog.interval = 1.0
    run.watchdog.facts = facts
    assert run.watchdog._pause() == (loop.HURRIED_SECONDS if hurried else 1.0)


def test_started_by_hand_it_touches_nobody(monkeypatch):
    run = Run(monkeypatch, supervised=False)
    run.parts.found = (SILENT,)
    run.turns(5)
    assert run.parts.carried == []
    assert run.watchdog.status()["supervised"] is False
    with pytest.raises(ControlError, match="not started by supervisord"):
        run.watchdog.dump("gateway")
    run.stop()


def test_it_knows_when_it_does_not_turn(run):
    run.turns(1)
    assert run.watchdog.alive()
    run.watchdog._turned -= 60
    assert not run.watchdog.alive()
    run.turns(1)
    assert run.watchdog.alive()


def test_a_dump_is_the_hands_business(run):
    assert run.watchdog.dump("gateway") == Path("/log/dump/gateway")


def test_the_pulse_tells_how_late_the_program_was():
    pulse = Pulse()
    assert pulse.late() == 0.0, "it does not measure yet"
    pulse.start()
    gevent.sleep(0.01)
    time.sleep(0.5)  # as if the machine had slept
    late = pulse.late()
    assert 0.2 < late < 5.0
    gevent.sleep(0.01)
    pulse.late()
    assert pulse.late() < late
    pulse.stop()
