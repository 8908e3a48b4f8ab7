"""The tables that the gateway reads: what is read, what is left out, when it is read again; and the child that does it."""

import datetime as dt
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, text

from emg.config.model import ServerConfig
from emg.config.stored import Stored
from emg.db import accounts, connectors, customers, revisions, schema
from emg.db.audit import Actor
from emg.db.connectors import Around
from emg.db.engine import Database
from emg.db.models import Base, Blacklist, Network, Price, Route, Setting
from emg.db.reader import LOOK_SECONDS, Lines, Reader, run
from emg.db.snapshot import CopyFault, changed, path_of, store, sweep
from emg.rules.account_rows import Access
from emg.rules.snapshot import ROWS, Order, Snapshot, Told, decode

ANN = Actor("shell:ann")
NOW = dt.datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=dt.UTC)
ROUTE = {
    "prefix": "46",
    "account": "",
    "connector_in": "",
    "connector_out": "a:b",
    "priority": 5,
    "weight": 2,
    "enabled": False,
    "updated": NOW,
}
PRICE = {
    "prefix": "46", "account": "acme", "connector_in": "", "connector_out": "b", "price": 10**15, "cost": 1, "currency": "EUR",
    "valid_from": NOW, "valid_until": None, "refund": "never", "updated": NOW,
}  # fmt: skip


def read(database: Database) -> dict[str, Snapshot]:
    return {snapshot.header.subject: snapshot for snapshot in changed(database, {})}


def rows_of(database: Database, subject: str) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(row)[1:] for row in read(database)[subject].rows]


def test_of_settings_only_the_names_leave_the_database_and_the_faults(database: Database) -> None:
    with database.session() as session:
        for name, value in (("company_name", "We"), ("keep_texts", "-1"), ("smtp_password", "s3cret")):
            session.add(Setting(name=name, value=value, updated=NOW))
    snapshot = read(database)["setting"]
    assert [row.name for row in snapshot.rows] == ["company_name", "smtp_password"]
    assert [(row.table, row.name) for row in snapshot.header.skipped] == [("setting", "keep_texts")]
    assert "s3cret" not in repr(snapshot)


def test_rows_are_as_they_stand_in_the_tables(database: Database) -> None:
    with database.session() as session:
        session.execute(insert(Route), [ROUTE])
        session.execute(insert(Price), [PRICE])
        session.execute(insert(Network), [{"prefix": "46", "country": "SE", "name": "Télé", "mcc": "240", "mnc": "07"}])
        session.execute(
            insert(Blacklist),
            [{"white": True, "field": "DESTADDR", "address": "467*", "action": "LOG", "note": "", "updated": NOW}],
        )
    assert rows_of(database, "route") == [("46", "", "", "a:b", 5, 2, False)]
    assert rows_of(database, "price") == [("46", "acme", "", "b", 10**15, 1, "EUR", NOW.timestamp(), None, "never")]
    assert rows_of(database, "network") == [("46", "SE", "Télé", "240", "07")]
    assert rows_of(database, "blacklist") == [(True, "DESTADDR", "467*", "LOG")]


def test_an_account_comes_with_its_access_rows_and_its_customer_and_not_when_it_is_deleted(database: Database) -> None:
    pairs = [Access("127.0.0.0/8"), Access("2001:db8::/32", "customers")]
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        accounts.add(session, ANN, {"name": "acme", "customer": "Acme", "throughput": 2.5, "perpartdlr": True}, pairs)
        accounts.add(session, ANN, {"name": "gone", "locked": False}, pairs)
        accounts.add(session, ANN, {"name": "alone"})
        accounts.delete(session, ANN, "gone")
        customers.lock(session, ANN, "Acme")
    acme, alone = read(database)["account"].rows
    assert (acme.name, acme.customer, acme.customer_locked, acme.throughput) == ("acme", "Acme", True, 2.5)
    assert acme.access == (("127.0.0.0/8", "*"), ("2001:db8::/32", "customers"))
    assert (acme.perpartdlr, acme.windowsize, acme.credit_limit) == (True, None, None)
    assert (alone.customer_id, alone.customer, alone.customer_locked, alone.access) == (None, "", False, ())


