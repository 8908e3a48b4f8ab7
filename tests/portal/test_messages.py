"""The message log: searched, one message, acts, exports; and who sees what of it."""

import csv
import datetime as dt
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy import select

from emg.db import customers, people
from emg.db.engine import Database
from emg.db.models import AuditLog, MessageBody, MessagePart, RouteLog, Status
from emg.errors import ControlError
from portal import house
from portal.messages import export
from tests.portal.conftest import HOUSE, PASSWORD
from tests.portal_visitor import Page, Visitor

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
MINUTE = dt.timedelta(minutes=1)
ACME, LONG, CHARLIES, OLD = 1001, 1002, 2001, 3001


@pytest.fixture(autouse=True)
def log(portal_database: Database) -> None:
    """Messages of both customers; a long one; one of last week."""
    with portal_database.session() as session:
        acme, charlie = customers.find(session, "Acme").id, customers.find(session, "Charlie Ltd").id
        common: dict[str, Any] = {
            "connector_in": "customers", "connector_out": "operator", "currency": "EUR", "price": 50_000, "cost": 20_000, "encoding": 1, "octets": 5,
        }  # fmt: skip
        acmes = {**common, "account": "acme", "customer_id": acme}
        session.add(
            RouteLog(
                id=ACME, received=NOW - 5 * MINUTE, source="ACME", dest="46701", status=Status.DELIVERED, sent=NOW - 5 * MINUTE,
                done=NOW - 4 * MINUTE, remote_id="op-7", route="table 17", price_row=3, prefix="46", reference="order 7", **acmes,
            )
        )  # fmt: skip
        session.add(MessageBody(id=ACME, received=NOW - 5 * MINUTE, text="Hello <b>there</b>", body=b"Hello"))
        session.add(
            RouteLog(
                id=LONG,
                received=NOW - 4 * MINUTE,
                source="ACME",
                dest="46702",
                status=Status.SENT,
                parts=2,
                sent=NOW - 3 * MINUTE,
                **acmes,
            )
        )
        for number in (1, 2):
            session.add(
                MessagePart(
                    id=LONG + 10 + number,
                    parent=LONG,
                    received=NOW - 4 * MINUTE,
                    number=number,
                    total=2,
                    status=Status.SENT,
                    sent=NOW - 3 * MINUTE,
                    remote_id=f"op-{number}",
                )
            )
        session.add(
            RouteLog(
                id=CHARLIES,
                received=NOW - 3 * MINUTE,
                source="CHARLIE",
                dest="46701",
                **{**common, "account": "charlie", "customer_id": charlie},
            )
        )
        session.add(MessageBody(id=CHARLIES, received=NOW - 3 * MINUTE, text="Charlie's secret"))
        session.add(
            RouteLog(
                id=OLD,
                received=NOW - dt.timedelta(days=5),
                source="=1+1",
                dest="46701",
                status=Status.FAILED,
                error="255",
                cause="too many tries",
                **acmes,
            )
        )


def found(page: Page) -> list[str]:
    return [row["To"] + " " + row["Account"] for row in page.rows()] if page.soup.select("table") else []


ALL = ["46701 charlie", "46702 acme", "46701 acme"]


SEARCHES = [
    ("", ALL),
    ("sort=received", ALL[::-1]),
    ("number=%2B46701", [ALL[0], ALL[2]]),
    ("number=4670*", ALL),
    ("number=00467+01&period=7d", [ALL[0], ALL[2], "46701 acme"]),
    ("number=acme", []),
    ("number=ACME", ALL[1:]),
    ("account=acme", ALL[1:]),
    ("customer=Acme", ALL[1:]),
    ("customer=Nobody", []),
    ("status=delivered", ALL[2:]),
    ("status=open", ALL[:2]),
    ("status=bad&period=7d", ["46701 acme"]),
    ("id=1001", ALL[2:]),
    ("id=3001", ["46701 acme"]),
    ("remote=op-2", [ALL[1]]),
    ("reference=order+7", ALL[2:]),
    ("in=customers&out=operator", ALL),
    ("out=other", []),
    ("text=there", ALL[2:]),
    ("period=1h", ALL),
    ("period=yesterday&number=99", []),
    (f"since={NOW - 4 * MINUTE:%Y-%m-%dT%H:%M:%S}", ALL[:2]),
    (f"since={NOW - 10 * MINUTE:%Y-%m-%dT%H:%M:%S}&until={NOW - 4 * MINUTE:%Y-%m-%dT%H:%M:%S}", ALL[2:]),
]
NONSENSE = [
    "period=ever",
    "status=lost",
    "id=x",
    "id=99999999999999999999",
    "size=7",
    "sort=account",
    "after=x",
    "since=x",
    "since=2026-01-02&until=2026-01-01",
    "number=" + "4" * 300,
]


