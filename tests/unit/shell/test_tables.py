"""`emg route`, `emg price`, `emg network`, `emg blacklist`: files in and out, rows one by one, and why; on both databases."""

import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy import text as statement

from app import main
from emg.db import revisions
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Account, AuditLog, Connector, ConnectorOption
from emg.db.networks import NETWORKS
from emg.rules.numbering import NetworkRow

Run = Callable[..., tuple[int, str, str]]

CONNECTORS = """
CONNECTOR in1 <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2773
>
CONNECTOR in2 <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2774
ROUTE=op2
>
CONNECTOR op1 <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2775
USERNAME=emg
PASSWORD=secret
>
CONNECTOR op2 <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2776
USERNAME=emg
PASSWORD=secret
>
USER filed <
PASSWORD=secret
ACCESS=127.0.0.0/8
ROUTE=op1
>
"""
STORED = {
    "op3": (
        ("TYPE", "OUTGOING"),
        ("PROTOCOL", "SMPP"),
        ("ADDRESS", "127.0.0.1:2777"),
        ("USERNAME", "emg"),
        ("PASSWORD", "secret"),
    ),
    "in3": (("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "127.0.0.1:2778"), ("ROUTE", "op1")),
}
ROUTES = "prefix,account,connector_in,connector_out,priority,weight,enabled\n46,,,op1:op2,10,1,1\n46,acme,,op3,10,1,1\n"
PRICES = (
    "prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund\n"
    "46,,,op1,0.05,0.03,EUR,,,refused\n46,,,op3,0.06,0.03,SEK,2026-01-01,,never\n"
)


@pytest.fixture
def folder(tmp_path: Path, database_url: str, database: Database) -> Path:
    """A configuration with connectors, and a database with one more and an account."""
    text = f"DATABASE={database_url}\nCONTROL={tmp_path}/control.sock\nSPOOLDIR={tmp_path}\n"
    (tmp_path / "server.cfg").write_text(text + CONNECTORS)
    (tmp_path / "routes.csv").write_text(ROUTES)
    (tmp_path / "prices.csv").write_text(PRICES)
    with database.session() as session:
        now = dt.datetime.now(dt.UTC)
        for number, (name, lines) in enumerate(STORED.items()):
            options = [
                ConnectorOption(position=place, keyword=key, value=value) for place, (key, value) in enumerate(lines)
            ]
            session.add(Connector(name=name, position=number, created=now, updated=now, options=options))
        session.add(Account(name="acme", currency="SEK", created=now, updated=now))
        session.add(Account(name="own", currency="EUR", route="op2", created=now, updated=now))
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("route", "list")` → exit code, what it printed, and what it said on standard error."""

    def start(program: str, command: str, *argv: str) -> tuple[int, str, str]:
        code = main([program, command, "-c", str(folder / "server.cfg"), *argv])
        told = capsys.readouterr()
        return code, told.out, told.err

    return start


def told(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0, answer[2]
    return json.loads(answer[1])


# -- whole tables


@pytest.mark.parametrize("program", ["route", "price"])
def test_what_is_imported_is_exported(run: Run, folder: Path, program: str) -> None:
    file = folder / f"{program}s.csv"
    code, out, err = run(program, "import", str(file))
    assert (code, out) == (0, "2 added, 0 removed, 0 changed, 0 unchanged\n")
    assert "no gateway" in err.lower() or "control.sock" in err
    assert run(program, "export")[1] == file.read_text()
    assert run(program, "export", str(folder / "out.csv"))[1].startswith("2 rows in ")
    assert (folder / "out.csv").read_text() == file.read_text()
    code, out, err = run(program, "import", str(folder / "out.csv"))
    assert (code, out, err) == (0, "0 added, 0 removed, 0 changed, 2 unchanged\n", "")


def test_networks_and_addresses(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "prefix,country,name,mcc,mnc\n46,SE,,,\n4670,SE,Öst,240,01\n"
    (folder / "networks.csv").write_text(text)
    assert run("network", "import", str(folder / "networks.csv"))[0] == 0
    assert run("network", "export")[1] == text
    (folder / "black").write_text("Spam\tREJECT\n4670*\tLOG\tDESTADDR\n")
    (folder / "white").write_text("4671*\n")
    assert told(run("blacklist", "import", str(folder / "white"), "--white", "--json"))["added"] == 1
    assert told(run("blacklist", "import", str(folder / "black"), "--json"))["added"] == 2
    text = run("blacklist", "export")[1]
    assert (
        text
        == "address,action,field,list,note\n4670*,LOG,DESTADDR,black,\nspam,REJECT,SOURCEADDR,black,\n4671*,,SOURCEADDR,white,\n"
    )
    assert told(run("blacklist", "import", str(folder / "black"), "--json"))["unchanged"] == 2, (
        "the white list is not concerned"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert told(run("blacklist", "import", "-", "--json"))["unchanged"] == 3
    assert [row["address"] for row in told(run("blacklist", "list", "--list", "white", "--json"))["rows"]] == ["4671*"]
    assert run("blacklist", "list", "--list", "grey")[0] == 1


def test_a_dry_run_shows_what_would_change_and_changes_nothing(run: Run, folder: Path) -> None:
    run("route", "import", str(folder / "routes.csv"))
    (folder / "new.csv").write_text("prefix,connector_out,weight\n46,op1:op2,5\n47,op1,1\n")
    code, out, err = run("route", "import", str(folder / "new.csv"), "--dry-run")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "- 46,acme,,op3,10,1,1", "+ 47,,,op1,10,1,1", "< 46,,,op1:op2,10,1,1", "> 46,,,op1:op2,10,5,1",
        "would be: 1 added, 1 removed, 1 changed, 0 unchanged",
    ]  # fmt: skip
    assert run("route", "export")[1] == ROUTES
    assert told(run("route", "import", str(folder / "new.csv"), "--dry-run", "--json")) == {
        "added": 1, "removed": 1, "changed": 1, "unchanged": 0, "dry_run": True, "rows": 2,
    }  # fmt: skip


def test_a_file_with_faults_changes_nothing_and_each_is_told_with_its_line(
    run: Run, folder: Path, database: Database
) -> None:
    run("route", "import", str(folder / "routes.csv"))
    file = folder / "bad.csv"
    file.write_text("prefix,connector_out\n46,op1\n47,nowhere\n4x,op1\n")
    code, out, err = run("route", "import", str(file))
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"{file}: line 3: connector_out: there is no connector 'nowhere'",
        f"{file}: line 4: prefix: '4x' is not 1 to 20 digits",
        f"{file} has 2 faults: nothing is changed",
    ]
    code, out, err = run("route", "import", str(file), "--json")
    assert (code, json.loads(out)["more_faults"]) == (1, 0)
    assert json.loads(out)["faults"][0] == {
        "line": 3,
        "field": "connector_out",
        "reason": "there is no connector 'nowhere'",
    }
    assert run("route", "export")[1] == ROUTES
    with database.session() as session:
        assert revisions.current(session)["route"] == 1


def test_so_many_faults_are_told_and_the_others_counted(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text("price,currency\n" + "1,\n" * 500)
    code, _out, err = run("price", "import", str(folder / "bad.csv"))
    assert code == 1
    assert len(err.splitlines()) == 21
    assert err.endswith("bad.csv has 500 faults, 480 more than are shown: nothing is changed\n")


@pytest.mark.parametrize(
    ("octets", "said"), [(b"prefix\n\xe5\n", "is not text in UTF-8: see line 2"), (None, "can't be read")]
)
def test_a_file_that_cannot_be_read(run: Run, folder: Path, octets: bytes | None, said: str) -> None:
    if octets is not None:
        (folder / "strange").write_bytes(octets)
    code, out, err = run("network", "import", str(folder / "strange"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err


# -- rows


def test_rows_are_added_listed_set_and_deleted(run: Run, database: Database) -> None:
    first = told(run("route", "add", "--prefix", "+46", "--connector-out", "op1:op3", "--json"))
    assert (first["prefix"], first["connector_out"], first["enabled"]) == ("46", "op1:op3", True)
    assert (
        "is added: 47,acme,in1,op2,5,1,1"
        in run(
            "route", "add", "--prefix=47", "--account=acme", "--connector-in=in1", "--connector-out=op2", "--priority=5"
        )[1]
    )
    page = told(run("route", "list", "--json"))
    assert (page["total"], [row["prefix"] for row in page["rows"]]) == (2, ["46", "47"])
    assert [row["prefix"] for row in told(run("route", "list", "--connector-out", "op3", "--json"))["rows"]] == ["46"]
    assert [
        row["prefix"] for row in told(run("route", "list", "--prefix", "+47", "--account", "acme", "--json"))["rows"]
    ] == ["47"]
    assert run("route", "list", "--limit", "1")[1].splitlines()[-1] == "1 of 2 rows; --offset and --limit show others"
    changed = told(run("route", "set", str(first["id"]), "--enabled", "no", "--json"))
    assert changed == first | {"enabled": False}
    assert "is as it was" in run("route", "set", str(first["id"]), "--enabled", "0")[1]
    assert run("route", "delete", str(first["id"]), "999")[0] == 1
    assert told(run("route", "list", "--json"))["total"] == 2
    assert run("route", "delete", *(str(row["id"]) for row in page["rows"]))[0] == 0
    assert run("route", "list")[1] == "none\n"
    with database.session() as session:
        rows = session.scalars(select(AuditLog).order_by(AuditLog.id)).all()
        assert [row.action for row in rows] == ["add", "add", "change", "delete", "delete"]
        assert all(row.who.startswith("shell:") for row in rows)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("route", "add", "--connector-out", "nowhere"), "emg route: connector_out: there is no connector 'nowhere'\n"),
        (("route", "add", "--prefix", "46"), "emg route: connector_out: a route must name the connector that it leads to\n"),
        (("price", "add", "--price", "1"), "emg price: currency: it is missing\n"),
        (("price", "add", "--price", "NaN", "--currency", "EUR"), "emg price: price: 'NaN' is no amount such as 10.00: digits, a point, up to six decimals\n"),
        (("price", "add", "--price", "1", "--currency", "EUR", "--connector-out", "typo"), "emg price: connector_out: there is no connector 'typo'\n"),
        (("network", "add", "--country", "SE"), "emg network: prefix: it is missing\n"),
        (("blacklist", "add", "--address", "4*6", "--action", "log"), "emg blacklist: address: '4*6': a * may only stand at the end\n"),
        (("route", "set", "7", "--weight", "1"), "emg route: there is no route row 7\n"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_refused_with_its_field(run: Run, argv: tuple[str, ...], said: str) -> None:
    assert run(*argv) == (1, "", said)


def test_a_price_among_others(run: Run, folder: Path) -> None:
    assert run("price", "import", str(folder / "prices.csv"))[0] == 0
    rows = told(run("price", "list", "--currency", "SEK", "--json"))["rows"]
    assert rows == [
        {
            "id": rows[0]["id"], "prefix": "46", "account": "", "connector_in": "", "connector_out": "op3", "price": "0.06", "cost": "0.03",
            "currency": "SEK", "valid_from": "2026-01-01", "valid_until": "", "refund": "never",
        }
    ]  # fmt: skip
    counts = [
        told(run("price", "list", "--at", when, "--json"))["total"] for when in ("2025-12-31", "2026-01-01", "now")
    ]
    assert counts == [1, 2, 2]
    assert run("price", "list", "--at", "soon")[0] == 2
    new = ("--prefix=46", "--connector-out=op3", "--price=0.07", "--currency=sek", "--valid-from")
    code, _out, err = run("price", "add", *new, "2026-01-01")
    assert code == 1
    assert "begins at the same moment" in err
    assert told(run("price", "add", *new, "2026-07-01", "--json"))["price"] == "0.07"


def test_a_price_that_contradicts_another_names_the_other_by_its_number(run: Run) -> None:
    new = ("price", "add", "--prefix=46", "--price=0.07", "--currency=SEK")
    first = told(run(*new, "--valid-from=2026-03-01", "--valid-until=2026-04-01", "--json"))["id"]
    same = f"emg price: valid_from: row {first} is for the same messages and begins at the same moment\n"
    assert run(*new, "--valid-from=2026-03-01") == (1, "", same)
    into = f"emg price: valid_until: row {first} is for the same messages and begins before this one ends\n"
    assert run(*new, "--valid-from=2026-01-01", "--valid-until=2026-03-15") == (1, "", into)
    out_of = f"emg price: valid_from: row {first} is for the same messages until 2026-04-01, after this one has begun\n"
    assert run(*new, "--valid-from=2026-03-15", "--valid-until=2026-06-01") == (1, "", out_of)
    assert run("price", "set", str(first), "--price=0.08")[0] == 0, "a row does not stand in its own way"


@pytest.mark.parametrize("number", ["-1", "9" * 19, "9" * 30, "x", "\u0663"])
def test_a_number_that_no_row_can_have_is_a_fault_of_the_command_line(run: Run, number: str) -> None:
    for argv in (
        ("route", "delete", number),
        ("price", "set", number, "--price", "1"),
        ("route", "list", "--offset", number),
    ):
        code, out, err = run(*argv)
        assert (code, out) == (2, "")
        assert (
            "is not a number" in err or "the following arguments are required" in err or "expected one argument" in err
        )


# -- why


def test_explain_a_route(run: Run, folder: Path) -> None:
    run("route", "import", str(folder / "routes.csv"))
    answer = told(run("route", "explain", "+46 70 123", "--account", "acme", "--json"))
    assert (answer["dest"], answer["connector"], answer["decided_by"]) == ("4670123", "op3", "table")
    assert answer["table"]["rivals"][0]["reason"].endswith("names the account")
    lines = run("route", "explain", "4670", "--connector", "in1")[1].splitlines()
    assert lines[:2] == ["4670 goes to op1", "because the longest prefix is '46'"]
    assert "for account 'acme' only" in "\n".join(lines)
    assert run("route", "explain", "47")[1].startswith("47 is refused\nbecause no row fits")


@pytest.mark.parametrize(
    ("argv", "connector", "reason"),
    [
        (("--account", "own", "--connector", "in2"), "op2", "account own has ROUTE=op2"),
        (("--account", "filed"), "op1", "account filed has ROUTE=op1"),
        (("--account", "acme", "--connector", "in2"), "op2", "connector in2 has ROUTE=op2"),
        (("--connector", "in3"), "op1", "connector in3 has ROUTE=op1"),
    ],
)
def test_a_route_of_account_or_connector_comes_before_the_table(
    run: Run, argv: tuple[str, ...], connector: str, reason: str
) -> None:
    answer = told(run("route", "explain", "46", *argv, "--json"))
    assert (answer["connector"], answer["reason"]) == (connector, reason)


def test_explain_names_nobody_who_is_not_there(run: Run) -> None:
    assert run("route", "explain", "46", "--account", "nobody")[0] == 1
    assert run("route", "explain", "46", "--connector", "nowhere")[0] == 1
    assert run("price", "explain", "46", "--account", "nobody")[0] == 1
    assert run("route", "explain", "letters")[0] == 1


def test_explain_a_price_by_the_way_that_the_message_goes(run: Run, folder: Path, database: Database) -> None:
    run("route", "import", str(folder / "routes.csv"))
    run("price", "import", str(folder / "prices.csv"))
    with database.session() as session:
        NETWORKS.add(session, Actor("shell:test"), NetworkRow(0, "46", "SE", "One", "240", "01"))
    out = run("price", "explain", "4670", "--account", "acme", "--connector", "in1")[1].splitlines()
    assert out[0].startswith("a message part to 4670 by op3 costs 0.06 SEK, us 0.03 (row ")
    assert out[1:3] == [
        "because the longest prefix is '46', sent by 'op3', valid from 2026-01-01",
        "network: SE One 240 01",
    ]
    answer = told(
        run("price", "explain", "4670", "--account", "acme", "--connector", "in1", "--at", "2025-12-31", "--json")
    )
    assert answer["row"] is None
    assert [rival["reason"] for rival in answer["rivals"]] == [
        "valid from 2026-01-01 on",
        "for messages sent by 'op1' only",
    ]
    answer = told(run("price", "explain", "4670", "--connector-out", "op1", "--currency", "eur", "--json"))
    assert (answer["row"]["price"], answer["network"]["mnc"]) == ("0.05", "01")
    assert run("price", "explain", "4670", "--at", "soon")[0] == 2


def test_files_of_the_configuration_stand_in_the_place_of_the_tables(run: Run, folder: Path) -> None:
    """A change is kept, and who makes it is told that the gateway does not go by it."""
    run("route", "import", str(folder / "routes.csv"))
    config = folder / "server.cfg"
    (folder / "filed.csv").write_text("connector_out\nop2\n")
    (folder / "filed_prices.csv").write_text("price,currency\n7,EUR\n")
    config.write_text(f"ROUTES={folder}/filed.csv\nPRICES={folder}/filed_prices.csv\n" + config.read_text())
    code, _out, err = run("route", "add", "--connector-out", "op1")
    assert code == 0
    assert err == f"the gateway goes by {folder}/filed.csv, which its configuration names, not by this table\n"
    assert told(run("route", "explain", "46", "--json"))["connector"] == "op2"
    assert told(run("price", "explain", "46", "--json"))["row"]["price"] == "7.00"


# -- rows that got in by hand


def by_hand(database: Database, table: str, *rows: dict[str, Any]) -> None:
    with database.session() as session:
        for row in rows:
            values = {**row, "updated": "2026-01-01 00:00:00"}
            session.execute(
                statement(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)})"), values
            )  # fmt: skip


def route(prefix: str, out: str) -> dict[str, Any]:
    return {
        "prefix": prefix,
        "account": "",
        "connector_in": "",
        "connector_out": out,
        "priority": 1,
        "weight": 1,
        "enabled": 1,
    }


def price(prefix: str, amount: int, currency: str = "EUR") -> dict[str, Any]:
    return {
        "prefix": prefix, "account": "", "connector_in": "", "connector_out": "", "price": amount, "cost": 0, "currency": currency,
        "refund": "never",
    }  # fmt: skip


def test_explain_counts_no_route_that_the_gateway_skips_and_names_it(
    run: Run, folder: Path, database: Database
) -> None:
    run("route", "import", str(folder / "routes.csv"))
    by_hand(database, "route", route("4670", "gone"), route("46x", "op1"), route("49", "gone"))
    answer = told(run("route", "explain", "4670123", "--json"))
    assert (answer["connector"], answer["reason"]) == ("op1", "the longest prefix is '46'")
    assert [(row["table"], row["name"], row["field"]) for row in answer["skipped"]] == [
        ("route", "4670", "connector_out"), ("route", "46x", "prefix"),
    ]  # fmt: skip
    shown = run("route", "explain", "4670123")[1]
    assert "Rows that fit the number and that the gateway does not use" in shown
    assert "there is no connector 'gone'" in shown
    assert "46 " not in run("route", "explain", "48")[1]


def test_explain_counts_no_connector_that_the_gateway_skips(run: Run, database: Database) -> None:
    with database.session() as session:
        now = dt.datetime.now(dt.UTC)
        session.add(
            Connector(
                name="op9",
                position=9,
                options=[ConnectorOption(position=1, keyword="FLAVOUR", value="sweet")],
                created=now,
                updated=now,
            )
        )
    by_hand(database, "route", route("4670", "op9"))
    answer = told(run("route", "explain", "4670", "--json"))
    assert answer["connector"] == ""
    assert {(row["table"], row["name"]) for row in answer["skipped"]} == {("route", "4670"), ("connector", "op9")}
    code, _out, err = run("route", "explain", "4670", "--connector", "op9")
    assert (code, "the gateway does not use connector row" in err, "FLAVOUR" in err) == (1, True, True)


def test_explain_counts_no_price_that_the_gateway_skips_and_names_it(run: Run, database: Database) -> None:
    by_hand(database, "price", price("46", 50_000), price("4670", -1), price("467", 1, "ABC"))
    by_hand(database, "price", price("46", 70_000))
    answer = told(run("price", "explain", "4670123", "--connector-out", "op1", "--currency", "EUR", "--json"))
    assert answer["row"]["price"] == "0.05", "the first of two that are for the same"
    assert answer["rivals"] == []
    assert [(row["name"], row["field"]) for row in answer["skipped"]] == [
        ("4670", "price"),
        ("467", "currency"),
        ("46", "valid_from"),
    ]
    assert "does not use" in run("price", "explain", "4670123", "--connector-out", "op1", "--currency", "EUR")[1]


def test_explain_says_that_an_account_is_not_used(run: Run, database: Database) -> None:
    with database.session() as session:
        session.execute(statement("UPDATE account SET throughput = -1 WHERE name = 'acme'"))
    for command in ("route", "price"):
        code, out, err = run(command, "explain", "46", "--account", "acme")
        assert (code, out) == (1, "")
        assert "the gateway does not use account row" in err
        assert "(acme): throughput: " in err


def test_a_price_that_got_in_by_hand_can_be_seen_replaced_and_deleted(
    run: Run, folder: Path, database: Database
) -> None:
    """MariaDB takes the year 0, SQLite any word; both are a row like others for who has to mend it."""
    values = ["0000-00-00", "5"] if not database.is_sqlite else ["yesterday", "'NaN'"]

    def by_hand() -> None:
        with database.session() as session:
            session.execute(statement(
                ("" if database.is_sqlite else "SET STATEMENT sql_mode = '' FOR ") +
                "INSERT INTO price (prefix, account, connector_in, connector_out, price, cost, currency, refund, valid_from, updated)"
                f" VALUES ('49', '', '', '', {values[1]}, 1, 'EUR', 'never', '{values[0]}', '2026-01-01 00:00:00')"
            ))  # fmt: skip

    by_hand()
    (row,) = told(run("price", "list", "--json"))["rows"]
    assert row["valid_from"] == "?"
    assert ",?,,never" in run("price", "export")[1]
    assert "valid_from: '?'" in run("price", "set", str(row["id"]), "--cost=2")[2]
    assert run("price", "delete", str(row["id"]))[0] == 0
    by_hand()
    assert run("price", "import", str(folder / "prices.csv"))[0] == 0
    assert "?" not in run("price", "export")[1]


def test_an_account_that_is_not_there_is_a_note_and_no_fault(run: Run, folder: Path) -> None:
    note = "note: there is no account 'acmee': a row that names it is of no use until there is\n"
    code, out, err = run("price", "add", "--prefix=46", "--price=1", "--currency=EUR", "--account=acmee", "--json")
    assert code == 0
    assert err.startswith(note)
    number = str(json.loads(out)["id"])
    assert "note:" not in run("price", "set", number, "--account", "filed")[2], "a USER of the configuration"
    (folder / "slip.csv").write_text("prefix,account,connector_out\n46,acmee,op1\n47,filed,op1\n")
    assert run("route", "import", str(folder / "slip.csv"), "--dry-run")[2] == note
    assert run("route", "import", str(folder / "slip.csv"))[2].startswith(note)
