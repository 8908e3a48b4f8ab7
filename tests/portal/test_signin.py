"""Logging in and out."""

import pytest
from flask import Flask

from emg.config import hashes
from emg.db import people
from emg.db.audit import Actor
from portal.throttle import FORGET, FREE, LONGEST, Throttle
from tests.portal.conftest import PASSWORD
from tests.portal_visitor import Visitor


def test_a_right_password_leads_to_where_one_wanted_to_go(app: Flask) -> None:
    somebody = Visitor(app)
    page = somebody.get("/?part=now")
    assert page.heading == "Log in"
    page = somebody.submit(page, page.form(), name="ann", password=PASSWORD)
    assert page.heading == "Dashboard"
    assert "Ann" in page.text


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_to_another_host(app: Flask, place: str) -> None:
    somebody = Visitor(app)
    page = somebody.get(f"/login?next={place}")
    answer = somebody.open(
        page.path, method="POST", data=somebody.filled(page.form()) | {"name": "ann", "password": PASSWORD}
    )
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD), ("ann", ""), ("", PASSWORD), ("ann", "\ud800")]
)
def test_a_wrong_login_tells_nothing(app: Flask, name: str, password: str) -> None:
    somebody = Visitor(app)
    page = somebody.get("/login")
    page = somebody.submit(page, page.form(), name=name, password=password.encode("utf-8", "replace").decode())
    assert page.heading == "Log in"
    assert "Log out" not in page.text


def test_guessing_is_slowed_down_for_the_name_and_for_the_address(app: Flask) -> None:
    somebody = Visitor(app, "192.0.2.1")
    for _try in range(FREE + 1):
        page = somebody.get("/login")
        page = somebody.submit(page, page.form(), name="ann", password="wrong")
        assert "wrong" in page.text
    page = somebody.submit(page, page.form(), name="ann", password=PASSWORD)
    assert "too many wrong tries" in page.text
    page = somebody.submit(page, page.form(), name="erik", password=PASSWORD)
    assert "too many wrong tries" in page.text, "the address waits"
    other = Visitor(app, "192.0.2.2")
    page = other.get("/login")
    assert "too many wrong tries" in other.submit(page, page.form(), name="ann", password=PASSWORD).text, (
        "the name waits"
    )
    assert other.log_in("erik", PASSWORD).heading == "Dashboard"


def test_a_throttle_forgets_with_time_and_is_bounded() -> None:
    throttle = Throttle()
    for _try in range(FREE + 30):
        throttle.failed(["a"], 0.0)
    assert throttle.wait(["a"], 0.0) == LONGEST
    assert throttle.wait(["a"], LONGEST) == 0.0
    throttle.failed(["a"], LONGEST)
    assert throttle.wait(["a"], LONGEST + FORGET + 1) == 0.0
    throttle.succeeded("a")
    assert throttle.wait(["a"], LONGEST) == 0.0


def test_logging_out_ends_the_login_itself(app: Flask, ann: Visitor) -> None:
    cookie = ann.client.get_cookie("emg")
    assert cookie is not None
    page = ann.get("/")
    form = page.one("form[action='/logout']")
    assert ann.submit(page, form).heading == "Log in"
    thief = Visitor(app)
    thief.client.set_cookie("emg", cookie.value)
    assert thief.get("/").heading == "Log in", "the old cookie is of no use"


def test_a_password_that_somebody_else_made_must_be_changed_first(app: Flask) -> None:
    made = "made by somebody else"
    with app.extensions["emg"].database.session() as session:
        people.reset(session, Actor("shell:test"), "fia", hashes.make(made.encode()))
    fia = Visitor(app)
    page = fia.log_in("fia", made)
    assert page.heading == "Choose your password"
    assert fia.get("/").heading == "Choose your password"
    assert "at least 10" not in page.text
    page = fia.submit(page, page.form(), new="short", again="short")
    assert "must be 10 to 256 characters" in page.text
    page = fia.submit(page, page.form(), new="a sentence of mine", again="another one of mine")
    assert "is not the same" in page.text
    page = fia.submit(page, page.form(), new="a sentence of mine", again="a sentence of mine")
    assert page.heading == "Dashboard"
    assert Visitor(app).log_in("fia", "a sentence of mine").heading == "Dashboard"


def test_a_database_that_is_away_is_one_sentence(app: Flask, ann: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    house = app.extensions["emg"]
    ann.get("/")
    house.database.engine.dispose()
    (house.database.file.parent / "emg.db").rename(house.database.file.parent / "away.db")
    house.database.file.mkdir()
    page = ann.get("/", code=500)
    assert "database" in page.text
    house.database.file.rmdir()
    (house.database.file.parent / "away.db").rename(house.database.file)
    assert ann.get("/").heading == "Dashboard"
