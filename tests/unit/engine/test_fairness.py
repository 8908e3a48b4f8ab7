"""One account's bulk in a queue, and another's single message: through pages, crowds, retries, moves, restarts and failing commits."""

import sqlite3
import time
from collections import defaultdict
from pathlib import Path

import gevent
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emg.engine import lanes as lanes_module
from emg.engine import paging
from emg.engine.engine import Engine
from emg.engine.operations import Selection
from emg.engine.turns import QUANTUM
from emg.errors import Cause, SpoolError
from emg.message import TURN_BITS, Want
from tests.engines import SmallEngine, short

SECONDS = 20.0
WINDOW = 2


def from_account(account, **more):
    return lambda _number: short(account=account, want=Want.NOTHING, **more)


@pytest.fixture
def start(tmp_path):
    engines = []

    def begin(**options):
        if engines:
            engines[-1].close()
        engines.append(SmallEngine(tmp_path, **options))
        return engines[-1]

    yield begin
    engines[-1].close()


def wait(look):
    with gevent.Timeout(SECONDS):
        while not look():
            gevent.sleep(0.002)


class Slow:
    """A session whose far side answers as often as it is told to."""

    def __init__(self, small, queue="one", window=WINDOW, *, hand_over=False):
        self.small = small
        self.port = small.engine.ports[queue]
        self.carrier, self.sent = small.carrier(queue, window=window, answering=False)
        self.lane = small.lanes.get(queue)
        if hand_over:  # in this turn of the loop
            small.spool._hand_over()
        else:
            wait(lambda: self.sent or not self.lane.size)

    def answer(self, count):
        for _ in range(count):
            if not self.carrier.in_flight:
                return
            message = next(iter(self.carrier.in_flight.values()))
            self.small.engine.deliverer.sent(self.port, self.carrier, message, f"r{message.id}")
            assert self.small.spool.flush()
            wait(lambda: self.carrier.in_flight or not self.lane.size)

    def until(self, number):
        """How many more are sent before this one."""
        before = len(self.sent)
        with gevent.Timeout(SECONDS):
            while number not in self.sent[before:]:
                self.answer(1)
        return self.sent.index(number) - before


def in_order(sent, ids):
    chosen = [number for number in sent if number in set(ids)]
    return chosen == sorted(chosen)


BOUND = QUANTUM + 2 * WINDOW
"""What goes before a single message beside one bulk: a quantum, and what the session has taken already."""


@pytest.mark.parametrize("gone", [0, 1, 37])
def test_a_single_message_passes_a_bulk_that_waits_on_disk(start, gone):
    small = start(head=20)
    bulk = small.submit(600, from_account("acme"))
    slow = Slow(small)
    slow.answer(gone)
    (single,) = small.submit(1, from_account("other"))
    assert slow.until(single) <= BOUND
    ten = small.submit(10, from_account("third"))
    assert slow.until(ten[-1]) <= 2 * QUANTUM + 10 + 2 * WINDOW
    assert in_order(slow.sent, bulk)


def test_a_single_message_passes_many_bulks_and_the_head_stays_short(start):
    small = start(head=20)
    bulks = [small.submit(150, from_account(f"bulk{number}")) for number in range(6)]
    lane = small.lanes.get("one")
    assert len(lane.waiting) <= 2 * lane.head_limit
    slow = Slow(small)
    slow.answer(60)
    assert len(lane.waiting) <= 2 * lane.head_limit
    (single,) = small.submit(1, from_account("single"))
    assert slow.until(single) <= 6 * QUANTUM + 2 * WINDOW
    slow.answer(1000)
    assert all(in_order(slow.sent, bulk) for bulk in bulks)
    assert small.count("one") == 0


def test_in_a_crowd_too(start, monkeypatch):
    monkeypatch.setattr(lanes_module, "CROWD", 100)
    monkeypatch.setattr(lanes_module, "CROWDED_HEAD", 5)
    small = start(head=50)
    small.submit(400, from_account("acme"))
    slow = Slow(small)
    (single,) = small.submit(1, from_account("other"))
    assert slow.until(single) <= BOUND


def test_what_comes_while_a_page_is_read_does_not_wait_for_the_next_one(start):
    """The head is through, and the page under way, too early for the single one, with the messages that go behind it."""
    small = start(head=40)
    bulk = small.submit(400, from_account("acme"))
    lane = small.lanes.get("one")
    slow = Slow(small, window=40, hand_over=True)
    assert lane.tail.reading
    assert not lane.heap
    origin, sender = small.engine.ports["customers"], small.engine.sender("other")
    single = small.engine.receiver.receive(from_account("other")(0), origin, sender, lambda _a, _e: None, None)
    late = small.engine.receiver.receive(from_account("acme")(0), origin, sender, lambda _a, _e: None, None)
    assert lane.tail.late, "it waits for the page"
    assert small.spool.flush()
    wait(lambda: not lane.tail.reading and len(slow.sent) == 40)
    assert slow.until(single) <= QUANTUM
    slow.answer(1000)
    assert in_order(slow.sent, [*bulk, late])
    assert sorted(slow.sent) == sorted([*bulk, single, late])


