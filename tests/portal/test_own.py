"""One's own page."""

import re

import pyotp
from flask import Flask

from tests.portal.conftest import PASSWORD
from tests.portal_visitor import Visitor


def test_a_second_factor_is_set_up_counts_and_is_taken_away(app: Flask, charlie: Visitor) -> None:
    elsewhere = Visitor(app)
    elsewhere.log_in("charlie", PASSWORD)
    page = charlie.get("/me/second")
    key = re.sub(r"\s", "", page.one("p.font-monospace").get_text())
    form = page.form("/me/second")
    assert "is wrong" in charlie.submit(page, form, answer=pyotp.TOTP(key).now(), old="wrong").text
    page2 = charlie.submit(page, form, answer="000000", old=PASSWORD)
    assert "should show" in page2.text
    assert re.sub(r"\s", "", page2.one("p.font-monospace").get_text()) == key, "the same key, after a mistake"
    shown = charlie.submit(page2, page2.form("/me/second"), answer=pyotp.TOTP(key).now(), old=PASSWORD)
    codes = shown.one("#codes").get_text().split()
    assert len(codes) == 10
    assert elsewhere.get("/").heading == "Log in", "other logins have ended"
    assert "10 recovery codes" in charlie.get("/me").text
    other = Visitor(app)
    page = other.log_in("charlie", PASSWORD)
    assert page.heading == "Second factor"
    assert other.submit(page, page.form(), answer=codes[0]).heading == "Dashboard"
    page = other.get("/me/second/off")
    assert "is wrong" in other.submit(page, page.form("/me/second/off"), old="no").text
    other.submit(page, page.form("/me/second/off"), old=PASSWORD)
    assert Visitor(app).log_in("charlie", PASSWORD).heading == "Dashboard"


def test_another_password_wants_the_old_one_and_ends_other_logins(app: Flask, fia: Visitor) -> None:
    other = Visitor(app)
    other.log_in("fia", PASSWORD)
    page = fia.get("/me/password")
    form = page.form("/me/password")
    assert "is wrong" in fia.submit(page, form, old="no", new="another password", again="another password").text
    assert fia.submit(page, form, old=PASSWORD, new="another password", again="another password").heading == "My login"
    assert other.get("/").heading == "Log in"
    assert Visitor(app).log_in("fia", "another password").heading == "Dashboard"


def test_other_logins_are_ended_one_by_one_and_only_ones_own(app: Flask, alf: Visitor, chris: Visitor) -> None:
    other = Visitor(app, "192.0.2.9")
    other.log_in("alf", PASSWORD)
    page = alf.get("/me")
    [row] = [row for row in page.rows() if row["From"] == "192.0.2.9"]
    assert row
    [form] = page.soup.select("form[action^='/me/sessions/'][action$='/end']:not([action='/me/sessions/end'])")
    chris.get("/me")
    foreign = chris.open(
        str(form["action"]), method="POST", data=chris.filled(chris.get("/me").form("/me/sessions/end"))
    )
    assert foreign.status_code == 404
    alf.submit(page, form)
    assert other.get("/").heading == "Log in"