def test_a_connector_comes_with_its_options_in_order_without_those_switched_off(database: Database) -> None:
    lines = (("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "127.0.0.1:7"))
    around = Around(ServerConfig())
    with database.session() as session:
        connectors.add(session, ANN, around, Stored("one", lines))
        connectors.add(session, ANN, around, Stored("two", (*lines[:2], ("ADDRESS", "127.0.0.1:8")), True))
        session.execute(text("UPDATE connector_option SET disabled = 1 WHERE keyword = 'PROTOCOL'"))
    assert rows_of(database, "connector") == [
        ("one", (("TYPE", "INCOMING"), ("ADDRESS", "127.0.0.1:7")), False),
        ("two", (("TYPE", "INCOMING"), ("ADDRESS", "127.0.0.1:8")), True),
    ]


def test_only_what_has_another_revision_is_read(database: Database) -> None:
    first = read(database)
    known = {subject: snapshot.header.revision for subject, snapshot in first.items()}
    assert set(known) == set(ROWS)
    assert changed(database, known) == []
    with database.session() as session:
        session.execute(insert(Route), [ROUTE])
        assert changed(database, known) == []  # not committed
        revisions.touch(session, "route")
        revisions.touch(session, "plugin")  # which the gateway does not read
    [route] = changed(database, known)
    assert (route.header.subject, route.header.rows, route.header.revision) == ("route", 1, known["route"] + 1)


NONSENSE = [
    ("account", "credited", "'NaN'"), ("account", "sessions", "'many'"), ("route", "priority", "1.5"), ("price", "price", "'free'"),
    ("price", "valid_from", "'soon'"), ("price", "currency", "x'00ff'"),
]  # fmt: skip


def test_a_row_that_is_not_even_of_the_right_kind_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    """SQLite keeps anything anywhere."""
    database = Database(f"sqlite:///{tmp_path / 'emg.db'}")
    Base.metadata.create_all(database.engine)
    for table, column, value in NONSENSE:
        with database.session() as session:
            session.execute(text("DELETE FROM account"))
            session.execute(text("DELETE FROM route"))
            session.execute(text("DELETE FROM price"))
            accounts.add(session, ANN, {"name": "bad"})
            accounts.add(session, ANN, {"name": "good"})
            session.execute(insert(Route), [ROUTE, ROUTE])
            session.execute(insert(Price), [PRICE, PRICE])
            session.execute(text(f"UPDATE {table} SET {column} = {value} WHERE id = (SELECT min(id) FROM {table})"))
        found = read(database)[table]
        [skipped] = found.header.skipped
        assert (skipped.table, skipped.field) == (table, column), column
        assert skipped.name in ("bad", "46")
        assert found.header.rows == len(found.rows) == 1
    database.close()


# -- files


def test_a_copy_reads_back_and_nothing_is_left_beside_it(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "tables"
    for snapshot in changed(database, {}):
        assert store(folder, snapshot) == path_of(folder, snapshot.header.subject).stat().st_size
        assert decode(path_of(folder, snapshot.header.subject).read_bytes(), snapshot.header.subject) == snapshot
    assert {file.name for file in folder.iterdir()} == {f"{subject}.bin" for subject in ROWS}
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    (folder / "route.123.new").write_bytes(b"half")
    sweep(folder)
    assert not list(folder.glob("*.new"))


def test_a_folder_that_can_not_be_written_is_a_sentence(database: Database, tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(CopyFault, match=r"route\.bin can't be written"):
        store(tmp_path / "tables", read(database)["route"])


# -- the child


def test_the_first_turn_reads_everything_the_next_nothing_and_anew_everything(
    database: Database, tmp_path: Path
) -> None:
    reader = Reader(Order(database.url.render_as_string(hide_password=False), str(tmp_path / "tables")))
    assert reader.turn() == (Told(0, list(ROWS)), LOOK_SECONDS)
    assert reader.turn() == (None, LOOK_SECONDS)
    assert reader.turn(3) == (Told(3), LOOK_SECONDS)
    with database.session() as session:
        revisions.touch(session, "price")
    assert reader.turn() == (Told(0, ["price"]), LOOK_SECONDS)
    assert reader.turn(4, anew=True) == (Told(4, list(ROWS)), LOOK_SECONDS)


def test_a_database_that_is_away_is_told_of_once_and_when_it_is_back(tmp_path: Path) -> None:
    away = tmp_path / "away"
    reader = Reader(Order(f"sqlite:///{away / 'emg.db'}", str(tmp_path / "tables")))
    told, first = reader.turn()
    assert told is not None
    assert "emg db upgrade" in told.failed
    again, second = reader.turn()
    assert again is None
    assert first < second <= LOOK_SECONDS
    asked, _pause = reader.turn(9)
    assert asked is not None
    assert (asked.look, asked.failed) == (9, told.failed)
    away.mkdir()
    database = Database(f"sqlite:///{away / 'emg.db'}")
    schema.upgrade(database)
    database.close()
    assert reader.turn() == (Told(0, list(ROWS)), LOOK_SECONDS)


def test_it_obeys_lines_until_its_stdin_ends(database: Database, tmp_path: Path) -> None:
    orders, ours = os.pipe()
    theirs, answers = os.pipe()
    order = Order(database.url.render_as_string(hide_password=False), str(tmp_path / "tables"))
    os.write(ours, msgspec.json.encode(order) + b'\n{"number":1}\n{"number":')
    os.write(ours, b'2}\n{"number":3,"anew":true}\n')
    child = threading.Thread(target=run, args=(Lines(orders), answers))
    child.start()
    told = Lines(theirs)
    lines = [told.next(10.0) for _ in range(2)]  # three looks that waited together are one
    os.close(ours)
    child.join(10.0)
    assert not child.is_alive()
    assert [msgspec.json.decode(line or b"", type=Told) for line in lines] == [Told(0, list(ROWS)), Told(3, list(ROWS))]
    for number in (orders, theirs, answers):
        os.close(number)