@pytest.mark.parametrize("in_memory", [1000, 0])
def test_hundreds_of_retries_at_once_let_a_single_message_pass(start, monkeypatch, in_memory):
    """They come back with turns of long ago, from memory or from disk."""
    monkeypatch.setattr(lanes_module, "DELAYED_LIMIT", in_memory)
    small = start(head=20)
    ids = small.submit(400, from_account("acme"))
    slow = Slow(small, window=10)
    for _ in range(400):
        message = next(iter(slow.carrier.in_flight.values()))
        small.engine.deliverer.refused(slow.port, slow.carrier, message, 8, Cause.REFUSED)
        assert small.spool.flush()
        wait(lambda: slow.carrier.in_flight or len(slow.sent) == 400)
    small.lanes.detach(slow.carrier)
    assert sorted(slow.sent) == ids
    small.submit(50, from_account("acme"))
    later = time.time() + 3600
    small.lanes.tick(later)
    wait(lambda: not slow.lane.deferred and not slow.lane.delayed)
    (single,) = small.submit(1, from_account("other"))
    slow = Slow(small)
    assert slow.until(single) <= 2 * QUANTUM + 2 * WINDOW
    slow.answer(1000)
    assert small.count("one") == 0


def test_a_campaign_that_is_due_lets_a_single_message_pass(start, monkeypatch):
    """Also one that is due a second after it: all that is due wakes at once, not a page a second."""
    monkeypatch.setattr(paging, "PAGE", 20)
    small = start(head=20)
    due = time.time() + 100
    campaign = small.submit(300, from_account("acme", due=due))
    (single,) = small.submit(1, from_account("other", due=due + 1))
    small.lanes.tick(due + 3)
    wait(lambda: not small.lanes.get("one").deferred)
    slow = Slow(small)
    assert slow.until(single) <= BOUND
    slow.answer(1000)
    assert in_order(slow.sent, campaign)


def test_a_moved_bulk_lets_a_single_message_pass(start):
    small = start(head=20)
    bulk = small.submit(300, from_account("acme"))
    one, two = small.lanes.get("one"), small.lanes.get("two")
    sweep = small.operations.move(one, two, Selection())
    assert sweep.over.wait(SECONDS)
    slow = Slow(small, "two")
    slow.answer(25)
    single = from_account("other")(0)
    single.id, single.expires = small.spool.next_id(), time.time() + 1000
    small.spool.accept(single, two.number, small.lanes.add(single, two))
    assert small.spool.flush()
    assert slow.until(single.id) <= BOUND
    slow.answer(1000)
    assert in_order(slow.sent, bulk)
    assert len(slow.sent) == 301


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_move_keeps_the_order_of_each_account(tmp_path_factory, data):
    small = SmallEngine(tmp_path_factory.mktemp("move"), head=10)
    try:
        of = {}
        for account in data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=8)):
            for number in small.submit(data.draw(st.integers(1, 30)), from_account(account)):
                of[number] = account
        slow = Slow(small)
        slow.answer(data.draw(st.integers(0, 20)))
        one, two = small.lanes.get("one"), small.lanes.get("two")
        small.submit(data.draw(st.integers(0, 30)), from_account("d"))
        sweep = small.operations.move(one, two, Selection())
        assert sweep.over.wait(SECONDS)
        _carrier, sent = small.carrier("two")
        wait(lambda: not two.size)
        last = defaultdict(int)
        for number in sent:
            account = of.get(number, "d")
            assert number > last[account]
            last[account] = number
        assert small.count("two") == 0
        assert one.size == len(slow.carrier.in_flight)
    finally:
        small.close()


def test_after_a_restart_a_single_message_still_passes(start):
    small = start(head=20)
    bulk = small.submit(500, from_account("acme"))
    slow = Slow(small)
    slow.answer(70)
    small.engine.deliverer.release(slow.port, slow.carrier)
    before = list(slow.sent)
    small = start(head=20)
    (single,) = small.submit(1, from_account("other"))
    more = small.submit(30, from_account("acme"))
    slow = Slow(small)
    assert slow.until(single) <= BOUND
    slow.answer(1000)
    assert in_order(slow.sent, bulk + more)
    assert set(before) | set(slow.sent) == {*bulk, *more, single}


