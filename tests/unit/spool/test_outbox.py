"""The outbox's count and identity: known at a start without reading it, right after a crash at any commit, and never of two spools the same."""

import sqlite3

import pytest

from emg.spool import outbox
from tests.unit.spool.spools import Folder


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "spool")
    yield made
    made.close()


def commit(spool, count=1):
    for number in range(count):
        spool.event(number + 1, b"\x01")
    assert spool.flush()


def counted(folder):
    """What a start would find now, and what is there."""
    db = sqlite3.connect(folder.path / "spool.db")
    found = outbox.count(db)
    there = db.execute("SELECT coalesce(sum(count), 0) FROM outbox").fetchone()[0]
    db.close()
    assert found[0] == there
    return found


def trim(spool, upto, events):
    spool.execute("DELETE FROM outbox WHERE seq <= ?", (upto,))
    spool.outbox_events -= events
    assert spool.flush()


def test_the_count_is_right_at_every_commit(folder, monkeypatch):
    monkeypatch.setattr(outbox, "NOTE_COMMITS", 3)
    spool, _ = folder.open()
    for number in range(1, 9):
        commit(spool, number)
        assert counted(folder) == (spool.outbox_events, spool.outbox_last)
    trim(spool, 3, 6)
    assert counted(folder) == (spool.outbox_events, spool.outbox_last) == (30, 8)
    commit(spool, 2)
    trim(spool, 9, 32)
    assert counted(folder) == (0, 9)
    folder.spools.pop().close()
    spool, _ = folder.open()
    assert (spool.outbox_events, spool.outbox_last) == (0, 9)
    commit(spool)
    assert spool.outbox_last == 10


def test_a_start_reads_only_what_came_after_the_last_note(folder):
    spool, _ = folder.open()
    commit(spool, 5)
    trim(spool, 0, 0)
    folder.spools.pop().close()
    with sqlite3.connect(folder.path / "spool.db") as db:
        db.execute("UPDATE outbox SET count = 100 WHERE seq = 1")  # would be seen by who counts everything
    db.close()
    spool, _ = folder.open()
    assert spool.outbox_events == 5


def test_a_spool_of_an_older_version_is_counted_whole(folder):
    spool, _ = folder.open()
    commit(spool, 5)
    folder.spools.pop().close()
    with sqlite3.connect(folder.path / "spool.db") as db:
        db.execute("DELETE FROM setting WHERE name IN ('outbox_events', 'outbox_upto', 'identity')")
    db.close()
    spool, _ = folder.open()
    assert (spool.outbox_events, spool.outbox_last) == (5, 1)
    assert spool.identity > 0


def test_the_identity_stays(folder, tmp_path):
    spool, _ = folder.open()
    identity = spool.identity
    assert 0 < identity < 1 << 62
    folder.spools.pop().close()
    assert folder.open()[0].identity == identity
    other = Folder(tmp_path / "other")
    assert other.open()[0].identity != identity
    other.close()


@pytest.mark.parametrize("lost", ["message", "setting"])
def test_after_damage_no_number_is_given_twice(folder, lost):
    spool, _ = folder.open()
    identity = spool.identity
    commit(spool, 5)
    commit(spool, 7)
    folder.spools.pop().close()
    file = folder.path / "spool.db"
    with sqlite3.connect(file) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (lost,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        db.execute("UPDATE setting SET value = 0 WHERE name = 'clean'")
    db.close()
    octets = bytearray(file.read_bytes())
    octets[(page - 1) * size : (page - 1) * size + 100] = b"\xff" * 100
    file.write_bytes(octets)
    spool, recovered = folder.open()
    assert recovered.damaged
    assert spool.identity == identity
    assert spool.outbox_events == 12
    assert spool.outbox_last > 2 + 10**9
    before = spool.outbox_last
    commit(spool)
    assert spool.outbox_last == before + 1
    assert counted(folder) == (13, before + 1)
