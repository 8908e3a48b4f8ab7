"""`emg account`: every command, on both databases, as a person types it."""

import csv
import io
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from emg.config import hashes
from emg.db import accounts, revisions
from emg.db.engine import Database
from emg.db.models import AccountAccess, AuditLog, Ledger
from tests.shells import Run, control, quick_hash, shell

SECRET = "s3cret-w"


@pytest.fixture
def run(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return shell(database_url, tmp_path, capsys, monkeypatch)


@pytest.fixture
def quick(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Without the time that a hash takes."""
    monkeypatch.setattr(hashes, "make", quick_hash)
    return run


def test_an_account_is_added_with_everything_that_it_needs(run: Run, database: Database) -> None:
    added = run(
        "account", "add", "acme", "--password-stdin", "--prepaid", "--balance", "10.00", "--access", "127.0.0.0/8@customers",
        "--throughput", "20", "--route", "operator1", "--json", stdin=f"{SECRET}\n",
    )  # fmt: skip
    assert (added.code, added.json) == (0, {"account": "acme", "done": "added"})
    row = run("account", "show", "acme", "--json").json
    expected = {
        "name": "acme", "prepaid": True, "balance": "10.00", "balance_from": "database", "throughput": 20.0, "route": "operator1",
        "access": ["127.0.0.0/8@customers"], "windowsize": None, "customer": None, "has_password": True, "sessions": 10,
    }  # fmt: skip
    assert expected.items() <= row.items()
    with database.session() as session:
        account = accounts.find(session, "acme")
        assert hashes.matches(account.password_hash, SECRET.encode())
        (entry,) = session.query(Ledger)
        assert (entry.amount, entry.balance, entry.why) == (10_000_000, 10_000_000, "first balance")


def test_a_password_that_was_made_is_shown_once_and_is_right(run: Run, database: Database) -> None:
    told = run("account", "add", "acme", "--json").json
    with database.session() as session:
        stored = accounts.find(session, "acme").password_hash
    assert hashes.matches(stored, told["password"].encode())
    assert len(told["password"]) == 8, "SMPP allows no more"


def test_secrets_are_nowhere_but_where_they_were_asked_for(run: Run, database: Database) -> None:
    outputs = [run("account", "add", "acme", "--password-stdin", stdin=SECRET)]
    outputs.append(run("account", "password", "acme", "--password-stdin", stdin=f"{SECRET}2"))
    outputs.append(run("account", "add", "b", "--password-stdin", "--sessions", "-1", stdin=SECRET))
    outputs.append(run("account", "add", "c", "--password-stdin", stdin=f"{SECRET}\tü"))
    outputs += [
        run("account", "list", "--json"),
        run("account", "show", "acme"),
        run("account", "show", "acme", "--json"),
    ]
    assert [result.code for result in outputs] == [0, 0, 1, 2, 0, 0, 0]
    told = "".join(result.out + result.err for result in outputs)
    with database.session() as session:
        told += "".join(row.before + row.after for row in session.query(AuditLog))
    assert SECRET not in told
    assert "argon2" not in told
    assert "longer than the 8 characters" in outputs[1].err


def test_bad_input_is_named_field_by_field_and_nothing_is_kept(quick: Run, database: Database) -> None:
    for name, options, code, words in (
        ("a~b", ("--sessions", "-1", "--throughput", "nan"), 1, ("name: ", "sessions: ", "throughput: ")),
        ("acme", ("--route", "operator9", "--routedlr", "operator1"), 1, ("route: there is no connector 'operator9'",)),
        ("acme", ("--access", "10.0.0.1/8", "--access", "10.0.0.0/8@nowhere"), 1, ("10.0.0.1/8", "nowhere")),
        ("acme", ("--balance", "ten"), 1, ("balance: 'ten'",)),
        ("acme", ("--balance", "-1"), 1, ("balance: must not be negative",)),
        ("acme", ("--balance", "999999999999"), 1, ("balance: ",)),
        ("acme", ("--customer", "Nobody"), 1, ("customer: there is no customer",)),
        ("filed", (), 1, ("stands in the configuration file",)),
        ("acme", ("--flavour", "sweet"), 2, ("unrecognized",)),
    ):
        result = quick("account", "add", name, *options)
        assert (result.code, result.out) == (code, ""), options
        assert all(word in result.err for word in words), result.err
        assert result.err.count("\n") == 1
    with database.session() as session:
        assert accounts.names(session) == []
        assert set(revisions.current(session).values()) == {0}


def test_set_changes_what_is_given_and_unset_gives_the_default_back(quick: Run) -> None:
    quick("account", "add", "acme", "--windowsize", "10", "--perpartdlr", "--note", "100 %")
    changed = quick(
        "account", "set", "acme", "--no-prepaid", "--credit-limit", "7", "--windowsize", "auto", "--unset", "perpartdlr"
    )
    assert (changed.code, changed.out) == (0, "account acme is changed\n")
    row = quick("account", "show", "acme", "--json").json
    assert (row["credit_limit"], row["windowsize"], row["perpartdlr"], row["note"]) == ("7.00", "auto", None, "100 %")
    assert "is so already" in quick("account", "set", "acme", "--credit-limit", "7.0").out
    assert "no meaning" in quick("account", "set", "acme", "--prepaid").err
    for wrong in ((), ("--note", "x", "--unset", "note"), ("--unset", "name"), ("--unset", "locked")):
        assert quick("account", "set", "acme", *wrong).code == 2
    assert quick("account", "set", "nobody", "--note", "x").code == 1


def test_lock_and_unlock(quick: Run) -> None:
    quick("account", "add", "acme")
    assert quick("account", "lock", "acme").out == "account acme is locked\n"
    assert quick("account", "lock", "acme", "--json").json == {"account": "acme", "done": "nothing"}
    assert [row["name"] for row in quick("account", "list", "--locked", "--json").json] == ["acme"]
    assert quick("account", "unlock", "acme").code == 0
    assert quick("account", "list", "--locked").out == "none\n"


def test_access_rows_are_added_and_removed(quick: Run) -> None:
    told = quick("account", "add", "acme")
    assert "nobody can log in" in told.err
    both = quick("account", "access", "add", "acme", "10.0.0.0/8@customers", "*", "--json").json
    assert both["access"] == ["10.0.0.0/8@customers", "0.0.0.0/0", "::/0"]
    assert quick("account", "access", "remove", "acme", "*", "--json").json["access"] == ["10.0.0.0/8@customers"]
    missing = quick("account", "access", "remove", "acme", "10.0.0.0/8")
    assert (missing.code, "it has 10.0.0.0/8@customers" in missing.err) == (1, True)
    assert quick("account", "access", "add", "acme", "10.0.0.0/8@operator9").code == 1


def test_an_access_row_that_got_in_by_hand_is_in_nobodys_way(quick: Run, database: Database) -> None:
    quick("account", "add", "acme", "--access", "10.0.0.0/8")
    with database.session() as session:
        account = accounts.find(session, "acme")
        account.access.append(AccountAccess(network="999.1.1.1", connector=""))
    told = quick("account", "access", "add", "acme", "127.0.0.0/8", "--json").json
    assert told["access"] == ["10.0.0.0/8", "999.1.1.1@", "127.0.0.0/8"]
    assert quick("account", "access", "add", "acme", "999.1.1.2").code == 1
    told = quick("account", "access", "remove", "acme", "999.1.1.1@", "--json").json
    assert told["access"] == ["10.0.0.0/8", "127.0.0.0/8"]


def test_money_is_put_on_taken_off_and_listed(quick: Run) -> None:
    quick("account", "add", "acme", "--currency", "SEK")
    assert quick("account", "topup", "acme", "10", "--why", "paid", "--reference", "7").code == 0
    told = quick("account", "correct", "acme", "-0.005", "--why", "typed wrong", "--json").json
    assert (told["amount"], told["balance"], told["currency"]) == ("-0.005", "9.995", "SEK")
    rows = quick("account", "ledger", "acme", "--json").json
    assert [(row["kind"], row["amount"], row["why"]) for row in rows] == [
        ("correction", "-0.005", "typed wrong"),
        ("topup", "10.00", "paid"),
    ]
    assert rows[1]["who"].startswith("shell:")
    assert len(quick("account", "ledger", "acme", "--limit", "1", "--before", str(rows[0]["id"]), "--json").json) == 1
    assert "9.995" in quick("account", "list").out
    for wrong, code in (
        (("topup", "acme", "0"), 1), (("topup", "acme", "-1"), 1), (("topup", "acme", "1e3"), 1), (("topup", "nobody", "1"), 1),
        (("correct", "acme", "1"), 2), (("correct", "acme", "1", "--why", " "), 1),
    ):  # fmt: skip
        assert quick("account", *wrong).code == code


@pytest.mark.parametrize(
    "limits", [("--limit", "-1"), ("--limit", "0"), ("--before", "-1"), ("--before", "9" * 19), ("--before", "9" * 30)]
)
def test_a_page_of_the_ledger_that_no_database_can_give_is_a_fault_of_the_command_line(
    quick: Run, limits: tuple[str, str]
) -> None:
    quick("account", "add", "acme")
    result = quick("account", "ledger", "acme", *limits)
    assert (result.code, result.out) == (2, "")
    assert f"argument {limits[0]}: '{limits[1]}' is not a number" in result.err


@pytest.mark.parametrize("balance", ["NaN", "inf", "-1", "1e3", "", "1.1234567", "9" * 20])
def test_a_first_balance_that_is_no_amount_is_refused_by_its_name(quick: Run, balance: str) -> None:
    result = quick("account", "add", "acme", "--balance", balance)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("emg account: balance: ")
    assert quick("account", "list").out == "none\n", "nothing is half done"


def test_delete_asks_and_keeps_the_ledger(quick: Run) -> None:
    quick("account", "add", "acme", "--balance", "3")
    asked = quick("account", "delete", "acme")
    assert (asked.code, "a balance of 3.00 EUR" in asked.err, "--yes" in asked.err) == (2, True, True)
    kept = quick("account", "delete", "acme", "--yes", "--json").json["kept_as"]
    assert quick("account", "show", "acme").code == 1
    assert quick("account", "ledger", kept, "--json").json[0]["amount"] == "3.00"
    assert [row["name"] for row in quick("account", "list", "--deleted", "--json").json] == [kept]


def test_lists_come_in_pages(quick: Run) -> None:
    quick("account", "import", "-", stdin="name\n" + "".join(f"a{number}\n" for number in range(5)))
    second = quick("account", "list", "--limit", "2", "--page", "2", "--json")
    assert ([row["name"] for row in second.json], second.err) == (["a2", "a3"], "page 2 of 3; there are 5\n")
    assert [row["name"] for row in quick("account", "list", "A4", "--json").json] == ["a4"]
    for wrong in (("--page", "0"), ("--limit", "x"), ("--page", "9" * 30)):
        assert quick("account", "list", *wrong).code == 2


def test_the_balance_is_the_running_gateways(quick: Run, tmp_path: Path) -> None:
    quick("account", "import", "-", stdin="name,balance\nacme,10\nother,5\n")
    live = {"account": "acme", "balance": 9_987_500}
    answers = {"/accounts": {"accounts": [live, {"account": "filed", "balance": None}]}, "/accounts/acme": live}
    with control(tmp_path, answers) as asked:
        shown = {row["name"]: (row["balance"], row["balance_from"]) for row in quick("account", "list", "--json").json}
        assert shown == {"acme": ("9.9875", "gateway"), "other": ("5.00", "database")}
        assert quick("account", "show", "acme", "--json").json["balance"] == "9.9875"
        assert quick("account", "show", "other", "--json").json["balance_from"] == "database"
        changed = quick("account", "lock", "acme")
        assert (changed.err, asked[-1]) == ("", "POST /reload")
        quick("account", "lock", "acme")
        assert asked[-1] == "POST /reload"
        assert asked.count("POST /reload") == 1, "nothing was changed the second time"


def test_an_exported_file_imports_unchanged(quick: Run, tmp_path: Path) -> None:
    quick("account", "add", "acme", "--access", "*@customers", "--note", 'with "quotes", commas', "--throughput", "0.5")
    quick("account", "add", "other", "--prepaid")
    file = tmp_path / "accounts.csv"
    file.touch(0o644)
    assert quick("account", "export", "-o", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert quick("account", "export").out == file.read_text()
    assert [row["name"] for row in csv.DictReader(io.StringIO(file.read_text()))] == ["acme", "other"]
    assert quick("account", "import", str(file), "--json").json == {"added": 0, "changed": 0, "same": 2}
    quick("account", "delete", "acme", "--yes")
    assert quick("account", "import", str(file), "--json").json == {"added": 1, "changed": 0, "same": 1}
    assert quick("account", "export").out == file.read_text()
    assert [row["name"] for row in quick("account", "export", "--json").json] == ["acme", "other"]


def test_an_import_with_faults_changes_nothing_and_names_all_of_them(quick: Run, tmp_path: Path) -> None:
    text = "name,sessions,route\nacme,3,operator1\nb,-1,operator9\nfiled,1,\n"
    refused = quick("account", "import", "-", stdin=text)
    assert (refused.code, refused.out) == (1, "")
    assert [line.partition(": must")[0].partition(": there")[0] for line in refused.err.splitlines()] == [
        "-: line 3: sessions", "-: line 3: route", "-: line 4: name: a USER of this name stands in the configuration file",
        "- has 3 faults: nothing is changed",
    ]  # fmt: skip
    faults = quick("account", "import", "-", "--json", stdin=text.replace("-1,operator9", "1,")).json["faults"]
    assert [(fault["line"], fault["field"]) for fault in faults] == [(4, "name")]
    assert quick("account", "list", "--json").json == []
    (tmp_path / "latin.csv").write_bytes(b"name,note\nacme,\xe4\n")
    for name in ("latin.csv", "missing.csv"):
        assert quick("account", "import", str(tmp_path / name)).code == 1
    assert quick("account", "export", "-o", str(tmp_path)).code == 1


def test_an_import_names_faults_of_the_file_and_of_the_tables_in_one_list(quick: Run) -> None:
    quick("customer", "add", "Acme")
    quick("account", "import", "-", stdin="name,customer,balance\nold,Acme,5\n")
    text = (
        "name,customer,sessions,currency,balance\nnew,Nobody,-1,EUR,\nnew2,Acme,1,ERU,\nold,Acme,1,SEK,\nfiled,Acme,1,,\nold2,Ghost,1,EUR,\n"
        "new3,Acme,1,EUR,7\n"
    )
    faults = quick("account", "import", "-", "--json", stdin=text).json["faults"]
    assert [(fault["line"], fault["field"]) for fault in faults] == [
        (2, "customer"), (2, "sessions"), (3, "currency"), (4, "currency"), (5, "name"), (6, "customer"),
    ]  # fmt: skip
    assert faults[0]["reason"] == "there is no customer 'Nobody'"
    assert [row["name"] for row in quick("account", "list", "--json").json] == ["old"]
    both = quick("account", "add", "new", "--customer", "Nobody", "--sessions", "-1")
    assert "customer: there is no customer 'Nobody'" in both.err
    assert "sessions: " in both.err


def test_a_dry_run_imports_nothing(quick: Run) -> None:
    told = quick("account", "import", "-", "--dry-run", stdin="name\nacme\n")
    assert (told.code, told.out) == (0, "would be: 1 added, 0 changed, 0 unchanged\n")
    assert quick("account", "list", "--json").json == []


def test_amounts_that_got_in_by_hand_stop_no_list_and_are_named(quick: Run, database: Database) -> None:
    """Only SQLite keeps a word where an amount belongs; a percentage, too."""
    if not database.is_sqlite:
        return
    quick("customer", "add", "Acme")
    quick("account", "add", "acme", "--balance", "10", "--access", "*")
    quick("account", "add", "other", "--balance", "7")
    with database.session() as session:
        session.execute(text("UPDATE account SET credited = 'much' WHERE name = 'acme'"))
        session.execute(text("UPDATE customer SET vat = 'some'"))
    assert [row["balance"] for row in quick("account", "list", "--json").json] == [None, "7.00"]
    assert quick("account", "show", "acme").code == 0
    for command in (("topup", "acme", "1"), ("correct", "acme", "1", "--why", "so")):
        result = quick("account", *command)
        assert (result.code, result.out) == (1, "")
        assert (
            result.err
            == "emg account: credited: 'much' of account acme got into the database by hand: it is no whole number\n"
        )
    assert quick("customer", "list", "--json").json[0]["vat"] == "some"
    assert quick("account", "delete", "acme", "--yes").code == 0