def test_until_the_backlog_is_known_nobody_overtakes_himself(start, monkeypatch):
    small = start(head=20)
    bulk = small.submit(300, from_account("acme"))
    hidden = small.submit(100, from_account("other"))

    def too_slow(*_arguments):
        raise SpoolError("not read in time")

    monkeypatch.setattr(Engine, "look", too_slow)
    small = start(head=20)
    more = small.submit(30, from_account("other")) + small.submit(30, from_account("acme"))
    slow = Slow(small)
    slow.answer(1000)
    assert in_order(slow.sent, bulk + more[30:])
    assert in_order(slow.sent, hidden + more[:30])
    assert len(slow.sent) == 460


def test_a_spool_of_before_there_were_turns(start):
    """Its ranks are 0 to 5 in the rows; what stood in it goes first in its priority, and in its order."""
    small = start(head=20)
    old = small.submit(100, from_account("acme"))
    path = Path(small.spool.path)
    small.close()
    db = sqlite3.connect(path)
    for number, rank, body in db.execute("SELECT id, rank, body FROM message").fetchall():
        fields = msgspec.msgpack.decode(body)[:-1]  # the turn is the last one
        row = (rank >> TURN_BITS, msgspec.msgpack.encode(fields), number)
        db.execute("UPDATE message SET rank = ?, body = ? WHERE id = ?", row)
    db.execute("DROP TABLE balance")
    db.execute("DROP TABLE submission")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    small.close = lambda: None  # it is
    small = start(head=20)
    urgent = small.submit(5, from_account("other", rank=0))
    new = small.submit(100, from_account("acme"))
    slow = Slow(small)
    slow.answer(1000)
    assert [number for number in slow.sent if number not in urgent] == old + new
    assert [number for number in slow.sent if number in urgent] == urgent


def test_what_went_to_disk_before_it_was_kept_is_not_there_when_it_was_not(start):
    """The head is cut at messages whose own commit then fails: their senders were told so, and nothing of them stays."""
    small = start(head=20)
    bulk = small.submit(100, from_account("acme"))
    lane = small.lanes.get("one")
    before = lane.tail.count
    (pages,) = small.spool._db.execute("PRAGMA page_count").fetchone()
    small.spool._db.execute(f"PRAGMA max_page_count = {pages}")
    origin, refused = small.engine.ports["customers"], []
    for number in range(12 * QUANTUM):
        message = from_account(f"account{number % 12}", body=b"x" * 140)(0)
        sender = small.engine.sender(message.account)
        small.engine.receiver.receive(message, origin, sender, lambda _a, error: refused.append(error), None)
    assert lane.tail.count > before + 20, "some were cut off, and are not on disk yet"
    with gevent.Timeout(SECONDS):
        while len(refused) < 12 * QUANTUM:
            gevent.sleep(0.01)
    assert all(refused)
    small.spool._db.execute("PRAGMA max_page_count = 1000000")
    with gevent.Timeout(SECONDS):
        while small.spool.full_since:
            gevent.sleep(0.01)
    left = small.spool.ask(lambda db: db.execute("SELECT count(*) FROM message WHERE id > ?", (bulk[-1],)).fetchone())
    assert left == (0,)
    slow = Slow(small)
    slow.answer(200)
    assert slow.sent == bulk
    assert small.count("one") == 0


def test_what_came_late_to_a_page_whose_commit_failed_is_gone(start):
    small = start(head=20)
    bulk = small.submit(300, from_account("acme"))
    lane = small.lanes.get("one")
    for message in list(lane.waiting.values()):
        small.lanes.take(message)
        small.lanes.finished(message, lane)
    lane.heap.clear()
    small.lanes.touch(lane)
    small.lanes.pump()
    assert lane.tail.late == []
    (pages,) = small.spool._db.execute("PRAGMA page_count").fetchone()
    small.spool._db.execute(f"PRAGMA max_page_count = {pages}")
    origin, refused = small.engine.ports["customers"], []
    for number in range(200):
        message = from_account(f"account{number}", body=b"x" * 140)(0)
        sender = small.engine.sender(message.account)
        small.engine.receiver.receive(message, origin, sender, lambda _a, error: refused.append(error), None)
    assert len(lane.tail.late) > 100
    with gevent.Timeout(SECONDS):
        while len(refused) < 200:
            gevent.sleep(0.01)
    small.spool._db.execute("PRAGMA max_page_count = 1000000")
    with gevent.Timeout(SECONDS):
        while small.spool.full_since or lane.tail.reading:
            gevent.sleep(0.01)
    assert len({str(error) for error in refused}) == 1, "they came in one commit"
    slow = Slow(small)
    slow.answer(1000)
    assert [number for number in slow.sent if number <= bulk[-1]] == bulk[20:]
    assert len(slow.sent) == 280 + (0 if refused[0] else 200)


def test_a_queue_of_one_account_has_no_turns(start):
    small = start()
    small.submit(3)
    assert small.lanes.get("customers/acme").turns is None
    assert small.lanes.get("one").turns.remembered == 1
