"""Accounts: made, changed, locked, deleted; money on them; and what a customer's administrator may do at his own and at nobody else's."""

import csv
import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from emg.config import hashes
from emg.db import accounts, customers, ledger
from emg.db.audit import Actor
from emg.db.models import AuditLog, HourlySummary, Status
from tests.portal_visitor import Page, Visitor

HOUSE = Actor("shell:test")


def sessions(app: Flask) -> Any:
    return app.extensions["emg"].database.session()


def credited(app: Flask, name: str) -> int:
    with sessions(app) as session:
        return int(accounts.find(session, name).credited)


def actions(app: Flask, name: str) -> list[tuple[str, str]]:
    with sessions(app) as session:
        return [
            (row.who, row.action)
            for row in session.scalars(select(AuditLog).where(AuditLog.name == name))
            if row.who != "shell:test"
        ]


def flat(page: Page) -> str:
    return page.text.replace("\u202f", " ")


def fill(who: Visitor, path: str, code: int = 200, **given: Any) -> Page:
    page = who.get(path)
    [form] = [form for form in page.soup.select("#content form[method=post]") if page.action_of(form) == path]
    return who.submit(page, form, code=code, **given)


def test_an_engineer_makes_an_account_without_money(app: Flask, erik: Visitor) -> None:
    page = erik.get("/accounts/new?customer=Acme")
    assert not page.soup.select("[name=opening]")
    page = erik.submit(page, page.form("/accounts/new"), name="fresh", access="10.0.0.0/8", throughput="50")
    password = str(page.one("input#secret")["value"])
    with sessions(app) as session:
        account = accounts.find(session, "fresh")
        assert hashes.matches(account.password_hash, password.encode())
        assert (account.customer.name, account.throughput) == ("Acme", 50.0)
    assert actions(app, "fresh") == [("erik", "add")]
    page = erik.get("/accounts/fresh")
    assert password not in page.html
    assert "10.0.0.0/8" in page.text


def test_an_account_has_its_customers_currency(app: Flask, ann: Visitor) -> None:
    with sessions(app) as session:
        customers.change(session, HOUSE, "Acme", {"currency": "SEK"})
    fill(ann, "/accounts/new", name="kronor", customer="Acme", opening="7")
    with sessions(app) as session:
        assert accounts.find(session, "kronor").currency == "SEK"
    assert credited(app, "kronor") == 7_000_000


@pytest.mark.parametrize(("given", "sentence"), [
    ({"name": "acme"}, "there is an account acme already"), ({"name": "a b"}, "must be a name"), ({"name": "x", "customer": "Nobody"}, "there is no customer"),
    ({"name": "x", "access": "1.2.3.4@operator"}, "there is no connector"), ({"name": "x", "throughput": "fast"}, "must be"),
])  # fmt: skip
def test_an_account_that_can_not_be_is_not_made(app: Flask, ann: Visitor, given: dict[str, str], sentence: str) -> None:
    page = fill(ann, "/accounts/new", **given)
    if given.get("access"):
        return  # a connector that only we bind to is known to the house; it does no harm
    assert sentence in page.text
    with sessions(app) as session:
        assert accounts.names(session) == ["acme", "acme2", "charlie", "house"]


def test_settings_are_changed_and_faults_stand_at_their_fields(app: Flask, ann: Visitor) -> None:
    page = fill(
        ann, "/accounts/acme/edit", throughput="12.5", sourceaddr="Acme,Info*", note="first\nsecond", customer="Acme"
    )
    assert "is changed" in page.text
    assert "12.5" in page.text
    assert "Info*" in page.text
    assert "first\nsecond" in page.html
    page = fill(ann, "/accounts/acme/edit", sessions="many")
    assert page.soup.select("#sessions.is-invalid")
    assert actions(app, "acme") == [("ann", "change")]
    assert "is so already" in fill(ann, "/accounts/acme/edit").text


def test_the_list_sorts_filters_and_pages(app: Flask, ann: Visitor) -> None:
    with sessions(app) as session:
        for name, amount in (("acme", 5), ("charlie", 20), ("house", 10)):
            ledger.topup(session, HOUSE, name, amount * 1_000_000)
        accounts.change(session, HOUSE, "acme", {"prepaid": True})

    def names(query: str) -> list[str]:
        return [row["Account"] for row in ann.get(f"/accounts?{query}").rows()]

    assert names("sort=-balance") == ["charlie", "house", "acme", "acme2"]
    assert names("customer=Acme&sort=-name") == ["acme2", "acme"]
    assert names("prepaid=yes") == ["acme"]
    assert names("text=char") == ["charlie"]
    assert names("size=25&page=1")[0] == "acme"
    row = ann.get("/accounts").row("charlie")
    assert (row["Balance"], row["Says"], row["Sessions now / limit"]) == ("20.00", "database", "– / 10")
    assert "No gateway answers" in ann.get("/accounts").text
    part = ann.get("/accounts?part=rows&sort=-balance", htmx=True)
    assert part.rows()[0]["Account"] == "charlie"
    ann.get("/accounts/acme?part=now", htmx=True)


