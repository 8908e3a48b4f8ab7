"""Invoices: preview, prepare, issue, credit, files; and what customers see of them."""

import io

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import select

from emg.db import customers, invoices
from emg.db.engine import Database
from emg.db.models import AuditLog, Customer, InvoiceStatus, RouteLog
from emg.db.traffic import month
from tests.log_rows import NOON, row, write
from tests.portal.conftest import HOUSE
from tests.portal_visitor import Visitor

MONTH = f"{NOON:%Y-%m}"


@pytest.fixture
def sent(portal_database: Database) -> Database:
    """Both customers sent something in the month of NOON."""
    with portal_database.session() as session:
        owners = {name: customers.find(session, name).id for name in ("Acme", "Charlie Ltd")}
    write(
        portal_database,
        [
            row(1, NOON, account="acme", customer_id=owners["Acme"], price=40_000),
            row(2, NOON, account="acme", customer_id=owners["Acme"], price=40_000),
            row(3, NOON, account="charlie", customer_id=owners["Charlie Ltd"], price=70_000),
        ],
    )
    return portal_database


def prepared(database: Database, *, issue: bool = False) -> dict[str, int]:
    """Ids of the drafts, or of the invoices, by customer."""
    done = invoices.prepare(database, HOUSE, month(NOON.date()))
    ids = {each.customer: each.id for each in done}
    if issue:
        for number in ids.values():
            invoices.issue(database, HOUSE, number)
    return ids


def test_a_month_is_looked_at_prepared_issued_and_taken_back(sent: Database, fia: Visitor) -> None:
    page = fia.get(f"/invoices/prepare?month={MONTH}")
    assert page.row("Acme")["Messages"] == "2"
    assert "0.08" in page.row("Acme")["Net"]
    with sent.session() as session:
        assert invoices.count(session) == 0, "looking writes nothing"
    page = fia.submit(page, page.form("/invoices/prepare"))
    assert "2 drafts are prepared" in page.text
    number = prepared(sent)["Acme"]
    page = fia.get(f"/invoices/{number}")
    assert page.heading == f"Draft {number}"
    page = fia.get(f"/invoices/{number}/issue")
    assert "never changes again" in page.text
    page = fia.submit(page, page.form("/issue"))
    assert page.heading == "Invoice 1"
    page = fia.get(f"/invoices/{number}/credit")
    page = fia.submit(page, page.form("/credit"), note="Wrong price")
    assert page.heading == "Credit note 2"
    assert "Wrong price" in page.text
    assert "taken back by 2" in fia.get("/invoices").row("Invoice 1")["Status"]
    with sent.session() as session:
        wanted = select(AuditLog.action).where(AuditLog.who == "fia", AuditLog.subject == "invoice")
        assert {"prepare", "issue"} <= set(session.scalars(wanted))


def test_a_draft_says_what_changed_since(sent: Database, fia: Visitor) -> None:
    number = prepared(sent)["Acme"]
    assert "says the same now" in fia.get(f"/invoices/{number}?check=yes").text
    with sent.session() as session:
        session.scalars(select(RouteLog).where(RouteLog.id == 10**15 + 2)).one().price = 10_000
    assert "The log has changed since" in fia.get(f"/invoices/{number}?check=yes").text
    page = fia.get(f"/invoices/{number}/issue")
    page = fia.submit(page, page.form("/issue"))
    assert "Not issued: the log has changed" in page.text
    assert page.heading == f"Draft {number}"
    assert "is replaced" in fia.get(f"/invoices/prepare?month={MONTH}&customer=Acme").text


def test_a_draft_is_thrown_away_after_asking(sent: Database, fia: Visitor) -> None:
    number = prepared(sent)["Acme"]
    page = fia.get(f"/invoices/{number}/delete")
    page = fia.submit(page, page.form("/delete"))
    assert "is gone" in page.text
    fia.get(f"/invoices/{number}", code=404)


@pytest.mark.parametrize("query", ["?month=2026-13", "?status=lost", "?sort=nothing", "?month=' OR 1"])
def test_nonsense_in_the_address_is_answered(fia: Visitor, query: str) -> None:
    fia.get(f"/invoices{query}", code=400)


def test_nobody_who_does_not_exist_gets_drafts(sent: Database, fia: Visitor) -> None:
    assert "there is no customer" in fia.get(f"/invoices/prepare?month={MONTH}&customer=Nobody").text


def test_customers_see_issued_ones_of_their_own(
    sent: Database, alice: Visitor, charlie: Visitor, chris: Visitor
) -> None:
    ids = prepared(sent)
    for person in (alice, charlie):
        assert "once one is issued" in person.get("/invoices").text
        for number in ids.values():
            person.get(f"/invoices/{number}", code=404)
            assert person.open(f"/invoices/{number}/file.csv").status_code == 404
    prepared(sent, issue=True)
    assert len(alice.get("/invoices").rows()) == 1
    page = charlie.get("/invoices?customer=Acme")
    assert "Acme" not in page.one("main").get_text()
    assert len(page.rows()) == 1, "his own, whatever he asks for"
    assert "70" not in alice.get(f"/invoices/{ids['Acme']}").one("tfoot").get_text()
    charlie.get(f"/invoices/{ids['Acme']}", code=404)
    for kind in ("csv", "xlsx", "pdf"):
        assert charlie.open(f"/invoices/{ids['Acme']}/file.{kind}").status_code == 404
        assert charlie.open(f"/invoices/{ids['Charlie Ltd']}/file.{kind}").status_code == 200
    charlie.get(f"/invoices/{ids['Charlie Ltd']}/issue", code=403)
    chris.get("/invoices", code=403)


def test_a_customer_who_is_called_otherwise_now_still_sees_his(sent: Database, app: Flask, alice: Visitor) -> None:
    ids = prepared(sent, issue=True)
    with sent.session() as session:
        session.scalars(select(Customer).where(Customer.name == "Acme")).one().name = "Acme Group"
    assert len(alice.get("/invoices").rows()) == 1
    assert alice.get(f"/invoices/{ids['Acme']}").heading.startswith("Invoice")


def test_files(sent: Database, fia: Visitor) -> None:
    number = prepared(sent)["Acme"]
    answer = fia.open(f"/invoices/{number}/file.pdf")
    assert answer.data.startswith(b"%PDF")
    assert f"draft-{number}.pdf" in answer.headers["Content-Disposition"]
    book = openpyxl.load_workbook(io.BytesIO(fia.open(f"/invoices/{number}/file.xlsx").data))
    assert book["Lines"].cell(2, 1).value == "acme"
    fia.get(f"/invoices/{number}/file.doc", code=404)


def test_the_table_is_filtered_and_sorted(sent: Database, fia: Visitor) -> None:
    prepared(sent)
    assert len(fia.get("/invoices?customer=Acme").rows()) == 1
    assert fia.get("/invoices?sort=-customer").rows()[0]["Customer"] == "Charlie Ltd"
    assert "No invoice fits" in fia.get("/invoices?status=issued").text
    assert "No invoice fits" in fia.get("/invoices?month=2019-01").text
    with sent.session() as session:
        assert invoices.count(session, status=InvoiceStatus.DRAFT) == 2
