"""`emg messages`: pages as table, CSV and JSON, and one message with times and money as people read them."""

import csv
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emg.db import customers
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import MessageBody, MessagePart, RouteLog, Status
from emg.message import Encoding
from emg.shell import messages

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
Emg = Callable[..., str]


@pytest.fixture
def emg(tmp_path: Path, database_url: str, database: Database, capsys: pytest.CaptureFixture[str]) -> Emg:
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={database_url}\nCONTROL={tmp_path}/control.sock\nSPOOLDIR={tmp_path}\n")
    with database.session() as session:
        for number in range(1, 6):
            moment = NOON + dt.timedelta(minutes=number)
            session.add(
                RouteLog(id=number, received=moment, account="acme", source="ACME", dest=f"4670000000{number}", price=3250, currency="EUR",
                         status=Status.DELIVERED, done=moment, encoding=int(Encoding.GSM7))
            )  # fmt: skip
        session.add(RouteLog(id=9, received=dt.datetime.now(dt.UTC), dest="4799", encoding=int(Encoding.BINARY)))
        session.add(MessageBody(id=1, received=NOON + dt.timedelta(minutes=1), text="hello", body=b"hello"))
        session.add(MessagePart(id=11, parent=1, received=NOON, number=1, total=1, remote_id="op-7"))

    def run(*argv: str, code: int = 0) -> str:
        assert messages.main([*argv, "-c", str(file)]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    return run


def test_a_page_as_json_names_the_next(emg: Emg) -> None:
    page = json.loads(
        emg("find", "--number", "+4670*", "--from", "2026-11-20", "--to", "2026-11-21", "--limit", "2", "--json")
    )
    assert [row["id"] for row in page["messages"]] == [5, 4]
    row = page["messages"][0]
    assert (row["received"], row["price"], row["status"], row["sent"]) == (
        "2026-11-20T12:05:00.000Z",
        "0.00325",
        "delivered",
        None,
    )
    after = json.loads(emg("find", "--from", "2026-11-20", "--to", "2026-11-21", "--after", page["next"], "--json"))
    assert [row["id"] for row in after["messages"]] == [3, 2, 1]
    assert after["next"] is None


def test_a_page_as_csv_and_as_a_table(emg: Emg) -> None:
    rows = list(
        csv.DictReader(
            emg("find", "--from", "2026-11-20T12:03", "--to", "2026-11-20T13:00:00+00:00", "--csv").splitlines()
        )
    )
    assert [(row["id"], row["price"], row["sent"]) for row in rows] == [
        ("5", "0.00325", ""),
        ("4", "0.00325", ""),
        ("3", "0.00325", ""),
    ]
    assert "2026-11-20 12:01:00.000" in emg("find", "--remote-id", "op-7")
    assert emg("find", "--dest", "1*") == "none\n"


def test_a_customer_is_named_as_everywhere_else(emg: Emg, database: Database) -> None:
    with database.session() as session:
        customer = customers.add(session, Actor("test"), {"name": "Acme Ltd"})
        session.flush()
        session.add(RouteLog(id=77, received=dt.datetime.now(dt.UTC), dest="4777", customer_id=customer.id))
    found = json.loads(emg("find", "--customer", "Acme Ltd", "--json"))
    assert [row["id"] for row in found["messages"]] == [77]
    assert "there is no customer 'Acme'" in emg("find", "--customer", "Acme", code=1)


def test_without_a_time_it_is_the_last_day(emg: Emg) -> None:
    assert [row["id"] for row in json.loads(emg("find", "--json"))["messages"]] == [9]
    assert [row["id"] for row in json.loads(emg("find", "--last", "2h", "--json"))["messages"]] == [9]
    assert [row["id"] for row in json.loads(emg("find", "--id", "2", "--json"))["messages"]] == [2]


def test_one_message(emg: Emg) -> None:
    told = json.loads(emg("show", "11", "--json"))
    assert (told["id"], told["encoding_name"], told["body"]["text"]) == (1, "GSM7", "hello")
    assert [part["remote_id"] for part in told["message_parts"]] == ["op-7"]
    shown = emg("show", "1")
    assert "0.00325 EUR" in shown
    assert "hello" in shown
    assert "not kept" in emg("show", "2")


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["find", "--from", "yesterday"], 2, "not a time such as"),
        (["find", "--from", "2026-11-21", "--to", "2026-11-20"], 2, "--from must be before --to"),
        (["find", "--last", "1h", "--from", "2026-11-21"], 2, "--last goes with neither"),
        (["find", "--limit", "0"], 2, "--limit is from 1 to 10000"),
        (["find", "--limit", "10001"], 2, "--limit is from 1 to 10000"),
        (["find", "--after", "x"], 2, "not a place that a page before has named"),
        (["find", "--id", "-5"], 2, "not a message id"),
        (["find", "--number", "46\udcff"], 2, "is not UTF-8 text"),
        (["find", "--status", "lost"], 2, "not queued or sent"),
        (["show", "99999999999999999999"], 2, "not a message id"),
        (["show", "77"], 1, "the log has no message 77"),
    ],
)
def test_what_can_not_be_is_one_sentence(emg: Emg, argv: list[str], code: int, sentence: str) -> None:
    told = emg(*argv, code=code)
    assert sentence in told
    assert told.count("\n") == 1
