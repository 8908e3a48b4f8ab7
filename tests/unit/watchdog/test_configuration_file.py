"""Whether server.cfg has a fault, as the watchdog sees it."""

from watchdog.configuration_file import ConfigurationFile


def test_faults_come_and_go(tmp_path):
    file, more = tmp_path / "server.cfg", tmp_path / "more.cfg"
    file.write_text("SERVERNAME=one\nINCLUDE=more.cfg\n")
    more.write_text("LOGDIR=log\n")
    looked = ConfigurationFile(str(file))
    assert looked.faults() == ""
    more.write_text("LOGDRI=log\n")
    assert "LOGDRI" in looked.faults()
    more.write_text("LOGDIR=log\n")
    assert looked.faults() == ""
    file.unlink()
    assert "can't be read" in looked.faults()
    file.write_text("SERVERNAME=one\n")
    assert looked.faults() == ""


def test_it_is_read_again_only_when_it_changed(tmp_path, monkeypatch):
    file = tmp_path / "server.cfg"
    file.write_text("SERVERNAME=one\n")
    looked = ConfigurationFile(str(file))
    assert looked.faults() == ""
    monkeypatch.setattr("watchdog.configuration_file.load", lambda *_, **__: 1 / 0)
    assert looked.faults() == ""


def test_no_file_has_no_faults():
    assert ConfigurationFile("").faults() == ""
