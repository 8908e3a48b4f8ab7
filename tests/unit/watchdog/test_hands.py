"""Signals, starts and dumps, on real processes; supervisord is played by the test."""

import os
import signal
import subprocess
import sys

import gevent
import pytest

from emg.errors import ControlError, EmgError
from watchdog.hands import Hands, catches, letter
from watchdog.model import Act, Action, ProgramFacts

# what emg.supervised promises: a dump's file lies ready, is written at SIGUSR2, and the next one's is made after it
PROGRAM = """
import os, signal, sys, time
folder, number = sys.argv[1], 1
def ready(n): open(f"{folder}/gateway.{os.getpid()}.{n}.txt", "w").close()
def dump(*_):
    global number
    open(f"{folder}/gateway.{os.getpid()}.{number}.txt", "w").write("stacks")
    number += 1
    ready(number)
if "deaf" not in sys.argv: signal.signal(signal.SIGUSR2, dump)
if "silent" in sys.argv: signal.signal(signal.SIGUSR2, lambda *_: None)
ready(number)
print("up", flush=True)
while True: time.sleep(0.05)  # a signal that comes just before the sleep waits for its end
"""


class Supervisord:
    def __init__(self) -> None:
        self.pid = 0
        self.started: list[str] = []
        self.asked = 0
        self.error = ""

    def programs(self) -> dict[str, ProgramFacts]:
        self.asked += 1
        if self.error:
            raise EmgError(self.error)
        return {"gateway": ProgramFacts("gateway", "RUNNING" if self.pid else "STOPPED", self.pid)}

    def start(self, name: str) -> bool:
        self.started.append(name)
        return True


@pytest.fixture
def supervisord() -> Supervisord:
    return Supervisord()


@pytest.fixture
def hands(supervisord, tmp_path) -> Hands:
    return Hands(supervisord, tmp_path)


