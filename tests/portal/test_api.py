"""The REST API: every operation of its table is walked, and two customers' keys must not see each other's rows."""

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from flask import Flask

from emg.db import accounts, audit_log, keys, ledger, summary
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import RouteLog, Status
from emg.rules.key_rows import CUSTOMERS, SCOPES
from portal.api import openapi, views
from portal.api.operations import BASE, CSV, Nothing, Operation
from tests.portal_visitor import Visitor

HOUSE = Actor("shell:test")
ALL = ",".join(scope for scope in SCOPES if scope.endswith("write")) + ",messages:read,reports:read"
Key = Callable[..., "Program"]


class Program:
    """A caller with a key."""

    def __init__(self, app: Flask, text: str) -> None:
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {text}"} if text else {}

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        code: int = 200,
        data: Any = None,
        kind: str = "application/json",
        **headers: str,
    ) -> Any:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        octets = data if data is not None else None if body is None else json.dumps(body)
        given = {} if octets is None else {"data": octets, "content_type": kind}
        answer = self.client.open(BASE + path, method=method, headers={**self.headers, **more}, buffered=True, **given)
        assert answer.status_code == code, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        assert "Set-Cookie" not in answer.headers
        if code >= 400:
            fault = msgspec.json.decode(answer.data, type=openapi.Error)
            assert fault.error.code == code
        return answer

    def get(self, path: str, code: int = 200) -> Any:
        return self.ask("GET", path, code=code).json


@pytest.fixture
def key(app: Flask, portal_database: Database) -> Key:
    """A program with a key of these scopes."""
    made = iter(range(1000))

    def of(scopes: str = ALL, customer: str | None = None, **more: Any) -> Program:
        with portal_database.session() as session:
            values = {"name": f"key{next(made)}", "scopes": scopes, "customer": customer, "rate": 1000.0, **more}
            _row, text = keys.add(session, HOUSE, values)
        return Program(app, text)

    return of


def address(operation: Operation) -> str:
    """With something in each of its places."""
    path = re.sub(r"<int:\w+>", "1", operation.path)
    return re.sub(r"<(name:)?\w+>", "nobody", path)


def test_each_operation_needs_a_key(app: Flask) -> None:
    for operation in views.OPERATIONS:
        for text in ("", "emg_" + "x" * 43, "nonsense"):
            program = Program(app, text)
            answer = program.client.open(BASE + address(operation), method=operation.method, headers=program.headers)
            assert answer.status_code in (401, 429), operation.name  # 429: the wrong one was shown too often
            assert answer.status_code == 429 or answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_each_operation_needs_its_scope(key: Key) -> None:
    assert {one.scope for one in views.OPERATIONS} <= set(SCOPES)
    for area in {one.scope.partition(":")[0] for one in views.OPERATIONS}:
        stranger = key(",".join(scope for scope in SCOPES if not scope.startswith(f"{area}:")))
        reader = key(f"{area}:read")
        for operation in views.OPERATIONS:
            if operation.scope.startswith(f"{area}:"):
                answer = stranger.ask(operation.method, address(operation), code=403)
                assert operation.scope in answer.json["error"]["message"]
                if operation.scope.endswith(":write"):
                    reader.ask(operation.method, address(operation), code=403)


def test_each_operation_refuses_what_it_does_not_know(key: Key) -> None:
    program = key()
    for operation in views.OPERATIONS:
        answer = program.ask(operation.method, address(operation) + "?misspelt=1", code=400)
        assert answer.json["error"]["faults"][0]["field"] == "misspelt"
        if operation.takes is not CSV:
            answer = program.ask(operation.method, address(operation), {"misspelt": 1}, code=400)
            assert "misspelt" in answer.json["error"]["faults"][0]["field"]


def test_each_operation_stands_in_the_document(app: Flask) -> None:
    document = app.test_client().get(f"{BASE}/openapi.json").json
    for operation in views.OPERATIONS:
        row = document["paths"][openapi.path_of(operation)][operation.method.lower()]
        assert row["operationId"] == operation.name
        assert row["security"] == [{"key": [operation.scope]}]
        assert ("requestBody" in row) == (operation.takes is not Nothing)
    for ref in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert ref in document["components"]["schemas"]


def test_names_are_unique_and_a_customers_scopes_only_read() -> None:
    assert len({one.name for one in views.OPERATIONS}) == len(views.OPERATIONS)
    assert not [one.name for one in views.OPERATIONS if one.scope in CUSTOMERS and one.method != "GET"]


