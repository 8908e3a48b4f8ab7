"""`emg key`: every command, on both databases."""

import datetime as dt
from pathlib import Path

import pytest

from emg.db import keys
from emg.db.engine import Database
from tests.shells import Run, shell


@pytest.fixture
def run(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return shell(database_url, tmp_path, capsys, monkeypatch)


def test_a_key_from_beginning_to_end(run: Run, database: Database) -> None:
    run("customer", "add", "Acme")
    options = (
        "--customer",
        "Acme",
        "--scopes",
        "reports:read, messages:read",
        "--expires",
        "2099-07-01",
        "--rate",
        "2.5",
    )
    told = run("key", "add", "acme-reports", *options, "--json").json
    secret = told.pop("secret")
    assert told == {"key": "acme-reports", "done": "added", "prefix": secret[:12]}
    with database.session() as session:
        found = keys.verify(session, secret, dt.datetime.now(dt.UTC))
        assert found
        assert found.created_by.startswith("shell:")
    (row,) = run("key", "list", "acme", "--customer", "Acme", "--json").json
    assert (row["customer"], row["scopes"], row["rate"]) == ("Acme", ["messages:read", "reports:read"], 2.5)
    assert (row["expires"], row["locked"]) == ("2099-07-01T00:00:00Z", False)
    shown = run("key", "show", secret[:12], "--json")
    assert shown.json == row
    for argv in (("list",), ("show", "acme-reports")):
        assert secret[12:] not in run("key", *argv).out
    assert "2099-07-01 00:00:00 UTC" in run("key", "show", "acme-reports").out
    assert run("key", "lock", "acme-reports").out == "key acme-reports is locked\n"
    assert run("key", "lock", "acme-reports", "--json").json == {"key": "acme-reports", "done": "nothing"}
    assert run("key", "unlock", "acme-reports").out == "key acme-reports is unlocked\n"
    assert run("key", "revoke", "acme-reports").code == 2, "nobody can be asked"
    assert run("key", "revoke", "acme-reports", "--yes").out == "key acme-reports is revoked\n"
    assert run("key", "list").out == "none\n"
    assert run("key", "show", "acme-reports").code == 1


def test_a_key_is_shown_in_a_sentence_too(run: Run) -> None:
    out = run("key", "add", "ours", "--scopes", "routes:write").out
    assert out.startswith("key ours is added; this is it, shown this once: emg_")
    assert run("key", "list", "--json").json[0]["customer"] is None


def test_what_can_not_be_is_refused_with_all_faults(run: Run) -> None:
    for argv, code, words in (
        (("add", "b", "--scopes", "x:read", "--customer", "Nobody", "--rate", "-1", "--expires", "soon"), 1,
         ("there is no scope x:read; there are accounts:read", "customer: there is no customer 'Nobody'", "rate: ", "expires: ")),
        (("add", "b"), 1, ("scopes: must not be empty",)),
        (("add", "b", "--scopes", "reports:read", "--expires", "2020-01-01"), 1, ("expires: is over already",)),
        (("lock", "nobody"), 1, ("there is no key 'nobody'",)),
        (("revoke", "nobody", "--yes"), 1, ("there is no key 'nobody'",)),
        (("add",), 2, ("NAME",)),
    ):  # fmt: skip
        result = run("key", *argv)
        assert (result.code, result.out) == (code, ""), result
        assert all(word in result.err for word in words), result
