"""What is done against what is wrong: each rule with values alone."""

import pytest

from watchdog.healing import Healing
from watchdog.model import Act, Action, Cure, Facts, Finding, ProgramFacts, Severity

SILENT = Finding("gateway:silent", "the gateway does not answer", Severity.CRITICAL, "gateway", Cure.KILL)
FAT = Finding("gateway:memory", "the gateway takes too much", Severity.WARNING, "gateway", Cure.RESTART)
DOWN = Finding("gateway:down", "the gateway does not run", Severity.CRITICAL, "gateway", Cure.START)


def facts(
    now: float,
    state: str = "RUNNING",
    pid: int = 7,
    process_state: str = "S",
    late: float = 0.0,
    name: str = "gateway",
    supervisor: str | None = "",
    slept: float = 0.0,
):
    program = ProgramFacts(
        name, state, pid if state in ("RUNNING", "STARTING", "STOPPING") else 0, process_state=process_state
    )
    return Facts(now, 1e9 + now, late, programs={name: program}, supervisor=supervisor, slept=slept)


class Course:
    """Healing fed look after look; what it did as (time, act, pid)."""

    def __init__(self, healing: Healing) -> None:
        self.healing = healing
        self.now = 100.0
        self.done: list[tuple[float, Act, int]] = []
        self.last: list[Action] = []
        self.findings: tuple[Finding, ...] = ()

    def goes(self, seconds: float, *findings: Finding, step: float = 0.5, **seen) -> list[tuple[float, Act, int]]:
        """Look for that long; what was done in it."""
        before = len(self.done)
        for _ in range(round(seconds / step)):
            self.now += step
            verdict = self.healing.decide(facts(self.now, **seen), findings)
            self.last += verdict.actions
            self.done += [(self.now, action.act, action.pid) for action in verdict.actions]
            self.findings = verdict.findings
        return self.done[before:]

    def acts(self, seconds: float, *findings: Finding, **seen) -> list[Act]:
        return [act for _, act, _ in self.goes(seconds, *findings, **seen)]


@pytest.fixture
def course() -> Course:
    return Course(Healing(restarts=3, window=600.0, stop_seconds={"gateway": 20.0}))


def test_what_is_well_is_left_alone(course):
    assert course.acts(100) == []


def test_a_silent_program_is_killed_at_once_and_once(course):
    assert course.goes(60, SILENT) == [(100.5, Act.KILL, 7)]


def test_a_finding_without_a_cure_is_for_people(course):
    assert course.acts(10, Finding("disk:/", "full", Severity.CRITICAL, "gateway")) == []


def test_a_killed_process_that_stays_is_told_of(course):
    course.goes(9, SILENT)
    assert course.findings == ()
    course.goes(3, SILENT)
    assert [(finding.key, finding.severity) for finding in course.findings] == [
        ("program:gateway:unkillable", Severity.CRITICAL)
    ]
    course.goes(1, pid=8)
    assert course.findings == ()


def test_the_next_process_is_a_new_case_but_not_at_once(course):
    course.goes(0.5, SILENT, pid=7)
    assert course.goes(10, SILENT, pid=8) == [(105.5, Act.KILL, 8)]


def test_restarts_are_bounded_then_people_are_told_and_after_a_quiet_window_it_goes_on(course):
    for pid in (1, 2, 3):
        assert course.acts(10, SILENT, pid=pid) == [Act.KILL]
    assert course.acts(500, SILENT, pid=4, step=5.0) == []
    assert [(finding.key, finding.severity) for finding in course.findings] == [
        ("program:gateway:given-up", Severity.CRITICAL)
    ]
    assert "3 within 600 s" in course.findings[0].text
    assert course.acts(80, SILENT, pid=4) == [], "the first of them is out of the window, but the window was not quiet"
    assert course.acts(30, SILENT, pid=4) == [Act.KILL]
    assert course.acts(10, SILENT, pid=5) == [Act.KILL], "and it has all of its restarts again"


def test_giving_up_is_told_of_only_while_something_is_wrong(course):
    for pid in (1, 2, 3):
        course.goes(10, SILENT, pid=pid)
    course.goes(1, SILENT, pid=4)
    assert course.findings
    course.goes(1, pid=4)
    assert course.findings == ()


def test_with_no_restarts_people_are_told_and_starts_and_sigcont_stay():
    course = Course(Healing(restarts=0))
    assert course.acts(60, SILENT) == []
    assert [finding.text for finding in course.findings] == [
        "gateway is not restarted: WATCHDOG_RESTARTS is 0. the gateway does not answer"
    ]
    assert set(course.acts(3, SILENT, process_state="T")) == {Act.CONTINUE}
    assert course.acts(3, DOWN, state="FATAL") == [Act.START]


def test_the_bound_is_each_programs_own():
    healing = Healing(restarts=1)
    for name in ("gateway", "recorder"):
        finding = Finding(f"{name}:x", "x", Severity.WARNING, name, Cure.KILL)
        assert [action.program for action in healing.decide(facts(5, name=name), [finding]).actions] == [name]


def test_a_restart_is_an_orderly_stop_and_what_does_not_end_is_killed(course):
    assert course.goes(15, FAT) == [(100.5, Act.RESTART, 7)]
    assert course.goes(10) == [(120.5, Act.KILL, 7)], "even if what was wrong with it is over"
    assert "has not stopped within 20 s" in course.last[-1].reason


def test_a_program_that_drains_is_not_killed_for_its_silence(course):
    course.goes(1, FAT)
    assert course.acts(15, FAT, SILENT) == []