def test_a_login_of_a_browser_is_no_key(ann: Visitor) -> None:
    assert ann.open(f"{BASE}/accounts").status_code == 401


def test_the_page_shows_each_operation_to_everybody(app: Flask, ann: Visitor) -> None:
    for visitor in (Visitor(app), ann):
        page = visitor.get(BASE)
        for operation in views.OPERATIONS:
            assert openapi.path_of(operation) in page.text


def test_one_shape_of_errors(key: Key, app: Flask) -> None:
    program = key()
    program.get("/no/such", code=404)
    answer = program.ask("DELETE", "/accounts", code=405)
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    program.ask("POST", "/accounts", data="name=x", kind="application/x-www-form-urlencoded", code=415)
    program.ask("POST", "/accounts", data="{", code=400)
    program.ask("POST", "/accounts", data=b'"' + b"x" * (1 << 20) + b'"', code=413)
    program.ask("GET", "/accounts?limit=0", code=400)
    program.ask("GET", "/accounts?limit=1&limit=2", code=400)
    answer = Program(app, "").client.options(f"{BASE}/accounts")
    assert answer.status_code == 200
    assert "POST" in answer.headers["Allow"]
    assert program.ask("HEAD", "/accounts").data == b""


def test_a_key_that_is_locked_or_too_fast(key: Key, portal_database: Database) -> None:
    slow = key("accounts:read", rate=1.0)
    slow.get("/accounts")
    assert int(slow.ask("GET", "/accounts", code=429).headers["Retry-After"]) >= 1
    locked = key("accounts:read", name="lock-me")
    locked.get("/accounts")
    with portal_database.session() as session:
        keys.lock(session, HOUSE, "lock-me")
    for _ in range(5):
        locked.get("/accounts", code=401)
    locked.get("/accounts", code=429)


# -- accounts


def test_an_account_from_its_making_to_its_money(key: Key, portal_database: Database) -> None:
    program = key(name="billing")
    asked = {
        "name": "new",
        "customer": "Acme",
        "prepaid": True,
        "throughput": 12.5,
        "access": ["192.0.2.0/24"],
        "note": "n",
    }
    made = program.ask("POST", "/accounts", asked, code=201).json
    assert len(made["password"]) == 8
    assert {name: made["account"][name] for name in asked} == asked
    assert program.ask("POST", "/accounts", asked, code=400).json["error"]["faults"][0]["field"] == "name"
    done = program.ask("PATCH", "/accounts/new", {"throughput": None, "sessions": 3}).json
    assert (done["account"]["throughput"], done["account"]["sessions"], done["changed"]) == (0.0, 3, True)
    wrong = program.ask("PATCH", "/accounts/new", {"sessions": -1, "route": "nowhere"}, code=400).json
    assert {one["field"] for one in wrong["error"]["faults"]} == {"sessions", "route"}
    assert (
        program.ask("PATCH", "/accounts/new", {"sessions": "3"}, code=400).json["error"]["faults"][0]["field"]
        == "sessions"
    )
    assert program.ask("POST", "/accounts/new/lock").json["account"]["locked"]
    assert not program.ask("POST", "/accounts/new/unlock").json["account"]["locked"]
    once = {"Idempotency_Key": "payment-4711"}
    program.ask("POST", "/accounts/new/topup", {"amount": "10.00", "reference": "4711"}, code=201, **once)
    program.ask("POST", "/accounts/new/topup", {"amount": "10.00", "reference": "4711"}, code=409, **once)
    program.ask("POST", "/accounts/new/topup", {"amount": "ten"}, code=400)
    program.ask("POST", "/accounts/new/topup", {"amount": "1"}, code=400, Idempotency_Key="short")
    program.ask("POST", "/accounts/new/correct", {"amount": "-1", "why": ""}, code=400)
    program.ask("POST", "/accounts/new/correct", {"amount": "-1.5", "why": "a gift taken back"}, code=201, **once)
    told = program.get("/accounts/new/balance")
    assert (told["balance"], told["balance_from"], told["currency"]) == ("8.50", "database", "EUR")
    rows = program.get("/accounts/new/ledger")["ledger"]
    assert [(row["kind"], row["amount"], row["who"]) for row in rows] == [
        ("correction", "-1.50", "key:billing"),
        ("topup", "10.00", "key:billing"),
    ]
    page = program.get("/accounts/new/ledger?limit=1")
    assert program.get(f"/accounts/new/ledger?limit=1&before={page['next']}")["ledger"] == rows[1:]
    with portal_database.session() as session:
        noted = audit_log.listing(session, audit_log.Wanted(), limit=20)
    assert {row.who for row in noted if row.name == "new"} == {"key:billing"}


