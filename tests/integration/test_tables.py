"""The database's tables in a running gateway: there at its start, changed while it runs, gone, damaged, and full of nonsense."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from emg.config import hashes
from emg.config.load import load
from emg.config.stored import Stored
from emg.db import accounts, connectors, customers, ledger, revisions, schema
from emg.db.audit import Actor
from emg.db.connectors import Around
from emg.db.engine import Database
from emg.engine.events import Accepted
from emg.engine.verified import Verified
from emg.rules.account_rows import Access
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BindTransceiver, DeliverSm, SubmitSm, Unbind
from tests.databases import MariaDb
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, incoming, message, outgoing, user

ANN = Actor("shell:ann")
ANYWHERE = (Access("127.0.0.0/8"),)
LIMIT = 2.0
"""Seconds in which a change has reached the gateway."""


@cache
def secret() -> str:
    """The hash of `secret`."""
    return hashes.make(b"secret")


def add_account(session: Session, name: str = "acme", access: tuple[Access, ...] = ANYWHERE, **more: Any) -> None:
    accounts.add(session, ANN, {"name": name, "password_hash": secret(), **more}, access)


def add_route(session: Session, prefix: str, connector: str, **more: Any) -> None:
    values = {
        "prefix": prefix, "account": "", "connector_in": "", "connector_out": connector, "priority": 10, "weight": 1, "enabled": 1,
        **more, "updated": "2026-01-01 00:00:00",
    }  # fmt: skip
    session.execute(
        text(f"INSERT INTO route ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)})"), values
    )
    revisions.touch(session, "route")


class Scene:
    """A gateway on a database, and an operator."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.database = database
        self.operator = Smsc()
        self.clients: list[Esme] = []
        self.url = database.url.render_as_string(hide_password=False)
        self.gateway = GatewayProcess(folder, self.config(), start=False)

    def config(self, more: str = "") -> str:
        return f"DATABASE={self.url}\n{more}{incoming()}{outgoing('operator', self.operator.address)}"

    def change(self, make: Callable[[Session], Any]) -> float:
        """In one transaction, and the gateway is told; when that was."""
        with self.database.session() as session:
            make(session)
        began = time.monotonic()
        self.gateway.control("POST", "/reload")
        return began

    def subject(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(row for row in self.status()["tables"] if row["subject"] == name)
        return found

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = self.gateway.control("GET", "/status")
        return told

    def reader(self) -> dict[str, Any]:
        told: dict[str, Any] = self.status()["database"]
        return told

    def bind(self, name: str = "acme", password: str = "secret") -> Esme:
        self.clients.append(Esme.bound(self.gateway.port(), name, password))
        return self.clients[-1]

    def refused(self, name: str = "acme") -> int:
        """Status of a bind that is refused."""
        with Esme(self.gateway.port()) as client:
            return int(client.bind(name, "secret").status)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.gateway.close()
        self.operator.close()


@pytest.fixture
def scene(tmp_path: Path, database: Database) -> Iterator[Scene]:
    made = Scene(tmp_path, database)
    with database.session() as session:
        add_account(session)
        add_route(session, "46", "operator")
    yield made
    made.close()


def started(scene: Scene) -> Scene:
    scene.gateway.start()
    return scene


def send(client: Esme, dest: str = "46701234567") -> int:
    return int(client.request(message(dest=dest)).status)


def test_an_account_and_a_route_of_the_database_bring_a_message_through(scene: Scene) -> None:
    started(scene)
    operator = scene.operator.session()
    client = scene.bind()
    assert send(client) == Status.ROK
    assert operator.pick(lambda pdu: isinstance(pdu, SubmitSm)).destination_addr == "46701234567"
    assert {row["subject"]: (row["rows"], row["source"]) for row in scene.status()["tables"]} == {
        "account": (1, "database"), "connector": (0, "database"), "route": (1, "database"), "price": (0, "database"),
        "network": (0, "database"), "blacklist": (0, "database"),
    }  # fmt: skip
    assert send(client, "4912345") == Status.RINVDSTADR


def test_a_change_is_there_as_soon_as_the_reload_is_answered_and_nobody_else_notices(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    began = scene.change(lambda session: (add_route(session, "49", "operator"), add_account(session, "beta")))
    assert time.monotonic() - began < LIMIT
    assert send(client, "4912345") == Status.ROK  # on the session that stood
    scene.bind("beta").unbind()
    client.expect_nothing()


def test_a_change_that_nobody_tells_of_is_found_within_seconds(scene: Scene) -> None:
    started(scene)
    with scene.database.session() as session:
        add_route(session, "49", "operator")
    eventually(lambda: scene.subject("route")["rows"] == 2, 8.0)


def test_accounts_that_may_not_log_in_any_more_are_out_within_two_seconds_others_stay(scene: Scene) -> None:
    with scene.database.session() as session:
        customers.add(session, ANN, {"name": "Gamma"})
        for name in ("locked", "deleted", "unreachable", "elsewhere", "other"):
            add_account(session, name)
        add_account(session, "customers", customer="Gamma")
    started(scene)
    ways: dict[str, Callable[[Session], Any]] = {
        "locked": lambda session: accounts.lock(session, ANN, "locked"),
        "deleted": lambda session: accounts.delete(session, ANN, "deleted"),
        "unreachable": lambda session: accounts.remove_access(session, ANN, "unreachable", ANYWHERE),
        "elsewhere": lambda session: accounts.change(
            session, ANN, "elsewhere", {}, [Access("127.0.0.0/8", "operator"), Access("192.0.2.1", "customers")]
        ),
        "customers": lambda session: customers.lock(session, ANN, "Gamma"),
    }
    other = scene.bind("other")
    clients = {name: scene.bind(name) for name in ways}
    for name, change in ways.items():
        began = scene.change(change)
        goodbye = clients[name].expect(Unbind)
        if name != "locked":  # who does not answer is cut after a second
            clients[name].answer(goodbye)
        clients[name].expect_closed()
        assert time.monotonic() - began < LIMIT, name
    assert scene.refused("locked")
    assert send(other) == Status.ROK
    other.expect_nothing()


def test_limits_of_an_account_change_under_its_session(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    scene.change(lambda session: accounts.change(session, ANN, "acme", {"daily_limit": 2}))
    assert [send(client) for _ in range(3)] == [Status.ROK, Status.ROK, Status.RTHROTTLED]
    assert "all 2 messages of the day" in scene.gateway.logs("connector.customers")
    scene.gateway.kill()
    scene.gateway.start()
    assert send(scene.bind()) == Status.RTHROTTLED


def test_the_file_wins_and_the_row_is_reported(tmp_path: Path, scene: Scene) -> None:
    routes = "prefix,account,connector_in,connector_out\n47,,,operator\n"
    scene.gateway.configure(
        scene.config("ROUTES=routes.csv\n") + user("acme", PASSWORD="other"), {"routes.csv": routes}
    )
    started(scene)
    client = scene.bind("acme", "other")
    assert (send(client, "471"), send(client, "461")) == (Status.ROK, Status.RINVDSTADR)
    [row] = scene.subject("account")["skipped"]
    assert (row["table"], row["name"], row["field"]) == ("account", "acme", "name")
    [row] = scene.subject("route")["skipped"]
    assert "ROUTES" in row["reason"]


def test_rows_that_make_no_sense_are_left_out_reported_and_logged_once(scene: Scene) -> None:
    def nonsense(session: Session) -> None:
        add_account(session, "bad")
        session.execute(text("UPDATE account SET password_hash = 'plain', throughput = -1 WHERE name = 'bad'"))
        add_route(session, "47", "nowhere")
        add_route(session, "4x", "operator")
        for table, row in (
            ("price", {"prefix": "", "account": "", "connector_in": "", "connector_out": "", "price": 1, "cost": 0, "currency": "EUR",
                       "refund": "never"}),
            ("price", {"prefix": "46", "account": "", "connector_in": "", "connector_out": "", "price": -1, "cost": 0, "currency": "E",
                       "refund": "never"}),
            ("blacklist", {"white": 0, "field": "SOMEWHERE", "address": "1*2", "action": "REJECT", "note": ""}),
            ("network", {"prefix": "+46", "country": "Sweden"[:2].lower(), "name": "", "mcc": "24", "mnc": ""}),
        ):  # fmt: skip
            values = row | ({} if table == "network" else {"updated": "2026-01-01 00:00:00"})
            session.execute(
                text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)})"), values
            )  # fmt: skip

    with scene.database.session() as session:
        nonsense(session)
        if scene.database.is_sqlite:  # which keeps anything anywhere
            add_account(session, "worse")
            session.execute(text("UPDATE account SET credited = 'NaN' WHERE name = 'worse'"))
    started(scene)
    fields = {row["subject"]: [skipped["field"] for skipped in row["skipped"]] for row in scene.status()["tables"]}
    if scene.database.is_sqlite:
        assert fields["account"].pop(0) == "credited"
    assert fields["account"] == ["password_hash", "throughput"]
    assert set(fields["route"]) == {"connector_out", "prefix"}
    assert set(fields["price"]) == {"price", "currency"}
    assert fields["blacklist"]
    assert fields["network"]
    assert send(scene.bind()) == Status.ROK
    scene.change(lambda session: revisions.touch(session, "route"))
    assert scene.gateway.logs().count("there is no connector 'nowhere'") == 1
    assert scene.refused("bad")


