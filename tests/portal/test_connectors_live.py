"""Connectors in the portal beside a gateway that runs: how they are now, and what is done to them."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from emg.db.models import AuditLog
from tests.gateways import Esme, GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.portal_visitor import Visitor


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkProcess]:
    """Who takes what the gateway sends."""
    with SinkProcess(tmp_path_factory.mktemp("operator")) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, operator: SinkProcess) -> Iterator[GatewayProcess]:
    """With one connector each way."""
    text = incoming("customers", ROUTE="operator", LOGPDU=True) + outgoing("operator", operator.address) + user("acme")
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), text) as made:
        yield made


@pytest.fixture
def config_text(gateway: GatewayProcess) -> str:
    """The gateway's own, with the portal's database."""
    text = gateway.config_file.read_text()
    return re.sub(r"^(SPOOLDIR|LOGDIR)=", rf"\1={gateway.folder}/", text, flags=re.MULTILINE) + "DATABASE={url}\n"


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[Esme]:
    """A customer who is bound."""
    with Esme.bound(gateway.port("customers")) as made:
        yield made


def acts(app: Flask) -> list[tuple[str, str]]:
    with app.extensions["emg"].database.session() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.subject == "connector").order_by(AuditLog.id))
        return [(row.who, row.action) for row in rows]


@pytest.mark.usefixtures("client")
def test_the_list_and_a_page_are_live(fia: Visitor, gateway: GatewayProcess) -> None:
    row = eventually(lambda: next((row for row in fia.get("/connectors").rows() if row["Sessions"] == "1 / 100"), None))
    assert row["State"] == "up"
    part = fia.get("/connectors?part=rows&state=up", htmx=True)
    assert "operator" in part.text
    page = fia.get("/connectors/customers")
    assert page.rows("#sessions table")[0]["Account"] == "acme"
    assert page.rows("#sessions table")[0]["Speaks"].startswith("SMPP 3.4")
    assert "No session fits" in fia.get("/connectors/customers?text=nobody&part=sessions", htmx=True).text
    assert not page.soup.select('a[href*="/close"]')
    for sort in ("-session", "ip", "state", "-window", "since"):
        fia.get(f"/connectors/customers?sort={sort}")
    gateway.wait_for_log("bind_transceiver", "pdu.customers")
    log = fia.get("/connectors/customers/log?text=bind_transceiver")
    assert "password=***" in log.text


def test_held_released_stopped_started(app: Flask, erik: Visitor, fia: Visitor) -> None:
    assert not fia.get("/connectors/operator").soup.select('form[action$="/hold"]')
    page = erik.get("/connectors/operator")
    page = erik.submit(page, page.form("/hold"))
    assert "is on hold" in page.text
    page = erik.submit(page, page.form("/release"))
    assert "is released" in page.text
    eventually(lambda: fia.get("/connectors/operator?part=sessions", htmx=True).soup.select("tbody tr"))
    asked = erik.get("/connectors/operator/stop")
    assert "1 session ends" in asked.text
    assert "Nothing waits in its queue" in asked.text
    page = erik.submit(asked, asked.form("/stop"))
    assert "is stopped" in page.text
    assert page.form("/start")
    page = erik.submit(page, page.form("/start"))
    assert "is started" in page.text
    assert acts(app) == [("erik", verb) for verb in ("hold", "release", "stop", "start")]


@pytest.mark.usefixtures("client")
def test_a_session_is_closed_after_it_was_named(app: Flask, erik: Visitor) -> None:
    def links() -> list[str]:
        return [link for link in erik.get("/connectors/customers").links() if "/close" in link and "now=yes" in link]

    asked = erik.get(eventually(links)[-1])
    assert "of acme from 127.0.0.1" in asked.text
    assert "cut at once" in asked.text
    page = erik.submit(asked, asked.form("/close"))
    assert "is cut" in page.text
    assert acts(app) == [("erik", "close")]
    erik.get(asked.path, 404)
