"""Sending from the portal: the form, the preview, batches, and whose they are."""

import io
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from emg.db.models import AuditLog, SendBatch, SendItem
from emg.errors import EmgError
from portal.send import reading, views
from tests.portal_visitor import Page, Visitor


def preview(visitor: Visitor, **given: Any) -> Page:
    page = visitor.get("/send")
    return visitor.submit(page, page.form("/send"), **{"account": "acme", "text": "Hello", **given})


def upload(visitor: Visitor, octets: bytes, name: str = "people.csv", **given: Any) -> Page:
    page = visitor.get("/send")
    data = {**visitor.filled(page.form("/send")), "account": "acme", "text": "Dear {name}", **given}
    answer = visitor.open("/send", method="POST", data={**data, "file": (io.BytesIO(octets), name)})
    return visitor._page("/send", answer, 200, whole=True)


def act(visitor: Visitor, page: Page, name: str) -> Page:
    return visitor.submit(page, page.form(name))


def test_one_message_is_looked_at_and_then_sent(app: Flask, alice: Visitor) -> None:
    page = preview(alice, numbers="+46 70-123 45 67", source="Acme", due="", hours="2")
    assert page.heading.startswith("Batch")
    assert "Nothing is sent yet" in page.text
    assert page.rows("#items")[0]["Number"] == "46701234567"
    page = act(alice, page, "confirm")
    assert "on its way: 1 messages" in page.text
    with app.extensions["emg"].database.session() as session:
        batch = session.scalars(select(SendBatch)).one()
        assert (batch.state.value, batch.validity, batch.who) == ("sending", 7200, "alice")
        assert session.scalar(select(AuditLog.action).where(AuditLog.subject == "batch")) == "confirm"
    page = act(alice, page, "pause")
    assert "1 messages are not sent yet" in page.text
    page = act(alice, page, "resume")
    page = alice.get("/send/batch/1/cancel")
    assert "1 messages are not sent yet" in page.text
    page = act(alice, page, "cancel")
    assert page.rows("#items")[0]["State"] == "cancelled"
    assert alice.get("/send/batches").rows()[0]["Account"] == "acme"


def test_many_numbers_with_faulty_lines(alice: Visitor) -> None:
    page = preview(alice, numbers="46701234567, 46701234568\nnonsense\n+46701234567")
    assert len(page.rows("#items")) == 2
    faults = page.one("#faults").get_text(" ")
    assert "Line 2: 'nonsense' is no number" in faults
    assert "Line 3: 46701234567 gets the same text already, by line 1" in faults


def test_a_file_fills_the_placeholders(app: Flask, alice: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    page = upload(alice, "name;number\nÅsa;46701234567\nBo;x\n".encode())
    assert page.rows("#items")[0]["Text"] == "Dear Åsa"
    assert "Line 3" in page.one("#faults").get_text()
    page = upload(alice, b"number\n46701234567\n")
    assert "The placeholder {name} is unknown: the file has {number}" in page.text
    monkeypatch.setattr(views, "LARGEST_FILE", 100)
    assert "The file is too big: at most 100 B are taken" in upload(alice, b"number\n" * 20).text
    assert "no XLSX workbook" in upload(alice, b"PK\x03\x04nonsense").text
    with app.extensions["emg"].database.session() as session:
        assert len(session.scalars(select(SendBatch)).all()) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"numbers": "12"}, "'12' is no number"),
        ({"numbers": ""}, "Give a number, or upload a file."),
        ({"numbers": "46701234567", "text": " "}, "The text is empty."),
        ({"numbers": "46701234567", "text": "Hi {name}"}, "The placeholder {name} is unknown"),
        ({"numbers": "46701234567", "text": "x" * 5001}, "more than 5,000 characters"),
        ({"numbers": "46701234567", "account": "charlie"}, "There is no account 'charlie'."),
        ({"numbers": "46701234567", "due": "2020-01-01T00:00"}, "The time is in the past."),
        ({"numbers": "46701234567", "due": "soon"}, "A time is written as"),
        ({"numbers": "46701234567", "hours": "999"}, "hours from 1 to 168"),
        ({"numbers": "46701234567", "source": "x" * 21}, "at most 20 characters"),
    ],
)
def test_faults_stand_at_their_fields_and_nothing_is_kept(
    app: Flask, alice: Visitor, given: dict[str, Any], told: str
) -> None:
    assert told in preview(alice, **given).text
    with app.extensions["emg"].database.session() as session:
        assert session.scalars(select(SendItem)).all() == []


def test_a_batch_is_its_customers_alone(alice: Visitor, charlie: Visitor, ann: Visitor, fia: Visitor) -> None:
    page = preview(alice, numbers="46701234567")
    assert charlie.get("/send/batches").text.count("acme") == 0
    charlie.get("/send/batch/1", 404)
    charlie.get("/send/batch/1/cancel", 404)
    form = page.form("confirm")
    token = charlie.filled(charlie.get("/send").form("/send"))["csrf_token"]
    assert charlie.open(page.action_of(form), method="POST", data={"csrf_token": token}).status_code == 404
    assert ann.get("/send/batch/1").heading == "Batch 1"
    fia.get("/send", 403)


def test_a_form_that_is_sent_twice_confirms_once(alice: Visitor) -> None:
    page = preview(alice, numbers="46701234567")
    act(alice, page, "confirm")
    assert "Nothing was changed: batch 1 is sending" in act(alice, page, "confirm").text


def test_what_is_typed_is_counted(alice: Visitor, alf: Visitor) -> None:
    token = alice.filled(alice.get("/send").form("/send"))["csrf_token"]
    given = {"csrf_token": token, "account": "acme", "text": "ж" * 71, "numbers": "46701234567\n46701234568"}
    answer = alice.open("/send/count?part=counted", method="POST", data=given, htmx=True)
    assert answer.status_code == 200
    assert "71 characters, UCS-2" in answer.data.decode()
    assert "<form" not in answer.data.decode()
    alf.get("/send")


def test_braces_can_be_written() -> None:
    assert reading.filled("{{a}} {B }", {"b": "c"}) == "{a} c"
    with pytest.raises(EmgError, match="at most"):
        reading.pasted("\n".join(str(46700000000 + n) for n in range(10_001)), "x")
