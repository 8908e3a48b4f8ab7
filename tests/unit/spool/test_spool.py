"""Group commit: who is told what and when, and what becomes of a batch that cannot be written."""

import sqlite3

import gevent
import pytest

from emg.errors import SpoolError
from emg.spool.schema import DEFERRED
from tests.unit.spool.spools import QUEUE, Folder, commit, keep, message, ticket


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def spool(folder):
    return folder.open()[0]


def on_disk(spool, number):
    """A connection of its own sees the message: in its table, or in the journal."""
    db = sqlite3.connect(f"file:{spool.path}?mode=ro", uri=True)
    try:
        (tabled,) = db.execute("SELECT count(*) FROM message WHERE id = ?", (number,)).fetchone()
        (journal,) = db.execute("SELECT count(*) FROM journal").fetchone()
        return bool(tabled or journal)
    finally:
        db.close()


def full(spool, *, pages=1):
    """From now on SQLite says that the disk is full; `room` ends it."""
    spool.ask(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())


def room(spool):
    spool._db.execute("PRAGMA max_page_count = 1000000")


def big(number):
    made = message(number)
    made.body = b"x" * 20000
    return made


def test_who_waits_is_told_after_the_commit_and_once(spool):
    told = []
    spool.accept(message(1), spool.queue_number(QUEUE))
    spool.when_kept(lambda argument, error: told.append((argument, error, on_disk(spool, 1))), "first")
    assert told == []
    commit(spool)
    assert told == [("first", None, True)]
    keep(spool, message(2))
    assert len(told) == 1


def test_many_share_a_commit(spool):
    before = spool.commits
    for number in range(1, 500):
        spool.accept(message(number), spool.queue_number(QUEUE))
    commit(spool)
    assert spool.commits - before <= 2


def test_a_callback_that_fails_keeps_nobody_else_from_his_answer(spool):
    told = []
    spool.when_kept(lambda _argument, _error: 1 / 0, None)
    spool.when_kept(lambda argument, _error: told.append(argument), "second")
    commit(spool)
    assert told == ["second"]


def test_intake_of_a_failed_batch_is_dropped_and_its_senders_told(folder, spool):
    told = []
    full(spool)
    spool.accept(big(1), spool.queue_number(QUEUE))
    spool.when_kept(lambda argument, error: told.append((argument, error)), "a")
    gevent.sleep(0.1)
    ((argument, error),) = told
    assert argument == "a"
    assert isinstance(error, SpoolError)
    assert error.full
    with pytest.raises(SpoolError, match="full"):
        spool.admit()
    assert spool.refusals
    room(spool)
    keep(spool, message(2))
    spool.admit()
    folder.crash()
    assert [each.id for each in folder.open()[1].resident] == [2]


def test_settlement_of_a_failed_batch_is_kept_until_it_can_be_written(folder, spool):
    keep(spool, message(1), message(2), message(3))
    full(spool)
    spool.drop(1)
    changed = big(2)
    changed.due = 9e9
    spool.update(changed, spool.queue_number(QUEUE), DEFERRED)
    spool.open_report(ticket(3, "x" * 5000))
    spool.event(3, b"\x90" * 20000)
    gevent.sleep(0.6)  # some attempts
    assert spool.full_since
    assert not spool.flush(0.01)
    room(spool)
    commit(spool)
    assert not spool.full_since
    folder.crash()
    _, recovered = folder.open()
    assert [each.id for each in recovered.resident] == [3]
    assert recovered.deferred == [(QUEUE, 1)]
    assert recovered.open_reports == 1


def test_a_read_waits_for_the_commit_that_it_was_asked_with(spool):
    full(spool)
    seen = []
    spool.update(big(7), spool.queue_number(QUEUE), DEFERRED)
    spool.read(lambda db: db.execute("SELECT id FROM message").fetchall(), lambda rows, _error: seen.append(rows))
    gevent.sleep(0.4)
    assert seen == []
    room(spool)
    commit(spool)
    assert seen == [[(7,)]]


def test_a_query_that_fails_harms_nobody(spool):
    with pytest.raises(SpoolError, match="cannot read"):
        spool.ask(lambda db: db.execute("SELECT nonsense FROM nowhere"))
    keep(spool, message(1))


def test_marks_say_what_may_have_been_sent(folder, spool):
    class Session:
        slot = spool.new_slot()
        sealed = 0
        marks = 0

        def seal(self):
            self.sealed += 1
            return (1).to_bytes(8, "little") + (2).to_bytes(8, "little")

        def marked(self):
            self.marks += 1

        def advance(self):
            assert self.marks, "transmitted before its mark was kept"

        def unmarked(self):
            raise AssertionError("the commit did not fail")

    session = Session()
    keep(spool, message(1), message(2), message(3))
    spool.mark(session)
    commit(spool)
    assert (session.sealed, session.marks) == (1, 1)
    folder.crash()
    second, recovered = folder.open()
    assert recovered.marked == {1, 2}
    assert second.new_slot() > session.slot
    second.forget_marks(second.highest_slot)
    commit(second)
    folder.crash()
    assert folder.open()[1].marked == set()
