"""Routes and prices: lists, rows, import and export, history and undo, the route tester; and that customers see their prices alone."""

import io
import zipfile
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook

from emg.db import accounts
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.prices import PRICES
from emg.db.routes import ROUTES
from emg.errors import EmgError
from emg.rules.price_rows import parse_prices
from emg.rules.route_rows import parse_routes
from portal.rule_tables import sheets
from tests.portal_visitor import Page, Visitor

WHO = Actor("shell:test")
KNOWN = ("customers", "operator")
ROUTE_ROWS = """\
prefix,account,connector_in,connector_out,priority,weight,enabled
,,,operator,10,1,1
46,,,operator,10,1,1
4670,acme,,operator,10,1,1
47,,,operator,10,1,0
"""
PRICE_ROWS = """\
prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund
,,,,0.10,0.07,EUR,,,refused
46,acme,,,0.0411,0.033,EUR,,,undelivered
46,charlie,,operator,0.0522,0.033,EUR,,,never
"""


@pytest.fixture(autouse=True)
def rows(portal_database: Database) -> None:
    with portal_database.session() as session:
        ROUTES.replace(session, WHO, parse_routes(ROUTE_ROWS, KNOWN))
        PRICES.replace(session, WHO, parse_prices(PRICE_ROWS))


def send(person: Visitor, page: Page, text: str | bytes, mode: str, name: str = "rows.csv", code: int = 200) -> Page:
    form = page.form("/import")
    octets = text.encode() if isinstance(text, str) else text
    data = {**person.filled(form), "mode": mode, "file": (io.BytesIO(octets), name)}
    return person._page(page.path, person.open(page.action_of(form), method="POST", data=data), code, whole=True)


def prefixes(page: Page) -> list[str]:
    return [row["Prefix"] for row in page.rows()]


def test_the_list_is_filtered_sorted_and_linked(erik: Visitor, fia: Visitor) -> None:
    assert prefixes(erik.get("/routes")) == ["any", "46", "4670", "47"]
    assert prefixes(erik.get("/routes?sort=-prefix")) == ["47", "4670", "46", "any"]
    assert prefixes(erik.get("/routes?prefix=46")) == ["46", "4670"]
    assert prefixes(erik.get("/routes?decides=%2B46701234567")) == ["any", "46", "4670"]
    assert prefixes(erik.get("/routes?enabled=no")) == ["47"]
    assert "No routes fit" in erik.get("/routes?account=nobody").text
    erik.get("/routes?sort=price", code=400)
    assert "Import" not in fia.get("/routes").one("main").get_text()
    fia.get("/routes/new", code=403)
    erik.get("/prices/new", code=403)


def test_a_row_is_added_changed_switched_off_and_deleted(erik: Visitor) -> None:
    page = erik.get("/routes/new")
    wrong = erik.submit(page, page.form("/new"), prefix="4x", connector_out="nowhere", priority="high")
    assert "is not 1 to 20 digits" in wrong.text
    assert "there is no connector" in wrong.text
    assert "is not a number" in wrong.text
    assert len(erik.get("/routes").rows()) == 4
    page = erik.submit(wrong, wrong.form("/new"), prefix="48", connector_out="operator", priority="", account="nobody")
    assert "The route for +48 is added" in page.text
    assert "There is no account nobody" in page.text
    number = page.soup.select("a[aria-label^='Edit']")[-1]["href"].split("/")[-1]
    page = erik.get(f"/routes/{number}")
    page = erik.submit(page, page.form(f"/routes/{number}"), weight="7", account="")
    assert page.row("48")["Weight"] == "7"
    page = erik.submit(page, page.form(f"/routes/{number}/switch"))
    assert page.row("48")["Enabled"] == "disabled"
    asked = erik.get(f"/routes/{number}/delete")
    assert "deletes one route: prefix 48" in asked.text
    assert "is deleted" in erik.submit(asked, asked.form("delete")).text
    erik.get(f"/routes/{number}", code=404)
    history = erik.get("/routes/history")
    assert [row["What"].split()[0] for row in history.rows()] == ["delete", "change", "change", "add", "import"]
    assert {row["Who"] for row in history.rows()} == {"erik", "shell:test"}
    undo = history.soup.select("a[href$='/undo']")[0]["href"]
    asked = erik.get(undo)
    assert "1 rows come back" in asked.text
    assert "is undone" in erik.submit(asked, asked.form("/undo")).text
    assert erik.get("/routes").row("48")["Weight"] == "7"
    first = erik.get("/routes/history?action=add").soup.select("a[href$='/undo']")[0]["href"]
    assert "has changed since" in erik.get(first).text