def test_the_kill_of_what_does_not_stop_belongs_to_its_restart(course):
    for pid in (1, 2, 3):
        assert course.acts(40, FAT, pid=pid) == [Act.RESTART, Act.KILL]


def test_of_several_findings_the_one_that_needs_most_decides(course):
    assert course.acts(1, FAT, SILENT) == [Act.KILL]


def test_a_frozen_program_is_continued_and_killed_only_if_that_does_not_help(course):
    frozen = {"process_state": "T"}
    assert course.goes(2, SILENT, **frozen) == [(100.5, Act.CONTINUE, 7), (101.5, Act.CONTINUE, 7)]
    assert course.goes(5, SILENT, **frozen) == [(102.5, Act.CONTINUE, 7), (103.5, Act.KILL, 7)]


def test_a_continued_program_gets_time_to_answer(course):
    course.goes(0.5, SILENT, process_state="T")
    assert course.goes(2, SILENT) == [(101.5, Act.KILL, 7)]


def test_a_finding_that_asks_only_for_sigcont_never_kills(course):
    halted = Finding("gateway:halted", "stopped by a signal", Severity.WARNING, "gateway", Cure.CONTINUE)
    assert set(course.acts(60, halted, process_state="T")) == {Act.CONTINUE}


@pytest.mark.parametrize("state", ["STOPPED", "STOPPING", "UNKNOWN"])
def test_a_program_stopped_on_purpose_is_left_alone(course, state):
    assert course.acts(300, SILENT, FAT, DOWN, state=state) == []


def test_a_starting_program_is_left_alone(course):
    assert course.acts(30, SILENT, FAT, state="STARTING") == []


def test_nobody_acts_on_the_watchdog_itself():
    finding = Finding("watchdog:memory", "x", Severity.WARNING, "watchdog", Cure.KILL)
    assert Healing().decide(facts(5, name="watchdog"), [finding]).actions == ()


@pytest.mark.parametrize("state", ["FATAL", "BACKOFF", "EXITED"])
def test_a_program_that_does_not_run_is_started_with_growing_pauses_for_ever(course, state):
    times = [moment - 100.5 for moment, _, _ in course.goes(400, DOWN, state=state)]
    assert times == [2, 6, 14, 30, 62, 122, 182, 242, 302, 362]
    assert course.findings == ()
    assert {act for _, act, _ in course.done} == {Act.START}


def test_supervisords_own_try_comes_first(course):
    assert course.acts(1.5, DOWN, state="EXITED") == []
    assert course.acts(60) == []


def test_a_program_that_ran_for_a_while_is_started_without_a_long_pause(course):
    course.goes(60, DOWN, state="FATAL")
    course.goes(40)
    assert [moment - course.now for moment, _, _ in course.goes(4, DOWN, state="FATAL")] == [-1.5]


def test_a_program_that_dies_again_and_again_keeps_its_pause(course):
    course.goes(20, DOWN, state="BACKOFF")  # started after 2, 6 and 14 s; next after 30
    course.goes(2)
    assert course.acts(8, DOWN, state="BACKOFF") == []
    assert course.acts(1, DOWN, state="BACKOFF") == [Act.START]


def test_who_was_late_blames_nobody(course):
    assert course.acts(1, SILENT, late=20.0) == []
    assert course.acts(2.5, SILENT) == [], "it may have been seen silent only because nobody looked"
    assert course.acts(1, SILENT) == [Act.KILL]


def test_a_machine_that_slept_blames_nobody_either(course):
    assert course.acts(0.5, SILENT, slept=3600.0) == []
    assert course.acts(2.5, SILENT) == []
    assert course.acts(1, SILENT) == [Act.KILL]


def test_nothing_is_done_while_supervisord_does_not_answer(course):
    for finding, seen in ((SILENT, {}), (SILENT, {"process_state": "T"}), (DOWN, {"state": "FATAL"})):
        assert course.acts(10, finding, supervisor="supervisord does not answer", **seen) == []


def test_who_was_late_may_help_without_harm(course):
    assert Act.CONTINUE in course.acts(1, SILENT, process_state="T", late=20.0)
    assert course.acts(3, DOWN, state="FATAL", late=20.0) == [Act.START]


def test_what_could_not_be_done_is_decided_again_and_not_counted(course):
    for _ in range(10):
        assert course.acts(0.5, SILENT) == [Act.KILL]
        course.healing.undone(course.last[-1])
    assert course.healing.status() == {}
    assert course.acts(0.5, FAT) == [Act.RESTART]
    course.healing.undone(course.last[-1])
    assert course.acts(30, FAT) == [Act.RESTART, Act.KILL]
    course.healing.undone(course.last[-1])
    assert course.acts(0.5, FAT) == [Act.KILL], "it was asked to stop, and still has not"
    assert course.healing.status()["gateway"]["restarts"] == 1


def test_the_bound_holds_over_the_watchdogs_own_restart(course):
    for pid in (1, 2, 3):
        course.goes(10, SILENT, pid=pid)
    course.goes(1, SILENT, pid=4)
    again = Healing(restarts=3, window=600.0)
    again.recall(course.healing.memory(), course.now)
    course.healing = again
    assert course.acts(500, SILENT, pid=4, step=5.0) == []
    assert course.findings[0].key == "program:gateway:given-up"


def test_status_tells_what_was_done(course):
    course.goes(1, SILENT)
    assert course.healing.status() == {
        "gateway": {"restarts": 1, "gave_up": False, "reason": "the gateway does not answer"}
    }
