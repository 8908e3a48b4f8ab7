"""The logs: which line lands where, what rotation and a full disk do, and what they never do."""

import errno
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emg.config.load import load_text
from emg.config.model import ServerConfig
from emg.engine import logfile, logs
from emg.engine.logfile import LogFile
from emg.engine.logs import Logs
from emg.errors import Cause, EmgError, Rejected
from emg.wire.smpp.codec import encode
from emg.wire.smpp.pdus import BindTransceiver, SubmitSm
from tests.engines import config_text


def config(folder: Path, *, extra: str = "", one: str = "") -> ServerConfig:
    return load_text(config_text(folder, extra=extra, one=one))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Logs]:
    made = Logs(config(tmp_path))
    yield made
    made.close()


def read(folder: Path, name: str) -> str:
    path = folder / "log" / name
    return path.read_text() if path.exists() else ""


# -- where a line goes


def test_lines_go_to_their_files(opened: Logs, tmp_path: Path) -> None:
    logging.getLogger("emg.engine").info("about the whole")
    logging.getLogger("emg.connector.one").info("about one")
    logging.getLogger("emg.connector.one").warning("one is in trouble")
    logging.getLogger("emg.connector.two").debug("too small")
    assert "about the whole" in read(tmp_path, "general")
    assert "about one" not in read(tmp_path, "general")
    assert "one is in trouble" in read(tmp_path, "general")
    assert "about one" in read(tmp_path, "connector.one")
    assert "one is in trouble" in read(tmp_path, "connector.one")
    assert not (tmp_path / "log" / "connector.two").exists(), "a file is made with its first line"


def test_a_line_is_like_syslogs(opened: Logs, tmp_path: Path) -> None:
    logging.getLogger("emg.engine").info("hello")
    form = rf"[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d\.\d{{6}} emg emg\[{os.getpid()}\]: INFO engine: hello\n"
    assert re.fullmatch(form, read(tmp_path, "general"))


def test_with_the_year(tmp_path: Path) -> None:
    made = Logs(config(tmp_path, extra="LOGYEAR"))
    logging.getLogger("emg").info("hello")
    made.close()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} ", read(tmp_path, "general"))


def test_levels_change_live_and_connectors_come_and_go(opened: Logs, tmp_path: Path) -> None:
    one = logging.getLogger("emg.connector.one")
    one.debug("before")
    opened.configure(config(tmp_path, extra="LOGLEVEL=ERROR", one="LOGLEVEL=DEBUG2"))
    one.debug("after")
    one.log(5, "smallest")
    logging.getLogger("emg").warning("not an error")
    text = read(tmp_path, "connector.one")
    assert ("before" in text, "after" in text, "DEBUG2" in text) == (False, True, True)
    assert "not an error" not in read(tmp_path, "general")
    gone = config(tmp_path)
    opened.configure(ServerConfig(connectors={"two": gone.connectors["two"]}, logdir=gone.logdir))
    one.warning("who hears this?")
    assert "who hears" not in read(tmp_path, "connector.one")
    assert "who hears" in read(tmp_path, "general")


def test_a_peer_cannot_write_lines_of_its_own(opened: Logs, tmp_path: Path) -> None:
    logging.getLogger("emg").info("bind of %s refused", "eve\nNov  1 00:00:00 emg: all is well\x1b[2J")
    assert read(tmp_path, "general").count("\n") == 1
    assert "\x1b" not in read(tmp_path, "general")


def test_a_traceback_stands_below_its_line(opened: Logs, tmp_path: Path) -> None:
    try:
        raise ValueError("oh")
    except ValueError:
        logging.getLogger("emg").exception("it failed")
    assert "    ValueError: oh" in read(tmp_path, "general")


def test_a_log_call_that_is_wrong_costs_its_line_alone(opened: Logs, tmp_path: Path, capsys) -> None:
    handler = logging.getLogger("emg").handlers[-1]
    handler.handle(logging.LogRecord("emg", logging.INFO, __file__, 1, "%d things", ("many",), None))
    assert "could not be formatted" in read(tmp_path, "general")
    assert capsys.readouterr().err == ""


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = {name: list(logging.getLogger(name).handlers) for name in ("emg", "emg.connector.one")}
    made = Logs(config(tmp_path))
    made.close()
    assert {name: list(logging.getLogger(name).handlers) for name in before} == before
    assert logging.getLogger("emg.connector.one").level == logging.NOTSET


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(EmgError, match=r"LOGDIR .* cannot be used"):
        Logs(config(tmp_path))


# -- PDUs


def test_a_pdu_is_logged_decoded_and_in_hex(opened: Logs, tmp_path: Path) -> None:
    frame = encode(SubmitSm(7, source_addr="ACME", destination_addr="46701234567", short_message=b"hello"))
    opened.pdu("one", "one#1", False, frame)
    line = read(tmp_path, "pdu.one")
    assert "one#1 > submit_sm seq 7" in line
    assert "source_addr='ACME'" in line
    assert "text='hello'" in line
    assert frame.hex() in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("broken", [0, 3])
