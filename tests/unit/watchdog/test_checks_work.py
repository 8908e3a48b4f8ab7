"""Checks that the work goes on: each raises, does not raise just below, clears; and what is no fault though it looks like one."""

from typing import Any

import pytest

from tests.unit.watchdog.looks import EPOCH, Watch, changed, connector, health, program, recorder
from watchdog.checks import Limits
from watchdog.model import Cure, Finding, Severity

# -- a gateway that does not answer


def answering(**given: Any) -> Watch:
    """A gateway that has answered, looked at four times a second."""
    watch = Watch(step=0.25, **given).gateway()
    watch.found(5)
    return watch


def test_a_gateway_that_answers_no_more_is_killed() -> None:
    watch = answering().mute("it hangs")
    assert watch.found(2.25) == {}
    found = watch.found(0.25)["gateway:silent"]
    assert (found.severity, found.program, found.cure) == (Severity.CRITICAL, "gateway", Cure.KILL)
    assert found.text == "the gateway has not answered for 2.5 s: it hangs"
    assert watch.gateway().found(0.25) == {}


def test_one_missed_answer_is_none_however_long_the_last_look_is_ago() -> None:
    watch = answering().mute()
    assert watch.look(passed=10.0) == []
    assert [finding.key for finding in watch.look()] == ["gateway:silent"]


def test_a_gateway_that_was_stopped_by_a_signal_is_continued_not_killed() -> None:
    watch = answering().mute().programs(program(process_state="T"))
    found = watch.found(2.5)
    assert {finding.cure for finding in found.values()} == {Cure.CONTINUE}
    assert found.keys() == {"gateway:silent", "program:gateway:halted"}


def test_a_gateway_that_starts_may_take_its_time() -> None:
    watch = Watch(step=0.25).programs(program(age=1.0)).mute("it is not running")
    for second in range(1, 120):
        assert watch.programs(program(age=float(second))).found(1) == {}
    assert watch.programs(program(age=120.0)).found(0.25)["gateway:silent"].cure is Cure.KILL
    assert watch.gateway().found(0.25) == {}


def test_a_gateway_that_starts_and_whose_age_nobody_knows_may_take_as_long() -> None:
    watch = Watch().programs(program(age=0.0, born=0)).mute()
    assert watch.found(119) == {}
    assert "gateway:silent" in watch.found(2)


def test_a_gateway_that_hung_before_the_watchdog_came_is_seen_soon() -> None:
    watch = Watch(step=0.25).programs(program(age=4000.0)).mute()
    assert watch.found(2.5) == {}
    assert watch.found(0.25)["gateway:silent"].cure is Cure.KILL


def test_a_gateway_that_was_restarted_between_two_looks_starts() -> None:
    """It answered at the last look, but that was another process, even if its pid is the same."""
    watch = answering().mute()
    watch.found(2)
    watch.programs(program(born=9999, age=0.5))
    assert watch.found(100) == {}
    watch = answering().mute().programs(program(pid=101, age=0.5))
    assert watch.found(100) == {}


@pytest.mark.parametrize("state", ["EXITED", "BACKOFF", "FATAL"])
def test_a_gateway_that_does_not_run_is_down_not_silent(state: str) -> None:
    watch = answering().mute().programs(program(state=state))
    assert watch.found(60).keys() == {"program:gateway:down"}


def test_a_gateway_that_was_stopped_on_purpose_is_no_fault() -> None:
    watch = answering()
    watch._gateway = None
    assert watch.programs(program(state="STOPPED")).found(600) == {}


def test_a_gateway_that_drains_may_be_silent_for_longer() -> None:
    """Somebody has sent it a SIGTERM by hand: supervisord does not know, its last words were that it stops, and then it closes the spool."""
    watch = answering().gateway("stopping")
    assert watch.found(20) == {}
    watch.mute()
    assert watch.found(119) == {}
    assert watch.found(1.25)["gateway:silent"].cure is Cure.KILL