def test_what_fits_a_filter_is_deleted_if_the_table_is_still_the_same(erik: Visitor, app: Flask) -> None:
    asked = erik.get("/routes/delete?prefix=46")
    assert asked.heading == "Delete 2 routes"
    with app.extensions["emg"].database.session() as session:
        ROUTES.merge(session, WHO, parse_routes("prefix,connector_out\n461,operator\n", KNOWN))
    assert "nothing is deleted" in erik.submit(asked, asked.form("/delete")).text
    asked = erik.get("/routes/delete?prefix=46")
    assert "3 routes are deleted" in erik.submit(asked, asked.form("/delete")).text
    assert prefixes(erik.get("/routes")) == ["any", "47"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_is_imported_as_it_was(erik: Visitor, app: Flask, kind: str) -> None:
    strange = "prefix,account,connector_out,enabled\n49,=1+1,operator,1\n48,'@x,operator,1\n47,it's,operator,0\n"
    with app.extensions["emg"].database.session() as session:
        ROUTES.merge(session, WHO, parse_routes(strange, KNOWN))
    octets = erik.open(f"/routes/export.{kind}").data
    if kind == "csv":
        assert b"\n49,'=1+1,,operator" in octets
        assert b"\n48,''@x,," in octets
    else:
        cells = list(load_workbook(io.BytesIO(octets)).active.iter_rows(values_only=True))
        assert ("49", "=1+1", "", "operator", "10", "1", "1") in cells
    page = send(erik, erik.get("/routes/import"), octets, "replace", f"routes.{kind}")
    assert "there is nothing to import" in page.text


def test_an_import_is_shown_before_it_is_done_and_is_one_entry_of_the_history(fia: Visitor) -> None:
    text = "prefix;account;price;cost;currency\n46;acme;0.05;0.033;EUR\n33;;0.08;0.06;EUR\n"
    page = send(fia, fia.get("/prices/import"), text, "replace")
    assert page.heading == "What rows.csv would change"
    assert [row["What"] for row in page.rows()] == ["− removed", "− removed", "± changed", "+ added"]
    assert len(fia.get("/prices").rows()) == 3
    page = fia.submit(page, page.form("/import/"))
    assert "Imported: 1 added, 2 removed, 1 changed, 0 unchanged" in page.text
    assert prefixes(page) == ["33", "46"]
    history = fia.get("/prices/history")
    assert history.rows()[0]["Rows"] == "+1 −2 ±1"
    fia.get(history.soup.select("tbody a")[0]["href"])
    asked = fia.get(history.soup.select("a[href$='/undo']")[0]["href"])
    fia.submit(asked, asked.form("/undo"))
    assert prefixes(fia.get("/prices")) == ["any", "46", "46"]


def test_a_preview_holds_for_the_table_it_was_made_of_and_for_its_maker(fia: Visitor, ann: Visitor, app: Flask) -> None:
    page = send(fia, fia.get("/prices/import"), "prefix,price,currency\n33,0.08,EUR\n", "merge")
    assert [row["What"] for row in page.rows()] == ["+ added"]
    ann.get(page.path, code=404)
    fia.get("/prices/import/" + "0" * 32, code=404)
    fia.get("/prices/import/..%2f..%2fserver.cfg", code=404)
    with app.extensions["emg"].database.session() as session:
        PRICES.merge(session, Actor("somebody"), parse_prices("prefix,price,currency\n34,0.1,EUR\n"))
    page = fia.submit(page, page.form("/import/"))
    assert "has changed since" in page.text
    assert "somebody" in page.text
    assert "33" not in prefixes(fia.get("/prices"))


def test_all_faults_are_told_by_line_and_nothing_is_changed(fia: Visitor) -> None:
    text = "prefix,price,currency\n46,x,EUR\n47,0.1,EURO\n48,-1,EUR\n"
    page = send(fia, fia.get("/prices/import"), text, "replace")
    assert [(row["Line"], row["Column"]) for row in page.rows()] == [("2", "price"), ("3", "currency"), ("4", "price")]
    assert len(fia.get("/prices").rows()) == 3
    clash = (
        "prefix,account,price,currency,valid_from,valid_until\n50,,1,EUR,2027-01-01,2027-05-01\n50,,1,EUR,2027-02-01,\n"
    )
    assert "line 2 is for the same messages" in send(fia, fia.get("/prices/import"), clash, "merge").text
    assert "not text in UTF-8" in send(fia, fia.get("/prices/import"), b"prefix\n\xff", "merge").text
    assert "no XLSX workbook" in send(fia, fia.get("/prices/import"), b"PK\x03\x04 broken", "merge", "a.xlsx").text
    assert "Choose a file" in send(fia, fia.get("/prices/import"), b" ", "merge").text


def workbook(*rows: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def test_a_workbook_is_read_as_values_and_never_unpacked_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = workbook(["prefix", "price"], [46, 0.1 + 0.2], [], [4.67012e10, "'+5"], ["=1+1", True])
    assert sheets.text_of(octets) == "prefix,price\n46,0.3\n\n46701200000,'+5\n,yes\n"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 3_000_000)
    monkeypatch.setattr(sheets, "UNPACKED", 1 << 20)
    with pytest.raises(EmgError, match="too large"):
        sheets.text_of(bomb.getvalue())
    monkeypatch.setattr(sheets, "UNPACKED", 1 << 30)
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    with pytest.raises(EmgError, match="more than 3 rows"):
        sheets.text_of(octets)


def test_customers_see_the_prices_of_their_accounts_alone(alice: Visitor, charlie: Visitor, alf: Visitor) -> None:
    page = alice.get("/prices")
    assert [row["Price of a part"] for row in page.rows()] == ["0.10 EUR", "0.0411 EUR"]
    for path in ("/prices", "/prices?account=acme", "/prices?decides=46701234567", "/prices?prefix=46", "/prices/export.csv", "/prices/export.xlsx"):  # fmt: skip
        octets = charlie.open(path).data
        if path.endswith("xlsx"):
            octets = zipfile.ZipFile(io.BytesIO(octets)).read("xl/worksheets/sheet1.xml")
        assert b"0.0411" not in octets, path
        assert b"0.033" not in octets, path
        assert b"operator" not in octets, path
        assert b"acme" not in octets.replace(b'value="acme"', b"").replace(b"account=acme", b""), path
    assert [row["Price of a part"] for row in charlie.get("/prices").rows()] == ["0.10 EUR", "0.0522 EUR"]
    assert len(charlie.get("/prices?connector=operator").rows()) == 2
    charlie.get("/prices?sort=cost", code=400)
    for path in ("/prices/history", "/prices/import", "/prices/1", "/routes", "/routes/test"):
        charlie.get(path, code=403)
    alf.get("/prices", code=403)


def test_the_tester_tells_route_price_margin_and_parts(erik: Visitor, app: Flask) -> None:
    with app.extensions["emg"].database.session() as session:
        accounts.find(session, "acme")
    address = "/routes/test?number=%2B46701234567&account=acme&text="
    page = erik.get(address + "x" * 161)
    figures = {card.select_one(".small").get_text(): card.get_text(" ") for card in page.soup.select(".card")}
    assert "operator" in figures["Goes to"]
    assert "for account 'acme'" in figures["Goes to"]
    assert "2" in figures["Parts"]
    assert "GSM 7-bit" in figures["Parts"]
    assert "0.0822" in figures["Price"]
    assert "0.066" in figures["Cost"]
    assert "0.0162" in figures["Margin"]
    assert "reported as not delivered" in page.text
    assert [row["Prefix"] for row in page.rows()] == ["46", "any"]
    assert "is shorter than" in page.text
    assert "No gateway answers" in page.text
    assert "UCS-2" in erik.get(address + "%C4%85").text
    assert "there is no account 'nobody'" in erik.get("/routes/test?number=46701&account=nobody").text
    assert "Goes to" in erik.get(address + "&part=answer", htmx=True).html
    erik.get("/routes/test?number=x")
    erik.get("/routes/test?number=46701&text=%E2%82%AC&encoding=latin1")
    erik.get("/routes/test")
