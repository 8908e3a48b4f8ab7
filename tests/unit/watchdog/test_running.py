"""The program around the loop: its door, its pipes, what it compares with, and its end when it hangs."""

import subprocess
import sys
from pathlib import Path

import pytest

import app
from emg.config.model import ServerConfig
from watchdog import main, running

ROOT = Path(app.__file__).parent


def python(code: str, **options) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True, timeout=30, **options
    )


def test_a_loop_that_hangs_ends_the_program_and_shows_where():
    ended = python("from watchdog.running import beat\nbeat(60)\nbeat(0.1)\nwhile True: pass")
    assert ended.returncode == 1
    assert "Timeout (0:00:00.1" in ended.stderr
    assert 'File "<string>", line 4' in ended.stderr


def test_nothing_but_the_protocol_goes_to_supervisord():
    code = (
        "import os\nfrom watchdog.running import own_pipes\nreads, writes = own_pipes()\n"
        "print('chatter', flush=True)\nassert input.__class__ and os.read(0, 10) == b''\n"
        "os.write(writes, b'READY' + os.read(reads, 5))"
    )
    ended = python(code, input="event", env={"SUPERVISOR_ENABLED": "1"})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "READYevent", "chatter\n")


@pytest.mark.parametrize("environment", [{}, {"SUPERVISOR_ENABLED": "1"}])
def test_started_by_hand_there_is_no_protocol(environment):
    code = "from watchdog.running import own_pipes\nprint(own_pipes())"
    assert python(code, stdin=subprocess.DEVNULL, env=environment).stdout == "None\n"


def test_without_supervisord_a_pipe_is_just_a_pipe():
    assert python("from watchdog.running import own_pipes\nprint(own_pipes())", input="", env={}).stdout == "None\n"


def test_where_supervisord_is(monkeypatch):
    config = ServerConfig(control="/run/emg/control.sock")
    monkeypatch.delenv("SUPERVISOR_SERVER_URL", raising=False)
    assert running.supervisord_socket(config) == "/run/emg/supervisor.sock"
    monkeypatch.setenv("SUPERVISOR_SERVER_URL", "unix:///run/other.sock")
    assert running.supervisord_socket(config) == "/run/other.sock"
    monkeypatch.setenv("SUPERVISOR_SERVER_URL", "http://127.0.0.1:9001")
    assert running.supervisord_socket(config) == "/run/emg/supervisor.sock"


def test_help_and_the_words_of_commands(capsys):
    with pytest.raises(SystemExit) as end:
        main.main(["--help"])  # not by app.main, which would patch the threads of all tests after it
    assert end.value.code == 0
    assert "supervisord starts it" in capsys.readouterr().out
