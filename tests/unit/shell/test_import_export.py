"""`emg import` and `emg export` as programs: files in any encoding, dry runs, folders, and sentences for what can't be read."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from emg.config.load import load
from emg.shell import export_, import_

Emg = Callable[..., str]
OLD = """\
SERVERNAME=old\r
LICENSE=abc\r
CONNECTOR op <\r
TYPE=OUTGOING\r
PROTOCOL=SMPP\r
ADDRESS=peer:2775\r
USERNAME=mü\r
PASSWORD=sécret\r
NOSUCHTHING=1\r
>\r
USER acme <\r
PASSWORD=x\r
>\r
"""


@pytest.fixture
def emg(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Emg:
    monkeypatch.delenv("EMGDIR", raising=False)
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={database_url}\nCONTROL={tmp_path}/control.sock\nSPOOLDIR={tmp_path}\n")

    def run(program: str, *argv: str, code: int = 0) -> str:
        main = {"import": import_.main, "export": export_.main}[program]
        assert main([*argv, "-c", str(file)]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    return run


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_a_file_of_the_other_product(emg: Emg, tmp_path: Path, encoding: str) -> None:
    old = tmp_path / "old.cfg"
    old.write_bytes(OLD.encode(encoding))
    told = json.loads(emg("import", str(old), "--dry-run", "--json"))
    assert told["dry_run"] is True
    assert told["taken"]["connectors"] == {"added": 1, "changed": 0, "kept": 0}
    assert "CONNECTOR" not in emg("export"), "a dry run keeps nothing"
    told = json.loads(emg("import", str(old), "--json"))
    assert [(item["line"], item["section"], item["keyword"]) for item in told["left_out"]] == [
        (1, "", "SERVERNAME"), (2, "", "LICENSE"), (9, "CONNECTOR op", "NOSUCHTHING"),
    ]  # fmt: skip
    again = json.loads(emg("import", str(old), "--json"))
    assert again["taken"] == {
        "connectors": {"added": 0, "changed": 0, "kept": 1},
        "accounts": {"added": 0, "changed": 0, "kept": 1},
    }
    text = emg("export", "--config", "--with-secrets")
    assert "USERNAME=mü\nPASSWORD=sécret\n" in text
    shown = emg("import", str(old))
    assert "NOSUCHTHING is not a keyword" in shown
    assert "As it was" in shown


def test_a_folder_out_and_in(emg: Emg, tmp_path: Path) -> None:
    (tmp_path / "old.cfg").write_text(OLD)
    emg("import", str(tmp_path / "old.cfg"))
    out = tmp_path / "deep" / "out"
    names = json.loads(emg("export", "--all", str(out), "--json"))["files"]
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert not any(
        "sécret" in path.read_text() or "$argon2id$v=19$m=65536,t=3,p=1$" in path.read_text() for path in out.iterdir()
    )
    assert load(out / "server.cfg", {}).connectors["op"].password == "***"
    told = json.loads(emg("import", str(out), "--json"))
    assert told["left_out"] == []
    assert sum(counts["added"] + counts["changed"] for counts in told["taken"].values()) == 0
    emg("export", "--all", str(out), "--with-secrets")
    assert "sécret" in (out / "server.cfg").read_text()


def test_what_can_not_be_read_or_written_is_one_sentence(emg: Emg, tmp_path: Path) -> None:
    assert emg("import", str(tmp_path / "gone.cfg"), code=1).endswith(
        "gone.cfg can't be read: no such file or directory\n"
    )
    assert "can't be written" in emg("export", "--all", str(tmp_path / "server.cfg" / "x"), code=1)


def test_rubbish_is_left_out(emg: Emg, tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(
        bytes(range(256)) * 20 + b"\nCONNECTOR \xff <\nTYPE=x\n>\nUSER a\xe9 <\n>\nROUTES=/dev/zero\nUSERS=.\n"
    )
    told = json.loads(emg("import", str(tmp_path / "rubbish"), "--json"))
    assert told["taken"] == {}
    assert len(told["left_out"]) >= 4


def test_sections_of_the_configuration_in_use_stay_there(emg: Emg, tmp_path: Path) -> None:
    file = tmp_path / "server.cfg"
    file.write_text(
        file.read_text() + OLD.replace("\r", "").replace("LICENSE=abc\n", "").replace("NOSUCHTHING=1\n", "")
    )
    told = json.loads(emg("import", str(file), "--json"))
    assert [item["section"] for item in told["left_out"]] == ["CONNECTOR op", "USER acme"]
    assert sum(counts["added"] for counts in told["taken"].values()) == 0