def test_a_gateway_that_answers_but_never_ends_its_stop_is_killed() -> None:
    watch = answering().gateway("stopping")
    assert watch.found(119) == {}
    found = watch.found(1.25)["gateway:drains"]
    assert (found.cure, found.severity) == (Cure.KILL, Severity.CRITICAL)
    assert watch.gateway().found(1) == {}


def test_a_gateway_that_was_to_stop_and_was_started_again_is_not_waited_for() -> None:
    watch = answering().gateway("stopping")
    watch.found(1)
    watch.programs(program(pid=101)).gateway()
    watch.found(1)
    assert "gateway:silent" in watch.mute().found(3)


@pytest.mark.parametrize("clock", [{"late": 60.0}, {"late": 59.5}])
def test_a_watchdog_that_was_late_blames_nobody(clock: dict[str, float]) -> None:
    """SIGSTOP, a starved machine: no answer was read meanwhile, and the gateway may have been held up as well."""
    watch = answering().mute()
    watch.found(1)
    assert watch.look(passed=60.0, **clock) == []
    assert watch.look() == []
    assert "gateway:silent" in watch.found(3)


@pytest.mark.parametrize("jump", [86400.0, -86400.0])
def test_a_clock_that_jumps_makes_nobody_silent(jump: float) -> None:
    watch = (
        Watch().programs(program(), program("recorder"), program("scheduler")).gateway(connectors=(connector(due=1),))
    )
    watch.given(database="", recorder=recorder(), scheduler_run=EPOCH)
    watch.found(10)
    assert [finding.key for finding in watch.look(jump=jump)] == ["machine:clock"]
    assert watch.found(40).keys() == {"machine:clock"}


def test_without_supervisord_it_is_told_and_not_cured() -> None:
    watch = Watch(supervised=False).mute()
    found = watch.found(4)["gateway:silent"]
    assert (found.program, found.cure) == ("", Cure.NONE)
    watch.gateway("commit_hangs", connectors=(connector(due=1),))
    assert {finding.cure for finding in watch.found(1000).values()} == {Cure.NONE}


# -- what it says of itself


def test_a_full_spool_is_told_and_not_cured() -> None:
    watch = answering().gateway("spool_full")
    found = watch.found(0.25)["gateway:spool_full"]
    assert (found.severity, found.cure) == (Severity.CRITICAL, Cure.NONE)
    assert found.text == "the gateway says: about spool_full"
    assert watch.gateway().found(0.25) == {}


def test_a_commit_that_hangs_ends_the_gateway() -> None:
    assert answering().gateway("commit_hangs").found(0.25)["gateway:commit_hangs"].cure is Cure.KILL


def test_a_code_that_is_new_is_told() -> None:
    assert answering().gateway("tired").found(0.25)["gateway:tired"].cure is Cure.NONE


def test_a_health_that_makes_no_sense_says_nothing() -> None:
    odd: dict[str, Any] = {"codes": 5, "faults": None, "loop_lag_seconds": "much"}
    assert answering().gateway(health=odd).found(60) == {}
    assert list(answering().gateway(health=health("tired", faults=[])).found(60)) == ["gateway:tired"]


def test_a_loop_that_is_late_again_and_again() -> None:
    watch = answering().gateway(health=health(loop_lag_seconds=0.99))
    assert watch.found(60) == {}
    watch.gateway(health=health(loop_lag_seconds=1.0))
    assert watch.found(9.75) == {}
    found = watch.found(0.25)["gateway:late"]
    assert (found.severity, found.cure) == (Severity.WARNING, Cure.NONE)
    assert watch.gateway().found(0.25) == {}


def test_a_loop_that_was_late_once_is_not_killed() -> None:
    """As after a SIGSTOP: the next tick tells of a minute, the one after it of none."""
    watch = answering().gateway(health=health("loop_late", loop_lag_seconds=60.0))
    assert watch.found(1.5) == {}
    assert watch.gateway().found(1) == {}


def test_duties_that_hang_end_the_gateway() -> None:
    watch = answering().gateway(health=health("loop_late", loop_lag_seconds=6.0))
    assert watch.found(9.75) == {}
    found = watch.found(0.25)["gateway:late"]
    assert (found.severity, found.cure) == (Severity.CRITICAL, Cure.KILL)


