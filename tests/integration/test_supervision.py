"""The programs under supervisord: back after each kind of death without a hand, stopped in order, never two at a time."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.gateways import GatewayProcess, eventually, incoming, outgoing, user
from tests.smpp_peers import Smsc
from tests.stacks import ROOT, Stack

SECONDS = 15.0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with closing(Smsc()) as operator:
        text = incoming(ROUTE="operator") + outgoing("operator", operator.address) + user()
        with Stack(tmp_path, text) as running:
            yield running


def ended(pids: dict[str, int]) -> bool:
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids.values()
    )


def supervisorctl(stack: Stack, *words: str) -> str:
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(stack.conf), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout


def test_a_killed_gateway_is_back_at_once(stack):
    for _ in range(3):
        before = stack.pid("gateway")
        killed = time.monotonic()
        os.kill(before, signal.SIGKILL)
        eventually(lambda before=before: stack.healthy() and stack.pid("gateway") != before, SECONDS, "a gateway")
        print(f"kill -9 of the gateway: healthy again after {time.monotonic() - killed:.2f} s")
        eventually(stack.well, SECONDS, "all well")


def test_a_stop_goes_the_other_way_round(stack):
    started = re.findall(r"spawned: '(\w+)'", stack.log("supervisord.log"))
    eventually(lambda: "the watchdog is up" in stack.log("watchdog"), SECONDS, "a watchdog that knows how to stop")
    pids = stack.pids()
    stack.stop()
    assert stack.process is not None
    assert stack.process.returncode == 0
    assert ended(pids)
    stopped = re.findall(r"stopped: (\w+) \((.*?)\)", stack.log("supervisord.log"))
    assert [name for name, _ in stopped] == started[::-1] == ["watchdog", "gateway"]
    assert {how for _, how in stopped} == {"exit status 0"}


def test_programs_end_with_a_killed_supervisord_and_the_next_one_starts_them(stack):
    """Nobody stays behind who keeps the spool and the ports from the next gateway; the old one drains and closes."""
    assert stack.process is not None
    before = stack.pids()
    stack.process.kill()
    stack.process.wait()
    killed = time.monotonic()
    stack.start()
    print(f"kill -9 of supervisord: healthy again after {time.monotonic() - killed:.2f} s")
    eventually(lambda: ended(before), SECONDS, "the end of the old programs")
    assert stack.log("general").count("gateway has stopped") == 1, "in good order"
    assert "in use" not in (stack.folder / "log" / "gateway.out").read_text(), "the new one waited"


def test_after_a_power_loss_everything_starts_without_a_hand(stack):
    """All die at the same moment: the sockets' and pid files of before are still there, and nobody listens."""
    assert stack.process is not None
    before = stack.pids()
    stack.process.send_signal(signal.SIGSTOP)  # it must not start them again
    for pid in [*before.values(), stack.process.pid]:
        os.kill(pid, signal.SIGKILL)
    stack.process.wait()
    left = {
        Path(stack.config.control),
        Path(stack.supervisor.path),
        Path(stack.config.control).parent / "supervisord.pid",
    }
    assert all(file.exists() for file in left)
    stack.start()
    assert stack.pids().keys() == before.keys()


def test_a_reload_of_supervisord_starts_everything_anew(stack):
    before = stack.pids()
    assert "Restarted" in supervisorctl(stack, "reload")
    eventually(lambda: stack.well() and not set(before.values()) & set(stack.pids().values()), SECONDS * 2, "a restart")
    assert ended(before)


def test_tail_shows_what_a_program_logs(stack):
    assert "is up: 2 connectors" in supervisorctl(stack, "tail", "gateway")
    assert "the watchdog is up" in supervisorctl(stack, "tail", "watchdog", "stderr")


def test_a_supervised_gateway_waits_for_the_one_before(tmp_path):
    gateway = GatewayProcess(
        tmp_path, incoming(ROUTE="operator") + outgoing("operator", "127.0.0.1:1") + user(), start=False
    )
    (tmp_path / "spool").mkdir()
    lock = tmp_path / "spool" / "lock"
    with gateway, lock.open("w") as before:
        fcntl.flock(before, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "gateway", "-c", str(gateway.config_file)],
            env=os.environ | {"SUPERVISOR_ENABLED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as program:  # fmt: skip
            try:
                files = psutil.Process(program.pid).open_files
                eventually(lambda: str(lock) in {file.path for file in files()}, SECONDS, "the lock is looked at")
                fcntl.flock(before, fcntl.LOCK_UN)
                gateway.wait_for_log("is up: ", seconds=SECONDS)
            finally:
                program.kill()
