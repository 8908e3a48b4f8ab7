"""Connectors in the portal, without a gateway: the list, one, its form, its log, its sheet; who may see and do what."""

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from emg.config.stored import Stored
from emg.db import accounts, connectors
from emg.db.connectors import Around
from emg.db.engine import Database
from emg.db.models import AuditLog, Content
from portal.connectors import asking
from portal.connectors.overview import Seen
from tests.portal.conftest import HOUSE
from tests.portal_visitor import Page, Visitor

SECRET = "hush-hush"
LINES = (
    ("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "smsc.example.com:2775"), ("USERNAME", "u"), ("PASSWORD", SECRET),
    ("INSTANCES", "3"), ("STATIC", ""), ("SYSTEMTYPE", '"a b"'), ("ROUTE", "customers"),
)  # fmt: skip


@pytest.fixture
def stored(app: Flask) -> Database:
    """With a connector `tele` in the database."""
    database = app.extensions["emg"].database
    with database.session() as session:
        connectors.add(session, HOUSE, around(app), Stored("tele", LINES), note="Tele Ltd")
    return database


def around(app: Flask) -> Around:
    made: Around = app.extensions["emg"].around
    return made


def lines(database: Database, name: str = "tele") -> dict[str, str]:
    with database.session() as session:
        return dict(connectors.stored(connectors.find(session, name)).lines)


def audited(database: Database) -> list[tuple[str, str, str]]:
    with database.session() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.subject == "connector").order_by(AuditLog.id))
        return [(row.who, row.action, row.name) for row in rows][1:]


def faulty(page: Page) -> dict[str, str]:
    """Faults by their fields."""
    found = {}
    for tag in page.soup.select(".is-invalid"):
        told = tag.find_next(class_="invalid-feedback")
        assert told is not None
        found[str(tag["name"])] = told.get_text(" ").strip()
    return found


# -- looking


@pytest.mark.usefixtures("stored")
def test_the_list_has_those_of_the_file_and_of_the_database(fia: Visitor) -> None:
    page = fia.get("/connectors")
    assert [row["Connector"].split()[0] for row in page.rows()] == ["customers", "operator", "tele"]
    assert page.rows()[2]["State"] == "unknown"
    assert page.rows()[2]["Sessions"] == "– / 3"
    assert "file" in page.rows()[0]["Connector"]
    assert "No gateway answers" in page.text
    assert not page.soup.select('a[href="/connectors/new"]')
    assert [row["Connector"] for row in fia.get("/connectors?text=ltd").rows()] == ["tele Tele Ltd"]
    assert len(fia.get("/connectors?type=outgoing&sort=-name").rows()) == 2
    assert "No connector fits" in fia.get("/connectors?state=up").text
    fia.get("/connectors?sort=nonsense", 400)
    part = fia.get("/connectors?type=incoming&part=rows", htmx=True)
    assert "customers" in part.text
    assert "tele" not in part.text
    assert "type=incoming" in part.one("#connectors")["hx-get"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["", "/tele", "/tele/log", "/customers/sheet", "/new", "/tele/edit", "/tele?part=now"])
def test_customers_see_nothing_of_it(charlie: Visitor, alf: Visitor, path: str) -> None:
    for person in (charlie, alf):
        answer = person.open(f"/connectors{path}")
        assert answer.status_code == 403
        assert b"Tele Ltd" not in answer.data
    assert "/connectors" not in charlie.get("/").links()


@pytest.mark.usefixtures("stored")
def test_one_shows_its_settings_and_no_secret(erik: Visitor) -> None:
    page = erik.get("/connectors/tele")
    assert "smsc.example.com:2775" in page.text
    assert "(hidden)" in page.text
    assert "/connectors/tele/edit" in page.links()
    for path in ("/connectors/tele", "/connectors/tele/edit", "/connectors/new?type=outgoing&like=tele"):
        assert SECRET not in erik.get(path).html
    erik.get("/connectors/tele?part=now", htmx=True)
    erik.get("/connectors/tele?part=nothing", 404, htmx=True)
    erik.get("/connectors/nobody", 404)


def test_one_of_the_file_is_shown_and_not_changed_here(erik: Visitor, fia: Visitor) -> None:
    page = erik.get("/connectors/operator")
    assert "stands in the configuration file" in page.text
    assert "not-to-be-seen" not in page.html
    assert not [link for link in page.links() if link.endswith("/edit")]
    for path in ("edit", "rename", "delete", "disable"):
        assert "change it there" in erik.get(f"/connectors/operator/{path}", 409).text
    assert not fia.get("/connectors/operator").soup.select('form[action$="/hold"]')


# -- making and changing


