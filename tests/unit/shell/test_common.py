"""What all commands on the database share: the command line, where the database is, printing, passwords, and telling the gateway."""

import argparse
import datetime as dt
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emg.db.models import Network
from emg.shell import common
from emg.shell.common import Call, Command, UsageError, no_arguments, password_arguments, run

COLUMNS = (("Name", "name"), ("Price", "price"), ("Note", "note"), ("Since", "created"))
ROWS = [
    {"name": "acme", "price": "10.00", "note": "", "created": dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)},
    {"name": "[b]x", "price": "0.005", "note": "", "created": None},
]
Start = Callable[..., int]


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Path:
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={database_url}\nCONTROL={tmp_path}/control.sock\nSPOOLDIR={tmp_path}\n")
    return file


def start(
    command: Callable[[Call], int | None],
    *argv: str,
    arguments: Callable[[argparse.ArgumentParser], None] = no_arguments,
) -> int:
    return run("thing", "Things.", {"do": Command(command, arguments, "do it")}, list(argv))


def add(call: Call) -> None:
    with call.database.session() as session:
        session.add(Network(prefix="46", country="SE"))
    call.say({"added": "46"}, "46 is added")


def test_a_command_works_on_the_database_of_the_configuration(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(add, "-c", str(config), "do") == 0
    assert capsys.readouterr().out == "46 is added\n"
    assert start(add, "do", "-c", str(config), "--json") == 1, "the second is a duplicate"
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith("emg thing: the database ")
    assert "INSERT" not in told.err


def test_one_command_needs_no_name(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("thing", "A thing.", Command(add, no_arguments, "do it"), ["-c", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"added": "46"}


def test_rows_are_a_table_or_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal nothing is cut; what looks like markup is text; a column without values is left out."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def show(call: Call) -> int:
        call.table(ROWS, COLUMNS)
        return 7

    assert start(show, "do") == 7
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["Name", "Price", "Since", "(UTC)"]
    assert out[1].split()[:2] == ["acme", "10.00"]
    assert out[1].split()[2:] == ["2026-11-23", "12:00:00"]
    assert out[2].split() == ["[b]x", "0.005"]
    start(show, "--json", "do")
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told] == ["acme", "[b]x"]
    assert told[0]["created"] == "2026-11-23T12:00:00Z"


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    start(lambda call: call.table([], COLUMNS), "do")
    assert capsys.readouterr().out == "none\n"
    start(lambda call: call.table([], COLUMNS), "do", "--json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("argv", [[], ["don't"], ["do", "--no-such"], ["do", "too many"]])
def test_a_wrong_command_line_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert start(lambda call: None, *argv) == 2
    told = capsys.readouterr().err
    assert told.startswith("emg thing: ")
    assert told.count("\n") == 1


def test_no_database_in_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "server.cfg").write_text("# nothing\n")
    assert start(add, "-c", str(tmp_path / "server.cfg"), "do") == 1
    assert "names no database: set DATABASE" in capsys.readouterr().err


def test_a_database_without_tables_names_the_way_out(
    tmp_path: Path, empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "server.cfg").write_text(f"DATABASE={empty_url}\n")
    assert start(add, "-c", str(tmp_path / "server.cfg"), "do") == 1
    told = capsys.readouterr().err
    assert "emg db upgrade" in told
    assert "secret" not in told


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(add, "-c", str(tmp_path / "none.cfg"), "do") == 1
    assert "can't be read" in capsys.readouterr().err


def test_a_change_is_kept_where_no_gateway_runs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(lambda call: call.tell_gateway(), "-c", str(config), "do") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "no gateway runs here; one that starts reads the change\n"


@pytest.mark.parametrize(
    ("given", "text"), [("S3cret!\n", "S3cret!"), ("no end", "no end"), ("crlf\r\n", "crlf"), ("é\nnext\n", "é")]
)
def test_a_password_comes_from_standard_input(given: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    seen = []
    assert start(lambda call: seen.append(call.password()), "do", "--password-stdin", arguments=password_arguments) == 0
    assert seen == [(text, False)]


@pytest.mark.parametrize("given", ["", "\n", "tab\there\n", "x" * 1025])
def test_a_password_that_nobody_could_use(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))

    def read(call: Call) -> None:
        with pytest.raises(UsageError, match="one line"):
            call.password()

    start(read, "do", "--password-stdin", arguments=password_arguments)


def test_a_made_password() -> None:
    made = {common.generated_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(text) == 20 and text.isalnum() and not set(text) & set("0O1Il") for text in made)
    assert len(common.generated_password(8)) == 8


def test_who_is_at_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that the program runs as, or the person behind sudo; never what anybody can write into his environment."""
    call = Call(argparse.Namespace(json=False))
    monkeypatch.setenv("USER", "somebody else")
    monkeypatch.setenv("LOGNAME", "somebody else")
    monkeypatch.setenv("SUDO_USER", "anna")
    expected = "anna" if os.getuid() == 0 else None
    assert call.actor.who.startswith("shell:")
    assert "somebody" not in call.actor.who
    assert expected is None or call.actor.who == "shell:anna"
    assert call.actor.origin == ""