def test_a_connector_of_the_table_is_added_changed_and_removed(scene: Scene) -> None:
    started(scene)
    second = Smsc()
    config = load(scene.gateway.config_file)
    around = Around(config, str(scene.gateway.folder))
    lines = (
        ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", second.address), ("USERNAME", "emg"), ("PASSWORD", "pw"), ("STATIC", ""),
        ("WINDOWSIZE", "10"),
    )  # fmt: skip
    client = scene.bind()

    def add(session: Session) -> None:
        connectors.add(session, ANN, around, Stored("second", lines))
        add_route(session, "47", "second")

    scene.change(add)
    session = second.session()
    assert send(client, "4712") == Status.ROK
    session.pick(lambda pdu: isinstance(pdu, SubmitSm))
    scene.change(lambda db: connectors.change(db, ANN, around, "second", [*lines, ("THROUGHPUT", "5")]))
    client.expect_nothing()
    session.fence()  # live: its session stays

    def remove(db: Session) -> None:
        db.execute(text("DELETE FROM route WHERE prefix = '47'"))
        revisions.touch(db, "route")
        db.flush()
        connectors.delete(db, ANN, around, "second")

    scene.change(remove)
    assert "second" not in [row["name"] for row in scene.gateway.control("GET", "/connectors")["connectors"]]
    assert send(client, "4712") == Status.RINVDSTADR
    second.close()


