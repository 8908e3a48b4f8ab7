"""Queues: seen, held, cleared, moved. With a real gateway between a client and two operators."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from emg.config.load import load
from emg.db.models import AuditLog
from tests.gateways import Esme, GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.portal_visitor import Page, Visitor


@pytest.fixture(scope="module")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SinkProcess, SinkProcess]]:
    with (
        SinkProcess(tmp_path_factory.mktemp("first")) as first,
        SinkProcess(tmp_path_factory.mktemp("second")) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, sinks: tuple[SinkProcess, SinkProcess]
) -> Iterator[GatewayProcess]:
    first, second = sinks
    text = (
        incoming(ROUTE="one")
        + outgoing("one", first.address, THROUGHPUT=100)
        + outgoing("two", second.address)
        + outgoing("away", "127.0.0.1:1")
        + user("acme")
        + user("charlie")
    )
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), text) as running:
        yield running


@pytest.fixture
def live(app: Flask, gateway: GatewayProcess) -> GatewayProcess:
    """The portal asks this gateway."""
    app.extensions["emg"].config = load(str(gateway.config_file))
    for connector in ("one", "two"):
        eventually(lambda name=connector: gateway.control("GET", f"/connectors/{name}")["state"] == "up")
    for connector in ("one", "two"):
        gateway.control("POST", f"/queues/{connector}/release", {})
    eventually(lambda: gateway.control("GET", "/status")["queued"] == 0)
    return gateway


def noted(app: Flask) -> list[tuple[str, str, str, str]]:
    with app.extensions["emg"].database.session() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.subject == "queue").order_by(AuditLog.id))
        return [(row.who, row.action, row.name, row.after) for row in rows]


def hold(visitor: Visitor, name: str) -> Page:
    page = visitor.get(f"/queues/{name}")
    return visitor.submit(page, page.form("/hold"))


def choose(visitor: Visitor, verb: str, name: str, **fields: str) -> Page:
    """The form, filled in as a browser does it."""
    query = "&".join(f"{key}={value.replace('+', '%2B')}" for key, value in fields.items())
    return visitor.get(f"/queues/{name}/{verb}?{query}&count=1")


def test_without_a_gateway_the_pages_say_so(erik: Visitor) -> None:
    for path in (
        "/queues",
        "/queues/operator",
        "/queues/customers/acme",
        "/queues/operator/clear",
        "/queues/operator/move",
    ):
        page = erik.get(path)
        assert "No gateway answers" in page.text
    page = erik.get("/queues/operator/move?to=x&count=1")
    assert "No gateway answers" in page.text


@pytest.mark.parametrize("name", ["alice", "alf", "charlie"])
def test_customers_see_no_queues(request: pytest.FixtureRequest, name: str) -> None:
    visitor = request.getfixturevalue(name)
    for path in ("/queues", "/queues?part=rows", "/queues/operator", "/queues/operator/clear"):
        assert visitor.open(path, htmx="part" in path).status_code == 403


def test_finance_sees_and_does_nothing(live: GatewayProcess, fia: Visitor) -> None:
    page = fia.get("/queues/one")
    assert not page.soup.select("main form")
    assert "Clear" not in page.text
    assert fia.open("/queues/one/clear?count=1").status_code == 403


def test_queues_are_listed_sorted_and_filtered(live: GatewayProcess, erik: Visitor) -> None:
    hold(erik, "one")
    with Esme.bound(live.port()) as client:
        for _ in range(3):
            client.accepted()
    page = erik.get("/queues")
    assert next(row.get_text() for row in page.soup.select("tbody tr td:first-child a")) == "one"
    assert "on hold: release it" in page.text
    assert erik.get("/queues?state=held").soup.select_one("#queue-one")
    assert not erik.get("/queues?state=held").soup.select_one("#queue-two")
    assert not erik.get("/queues?text=tw").soup.select_one("#queue-one")
    assert "No queue fits" in erik.get("/queues?text=nothing").text
    part = erik.get("/queues?sort=queue&part=rows", htmx=True)
    assert "sort=queue" in part.soup.select_one("#queues")["hx-get"]
    for sort in ("queue", "in_flight", "-deferred", "oldest", "rate", "why"):
        assert erik.get(f"/queues?sort={sort}").soup.select_one("#queue-one")
    one = erik.get("/queues/one")
    assert len(one.soup.select("tbody tr")) >= 3
    assert "46701234567" in one.text
    assert "acme" in one.text
    erik.get("/queues/nothing", code=404)


def test_hold_and_release_are_the_gateways_and_noted(app: Flask, live: GatewayProcess, erik: Visitor) -> None:
    page = hold(erik, "two")
    assert "on hold" in page.text
    assert live.control("GET", "/queues/two")["held"]
    page = erik.submit(page, page.form("/release"))
    assert "is released" in page.text
    assert not live.control("GET", "/queues/two")["held"]
    assert [row[:3] for row in noted(app)] == [("erik", "hold", "two"), ("erik", "release", "two")]


def test_clear_counts_first_and_takes_what_was_chosen(app: Flask, live: GatewayProcess, erik: Visitor) -> None:
    hold(erik, "one")
    with Esme.bound(live.port()) as client, Esme.bound(live.port(), system_id="charlie") as other:
        for number in range(6):
            client.accepted(dest=f"4670{number}00")
            other.accepted(dest=f"4570{number}00")
    page = choose(erik, "clear", "one", account="acme", prefix="+4670")
    assert page.heading == "Clear 6 messages of queue one"
    assert "6 messages of account acme to numbers that begin with 4670 are deleted from queue one" in page.text
    assert "6 messages that wait there stay" in page.text
    assert live.control("GET", "/queues/one")["size"] == 12, "nothing was done yet"
    page = erik.submit(page, page.form("/clear"))
    assert "6 messages of account acme to numbers that begin with 4670 were deleted from queue one." in page.text
    assert {row["account"] for row in live.control("GET", "/queues/one")["head"]} == {"charlie"}
    assert "there is nothing to do now" in choose(erik, "clear", "one", account="acme").text
    page = choose(erik, "clear", "one")
    assert "6 messages are deleted" in page.text
    erik.submit(page, page.form("/clear"))
    assert live.control("GET", "/queues/one")["size"] == 0
    assert noted(app)[-2:] == [
        ("erik", "clear", "one", '{"account": "acme", "messages": 6, "prefix": "4670"}'),
        ("erik", "clear", "one", '{"messages": 6}'),
    ]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [({"prefix": "abc"}, "up to 20 digits"), ({"prefix": "4" * 30}, "up to 20 digits"), ({"to": ""}, "Say where"), ({"to": "one"}, "valid choice")],
)  # fmt: skip
def test_what_can_not_be_meant_is_told_at_the_field(
    app: Flask, live: GatewayProcess, erik: Visitor, fields: dict[str, str], fault: str
) -> None:
    page = choose(erik, "move", "one", **({"to": "two"} | fields))
    assert fault in page.text
    assert "Count them" in page.text
    token = str(page.soup.select_one("input[name=csrf_token]")["value"])
    answer = erik.open("/queues/one/move", method="POST", data={"to": "two", "csrf_token": token} | fields)
    assert answer.status_code == 303
    assert not noted(app)


def test_an_accounts_queue_has_a_page_too(live: GatewayProcess, erik: Visitor) -> None:
    with Esme.bound(live.port(), kind="tx") as client:
        for _ in range(2):
            client.accepted(registered_delivery=1)
        eventually(lambda: live.control("GET", "/queues/customers/acme")["size"] == 2)
        page = erik.get("/queues/customers/acme")
        assert "report" in page.text
        assert "the account has no session that receives" in page.text
        page = choose(erik, "clear", "customers!2Facme")
        assert "never reach the account" in page.text
        page = erik.submit(page, page.form("/clear"))
        assert "2 messages were deleted" in page.text


def received(sink: SinkProcess) -> list[str]:
    """Numbers of the messages that this operator has taken."""
    lines = [line.split("\t") for line in sink.ledger.read_text().splitlines()] if sink.ledger.exists() else []
    return [line[4] for line in lines if line[0] == "received" and line[4].startswith("4671")]


def test_a_move_under_load_loses_nothing_and_doubles_nothing(
    app: Flask, live: GatewayProcess, sinks: tuple[SinkProcess, SinkProcess], erik: Visitor
) -> None:
    numbers = [f"4671{number:06}" for number in range(300)]
    submitted = threading.Event()

    def load() -> None:
        with Esme.bound(live.port()) as client:
            for count, number in enumerate(numbers):
                client.accepted(dest=number)
                if count == 200:
                    submitted.set()

    hold(erik, "one")
    client = threading.Thread(target=load)
    client.start()
    assert submitted.wait(10)
    page = choose(erik, "move", "one", to="two", prefix="+4671")
    assert "to numbers that begin with 4671" in page.text
    live.control("POST", "/queues/one/release", {})
    page = erik.submit(page, page.form("/move"))  # the first operator is served, and messages come in
    client.join(20)
    assert "moved out of queue one to queue two" in page.text
    eventually(lambda: live.control("GET", "/status")["queued"] == 0)
    first, second = (received(sink) for sink in sinks)
    assert sorted(first + second) == numbers, "each of them once, at one of the two"
    assert len(second) == int(noted(app)[-1][3].split('"messages": ')[1].split(",")[0])
    assert first
    assert second
