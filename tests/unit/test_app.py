"""The door: what it imports, and what becomes of errors that reach it."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import app
from emg.errors import ControlError


@pytest.fixture
def program(monkeypatch):
    """Put one program `try` into the table; the value returned is its module, to be given a `main`."""
    module = SimpleNamespace()
    monkeypatch.setattr(app, "PROGRAMS", {"try": app.Program("try", False, "")})
    monkeypatch.setattr(app, "import_module", lambda name: module)
    return module


def fail(error: BaseException):
    def main(argv: list[str]) -> int:
        raise error

    return main


def test_arguments_and_exit_code_pass_through(program):
    program.main = len
    assert app.main(["try", "-c", "server.cfg", "--json"]) == 3


def test_an_error_of_ours_is_one_sentence(program, capsys):
    program.main = fail(ControlError("the gateway does not answer"))
    assert app.main(["try"]) == 1
    assert capsys.readouterr().err == "emg try: the gateway does not answer\n"


def test_an_error_that_nobody_meant_keeps_its_traceback(program):
    program.main = fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        app.main(["try"])


def test_ctrl_c_is_130(program):
    program.main = fail(KeyboardInterrupt())
    assert app.main(["try"]) == 130


def test_unknown_program_is_named(capsys):
    assert app.main(["gatway"]) == 2
    assert "'gatway'" in capsys.readouterr().err


def test_help_lists_every_program(capsys):
    assert app.main([]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in app.PROGRAMS)


def test_a_reader_that_went_away_is_no_error():
    """`emg --help | head -0`: no traceback, neither at the write nor at exit."""
    code = "import app, sys, types; app.import_module = lambda name: types.SimpleNamespace(main=lambda argv: print('x' * 100000)); "
    code += "app.PROGRAMS = {'try': app.Program('', False, '')}; sys.exit(app.main(['try']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as door:
        assert door.stdout is not None
        door.stdout.close()
        assert door.stderr is not None
        assert door.stderr.read() == ""
    assert door.returncode == 141


def test_help_imports_no_program_and_no_gevent():
    code = "import app, sys; app.main([]); print([name for name in sys.modules if name.startswith(('gevent', 'emg.', 'rich'))])"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.splitlines()[-1] == "['emg.errors']"
