"""`emg customer` and `emg user`: every command, on both databases."""

from pathlib import Path

import pytest

from emg.config import hashes
from emg.db import people
from emg.db.engine import Database
from tests.shells import Run, quick_hash, shell

SECRET = "a long secret"


@pytest.fixture
def run(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return shell(database_url, tmp_path, capsys, monkeypatch)


def test_a_customer_from_beginning_to_end(run: Run) -> None:
    added = run(
        "customer", "add", "Åkes AB", "--number", "7", "--vat", "25", "--currency", "sek", "--daily-report", "--json"
    )
    assert (added.code, added.json) == (0, {"customer": "Åkes AB", "done": "added"})
    run("account", "import", "-", stdin="name,customer\nake,Åkes AB\n")
    row = run("customer", "show", "Åkes AB", "--json").json
    assert (row["vat"], row["currency"], row["daily_report"], row["accounts"]) == ("25", "SEK", True, ["ake"])
    assert run("customer", "set", "Åkes AB", "--rename", "Ake AB", "--unset", "number", "--vat", "12.5").code == 0
    (row,) = run("customer", "list", "ake", "--json").json
    assert (row["name"], row["number"], row["vat"], row["accounts"]) == ("Ake AB", None, "12.5", 1)
    assert run("customer", "lock", "Ake AB").out == "customer Ake AB is locked\n"
    assert run("customer", "lock", "Ake AB").out == "customer Ake AB is so already\n"
    assert run("customer", "list", "--unlocked").out == "none\n"
    assert run("customer", "unlock", "Ake AB").code == 0
    kept = run("customer", "delete", "Ake AB", "--yes")
    assert (kept.code, "accounts of his" in kept.err) == (1, True)
    assert run("customer", "delete", "Ake AB").code == 2, "nobody can be asked"
    run("account", "delete", "ake", "--yes")
    assert run("customer", "delete", "Ake AB", "--yes").code == 0
    assert run("customer", "list", "--json").json == []


def test_a_customer_that_can_not_be_is_refused(run: Run) -> None:
    run("customer", "add", "Acme")
    for options, code, word in (
        (("add", "Acme"), 1, "name: "), (("add", "B", "--vat", "101"), 1, "vat: "), (("add", "B", "--country", "Sverige"), 1, "country: "),
        (("set", "Acme"), 2, "nothing to set"), (("set", "Nobody", "--vat", "1"), 1, "no customer"), (("set", "Acme", "--rename", ""), 1, "name: "),
    ):  # fmt: skip
        result = run("customer", *options)
        assert (result.code, word in result.err, result.out) == (code, True, ""), result


def test_a_web_user_from_beginning_to_end(run: Run, database: Database) -> None:
    run("customer", "add", "Acme")
    run("account", "import", "-", stdin="name,customer\nacme,Acme\n")
    assert (
        run("user", "add", "olga", "--role", "owner", "--password-stdin", stdin=SECRET).out
        == "web user olga is added\n"
    )
    told = run(
        "user", "add", "bob", "--role", "customer_user", "--customer", "Acme", "--account", "acme", "--json"
    ).json
    with database.session() as session:
        olga, bob = people.find(session, "olga"), people.find(session, "bob")
        assert hashes.matches(olga.password_hash, SECRET.encode())
        assert hashes.matches(bob.password_hash, told["password"].encode())
        assert (olga.must_change_password, bob.must_change_password) == (False, True)
    row = run("user", "show", "bob", "--json").json
    assert (row["customer"], row["account"], row["must_change_password"], row["second_factor"]) == (
        "Acme",
        "acme",
        True,
        False,
    )
    assert (
        run("user", "set", "bob", "--role", "customer_admin", "--email", "bob@acme.example", "--unset", "account").code
        == 0
    )
    (row,) = run("user", "list", "--customer", "Acme", "--json").json
    assert (row["role"], row["email"], row["account"]) == ("customer_admin", "bob@acme.example", None)
    assert [row["name"] for row in run("user", "list", "--role", "owner", "--json").json] == ["olga"]
    assert run("user", "lock", "bob").code == run("user", "unlock", "bob").code == 0
    assert run("user", "password", "bob", "--password-stdin", stdin=SECRET).out == "web user bob has another password\n"
    told = run("user", "reset", "bob", "--json").json
    with database.session() as session:
        bob = people.find(session, "bob")
        assert hashes.matches(bob.password_hash, told["password"].encode())
        assert bob.must_change_password
    assert run("user", "delete", "bob").code == 2, "nobody can be asked"
    assert run("user", "delete", "bob", "--yes").code == 0
    assert [row["name"] for row in run("user", "list", "--json").json] == ["olga"]


def test_a_web_user_that_can_not_be_is_refused_and_his_password_told_nowhere(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "make", quick_hash)
    run("user", "add", "olga", "--role", "owner")
    for options, code, word in (
        (("add", "c"), 1, "role: must not be empty"), (("add", "c", "--role", "king"), 1, "role: "),
        (("add", "c", "--role", "customer_user"), 1, "customer: "), (("add", "olga", "--role", "owner"), 1, "name: "),
        (("lock", "olga"), 1, "last owner"), (("set", "olga"), 2, "nothing to set"), (("reset", "nobody"), 1, "no web user"),
        (("list", "--role", "king"), 2, "invalid choice"),
    ):  # fmt: skip
        result = run("user", *options)
        assert (result.code, word in result.err, result.out) == (code, True, ""), result
    short = run("user", "add", "c", "--role", "owner", "--password-stdin", stdin="shortpw")
    assert (short.code, "shortpw" in short.err) == (1, False)
