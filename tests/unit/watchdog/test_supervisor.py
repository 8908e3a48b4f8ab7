"""The client of supervisord, against a real one that runs programs of the test's, and against those that only seem to be one."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways import eventually
from watchdog.supervisor import Supervisor, SupervisorError, SupervisorUnreachable, UnknownProgram

SECONDS = 10.0
STUBBORN = f'{sys.executable} -c "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"'
CONFIGURATION = """
[supervisord]
nodaemon = true
silent = true
logfile = %(here)s/log
pidfile = %(here)s/pid
childlogdir = %(here)s
[unix_http_server]
file = %(here)s/s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[rpcinterface:emg]
supervisor.rpcinterface_factory = watchdog.promptness:make
[program:good]
command = sleep 60
startsecs = 0
autorestart = true
[program:broken]
command = false
startretries = 1000000
[program:stubborn]
command = {stubborn}
startsecs = 0
stopwaitsecs = 60
stdout_logfile = %(here)s/stubborn.out
"""


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with tempfile.TemporaryDirectory(prefix="emg") as name:
        folder = Path(name)
        (folder / "conf").write_text(CONFIGURATION.format(stubborn=STUBBORN))
        program = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "conf")])
        client = Supervisor(str(folder / "s"))
        try:
            eventually(lambda: up(client) and (folder / "stubborn.out").read_text(), SECONDS, "supervisord")
            yield client
        finally:
            for found in client.programs().values():
                client.quick_stop(found.name, 0.0)
            program.kill()
            program.wait()


def up(client: Supervisor) -> bool:
    try:
        return client.program("good").state == "RUNNING" and client.program("broken").state == "BACKOFF"
    except SupervisorUnreachable:
        return False


def begun(supervisor: Supervisor, other: int = 0) -> int:
    """Process id of the program `good`, other than that one, once it is `sleep`: before its exec a process drops signals."""

    def look() -> int:
        pid = supervisor.program("good").pid
        return pid if pid not in (0, other) and Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep") else 0

    return eventually(look, SECONDS, "the program good")


@pytest.fixture
def good(supervisor) -> int:
    """Process id of the program `good`, which runs."""
    supervisor.start("good")
    return begun(supervisor)


def test_programs_are_told_with_state_and_process(supervisor, good):
    programs = supervisor.programs()
    assert programs.keys() == {"good", "broken", "stubborn"}
    assert (programs["good"].state, programs["good"].pid) == ("RUNNING", good)
    assert programs["good"].started > 0
    assert (programs["broken"].pid, programs["broken"].started) == (0, 0.0)
    assert programs["broken"].description
    assert supervisor.pid() > 0


def test_start_and_stop_say_whether_there_was_something_to_do(supervisor, good):
    assert not supervisor.start("good")
    assert supervisor.stop("good", SECONDS)
    assert supervisor.program("good").state == "STOPPED"
    assert not supervisor.stop("good")
    assert not supervisor.quick_stop("good")
    assert not supervisor.signal("good", signal.SIGHUP)
    assert supervisor.start("good")


def test_restart_gives_another_process_and_starts_a_stopped_one(supervisor, good):
    supervisor.restart("good", SECONDS)
    begun(supervisor, good)
    supervisor.stop("good", SECONDS)
    supervisor.restart("good", SECONDS)
    assert supervisor.program("good").pid


def test_a_signal_reaches_the_program_and_supervisord_starts_it_again(supervisor, good):
    assert supervisor.signal("good", signal.SIGKILL)
    begun(supervisor, good)


def test_a_program_that_supervisord_pauses_with_is_started_now(supervisor):
    """It ends at once again; what counts is that supervisord was made to try."""
    eventually(lambda: supervisor.program("broken").state == "BACKOFF", SECONDS)
    with contextlib.suppress(SupervisorError):  # it has ended before supervisord could say so
        assert supervisor.start("broken")
    eventually(lambda: supervisor.program("broken").state == "BACKOFF", SECONDS, "the next pause")


def test_what_does_not_stop_is_said_and_a_quick_stop_kills_it(supervisor):
    supervisor.start("stubborn")
    with pytest.raises(SupervisorError, match="still runs"):
        supervisor.stop("stubborn", 0.2)
    with pytest.raises(SupervisorError, match="still stops"):
        supervisor.start("stubborn")
    assert supervisor.quick_stop("stubborn", 0.1)
    assert supervisor.program("stubborn").state == "STOPPED"


@pytest.mark.parametrize("name", ["nobody", "../good", "good;x", "", "good:*", "*"])
def test_an_unknown_program_is_an_error_of_its_own(supervisor, name):
    for ask in (supervisor.start, supervisor.stop, supervisor.quick_stop, supervisor.program):
        with pytest.raises(UnknownProgram):
            ask(name)


@pytest.fixture
def pretender() -> Iterator[socket.socket]:
    """Listens on a socket where supervisord might."""
    with tempfile.TemporaryDirectory(prefix="emg") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        yield server


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<a>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_who_is_not_supervisord_is_not_believed(pretender, answer):
    def once() -> None:
        peer, _ = pretender.accept()
        with peer:
            peer.recv(10_000)
            peer.sendall(answer)

    thread = threading.Thread(target=once)
    thread.start()
    with pytest.raises(SupervisorUnreachable):
        Supervisor(pretender.getsockname(), SECONDS).programs()
    thread.join()


def test_a_supervisord_that_hangs_is_not_waited_for(pretender):
    with pytest.raises(SupervisorUnreachable, match=r"within 0\.1 s"):
        Supervisor(pretender.getsockname(), 0.1).programs()


def test_nobody_there_is_said(pretender, tmp_path):
    path = pretender.getsockname()
    pretender.close()
    for where in (path, str(tmp_path / "none")):
        with pytest.raises(SupervisorUnreachable, match="does not run"):
            Supervisor(where).programs()