def test_a_new_one_is_made_with_what_its_type_needs(app: Flask, erik: Visitor) -> None:
    assert erik.get("/connectors/new").links().count("/connectors/new?type=outgoing&protocol=smpp") == 1
    page = erik.get("/connectors/new?type=outgoing&protocol=smpp")
    assert not page.soup.select("[name=ACCESS], [name=DISABLED], [name=USERS]")
    assert page.one("[name=INSTANCES]")["placeholder"] == "1 session"
    assert page.one("[name=WAITBEFORECONNECT]")["placeholder"] == "5s"
    assert "Who" not in page.one("[name=ADDRESS]").get("value", "")
    page = erik.submit(
        page, page.form("/connectors/new"), name="tele", ADDRESS="peer:2775", USERNAME="u", PASSWORD='p"#q', STATIC="yes", note="New", SSL="no"
    )  # fmt: skip
    assert page.heading == "tele"
    assert "Connector tele is made." in page.text
    assert "No gateway runs" in page.text
    wanted = {
        "TYPE": "OUTGOING",
        "PROTOCOL": "SMPP",
        "ADDRESS": "peer:2775",
        "STATIC": "",
        "USERNAME": "u",
        "SSL": "no",
    }
    database = app.extensions["emg"].database
    made = lines(database)
    password = made.pop("PASSWORD")
    assert made == wanted
    with database.session() as session:
        found = around(app).examine([connectors.stored(connectors.find(session, "tele"))])
    assert found.connectors["tele"].password == 'p"#q', password


def test_all_faults_stand_at_their_fields_at_once(app: Flask, erik: Visitor) -> None:
    page = erik.get("/connectors/new?type=outgoing")
    page = erik.submit(
        page, page.form("/connectors/new"), name="customers", ADDRESS="nowhere", INSTANCES="x", ROUTE="nobody", PASSWORD=SECRET
    )  # fmt: skip
    assert "stands in the configuration file" in faulty(page)["name"]
    assert faulty(page).keys() == {"name", "ADDRESS", "INSTANCES", "ROUTE", "USERNAME"}
    page = erik.submit(page, page.form("/connectors/new"), name="te le", ADDRESS="peer:1")
    assert "made of letters" in faulty(page)["name"]
    page = erik.submit(page, page.form("/connectors/new"), name="tele", ADDRESS="nowhere", PASSWORD=SECRET)
    found = faulty(page)
    assert found["ADDRESS"].startswith("must be host:port")
    assert found["INSTANCES"].startswith("must be a whole number")
    assert "there is no such connector" in found["ROUTE"]
    assert "needs it" in found["USERNAME"]
    assert SECRET not in page.html
    assert page.one("[name=INSTANCES]")["value"] == "x"
    with app.extensions["emg"].database.session() as session:
        assert connectors.listing(session) == []


def test_markup_in_values_stays_text(erik: Visitor) -> None:
    page = erik.get("/connectors/new?type=incoming")
    page = erik.submit(page, page.form("/connectors/new"), name="<b>x</b>", ADDRESS='"><script>', note="<i>")
    assert "<script>" not in page.html.replace("<script src", "")
    assert "<b>x</b>" not in page.html


def test_a_change_writes_what_was_changed_and_keeps_the_rest(stored: Database, erik: Visitor) -> None:
    page = erik.get("/connectors/tele/edit")
    assert page.one("[name=SYSTEMTYPE]")["value"] == "a b"
    assert page.one("[name=PASSWORD]")["placeholder"] == "kept as it is"
    erik.submit(page, page.form("/edit"))
    assert lines(stored) == dict(LINES)
    assert audited(stored) == []
    page = erik.submit(page, page.form("/edit"), INSTANCES="", KEEPALIVE="${BEAT}", SYSTEMTYPE="c #d", note="Other")
    assert "BEAT is not set here" in page.text
    wanted = {**dict(LINES), "KEEPALIVE": "${BEAT}", "SYSTEMTYPE": '"c #d"'}
    del wanted["INSTANCES"]
    assert lines(stored) == wanted
    assert audited(stored) == [("erik", "change", "tele")]
    assert "Other" in page.text or "Other" in erik.get("/connectors").text


def test_two_who_change_at_once_are_told(stored: Database, erik: Visitor, ann: Visitor) -> None:
    first, second = erik.get("/connectors/tele/edit"), ann.get("/connectors/tele/edit")
    erik.submit(first, first.form("/edit"), INSTANCES="5")
    page = ann.submit(second, second.form("/edit"), INSTANCES="7")
    assert "Somebody has changed" in page.text
    assert lines(stored)["INSTANCES"] == "5"


def test_the_other_type_takes_away_what_has_no_effect_there(stored: Database, erik: Visitor) -> None:
    page = erik.get("/connectors/tele/edit?type=incoming")
    page = erik.submit(page, page.form("/edit"), ADDRESS="127.0.0.1:2999", ROUTE="operator")
    assert page.heading == "tele"
    made = lines(stored)
    assert made["TYPE"] == "INCOMING"
    assert not {"USERNAME", "PASSWORD", "STATIC"} & made.keys()


