"""The gateway and its database when something of the two is away, killed or damaged; and hundreds of customers after a restart."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emg.db import accounts, schema
from emg.db.engine import Database
from emg.engine.verified import Verified
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BindTransceiver
from tests.databases import MariaDb
from tests.gateways import Esme, GatewayProcess, eventually, incoming, user
from tests.scenes import ANN, Scene, add_route, scene_on, secret, send, started


@pytest.fixture
def scene(tmp_path: Path, database: Database) -> Iterator[Scene]:
    """A gateway on either database."""
    with scene_on(database, tmp_path) as made:
        yield made


def test_without_database_and_without_copies_it_ends_with_a_sentence(tmp_path: Path) -> None:
    gateway = GatewayProcess(
        tmp_path, f"DATABASE=mysql+pymysql://emg:hidden-word@127.0.0.1:1/emg\n{incoming()}", start=False
    )
    with pytest.raises(AssertionError):
        gateway.start()
    assert gateway.program is not None
    assert gateway.program.wait() == 1
    printed = gateway.program.printed()
    assert "there is no good copy of its tables" in printed
    assert "Traceback" not in printed
    assert "hidden-word" not in printed + gateway.logs()
    gateway.close()


def test_a_database_without_tables_is_a_sentence_that_says_what_to_do(tmp_path: Path, empty_url: str) -> None:
    gateway = GatewayProcess(tmp_path, f"DATABASE={empty_url}\n{incoming()}", start=False)
    with pytest.raises(AssertionError):
        gateway.start()
    assert gateway.program is not None
    assert gateway.program.wait() == 1
    (printed,) = gateway.program.printed().splitlines()
    assert "emg db upgrade" in printed
    (logged,) = [line for line in gateway.logs().splitlines() if " INFO " not in line]
    assert "emg db upgrade" in logged
    gateway.close()


@pytest.fixture
def away(tmp_path: Path, own_mariadb: MariaDb) -> Iterator[tuple[Scene, MariaDb]]:
    """A scene on a server of its own, which can be stopped."""
    database = Database(own_mariadb.url("emg"))
    schema.upgrade(database)
    with scene_on(database, tmp_path) as made:
        yield made, own_mariadb
    database.close()


def test_a_start_without_database_uses_the_last_good_copy_and_the_database_is_found_again(
    away: tuple[Scene, MariaDb],
) -> None:
    scene, server = away
    started(scene)
    scene.gateway.stop()
    server.stop()
    started(scene)
    assert "starts from the last good copy of the tables, 0 min" in scene.gateway.logs()
    assert scene.gateway.logs().count("can't be used") + scene.gateway.logs().count("Can't connect") < 4
    assert scene.subject("account")["source"] == "last good copy"
    assert "127.0.0.1" in scene.reader()["fault"]
    client = scene.bind()
    assert send(client) == Status.ROK
    server.start()
    eventually(lambda: scene.subject("account")["source"] == "database", 15.0)
    scene.change(lambda session: add_route(session, "49", "operator"))
    assert send(client, "491") == Status.ROK
    client.expect_nothing()


def test_a_database_that_goes_away_meanwhile_is_not_noticed_by_anybody(away: tuple[Scene, MariaDb]) -> None:
    scene, server = away
    started(scene)
    client = scene.bind()
    server.kill()
    answer = scene.gateway.control("POST", "/reload")
    assert "127.0.0.1" in answer["database"]
    assert send(client) == Status.ROK
    server.start()
    eventually(lambda: scene.reader()["reachable"], 15.0)
    scene.change(lambda session: accounts.lock(session, ANN, "acme"))
    client.expect_closed()


def test_a_damaged_copy_and_one_of_another_version_or_database_are_not_used(away: tuple[Scene, MariaDb]) -> None:
    scene, server = away
    started(scene)
    scene.gateway.stop()
    server.stop()
    folder = scene.gateway.folder / "spool" / "tables"
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}
    octets = bytearray((folder / "price.bin").read_bytes())
    octets[-1] ^= 1
    (folder / "price.bin").write_bytes(octets)
    octets = bytearray((folder / "network.bin").read_bytes())
    octets[9] = 200
    (folder / "network.bin").write_bytes(octets)
    (folder / "blacklist.bin").write_bytes(b"")
    started(scene)
    logs = scene.gateway.logs()
    for sentence in ("table price in", "it is damaged", "it is of version 200", "it is no copy of a table"):
        assert sentence in logs
    assert send(scene.bind()) == Status.ROK
    scene.gateway.stop()
    scene.gateway.configure(scene.config().replace("/emg\n", "/other\n", 1))
    with pytest.raises(AssertionError):
        scene.gateway.start()
    assert "it is of another database" in scene.gateway.logs()


def test_a_reader_that_is_killed_comes_back_and_nobody_notices(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    for _ in range(3):
        pid = eventually(lambda: scene.reader()["reader_process"])
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: scene.reader()["reader_process"] not in (0, pid), 10.0)
    assert send(client) == Status.ROK
    scene.change(lambda session: add_route(session, "49", "operator"))
    assert send(client, "491") == Status.ROK
    assert scene.reader()["reader_restarts"] == 3


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_reader_ends_with_its_gateway(scene: Scene, how: signal.Signals) -> None:
    started(scene)
    pid = scene.reader()["reader_process"]
    os.kill(scene.gateway.pid, how)
    assert scene.gateway.program is not None
    scene.gateway.program.wait()
    eventually(lambda: not _alive(pid), 5.0)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_readers_command_line_and_environment_hold_no_password(away: tuple[Scene, MariaDb]) -> None:
    scene, _server = away
    started(scene)
    pid = scene.reader()["reader_process"]
    for name in ("cmdline", "environ"):
        assert b"secret-of-the-test" not in Path(f"/proc/{pid}/{name}").read_bytes()
    for file in (scene.gateway.folder / "spool" / "tables").iterdir():
        assert b"secret-of-the-test" not in file.read_bytes()


def test_five_hundred_customers_are_back_within_ten_seconds_of_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their passwords are argon2 hashes of the usual cost; they have logged in before."""
    names = [f"c{number}" for number in range(500)]
    (tmp_path / "spool").mkdir()
    verified = Verified(tmp_path / "spool")
    for name in names:
        verified.add(verified.make(name, secret(), b"secret"))
    assert not verified.save(verified.seal(), [secret()])
    users = "".join(user(name, PASSWORD=secret()) for name in names)
    clients: list[Esme] = []
    with GatewayProcess(tmp_path, incoming(INSTANCES=600, MAXCONNECTIONS=700) + users) as gateway:
        began = time.monotonic()
        for name in names:
            clients.append(Esme(gateway.port()))
            clients[-1].ask(BindTransceiver(system_id=name, password="secret", interface_version=0x34))
        for client in clients:
            assert client.answer_to(1, 30.0).status == Status.ROK
        took = time.monotonic() - began
        with capsys.disabled():
            print(f"\n500 customers were back after {took:.1f} s")
        assert took < 10.0
        for client in clients:
            client.close()