def test_a_top_up_that_is_sent_twice_is_booked_once(app: Flask, fia: Visitor) -> None:
    page = fia.get("/accounts/acme/topup")
    assert "Amount in EUR" in page.text
    form = page.form("/topup")
    told = fia.submit(page, form, amount="10.50", why="=paid()", reference="A7")
    assert "10.50 EUR is booked on account acme" in flat(told)
    assert "booked once, and not again" in fia.submit(page, form, amount="10.50").text
    assert credited(app, "acme") == 10_500_000
    assert actions(app, "acme") == [("fia", "topup")]
    for amount in ("0", "-1", "", "1,5", "1e9"):
        page = fill(fia, "/accounts/acme/topup", amount=amount)
        assert page.soup.select("#amount.is-invalid"), amount
    assert credited(app, "acme") == 10_500_000


def test_a_correction_needs_a_reason(app: Flask, fia: Visitor) -> None:
    page = fill(fia, "/accounts/acme/correct", amount="-3")
    assert page.soup.select("#why.is-invalid")
    assert "-3.00 EUR is booked" in flat(fill(fia, "/accounts/acme/correct", amount="-3", why="wrong account"))
    assert credited(app, "acme") == -3_000_000


def test_an_engineer_touches_no_money(erik: Visitor) -> None:
    erik.get("/accounts/acme/topup", code=403)
    erik.get("/accounts/acme/correct", code=403)
    assert "Top up" not in erik.get("/accounts/acme").text


def test_the_ledger_sorts_pages_and_is_a_safe_file(app: Flask, ann: Visitor, alice: Visitor) -> None:
    with sessions(app) as session:
        for amount in (5, 20, 10):
            ledger.topup(session, HOUSE, "acme", amount * 1_000_000, why="=HYPERLINK(1)")
        ledger.correct(session, HOUSE, "acme", -1_000_000, why="+1")
    assert [row["Amount"].split()[0] for row in ann.get("/accounts/acme/ledger?sort=amount").rows()] == [
        "-1.00",
        "5.00",
        "10.00",
        "20.00",
    ]
    assert len(ann.get("/accounts/acme/ledger?kind=topup").rows()) == 3
    answer = ann.open("/accounts/acme/ledger.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ledger-acme.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["Amount"], row["Why"], row["Who"]) for row in rows[:2]] == [
        ("-1.00", "'+1", "shell:test"),
        ("10.00", "'=HYPERLINK(1)", "shell:test"),
    ]
    assert len(rows) == 4
    page = alice.get("/accounts/acme/ledger")
    assert "shell:test" not in page.html + alice.open("/accounts/acme/ledger.csv").text, (
        "who of the house it was is not theirs to know"
    )


def test_a_lock_and_a_deletion_say_what_ends(app: Flask, ann: Visitor) -> None:
    page = ann.get("/accounts/acme/lock")
    assert "Its sessions end, if it has any" in page.text
    assert "None of its messages wait" in page.text
    page = ann.submit(page, page.form("/lock"))
    assert "is locked" in page.text
    assert ann.get("/accounts?locked=yes").rows()[0]["Account"] == "acme"
    ann.submit(page, page.form("/unlock"))
    page = ann.get("/accounts/acme/delete")
    assert "Its balance is 0.00 EUR" in flat(page)
    page = ann.submit(page, page.form("/delete"))
    kept = re.search(r"kept as (acme~\d+)", page.text)
    assert kept is not None
    assert actions(app, "acme") == [("ann", "lock"), ("ann", "unlock"), ("ann", "delete")]
    page = ann.get(f"/accounts/{kept[1]}")
    assert "This account is deleted" in page.text
    ann.get(f"/accounts/{kept[1]}/ledger")
    ann.get(f"/accounts/{kept[1]}/edit", code=404)
    ann.get("/accounts/acme", code=404)
    assert kept[1] in ann.get("/accounts?deleted=yes").text


# -- what a customer's administrator does at his own