def test_a_customers_key_sees_his_accounts_alone(key: Key, portal_database: Database) -> None:
    with portal_database.session() as session:
        accounts.change(session, HOUSE, "acme", {"note": "owes us", "route": "operator"})
        ledger.topup(session, HOUSE, "acme", 1_000_000)
    scopes = ",".join(sorted(CUSTOMERS))
    acme, charlie = key(scopes, "Acme"), key(scopes, "Charlie Ltd")
    assert [row["name"] for row in acme.get("/accounts")["accounts"]] == ["acme", "acme2"]
    own = acme.get("/accounts/acme")
    assert own["balance"] == "1.00"
    assert not {"note", "route", "routedlr"} & own.keys()
    assert acme.get("/accounts?text=owes")["total"] == 0
    assert "who" not in acme.get("/accounts/acme/ledger")["ledger"][0]
    assert [row["name"] for row in charlie.get("/accounts")["accounts"]] == ["charlie"]
    for path in ("/accounts/acme", "/accounts/acme/balance", "/accounts/acme/ledger", "/accounts/house"):
        assert charlie.get(path, code=404) == charlie.get(path, code=404)
    charlie.get("/accounts?customer=Acme", code=400)
    for path in ("/accounts/acme/lock", "/accounts/acme/topup"):
        acme.ask("POST", path, {"amount": "1"} if "topup" in path else None, code=403)


def test_a_customers_key_finds_his_messages_alone(key: Key, portal_database: Database) -> None:
    log_rows(portal_database)
    acme, charlie = key("messages:read,reports:read", "Acme"), key("messages:read,reports:read", "Charlie Ltd")
    [found] = acme.get("/messages?status=delivered,failed")["messages"]
    assert (found["id"], found["account"], found["price"]) == (11, "acme", "0.05")
    assert not {"cost", "connector_out", "connector_in", "remote_id", "route", "price_row"} & found.keys()
    assert [row["id"] for row in charlie.get("/messages")["messages"]] == [12]
    assert acme.get("/messages?account=charlie")["messages"] == []
    assert acme.get("/messages/11")["message"] == found
    charlie.get("/messages/11", code=404)
    for name in ("customer", "connector_in", "connector_out", "remote_id"):
        acme.get(f"/messages?{name}=x", code=400)
    everything = key()
    page = everything.get("/messages?limit=1")
    [first] = page["messages"]
    [second] = everything.get(f"/messages?limit=1&after={page['next']}")["messages"]
    assert {first["id"], second["id"]} == {11, 12}
    assert first["cost"] == "0.03"
    for query in ("status=odd", "after=x", "since=2026-01-02&until=2026-01-01", "since=never"):
        everything.get(f"/messages?{query}", code=400)


def log_rows(database: Database) -> dt.datetime:
    """A message of each customer's, an hour ago; gives when."""
    received = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
    with database.session() as session:
        for number, account in ((11, "acme"), (12, "charlie")):
            row = RouteLog(
                id=number, received=received, account=account, customer_id=accounts.find(session, account).customer_id,
                connector_in="customers", connector_out="operator", source="EMG", dest=f"46701{number}", status=Status.DELIVERED,
                done=received, remote_id="r1", route="row 1", price=50_000, cost=30_000, currency="EUR",
            )  # fmt: skip
            session.add(row)
    return received


