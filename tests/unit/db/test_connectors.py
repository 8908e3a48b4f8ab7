"""Connectors of the tables: examined before they are written, told to the gateway and the audit log, kept while anything names them."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from emg.config.load import load_text
from emg.config.stored import Stored
from emg.db import connectors, revisions
from emg.db.audit import Actor
from emg.db.changes import now
from emg.db.connectors import Around, ConnectorFaults, NoSuchConnector, StillNamed
from emg.db.engine import Database
from emg.db.models import Account, AccountAccess, AuditLog, ConnectorOption, Price, Route

ME = Actor("shell:test")
IN = (("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "127.0.0.1:3000"))
OUT = (("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "peer:2775"), ("USERNAME", "u"), ("PASSWORD", "hugo"))
AROUND = Around(
    load_text(
        "CONNECTOR filed <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\n>\nUSER joe <\nPASSWORD=x\n>\n"
    ),
    "/etc/emg",
    {},
)


def add(database: Database, name: str, lines: tuple[tuple[str, str], ...], **more: Any) -> None:
    with database.session() as session:
        connectors.add(session, ME, AROUND, Stored(name, lines), **more)


def names(database: Database) -> list[str]:
    with database.session() as session:
        return [row.name for row in connectors.listing(session)]


def audited(database: Database) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    with database.session() as session:
        rows = session.scalars(select(AuditLog).order_by(AuditLog.id)).all()
        return [(row.action, row.name, json.loads(row.before or "{}"), json.loads(row.after or "{}")) for row in rows]


def revision(database: Database) -> int:
    with database.session() as session:
        return revisions.current(session)["connector"]


def test_added_changed_switched_renamed_deleted(database: Database) -> None:
    add(database, "op", OUT)
    add(database, "in", IN, note="customers")
    assert names(database) == ["op", "in"]
    changed = (*OUT[:4], ("PASSWORD", "egon"), ("STATIC", ""))
    with database.session() as session:
        connectors.change(session, ME, AROUND, "op", changed)
    with database.session() as session:
        connectors.switch(session, ME, AROUND, "op", disabled=True)
    with database.session() as session:
        connectors.rename(session, ME, AROUND, "op", "operator")
    with database.session() as session:
        assert connectors.stored(connectors.find(session, "operator")) == Stored("operator", changed, disabled=True)
    with database.session() as session:
        connectors.delete(session, ME, AROUND, "operator")
    assert names(database) == ["in"]
    assert revision(database) == 6
    told = audited(database)
    assert [(action, name) for action, name, _before, _after in told] == [
        ("add", "op"), ("add", "in"), ("change", "op"), ("change", "op"), ("rename", "op"), ("delete", "operator"),
    ]  # fmt: skip
    assert told[0][3]["PASSWORD"] == "***"
    assert told[2][2:] == ({"PASSWORD": "***", "STATIC": None}, {"PASSWORD": "***", "STATIC": ""})
    assert told[3][2:] == ({"disabled": False}, {"disabled": True})
    assert "hugo" not in str(told)
    assert "egon" not in str(told)


def test_what_changes_nothing_leaves_nothing(database: Database) -> None:
    add(database, "op", OUT)
    with database.session() as session:
        connectors.change(session, ME, AROUND, "op", OUT)
        connectors.switch(session, ME, AROUND, "op", disabled=False)
    assert (revision(database), len(audited(database))) == (1, 1)


@pytest.mark.parametrize(
    ("name", "lines", "fault"),
    [
        ("filed", OUT, "stands in the configuration file"),
        ("op", OUT, "one of this name in the database already"),
        ("new", OUT[:3], "has no USERNAME"),
        ("new", (*OUT, ("FOO", "1")), "FOO is not a keyword"),
        ("new", (*IN[:2], ("ADDRESS", "127.0.0.1:2775")), "CONNECTOR filed listens on already"),
    ],
)
def test_a_fault_refuses_it_and_nothing_is_written(
    database: Database, name: str, lines: tuple[tuple[str, str], ...], fault: str
) -> None:
    add(database, "op", OUT)
    with pytest.raises(ConnectorFaults, match=fault):
        add(database, name, lines)
    assert names(database) == ["op"]
    assert revision(database) == 1


def test_a_fault_in_another_connector_stops_only_the_change_that_makes_it(database: Database) -> None:
    add(database, "a", IN)
    add(database, "b", (*IN[:2], ("ADDRESS", "127.0.0.1:3001")))
    with database.session() as session, pytest.raises(ConnectorFaults, match="listens on already"):
        connectors.change(session, ME, AROUND, "a", (*IN[:2], ("ADDRESS", "127.0.0.1:3001")))
    with database.session() as session:  # by hand
        session.add(ConnectorOption(connector_id=connectors.find(session, "b").id, position=9, keyword="FOO"))
    with database.session() as session:
        connectors.change(session, ME, AROUND, "a", (*IN, ("INSTANCES", "7")))
    with database.session() as session, pytest.raises(ConnectorFaults, match="FOO"):
        connectors.switch(session, ME, AROUND, "b", disabled=True)


def test_what_is_named_is_neither_renamed_nor_deleted(database: Database) -> None:
    add(database, "op", OUT)
    add(database, "op2", OUT)
    add(database, "in", (*IN, ("ROUTE", "op")))
    with database.session() as session:
        session.add(Route(prefix="46", connector_out="op2:op", updated=now()))
        session.add(Route(connector_out="in/acme", updated=now()))
        session.add(Route(connector_out="op_", updated=now()))
        session.add(Price(connector_out="op", price=1, currency="EUR", updated=now()))
        made = {"created": now(), "updated": now()}
        session.add(Account(name="acme", route="op", **made))
        session.add(Account(name="gone~2", deleted=now(), route="op", **made))
        session.add(Account(name="beta", access=[AccountAccess(network="::/0", connector="in")], **made))
    with database.session() as session:
        assert connectors.named_by(session, "op") == ["route 1 (46)", "price 1", "account acme", "connector in (ROUTE)"]
        assert connectors.named_by(session, "in") == ["route 2 (any prefix)", "account beta"]
    with (
        database.session() as session,
        pytest.raises(StillNamed, match=r"route 1 \(46\), price 1, account acme, connector in"),
    ):
        connectors.delete(session, ME, AROUND, "op")
    with database.session() as session, pytest.raises(StillNamed):
        connectors.rename(session, ME, AROUND, "op", "other")
    assert names(database) == ["op", "op2", "in"]


def test_options_that_are_switched_off_stay(database: Database) -> None:
    add(database, "op", OUT)
    with database.session() as session:
        number = connectors.find(session, "op").id
        session.add(
            ConnectorOption(
                connector_id=number, position=9, keyword="THROUGHPUT", value="5", disabled=True, note="later"
            )
        )
    with database.session() as session:
        connectors.change(session, ME, AROUND, "op", (*OUT, ("STATIC", "")))
    with database.session() as session:
        row = connectors.find(session, "op")
        assert [(option.position, option.keyword, option.disabled) for option in row.options][-2:] == [
            (6, "STATIC", False), (7, "THROUGHPUT", True),
        ]  # fmt: skip
        assert ("THROUGHPUT", "5") not in connectors.stored(row).lines


def test_many_at_once_are_examined_as_they_will_stand(database: Database) -> None:
    add(database, "op", OUT)
    wanted = [Stored("in", (*IN, ("ROUTE", "b"))), Stored("b", OUT), Stored("op", OUT)]
    with database.session() as session:
        assert connectors.put(session, ME, AROUND, wanted) == {"in": "added", "b": "added", "op": "kept"}
    with database.session() as session, pytest.raises(ConnectorFaults, match="no such connector"):
        connectors.put(session, ME, AROUND, [Stored("in", (*IN, ("ROUTE", "nowhere")))])
    with database.session() as session:
        assert connectors.put(session, ME, AROUND, wanted) == dict.fromkeys(("in", "b", "op"), "kept")
    assert revision(database) == 2, "a transaction that changes something counts once"


def test_one_that_is_not_there(database: Database) -> None:
    with database.session() as session, pytest.raises(NoSuchConnector, match="no connector x"):
        connectors.find(session, "x")


def test_a_file_that_is_not_here_is_a_warning(database: Database) -> None:
    with database.session() as session:
        warnings = connectors.add(session, ME, AROUND, Stored("in", (*IN, ("SSL", ""), ("SSL_KEYFILE", "gone.pem"))))
    assert [warning.reason for warning in warnings] == [
        "SSL_KEYFILE: there is no file /etc/emg/gone.pem here; the gateway will need it"
    ]


def test_what_the_configuration_file_names_is_not_deleted(database: Database) -> None:
    text = "DATABASE=sqlite:///x\nCONNECTOR filed <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nROUTE=op\n>\nUSER joe <\nPASSWORD=x\nROUTE=op\n>\n"
    around = Around(load_text(text), "/etc/emg", {})
    with database.session() as session:
        connectors.add(session, ME, around, Stored("op", OUT))
    with (
        database.session() as session,
        pytest.raises(StillNamed, match=r"USER joe .*, CONNECTOR filed of the configuration file"),
    ):
        connectors.delete(session, ME, around, "op")
