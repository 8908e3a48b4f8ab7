"""The journal: what straight-through traffic costs one row a commit for, and what a crash at any moment leaves of it."""

import sqlite3

import pytest

from emg.spool import journal
from emg.spool.schema import DEFERRED, SPILLED
from tests.unit.spool.spools import Folder, commit, keep, message, ticket


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def moving(monkeypatch):
    """Everything is moved into its table by the commit after its own."""
    monkeypatch.setattr(journal, "KEEP_SECONDS", 0.0)


def table(spool, name="message"):
    """Ids in a table, as a connection of its own sees it."""
    key = {"message": "id", "open_report": "key"}[name]
    return [row[0] for row in spool.ask(lambda db: db.execute(f"SELECT {key} FROM {name} ORDER BY 1").fetchall())]


def raw(spool, sql):
    """Straight from the file: what a read beside the writer sees, with nothing brought up to date for it."""
    db = sqlite3.connect(f"file:{spool.path}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def ids(recovered):
    return [each.id for each in recovered.resident]


def test_what_only_the_journal_holds_is_there_after_a_crash(folder):
    spool, _ = folder.open()
    keep(spool, message(1), message(2))
    assert raw(spool, "SELECT count(*) FROM message") == [(0,)]
    folder.crash()
    _, recovered = folder.open()
    assert ids(recovered) == [1, 2]


def test_what_left_while_only_the_journal_held_it_does_not_come_back(folder):
    spool, _ = folder.open()
    keep(spool, message(1), message(2))
    spool.drop(1)
    commit(spool)
    folder.crash()
    assert ids(folder.open()[1]) == [2]


def test_what_left_after_it_was_moved_into_its_table_does_not_come_back(folder, moving):
    """Else it would be sent a second time, and nothing would say so."""
    spool, _ = folder.open()
    keep(spool, message(1))
    keep(spool, message(2))  # moves the first
    assert raw(spool, "SELECT id FROM message") == [(1,)]
    spool.drop(1)
    spool.event(1, b"\x90")
    commit(spool)
    folder.crash()
    assert 1 not in ids(folder.open()[1])


def test_an_open_report_that_was_answered_after_it_was_moved_stays_closed(folder, moving):
    spool, _ = folder.open()
    spool.open_report(ticket(1))
    spool.event(1, b"\x90")
    commit(spool)
    keep(spool, message(2))
    assert len(raw(spool, "SELECT key FROM open_report")) == 1
    spool.close_report(ticket(1))
    commit(spool)
    folder.crash()
    spool, recovered = folder.open()
    assert recovered.open_reports == 0
    assert table(spool, "open_report") == []


def test_a_change_wins_over_the_older_version_that_is_moved_in_the_same_commit(folder, moving):
    spool, _ = folder.open()
    number = spool.queue_number("operator")
    keep(spool, message(1))
    changed = message(1, due=9e9)
    changed.maybe_sent = True
    spool.update(changed, number, DEFERRED)
    commit(spool)
    assert raw(spool, "SELECT place FROM message WHERE id = 1") == [(DEFERRED,)]
    folder.crash()
    _, recovered = folder.open()
    assert recovered.deferred == [("operator", 1)]
    assert not recovered.resident


def test_reads_see_the_tables_without_what_left(folder, moving):
    spool, _ = folder.open()
    keep(spool, message(1), message(2))
    keep(spool, message(3))
    spool.drop(1)
    assert 1 not in table(spool)


def test_the_journal_does_not_grow_for_ever(folder, moving):
    spool, _ = folder.open()
    for number in range(1, 400):
        keep(spool, message(number))
        spool.drop(number)
    commit(spool)
    keep(spool, message(1000))
    (rows,) = raw(spool, "SELECT count(*) FROM journal")[0]
    assert rows < 4 * journal.TRIM_ROWS


def test_after_an_orderly_end_everything_is_as_it_was(folder):
    spool, _ = folder.open()
    keep(spool, message(1), message(2))
    keep(spool, message(3), place=SPILLED)
    spool.open_report(ticket(9))
    spool.drop(2)
    folder.spools.remove(spool)
    spool.close()
    _, recovered = folder.open()
    assert recovered.open_reports == 1
    assert ids(recovered) == [1]
    assert [row[:3] for row in recovered.spilled] == [("operator", 3, 1)]
    assert recovered.spilled[0].first_id == 3
    assert recovered.clean
