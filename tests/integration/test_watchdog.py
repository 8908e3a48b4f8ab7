"""The watchdog under a real supervisord, with a real gateway: what is sick is well again within seconds, what is well is left alone."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways import eventually, incoming, user
from tests.stacks import Stack
from watchdog.healing import SETTLE_SECONDS

HEALTHY_SECONDS = 5.0
"""The promise; `SLACK` is for a machine that runs other tests beside this one."""
SLACK = 10.0
SPINS = """
import signal, sys

def spin(*_):
    while True:
        pass

def spin_in_c(*_):
    sum(range(1 << 60))

if "gateway" in sys.orig_argv:
    signal.signal(signal.SIGUSR1, spin)
    signal.signal(signal.SIGRTMIN, spin_in_c)
"""
"""What an interpreter does at its start: a signal makes the gateway's only thread busy, in Python or inside one call of C."""

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    """One for all tests: each leaves it well."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "sitecustomize.py").write_text(SPINS)
    config = "WATCHDOG_RESTARTS=100\n" + incoming() + user()
    with Stack(folder, config, environment={"PYTHONPATH": str(folder)}) as running:
        running.wait_for_log("the watchdog is up, under supervisord")
        yield running


@pytest.fixture(autouse=True)
def well(stack) -> Iterator[None]:
    """All is well before and after."""
    eventually(stack.well, 20)
    yield
    eventually(stack.well, 20)


def test_a_killed_gateway_is_there_again(stack):
    before = stack.pid("gateway")
    os.kill(before, signal.SIGKILL)
    assert stack.well_again("gateway", before, HEALTHY_SECONDS + SLACK) < HEALTHY_SECONDS


def test_a_frozen_gateway_goes_on_as_the_same_process(stack):
    before = stack.pid("gateway")
    os.kill(before, signal.SIGSTOP)
    began = time.monotonic()
    stack.wait_for_log("gateway was told to go on")
    eventually(stack.healthy)
    assert time.monotonic() - began < HEALTHY_SECONDS
    assert stack.pid("gateway") == before


@pytest.mark.parametrize(("number", "shown"), [(signal.SIGUSR1, "in spin"), (signal.SIGRTMIN, "in spin_in_c")])
def test_a_gateway_that_spins_is_killed_after_a_dump_and_there_again(stack, number, shown):
    before = stack.pid("gateway")
    time.sleep(SETTLE_SECONDS)  # after the test before this one
    os.kill(before, number)
    took = stack.well_again("gateway", before, HEALTHY_SECONDS + SLACK)
    (dump,) = (path for path in stack.dumps("gateway") if f".{before}." in path.name)
    assert shown in dump.read_text()
    assert f"what it did is in {dump}" in stack.log("watchdog")
    assert took < HEALTHY_SECONDS


def test_the_watchdogs_own_death_changes_nothing_for_the_others(stack):
    before = stack.pids()
    os.kill(before["watchdog"], signal.SIGKILL)
    stack.well_again("watchdog", before["watchdog"], HEALTHY_SECONDS + SLACK)
    stack.wait_for_log("the watchdog is up, under supervisord", count=2)
    time.sleep(3)  # a few looks
    now = stack.pids()
    assert now.pop("watchdog") != before.pop("watchdog")
    assert now == before


def test_a_watchdog_that_was_frozen_goes_on(stack):
    before = stack.pids()
    os.kill(before["watchdog"], signal.SIGSTOP)
    stack.wait_for_log(f"the watchdog (process {before['watchdog']}) was stopped by a signal", "supervisord.log")
    stack.wait_for_log("the watchdog itself was")
    assert stack.pids() == before


def test_a_watchdog_that_was_frozen_for_long_blames_nobody(stack):
    before = stack.pids()
    assert stack.process is not None
    both = [stack.process.pid, before["watchdog"]]  # else supervisord would have it go on
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(5)  # longer than its patience
    for pid in both:
        os.kill(pid, signal.SIGCONT)
    time.sleep(4)
    assert stack.pids() == before


def test_a_frozen_supervisord_goes_on(stack):
    before = stack.pids()
    assert stack.process is not None
    stack.process.send_signal(signal.SIGSTOP)
    stack.wait_for_log("supervisord was stopped by a signal")
    eventually(stack.well)
    assert stack.pids() == before


def test_restarts_are_bounded_and_go_on_after_a_quiet_time(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SPINS)
    config = "WATCHDOG_RESTARTS=1\nWATCHDOG_WINDOW=15\nWATCHDOG_START_PATIENCE=5\n" + incoming() + user()
    with Stack(tmp_path, config, environment={"PYTHONPATH": str(tmp_path)}) as stack:
        for _ in (1, 2):
            before = stack.pid("gateway")
            os.kill(before, signal.SIGUSR1)
            stack.well_again("gateway", before, 40)
        log = stack.log("watchdog")
        assert log.count("kill gateway") == 2
        first, second = (float(line.split()[2].split(":")[2]) for line in log.splitlines() if "kill gateway" in line)
        assert (second - first) % 60 >= 14, "the second had to wait for the end of the window"
        assert "(program:gateway:given-up)" in log


def test_a_program_that_was_stopped_on_purpose_stays_stopped(stack):
    stack.supervisor.stop("gateway", 20)
    time.sleep(4)
    assert stack.state("gateway") == "STOPPED"
    stack.supervisor.start("gateway")


def test_a_program_that_cannot_start_is_tried_again_and_again(stack):
    before, good = stack.pid("gateway"), stack.files.config_file.read_text()
    stack.files.config_file.write_text(good + "NO_SUCH_KEYWORD=1\n")
    shutil.rmtree(Path(stack.config.spooldir) / "last_good" / "gateway")  # else it would start from that
    try:
        os.kill(before, signal.SIGKILL)
        tries = stack.log("watchdog").count("gateway was started")
        stack.wait_for_log("gateway was started", count=tries + 2)
    finally:
        stack.files.config_file.write_text(good)
    took = stack.well_again("gateway", before, 30)
    assert took < 10.0, "the pause is still short"
    stack.wait_for_log("(program:gateway:down)")


def test_events_of_supervisord_are_answered(stack):
    stack.supervisor.restart("gateway", 20)
    eventually(stack.well, 20)
    stack.wait_for_log("gateway: running")
    assert "buffer" not in stack.log("supervisord.log"), "supervisord never had to wait for the watchdog"
