"""Lanes on a real spool: order, also over sessions, pages, pauses and restarts; nothing stands still for want of somebody who looks."""

import shutil
import time

import gevent
import pytest

from emg.engine import lanes as lanes_module
from emg.engine.events import Ended, Sent
from emg.errors import Cause
from emg.message import Want
from emg.wire.smpp.names import Status
from tests.engines import SmallEngine, short


@pytest.fixture
def start(tmp_path):
    engines = []

    def begin(**settings):
        engines.append(SmallEngine(tmp_path, **settings))
        return engines[-1]

    yield begin
    for each in engines:
        each.close()


def wait(look, seconds=5.0):
    with gevent.Timeout(seconds):
        while not look():
            gevent.sleep(0.005)


def quiet(_number):
    return short(want=Want.NOTHING)


def test_order_is_kept_through_pages(start):
    small = start(head=20)
    ids = small.submit(500, quiet)
    assert small.lanes.get("one").spilled_count > 400
    _, sent = small.carrier("one")
    wait(lambda: len(sent) == 500 and not small.lanes.get("one").size)
    assert sent == ids
    assert small.count("one") == 0


def test_priority_goes_before_arrival_through_pages(start):
    small = start(head=20)
    low = small.submit(100, quiet)
    high = small.submit(100, lambda _: short(want=Want.NOTHING, rank=0))
    _, sent = small.carrier("one")
    wait(lambda: len(sent) == 200 and not small.lanes.get("one").size)
    assert [number for number in sent if number in set(high)] == high
    assert [number for number in sent if number in set(low)] == low
    # the head of the others was in memory already, and no more than that goes first
    assert sum(1 for number in sent[:100] if number in set(low)) <= 40


def test_a_lane_goes_on_while_others_hold_a_crowd(start, monkeypatch):
    """A connector that is down with a long queue keeps no other one from sending."""
    monkeypatch.setattr(lanes_module, "CROWD", 100)
    small = start(head=20)
    small.submit(200, quiet)
    _, sent = small.carrier("two")
    lane = small.lanes.get("two")
    for _ in range(30):
        message = short(want=Want.NOTHING)
        message.id = small.spool.next_id()
        message.expires = time.time() + 1000
        small.spool.accept(message, lane.number, small.lanes.add(message, lane))
        small.spool.flush()
    wait(lambda: len(sent) == 30)


def test_what_was_loaded_before_a_crash_still_goes_before_what_came_later(start, tmp_path):
    """A page is in memory and on disk, what came after it is in memory alone: after a crash the page has to come first again."""
    small = start(head=20)
    ids = small.submit(40, quiet)
    carrier, sent = small.carrier("one", window=1, answering=False)
    wait(lambda: len(sent) == 1)
    port = small.engine.ports["one"]
    for _ in range(30):  # the head empties, the rest is loaded
        before = len(sent)
        small.engine.deliverer.sent(port, carrier, next(iter(carrier.in_flight.values())), "r")
        assert small.spool.flush()
        wait(lambda before=before: len(sent) > before)
    assert not small.lanes.get("one").spilled_count
    later = small.submit(8, quiet)
    left = [number for number in [*ids, *later] if number not in sent]
    other = tmp_path / "after"
    (other / "spool").mkdir(parents=True)
    for name in ("spool.db", "spool.db-wal"):
        shutil.copy(tmp_path / "spool" / name, other / "spool" / name)
    again = SmallEngine(other, head=20)
    try:
        _, second = again.carrier("one")
        wait(lambda: len(second) >= len(left) + len(carrier.in_flight))
        assert second == sorted(second)
    finally:
        again.close()


def test_a_destination_stays_on_its_session_when_another_one_joins(start):
    small = start()
    _, first = small.carrier("one", window=2, answering=False)
    held = small.submit(2, quiet)
    wait(lambda: first == held)
    _, second = small.carrier("one", window=10, answering=False)
    small.submit(2, quiet)  # to the same number
    other = small.submit(1, lambda _: short("46709999999", want=Want.NOTHING))
    assert small.spool.flush()
    gevent.sleep(0.05)
    assert second in ([], other)


