"""Messages that the house hands over: the receive path's rules hold for them, and no key makes two."""

import dataclasses
import sqlite3
import time

import gevent
import msgspec
import pytest

from emg.engine import events, submissions
from emg.engine.submissions import Given, Submissions
from emg.errors import SpoolError
from emg.message import Encoding, State, Want
from emg.spool import batch, keys
from tests.charged import PRICE, REFUSED, Charged, until


@pytest.fixture
def it(tmp_path):
    made = Charged(tmp_path, extra="DEFAULT_VP=3600")
    made.desk = Submissions(made.engine)
    made.desk.port.configure(dataclasses.replace(made.desk.port.config, route="one"), made.desk.port.retry)
    yield made
    made.close()


def given(key="k1", **more):
    return Given(
        **{"key": key, "account": "acme", "dest": "+46 11 234 56 78", "source": "EMG", "text": "hello", **more}
    )


def one(it, *args, **more):
    (answer,) = it.desk.take([given(*args, **more)])
    return answer


def test_a_message_is_kept_priced_and_told(it):
    answer = one(it, reference="batch 7")
    assert answer.id
    assert (answer.parts, answer.price, answer.currency, answer.refused) == (1, PRICE, "EUR", "")
    (event,) = it.events(events.Accepted)
    assert (event.id, event.connector, event.account, event.dest, event.reference) == (answer.id, "portal", "acme", REFUSED, "batch 7")  # fmt: skip
    assert it.waiting("one") == [answer.id] or it.count("one") == 1
    assert it.agrees() == PRICE


def test_the_same_key_is_the_same_message_also_after_a_restart(it, tmp_path):
    first = one(it)
    again = one(it)
    assert (again.id, again.price, again.repeated) == (first.id, first.price, True)
    it.close()
    later = Charged(tmp_path, extra="DEFAULT_VP=3600")
    later.desk = Submissions(later.engine)
    try:
        assert one(later).id == first.id
        assert len(later.events(events.Accepted)) == 1
    finally:
        later.close()
        it.close = lambda: None


def test_the_same_key_with_another_message_is_refused(it):
    one(it)
    clash = one(it, text="something else")
    assert (clash.id, clash.refused, clash.passing) == (0, "not allowed", False)
    assert "stands for another message" in clash.reason
    assert len(it.events(events.Accepted)) == 1


def test_a_key_that_stands_twice_in_a_call_is_one_message(it):
    first, second, clash = it.desk.take([given(), given(), given(text="other")])
    assert first.id
    assert second.id == first.id
    assert clash.refused
    assert len(it.events(events.Accepted)) == 1


def test_two_calls_at_once_with_one_key_are_one_message(it):
    answers = [gevent.spawn(one, it) for _ in range(5)]
    gevent.joinall(answers, raise_error=True)
    assert len({answer.value.id for answer in answers}) == 1
    assert len(it.events(events.Accepted)) == 1


def test_what_was_refused_may_be_asked_again_with_its_key(it):
    it.bill(credited=0)
    assert one(it).refused == "no credit"
    it.bill(credited=PRICE)
    assert one(it).id
    assert it.agrees() == PRICE


