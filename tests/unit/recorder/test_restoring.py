"""Backups put back: a database older than the spool, a spool older than the database, another spool. What can be recorded is, once; what can't is told, once; and
ledger, account and gateway agree on what was charged.
"""

import contextlib
import json
import logging
import shutil

import msgspec
import pytest
from sqlalchemy import text

from emg.config.load import load_text
from emg.db import log_gaps
from emg.db.engine import DatabaseError
from emg.db.log_tables import Spot
from emg.db.models import Base
from emg.errors import SpoolError
from emg.message import Encoding, Kind, Message, OpenReport, Want
from emg.recorder import acceptance, loop, program
from emg.recorder.footing import OlderCopy
from emg.recorder.loop import Recorder
from emg.shell import db as shell
from emg.spool import opening
from emg.spool.opening import connect
from tests.unit.recorder.stories import NOON, accepted, add_account, add_rows, ended, make_spool, sent

LATER = NOON + 3600


class World:
    """A spool that no gateway writes but we, a recorder, and its database with account 5."""

    def __init__(self, database, url, folder):
        self.database = database
        self.folder = folder / "spool"
        self.file = make_spool(self.folder)
        (folder / "log").mkdir()
        self.config_file = folder / "server.cfg"
        self.config_file.write_text(
            f"DATABASE={url}\nSPOOLDIR={folder}/spool\nLOGDIR={folder}/log\nCONTROL={folder}/control.sock\nNODEID=3\n"
        )
        self.config = load_text(self.config_file.read_text())
        self.recorders = []
        add_account(database, 5)

    def recorder(self):
        made = Recorder(self.config)
        self.recorders.append(made)
        return made

    def record(self):
        """What a recorder that is started now makes of it."""
        recorder = self.recorder()
        while recorder.step():
            pass
        return recorder

    def commit(self, *rows, at=NOON):
        """As the gateway does: events together with what they change in the balance."""
        with contextlib.closing(connect(self.file)) as db:
            add_rows(db, rows, at)
            for event in (event for row in rows for event in row):
                amount = getattr(event, "price", 0) - getattr(event, "refund", 0)
                db.execute("INSERT OR IGNORE INTO balance VALUES (5, 0)")
                db.execute("UPDATE balance SET charged = charged + ? WHERE account = 5", (amount,))

    def trim(self, upto):
        with contextlib.closing(connect(self.file)) as db:
            db.execute("DELETE FROM outbox WHERE seq <= ?", (upto,))

    def charged(self):
        """By the gateway, by the account, by the ledger."""
        with contextlib.closing(connect(self.file)) as db:
            (gateway,) = db.execute("SELECT coalesce(sum(charged), 0) FROM balance").fetchone()
        return [
            gateway,
            self.one("SELECT sum(charged) FROM account"),
            -(self.one("SELECT sum(amount) FROM ledger") or 0),
        ]

    def one(self, query):
        with self.database.session() as session:
            found = session.execute(text(query)).scalar()
        return found if found is None or isinstance(found, str) else int(found)

    def rows(self, query):
        with self.database.session() as session:
            return [tuple(row) for row in session.execute(text(query))]

    def ids(self):
        return [row[0] for row in self.rows("SELECT id FROM routelog ORDER BY id")]

    def gaps(self):
        return self.rows("SELECT kind, first, last, corrected FROM log_gap ORDER BY id")

    def backup(self):
        with self.database.engine.begin() as connection:
            return [
                (table, connection.execute(table.select()).mappings().all()) for table in Base.metadata.sorted_tables
            ]

    def restore(self, kept):
        with self.database.engine.begin() as connection:
            for table, _rows in reversed(kept):
                connection.execute(table.delete())
            for table, rows in kept:
                if rows:
                    connection.execute(table.insert(), [dict(row) for row in rows])

    def copy(self, name):
        """The spool's file, put aside."""
        with contextlib.closing(connect(self.file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.file, self.folder.parent / name)

    def put_back(self, name):
        for recorder in self.recorders:
            recorder._source.close()
        for old in self.folder.glob("spool.db*"):
            old.unlink()
        shutil.copyfile(self.folder.parent / name, self.file)

    def close(self):
        for recorder in self.recorders:
            recorder._source.close()
            recorder._writer.close()


@pytest.fixture
def world(database, database_url, tmp_path):
    made = World(database, database_url, tmp_path)
    yield made
    made.close()


def paid(number, **more):
    return accepted(number, price=100, payer=5, **more)


# -- the database


def test_an_older_database_is_filled_up_again_once(world, caplog):
    world.commit([paid(1)], [paid(2), ended(1)])
    world.record()
    kept = world.backup()
    world.commit([paid(3)], [ended(3, refund=100, payer=5)], [paid(4), sent(2)])
    running = world.record()
    whole = world.rows("SELECT id, status, price, refunded FROM routelog ORDER BY id")
    world.restore(kept)
    with caplog.at_level(logging.ERROR):
        world.record()
        world.commit([paid(5)])
        running._turn()  # it was running all the time: its position is not the database's any more
        running._turn()
    assert world.rows("SELECT id, status, price, refunded FROM routelog WHERE id < 5 ORDER BY id") == whole
    assert world.ids() == [1, 2, 3, 4, 5]
    assert world.charged() == [400] * 3
    assert not world.gaps()
    assert not caplog.text


def test_a_database_put_back_while_nothing_happens_is_noticed(world, monkeypatch):
    monkeypatch.setattr(loop, "ASK_SECONDS", 0.0)
    world.commit([paid(1)])
    world.record()
    kept = world.backup()
    world.commit([paid(2)])
    running = world.record()
    world.restore(kept)
    running.step()
    running.step()
    assert world.ids() == [1, 2]


def test_what_is_gone_is_told_once_and_the_balance_is_made_right(world, caplog):
    world.commit([paid(1)], at=NOON)
    world.record()
    kept = world.backup()
    world.commit([paid(2)], [paid(3)], at=NOON + 60)
    world.commit([paid(4), ended(3, refund=30, payer=5)], [paid(5)], at=NOON + 120)
    world.record()
    assert world.charged() == [470] * 3
    world.trim(3)
    world.restore(kept)
    with caplog.at_level(logging.ERROR):
        recorder = world.record()
        world.record()
    assert world.ids() == [1, 4, 5]
    assert world.charged() == [470] * 3
    assert world.gaps() == [("events", 2, 3, 1)]
    ((amount, balance, who, why),) = world.rows("SELECT amount, balance, who, why FROM ledger WHERE kind = 'restored'")
    assert (amount, balance, who) == (-200, 1_000_000 - 300, "recorder")
    assert why == "restored: events are missing in the log between 2026-11-23 12:00:00 UTC and 2026-11-23 12:02:00 UTC"
    sentence = "events are missing in the log, between 2026-11-23 12:00:00 UTC and 2026-11-23 12:02:00 UTC: rows 2 to 3 of the spool's outbox are gone"
    assert caplog.text.count(sentence) == 1
    assert recorder.standing.gaps == [sentence]


def test_it_is_noted_once_though_the_commit_fails(world, monkeypatch):
    world.commit([paid(1)])
    world.record()
    world.commit([paid(2)], [paid(3)], [paid(4)])
    world.trim(3)
    enter = log_gaps.enter

    def cut(*arguments):
        enter(*arguments)
        raise DatabaseError("lost", temporary=True)

    monkeypatch.setattr(log_gaps, "enter", cut)
    recorder = world.recorder()
    with pytest.raises(DatabaseError):
        recorder.step()
    assert not world.gaps()
    monkeypatch.undo()
    world.record()
    assert world.gaps() == [("events", 2, 3, 1)]
    assert world.charged() == [400] * 3


def test_an_empty_database_says_where_its_log_begins(world):
    world.commit([paid(1)], [paid(2)], [paid(3)])
    world.trim(2)
    recorder = world.record()
    assert world.ids() == [3]
    assert world.gaps() == [("events", 1, 2, 1)]
    assert world.charged() == [300] * 3
    assert "between the beginning and" in recorder.standing.gaps[0]


def test_a_gap_is_shown_until_somebody_has_seen_it(world, capsys, monkeypatch):
    monkeypatch.setattr(loop, "ASK_SECONDS", 0.0)
    world.commit([paid(1)], [paid(2)], [paid(3)])
    world.trim(1)
    recorder = world.record()
    run = lambda *argv: shell.main(["-c", str(world.config_file), *argv])  # noqa: E731
    assert run("gaps", "--json") == 0
    (gap,) = json.loads(capsys.readouterr().out)
    assert (gap["kind"], gap["first"], gap["last"], gap["corrected"], gap["acknowledged"]) == ("events", 1, 1, 1, None)
    assert run("acknowledge", str(gap["id"]), "--note", "the backup of Sunday") == 0
    assert run("acknowledge", str(gap["id"])) == 0
    assert "acknowledged already" in capsys.readouterr().out
    assert run("acknowledge", "99") == 1
    assert "there is no gap 99" in capsys.readouterr().err
    assert run("gaps") == 0
    assert capsys.readouterr().out == "none\n"
    assert run("gaps", "--all") == 0
    assert "the backup of Sunday" in capsys.readouterr().out
    recorder.step()
    assert recorder.standing.gaps == []
    assert world.rows("SELECT action, subject, name FROM audit_log") == [("acknowledge", "log_gap", str(gap["id"]))]


# -- the spool


def test_a_new_spool_is_told_of_and_gone_on_with(world):
    world.commit([paid(1)], [paid(2)])
    world.record()
    for old in world.folder.glob("spool.db*"):
        old.unlink()
    (world.folder / "identity").unlink()
    make_spool(world.folder)
    with contextlib.closing(connect(world.file)) as db:
        db.execute("INSERT INTO balance VALUES (5, 200)")  # as it takes it from the tables
    world.commit([paid(11)], at=LATER)
    world.record()
    world.record()
    assert world.ids() == [1, 2, 11]
    assert world.gaps() == [("fresh", 3, 0, 0)]
    assert world.charged() == [300] * 3


def older(world):
    """The log has 1 to 4, the copy knows of 1 and 2, and waits with 2 and 3's number is taken by another one."""
    world.commit([paid(1)], [paid(2)])
    with contextlib.closing(connect(world.file)) as db:
        db.execute("INSERT INTO queue VALUES (1, 'operator')")
        for number in (1, 2):
            db.execute("INSERT INTO message VALUES (?, 1, 0, 0, 0, 0, ?)", (number, message_body(number)))
        db.execute("INSERT INTO open_report VALUES ('k1', 4000000000, ?)", (open_body(1),))
    world.copy("old.db")
    world.commit([ended(1)], [paid(3)], [sent(2), paid(4)], at=NOON + 60)
    world.record()
    world.put_back("old.db")


def message_body(number):
    return msgspec.msgpack.encode(Message(
        number, Kind.NORMAL, "operator", "customers", "acme", "1234", 1, 1, "4670", 1, 1, Encoding.GSM7, 0, b"", b"hello", NOON, 0.0, 0.0, 3, Want.FINAL,
    ))  # fmt: skip


def open_body(number):
    return msgspec.msgpack.encode(
        OpenReport(number, "operator", "r1", "customers", "acme", "1", 1, 1, "4670", 1, 1, NOON, NOON, 4e9, Want.FINAL)
    )


def test_an_older_copy_stops_the_log_until_it_is_accepted(world, capsys):
    older(world)
    with pytest.raises(OlderCopy, match="--accept-spool"):
        world.record()
    world.commit([paid(21)], at=LATER)  # a gateway worked with it already
    with pytest.raises(OlderCopy, match="--accept-spool"):
        world.record()
    assert world.ids() == [1, 2, 3, 4]
    assert program.main(["-c", str(world.config_file), "--accept-spool"]) == 0
    assert "behind row 2 of this copy. 1 messages left it" in capsys.readouterr().out
    world.commit([paid(22)], at=LATER)
    world.record()
    assert world.ids() == [1, 2, 3, 4, 21, 22]
    assert world.charged() == [600] * 3
    assert world.gaps() == [("copy", 6, 0, 0)]
    with contextlib.closing(connect(world.file)) as db:
        assert db.execute("SELECT id FROM message").fetchall() == [(2,)], "1 is over"
        assert not db.execute("SELECT * FROM open_report").fetchall()
        assert len(db.execute("SELECT * FROM mark").fetchall()) == 1
    program.main(["-c", str(world.config_file), "--accept-spool"])
    assert "nothing to accept" in capsys.readouterr().out


def test_an_older_copy_that_has_overtaken_the_log_is_noticed(world):
    """Its row has the number of the log's last one, and is another."""
    older(world)
    world.commit(*([paid(number)] for number in range(21, 30)), at=LATER)
    with pytest.raises(OlderCopy, match="not the one that is in the log"):
        world.record()
    acceptance.accept(world.config)
    world.record()
    assert world.ids() == [1, 2, 3, 4, *range(21, 30)]
    assert world.charged() == [1300] * 3


def test_accepting_can_be_cut_off_and_run_again(world, monkeypatch):
    older(world)
    world.commit([paid(21)], at=LATER)
    with monkeypatch.context() as cut, pytest.raises(SpoolError, match="cut off"):
        cut.setattr(acceptance.LogWriter, "pass_over", lambda *_: (_ for _ in ()).throw(SpoolError("cut off")))
        acceptance.accept(world.config)
    world.commit([paid(22)], at=LATER)  # a gateway was started all the same
    acceptance.accept(world.config)
    world.record()
    assert world.ids() == [1, 2, 3, 4, 21, 22]
    assert world.charged() == [600] * 3


def test_it_is_not_accepted_under_a_gateways_feet(world, tmp_path):
    older(world)
    lock = opening.lock(world.folder)
    with pytest.raises(SpoolError, match="in use by another gateway"):
        acceptance.accept(world.config)
    opening.os.close(lock)


def test_a_spool_that_another_one_has_replaced_is_put_back(world):
    """Its balances are those of then."""
    world.commit([paid(1)], [paid(2)])
    world.record()
    world.copy("old.db")
    for old in world.folder.glob("spool.db*"):
        old.unlink()
    (world.folder / "identity").unlink()
    make_spool(world.folder)
    with contextlib.closing(connect(world.file)) as db:
        db.execute("INSERT INTO balance VALUES (5, 200)")
    world.commit([paid(11)], at=NOON + 60)
    world.record()
    world.put_back("old.db")
    with pytest.raises(OlderCopy, match="gone on with another spool"):
        world.record()
    world.commit([paid(21)], at=LATER)
    acceptance.accept(world.config)
    world.commit([paid(22)], at=LATER)
    world.record()
    assert world.ids() == [1, 2, 11, 21, 22]
    assert world.charged() == [500] * 3
    assert [gap[0] for gap in world.gaps()] == ["fresh", "copy"]


def test_two_recorders_that_begin_with_one_spool_stop_nobody(world):
    """One of them finds the row made: that is an error that passes."""
    world.commit([paid(1)], [paid(2)])
    first, second = world.recorder(), world.recorder()
    place = Spot(3, first._source.read(None, 0).identity, 0, 0, "2026-11-23 12:00:00.000000")
    second._writer.begin(place)
    with pytest.raises(DatabaseError, match="can't be written"):
        first._writer.begin(place)
    world.record()
    assert world.ids() == [1, 2]


def test_an_older_spool_and_an_older_database_together(world):
    """The database is older still: nothing is odd about that spool."""
    world.commit([paid(1)])
    world.record()
    kept = world.backup()
    world.commit([paid(2)])
    world.copy("old.db")
    world.commit([paid(3)])
    world.record()
    world.put_back("old.db")
    world.restore(kept)
    world.commit([paid(4)], at=LATER)
    world.record()
    assert world.ids() == [1, 2, 4]
    assert world.charged() == [300] * 3
    assert not world.gaps()
