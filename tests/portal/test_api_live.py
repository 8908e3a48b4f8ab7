"""The REST API with a gateway that runs: connectors and queues as they are, and acts that leave their rows in the audit log."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from emg.config.load import load
from emg.db import keys
from emg.db.audit import Actor
from emg.db.models import AuditLog
from tests.gateways import Esme, GatewayProcess, incoming, outgoing, user
from tests.portal.test_api import Program


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Both its operators are away."""
    text = incoming(ROUTE="one") + outgoing("one", "127.0.0.1:1") + outgoing("two", "127.0.0.1:1") + user("acme")
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), text) as running:
        yield running


def test_connectors_and_queues(app: Flask, gateway: GatewayProcess) -> None:
    app.extensions["emg"].config = load(str(gateway.config_file))
    with app.extensions["emg"].database.session() as session:
        values = {"name": "watch", "scopes": "connectors:write,queues:write", "rate": 1000.0}
        _key, text = keys.add(session, Actor("shell:test"), values)
    program = Program(app, text)
    with Esme.bound(gateway.port("customers")) as client:
        for number in range(3):
            client.submit(f"4670{number}")
    assert {row["name"] for row in program.get("/connectors")["connectors"]} == {"customers", "one", "two"}
    assert program.get("/connectors/one")["queued"] == 3
    program.get("/connectors/nowhere", code=404)
    for verb, name in (("hold", "held"), ("stop", "stopped")):
        assert program.ask("POST", f"/connectors/two/{verb}").json["connector"][name]
    for verb, name in (("start", "stopped"), ("release", "held")):
        assert not program.ask("POST", f"/connectors/two/{verb}").json["connector"][name]
    assert {row["queue"]: row["size"] for row in program.get("/queues")["queues"]}["one"] == 3
    assert program.get("/queues/one")["size"] == 3
    dry = program.ask("POST", "/queues/one/move", {"to": "two", "prefix": "46701", "dry_run": True}).json
    assert (dry["messages"], dry["dry_run"]) == (1, True)
    assert program.ask("POST", "/queues/one/move", {"to": "two", "prefix": "46701"}).json["messages"] == 1
    program.ask("POST", "/queues/one/move", {"to": "nowhere"}, code=404)
    program.ask("POST", "/queues/one/move", {}, code=400)
    assert program.ask("POST", "/queues/one/clear", {}).json["messages"] == 2
    assert program.get("/queues/two")["size"] == 1
    with app.extensions["emg"].database.session() as session:
        noted = session.execute(
            select(AuditLog.who, AuditLog.action, AuditLog.name)
            .where(AuditLog.subject.in_(("connector", "queue")))
            .order_by(AuditLog.id)
        )
        acts = [tuple(row) for row in noted]
    assert {who for who, _act, _name in acts} == {"key:watch"}
    assert [(act, name) for _who, act, name in acts] == [
        ("hold", "two"), ("stop", "two"), ("start", "two"), ("release", "two"), ("move", "one"), ("clear", "one"),
    ]  # fmt: skip