def test_a_password_is_in_neither_form(opened: Logs, tmp_path: Path, broken: int) -> None:
    """Also not of a bind that cannot be read."""
    frame = encode(BindTransceiver(1, system_id="acme", password="secret"))
    opened.pdu("one", "one#1", True, frame[: len(frame) - broken])
    line = read(tmp_path, "pdu.one")
    assert "< bind_transceiver" in line
    assert "secret" not in line
    assert b"secret".hex() not in line
    assert b"acme".hex() in line


def test_any_octets_can_be_logged(opened: Logs, tmp_path: Path) -> None:
    for octets in (b"", b"\0", b"\0\0\0\x10\xff\xff\xff\xff" + bytes(8), bytes(range(256))):
        opened.pdu("one", "one#1", True, octets)
    opened.pdu("gone", "gone#1", True, b"")
    assert read(tmp_path, "pdu.one").count("\n") == 4
    assert "UNREADABLE" in read(tmp_path, "pdu.one")


def test_pdus_are_wanted_where_logpdu_says_so(opened: Logs, tmp_path: Path) -> None:
    told = config(tmp_path, one="LOGPDU").connectors
    assert opened.pdu_wanted(told["one"])
    assert not opened.pdu_wanted(told["two"])


# -- refusals


def test_refusals_are_bounded_and_counted(opened: Logs, tmp_path: Path, monkeypatch) -> None:
    clock = [logs.time.monotonic()]
    monkeypatch.setattr(logs.time, "monotonic", lambda: clock[0])
    logger = logging.getLogger("emg.connector.one")
    error = Rejected(Cause.THROTTLED, "too fast")
    for _ in range(5000):
        opened.refusal(logger, "one#1", "SubmitSm", error)
    opened.refusal(logger, "one#2", "SubmitSm", error)
    text = read(tmp_path, "connector.one")
    assert text.count("session one#1: SubmitSm refused (throttled): too fast") == logs.REFUSALS_A_SESSION
    assert text.count("session one#2: SubmitSm refused") == 1, "one client's flood does not hide another one's trouble"
    clock[0] += 61
    opened.sweep()
    assert "session one#1: 5000 refusals within 61 s, 10 of them told" in read(tmp_path, "connector.one")
    for number in range(1000):
        opened.refusal(logger, f"one#{number + 10}", "SubmitSm", error)
    told = read(tmp_path, "connector.one").count("refused (") - 11
    assert told == logs.REFUSALS_A_CONNECTOR, "a client that reconnects after each refusal is bounded too"


# -- files


def test_rotation_keeps_so_many_files(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "x", 100, 3)
    for number in range(40):
        file.write(f"{number:03d}" + "." * 46)  # two lines a file
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.1", "x.2", "x.3"]
    assert (tmp_path / "x").read_text().startswith("038")
    assert (tmp_path / "x.3").read_text().startswith("032")
    file.keep = 1
    for _ in range(3):
        file.write("y" * 90)
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.1"]


def test_logrotate_moves_the_file_away(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "x", 1000, 3)
    file.write("one")
    (tmp_path / "x").rename(tmp_path / "x.old")
    file.write("two")
    file.reopen()
    file.write("three")
    file.close()
    assert (tmp_path / "x.old").read_text() == "one\ntwo\n"
    assert (tmp_path / "x").read_text() == "three\n"


def test_a_full_disk_is_counted_and_told_when_it_is_over(tmp_path: Path, monkeypatch, capsys) -> None:
    clock = [1000.0]
    monkeypatch.setattr(logfile.time, "monotonic", lambda: clock[0])
    file = LogFile(tmp_path / "x", 1000, 3)
    file.write("before")
    real = os.write

    room = [3]

    def full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        data, room[0] = data[: room[0]], 0
        return real(handle, data)

    monkeypatch.setattr(logfile.os, "write", full)
    file.write("abcdef")
    for _ in range(9):
        file.write("lost")
    clock[0] += 2
    file.write("still full")
    clock[0] += 2
    monkeypatch.setattr(logfile.os, "write", real)
    file.write("after")
    file.close()
    lines = (tmp_path / "x").read_text().splitlines()
    assert lines[:2] == ["before", "abc"]
    assert lines[2:] == ["--- 11 lines were lost here: No space left on device ---", "after"]
    assert file.lost_total == 11
    assert capsys.readouterr().err == ""


def test_a_rotation_that_fails_costs_no_line(tmp_path: Path, monkeypatch) -> None:
    file = LogFile(tmp_path / "x", 100, 3)
    file.write("." * 90)

    def refuse(self: Path, target: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    for _ in range(5):
        file.write("." * 90)
    file.close()
    assert len((tmp_path / "x").read_text().splitlines()) == 6
    assert file.lost_total == 0
