"""Names in addresses."""

import pytest
from flask import Flask

from portal import names

NAMES = [
    "Acme", 'A/B & Söhne "x" <b>', "100%", "100%2F", "new", "keys", ".", "..", "...", "!", "Yahoo!", "A!2FB", "a\\b", "?x=1#y", "//x//", "Ω≈ç 東京",
    "emoji 🎈", "a;b", "~x", "+", "'", "acme~12", "ledger.csv", "%2e%2e",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_was(name: str) -> None:
    app = Flask("test")
    names.install(app)
    app.add_url_rule("/customers/new", "new", lambda: "new")
    app.add_url_rule("/customers/<name:name>/edit", "edit", lambda name: f"edit {name}")
    app.add_url_rule("/customers/<name:name>", "show", lambda name: name)
    from flask import url_for

    with app.test_request_context():
        shown, edit = url_for("show", name=name), url_for("edit", name=name)
    assert shown.isascii()
    assert app.test_client().get(shown).text == name
    assert app.test_client().get(edit).text == f"edit {name}"


def test_plain_names_stay_plain() -> None:
    assert names.written("Åkes AB") == "Åkes AB"
    assert names.written("acme.se_1-2@x") == "acme.se_1-2@x"


@pytest.mark.parametrize("part", ["!", "!!", "!2", "!zz", "x!"])
def test_what_nobody_wrote_stays_as_it_is(part: str) -> None:
    assert names.read(part) == part


def test_broken_octets_are_no_fault() -> None:
    assert names.read("!FF") == "\ufffd"
