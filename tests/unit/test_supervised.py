"""Programs under a supervisor: they end with it, and write down what they do, also when they are stuck. Each is a process of its own here."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emg import supervised
from tests.gateways import eventually

SECONDS = 10.0


@pytest.fixture
def started() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a program given as text; it prints a line when it is ready. Ended here at last."""
    programs: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str, supervisor: bool = True) -> "subprocess.Popen[str]":
        environment = {key: value for key, value in os.environ.items() if key != "SUPERVISOR_ENABLED"}
        environment |= {"SUPERVISOR_ENABLED": "1"} if supervisor else {}
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        programs.append(program)
        assert program.stdout is not None
        program.line = program.stdout.readline().strip()  # type: ignore[attr-defined]
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def gone(pid: int) -> bool:
    """Ended; a zombie that nobody waits for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


CHILD = "import time; from emg import supervised; supervised.begin('child'); print('up', flush=True); time.sleep(60)"
PARENT = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_a_program_ends_with_its_supervisor(started):
    parent = started(PARENT, CHILD)
    parent.kill()
    eventually(lambda: gone(int(parent.line)), SECONDS, "the end of the child")


def test_a_program_started_by_hand_does_not(started):
    code = """
        import ctypes
        from emg import supervised
        supervised.begin("child")
        number = ctypes.c_int()
        ctypes.CDLL(None).prctl(2, ctypes.byref(number))  # PR_GET_PDEATHSIG
        print(number.value, flush=True)
    """
    assert started(code, supervisor=False).line == "0"
    assert started(code).line == str(int(signal.SIGTERM))


def test_a_supervisor_that_died_before_we_could_ask_is_noticed():
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-c", CHILD], stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
            env=os.environ | {"SUPERVISOR_ENABLED": "1"}, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "emg child: supervisord has gone already\n"


BUSY = """
    import gc, sys, gevent
    from gevent import monkey
    monkey.patch_all()
    from emg import supervised
    supervised.begin("busy")
    supervised.dumps_go_to(sys.argv[1])

    def wait_for_ever(secret):
        gevent.sleep(60)

    def idle():
        # by steps: a signal just before the loop begins to wait is seen when it wakes, as in our programs, which never sleep long
        print("up", flush=True)
        while True:
            gevent.sleep(0.1)

    def spin():
        print("up", flush=True)
        while True:
            pass

    def spin_in_c():
        import collections, itertools
        print("up", flush=True)
        collections.deque(itertools.repeat(0), maxlen=0)

    waiting = [gevent.spawn(wait_for_ever, "hunter2") for _ in range(7)]
    gevent.sleep(0)
    gc.collect()
    gc.freeze()
    {doing}