@pytest.fixture
def program(request, supervisord, tmp_path):
    """A process with a handler, or what the test's parameter says."""
    words = [sys.executable, "-c", PROGRAM, str(tmp_path), getattr(request, "param", "")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        supervisord.pid = running.pid
        yield running
        running.kill()


def action(act: Act, pid: int = 0) -> Action:
    return Action(act, "gateway", "a test", pid)


def becomes(pid: int, *letters: str) -> None:
    with gevent.Timeout(5):
        while letter(pid) not in letters:
            gevent.sleep(0.005)


def test_a_frozen_program_goes_on(hands, program):
    os.kill(program.pid, signal.SIGSTOP)
    becomes(program.pid, "T")
    assert "go on" in hands.carry_out(action(Act.CONTINUE, program.pid))
    becomes(program.pid, "S", "R")


def test_a_restart_is_its_stop_signal_after_a_dump(hands, program, tmp_path):
    outcome = hands.carry_out(action(Act.RESTART, program.pid))
    assert program.wait(5) == -signal.SIGTERM
    dump = tmp_path / f"gateway.{program.pid}.1.txt"
    assert dump.read_text() == "stacks"
    assert outcome == f"was told to end (SIGTERM), what it did is in {dump}; supervisord starts it again"


def test_a_restart_with_another_stop_signal(supervisord, program, tmp_path):
    other = Hands(supervisord, tmp_path, {"gateway": "USR1"})
    assert "SIGUSR1" in other.carry_out(action(Act.RESTART, program.pid))
    program.wait(5)


def test_a_kill_comes_after_a_dump(hands, program, tmp_path, supervisord):
    outcome = hands.carry_out(action(Act.KILL, program.pid))
    assert program.wait(5) == -signal.SIGKILL
    dump = tmp_path / f"gateway.{program.pid}.1.txt"
    assert dump.read_text() == "stacks"
    assert str(dump) in outcome
    assert supervisord.asked > 3, "supervisord was woken up"


@pytest.mark.parametrize(("act", "number"), [(Act.KILL, signal.SIGKILL), (Act.RESTART, signal.SIGTERM)])
@pytest.mark.parametrize("program", ["deaf", "silent"], indirect=True)
def test_nobody_waits_for_a_dump_that_does_not_come(hands, program, act, number):
    assert "without a dump" in hands.carry_out(action(act, program.pid))
    assert program.wait(5) == -number


def test_a_kill_is_done_even_if_supervisord_is_gone_right_after_it(hands, program, supervisord, monkeypatch):
    def killed(pid: int, number: int) -> None:
        supervisord.error = "gone"
        program.send_signal(number)

    monkeypatch.setattr(hands, "_last_dump", lambda _: "without a dump")
    monkeypatch.setattr("watchdog.hands._signal", killed)
    assert "was killed" in hands.carry_out(action(Act.KILL, program.pid))


@pytest.mark.parametrize("act", [Act.CONTINUE, Act.RESTART, Act.KILL])
def test_a_process_that_came_after_the_look_is_left_alone(hands, program, act):
    with pytest.raises(EmgError, match="no longer process"):
        hands.carry_out(action(act, program.pid + 1))
    assert program.poll() is None


@pytest.mark.parametrize("act", [Act.CONTINUE, Act.RESTART, Act.KILL])
def test_no_pid_no_signal(hands, supervisord, act):
    with pytest.raises(EmgError, match="no longer process"):
        hands.carry_out(action(act, 0))


@pytest.mark.parametrize("act", [Act.CONTINUE, Act.RESTART, Act.KILL])
def test_nothing_is_done_while_supervisord_does_not_answer(hands, supervisord, program, act):
    supervisord.error = "supervisord does not answer"
    with pytest.raises(EmgError, match="does not answer"):
        hands.carry_out(action(act, program.pid))
    assert program.poll() is None


def test_a_process_that_has_gone_is_an_error(hands, program):
    program.kill()
    program.wait(5)
    with pytest.raises(EmgError, match="cannot be sent SIGKILL: No such process"):
        hands.carry_out(action(Act.KILL, program.pid))


def test_a_start_is_supervisords(hands, supervisord):
    assert hands.carry_out(action(Act.START)) == "was started"
    assert supervisord.started == ["gateway"]


def test_dumps_one_after_the_other_are_files_of_their_own(hands, program, tmp_path):
    found = [hands.dump("gateway") for _ in range(3)]
    assert found == [tmp_path / f"gateway.{program.pid}.{number}.txt" for number in (1, 2, 3)]


@pytest.mark.parametrize("program", ["deaf"], indirect=True)
def test_a_program_that_would_die_of_it_is_not_asked_for_a_dump(hands, program):
    with pytest.raises(ControlError, match="does not write dumps") as error:
        hands.dump("gateway")
    assert error.value.status == 409
    assert program.poll() is None


@pytest.mark.parametrize("program", ["silent"], indirect=True)
def test_a_dump_that_does_not_come_has_a_deadline(hands, program):
    with pytest.raises(ControlError, match="no dump within") as error:
        hands.dump("gateway", 0.1)
    assert error.value.status == 504


def test_dumps_of_who_is_not_there(hands, supervisord):
    with pytest.raises(ControlError, match="does not run") as error:
        hands.dump("gateway")
    assert error.value.status == 409
    with pytest.raises(ControlError, match="no program 'nobody'") as error:
        hands.dump("nobody")
    assert error.value.status == 404


def test_who_catches_a_signal(program):
    assert catches(program.pid, signal.SIGUSR2)
    assert not catches(program.pid, signal.SIGUSR1)
    assert not catches(1 << 30, signal.SIGUSR2)


def test_a_frozen_supervisord_goes_on(supervisord, program, tmp_path, monkeypatch):
    hands = Hands(supervisord, tmp_path, parent=program.pid)
    os.kill(program.pid, signal.SIGSTOP)
    becomes(program.pid, "T")
    assert not hands.thaw_supervisor(), "that is not our parent"
    monkeypatch.setattr(os, "getppid", lambda: program.pid)
    assert not Hands(supervisord, tmp_path).thaw_supervisor(), "nobody said that it is supervisord"
    assert hands.thaw_supervisor()
    becomes(program.pid, "S", "R")
    assert not hands.thaw_supervisor(), "it runs"


def test_the_letter_of_no_process():
    assert letter(1 << 30) == ""
