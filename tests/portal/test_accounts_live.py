"""Accounts and customers as a gateway's control socket tells of them: balances and whose word they are, sessions and closing them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from emg.db import accounts
from emg.db.audit import Actor
from emg.db.models import AuditLog
from emg.rules.account_rows import Access
from tests.portal.conftest import CONFIG
from tests.portal_visitor import Visitor
from tests.shells import control

ACME = {
    "account": "acme", "disabled": False, "sessions": 2, "sessions_limit": 10, "accepted": 77, "balance": 12_340_000, "lowest": 0, "currency": "EUR",
    "credited": 20_000_000, "charged": 7_660_000,
}  # fmt: skip
CHARLIE = {**ACME, "account": "charlie", "balance": -1_000_000, "sessions": 1}
BOUND = {
    "session": "customers-7", "connector": "customers", "account": "acme", "ip": "192.0.2.7", "state": "bound_trx", "version": "0x34", "tls": True,
    "since": 1_780_000_000.0, "window": 10, "in_flight": 3, "owed": 0,
}  # fmt: skip
ANSWERS = {
    "/accounts": {"accounts": [ACME, CHARLIE], "count": 2},
    "/accounts/acme": {**ACME, "session_list": [BOUND]},
    "/accounts/charlie": {**CHARLIE, "session_list": [{**BOUND, "session": "customers-8", "account": "charlie"}]},
}


@pytest.fixture
def config_text() -> str:
    return CONFIG.replace("emg.sock", "control.sock")


@pytest.fixture
def asked(app: Flask, tmp_path: Path) -> Iterator[list[str]]:
    """What the stand-in for a gateway was asked."""
    with control(tmp_path, ANSWERS) as asked:
        yield asked


def flat(text: str) -> str:
    return text.replace("\u202f", " ")


def test_balances_are_the_gateways_where_it_knows_the_account(ann: Visitor, asked: list[str]) -> None:
    page = ann.get("/accounts")
    assert (page.row("acme")["Balance"], page.row("acme")["Says"], page.row("acme")["Sessions now / limit"]) == (
        "12.34",
        "gateway",
        "2 / 10",
    )
    assert page.row("acme2")["Says"] == "database"
    assert "No gateway answers" not in page.text
    assert flat(ann.get("/customers").row("Charlie Ltd")["Balances"]) == "-1.00 EUR"
    assert "12.34 EUR" in flat(ann.get("/customers/Acme").text)
    assert "as the gateway says" in ann.get("/customers").text


def test_locks_say_how_many_sessions_end(ann: Visitor, asked: list[str]) -> None:
    assert "2 sessions of it will end" in ann.get("/accounts/acme/lock").text
    page = ann.get("/customers/Acme/lock")
    assert "Sessions that end now: 2" in page.text
    ann.submit(page, page.form("/lock"))
    assert "POST /reload" in asked


def test_taking_an_access_row_away_says_which_sessions_end(app: Flask, alice: Visitor, asked: list[str]) -> None:
    rows = [Access("192.0.2.0/24"), Access("192.0.2.7", "customers"), Access("10.0.0.0/8")]
    with app.extensions["emg"].database.session() as session:
        accounts.change(session, Actor("shell:test"), "acme", {}, rows)
    for row, ends in (("10.0.0.0/8", 0), ("192.0.2.0/24", 0), ("192.0.2.7@customers", 0)):
        assert f"lets them in: {ends}." in alice.get(f"/accounts/acme/access/remove?row={row}").text
    with app.extensions["emg"].database.session() as session:
        accounts.change(session, Actor("shell:test"), "acme", {}, rows[1:])
    assert "lets them in: 1." in alice.get("/accounts/acme/access/remove?row=192.0.2.7@customers").text
    alice.get("/accounts/acme/access/remove?row=*", code=404)


def test_alice_closes_her_session(app: Flask, alice: Visitor, asked: list[str]) -> None:
    page = alice.get("/accounts/acme")
    assert page.row("customers-7")["On the way / window"] == "3 / 10"
    page = alice.get("/accounts/acme/sessions/customers-7/close")
    assert "3 deliveries on the way" in page.text
    page = alice.submit(page, page.form("/close"))
    assert "Session customers-7 is closed" in page.text
    assert "POST /sessions/customers-7/close" in asked
    with app.extensions["emg"].database.session() as session:
        rows = [
            (row.who, row.name) for row in session.scalars(select(AuditLog).where(AuditLog.action == "close session"))
        ]
    assert rows == [("alice", "acme")]


def test_charlie_closes_nobody_elses(charlie: Visitor, asked: list[str]) -> None:
    page = charlie.get("/accounts/charlie/sessions/customers-8/close")
    data = charlie.filled(page.form("/close"))
    for path in (
        "/accounts/charlie/sessions/customers-7/close",
        "/accounts/acme/sessions/customers-7/close",
        "/accounts/acme/sessions/customers-8/close",
    ):
        charlie.get(path, code=404)
        assert charlie.open(path, method="POST", data=data).status_code == 404
    assert not [line for line in asked if line.startswith("POST /sessions")]
    for path in ("/accounts", "/accounts/charlie"):
        assert not re.search(r"acme|12\.34|customers-7", charlie.get(path).html, re.IGNORECASE), path
