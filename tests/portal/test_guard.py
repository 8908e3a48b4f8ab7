"""Nobody gets in where he may not: all routes are walked."""

from collections.abc import Callable

import pytest
from flask import Flask

from portal import guard
from portal.permissions import Permission, may
from tests.portal.conftest import PASSWORD, PEOPLE
from tests.portal_visitor import Visitor

OPEN = {"signin.login", "signin.forgotten", "signin.link", "static", "bootstrap.static", "api.index", "api.document"}
"""Endpoints that strangers may ask. Each says why at its view."""
HALF_WAY = {"signin.logout", "signin.renew", "signin.second"}


def test_every_view_has_a_guard(app: Flask) -> None:
    marks = {endpoint: guard.mark_of(view) for endpoint, view in app.view_functions.items()}
    assert not [endpoint for endpoint, mark in marks.items() if mark is None]
    assert {endpoint for endpoint, mark in marks.items() if mark.startswith("open:")} <= OPEN
    assert {endpoint for endpoint, mark in marks.items() if mark == "half way"} <= HALF_WAY


def address_of(rule: object) -> str:
    """An address of this rule, with something in each of its places."""
    parts = {name: 1 if "Integer" in type(rule._converters[name]).__name__ else "x" for name in rule.arguments}
    built = rule.build(parts)
    assert built is not None
    return built[1]


def test_a_stranger_is_sent_to_the_login_wherever_he_goes(app: Flask) -> None:
    stranger = Visitor(app)
    for rule in app.url_map.iter_rules():
        mark = guard.mark_of(app.view_functions[rule.endpoint])
        if mark.startswith("open:") or mark not in Permission.__members__:
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            app.config["WTF_CSRF_ENABLED"] = False  # the guard, not the token, is looked at
            answer = stranger.open(address_of(rule), method=method)
            assert answer.status_code == 302, f"{method} {rule} answered {answer.status_code}"
            assert answer.headers["Location"].startswith("/login"), rule


@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_is_refused_what_his_role_may_not(app: Flask, visitor: Callable[[str], Visitor], name: str) -> None:
    person = visitor(name)
    role = PEOPLE[name][0]
    app.config["WTF_CSRF_ENABLED"] = False
    for rule in app.url_map.iter_rules():
        mark = guard.mark_of(app.view_functions[rule.endpoint])
        if mark not in Permission.__members__ or may(role, Permission[mark]):
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = person.open(address_of(rule), method=method)
            assert answer.status_code == 403, f"{name} {method} {rule} answered {answer.status_code}"


def test_a_form_without_its_token_is_refused(app: Flask, ann: Visitor) -> None:
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in rule.methods]
    for rule in posts:
        if guard.mark_of(app.view_functions[rule.endpoint]) not in {*Permission.__members__, "half way"}:
            continue
        answer = ann.open(address_of(rule), method="POST")
        assert answer.status_code == 400, f"{rule} answered {answer.status_code}"
        assert b"did not come from our page" in answer.data


def test_strangers_get_styles_and_scripts_which_their_browsers_keep(app: Flask) -> None:
    page = Visitor(app).get("/login")
    files = [str(tag.get("href") or tag.get("src")) for tag in page.soup.select("link[href], script[src]")]
    assert len(files) >= 6
    for file in files:
        answer = Visitor(app).open(file)
        assert answer.status_code == 200, file
        assert "immutable" in answer.headers["Cache-Control"], file
        assert "Set-Cookie" not in answer.headers, file


def test_a_login_ends_when_the_person_is_locked(app: Flask, visitor: Callable[[str], Visitor]) -> None:
    from emg.db import people
    from emg.db.audit import Actor

    erik = visitor("erik")
    assert erik.get("/").heading == "Dashboard"
    with app.extensions["emg"].database.session() as session:
        people.lock(session, Actor("shell:test"), "erik")
    assert erik.get("/").path.startswith("/login")
    page = erik.get("/login")
    assert "wrong" in erik.submit(page, page.form(), name="erik", password=PASSWORD).text
