"""A far side that asks to slow down is slowed down, and nobody else."""

import time
from types import SimpleNamespace

import gevent
import pytest

from emg.engine import inspection
from emg.engine.slowing import deepen
from emg.errors import Cause
from emg.message import Want
from emg.rules.pacing import ThrottlePause
from emg.wire.smpp.names import Status
from tests.engines import SmallEngine, short


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def wait(look, seconds=5.0):
    with gevent.Timeout(seconds):
        while not look():
            gevent.sleep(0.002)


def deliver(small, account, count):
    """Incoming messages for a customer; gives their ids."""
    lane = small.lanes.get(f"customers/{account}")
    ids = []
    for _ in range(count):
        message = short(account=account, connector="one", want=Want.NOTHING, id=small.spool.next_id())
        small.spool.accept(message, lane.number, small.lanes.add(message, lane))
        ids.append(message.id)
    assert small.spool.flush()
    return ids


def throttle(small, carrier, number, status=Status.RTHROTTLED):
    port, message = small.engine.ports["customers"], carrier.in_flight[number]
    small.engine.deliverer.refused(port, carrier, message, int(status), Cause.THROTTLED)


def take(small, carrier):
    """The customer takes what he was sent first."""
    message = next(iter(carrier.in_flight.values()))
    small.engine.deliverer.sent(small.engine.ports["customers"], carrier, message, "")
    return message.id


@pytest.mark.parametrize("status", [Status.RTHROTTLED, Status.RMSGQFUL])
def test_a_customer_who_throttles_slows_no_other(small, status, monkeypatch):
    port, now = small.engine.ports["customers"], [1000.0]
    monkeypatch.setattr("emg.engine.slowing.time", SimpleNamespace(monotonic=lambda: now[0]))
    slow, to_slow = small.carrier("customers/acme", window=5, answering=False)
    _quick, to_quick = small.carrier("customers/other", window=5)
    ids = deliver(small, "acme", 9)
    wait(lambda: len(to_slow) == 5)
    throttle(small, slow, ids[0], status)
    others = deliver(small, "other", 50)
    wait(lambda: len(to_quick) == 50)
    assert to_quick == others
    assert small.lanes.get("customers/other").paused_until == 0
    assert port.counters.throttled == 1
    for number in ids[1:5]:
        throttle(small, slow, number, status)
    assert not slow.in_flight
    assert small.spool.flush()
    gevent.sleep(0.01)
    assert len(to_slow) == 5, "it stands still"
    assert port.slowed[slow].throttle.wait(now[0]) > 0
    now[0] += 1
    wait(lambda: len(to_slow) == 6)
    while slow.in_flight:
        take(small, slow)
        small.spool.settle()
    assert to_slow[5:] == ids
    assert port.slowed == {}
    assert small.count("customers/acme") == 0


def test_the_window_grows_again_message_by_message(small):
    slow, sent = small.carrier("customers/acme", window=4, answering=False)
    slow.depth = 8
    ids = deliver(small, "acme", 20)
    wait(lambda: len(sent) == 4)
    throttle(small, slow, ids[0])
    depths = []
    while slow.in_flight:
        take(small, slow)  # they were under way, and say nothing
    wait(lambda: slow.in_flight)
    while slow.in_flight:
        depths.append(slow.depth)
        take(small, slow)
        small.spool.settle()
    assert depths[:5] == [1, 2, 3, 8, 8]
    assert small.count("customers/acme") == 0


def test_another_session_of_the_account_takes_what_one_may_not(small):
    slow, sent = small.carrier("customers/acme", window=2, answering=False)
    ids = deliver(small, "acme", 6)
    wait(lambda: len(sent) == 2)
    throttle(small, slow, ids[0])
    throttle(small, slow, ids[1])
    slow_pause = small.engine.ports["customers"].slowed[slow].throttle
    slow_pause.throttled(time.monotonic() + 1, 60)
    assert "asked to slow down" in inspection.why_waiting(small.engine, small.lanes.get("customers/acme"))
    _, others = small.carrier("customers/acme", window=2)
    wait(lambda: len(others) == 6)
    assert others == ids


def test_a_session_that_ends_while_it_is_slowed_leaves_nothing_behind(small):
    port = small.engine.ports["customers"]
    slow, sent = small.carrier("customers/acme", window=2, answering=False)
    ids = deliver(small, "acme", 3)
    wait(lambda: len(sent) == 2)
    throttle(small, slow, ids[0])
    small.engine.deliverer.release(port, slow)
    assert port.slowed == {}
    _, others = small.carrier("customers/acme")
    wait(lambda: len(others) == 3)
    gevent.sleep(ThrottlePause().first + 0.05)
    assert slow.depth == 0


def test_new_settings_lift_no_pause(small):
    port = small.engine.ports["customers"]
    slow, sent = small.carrier("customers/acme", window=2, answering=False)
    ids = deliver(small, "acme", 3)
    wait(lambda: len(sent) == 2)
    throttle(small, slow, ids[0])
    deepen(port, slow, 20)
    assert slow.depth == 0
    while slow.in_flight:
        take(small, slow)
    wait(lambda: slow.in_flight)
    take(small, slow)
    assert slow.depth == 20
