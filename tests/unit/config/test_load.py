"""Loading from disk: folders, includes, unreadable files."""

import os
from pathlib import Path

import pytest

from emg.config.load import LARGEST_FILE, ConfigFaults, load, load_text

TLS = """\
CONNECTOR a <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:0
SSL
SSL_KEYFILE=key.pem
>
"""


def faults(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load(path, environ or {})
    return [str(fault).replace(str(path.parent), "DIR") for fault in caught.value.faults]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_relative_names_are_taken_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "routes.csv", "prefix\n")
    main = write(tmp_path / "server.cfg", "ROUTES=routes.csv\nSPOOLDIR=spool\nLOGDIR=/var/log/emg\nINCLUDE=more/a.cfg")
    write(tmp_path / "more/a.cfg", "INCLUDE=b.cfg\nCONTROL=c.sock")
    write(tmp_path / "more/b.cfg", "NODEID=3")
    monkeypatch.chdir(tmp_path)
    for path in (main, "server.cfg", Path("./server.cfg")):
        config = load(path, {})
        assert config.routes == f"{tmp_path}/routes.csv"
        assert config.spooldir == f"{tmp_path}/spool"
        assert config.control == f"{tmp_path}/c.sock"
        assert config.logdir == "/var/log/emg"
        assert config.nodeid == 3


def test_emgdir_overrides_the_folder_but_not_for_includes(tmp_path: Path) -> None:
    main = write(tmp_path / "here/server.cfg", "SPOOLDIR=spool\nINCLUDE=a.cfg")
    write(tmp_path / "here/a.cfg", "NODEID=3")
    config = load(main, {"EMGDIR": "/srv/emg"})
    assert (config.spooldir, config.nodeid) == ("/srv/emg/spool", 3)


def test_a_main_file_that_can_not_be_read_is_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path / "no.cfg") == ["DIR/no.cfg: can't be read: no such file or directory"]
    (tmp_path / "folder.cfg").mkdir()
    assert faults(tmp_path / "folder.cfg") == ["DIR/folder.cfg: can't be read: it is not a file"]
    (tmp_path / "binary.cfg").write_bytes(b"\xff\xfe")
    assert faults(tmp_path / "binary.cfg") == ["DIR/binary.cfg: can't be read: it is not UTF-8 text"]
    with (tmp_path / "huge.cfg").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert faults(tmp_path / "huge.cfg") == ["DIR/huge.cfg: can't be read: it has more than 16 MiB"]


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    main = write(tmp_path / "server.cfg", "ROUTES=pipe\nINCLUDE=pipe")
    assert faults(main) == [
        "DIR/server.cfg:1: ROUTES=pipe can't be read: it is not a file",
        "DIR/server.cfg:2: INCLUDE=pipe can't be read: it is not a file",
    ]


def test_files_that_are_named_must_be_readable(tmp_path: Path) -> None:
    main = write(tmp_path / "server.cfg", "PRICES=no.csv\n" + TLS)
    assert faults(main) == [
        "DIR/server.cfg:1: PRICES=no.csv can't be read: no such file or directory",
        "DIR/server.cfg:7: SSL_KEYFILE=key.pem can't be read: no such file or directory",
    ]
    write(tmp_path / "no.csv", "")
    write(tmp_path / "key.pem", "")
    assert load(main, {}).connectors["a"].ssl_certfile == f"{tmp_path}/key.pem"


def test_a_users_file_that_is_missing_is_told_once(tmp_path: Path) -> None:
    main = write(tmp_path / "server.cfg", TLS.replace("SSL\nSSL_KEYFILE=key.pem", "USERS=no.cfg"))
    assert faults(main) == ["DIR/server.cfg:5: USERS=no.cfg can't be read: no such file or directory"]


def test_variables_come_from_the_environment_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMG_TEST_NODE", "5")
    assert load(write(tmp_path / "server.cfg", "NODEID=${EMG_TEST_NODE}")).nodeid == 5


def test_a_name_that_no_file_can_have_is_a_fault(tmp_path: Path) -> None:
    main = write(tmp_path / "server.cfg", f"ROUTES={'x' * 300}")
    assert "file name too long" in faults(main)[0]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("sqlite:///emg.db", "sqlite:////etc/emg/emg.db"),
        ("sqlite:///data/emg.db", "sqlite:////etc/emg/data/emg.db"),
        ("sqlite:////var/lib/emg.db", "sqlite:////var/lib/emg.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("mysql+pymysql://emg:secret@127.0.0.1/emg", "mysql+pymysql://emg:secret@127.0.0.1/emg"),
    ],
)
def test_the_file_of_an_embedded_database_stands_in_the_folder_of_the_configuration(given, read):
    assert load_text(f"DATABASE={given}\n", folder="/etc/emg").database == read