def test_everything_that_is_asked_for_holds(ann: Visitor) -> None:
    for query, rows in SEARCHES:
        page = ann.get(f"/messages?{query}")
        assert found(page) == rows, query
        if rows:
            assert f"{len(rows)} message" in page.text


def test_nonsense_is_refused_in_a_sentence(ann: Visitor) -> None:
    for query in NONSENSE:
        assert ann.get(f"/messages?{query}", 400).heading == "That did not work", query


def test_pages_join_both_ways(ann: Visitor, portal_database: Database) -> None:
    with portal_database.session() as session:
        session.add_all(
            RouteLog(id=5000 + number, received=NOW - (100 + number) * MINUTE, dest=str(number), account="house")
            for number in range(60)
        )

    def walk(page: Page, rel: str) -> tuple[list[str], Page]:
        seen = [row["To"] for row in page.rows()]
        while links := page.soup.select(f".page-item:not(.disabled) a[rel={rel}]"):
            page = ann.get(str(links[0]["href"]))
            more = [row["To"] for row in page.rows()]
            seen = [*seen, *more] if rel == "next" else [*more, *seen]
        return seen, page

    wanted = [str(number) for number in range(60)]
    seen, last = walk(ann.get("/messages?account=house&size=25"), "next")
    assert seen == wanted
    assert len(last.rows()) == 10
    assert walk(last, "prev")[0] == wanted
    assert walk(ann.get("/messages?account=house&size=25&sort=received"), "next")[0] == wanted[::-1]
    counted = ann.get("/messages?account=house&size=25&part=count", htmx=True)
    assert counted.text == "60 messages"
    assert "60 messages" in ann.get("/messages?account=house&size=25&count=yes").text


