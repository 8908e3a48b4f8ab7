"""`emg connector`: the whole life of one from the shell, and what a customer is told."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from emg.shell import connector

OUT = ["TYPE=OUTGOING", "PROTOCOL=SMPP", "ADDRESS=peer:2775", "USERNAME=u"]
IN = ["TYPE=INCOMING", "PROTOCOL=SMPP", "ADDRESS=0.0.0.0:3000,[::]:3000"]


class Shell:
    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self.capsys = capsys
        self.monkeypatch = monkeypatch

    def __call__(self, *argv: str, stdin: str = "", code: int = 0) -> str:
        """What it prints; on standard error if it fails."""
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        assert connector.main([*argv, "-c", str(self.file)]) == code
        told = self.capsys.readouterr()
        return told.err if code else told.out

    def json(self, *argv: str) -> Any:
        return json.loads(self(*argv, "--json"))


@pytest.fixture
def emg(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    file = tmp_path / "server.cfg"
    filed = "CONNECTOR filed <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\nSSL\nSSL_KEYFILE=server.cfg\n>\n"
    file.write_text(f"DATABASE={database_url}\nCONTROL={tmp_path}/control.sock\nSPOOLDIR={tmp_path}\n{filed}")
    return Shell(file, capsys, monkeypatch)


def test_the_life_of_a_connector(emg: Shell) -> None:
    assert (
        emg("add", "op", *OUT, "STATIC", "--password-stdin", "--note", "first", stdin="hu go\n")
        == "connector op is added\n"
    )
    assert emg.json("show", "op")["options"] == {
        "TYPE": "OUTGOING", "PROTOCOL": "SMPP", "ADDRESS": "peer:2775", "USERNAME": "u", "STATIC": "", "PASSWORD": "***",
    }  # fmt: skip
    assert (
        emg("set", "op", "static-", "THROUGHPUT=5", "PASSWORD", "--password-stdin", stdin="egon\n")
        == "connector op is changed\n"
    )
    shown = emg.json("show", "op")
    assert (shown["options"]["THROUGHPUT"], "STATIC" in shown["options"], shown["note"]) == ("5", False, "first")
    emg("disable", "op")
    assert emg.json("show", "op")["disabled"] is True
    emg("enable", "op")
    emg("note", "op", "second")
    emg("rename", "op", "operator")
    assert [(row["name"], row["from"], row["note"]) for row in emg.json("list")] == [
        ("operator", "database", "second"), ("filed", "file", ""),
    ]  # fmt: skip
    assert "operator" in emg("list")
    assert "egon" not in emg("show", "operator")
    emg("delete", "operator")
    assert [row["name"] for row in emg.json("list")] == ["filed"]


def test_a_reference_is_no_secret_and_warns_where_it_is_not_set(emg: Shell) -> None:
    assert "EMG_TEST_PW is not set here" in emg("add", "op", *OUT, "PASSWORD=${EMG_TEST_PW}")
    assert emg.json("show", "op")["options"]["PASSWORD"] == "${EMG_TEST_PW}"


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["add", "op", *OUT, "PASSWORD=x"], 2, "use --password-stdin or PASSWORD=${NAME}"),
        (["add", "op", *OUT, "STATIC-"], 2, "nothing that could be taken away"),
        (["add", "op", *OUT, "TYPE=INCOMING"], 2, "TYPE stands there twice"),
        (["add", "op", *OUT], 1, "connector op: has no PASSWORD"),
        (["add", "op", *IN, "INSTANSES=1"], 1, "INSTANSES is not a keyword (did you mean INSTANCES?)"),
        (["add", "filed", *IN], 1, "stands in the configuration file"),
        (["add", "op", *IN, "ADDRESS=x"], 2, "twice"),
        (["add", "op", *IN, "DISABLED=maybe"], 2, "DISABLED must be yes or no"),
        (["show", "nobody"], 1, "there is no connector nobody in the database"),
        (["sheet", "nobody"], 1, "there is no connector nobody in the database"),
        (["add"], 2, "required"),
        (["add", "op\udcff", *IN], 2, "is not UTF-8 text"),
        (["add", "op", *IN, "ROUTE=\udcff"], 2, "is not UTF-8 text"),
        (["add", "op", *IN, "--note", "a\x1bb"], 1, "connector op: the note must be text"),
    ],
)
def test_what_can_not_be_is_one_sentence(emg: Shell, argv: list[str], code: int, sentence: str) -> None:
    told = emg(*argv, code=code)
    assert sentence in told
    assert told.count("\n") == 1


def test_what_is_taken_away_must_be_there(emg: Shell) -> None:
    emg("add", "in", *IN)
    assert "connector in has no STATIC" in emg("set", "in", "STATIC-", code=2)
    assert "given and taken away" in emg("set", "in", "ROUTE=x", "ROUTE-", code=2)


def test_disabled_among_the_lines_is_the_switch(emg: Shell) -> None:
    emg("add", "in", *IN, "DISABLED")
    assert emg.json("show", "in")["disabled"] is True
    emg("set", "in", "DISABLED=no")
    assert emg.json("show", "in")["disabled"] is False


def test_the_sheet_for_a_customer(emg: Shell) -> None:
    """Nothing of our set-up: a wildcard or a loopback address is a placeholder."""
    emg("add", "in", *IN, "WINDOWSIZE=10", "THROUGHPUT=50", "ACCESS=192.0.2.0/24")
    told = emg.json("sheet", "in", "--host", "smpp.example.com")
    assert (told["host"], told["port"], told["TLS"], told["window"]) == ("smpp.example.com", "3000", "no", "10")
    assert told["messages a second"] == "50"
    filed = emg.json("sheet", "filed")
    assert (filed["host"], filed["port"], filed["TLS"]) == ("YOUR-GATEWAY", "2775", "yes")
    emg("add", "op", *OUT, "PASSWORD=${X}")
    assert "OUTGOING" in emg("sheet", "op", code=2)
