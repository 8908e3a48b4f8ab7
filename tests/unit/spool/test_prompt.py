"""The answer to a lone submission: written by the writer's thread after COMMIT, and only then; what goes on gives way to the next one."""

import threading

import gevent
import pytest

from emg.spool import transmission
from tests.unit.spool.spools import Folder, commit, message


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "spool-0")
    yield made
    made.close()


@pytest.fixture
def spool(folder):
    return folder.open()[0]


def wait_until(true):
    """Look until it is so. A loop that spins would keep the interpreter's lock from the writer."""
    with gevent.Timeout(5.0):
        while not true():
            gevent.sleep(0.001)


class Answers:
    """What was answered by whom, in order."""

    def __init__(self, spool):
        self.spool = spool
        self.seen = []
        self.asked = []

    def submit(self, number, willing=True):
        """A submission that has its answer ready."""
        self.spool.accept(message(number), self.spool.queue_number("operator"))
        self.spool.when_kept(self.told, number, (self.prompt, number) if willing else None)

    def prompt(self, number):
        self.asked.append(number)
        return lambda: self.seen.append((number, "prompt", threading.get_ident(), self.committed(number)))

    def committed(self, number):
        """It is on disk: the writer's own connection is in no transaction and has it in the journal."""
        db = self.spool._db
        bodies = db.execute("SELECT body FROM journal").fetchall()
        return not db.in_transaction and any(b"%d" % number in body for (body,) in bodies)

    def told(self, number, error):
        self.seen.append((number, "refused" if error else "told"))


def test_a_lone_submission_is_answered_after_the_commit_and_before_the_loop_is_told(spool):
    answers = Answers(spool)
    answers.submit(77001)
    commit(spool)
    (number, how, thread, kept), told = answers.seen
    assert (number, how, kept) == (77001, "prompt", True)
    assert thread != threading.get_ident()
    assert told == (77001, "told")


def test_several_are_answered_by_the_loop(spool):
    answers = Answers(spool)
    answers.submit(77001)
    answers.submit(77002)
    commit(spool)
    assert answers.seen == [(77001, "told"), (77002, "told")]
    assert not answers.asked


def test_others_who_wait_for_the_commit_do_not_hinder_it(spool):
    answers = Answers(spool)
    answers.submit(77001)
    answers.submit(77002, willing=False)
    commit(spool)
    assert [each[:2] for each in answers.seen] == [(77001, "prompt"), (77001, "told"), (77002, "told")]


def test_a_commit_that_fails_answers_nobody_promptly(spool):
    answers = Answers(spool)
    spool._db.execute(
        "CREATE TEMP TRIGGER broken BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    answers.submit(77001)
    wait_until(lambda: answers.seen)
    assert answers.seen == [(77001, "refused")]
    spool._db.execute("DROP TRIGGER broken")
    commit(spool)
    answers.submit(77002)
    commit(spool)
    assert [each[:2] for each in answers.seen[1:]] == [(77002, "prompt"), (77002, "told")]


def test_what_came_during_a_commit_that_fails_is_answered_promptly_by_the_next(spool):
    answers = Answers(spool)
    spool._db.execute(
        "CREATE TEMP TRIGGER broken BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    answers.submit(77001)
    while not spool.commit_seconds:
        gevent.sleep(0)
    answers.submit(77002)
    wait_until(lambda: answers.seen)
    spool._db.execute("DROP TRIGGER broken")
    commit(spool)
    assert [each[:2] for each in answers.seen] == [(77001, "refused"), (77002, "prompt"), (77002, "told")]


def test_an_answer_that_cannot_be_prepared_costs_nobody_the_commit(spool, caplog):
    answers = Answers(spool)
    spool.accept(message(77001), spool.queue_number("operator"))
    spool.when_kept(answers.told, 77001, (lambda _number: 1 // 0, 77001))
    commit(spool)
    assert answers.seen == [(77001, "told")]
    assert "could not be prepared" in caplog.text
    answers.submit(77002)
    commit(spool)
    assert [each[:2] for each in answers.seen[1:]] == [(77002, "prompt"), (77002, "told")]
    assert spool.writer.answers == 1


class Session:
    """A session with messages to transmit."""

    def __init__(self, spool, seen):
        self.slot = spool.new_slot()
        self.seen = seen

    def seal(self):
        return (1).to_bytes(8, "little")

    def marked(self):
        self.seen.append("marked")

    def unmarked(self):
        raise AssertionError("the commit did not fail")

    def advance(self):
        self.seen.append("transmits")


def test_what_is_marked_goes_on_behind_the_next_submission(spool, monkeypatch):
    monkeypatch.setattr(transmission, "GIVE_WAY_SECONDS", 60.0)
    answers = Answers(spool)
    session = Session(spool, answers.seen)
    answers.submit(77001)
    spool.mark(session)
    wait_until(lambda: "marked" in answers.seen)
    assert "transmits" not in answers.seen
    answers.submit(77002)
    commit(spool)
    assert answers.seen.count("transmits") == 1
    assert answers.seen.index("transmits") < answers.seen.index((77002, "told"))


def test_without_a_next_submission_it_does_not_wait_for_long(spool):
    answers = Answers(spool)
    spool.mark(Session(spool, answers.seen))
    answers.submit(77001)
    commit(spool)
    wait_until(lambda: "transmits" in answers.seen)


def test_it_gives_way_to_nobody_where_the_loop_answered(spool):
    answers = Answers(spool)
    spool.mark(Session(spool, answers.seen))
    answers.submit(77001, willing=False)
    commit(spool)
    assert answers.seen == [(77001, "told"), "marked", "transmits"]


def test_a_session_that_cannot_transmit_holds_up_nobody_else(spool, caplog):
    class Broken(Session):
        def advance(self):
            raise ZeroDivisionError("a fault of the session")

    answers = Answers(spool)
    spool.mark(Broken(spool, []))
    spool.mark(Session(spool, answers.seen))
    answers.submit(77001, willing=False)
    commit(spool)
    assert answers.seen == [(77001, "told"), "marked", "transmits"]
    assert "could not be transmitted" in caplog.text
    answers.submit(77002)
    commit(spool)
    assert answers.seen[-1] == (77002, "told")