def test_a_faulty_connector_of_the_table_stops_nothing(scene: Scene) -> None:
    taken = scene.gateway.port()

    def insert(session: Session, name: str, **lines: str) -> None:
        session.execute(
            text(
                "INSERT INTO connector (name, position, disabled, note, created, updated)"
                " VALUES (:name, 1, 0, '', '2026-01-01', '2026-01-01')"
            ),
            {"name": name},
        )
        [[number]] = session.execute(text("SELECT id FROM connector WHERE name = :name"), {"name": name})
        for position, (keyword, value) in enumerate(lines.items()):
            session.execute(
                text(
                    "INSERT INTO connector_option (connector_id, position, keyword, value, disabled, note)"
                    " VALUES (:number, :position, :keyword, :value, 0, '')"
                ),
                {"number": number, "position": position, "keyword": keyword, "value": value},
            )
        revisions.touch(session, "connector")

    incoming_lines = {"TYPE": "INCOMING", "PROTOCOL": "SMPP"}
    with scene.database.session() as session:
        insert(session, "unknown", **incoming_lines, ADDRESS="127.0.0.1:0", NONSENSE="1")
        insert(session, "operator", **incoming_lines, ADDRESS="127.0.0.1:0")
        insert(session, "unset", **incoming_lines, ADDRESS="${NO_SUCH_VARIABLE}")
        insert(session, "clash", **incoming_lines, ADDRESS=f"127.0.0.1:{taken}")
        insert(session, "badkey", **incoming_lines, ADDRESS="127.0.0.1:0", SSL="", SSL_KEYFILE="/no/such/key")
    started(scene)
    assert send(scene.bind()) == Status.ROK
    skipped = {row["name"] for row in scene.subject("connector")["skipped"]}
    assert skipped == {"unknown", "operator", "unset", "clash"}
    [refused] = scene.reader()["connectors_refused"]
    assert refused.startswith("badkey: ")


