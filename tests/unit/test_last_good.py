"""The last good copy of the configuration: kept when a program is up, taken while its files have faults."""

from pathlib import Path

import pytest

from emg.config.faults import ConfigFaults
from emg.config.load import load
from emg.errors import EmgError
from emg.last_good import VARIABLE, LastGood, for_asking
from watchdog import render

TEXT = "SERVERNAME=one\nSPOOLDIR=spool\nINCLUDE=more.cfg\nROUTES=routes.csv\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "server.cfg").write_text(TEXT)
    (tmp_path / "more.cfg").write_text("LOGDIR=log\n")
    (tmp_path / "routes.csv").write_text("prefix,connector_out\n")
    return tmp_path


def good(place: Path, program: str = "gateway") -> LastGood:
    return LastGood(program, {VARIABLE: str(place / "kept")})


def kept(place: Path) -> None:
    good(place).up(load(place / "server.cfg", {}))


def test_a_typo_is_no_reason_not_to_start(place):
    kept(place)
    (place / "server.cfg").write_text(TEXT + "NOSUCHWORD=1\n")
    copy = good(place)
    config = copy.load(place / "server.cfg")
    assert config.servername == "one"
    assert config.spooldir == str(place / "spool")
    assert config.logdir == str(place / "log")
    assert config.file == str(place / "server.cfg")
    assert "NOSUCHWORD" in copy.faults


@pytest.mark.parametrize("gone", ["server.cfg", "more.cfg", "routes.csv"])
def test_a_file_that_is_gone_too(place, gone):
    kept(place)
    (place / gone).unlink()
    copy = good(place)
    config = copy.load(place / "server.cfg")
    assert config.logdir == str(place / "log")
    assert Path(config.routes).read_text() == "prefix,connector_out\n"
    assert gone in copy.faults


def test_a_mended_file_counts_again(place):
    kept(place)
    (place / "server.cfg").write_text(TEXT.replace("one", "two"))
    copy = good(place)
    assert copy.load(place / "server.cfg").servername == "two"
    assert copy.faults == ""


def test_a_table_that_turns_out_to_be_faulty_is_taken_from_the_copy(place):
    kept(place)
    (place / "routes.csv").write_text("nonsense\n")
    copy = good(place)
    copy.load(place / "server.cfg")
    config = copy.instead(place / "server.cfg", EmgError("routes.csv: nonsense"))
    assert Path(config.routes).read_text() == "prefix,connector_out\n"
    with pytest.raises(EmgError):  # no second time: the copy has failed too
        copy.instead(place / "server.cfg", EmgError("again"))


def test_without_a_copy_the_faults_end_the_start(place):
    (place / "server.cfg").write_text("NOSUCHWORD=1\n")
    for copy in (good(place), LastGood("gateway", {})):
        with pytest.raises(ConfigFaults):
            copy.load(place / "server.cfg")


def test_a_copy_of_another_file_or_program_does_not_count(place):
    kept(place)
    (place / "server.cfg").write_text("NOSUCHWORD=1\n")
    (place / "other.cfg").write_text("NOSUCHWORD=1\n")
    with pytest.raises(ConfigFaults):
        good(place).load(place / "other.cfg")
    with pytest.raises(ConfigFaults):
        good(place, "recorder").load(place / "server.cfg")


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_copy_is_none(place, octets):
    kept(place)
    (place / "kept" / "gateway" / "files.json").write_bytes(octets)
    (place / "server.cfg").write_text("NOSUCHWORD=1\n")
    with pytest.raises(ConfigFaults):
        good(place).load(place / "server.cfg")


def test_it_is_for_its_owner_alone_and_old_tables_go(place):
    kept(place)
    (place / "routes.csv").write_text("prefix,connector_out\n\n")
    kept(place)
    folder = place / "kept" / "gateway"
    assert len(list(folder.iterdir())) == 2
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(place):
    (place / "kept").write_text("")
    kept(place)


def test_a_machine_that_boots_with_a_typo_needs_no_hand(place, monkeypatch, capsys):
    """At each start systemd has supervisord's configuration written anew."""
    (place / "spool").mkdir()
    monkeypatch.setenv(VARIABLE, str(place / "spool" / "last_good"))
    words = ["-c", str(place / "server.cfg"), "--write", str(place / "supervisord.conf")]
    assert render.main(words) == 0
    rendered = (place / "supervisord.conf").read_text()
    (place / "supervisord.conf").unlink()
    (place / "server.cfg").write_text("NOSUCHWORD=1\n")
    assert render.main(words) == 0
    assert (place / "supervisord.conf").read_text() == rendered
    assert "NOSUCHWORD" in capsys.readouterr().err


# -- who only asks


def asked(place: Path, *needed: str, **environ: str) -> tuple[str, str]:
    """Control socket and warning."""
    config, warning = for_asking(
        place / "server.cfg", needed or ("CONTROL",), {VARIABLE: str(place / "kept"), **environ}
    )
    return config.control, warning


def test_a_file_without_faults_is_taken_without_a_word(place):
    (place / "server.cfg").write_text(TEXT + "CONTROL=/run/one\n")
    assert asked(place) == ("/run/one", "")


def test_who_asks_goes_by_what_runs(place):
    """The file may name another socket by now; the program that runs listens on the old one."""
    (place / "server.cfg").write_text(TEXT + "CONTROL=/run/one\n")
    kept(place)
    (place / "server.cfg").write_text(TEXT + "CONTROL=/run/two\nNOSUCHWORD=1\n")
    control, warning = asked(place)
    assert control == "/run/one"
    assert "NOSUCHWORD" in warning
    assert "goes by the copy of 20" in warning
    assert "\n" not in warning
    (place / "server.cfg").unlink()
    assert asked(place)[0] == "/run/one"


def test_without_a_copy_it_is_what_can_be_read(place):
    (place / "server.cfg").write_text(TEXT + "CONTROL=/run/one\nNOSUCHWORD=1\nCONNECTOR x <\n")
    control, warning = asked(place)
    assert control == "/run/one"
    assert "what can be read of it" in warning


def test_the_copy_is_found_beside_the_spool_where_no_variable_names_it(place):
    LastGood("gateway", {VARIABLE: str(place / "spool" / "last_good")}).up(load(place / "server.cfg", {}))
    (place / "server.cfg").write_text(TEXT + "CONTROL=${NOWHERE}\n")
    config, _warning = for_asking(place / "server.cfg", ("CONTROL",), {})
    assert config.control == load(place / "more.cfg", {}).control


def test_a_variable_that_this_shell_does_not_have_is_not_worth_a_word(place):
    (place / "server.cfg").write_text(TEXT + "CONTROL=/run/one\nWATCHDOG_TOKEN=${TOKEN}\n")
    assert asked(place) == ("/run/one", "")
    with pytest.raises(ConfigFaults, match="TOKEN is not set"):
        asked(place, "WATCHDOG_TOKEN")


@pytest.mark.parametrize("line", ["CONTROL=${NOWHERE}", "CONTROL=", "CONTROL"])
def test_what_is_needed_and_cannot_be_known_ends_it(place, line):
    (place / "server.cfg").write_text(TEXT + line + "\n")
    with pytest.raises(ConfigFaults, match=r"CONTROL|NOWHERE"):
        asked(place)


def test_a_file_that_is_not_there_ends_it(place):
    with pytest.raises(ConfigFaults, match="no such file"):
        for_asking(place / "nothing.cfg", ("CONTROL",), {})
