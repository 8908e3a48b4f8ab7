"""`emg setting`, on both databases."""

import datetime as dt
from pathlib import Path

import pytest

from emg.db.engine import Database
from emg.db.models import AuditLog, Setting
from emg.rules.setting_rows import SETTINGS
from tests.shells import Run, shell

SECRET = "s3cret of the mail server"


@pytest.fixture
def run(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return shell(database_url, tmp_path, capsys, monkeypatch)


def value(run: Run, name: str) -> str:
    return next(str(row["value"]) for row in run("setting", "list", "--json").json if row["name"] == name)


def test_settings_are_shown_set_and_unset(run: Run) -> None:
    assert [row["name"] for row in run("setting", "list", "--json").json] == list(SETTINGS)
    assert run("setting", "set", "keep_messages", "30").out == "keep_messages is set\n"
    assert run("setting", "set", "keep_messages", "30", "--json").json == {
        "setting": "keep_messages",
        "done": "nothing",
    }
    assert run("setting", "set", "invoice_text", "--stdin", stdin="Zeile 1\nZeile 2\n").code == 0
    assert (value(run, "keep_messages"), value(run, "invoice_text")) == ("30", "Zeile 1\nZeile 2")
    assert run("setting", "unset", "keep_messages").code == 0
    assert value(run, "keep_messages") == "400"


def test_a_secret_comes_by_standard_input_and_shows_nowhere(run: Run, database: Database) -> None:
    results = [
        run("setting", "set", "smtp_password", "--stdin", stdin=f"{SECRET}\n"), run("setting", "list"), run("setting", "list", "--json"),
    ]  # fmt: skip
    assert [result.code for result in results] == [0, 0, 0]
    told = "".join(result.out + result.err for result in results)
    with database.session() as session:
        told += "".join(row.before + row.after for row in session.query(AuditLog))
    assert SECRET not in told
    assert value(run, "smtp_password") == "***"
    assert run("setting", "set", "smtp_password", SECRET).code == 2


def test_what_can_not_be_is_refused(run: Run) -> None:
    for argv, code, word in (
        (("set", "keep_messages", "0"), 1, "keep_messages: must be"), (("set", "flavour", "sweet"), 1, "flavour: no such field"),
        (("set", "keep_messages"), 2, "--stdin"), (("set", "keep_messages", "3", "--stdin"), 2, "--stdin"), (("unset", "flavour"), 1, "flavour"),
    ):  # fmt: skip
        result = run("setting", *argv)
        assert (result.code, word in result.err, result.out) == (code, True, ""), result


def test_a_row_that_a_hand_has_put_there_wrongly_is_shown_with_its_reason(run: Run, database: Database) -> None:
    with database.session() as session:
        for name in ("keep_texts", "flavour"):
            session.add(Setting(name=name, value="sweet", updated=dt.datetime.now(dt.UTC)))
    shown = {row["name"]: row for row in run("setting", "list", "--json").json}
    assert (shown["keep_texts"]["value"], shown["keep_texts"]["fault"]) == (
        "90", "must be a whole number from 1 to 36500; 90 holds in its place",
    )  # fmt: skip
    assert shown["flavour"]["fault"] == "there is no such setting"
    assert "Not used" in run("setting", "list").out
