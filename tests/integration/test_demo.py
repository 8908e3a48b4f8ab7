"""`make run` as a person meets it: messages come back, Ctrl-C leaves nothing running, the second start has what was there."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import app
from emg.tools import demo
from tests.gateways import eventually

COMMAND = [sys.executable, str(Path(app.__file__)), "demo", "--dir"]
PROGRAMS = 9
"""supervisord, gateway, its reader, recorder, scheduler, portal, watchdog, operator, traffic."""
END_OF_WELCOME = "Ctrl-C stops everything"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A demo folder whose configuration has ports of its own."""
    text = (demo.TEMPLATES / "server.cfg").read_text()
    for port in ("2775", "2776", "3000", "8000"):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    (tmp_path / "server.cfg").write_text(text)
    return tmp_path


@pytest.fixture
def left_over() -> Iterator[list[psutil.Process]]:
    """Programs that a test started and that must be gone at its end; killed here if they are not."""
    programs: list[psutil.Process] = []
    yield programs
    _, alive = psutil.wait_procs(programs, timeout=10)
    for program in alive:
        program.kill()
    assert alive == []


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True)


def welcome(running: "subprocess.Popen[str]") -> str:
    """What it prints until it stays; fails when it ends before."""
    assert running.stdout is not None
    lines = []
    for line in running.stdout:
        lines.append(line)
        if END_OF_WELCOME in line:
            return "".join(lines)
    raise AssertionError("the demo ended:\n" + "".join(lines))


def message_ids(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"^(\d+) DELIVRD", text, re.MULTILINE)]


def test_messages_come_back_and_ctrl_c_leaves_nothing_running(folder, left_over):
    with start(folder) as running:
        text = welcome(running)
        left_over += psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
    assert running.returncode == 0
    assert len(left_over) == PROGRAMS
    assert len(message_ids(text)) == len(demo.MESSAGES)
    open_to_all = [file for file in (folder / "log").iterdir() if file.stat().st_mode & 0o007]
    assert open_to_all == [], "logs are nobody else's"


def test_a_second_start_goes_on_where_the_first_ended(folder, left_over):
    ids = []
    for _ in range(2):
        output = subprocess.run([*COMMAND, str(folder), "--once"], check=True, capture_output=True, text=True).stdout
        ids += message_ids(output)
    assert len(ids) == 2 * len(demo.MESSAGES)
    assert ids == sorted(set(ids)), "no id is ever used again"


def test_a_killed_supervisord_is_started_again(folder, left_over):
    with start(folder) as running:
        welcome(running)
        left_over += psutil.Process(running.pid).children(recursive=True)
        (supervisord,) = psutil.Process(running.pid).children()
        # it gives up on one that ends within its first seconds
        eventually(
            lambda: time.time() - supervisord.create_time() > demo.SHORTEST_LIFE + 2, wanted="a supervisord of some age"
        )
        supervisord.kill()
        assert running.stdout is not None
        assert "supervisord ended by SIGKILL; it is started again" in running.stdout.readline()
        control = str(folder / "emg.sock")
        eventually(
            lambda: len(psutil.Process(running.pid).children(recursive=True)) == PROGRAMS and demo.healthy(control), 30
        )
        left_over += psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
    assert running.returncode == 0


def test_a_killed_demo_leaves_nothing_running_either(folder, left_over):
    with start(folder) as running:
        welcome(running)
        left_over += psutil.Process(running.pid).children(recursive=True)
        running.kill()
    assert len(left_over) == PROGRAMS
