"""Writing the log: a row that the database does not take stops nobody, the position guards against writing twice, and what is the database's own fault is waited for."""

import pytest
from sqlalchemy import text

from emg.db.engine import Database, DatabaseError
from emg.db.log_dialects import CHUNK, text_of
from emg.db.log_tables import BODY, CHANGE, PART, PART_CHANGE, ROUTELOG, Spot
from emg.db.log_writer import LogWriter, PositionMoved
from emg.db.models import Base
from emg.engine import events
from emg.message import State
from emg.recorder.fold import Fold
from tests.unit.recorder.stories import NOON, NOW, SPOOL, Log, accepted, add_account, ended, position, sent


@pytest.fixture
def log(database):
    made = Log(database)
    yield made
    made.close()


def batch_of(*happened):
    fold = Fold(0)
    fold.take(happened)
    return fold.batch({})


def too_large(number):
    """An id of a price's row that no column holds."""
    return accepted(number, price_row=1 << 63)


def test_rows_that_do_not_fit_are_found_and_the_others_written(log):
    add_account(log.database, 5)
    happened = [accepted(number, price=1, payer=5) for number in range(1, 101)]
    for bad in (1, 50, 51, 100):
        happened[bad - 1].price_row = 1 << 63
    log.write(happened)
    assert [(refused.table, refused.row[0]) for refused in log.refused] == [
        ("routelog", number) for number in (1, 50, 51, 100)
    ]
    assert all(refused.reason for refused in log.refused)
    assert {row["id"] for row in log.rows("routelog")} == set(range(1, 101)) - {1, 50, 51, 100}
    assert log.money()[:2] == (100, 100)  # it was charged: the balance says so too
    log.write([sent(number) for number in range(1, 101)])
    assert len([row for row in log.rows("routelog") if row["status"] == "sent"]) == 96


def test_a_row_that_is_there_already_is_refused_and_not_changed(log):
    log.write([accepted(1), ended(1)])
    log.write([accepted(1, account="other"), accepted(2)])
    assert [(refused.table, refused.row[0]) for refused in log.refused] == [("routelog", 1)]
    assert log.row(1)["account"] == "acme"
    assert log.row(2)["status"] == "queued"


def test_a_change_that_does_not_fit_is_refused_alone(log):
    log.write([accepted(number, price=(1 << 62)) for number in (1, 2)])
    joined = [events.Joined(number, NOON, 1, 1, 1, NOON, -(1 << 62)) for number in (2, 2)]
    log.write([*joined, sent(1), accepted(3)])
    refused_ids = {refused.row[0] for refused in log.refused}
    assert refused_ids <= {1, 2}
    assert log.row(3)["status"] == "queued"


def test_money_of_an_account_that_is_gone_is_set_aside(log):
    add_account(log.database, 5)
    log.write([accepted(1, price=10, payer=9), accepted(2, price=3, payer=5)])
    assert [(refused.table, refused.row[0]) for refused in log.refused] == [("ledger", 9)]
    assert log.money() == (3, 3, 13)


def test_two_who_write_the_same_batch(database):
    first, second = LogWriter(database), LogWriter(database)
    try:
        assert position(first, 0, SPOOL) == position(second, 0, SPOOL) == 0
        batch = batch_of(accepted(1))
        first.write(batch, Spot(0, SPOOL, 0, 4, NOW), list)
        with pytest.raises(PositionMoved, match="another recorder"):
            second.write(batch, Spot(0, SPOOL, 0, 4, NOW), list)
        assert position(second, 0, SPOOL) == 4
        second.write(batch_of(accepted(2)), Spot(0, SPOOL, 4, 5, NOW), list)
    finally:
        first.close()
        second.close()


def test_positions_are_kept_by_node_and_spool(database):
    writer = LogWriter(database)
    for node, spool in ((0, 1), (0, 2), (1, 1)):
        assert position(writer, node, spool) == 0
        writer.write(batch_of(), Spot(node, spool, 0, 10 * node + spool, NOW), list)
    assert [position(writer, node, spool) for node, spool in ((0, 1), (0, 2), (1, 1))] == [1, 2, 11]
    writer.close()


