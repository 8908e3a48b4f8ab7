"""`emg watchdog …` against a real watchdog under a real supervisord: each command does what it says, and says so."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways import eventually, incoming, user
from tests.stacks import Stack
from watchdog.client import COMMANDS

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    """One for all tests: each leaves it well."""
    with Stack(tmp_path_factory.mktemp("stack"), incoming() + user()) as running:
        running.wait_for_log("the API listens on")
        yield running


def emg(stack: Stack, *words: str, config: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), "watchdog", *words]
    command += ["-c", str(stack.files.config_file)] if config else []
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def said(stack: Stack, *words: str) -> str:
    run = emg(stack, *words)
    assert run.returncode == 0, run
    assert run.stderr == ""
    return run.stdout


def test_looking(stack) -> None:
    eventually(lambda: emg(stack, "health").returncode == 0, 20, "all well")
    assert said(stack, "health") == "all is well\n"
    table = said(stack, "programs")
    assert "gateway" in table
    assert "RUNNING" in table
    status = said(stack, "status")
    assert "under supervisord  yes" in status
    assert str(stack.pid("gateway")) in status
    assert said(stack, "alerts").startswith(("none", "Severity"))
    assert "general" in said(stack, "logs")
    assert " is up: " in said(stack, "logs", "general", "-s", "IS UP:", "-n", "1")
    assert "greenlets wait" in said(stack, "dump", "gateway")
    assert stack.dumps("gateway")


@pytest.mark.parametrize(
    "words", [(name,) for name in COMMANDS if name in ("status", "health", "programs", "logs", "alerts", "dump")] + [("logs", "general")]
)  # fmt: skip
def test_json(stack, words: tuple[str, ...]) -> None:
    assert json.loads(said(stack, *words, "--json"))


def test_stop_and_start(stack) -> None:
    before = stack.pid("gateway")
    assert said(stack, "stop", "gateway") == "gateway has stopped\n"
    assert stack.state("gateway") == "STOPPED"
    assert said(stack, "stop", "gateway") == "gateway did not run\n"
    time.sleep(1.5)  # the watchdog looks, and lets it be
    assert stack.state("gateway") == "STOPPED"
    assert said(stack, "start", "gateway") == "gateway runs\n"
    assert said(stack, "start", "gateway") == "gateway ran already\n"
    eventually(stack.well, 20)
    assert stack.pid("gateway") != before
    assert "asks: POST /programs/gateway/stop" in stack.log("watchdog")


def test_restart_and_quick_stop(stack) -> None:
    before = stack.pid("gateway")
    assert said(stack, "restart", "gateway") == "gateway was restarted\n"
    assert stack.pid("gateway") != before
    eventually(stack.well, 20)
    os.kill(stack.pid("gateway"), signal.SIGSTOP)
    assert said(stack, "quickstop", "gateway", "--seconds", "0.2") == "gateway has stopped\n"
    assert said(stack, "restart", "gateway") == "gateway was restarted\n"
    eventually(stack.well, 20)


def test_the_watchdog_restarts_itself(stack) -> None:
    before = stack.pid("watchdog")
    assert said(stack, "restart", "watchdog") == "watchdog was restarted\n"
    assert stack.pid("watchdog") != before
    eventually(lambda: emg(stack, "health").returncode == 0, 20, "all well")
    assert "supervisorctl" in emg(stack, "stop", "watchdog").stderr


def test_following(stack) -> None:
    log = stack.folder / "log" / "general"
    with subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "watchdog", "logs", "general", "-f", "-n", "1", "--seconds", "30", "-c", str(stack.files.config_file)],
        stdout=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert "emg[" in run.stdout.readline()
        with log.open("a") as file:
            file.write("a line of the test\n")
        assert "a line of the test\n" in iter(run.stdout.readline, "")
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("stop", "nobody"), 1, "there is no program 'nobody'"), (("logs", "nothing"), 1, "there is no log 'nothing'"),
        (("logs", "../../etc/passwd"), 1, "there is"), (("dance",), 5, "invalid choice"), (("stop",), 5, "PROGRAM"),
        (("status", "--address", "127.0.0.1:1"), 4, "it is not running"), (("status", "--address", "nonsense"), 5, "HOST:PORT"),
        (("status", "--token-file", "/nowhere/token"), 1, "there is no token in /nowhere/token"), (("logs", "general", "-n", "99999"), 1, "lines has to be"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(stack, words: tuple[str, ...], code: int, sentence: str) -> None:
    run = emg(stack, *words)
    assert run.returncode == code
    assert sentence in run.stderr
    assert run.stderr.startswith("emg watchdog: ")
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""


def test_a_token_of_somebody_else(stack, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 40)
    run = emg(stack, "status", "--token-file", str(tmp_path / "token"))
    assert (run.returncode, run.stderr) == (1, "emg watchdog: the token is wrong\n")
    own = Path(stack.config.spooldir) / "watchdog.token"
    run = emg(stack, "health", "--address", f"127.0.0.1:{stack.port}", "--token-file", str(own), config=False)
    assert run.returncode == 0, run


def test_the_api_from_outside(stack) -> None:
    url = f"http://127.0.0.1:{stack.port}"
    with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
        assert json.load(answer) == {"up": True, "ok": True}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/status", timeout=10)
    with caught.value as answer:
        assert answer.code == 401
        assert "token" in json.load(answer)["error"]