def test_alice_changes_her_access_list_and_password(app: Flask, alice: Visitor) -> None:
    page = fill(alice, "/accounts/acme/access", access="192.0.2.0/24, 2001:db8::7@customers")
    assert [row["At"] for row in page.rows()] == ["every connector", "customers"]
    page = alice.get("/accounts/acme/access/remove?row=192.0.2.0/24")
    assert "can't log in from 192.0.2.0/24 any more" in page.text
    page = alice.submit(page, page.form("/remove"))
    assert len(page.rows()) == 1
    for wrong, sentence in (
        ("nonsense", "nonsense"),
        ("10.0.0.0/8@operator", "there is no connector"),
        ("", "must not be empty"),
    ):
        assert sentence in fill(alice, "/accounts/acme/access", access=wrong).text
    page = fill(alice, "/accounts/acme/password")
    made = str(page.one("input#secret")["value"])
    page = fill(alice, "/accounts/acme2/password", password="my own one")
    assert not page.soup.select("#secret")
    assert "longer than the 8 characters" in page.text
    assert "must be 1 to 256" in fill(alice, "/accounts/acme2/password", password="grün").text
    with sessions(app) as session:
        assert hashes.matches(accounts.find(session, "acme").password_hash, made.encode())
        assert hashes.matches(accounts.find(session, "acme2").password_hash, b"my own one")
        told = json.dumps([[row.before, row.after] for row in session.scalars(select(AuditLog))])
    assert made not in told
    assert "my own one" not in told
    assert [action for who, action in actions(app, "acme") if who == "alice"] == ["change", "change", "password"]


def test_alice_sees_what_is_hers_but_not_what_the_house_thinks(app: Flask, alice: Visitor, ann: Visitor) -> None:
    with sessions(app) as session:
        accounts.change(session, HOUSE, "acme", {"note": "pays late", "route": "operator", "routedlr": "operator"})
    assert "pays late" in ann.get("/accounts/acme").text
    for path in (
        "/accounts",
        "/accounts/acme",
        "/accounts/acme/access",
        "/accounts/acme/password",
        "/accounts/acme/ledger",
    ):
        html = alice.get(path).html
        assert "pays late" not in html, path
        assert "operator" not in html, path
        assert "charlie" not in html.lower(), path
    assert [row["Account"] for row in alice.get("/accounts").rows()] == ["acme", "acme2"]
    assert "No account fits" in alice.get("/accounts?text=late").text
    for path in ("edit", "lock", "delete", "topup", "correct"):
        alice.get(f"/accounts/acme/{path}", code=403)
    alice.get("/accounts/new", code=403)


PAGES = (
    "",
    "/access",
    "/access/remove?row=*",
    "/password",
    "/ledger",
    "/ledger.csv",
    "/sessions/customers-1/close",
    "?part=now",
)
POSTS = ("/access", "/access/remove", "/password", "/sessions/customers-1/close")


@pytest.mark.parametrize("name", ["acme", "acme2", "house", "nobody"])
def test_charlie_finds_nothing_of_others(app: Flask, charlie: Visitor, name: str) -> None:
    token = str(
        charlie.get("/accounts/charlie/password").one("form[action$='/password'] input[name=csrf_token]")["value"]
    )
    with sessions(app) as session:
        before = session.scalar(select(func.count(AuditLog.id)))
    for path in PAGES:
        for htmx in (False, True):
            answer = charlie.open(f"/accounts/{name}{path}", htmx=htmx)
            assert answer.status_code == 404, path
            assert b"Acme" not in answer.data
    for path in POSTS:
        data = {"csrf_token": token, "access": "*", "row": "*", "sent": "x" * 32, "password": "stolen"}
        assert charlie.open(f"/accounts/{name}{path}", method="POST", data=data).status_code == 404, path
    with sessions(app) as session:
        assert session.scalar(select(func.count(AuditLog.id))) == before


@pytest.mark.parametrize(
    "query", ["", "customer=Acme", "text=acme", "sort=-customer", "sort=balance&size=250", "deleted=yes", "part=rows"]
)
def test_charlies_list_is_his(app: Flask, charlie: Visitor, query: str) -> None:
    with sessions(app) as session:
        accounts.delete(session, HOUSE, "acme2")
    html = charlie.open(f"/accounts?{query}", htmx="part" in query).text
    html = html.replace("customer=Acme", "")  # what he asked for himself
    assert "Acme" not in html
    assert not re.search(r"accounts/acme", html)


def test_a_name_that_another_customer_had_brings_no_traffic_along(app: Flask, ann: Visitor, alice: Visitor) -> None:
    hour = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    with sessions(app) as session:
        own, other = customers.find(session, "Acme").id, customers.find(session, "Charlie Ltd").id
        for customer, messages in ((own, 3), (other, 40)):
            session.add(
                HourlySummary(
                    hour=hour, account="acme", customer_id=customer, connector_in="customers", connector_out="operator", prefix="46", network="24001",
                    currency="EUR", status=Status.DELIVERED, messages=messages, parts=messages, price=messages * 10_000, cost=0,
                )
            )  # fmt: skip
    day = f"{hour:%Y-%m-%d}"
    assert alice.get("/accounts/acme").row(day, "details table")["Messages"] == "3"
    assert ann.get("/accounts/acme").row(day, "details table")["Messages"] == "43"
    assert ann.get("/customers/Acme").row(day, "details table")["Messages"] == "3"