def test_disabled_and_enabled(stored: Database, erik: Visitor) -> None:
    page = erik.get("/connectors/tele/disable")
    assert "No gateway says" in page.text
    page = erik.submit(page, page.form("/disable"))
    assert "disabled" in page.text
    page = erik.submit(page, page.form("/enable"))
    assert "Connector tele is enabled." in page.text
    assert [action for _who, action, _name in audited(stored)] == ["change", "change"]


def test_renamed_and_deleted_only_while_nothing_names_it(stored: Database, erik: Visitor) -> None:
    with stored.session() as session:
        accounts.add(session, HOUSE, {"name": "theirs", "route": "tele"})
    for path in ("rename", "delete"):
        assert "account theirs" in erik.get(f"/connectors/tele/{path}").text
    page = erik.get("/connectors/tele/rename")
    assert "still named" in erik.submit(page, page.form("/rename"), new="other").text
    assert not erik.get("/connectors/tele/delete").soup.select('form[action$="/delete"]')


def test_renamed_and_deleted(stored: Database, erik: Visitor) -> None:
    page = erik.get("/connectors/tele/rename")
    assert "is the name that it has" in erik.submit(page, page.form("/rename"), new="tele").text
    page = erik.submit(page, page.form("/rename"), new="new")
    assert page.path == "/connectors/!6E!65!77"
    page = erik.get(f"{page.path}/delete")
    page = erik.submit(page, page.form("/delete"))
    assert "Connector new is deleted." in page.text
    assert [action for _who, action, _name in audited(stored)] == ["rename", "delete"]


# -- log and sheet

PDU = "Nov 23 23:11:33.222919 emgtest emg[47]: {session} {arrow} {text} | 0001"


def test_the_log_shows_its_end_and_what_fits(app: Flask, erik: Visitor) -> None:
    assert "Nothing has been written" in erik.get("/connectors/customers/log").text
    folder = Path(app.extensions["emg"].config.logdir)
    folder.mkdir(exist_ok=True)
    told = [
        PDU.format(session="customers#1", arrow="<", text=f"submit_sm seq {number} text='<b>'") for number in range(300)
    ]
    (folder / "pdu.customers").write_text("\n".join(told) + "\n")
    events = ["Nov 23 23:11:33.222919 emgtest emg[47]: WARNING connector.customers: it broke", "    Trace", "odd"]
    (folder / "connector.customers").write_text("\n".join(events) + "\n")
    page = erik.get("/connectors/customers/log")
    assert "seq 299" in page.soup.select("li.pdu")[0].get_text()
    assert len(page.soup.select("li.pdu")) == 50
    assert "LOGPDU is off" in page.text
    assert "<b>" not in page.html
    part = erik.get("/connectors/customers/log?text=SEQ+17&part=lines&octets=shown", htmx=True)
    assert len(part.soup.select("li.pdu")) == 11
    assert "0001" in part.text
    assert "text=SEQ" in part.one("#lines")["hx-get"]
    assert not erik.get("/connectors/customers/log?follow=no").soup.select("[hx-get]")
    page = erik.get("/connectors/customers/log?of=events")
    assert page.soup.select("li.pdu")[0].get_text().strip() == "odd"
    assert "Trace" in page.soup.select("li.pdu")[1].get_text()
    assert "it broke" in erik.get("/connectors/customers").text
    erik.get("/connectors/customers/log?of=../general", 400)
    erik.get("/connectors/nobody/log", 404)


def test_texts_are_neither_shown_nor_searched_for_who_may_not_read_them(app: Flask, fia: Visitor) -> None:
    folder = Path(app.extensions["emg"].config.logdir)
    folder.mkdir(exist_ok=True)
    told = (
        "text='it\\'s secret-word' x=1",
        'text="secret-word"',
        "udh=050003 text=0x7365637265742d776f7264",
        "seq 9 y=2",
    )
    (folder / "pdu.customers").write_text(
        "\n".join(PDU.format(session="c#1", arrow="<", text=f"submit_sm {one}") for one in told)
    )
    page = fia.get("/connectors/customers/log?octets=shown")
    assert len(page.soup.select("li.pdu")) == 4
    assert "secret" not in page.text
    assert "7365" not in page.text
    assert "0001" not in page.one("#lines ol").get_text()
    assert "x=1" in page.text
    assert not fia.get("/connectors/customers/log?text=secret-word").soup.select("li.pdu")


