"""The second factor, and links that come by mail."""

import re

import pyotp
import pytest
from flask import Flask

from emg.db import people, second_factor
from emg.db.audit import Actor
from emg.db.models import Mail
from portal import second
from portal.signin import links
from tests.portal.conftest import PASSWORD
from tests.portal_visitor import Visitor

TEST = Actor("shell:test")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "ANSWER_SECONDS", 0.0)


def equip(app: Flask, name: str) -> tuple[str, list[str]]:
    """Give him a second factor: its key and the recovery codes."""
    seed, codes = second.seed(), second.recovery_codes()
    with app.extensions["emg"].database.session() as session:
        second_factor.set_up(session, TEST, name, seed, 0, [second.plain(code) for code in codes])
        number = people.find(session, name).id
    with app.app_context():
        return second.key(seed, number), codes


def test_nobody_gets_in_with_the_password_alone_and_no_code_counts_twice(app: Flask) -> None:
    key, codes = equip(app, "erik")
    erik = Visitor(app)
    page = erik.log_in("erik", PASSWORD)
    assert page.heading == "Second factor"
    assert erik.get("/").heading == "Second factor"
    assert "is wrong" in erik.submit(page, page.form(), answer="000 000x").text
    code = pyotp.TOTP(key).now()
    assert erik.submit(page, page.form(), answer=code).heading == "Dashboard"
    other = Visitor(app)
    page = other.log_in("erik", PASSWORD)
    assert "used already" in other.submit(page, page.form(), answer=code).text
    page = other.submit(page, page.form(), answer=codes[3].lower())
    assert page.heading == "Dashboard"
    assert "you have 9 more" in page.text
    third = Visitor(app)
    page = third.log_in("erik", PASSWORD)
    assert "used already" in third.submit(page, page.form(), answer=codes[3]).text


def test_guessing_codes_is_slowed_down(app: Flask) -> None:
    key, _codes = equip(app, "erik")
    erik = Visitor(app)
    page = erik.log_in("erik", PASSWORD)
    for _try in range(5):
        page = erik.submit(page, page.form(), answer="123456")
    page = erik.submit(page, page.form(), answer=pyotp.TOTP(key).now())
    assert "too many wrong tries" in page.text


def test_a_code_counts_a_step_longer_and_not_two() -> None:
    key = pyotp.random_base32()
    now = 1_800_000_000.0
    made = pyotp.TOTP(key)
    assert second.step_of(key, made.at(now), now) == int(now // 30)
    assert second.step_of(key, made.at(now - 30), now) == int(now // 30) - 1
    assert second.step_of(key, made.at(now - 90), now) is None
    assert second.step_of(key, "١٢٣٤٥٦", now) is None


def mails(app: Flask) -> list[Mail]:
    with app.extensions["emg"].database.session() as session:
        return list(session.query(Mail).order_by(Mail.id))


def test_a_forgotten_password_is_chosen_by_a_link_once(app: Flask, ann: Visitor) -> None:
    somebody = Visitor(app)
    said = []
    for name in ("ann", "ERIK@example.com", "nobody"):
        page = somebody.get("/forgotten")
        said.append(somebody.submit(page, page.form(), name=name).one(".alert").get_text())
    assert len(set(said)) == 1
    first, second_ = mails(app)
    assert (first.recipient, second_.recipient) == ("ann@example.com", "erik@example.com")
    place = re.search(r"http://\S+(/password/\S+)", first.body)[1]
    page = somebody.get(place)
    assert "ann" in page.text
    page = somebody.submit(page, page.form(), new="a new one for ann", again="a new one for ann")
    assert page.heading == "Log in"
    assert ann.get("/").heading == "Log in", "she is logged out everywhere"
    assert Visitor(app).log_in("ann", "a new one for ann").heading == "Dashboard"
    assert "of no use any more" in somebody.get(place, 404).text


def test_a_link_to_a_new_password_does_not_pass_the_second_factor(app: Flask) -> None:
    equip(app, "erik")
    somebody = Visitor(app)
    page = somebody.get("/forgotten")
    somebody.submit(page, page.form(), name="erik")
    place = re.search(r"http://\S+(/password/\S+)", mails(app)[0].body)[1]
    page = somebody.get(place)
    somebody.submit(page, page.form(), new="another for erik", again="another for erik")
    assert somebody.log_in("erik", "another for erik").heading == "Second factor"


def test_guessing_links_is_slowed_down(app: Flask) -> None:
    somebody = Visitor(app)
    for _try in range(5):
        somebody.get("/password/" + "x" * 43, 404)
    assert "too many" in somebody.get("/password/" + "x" * 43, 429).text
