"""supervisord looks after the watchdog: one that was stopped with a signal goes on."""

import os
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest

from watchdog import mutual
from watchdog.hands import letter


class Scene:
    """A process as the watchdog of a supervisord, and a clock of the test's."""

    def __init__(self, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self.process, self.now, self.told = process, 100.0, []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.row = SimpleNamespace(pid=process.pid)
        groups = {"watchdog": SimpleNamespace(processes={"watchdog": self.row})}
        logger = SimpleNamespace(warn=self.told.append)
        self.guard = mutual.guard(SimpleNamespace(process_groups=groups, options=SimpleNamespace(logger=logger)))

    def look(self, seconds: float) -> None:
        """Time passes, in rounds of supervisord's loop."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.25
            self.guard.look()

    def stop(self) -> None:
        """And wait until it is."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)


@pytest.fixture
def scene(monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as process:
        yield Scene(process, monkeypatch)
        process.kill()


def test_a_stopped_watchdog_goes_on(scene):
    scene.stop()
    scene.look(1.0)
    assert letter(scene.process.pid) == "T", "it has a second to go on by itself"
    scene.look(1.0)
    assert letter(scene.process.pid) != "T"
    assert scene.told == [f"the watchdog (process {scene.process.pid}) was stopped by a signal, and told to go on (SIGCONT)"]  # fmt: skip


def test_one_that_runs_is_let_be(scene):
    scene.look(5.0)
    assert scene.told == []


def test_another_process_has_its_own_second(scene):
    scene.guard._stopped = (scene.process.pid - 1, scene.now - 60)
    scene.stop()
    scene.look(0.5)
    assert letter(scene.process.pid) == "T"


@pytest.mark.parametrize("pid", [0, 1 << 30])
def test_none_that_could_be_told(scene, pid):
    scene.row.pid = pid
    scene.look(5.0)
    assert scene.told == []


def test_a_supervisord_without_a_watchdog():
    mutual.guard(SimpleNamespace(process_groups={})).look()
