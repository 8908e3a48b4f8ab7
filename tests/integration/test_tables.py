"""The database's tables in a running gateway: there at its start, changed while it runs, and full of nonsense."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from emg.config.load import load
from emg.config.stored import Stored
from emg.db import accounts, connectors, customers, ledger, revisions
from emg.db.connectors import Around
from emg.db.engine import Database
from emg.engine.events import Accepted
from emg.rules.account_rows import Access
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import DeliverSm, SubmitSm, Unbind
from tests.gateways import Smsc, eventually, message, user
from tests.scenes import ANN, ANYWHERE, LIMIT, Scene, add_account, add_route, scene_on, send, started


@pytest.fixture
def scene(tmp_path: Path, database: Database) -> Iterator[Scene]:
    """A gateway on either database."""
    with scene_on(database, tmp_path) as made:
        yield made


def test_an_account_and_a_route_of_the_database_bring_a_message_through(scene: Scene) -> None:
    started(scene)
    operator = scene.operator.session()
    client = scene.bind()
    assert send(client) == Status.ROK
    assert operator.pick(lambda pdu: isinstance(pdu, SubmitSm)).destination_addr == "46701234567"
    assert {row["subject"]: (row["rows"], row["source"]) for row in scene.status()["tables"]} == {
        "account": (1, "database"), "connector": (0, "database"), "route": (1, "database"), "price": (0, "database"),
        "network": (0, "database"), "blacklist": (0, "database"), "setting": (0, "database"),
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
        for name in ("locked", "deleted", "replaced", "unreachable", "elsewhere", "other"):
            add_account(session, name)
        add_account(session, "customers", customer="Gamma")
    started(scene)

    def replaced(session: Session) -> None:
        """By another account of the same name, which has a balance of its own."""
        accounts.delete(session, ANN, "replaced")
        add_account(session, "replaced")

    ways: dict[str, Callable[[Session], Any]] = {
        "locked": lambda session: accounts.lock(session, ANN, "locked"),
        "deleted": lambda session: accounts.delete(session, ANN, "deleted"),
        "replaced": replaced,
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
            ("setting", {"name": "keep_messages", "value": "for ever"}), ("setting", {"name": "smtp_password", "value": "s3cret\x01"}),
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
    settings = scene.subject("setting")
    assert ([row["name"] for row in settings["skipped"]], settings["skipped_rows"]) == (
        ["keep_messages", "smtp_password"],
        2,
    )
    logs = scene.gateway.logs()
    assert (
        logs.count("not used: setting (keep_messages): must be a whole number from 1 to 36500; 400 holds in its place")
        == 1
    )
    assert "s3cret" not in logs + str(settings)
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