def test_what_is_marked_goes_back_behind_nothing_when_the_far_side_throttles(start):
    small = start()
    carrier, sent = small.carrier("one", window=1, answering=False)
    carrier.depth = 4
    ids = small.submit(10, quiet)
    port = small.engine.ports["one"]
    wait(lambda: len(sent) == 1)
    small.engine.deliverer.refused(port, carrier, carrier.in_flight[sent[0]], int(Status.RTHROTTLED), Cause.THROTTLED)
    assert not carrier.in_flight
    for turn in range(2, 12):
        wait(lambda turn=turn: len(sent) == turn)
        small.engine.deliverer.sent(port, carrier, next(iter(carrier.in_flight.values())), "r")
    assert sent == [ids[0], *ids]


def test_a_far_side_that_throttles_again_and_again_fills_no_log(start, caplog):
    caplog.set_level("INFO", "emg.engine")
    small = start()
    carrier, sent = small.carrier("one", window=1, answering=False)
    ids = small.submit(2, quiet)
    port = small.engine.ports["one"]
    for turn, number in enumerate(ids):
        wait(lambda turn=turn: len(sent) == 2 * turn + 1)
        message = carrier.in_flight[number]
        small.engine.deliverer.refused(port, carrier, message, int(Status.RTHROTTLED), Cause.THROTTLED)
        wait(lambda turn=turn: len(sent) == 2 * turn + 2)
        small.engine.deliverer.sent(port, carrier, carrier.in_flight[number], "r")
    assert port.counters.throttled == 2
    assert [record.getMessage() for record in caplog.records if "throttled" in record.getMessage()] == [
        "connector one is throttled by the far side"
    ]


def test_a_message_that_stands_ready_can_still_be_taken_back(start):
    small = start()
    carrier, sent = small.carrier("one", window=1, answering=False)
    carrier.depth = 4
    ids = small.submit(4, quiet)
    wait(lambda: len(sent) == 1)
    lanes = small.engine.lanes
    assert lanes.find_waiting(ids[0]) is None, "it is transmitted"
    ready = lanes.find_waiting(ids[2])
    assert ready is not None
    assert lanes.remove(ids[2], Cause.CANCELLED) is ready
    for turn in range(2, 4):
        small.engine.deliverer.sent(small.engine.ports["one"], carrier, next(iter(carrier.in_flight.values())), "r")
        wait(lambda turn=turn: len(sent) == turn)
    assert sent == [ids[0], ids[1], ids[3]]


def test_deferred_messages_come_when_they_are_due(start):
    small = start()
    now = time.time()
    (late,) = small.submit(1, lambda _: short(want=Want.NOTHING, due=now + 1000))
    (early,) = small.submit(1, lambda _: short(want=Want.NOTHING, due=now + 500))
    _, sent = small.carrier("one")
    for then, expected in ((100, []), (502, [early]), (1002, [early, late])):
        small.lanes.tick(now + then)
        assert small.spool.flush()
        wait(lambda expected=expected: sent == expected)
    assert small.count("one") == 0


def test_what_expires_on_disk_ends_once_and_is_reported(start):
    small = start(head=5)
    now = time.time()
    ids = small.submit(30, lambda _: short(expires=now + 100))
    deferred = small.submit(5, lambda _: short(expires=now + 100, due=now + 50))
    for _ in range(3):
        small.lanes.tick(now + 200)
        assert small.spool.flush()
    wait(lambda: small.count("one") == 0)
    ended = [event.id for event in small.events(Ended)]
    assert sorted(ended) == sorted(ids + deferred)
    assert small.lanes.get("customers/acme").size == 35


def test_each_message_is_sent_and_ended_once_when_the_spool_cannot_write_for_a_while(start):
    """Disk full, then room again: what was settled meanwhile is neither lost nor doubled."""
    small = start(head=5)
    now = time.time()
    deferred = small.submit(10, lambda _: short(want=Want.NOTHING, due=now + 1))
    ids = small.submit(50, quiet)
    small.spool.ask(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    carrier, sent = small.carrier("one", window=5)
    small.lanes.tick(now + 3)
    gevent.sleep(0.6)
    small.lanes.tick(now + 4)
    gevent.sleep(0.3)
    small.spool._db.execute("PRAGMA max_page_count = 1000000")
    wait(lambda: len(sent) >= 60 and not carrier.in_flight)
    assert small.spool.flush()
    assert sorted(sent) == sorted(deferred + ids)
    assert sorted(event.id for event in small.events(Sent)) == sorted(sent)
    assert small.count("one") == 0