# -- connectors


def at_work(**given: Any) -> Watch:
    return Watch().gateway(connectors=(connector(**given),))


def test_a_connector_that_is_up_and_stands_still() -> None:
    watch = at_work(due=3)
    assert watch.found(60) == {}
    found = watch.found(1)["connector:op:stuck"]
    assert (found.severity, found.cure, found.program) == (Severity.WARNING, Cure.NONE, "")
    assert "3 messages due and 0 in flight" in found.text
    assert watch.found(119)["connector:op:stuck"].cure is Cure.NONE
    found = watch.found(1)["connector:op:stuck"]
    assert (found.severity, found.cure, found.program) == (Severity.CRITICAL, Cure.RESTART, "gateway")
    assert watch.gateway(connectors=(connector(due=2, finished=6),)).found(1) == {}


def test_a_far_side_may_take_its_time_for_an_answer() -> None:
    watch = at_work(due=3, in_flight=10, patience=30.0)
    assert watch.found(90) == {}
    assert "connector:op:stuck" in watch.found(1)


@pytest.mark.parametrize(
    "given", [{"due": 0, "in_flight": 5}, {"due": 9, "up": False}, {"due": 9, "up": False, "state": "held"}]
)
def test_a_connector_that_has_nothing_to_do_or_may_not_is_not_stuck(given: dict[str, Any]) -> None:
    assert at_work(**given).found(1000) == {}


@pytest.mark.parametrize("moves", [{"finished": 6}, {"in_flight": 1}, {"up": False}, {"due": 0}])
def test_whatever_moves_begins_the_minute_anew(moves: dict[str, Any]) -> None:
    watch = at_work(due=3)
    watch.found(59)
    watch.gateway(connectors=(changed(connector(due=3), **moves),)).look()
    assert watch.gateway(connectors=(connector(due=3),)).found(59) == {}


def test_a_gateway_that_was_restarted_has_moved() -> None:
    watch = at_work(due=3)
    watch.found(59)
    watch.gateway(connectors=(connector(due=3),), status={"process": 101})
    assert watch.found(60) == {}


def test_what_the_gateway_said_long_ago_says_nothing() -> None:
    watch = Watch().gateway(connectors=(connector(due=3),), seen=5000.0)
    assert watch.found(1000) == {}
    assert Watch().gateway(connectors=(connector(due=3),), seen=0.0).found(1000) == {}


def test_a_gateway_that_drains_has_no_connectors_to_be_stuck() -> None:
    assert Watch().gateway("stopping", connectors=(connector(due=3),)).found(100) == {}


def tried(watch: Watch, seconds: float, **given: Any) -> dict[str, Finding]:
    return dict(watch.gateway(connectors=(connector(**({"waiting": 40} | given)),)).found(seconds))


def test_a_far_side_that_never_answers_is_told_however_often_it_is_tried_again() -> None:
    """Each attempt ends after OPTIMEOUT, and another begins: that moves, and no message is taken."""
    watch = Watch()
    assert tried(watch, 31, due=26, in_flight=14, finished=0) == {}
    assert tried(watch, 30, due=12, in_flight=14, finished=14, unanswered=14) == {}
    assert tried(watch, 59, due=0, in_flight=12, finished=28, unanswered=28) == {}
    found = tried(watch, 2, due=0, in_flight=14, finished=40, unanswered=40)["connector:op:unanswered"]
    assert (found.severity, found.cure, found.program) == (Severity.WARNING, Cure.NONE, "")
    assert (
        found.text
        == "the far side of connector op has taken nothing for 2 minutes: 40 tries got no answer, and 40 messages wait"
    )
    assert tried(watch, 1, unanswered=40, taken=1) == {}
    assert tried(watch, 100, unanswered=40, taken=1) == {}


