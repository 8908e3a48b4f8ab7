"""Customers and keys: made, seen, changed, locked, deleted, and hidden from others."""

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from emg.config import hashes
from emg.db import accounts, customers, keys
from emg.db.audit import Actor
from emg.db.models import ApiKey, AuditLog, Ledger
from emg.rules.key_rows import CUSTOMERS, SCOPES
from portal.customers.scopes import NEEDS
from tests.portal_visitor import Page, Visitor

HOUSE = Actor("shell:test")
STRANGE = ['A/B & Söhne "x" <b>', "100%", "new", "keys", "..", "Yahoo! 100%2F", "?a=1#b", "a\\b;c"]


def sessions(app: Flask):
    return app.extensions["emg"].database.session()


def make(ann: Visitor, name: str, **more: object) -> Page:
    page = ann.get("/customers/new")
    return ann.submit(page, page.form("/customers/new"), **{"c-name": name, **more})


def secret(page: Page) -> str:
    return str(page.one("input#secret")["value"])


def test_a_customer_his_account_password_and_money_are_one_form(app: Flask, ann: Visitor) -> None:
    first = {
        "a-name": "newco", "a-access": "192.0.2.0/24\n*@customers", "a-opening": "25.50", "a-why": "paid", "a-prepaid": "y", "c-currency": "SEK",
    }  # fmt: skip
    page = make(ann, "New Co", **first)
    password = secret(page)
    assert re.fullmatch(r"[A-Za-z0-9]{8}", password)
    with sessions(app) as session:
        account = accounts.find(session, "newco")
        assert hashes.matches(account.password_hash, password.encode())
        assert (account.customer.name, account.currency, account.prepaid, account.credited) == (
            "New Co",
            "SEK",
            True,
            25_500_000,
        )
        assert [str(one) for one in accounts.access_of(account)] == [
            "192.0.2.0/24",
            "0.0.0.0/0@customers",
            "::/0@customers",
        ]
        assert session.scalars(select(Ledger.why)).one() == "paid"
        told = json.dumps([[row.before, row.after, row.name] for row in session.scalars(select(AuditLog))])
    assert password not in told
    assert password not in json.dumps([str(cookie.value) for cookie in ann.client._cookies.values()])
    assert password not in ann.get("/customers/New Co").html + ann.get("/accounts/newco").html
    assert "25.50 SEK" in ann.get("/customers/New Co").text.replace("\u202f", " ")


def test_a_fault_anywhere_keeps_nothing(app: Flask, ann: Visitor) -> None:
    for more, sentence in (
        ({"a-name": "acme"}, "there is an account acme already"), ({"a-name": "x", "a-access": "nonsense"}, "nonsense"),
        ({"a-name": "x", "a-opening": "-5"}, "must not be negative"), ({"a-access": "*"}, "must not be empty"),
        ({"c-vat": "200"}, "must be a percentage"), ({"c-name": "Acme"}, "there is a customer with name Acme already"),
        ({"a-name": "x", "a-access": "*@nowhere"}, "there is no connector"),
    ):  # fmt: skip
        page = make(ann, "New Co", **more)
        assert sentence in page.text, more
    with sessions(app) as session:
        assert customers.names(session) == ["Acme", "Charlie Ltd"]
        assert len(accounts.names(session)) == 4


def test_the_same_form_is_taken_once(app: Flask, ann: Visitor) -> None:
    page = ann.get("/customers/new")
    form = page.form("/customers/new")
    ann.submit(page, form, **{"c-name": "One"})
    page = ann.submit(page, form, code=409, **{"c-name": "Two"})
    assert "sent already" in page.text
    with sessions(app) as session:
        assert "Two" not in customers.names(session)


@pytest.mark.parametrize("name", STRANGE)
def test_a_customer_may_be_called_anything(ann: Visitor, name: str) -> None:
    page = make(ann, name)
    assert page.heading == " ".join(name.split())
    place = page.path
    listed = ann.get("/customers")
    [link] = [tag["href"] for tag in listed.soup.select("td a") if tag.get_text() == name]
    assert ann.get(str(link)).heading == page.heading
    for act in ("/edit", "/lock", "/delete", "/keys", "/keys/new"):
        ann.get(f"{place}{act}")
    page = ann.get(f"{place}/edit")
    page = ann.submit(page, page.form("/edit"), note="two\nlines", name=f"{name}2")
    assert "is changed" in page.text
    page = ann.get(f"{page.path}/lock")
    page = ann.submit(page, page.form("/lock"))
    assert "is locked" in page.text
    page = ann.submit(page, page.form("/unlock"))
    assert "is unlocked" in page.text
    page = ann.get(f"{page.path}/delete")
    page = ann.submit(page, page.form("/delete"))
    assert "is deleted" in page.text
    assert page.heading == "Customers"


def test_a_customer_with_accounts_is_not_deleted(ann: Visitor) -> None:
    page = ann.get("/customers/Acme/delete")
    assert page.heading == "Acme"
    assert "can't be deleted: there are accounts of his" in page.text
    assert "2 accounts of this customer" in ann.get("/customers/Acme/lock").text