def test_each_message_of_a_call_is_judged_by_itself(it):
    answers = it.desk.take([given(f"k{number}", dest="nobody" if number % 2 else REFUSED) for number in range(6)])
    assert [bool(answer.id) for answer in answers] == [True, False] * 3
    assert answers[1].refused == "bad destination address"


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"account": "nobody"}, "not allowed"),
        ({"dest": ""}, "bad destination address"),
        ({"source": "a name that is too long"}, "bad source address"),
        ({"at": 1_000_000.0}, "bad schedule time"),
        ({"text": None}, "bad text"),
        ({"data": "00"}, "bad text"),
        ({"text": None, "data": "0"}, "bad text"),
        ({"text": "Å東", "encoding": "gsm7"}, "bad text"),
        ({"udh": "0500030201"}, "bad text"),
        ({"text": "x" * 39_500}, "too long"),
        ({"dest": "4799999999"}, "no price"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(it, more, cause):
    answer = one(it, **more)
    assert (answer.id, answer.refused, answer.passing) == (0, cause, False)
    assert answer.reason
    assert it.events(events.Accepted) == []
    assert it.rows("SELECT count(*) FROM submission") == [(0,)]


def test_what_passes_is_told_apart(it):
    it.engine.receiver.open = False
    assert one(it).passing
    it.engine.receiver.open = True
    assert one(it).id


@pytest.mark.parametrize(
    ("more", "encoding", "parts"),
    [({"text": "hej åäö {}"}, Encoding.GSM7, 1), ({"text": "東京"}, Encoding.UCS2, 1), ({"text": "x" * 161}, Encoding.GSM7, 2),
     ({"text": "x", "encoding": "ucs2"}, Encoding.UCS2, 1), ({"text": "é", "encoding": "latin1"}, Encoding.LATIN1, 1),
     ({"text": None, "data": "00ff"}, Encoding.BINARY, 1)],
)  # fmt: skip
def test_texts_are_encoded_and_cut(it, more, encoding, parts):
    answer = one(it, **more)
    assert answer.parts == parts
    assert answer.price == PRICE * parts
    assert it.events(events.Accepted)[0].encoding == encoding


def test_a_scheduled_message_waits_and_validity_counts_from_then(it):
    due = time.time() + 600
    number = one(it, at=due, validity=60.0).id
    message = it.lanes.get("one").waiting.get(number)
    assert it.lanes.get("one").deferred == 1
    assert message is None
    (row,) = it.rows("SELECT due, expires FROM message WHERE id = ?", number)
    assert abs(row[0] - due) <= 1
    assert abs(row[1] - due - 60) <= 1


def test_reports_are_asked_for_but_nobody_is_sent_one(it):
    _carrier, sent = it.carrier("one")
    number = one(it).id
    until(lambda: sent == [number])
    until(lambda: it.events(events.Sent))
    assert it.report(number, State.DELIVERED) is None
    (ended,) = it.events(events.Ended)
    assert (ended.state, ended.report) == (State.DELIVERED, 0)
    assert it.events(events.Accepted)[0].want == int(Want.LOGGED)
    assert sum(lane.size for lane in it.lanes.by_name.values()) == 0


def test_a_commit_that_fails_keeps_neither_message_nor_key(it, monkeypatch):
    write = batch.write

    def full(db, journal, pending, at):
        if not pending.intake:
            return write(db, journal, pending, at)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("emg.spool.batch.write", full)
        answer = one(it)
    assert (answer.id, answer.refused, answer.passing) == (0, "spool full", True)
    assert it.charged == 0
    until(lambda: not it.engine.spool.full_since)
    assert one(it).id
    assert len(it.events(events.Accepted)) == 1
    assert it.agrees() == PRICE


def test_a_call_that_waits_too_long_says_how_to_go_on(it, monkeypatch):
    monkeypatch.setattr(submissions, "SECONDS", 0.05)
    it.desk._one_call.acquire()
    with pytest.raises(SpoolError, match="ask again with the same keys"):
        one(it)
    it.desk._one_call.release()
    assert one(it).id


def test_keys_are_forgotten_when_their_time_is_over(it):
    it.desk.take([given(f"k{number}") for number in range(3)])
    it.engine.spool.execute(*submissions.prune(time.time()))
    assert it.rows("SELECT count(*) FROM submission") == [(3,)]
    it.engine.spool.execute(*submissions.prune(time.time() + submissions.KEPT_SECONDS + 1))
    assert it.rows("SELECT count(*) FROM submission") == [(0,)]
    assert keys.PRUNED


@pytest.mark.parametrize(
    "values", [None, 5, "x", {}, [], [{}], [{"key": ""}], [{"key": "a", "account": "b", "dest": 1}], [[]] * 501]
)
def test_a_call_that_is_no_list_of_messages_is_a_sentence(values):
    with pytest.raises(msgspec.ValidationError):
        submissions.read(values)
