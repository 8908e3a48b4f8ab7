"""`emg report`: what it sums, and what it says on a wrong command line."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest

from emg.db import duties
from emg.db.engine import Database
from emg.db.models import Network, Status
from emg.jobs import summary
from emg.shell import report
from tests.log_rows import NOON, customer, row, write


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> str:
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={database_url}\n")
    return str(file)


@pytest.fixture
def filled(database: Database, config: str) -> str:
    owner = customer(database, "Acme")
    with database.session() as session:
        session.add(Network(prefix="4670", country="SE", name="Telia", mcc="240", mnc="01"))
    write(database, [
        row(1, NOON, customer_id=owner, price=10_000, cost=4_000, parts=2),
        row(2, NOON, customer_id=owner, price=5_000, status=Status.FAILED),
        row(3, NOON.replace(hour=13), account="beta", network="", price=7, currency="SEK", status=Status.SENT),
    ])  # fmt: skip
    summary.count_past(database)
    return config


DAY = ("--from", "2026-10-14", "--to", "2026-10-15")


def asked(config: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert report.main(["hourly", "-c", config, "--json", *DAY, *arguments]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_by_hour_and_currency(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = asked(filled, capsys)
    assert first == {
        "hour": "2026-10-14T12:00Z", "messages": 2, "parts": 3, "delivered": 1, "failed": 1, "open": 0, "delivered_percent": 50.0,
        "within_10s_percent": 0.0, "mean_seconds": 0.0, "price": "0.015", "cost": "0.004", "margin": "0.011", "currency": "EUR",
    }  # fmt: skip
    assert (second["hour"], second["open"], second["price"], second["currency"]) == (
        "2026-10-14T13:00Z",
        1,
        "0.000007",
        "SEK",
    )


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("account", [("acme",), ("beta",)]),
        ("customer,status", [("", "sent"), ("Acme", "delivered"), ("Acme", "failed")]),
        ("day,country", [("2026-10-14", ""), ("2026-10-14", "SE")]),
        ("month,network,prefix", [("2026-10", "", "467"), ("2026-10", "24001", "467")]),
        ("connector_in,connector_out", [("in", "out"), ("in", "out")]),
    ],
)
def test_by_whatever_is_asked_for(filled: str, capsys: pytest.CaptureFixture[str], by: str, keys: list[Any]) -> None:
    rows = asked(filled, capsys, "--by", by)
    assert sorted(tuple(row[name] for name in by.split(",")) for row in rows) == keys


@pytest.mark.parametrize(
    ("filters", "messages"),
    [
        (("--account", "beta"), 1), (("--customer", "Acme"), 2), (("--out", "nowhere"), 0), (("--network", "24001"), 2),
        (("--status", "failed"), 1), (("--prefix", "467", "--in", "in"), 3), (("--network", ""), 1),
    ],
)  # fmt: skip
def test_filters(filled: str, capsys: pytest.CaptureFixture[str], filters: tuple[str, ...], messages: int) -> None:
    assert sum(row["messages"] for row in asked(filled, capsys, *filters)) == messages


def test_csv_has_the_same_columns(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["hourly", "-c", filled, "--csv", "--by", "account", *DAY]) == 0
    first, _second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["account"], first["messages"], first["price"]) == ("acme", "2", "0.015")


def test_hours_that_changed_are_told_and_counted_when_asked(
    filled: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    write(database, [row(9, NOON)])
    assert report.main(["hourly", "-c", filled, *DAY]) == 0
    assert "1 hours have changed" in capsys.readouterr().err
    assert sum(each["messages"] for each in asked(filled, capsys, "--fresh")) == 4
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--by", "weather"), 2, "is not names with commas"),
        (("--by", "account,account"), 2, "is not names with commas"),
        (("--from", "yesterday"), 2, "is not a time such as"),
        (("--last", "1d", "--from", "2026-10-14"), 2, "--last goes with neither"),
        (("--from", "2026-10-15", "--to", "2026-10-14"), 2, "--from must be before --to"),
        (("--customer", "nobody"), 1, "there is no customer 'nobody'"),
    ],
)
def test_wrong_command_lines(
    config: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert report.main(["hourly", "-c", config, *arguments]) == code
    assert sentence in capsys.readouterr().err


def test_how_the_jobs_went(config: str, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.session() as session:
        duties.started(session, "mail")
        duties.ended(session, "mail", "", "the mail server is down")
    assert report.main(["jobs", "-c", config, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["failures"], found["error"], found["success"]) == (
        "mail",
        1,
        "the mail server is down",
        None,
    )
    assert dt.datetime.fromisoformat(found["ended"]).utcoffset() == dt.timedelta(0)
    assert report.main(["jobs", "-c", config]) == 0
    shown = capsys.readouterr().out
    assert "Started (UTC)" in shown
    assert "Last success" not in shown, "nothing to show"