def test_routes_row_by_row_and_as_a_whole(key: Key) -> None:
    program = key()
    made = program.ask("POST", "/routes", {"prefix": "46", "connector_out": "operator", "weight": 5}, code=201).json
    assert (made["priority"], made["weight"], made["enabled"]) == (10, 5, True)
    done = program.ask("PATCH", f"/routes/{made['id']}", {"enabled": False}).json
    assert done == {"id": made["id"], "changed": True}
    [row] = program.get("/routes?prefix=%2B4&connector_out=operator")["rows"]
    assert row == made | {"enabled": False}
    wrong = program.ask("POST", "/routes", {"prefix": "x", "connector_out": "nowhere"}, code=400).json["error"][
        "faults"
    ]
    assert {one["field"] for one in wrong} == {"prefix", "connector_out"}
    text = "prefix,connector_out\n46,operator\n47,operator\n"
    counts = program.ask("PUT", "/routes.csv?dry_run=true", data=text, kind="text/csv").json
    assert (counts["rows"], counts["added"], counts["dry_run"]) == (2, 1, True)
    assert program.get("/routes")["total"] == 1
    program.ask("PUT", "/routes.csv", data=text, kind="text/csv")
    assert program.get("/routes")["total"] == 2
    assert len(program.ask("GET", "/routes.csv").text.splitlines()) == 3
    faults = program.ask("PUT", "/routes.csv", data=text + "48,nowhere\n", kind="text/csv", code=400).json["error"][
        "faults"
    ]
    assert [(one["line"], one["field"]) for one in faults] == [(4, "connector_out")]
    program.ask("PUT", "/routes.csv", {"a": 1}, code=415)
    program.ask("PUT", "/routes.csv", data=b"prefix\n\xff", kind="text/csv", code=400)
    number = program.get("/routes")["rows"][0]["id"]
    program.ask("DELETE", f"/routes/{number}")
    program.ask("DELETE", f"/routes/{number}", code=404)
    program.ask("DELETE", f"/routes/{10**30}", code=404)


def test_a_customers_key_sees_his_prices_without_costs(key: Key) -> None:
    program = key()
    for account, price in (("acme", "0.05"), ("charlie", "0.04"), ("", "0.06")):
        body = {
            "prefix": "46",
            "account": account,
            "connector_out": "operator",
            "price": price,
            "cost": "0.03",
            "currency": "EUR",
        }
        program.ask("POST", "/prices", body, code=201)
    acme = key("prices:read", "Acme")
    rows = acme.get("/prices")["rows"]
    assert [(row["account"], row["price"]) for row in rows] == [("", "0.06"), ("acme", "0.05")]
    assert not {"cost", "connector_out", "connector_in"} & rows[0].keys()
    assert acme.get("/prices?account=charlie")["total"] == 0
    acme.get("/prices?connector_out=operator", code=400)
    acme.ask("GET", "/prices.csv", code=404)
    assert program.get("/prices")["rows"][0]["cost"] == "0.03"
    number = program.get("/prices?account=acme")["rows"][0]["id"]
    program.ask("PATCH", f"/prices/{number}", {"price": "0.07"})
    assert acme.get("/prices?account=acme")["rows"][0]["price"] == "0.07"


def test_figures_of_a_customers_key_are_his(key: Key, portal_database: Database) -> None:
    hour = log_rows(portal_database)
    with portal_database.session() as session:
        summary.count_hour(session, summary.Dirty(summary.hour_of(hour), 0))
    told = key("reports:read", "Acme").get("/reports/hourly?by=account,status")
    assert [row["of"] for row in told["rows"]] == [{"account": "acme", "status": "delivered"}]
    assert "cost" not in told["rows"][0]
    assert told["rows"][0]["price"] == "0.05"
    key("reports:read", "Acme").get("/reports/hourly?by=connector_out", code=400)
    whole = key().get("/reports/hourly?by=connector_out")
    assert [(row["messages"], row["margin"]) for row in whole["rows"]] == [(2, "0.04")]
    for query in ("by=odd", "by=hour,hour", "since=2020-01-01", "since=2026-02-01&until=2026-01-01", "customer=nobody"):
        answer = key().client.get(f"{BASE}/reports/hourly?{query}", headers=key().headers)
        assert answer.status_code in (400, 404), query


def test_without_a_gateway_its_operations_say_so(key: Key) -> None:
    for path in ("/connectors", "/connectors/operator", "/queues", "/queues/customers!2Facme"):
        key().get(path, code=503)
    key().ask("POST", "/queues/operator/clear", {"dry_run": True}, code=503)


def test_answers_are_what_their_shapes_say(key: Key) -> None:
    program = key()
    for operation in views.OPERATIONS:
        if operation.method == "GET" and operation.gives is not CSV:
            path = re.sub(r"<name:name>", "Acme" if "customers" in operation.path else "acme", operation.path)
            answer = program.client.get(BASE + path.replace("<int:id>", "1"), headers=program.headers)
            assert answer.status_code in (200, 404, 503), f"{path}: {answer.text}"
            msgspec.json.decode(answer.data, type=operation.gives if answer.status_code == 200 else openapi.Error)