"""


def dumps(folder: Path, pid: int) -> list[Path]:
    """Those that have something in them, oldest first."""
    files = sorted((folder / supervised.FOLDER).glob(f"busy.{pid}.*.txt"))
    return [file for file in files if file.stat().st_size]


def asked(program: "subprocess.Popen[str]", folder: Path, wanted: str, count: int = 1) -> str:
    """Ask for a dump; its text, when it holds that."""
    program.send_signal(signal.SIGUSR2)

    def text() -> str:
        found = dumps(folder, program.pid)
        told = found[-1].read_text() if len(found) == count else ""
        return told if wanted in told else ""

    return eventually(text, SECONDS, f"a dump with {wanted!r}")


def test_a_spinning_program_says_where_and_what_its_greenlets_wait_for(tmp_path, started):
    program = started(BUSY.format(doing="spin()"), str(tmp_path))
    text = asked(program, tmp_path, "greenlets wait")
    assert "in spin" in text.split("what runs in the main thread")[0], "by the handler in C"
    assert "in spin" in text.split("what runs in the main thread")[1].split("greenlets wait")[0]
    assert "\n7 x\nGreenlet\n" in text, "those that look alike are told once, the frozen ones too"
    assert "in wait_for_ever" in text
    assert "hunter2" not in text, "no values"


def test_each_dump_is_a_file_and_the_program_goes_on(tmp_path, started):
    program = started(BUSY.format(doing="idle()"), str(tmp_path))
    for count in (1, 2, 3):
        eventually(lambda count=count: (tmp_path / "dump" / f"busy.{program.pid}.{count}.txt").exists())
        asked(program, tmp_path, "greenlets wait", count)
    assert program.poll() is None


def test_a_program_that_is_stuck_in_c_still_tells_its_threads(tmp_path, started):
    program = started(BUSY.format(doing="spin_in_c()"), str(tmp_path))
    assert "in spin_in_c" in asked(program, tmp_path, "spin_in_c")


def test_without_a_folder_the_dump_is_printed(started):
    program = started(CHILD)
    program.send_signal(signal.SIGUSR2)
    assert program.stderr is not None
    lines = iter(program.stderr.readline, "")
    assert any("thread" in line.lower() for line in lines)
    assert any("what runs in the main thread" in line for line in lines)


def test_a_program_that_ends_leaves_no_empty_dump(tmp_path, started):
    program = started(BUSY.format(doing="print('up'); supervised.end()"), str(tmp_path))
    assert program.wait(SECONDS) == 0
    assert list((tmp_path / "dump").iterdir()) == []


def test_the_newest_dumps_are_kept_and_empty_ones_of_the_dead_are_not(tmp_path, started):
    folder = tmp_path / "dump"
    folder.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number in range(supervised.KEPT + 5):
        (folder / f"gateway.1.{number}.txt").write_text("something")
        os.utime(folder / f"gateway.1.{number}.txt", (number, number))
    (folder / f"gateway.{dead.pid}.1.txt").touch()
    (folder / f"gateway.{os.getpid()}.1.txt").touch()
    started(BUSY.format(doing="print('up')"), str(tmp_path))
    kept = {file.name for file in folder.glob("gateway.*")}
    assert kept == {f"gateway.1.{number}.txt" for number in range(5, supervised.KEPT + 5)} | {
        f"gateway.{os.getpid()}.1.txt"
    }


def test_a_folder_that_can_not_be_used_stops_nobody(tmp_path, started):
    (tmp_path / "dump").write_text("in the way")
    program = started(BUSY.format(doing="idle()"), str(tmp_path))
    program.send_signal(signal.SIGUSR2)
    assert program.stderr is not None
    assert any("greenlets wait" in line for line in iter(program.stderr.readline, ""))


def test_a_lock_is_waited_for_as_long_as_one_has_patience(tmp_path, started):
    file = tmp_path / "lock"
    code = """
        import fcntl, sys, time
        file = open(sys.argv[1], "w")
        fcntl.flock(file, fcntl.LOCK_EX)
        print("locked", flush=True)
        sys.stdin.readline()
    """
    holder = started(code, str(file))
    with file.open("w") as mine:
        assert not supervised.have_lock(mine.fileno(), 0.0)
        assert not supervised.have_lock(mine.fileno(), 0.1)
        holder.terminate()
        assert supervised.have_lock(mine.fileno(), SECONDS)


def test_only_who_is_supervised_has_patience(monkeypatch):
    monkeypatch.delenv("SUPERVISOR_ENABLED", raising=False)
    assert supervised.patience() == 0.0
    monkeypatch.setenv("SUPERVISOR_ENABLED", "1")
    assert supervised.patience() == supervised.PATIENCE_SECONDS


def test_a_hangup_during_the_start_is_made_good_and_ends_nobody(started):
    program = started("""
        import os, signal, sys
        from emg import supervised
        supervised.note_hangups()
        os.kill(os.getpid(), signal.SIGHUP)
        heard = []
        signal.signal(signal.SIGHUP, lambda *_: heard.append("own"))
        print("early" if supervised.hung_up() else "nothing", flush=True)
        os.kill(os.getpid(), signal.SIGHUP)
        print(*heard, flush=True)
    """)
    assert program.line == "early"
    assert program.stdout.read().strip() == "own"
    assert program.wait(SECONDS) == 0


def test_lines_for_the_supervisor_are_never_waited_for(started):
    """The pipe is full, then its reader is gone: the program goes on."""
    code = """
        import os, sys
        from emg.supervised import StandardError
        line = StandardError()
        for number in range(3000):
            line.write(f"{number} " + "x" * 5000)
        print("through", flush=True)
        sys.stdin.readline()
        line.write("nobody reads this")
        print("still there", flush=True)
    """
    begun = time.monotonic()
    program = started(code)
    assert program.line == "through"
    assert time.monotonic() - begun < SECONDS
    assert program.stderr is not None
    first = program.stderr.readline()
    assert first.startswith("0 x")
    assert len(first) == 4096
    program.stderr.close()
    assert program.stdin is not None
    assert program.stdout is not None
    print(file=program.stdin, flush=True)
    assert program.stdout.readline() == "still there\n"
    program.stderr = None  # closed


def test_a_callback_of_the_loop_may_write_a_line(started):
    """There nothing may wait for the loop, not even for no time at all."""
    code = """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        from emg.supervised import StandardError
        line = StandardError()
        gevent.get_hub().loop.run_callback(line.write, "from the loop")
        gevent.sleep(0.01)
        print("through", flush=True)
        input()
    """
    program = started(code)
    assert program.stderr is not None
    assert program.stderr.readline() == "from the loop\n"
    assert program.line == "through"