def test_a_fault_in_the_file_keeps_no_change_of_the_tables_away(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    scene.gateway.configure(scene.config("NONSENSE=1\n"))
    with scene.database.session() as session:
        add_route(session, "49", "operator")
    with pytest.raises(AssertionError, match="NONSENSE"):
        scene.gateway.control("POST", "/reload")
    eventually(lambda: scene.subject("route")["rows"] == 2, LIMIT)
    assert send(client, "4912") == Status.ROK


def test_the_tables_routes_hold_as_soon_as_the_file_names_none_any_more(scene: Scene) -> None:
    scene.gateway.configure(scene.config("ROUTES=routes.csv\n"), {"routes.csv": "prefix,connector_out\n47,operator\n"})
    started(scene)
    client = scene.bind()
    assert (send(client, "471"), send(client, "461")) == (Status.ROK, Status.RINVDSTADR)
    scene.gateway.configure(scene.config())
    scene.gateway.control("POST", "/reload")
    assert (send(client, "471"), send(client, "461")) == (Status.RINVDSTADR, Status.ROK)


def test_a_row_changed_by_hand_is_read_by_a_hangup(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    with scene.database.session() as session:
        session.execute(text("UPDATE route SET prefix = '49'"))
    scene.gateway.control("POST", "/reload")
    assert send(client, "491") == Status.RINVDSTADR
    scene.gateway.reload()
    eventually(lambda: send(client, "491") == Status.ROK, LIMIT)


def test_a_balance_is_what_the_database_credits(scene: Scene) -> None:
    def price(session: Session) -> None:
        accounts.change(session, ANN, "acme", {"prepaid": True})
        session.execute(
            text(
                "INSERT INTO price (prefix, account, connector_in, connector_out, price, cost, currency, refund, updated)"
                " VALUES ('', '', '', '', 1000000, 0, 'EUR', 'never', '2026-01-01')"
            )
        )
        revisions.touch(session, "price")

    started(scene)
    client = scene.bind()
    assert send(client) == Status.ROK  # no price, no charge
    scene.change(price)
    assert send(client) != Status.ROK
    scene.change(lambda session: ledger.topup(session, ANN, "acme", 2_000_000))
    assert [send(client) == Status.ROK for _ in range(3)] == [True, True, False]


def test_a_user_of_the_file_has_a_daily_limit_and_says_what_the_log_keeps(scene: Scene) -> None:
    users = user("masked", DAILYLIMIT=1, LOGCONTENT="MASKED") + user("silent", LOGCONTENT="NONE") + user("plain")
    scene.gateway.configure(scene.config() + users)
    started(scene)
    masked = scene.bind("masked")
    assert [send(masked), send(masked)] == [Status.ROK, Status.RTHROTTLED]
    assert send(scene.bind("silent")) == send(scene.bind("plain")) == Status.ROK
    kept = {event.account: (event.text, event.masked) for event in scene.gateway.events(Accepted)}
    assert kept == {"masked": (b"xxxxx", True), "silent": (b"", False), "plain": (b"hello", False)}


def test_traffic_goes_on_through_change_after_change(scene: Scene) -> None:
    started(scene)
    client = scene.bind()
    window: list[int] = []
    for number in range(10):
        with scene.database.session() as session:
            add_route(session, f"49{number}", "operator")
            add_account(session, f"more{number}")
        window += [client.ask(message(dest="46701234567")) for _ in range(5)]
        scene.gateway.control("POST", "/reload")
        window += [client.ask(message(dest=f"49{number}")) for _ in range(5)]
    assert {int(client.answer_to(sequence).status) for sequence in window} == {int(Status.ROK)}
    client.expect_nothing()
    assert scene.subject("route")["rows"] == scene.subject("account")["rows"] == 11


# -- the database is not there


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
    assert "emg db upgrade" in gateway.program.printed()
    gateway.close()


@pytest.fixture
def away(tmp_path: Path, own_mariadb: MariaDb) -> Iterator[tuple[Scene, MariaDb]]:
    """A scene on a server of its own, which can be stopped."""
    database = Database(own_mariadb.url("emg"))
    schema.upgrade(database)
    made = Scene(tmp_path, database)
    with database.session() as session:
        add_account(session)
        add_route(session, "46", "operator")
    yield made, own_mariadb
    made.close()
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


def test_reports_find_home_after_a_change(scene: Scene) -> None:
    started(scene)
    operator = scene.operator.session()
    client = scene.bind()
    answer = client.request(message(dest="46701234567", registered_delivery=1))
    submit = operator.pick(lambda pdu: isinstance(pdu, SubmitSm))
    operator.answer(submit, message_id="abc")
    scene.change(lambda session: (add_account(session, "beta"), add_route(session, "49", "operator")))
    operator.send(
        DeliverSm(7, 0, esm_class=4, source_addr="46701234567", destination_addr="1",
                  short_message=b"id:abc sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:")
    )  # fmt: skip
    report = client.expect(DeliverSm)
    assert answer.message_id.encode() in report.short_message


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


def test_an_account_is_locked_while_a_connector_waits_for_its_operator(scene: Scene) -> None:
    """A connector that is made anew lets its sessions finish first, for up to five seconds."""
    scene.gateway.configure("DRAINTIME=5\n" + scene.config())
    started(scene)
    operator = scene.operator.session()
    client = scene.bind()
    assert send(client) == Status.ROK
    operator.pick(lambda pdu: isinstance(pdu, SubmitSm))  # and not answered: the connector waits
    scene.gateway.configure("DRAINTIME=5\n" + scene.config().replace("USERNAME=emg", "USERNAME=gme"))
    assert scene.gateway.program is not None
    scene.gateway.program.signal(signal.SIGHUP)
    operator.pick(lambda pdu: isinstance(pdu, Unbind))
    with scene.database.session() as session:
        accounts.lock(session, ANN, "acme")
    began = time.monotonic()
    scene.gateway.program.signal(signal.SIGHUP)
    client.expect_closed()
    assert time.monotonic() - began < LIMIT