def test_what_is_refused_is_told_before_the_commit(log):
    def full_disk(refused):
        if refused:
            raise DatabaseError("no room to write it down")

    with pytest.raises(DatabaseError, match="no room"):
        log.writer.write(batch_of(too_large(1), accepted(2)), Spot(0, SPOOL, 0, 1, NOW), full_disk)
    assert not log.rows("routelog")
    assert position(log.writer, 0, SPOOL) == 0


def test_a_table_that_is_missing_is_no_fault_of_a_row(log):
    with log.database.session() as session:
        session.execute(text("ALTER TABLE message_body RENAME TO elsewhere"))
    try:
        with pytest.raises(DatabaseError):
            log.write([accepted(1, text=b"hello")])
    finally:
        with log.database.session() as session:
            session.execute(text("ALTER TABLE elsewhere RENAME TO message_body"))
    assert not log.refused
    log.write([accepted(1, text=b"hello")])
    assert len(log.rows("message_body")) == len(log.rows("routelog")) == 1


def test_more_rows_than_one_statement_takes(log):
    many = range(1, CHUNK * 2 + 11)
    log.write([accepted(number, text=b"hi") for number in many])
    log.write([event for number in many for event in (sent(number), ended(number, state=State.FAILED))])
    with log.database.session() as session:
        counted = session.execute(text("SELECT count(*), min(status), max(status), min(tries) FROM routelog")).one()
        assert tuple(counted) == (len(many), "failed", "failed", 1)
        assert session.execute(text("SELECT count(*) FROM message_body")).scalar() == len(many)
    assert not log.careful


def test_a_server_without_load_data_local(own_mariadb, capsys):
    own_mariadb.execute("SET GLOBAL local_infile = 0")
    url = own_mariadb.url()
    database = Database(url)
    from emg.db import schema

    schema.upgrade(database)
    log = Log(database)
    log.write([accepted(1, text="Grüße".encode("latin-1"), encoding=3), accepted(2)])
    log.write([sent(1), ended(2)])
    assert [row["status"] for row in log.rows("routelog")] == ["sent", "delivered"]
    assert log.rows("message_body")[0]["text"] == "Grüße"
    assert not log.careful
    log.close()
    database.close()


def test_odd_characters_are_written_for_load_data():
    batch = batch_of(accepted(1, reference="a\tb\\c\nd", account="NULL"), accepted(2, account="\\N"))
    first, second = text_of(ROUTELOG, batch.messages).decode().splitlines()
    assert "a\\tb\\\\c\\nd" in first.split("\t")
    assert first.split("\t")[2] == "NULL"
    assert second.split("\t")[2:4] == ["\\\\N", "\\N"]


@pytest.mark.parametrize("table", [ROUTELOG, BODY, PART], ids=lambda table: table.name)
def test_the_tables_are_those_of_the_models(table):
    columns = Base.metadata.tables[table.name].columns
    assert set(table.columns) == {column.name for column in columns}
    assert {table.columns[place] for place in table.nullable} == {column.name for column in columns if column.nullable}
    assert list(table.octets) == [
        place for place, name in enumerate(table.columns) if columns[name].type.python_type is bytes
    ]


@pytest.mark.parametrize("change", [CHANGE, PART_CHANGE], ids=lambda change: change.name)
def test_changes_fit_their_tables(change):
    columns = Base.metadata.tables[change.target].columns
    for name, kind in change.definition:
        length = getattr(columns[name].type, "length", None) if name in columns else None
        if length and name != "status":
            assert kind == f"VARCHAR({length}) NOT NULL", name
    assert {name for name, _ in change.merge} <= set(columns.keys())
    assert {change.columns[place] for place in change.nullable} == {
        name for name, kind in change.definition if "NOT NULL" not in kind
    }


def test_text_is_cut_to_the_lengths_of_the_models():
    long = "x" * 1000
    event = accepted(
        1, account=long, source=long, dest=long, queue=long, route=long, remote_ip=long, reference=long, currency=long, prefix=long, network=long,
        connector=long,
    )  # fmt: skip
    batch = batch_of(event, sent(1, remote_id=long), ended(1, error=long, cause=long))
    columns = Base.metadata.tables["routelog"].columns
    lengths = {
        name: len(value)
        for name, value in zip(ROUTELOG.columns, batch.messages[0], strict=True)
        if isinstance(value, str) and "x" in value
    }
    assert lengths == {name: columns[name].type.length for name in lengths}
    assert len(lengths) == 13
