"""The demo, as far as it goes without starting anything: its folder, its lock, its configuration."""

import socket

import pytest

from emg.config.values import ConnectorType, Endpoint
from emg.tools import demo


@pytest.fixture
def free_ports(monkeypatch):
    """The demo's own ports may be in use on the machine that tests."""
    monkeypatch.setattr(demo, "check_free", lambda address: None)


def test_what_ships_is_a_configuration_without_faults_or_warnings(tmp_path, free_ports):
    config = demo.prepare(tmp_path)
    assert config.warnings == ()
    assert config.control == str(tmp_path / "emg.sock")
    assert str(demo.address_of(config, ConnectorType.INCOMING)) == "127.0.0.1:2775"
    assert all(address.host == "127.0.0.1" for connector in config.connectors.values() for address in connector.address)


def test_a_configuration_that_was_changed_is_kept(tmp_path, free_ports):
    demo.prepare(tmp_path)
    changed = (tmp_path / "server.cfg").read_text().replace("emg-demo", "mine")
    (tmp_path / "server.cfg").write_text(changed)
    assert demo.prepare(tmp_path).servername == "mine"
    assert (tmp_path / "server.cfg").read_text() == changed


def test_two_demos_do_not_share_a_folder(tmp_path):
    with demo.alone(tmp_path), pytest.raises(demo.DemoFailed, match="another demo runs"), demo.alone(tmp_path):
        pass


def test_a_folder_is_free_again_after_a_demo(tmp_path):
    for _ in range(2):
        with demo.alone(tmp_path / "var"):
            pass


def test_a_port_in_use_is_named_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with pytest.raises(demo.DemoFailed, match=f"127.0.0.1:{port}"):
            demo.check_free(Endpoint("127.0.0.1", port))


def test_a_gateway_that_does_not_listen_is_not_healthy(tmp_path):
    assert not demo.healthy(str(tmp_path / "emg.sock"))


def test_a_failure_shows_the_end_of_the_log(tmp_path):
    log = tmp_path / "gateway.out"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    with pytest.raises(demo.DemoFailed, match=r"did not come up; the end of .*gateway.out:\nline 85\n[^$]*line 99$"):
        demo.fail("did not come up", log)