def test_texts_are_hidden_from_everybody_while_an_account_keeps_them_out_of_the_log(app: Flask, erik: Visitor) -> None:
    """Lines don't say whose they are."""
    folder = Path(app.extensions["emg"].config.logdir)
    folder.mkdir(exist_ok=True)
    (folder / "pdu.customers").write_text(PDU.format(session="c#1", arrow="<", text="submit_sm text='a secret-word'"))
    assert "secret-word" in erik.get("/connectors/customers/log").text
    with app.extensions["emg"].database.session() as session:
        accounts.find(session, "acme").content = Content.MASKED
    page = erik.get("/connectors/customers/log?octets=shown")
    assert "secret" not in page.text
    assert "account acme lets the log have none in full" in page.text
    assert not erik.get("/connectors/customers/log?text=secret-word").soup.select("li.pdu")


def test_the_sheet_says_what_a_customer_needs(app: Flask, fia: Visitor) -> None:
    page = fia.get("/connectors/customers/sheet")
    assert "YOUR-GATEWAY" in page.text
    assert "fill in the host" in page.text
    page = fia.get("/connectors/customers/sheet?host=smpp.example.com&account=acme")
    told = page.one("#sheet-text").get_text()
    for wanted in ("smpp.example.com", "2775", "acme", "SMPP 3.4", "At most 10 at the same time"):
        assert wanted in told
    assert "may not log in at customers yet" in page.text
    assert "There is no account" in fia.get("/connectors/customers/sheet?account=nobody").text
    page = fia.get("/connectors/customers/sheet?host=%3Cscript%3E")
    assert "neither a host" in page.text
    assert "OUTGOING" in fia.get("/connectors/operator/sheet", 409).text


# -- acts without a gateway


def test_an_act_without_a_gateway_is_told_and_changes_nothing(stored: Database, erik: Visitor) -> None:
    app = erik.app
    app.config["WTF_CSRF_ENABLED"] = False
    for verb in ("start", "stop", "hold", "release"):
        answer = erik.open(f"/connectors/tele/{verb}", method="POST")
        assert answer.status_code == 303
    app.config["WTF_CSRF_ENABLED"] = True
    assert erik.get("/connectors/tele").text.count("That was not done") == 4
    assert audited(stored) == []
    erik.get("/connectors/tele/sessions/tele%231/close", 409)


def test_the_audit_log_has_no_secret(stored: Database, erik: Visitor) -> None:
    page = erik.get("/connectors/tele/edit")
    erik.submit(page, page.form("/edit"), PASSWORD="other-one")
    with stored.session() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.subject == "connector")).all()
    assert json.loads(rows[-1].after)["PASSWORD"] == "***"
    assert all("other-one" not in row.after and SECRET not in row.before for row in rows)


def test_a_change_that_ends_sessions_has_to_be_ticked(
    stored: Database, erik: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = asking.known

    def with_sessions(name: str) -> Seen:
        seen = known(name)
        seen.live = {"sessions": 3, "queued": 0, "state": "up", "held": False, "stopped": False, "disabled": False}
        return seen

    monkeypatch.setattr(asking, "known", with_sessions)
    page = erik.get("/connectors/tele/edit")
    page = erik.submit(page, page.form("/edit"), ADDRESS="other:2775", KEEPALIVE="10")
    assert "ADDRESS: this change ends 3" in faulty(page)["rebuild"]
    assert lines(stored)["ADDRESS"] == "smsc.example.com:2775"
    erik.submit(page, page.form("/edit"), rebuild="y")
    assert lines(stored)["ADDRESS"] == "other:2775"
    page = erik.get("/connectors/tele/edit")
    erik.submit(page, page.form("/edit"), KEEPALIVE="20")
    assert lines(stored)["KEEPALIVE"] == "20"


def test_what_a_hand_has_put_into_the_database_breaks_no_page(stored: Database, erik: Visitor) -> None:
    with stored.session() as session:
        row = connectors.find(session, "tele")
        by_name = {option.keyword: option for option in row.options}
        by_name["TYPE"].value, by_name["INSTANCES"].value = "SIDEWAYS", "many"
        by_name["SYSTEMTYPE"].keyword, by_name["STATIC"].value = "XSECRET", "perhaps"
        by_name["ADDRESS"].value = '"broken'
    assert len(erik.get("/connectors?sort=type").rows()) == 3
    page = erik.get("/connectors/tele")
    assert "must be a whole number" in page.text
    assert not page.soup.select("details.group")
    erik.get("/connectors/tele/sheet", 409)
    page = erik.get("/connectors/tele/edit?type=outgoing")
    assert "Take away XSECRET=***" in page.text
    assert page.one("[name=STATIC] option[selected]").get_text() == "perhaps"
    page = erik.submit(page, page.form("/edit"))
    assert {"ADDRESS", "INSTANCES", "STATIC"} <= faulty(page).keys()
    erik.submit(page, page.form("/edit"), ADDRESS="peer:1", INSTANCES="", STATIC="no", **{"drop-XSECRET": "y"})
    assert lines(stored)["STATIC"] == "no"
    assert "XSECRET" not in lines(stored)