@pytest.mark.parametrize("given", [{"unanswered": 2}, {"waiting": 0}, {"state": "retrying"}])
def test_what_is_no_mute_far_side(given: dict[str, Any]) -> None:
    """Two tries may be chance, an empty queue nobody's trouble, and who has no session can't answer."""
    watch = Watch()
    tried(watch, 1)
    assert "connector:op:unanswered" not in tried(watch, 200, **({"unanswered": 9} | given))


def test_answers_that_got_lost_between_others_are_no_mute_far_side() -> None:
    watch = Watch()
    for number in range(20):
        assert tried(watch, 20, unanswered=5 * number, taken=number) == {}


def test_a_connector_without_a_session() -> None:
    watch = at_work()
    watch.look()
    watch.gateway(connectors=(connector(up=False, due=7, state="retrying", fault="cannot connect: refused"),))
    assert watch.found(299) == {}
    found = watch.found(1)["connector:op:down"]
    assert found.severity is Severity.WARNING
    assert found.text == "connector op has had no session for 5 minutes, 7 messages wait: cannot connect: refused"
    for state in ("up", "idle", "stopped"):
        assert watch.gateway(connectors=(connector(up=False, state=state),)).found(1) == {}


# -- the outbox, the recorder, the database, the scheduler


def test_an_outbox_that_fills_up_and_a_recorder_that_wants_help() -> None:
    watch = Watch().gateway(status={"outbox_alarm": "80 of 100", "recorder_notice": "a gap"})
    found = watch.found(1)
    assert {key: (one.text, one.severity) for key, one in found.items()} == {
        "outbox:full": ("80 of 100", Severity.CRITICAL),
        "recorder:notice": ("the recorder says: a gap", Severity.WARNING),
    }
    assert watch.gateway(status={"outbox_alarm": "", "recorder_notice": ""}).found(1) == {}


def test_a_database_that_does_not_answer() -> None:
    watch = Watch().given(database="")
    watch.look()
    watch.given(database="the database emg on db1: connection refused")
    assert watch.found(9) == {}
    found = watch.found(1)["database:away"]
    assert (found.severity, found.cure) == (Severity.WARNING, Cure.NONE)
    assert watch.given(database="").found(1) == {}
    assert Watch().given(database=None).found(100) == {}


def test_a_database_that_comes_and_goes_faster_than_it_is_away_for_long() -> None:
    watch = Watch().given(database="")
    for times in (1, 2, 3):
        assert watch.given(database="").found(5) == {}
        assert watch.given(database="away").found(5) == {}, times
    found = watch.given(database="").found(1)
    assert [(each.key, each.severity) for each in found.values()] == [("database:away", Severity.WARNING)]
    assert "3 times within 180 s" in found["database:away"].text
    assert watch.given(database="").found(180) == {}


def logging(**given: Any) -> Watch:
    return Watch().programs(program("recorder")).given(database="", recorder=recorder(**given))


def writing(watch: Watch, seconds: int, **given: Any) -> Any:
    """A recorder that says something each second; `given` is what it says."""
    found: Any = {}
    for _ in range(seconds):
        found = watch.given(recorder=recorder(at=watch.at, **given)).found(1)
    return found


def test_a_recorder_that_writes_nothing_is_restarted() -> None:
    watch = logging()
    assert writing(watch, 60, position=10, last=20) == {}, "the minute begins when it is first seen"
    found = writing(watch, 1, position=10, last=30)["recorder:stuck"]
    assert (found.program, found.cure) == ("recorder", Cure.RESTART)
    assert found.text.startswith("20 rows of events wait for the log")
    assert writing(watch, 1, position=11, last=40) == {}


def test_a_recorder_that_has_written_everything_is_not_stuck() -> None:
    assert writing(logging(), 300, position=20, last=20) == {}


def test_a_recorder_that_had_nothing_to_do_for_long_is_not_stuck_by_the_first_event() -> None:
    watch = logging()
    assert writing(watch, 3600, position=20, last=20) == {}
    assert writing(watch, 1, position=20, last=21, lag_events=1) == {}
    assert writing(watch, 59, position=20, last=21, lag_events=1) == {}
    assert list(writing(watch, 1, position=20, last=21, lag_events=1)) == ["recorder:stuck"]


