"""`emg check`: what it prints and how it ends."""

import json
from pathlib import Path

import pytest

from emg.config.cli import main
from emg.config.effective import HIDDEN, written
from emg.config.load import load_text

GOOD = """\
NODEID=3
DATABASE=mysql://emg:hunter2@h/d
CONNECTOR out <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=h:1
USERNAME="a b"
PASSWORD=hunter2
SYSTEMTYPE=" #x"
MESSAGEMODE=SAR,JOIN
ACCESS=10.0.0.0/8
>
USER joe <
PASSWORD=hunter2
OPERATIONS=QUERY
>
"""


def test_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.cfg"
    path.write_text(GOOD)
    assert main(["-c", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:11: warning: ACCESS has no effect in an OUTGOING connector",
        f"{path}: it can be used: 1 connector, 1 user, 1 warning",
    ]


def test_a_faulty_file_shows_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.cfg"
    path.write_text("NODEID=x\nNOEDID=1")
    assert main(["-c", str(path), "-v"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{path}:1: NODEID=x must be a whole number from 0 to 8999",
        f"{path}:2: NOEDID is not a keyword (did you mean NODEID?)",
        f"{path}: warning: there is no CONNECTOR: no message comes in or goes out",
        f"{path}: 2 faults, 1 warning: it can't be used",
    ]


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(tmp_path / "no.cfg")]) == 1
    assert "can't be read" in capsys.readouterr().out


def test_the_default_file_is_in_emgdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.cfg").write_text(GOOD)
    monkeypatch.setenv("EMGDIR", str(tmp_path))
    assert main([]) == 0


def test_values_in_effect_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.cfg"
    path.write_text(GOOD)
    assert main(["-c", str(path), "-v"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert {"NODEID=3", "DLREXPIRE=7d", "# DATABASE (hidden)", 'SYSTEMTYPE=" #x"', "USERNAME=a b"} <= set(
        out.splitlines()
    )


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "server.cfg"
    path.write_text(GOOD)
    assert main(["-c", str(path), "--json", "-v"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    answer = json.loads(out)
    assert (answer["usable"], answer["faults"], len(answer["warnings"])) == (True, [], 1)
    general, out_, joe = answer["values"]
    assert general["keywords"]["NODEID"] == "3"
    assert (out_["section"], out_["name"], out_["keywords"]["PASSWORD"]) == ("CONNECTOR", "out", HIDDEN)
    assert joe["keywords"]["OPERATIONS"] == "QUERY"
    path.write_text("NODEID=x")
    assert main(["-c", str(path), "--json", "-v"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["faults"] == [
        {"file": str(path), "line": 1, "reason": "NODEID=x must be a whole number from 0 to 8999"}
    ]
    assert "values" not in answer


def test_values_in_effect_can_be_read_again() -> None:
    config = load_text(GOOD)
    secrets = {"# DATABASE": "DATABASE=mysql://emg:hunter2@h/d", "# PASSWORD": "PASSWORD=hunter2"}
    text = written(config)
    for hidden, secret in secrets.items():
        text = text.replace(f"{hidden} {HIDDEN}", secret)
    assert load_text(text) == config
