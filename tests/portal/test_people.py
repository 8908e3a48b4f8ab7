"""People and the audit log."""

import pytest
from flask import Flask

from emg.db import people
from emg.db.models import Mail
from tests.portal.conftest import PASSWORD
from tests.portal_visitor import Visitor


def test_somebody_is_invited_chooses_a_password_and_logs_in(app: Flask, ann: Visitor) -> None:
    page = ann.get("/people/invite")
    page = ann.submit(page, page.form("/people/invite"), name="nora", role="engineer", email="nora@example.com")
    place = page.one("#link").get_text()
    with app.extensions["emg"].database.session() as session:
        [letter] = session.query(Mail)
        assert place in letter.body
    assert "invited" in ann.get("/people").row("nora")["State"]
    nora = Visitor(app)
    page = nora.get(place.partition("8000")[2])
    assert page.heading == "Welcome"
    page = nora.submit(page, page.form(), new="nora has a sentence", again="nora has a sentence")
    assert nora.log_in("nora", "nora has a sentence").heading == "Dashboard"
    assert "nora" in ann.get("/people/audit?action=accept").text


@pytest.mark.parametrize("name", ["alice", "alf", "ann", "erik"])
def test_charlie_sees_and_changes_nobody_of_others(app: Flask, charlie: Visitor, ann: Visitor, name: str) -> None:
    assert name not in [row["Login"] for row in charlie.get("/people?customer=Acme").rows()]
    charlie.get(f"/people/user/{name}", 404)
    for act in ("lock", "link", "second", "end", "delete", "unlock"):
        charlie.get(f"/people/user/{name}/{act}", 404)
        sent = charlie.filled(charlie.get("/people/invite").form("/people/invite"))
        assert charlie.open(f"/people/user/{name}/{act}", method="POST", data=sent).status_code == 404
    charlie.get("/people/audit", 403)
    with app.extensions["emg"].database.session() as session:
        assert not people.find(session, name).locked


def test_charlie_makes_nobody_of_the_house_or_of_others(app: Flask, charlie: Visitor) -> None:
    for number, given in enumerate(
        (
            {"role": "owner"},
            {"role": "customer_user", "customer": "Acme"},
            {"role": "customer_user", "account": "acme"},
        )
    ):
        sent = charlie.filled(charlie.get("/people/invite").form("/people/invite")) | {"name": f"evil{number}", **given}
        answer = charlie.open("/people/invite", method="POST", data=sent)
        with app.extensions["emg"].database.session() as session:
            found = {user.name: customer for user, customer, _account in people.listing(session)}
        assert found.get(f"evil{number}", "Charlie Ltd") == "Charlie Ltd", given
        assert (f"evil{number}" in found) == ("customer" in given), answer.data
    page = charlie.get("/people/user/chris")
    sent = charlie.filled(page.form("/people/user/chris")) | {"role": "owner"}
    charlie.open("/people/user/chris", method="POST", data=sent)
    with app.extensions["emg"].database.session() as session:
        assert people.find(session, "chris").role == "customer_user"


def test_people_are_changed_locked_logged_out_and_deleted(app: Flask, ann: Visitor, fia: Visitor) -> None:
    page = ann.get("/people/user/fia")
    page = ann.submit(page, page.form("/people/user/fia"), full_name="Fia F")
    assert "is changed" in page.text
    page = ann.get("/people/user/fia/end")
    assert "1 browsers" in page.text
    ann.submit(page, page.form("/people/user/fia/end"))
    assert fia.get("/").heading == "Log in"
    page = ann.get("/people/user/fia/lock")
    ann.submit(page, page.form("/people/user/fia/lock"))
    assert "locked" in ann.get("/people?state=locked").row("fia")["State"]
    assert "wrong" in fia.log_in("fia", PASSWORD).text
    page = ann.get("/people/user/fia/delete")
    ann.submit(page, page.form("/people/user/fia/delete"))
    assert "fia" not in [row["Login"] for row in ann.get("/people").rows()]
    told = ann.get("/people/audit?name=fia").text
    assert "delete web_user fia" in told
    assert "+ Fia F" in told


def test_the_last_owner_stays(ann: Visitor) -> None:
    page = ann.get("/people/user/ann")
    page = ann.submit(page, page.form("/people/user/ann"), role="engineer")
    assert "last owner" in page.text
    ann.get("/people/user/ann/lock", 400)
