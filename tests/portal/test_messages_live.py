"""A message's story, and acts on it, with a gateway that really runs."""

import datetime as dt
from collections.abc import Iterator

import pytest

from emg.db import customers
from emg.db.engine import Database
from emg.db.models import MessageBody, RouteLog, Status
from tests.gateways import Esme, GatewayProcess, Smsc, incoming, outgoing, user
from tests.portal.conftest import CONFIG
from tests.portal_visitor import Visitor


@pytest.fixture(scope="module")
def operator() -> Iterator[Smsc]:
    made = Smsc()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, operator: Smsc) -> Iterator[GatewayProcess]:
    text = (
        incoming("customers", ROUTE="operator", LOGPDU=True)
        + outgoing("operator", operator.address, LOGPDU=True)
        + user("acme")
    )
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), text) as made:
        yield made


@pytest.fixture
def config_text(gateway: GatewayProcess) -> str:
    return CONFIG.replace("{folder}/emg.sock", str(gateway.control_path)).replace(
        "{folder}/log", str(gateway.folder / "log")
    )


def logged(database: Database, number: int, **values: object) -> None:
    """As the recorder writes it."""
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        session.add(
            RouteLog(
                id=number, received=now, source="ACME", dest="46701234567", account="acme", customer_id=customers.find(session, "Acme").id,
                connector_in="customers", connector_out="operator", **values,
            )
        )  # fmt: skip


def test_a_story_its_pdus_and_a_report_that_is_injected(
    gateway: GatewayProcess, operator: Smsc, portal_database: Database, erik: Visitor, alice: Visitor
) -> None:
    with operator.session() as provider, Esme.bound(gateway.port("customers")) as client:
        number = int(client.accepted(text="to be seen once", registered_delivery=1))
        provider.take("op-4711")
        logged(portal_database, number, status=Status.SENT, remote_id="op-4711")
        client.fence()
        page = erik.get(f"/messages/{number}?pdus=yes")
        titles = [tag.get_text() for tag in page.soup.select("#story strong")]
        assert titles == ["Received", "Sent and answered"]
        assert "A delivery report was asked for" in page.text
        told = page.one("#pdus").get_text(" ")
        assert told.count("submit_sm ") == 2, told
        assert told.count("submit_sm_resp") == 2, told
        assert "(not kept)" in told
        assert "to be seen once" not in page.html, "the log does not keep it"
        assert b"to be seen once".hex() not in page.html
        assert "operator" not in alice.get(f"/messages/{number}").one("#now").get_text()
        with portal_database.session() as session:
            row = session.query(RouteLog).one()
            session.add(MessageBody(id=number, received=row.received, text="to be seen once", body=b"to be seen once"))
        assert "to be seen once" in erik.get(f"/messages/{number}?pdus=yes").one("#pdus").get_text()
        page = erik.get(f"/messages/{number}/report?state=expired&error=007")
        page = erik.submit(page, page.form("/report"))
        assert "is reported as expired" in page.text
        assert b"stat:EXPIRED" in client.report().short_message
        page = erik.get(f"/messages/{number}/report?state=delivered")
        assert "Nothing was reported: no report is awaited" in erik.submit(page, page.form("/report")).text


def test_one_that_waits_is_cancelled(
    gateway: GatewayProcess, operator: Smsc, portal_database: Database, erik: Visitor
) -> None:
    with operator.session(), Esme.bound(gateway.port("customers")) as client:
        number = int(client.accepted(schedule_delivery_time="000000010000000R"))
        logged(portal_database, number)
        page = erik.get(f"/messages/{number}")
        page = erik.get(str(page.soup.select("a.btn-outline-danger")[0]["href"]))
        page = erik.submit(page, page.form("/cancel"))
        assert "is cancelled" in page.text
        assert page.soup.select("#story strong")[-1].get_text() == "Deleted"
        assert not page.soup.select("a.btn-outline-danger"), "it does not wait any more"


def test_a_message_that_the_log_does_not_have_yet_is_shown_to_whose_it_is(
    gateway: GatewayProcess, operator: Smsc, erik: Visitor, alice: Visitor, charlie: Visitor
) -> None:
    with Esme.bound(gateway.port("customers")) as client:
        number = int(client.accepted(text="on its way"))
    for visitor in (erik, alice):
        page = visitor.get(f"/messages/{number}")
        assert "The log does not have this message yet" in page.text
        assert "accepted" in page.one("#coming").text
    assert charlie.open(f"/messages/{number}").status_code == 404
    assert erik.open("/messages/12345").status_code == 404