def test_a_recorder_that_says_nothing_any_more_is_restarted() -> None:
    watch = logging(at=EPOCH)
    assert watch.found(60) == {}
    assert watch.found(1)["recorder:mute"].cure is Cure.RESTART
    assert watch.programs(program("recorder", pid=101)).found(60) == {}, "a new one has its own minute"


@pytest.mark.parametrize("given", [{"database": "away"}, {"database": None}, {"recorder": None}])
def test_a_recorder_is_not_to_blame_while_the_database_is_away(given: dict[str, Any]) -> None:
    watch = logging(position=10, last=20)
    watch.found(59)
    assert "recorder:stuck" not in watch.given(**given).found(60)
    watch.given(database="", recorder=recorder(position=10, last=20))
    assert watch.found(59) == {}, "and has a minute when it is back"


def test_a_recorder_that_does_not_run_is_down_not_mute() -> None:
    watch = logging().programs(program("recorder", "STOPPED"))
    assert watch.found(200) == {}


def test_a_recorder_that_says_what_stops_it_is_not_restarted() -> None:
    watch = logging()
    watch.found(1)
    assert writing(watch, 59, position=10, last=20, error="the log is older") == {}
    found = writing(watch, 2, position=10, last=20, error="the log is older")
    assert list(found) == ["recorder:error"]
    assert (found["recorder:error"].cure, "the log is older" in found["recorder:error"].text) == (Cure.NONE, True)


def test_a_recorder_that_falls_behind() -> None:
    watch = logging()

    def second(events: int) -> Any:
        return writing(watch, 1, position=watch.now, last=watch.now + 9, lag_events=events, lag_seconds=90.0)

    for number in range(60):
        assert second(100 + number) == {}
    assert list(second(200)) == ["recorder:behind"]
    assert second(199) == {}, "it gains"


def test_a_scheduler_whose_jobs_do_not_begin() -> None:
    watch = Watch().programs(program("scheduler")).given(database="", scheduler_run=EPOCH)
    assert watch.found(300) == {}
    found = watch.found(1)["scheduler:silent"]
    assert (found.program, found.cure) == ("scheduler", Cure.RESTART)
    assert watch.given(scheduler_run=EPOCH + 300).found(1) == {}


def test_a_scheduler_that_never_ran_a_job() -> None:
    watch = Watch().programs(program("scheduler")).given(database="", scheduler_run=None)
    assert watch.found(300) == {}
    assert "scheduler:silent" in watch.found(1)


@pytest.mark.parametrize("given", [{"database": "away"}, {"scheduler_run": EPOCH + 86400}])
def test_a_scheduler_that_cannot_run_its_jobs_is_not_to_blame(given: dict[str, Any]) -> None:
    """Without a database, and when the clock was set back to before the last run: they are due when it has come there again."""
    watch = Watch().programs(program("scheduler")).given(database="", scheduler_run=EPOCH)
    watch.given(**given)
    assert "scheduler:silent" not in watch.found(1000)
    watch.given(database="", scheduler_run=EPOCH)
    assert "scheduler:silent" not in watch.found(300)


def test_a_scheduler_that_was_restarted_or_does_not_run() -> None:
    watch = Watch().programs(program("scheduler")).given(database="", scheduler_run=EPOCH)
    watch.found(299)
    assert watch.programs(program("scheduler", pid=101)).found(300) == {}
    assert Watch().programs(program("scheduler", "STOPPED")).given(database="").found(1000) == {}


def test_limits_can_be_chosen() -> None:
    watch = Watch(Limits(patience=10.0)).gateway()
    watch.look()
    assert watch.mute().found(9) == {}
    assert "gateway:silent" in watch.found(1)


def test_a_gateway_on_the_last_good_copy_is_told_of_until_it_is_not():
    watch = Watch().gateway(status={"configuration_faults": "server.cfg:3: a typo"})
    found = watch.found(1)
    assert "server.cfg:3: a typo" in found["gateway:configuration"].text
    assert watch.gateway(status={"configuration_faults": ""}).found(1) == {}
