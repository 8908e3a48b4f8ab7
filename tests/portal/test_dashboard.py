"""The first page: what each role sees of the traffic, of alerts and of balances."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from emg.config.load import load
from emg.db import accounts, customers
from emg.db.audit import Actor
from emg.db.models import HourlySummary, Status
from portal import watchdog
from portal.dashboard.pulse import KEEP, MOST, Pulse
from tests.gateways import Esme, GatewayProcess, eventually, incoming, outgoing, user
from tests.portal_visitor import Visitor

HOUSE = Actor("shell:test")


@pytest.fixture
def traffic(app: Flask) -> None:
    """Of the present hour: 7 messages of Acme's, 5 of Charlie's; and two prepaid accounts with nothing left."""
    hour = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    with app.extensions["emg"].database.session() as session:
        for account, customer, status, count in (
            ("acme", "Acme", Status.DELIVERED, 4),
            ("acme", "Acme", Status.FAILED, 3),
            ("charlie", "Charlie Ltd", Status.DELIVERED, 5),
        ):
            number = customers.find(session, customer).id
            session.add(
                HourlySummary(
                    hour=hour, account=account, customer_id=number, connector_in="", connector_out="", prefix="", network="", currency="EUR",
                    status=status, messages=count, parts=count, price=0, cost=0,
                )
            )  # fmt: skip
        for account in ("acme", "charlie"):
            accounts.change(session, HOUSE, account, {"prepaid": True})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the watchdog says."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(watchdog, "alerts", lambda: found)
    return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    text = incoming(ROUTE="operator") + outgoing("operator", "127.0.0.1:1") + user("acme") + user("charlie")
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), text) as running:
        yield running


@pytest.fixture
def live(app: Flask, gateway: GatewayProcess) -> GatewayProcess:
    app.extensions["emg"].config = load(str(gateway.config_file))
    return gateway


def test_without_gateway_and_watchdog_the_page_says_so(traffic: None, ann: Visitor) -> None:
    page = ann.get("/")
    assert "No gateway answers" in page.text
    assert "No watchdog answers" in page.text
    assert "All is well" not in page.text
    assert "12 messages accepted: 9 delivered" in page.text
    assert [row.td.get_text() for row in page.soup.select("#low tbody tr")] == ["acme", "charlie"]
    assert "nothing left" in page.text


def test_a_gateway_without_connectors_has_nothing_to_count(
    ann: Visitor, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "/status": {"totals": {}, "queued": 0, "in_flight": 0, "sessions": 0, "uptime_seconds": 5.0, "configuration_faults": ""},
        "/connectors": {"connectors": []}, "/queues": {"queues": [], "count": 0, "messages": 0, "limit": 0},
    }  # fmt: skip
    monkeypatch.setattr("portal.house.look", lambda path, **_query: answers.get(path))
    page = ann.get("/")
    assert "There is none yet." in page.one("#now").get_text()
    assert "Nothing waits." in page.one("#now").get_text()


def test_alerts_stand_on_top_and_calm_when_there_are_none(ann: Visitor, told: list[dict[str, Any]]) -> None:
    assert "All is well." in ann.get("/").text
    told.append({"key": "disk", "severity": "critical", "since": 1e9, "text": "The disk <b>is</b> full."})
    page = ann.get("/")
    assert "The disk <b>is</b> full." in page.text
    assert "All is well" not in page.text
    assert "The disk" in ann.get("/?part=alerts", htmx=True).text


@pytest.mark.parametrize("name", ["alice", "alf", "charlie", "chris"])
def test_a_customers_people_see_his_own_alone(
    request: pytest.FixtureRequest, traffic: None, live: GatewayProcess, told: list[dict[str, Any]], name: str
) -> None:
    told.append({"key": "x", "severity": "critical", "since": 1e9, "text": "of the house"})
    visitor = request.getfixturevalue(name)
    is_acme = name in ("alice", "alf")
    page = visitor.get("/")
    assert ("7 messages accepted" in page.text, "5 messages accepted" in page.text) == (is_acme, not is_acme)
    for text in (
        page.text,
        *(visitor.get(f"/?part={part}", htmx=True).text for part in ("alerts", "now", "low", "hours")),
    ):
        for foreign in (
            "charlie" if is_acme else "acme",
            "Charlie Ltd" if is_acme else "Acme",
            "operator",
            "of the house",
            "watchdog",
        ):
            assert foreign not in text.replace(name, "").replace(name.title(), ""), f"{foreign} in {text}"
    has_balances = name in ("alice", "charlie")
    assert ("Balance" in page.text) == has_balances


def test_the_traffic_now_with_connectors_and_queues(live: GatewayProcess, erik: Visitor, alice: Visitor) -> None:
    page = erik.get("/")
    assert "Up for" in page.text
    assert erik.get("/?part=now", htmx=True).soup.select("#now")
    with Esme.bound(live.port()) as client:
        client.accepted()
        page = erik.get("/")
        table = page.one("#now").select("table")
        assert "operator" in table[0].get_text()
        assert "retrying" in table[0].get_text() or "down" in table[0].get_text()
        assert "operator" in table[1].get_text()
        eventually(lambda: "acme" in alice.get("/").one("#now").get_text())
        assert "1" in alice.get("/").one("#now table tbody").get_text()
    erik.open("/?part=nothing", htmx=True).close()
    assert erik.open("/?part=nothing", htmx=True).status_code == 404


def test_a_pulse_is_bounded_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.time", lambda: now[0])
    pulse = Pulse()
    for second in range(0, 2000, 5):
        now[0] = 1000.0 + second
        pulse.see("all", {"sent": second * 10})
    assert pulse.rates("all") == {"sent": pytest.approx(10.0)}
    points = pulse.points("all")
    assert now[0] - points[0].at <= KEEP
    assert len(points) == KEEP // 5 + 1
    pulse.see("all", {"sent": 0})
    assert pulse.rates("all") == {}
    for number in range(MOST):
        pulse.see(str(number), {})
    assert pulse.points("all") == []