def test_a_search_that_takes_too_long_says_so(ann: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.messages.views.SEARCH_SECONDS", -1.0)
    monkeypatch.setattr("emg.db.deadlines.STEPS", 1)
    assert "Choose a shorter period" in ann.get("/messages").text


# -- who sees what


@pytest.mark.parametrize("name", ["alice", "alf"])
def test_a_customer_sees_his_own_messages_alone(visitor: Callable[[str], Visitor], name: str) -> None:
    person = visitor(name)
    for query in (
        "",
        "account=charlie",
        "customer=Charlie+Ltd",
        "number=46701",
        "id=2001",
        "text=secret",
        "period=30d",
        "remote=op-7",
        "out=operator",
    ):
        page = person.get(f"/messages?{query}")
        assert "charlie" not in page.one("main").get_text().replace('value="charlie"', "") or query.startswith(
            ("account", "customer")
        )
        assert not any("charlie" in row for row in found(page))
        assert "operator" not in page.html.replace("operator’s", "").lower() or "out=operator" in query
    person.get(f"/messages/{CHARLIES}", 404)
    person.get(f"/messages/{OLD}")
    page = person.get(f"/messages/{ACME}")
    assert "Hello <b>there</b>" in page.one(".said").get_text()
    for secret in ("operator", "op-7", "table 17", "0.02", "Margin", "Cost", "PDU"):
        assert secret not in page.one("main").get_text(), secret
    assert ("0.05" in page.text) == (name == "alice")


def test_charlie_sees_nothing_of_acmes(charlie: Visitor, chris: Visitor) -> None:
    for person in (charlie, chris):
        assert found(person.get("/messages?period=30d")) == ["46701 charlie"]
        for number in (ACME, LONG, LONG + 11, OLD):
            person.get(f"/messages/{number}", 404)
        for act in ("cancel", "report"):
            person.get(f"/messages/{ACME}/{act}", 403)
        assert person.get("/messages?period=30d&part=count", htmx=True).text == "1 message"


def test_an_account_that_another_customer_has_now_shows_him_nothing_of_before(
    charlie: Visitor, portal_database: Database
) -> None:
    with portal_database.session() as session:
        session.add(
            RouteLog(
                id=4001,
                received=NOW - MINUTE,
                dest="46799",
                account="charlie",
                customer_id=customers.find(session, "Acme").id,
            )
        )
    assert found(charlie.get("/messages")) == ["46701 charlie"]
    charlie.get("/messages/4001", 404)


def test_finance_reads_no_texts(fia: Visitor, erik: Visitor) -> None:
    assert "Hello" in erik.get(f"/messages/{ACME}").text
    page = fia.get(f"/messages/{ACME}")
    assert "Hello" not in page.text
    assert "0.03" in page.text, "the margin"
    assert found(fia.get("/messages?text=there")) == ALL, "and can't guess at them by searching"


# -- one message


def test_the_story_without_a_gateway(ann: Visitor) -> None:
    page = ann.get(f"/messages/{ACME}")
    titles = [tag.get_text() for tag in page.soup.select("#story strong")]
    assert titles == ["Received", "Routed by table 17", "Priced", "Sent", "Delivered"]
    assert "No gateway answers" in page.text
    assert "0.05 EUR for 1 part by price row 3 for numbers that begin with 46" in page.text
    part = ann.get(f"/messages/{LONG + 12}")
    assert part.heading == f"Message {LONG}"
    assert f"{LONG + 12} is part 2 of 2" in part.text
    assert [row["Operator’s id"] for row in part.rows()] == ["op-1", "op-2"]
    ann.get("/messages/4711", 404)
    ann.get("/messages/99999999999999999999999", 404)


LIVE = {
    "id": LONG, "state": "sent",
    "story": [
        {"event": "accepted", "id": LONG, "at": (NOW - 4 * MINUTE).timestamp(), "connector": "customers", "account": "acme", "remote_ip": "192.0.2.7", "want": 3},
        *({"event": "split", "id": LONG, "at": (NOW - 4 * MINUTE).timestamp(), "part": LONG + 10 + n, "number": n, "total": 2} for n in (1, 2)),
    ],
    "related": [
        {"event": "tried", "id": LONG + 11, "at": (NOW - 4 * MINUTE).timestamp() + 1, "connector": "operator", "session": "operator#1", "cause": "throttled", "status": 88,
         "again": (NOW - 3 * MINUTE).timestamp()},
        *({"event": "sent", "id": LONG + 10 + n, "at": (NOW - 3 * MINUTE).timestamp(), "connector": "operator", "session": "operator#1", "remote_id": f"op-{n}",
           "tries": 3 - n, "maybe_sent": False, "kind": 1} for n in (1, 2)),
        {"event": "ended", "id": LONG + 11, "at": (NOW - 2 * MINUTE).timestamp(), "state": "delivered", "cause": "", "error": "000", "report": 9},
        {"event": "sent", "id": 9, "at": NOW.timestamp(), "connector": "customers", "session": "customers#2", "remote_id": "", "tries": 1, "maybe_sent": False, "kind": 5},
    ],
}  # fmt: skip


def test_the_story_with_what_the_gateway_knows(ann: Visitor, alice: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "look", lambda *_path, **_query: LIVE)
    page = ann.get(f"/messages/{LONG}")
    titles = [tag.get_text() for tag in page.soup.select("#story strong")]
    assert titles == [
        "Received", "Priced", "Split into 2 parts", "Part 1 not sent this time", "Part 1 sent and answered", "Part 2 sent and answered", "Sent", "Part 1 delivered",
        "Report made for the sender", "Report brought to the sender",
    ]  # fmt: skip
    assert "operator#1: throttled, status 88" in page.text
    theirs = alice.get(f"/messages/{LONG}")
    assert "Part 1 not sent this time" in theirs.text
    for secret in ("operator", "op-1", "throttled", "customers#2", "88"):
        assert secret not in theirs.one("#now").get_text(), secret


# -- acts


class Gateway:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def __call__(self, *_seconds: float) -> "Gateway":
        return self

    def get(self, _path: str) -> Any:
        raise ControlError("nothing is known here of it", 404)

    def post(self, path: str, **body: Any) -> Any:
        self.asked.append((path, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def audited(database: Database) -> list[tuple[str, str, str]]:
    with database.session() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.subject == "message"))
        return [(row.who, row.action, row.name) for row in rows]


def test_a_message_is_cancelled(erik: Visitor, portal_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway({"id": LONG, "cancelled": 1, "not_cancelled": 1})
    monkeypatch.setattr(house, "gateway", gateway)
    page = erik.get(f"/messages/{LONG}/cancel")
    assert "from ACME to 46702 of account acme" in page.text
    page = erik.submit(page, page.form("/cancel"))
    assert "is cancelled. 1 parts had gone out already" in page.text
    assert gateway.asked == [(f"/messages/{LONG}/cancel", {})]
    assert audited(portal_database) == [("erik", "cancel", str(LONG))]
    gateway.answer = ControlError("message 1002 is in flight: its answer decides", 409)
    page = erik.get(f"/messages/{LONG}/cancel")
    assert "is in flight: its answer decides" in erik.submit(page, page.form("/cancel")).text
    assert len(audited(portal_database)) == 1, "nothing was done"


def test_a_report_is_injected(erik: Visitor, portal_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway({})
    monkeypatch.setattr(house, "gateway", gateway)
    page = erik.get(f"/messages/{LONG}")
    assert "Inject a report" in page.text
    assert "up to three" in erik.get(f"/messages/{LONG}/report?state=failed&error=1234").text
    assert "The state is one of" in erik.get(f"/messages/{LONG}/report?state=sent").text
    page = erik.get(f"/messages/{LONG}/report?state=failed&error=")
    assert "each of its 2 parts, ends as “failed” with the code 255, as if operator had reported so" in page.text
    assert "0.05 EUR are given back to account acme" in page.text
    page = erik.submit(page, page.form("/report"))
    assert "is reported as failed" in page.text
    assert gateway.asked == [("/reports", {"id": str(LONG), "state": "failed", "error": "255"})]
    assert audited(portal_database) == [("erik", "report", str(LONG))]


def test_without_a_gateway_an_act_says_that_nothing_was_done(erik: Visitor, portal_database: Database) -> None:
    page = erik.get(f"/messages/{LONG}/report?state=delivered")
    assert "Nothing was reported" in erik.submit(page, page.form("/report")).text
    assert audited(portal_database) == []


# -- exports


def exported(person: Visitor, query: str) -> list[dict[str, str]]:
    page = person.get(f"/messages?{query}")
    page = person.submit(page, page.form("/messages/export"))
    key = page.path.rpartition("/")[2]
    for _turn in range(500):
        if person.get(f"/messages/exports/{key}?part=now", htmx=True).soup.select("a.btn-primary"):
            break
        gevent.sleep(0.01)
    answer = person.open(f"/messages/exports/{key}/file")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = answer.data.decode("utf-8-sig")
    answer.close()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_rows_are_exported_as_shown(ann: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    rows = exported(ann, "period=30d&account=acme")
    assert [row["id"] for row in rows] == [str(LONG), str(ACME), str(OLD)]
    assert rows[2]["source"] == "'=1+1", "no formula"
    assert rows[1]["text"] == "Hello <b>there</b>"
    assert (rows[1]["price"], rows[1]["margin"], rows[1]["currency"]) == ("0.05", "0.03", "EUR")
    assert rows[1]["received"] == f"{NOW - 5 * MINUTE:%Y-%m-%dT%H:%M:%S}.000Z"
    assert [row["id"] for row in exported(ann, "period=30d&account=acme&sort=received")] == [
        str(OLD),
        str(ACME),
        str(LONG),
    ]
    assert "last 30 days, account acme" in ann.get("/messages/exports").text


def test_a_customers_export_has_his_rows_and_his_columns(
    alf: Visitor, alice: Visitor, charlie: Visitor, app: Flask
) -> None:
    [*rows] = exported(alf, "period=30d")
    assert {row["id"] for row in rows} == {str(ACME), str(LONG), str(OLD)}
    assert not {"cost", "margin", "connector_out", "remote_id", "route", "price"} & rows[0].keys()
    assert "price" in exported(alice, "period=30d")[0]
    [key] = [job.key for job in app.extensions["exports"].own((person_of(app, "alf"), "customer_user Acme"))]
    for path in ("", "/file"):
        charlie.get(f"/messages/exports/{key}{path}", 404)
        alice.get(f"/messages/exports/{key}{path}", 404)
    assert "period" not in charlie.get("/messages/exports").one("main").get_text()
    folder = app.extensions["exports"].folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())


def test_who_changes_his_role_has_no_files_of_before(ann: Visitor, erik: Visitor, app: Flask) -> None:
    exported(erik, "period=30d")
    key = erik.get("/messages/exports").soup.select("td a")[0]["href"]
    with app.extensions["emg"].database.session() as session:
        people.change(session, HOUSE, "erik", {"role": "finance"})
    again = Visitor(app)
    again.log_in("erik", PASSWORD)
    again.get(str(key), 404)
    ann.get(str(key), 404)


def person_of(app: Flask, name: str) -> int:
    with app.extensions["emg"].database.session() as session:
        return people.find(session, name).id


def test_exports_are_bounded_deleted_and_forgotten(ann: Visitor, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for _turn in range(export.MOST_OWN + 1):
        exported(ann, "number=46701")
    page = ann.get("/messages/exports")
    assert len(page.rows()) == export.MOST_OWN
    folder: Path = app.extensions["exports"].folder
    assert len(list(folder.iterdir())) == export.MOST_OWN
    page = ann.submit(page, page.soup.select("main form")[0])
    assert "The file is deleted" in page.text
    assert len(list(folder.iterdir())) == export.MOST_OWN - 1
    monkeypatch.setattr(export, "KEEP_SECONDS", -1.0)
    time.sleep(0.01)
    assert "Here are the files" in ann.get("/messages/exports").text
    assert list(folder.iterdir()) == []


def test_an_export_ends_at_its_bounds_and_says_so(ann: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 1)
    monkeypatch.setattr(export, "MOST_ROWS", 2)
    assert len(exported(ann, "period=30d")) == 2
    page = ann.get("/messages/exports")
    assert "there are more rows" in ann.get(str(page.soup.select("td a")[0]["href"])).text


def test_a_message_is_sent_again_from_the_form(ann: Visitor, charlie: Visitor) -> None:
    """Filled in with what it said, priced and confirmed as any other; by nobody who may not see it."""
    page = ann.get(f"/messages/{ACME}")
    assert f"/send?again={ACME}" in str(page.soup)
    page = ann.get(f"/send?again={ACME}")
    given = ann.filled(page.form("/send"))
    assert {name: given[name] for name in ("account", "source", "numbers", "text")} == {
        "account": "acme", "source": "ACME", "numbers": "46701", "text": "Hello <b>there</b>",
    }  # fmt: skip
    page = ann.submit(page, page.form("/send"))
    assert page.rows("#items")[0]["Text"] == "Hello <b>there</b>"
    page = ann.get(f"/send?again={LONG}")
    assert "not kept" in page.text
    assert charlie.open(f"/send?again={ACME}").status_code == 404