def test_customers_are_sorted_and_filtered(ann: Visitor) -> None:
    assert [row["Customer"] for row in ann.get("/customers?sort=-accounts").rows()] == ["Acme", "Charlie Ltd"]
    assert [row["Customer"] for row in ann.get("/customers?sort=-name").rows()] == ["Charlie Ltd", "Acme"]
    assert [row["Customer"] for row in ann.get("/customers?text=char").rows()] == ["Charlie Ltd"]
    assert "No customer fits" in ann.get("/customers?locked=yes").text
    ann.get("/customers?sort=secret", code=400)
    ann.get("/customers/Nobody", code=404)


@pytest.mark.parametrize("name", ["alice", "alf", "charlie"])
def test_customers_people_see_no_customers(visitor: Callable[[str], Visitor], name: str) -> None:
    for path in ("/customers", "/customers/Acme", "/customers/Charlie Ltd", "/customers/new"):
        visitor(name).get(path, code=403)


# -- keys


def key_of(who: Visitor, place: str, name: str, *chosen: str, code: int = 200) -> Page:
    page = who.get(f"{place}/new")
    return who.submit(page, page.form("/keys/new"), code=code, name=name, scopes=list(chosen))


def test_a_key_is_shown_once_and_works(app: Flask, ann: Visitor) -> None:
    text = secret(key_of(ann, "/customers/Acme/keys", "reader", "messages:read", "reports:read"))
    assert text.startswith("emg_")
    with sessions(app) as session:
        key = session.scalars(select(ApiKey)).one()
        assert (key.key_hash, key.scopes) == (keys.digest(text), "messages:read,reports:read")
        assert text not in json.dumps([row.after for row in session.scalars(select(AuditLog))])
    page = ann.get("/customers/keys")
    assert text not in page.html
    assert page.row("reader")["Customer"] == "Acme"
    page = ann.submit(page, page.form("/lock"))
    assert page.row("reader")["State"] == "locked"
    page = ann.submit(page, page.form("/unlock"))
    assert page.row("reader")["State"] == "ok"
    page = ann.get("/customers/keys/reader/revoke")
    assert "never used" in page.text
    ann.submit(page, page.form("/revoke"))
    with sessions(app) as session:
        assert session.scalars(select(ApiKey)).all() == []


def test_every_scope_stands_for_a_permission() -> None:
    assert set(NEEDS) == set(SCOPES)


def test_nobody_makes_a_key_that_may_do_more_than_he(ann: Visitor, erik: Visitor, alice: Visitor) -> None:
    def offered(who: Visitor, path: str) -> set[str]:
        return {str(tag["value"]) for tag in who.get(path).soup.select("input[name=scopes]")}

    assert offered(ann, "/customers/keys/new") == set(SCOPES)
    assert "balances:write" not in offered(erik, "/customers/keys/new")
    assert "routes:write" in offered(erik, "/customers/keys/new")
    assert offered(erik, "/customers/Acme/keys/new") == set(CUSTOMERS)
    assert offered(alice, "/customers/keys/new") == set(CUSTOMERS)
    key_of(erik, "/customers/keys", "sly", "routes:read", "balances:write", code=403)
    key_of(alice, "/customers/keys", "sly", "messages:read", "routes:read", code=403)
    assert "choose at least one" in key_of(alice, "/customers/keys", "none").text


def test_charlie_sees_and_touches_no_keys_but_his(app: Flask, ann: Visitor, alice: Visitor, charlie: Visitor) -> None:
    key_of(ann, "/customers/keys", "ours", "routes:read")
    key_of(alice, "/customers/keys", "acmes", "messages:read")
    key_of(charlie, "/customers/Charlie Ltd/keys", "charlies", "messages:read")
    with sessions(app) as session:
        assert {key.name: owner for key, owner in keys.listing(session)} == {
            "ours": None, "acmes": "Acme", "charlies": "Charlie Ltd",
        }  # fmt: skip
    for path in (
        "/customers/keys",
        "/customers/keys?customer=Acme",
        "/customers/keys?text=acmes",
        "/customers/keys?sort=customer",
    ):
        page = charlie.get(path)
        assert "acmes" not in str(page.soup.select("tbody")), path
        assert "ours" not in str(page.soup.select("tbody")), path
        assert "Acme" not in page.heading
    token = str(
        charlie.get("/customers/keys").one("#content form.d-inline:first-of-type input[name=csrf_token]")["value"]
    )
    for name in ("ours", "acmes", "emg_"):
        charlie.get(f"/customers/keys/{name}/revoke", code=404)
        for act in ("lock", "unlock", "revoke"):
            answer = charlie.open(f"/customers/keys/{name}/{act}", method="POST", data={"csrf_token": token})
            assert answer.status_code == 404
    charlie.get("/customers/Acme/keys", code=404)
    charlie.get("/customers/Acme/keys/new", code=404)
    answer = charlie.open(
        "/customers/Acme/keys/new", method="POST", data={"csrf_token": token, "name": "x", "scopes": "messages:read"}
    )
    assert answer.status_code == 404
    assert charlie.get("/customers/keys").row("charlies")["State"] == "ok"
