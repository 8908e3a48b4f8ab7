"""Which message a delivery report is about when its id says nothing (S17), and what it is never taken for."""

import gevent
import pytest

from emg.engine.events import Ended
from emg.message import Report, State
from tests.engines import SmallEngine

DEST = "46701234567"


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def report(small, remote_id, state=State.DELIVERED, dest=DEST):
    """The operator reports; what the acknowledgement says."""
    told = []
    small.engine.reporter.take(
        small.engine.ports["one"], Report(0, state, remote_id=remote_id), (remote_id,), dest,
        lambda _argument, error: told.append(error), None,
    )  # fmt: skip
    assert small.spool.flush()
    gevent.sleep(0)
    assert small.spool.flush()
    assert told == [None], "every report is acknowledged"


def ended(small):
    return [event.id for event in small.events(Ended)]


def cut(small, window=10):
    """Submit a message, and lose the connection that it left by."""
    carrier, sent = small.carrier("one", window, answering=False)
    (number,) = small.submit(1)
    assert sent == [number]
    small.engine.deliverer.release(small.engine.ports["one"], carrier)
    return number


def answer(small, carrier, number, remote_id):
    small.engine.deliverer.sent(small.engine.ports["one"], carrier, carrier.in_flight[number], remote_id)
    assert small.spool.flush()


def test_s17_a_report_with_the_first_copys_id_is_for_the_message_that_was_sent_again(small):
    number = cut(small)
    carrier, sent = small.carrier("one", answering=False)
    assert small.spool.flush()
    assert sent == [number]
    answer(small, carrier, number, "second")
    report(small, "first")
    assert ended(small) == [number]
    report(small, "second")
    assert ended(small) == [number]


def test_a_message_that_still_waits_is_not_taken_for_sent(small):
    """The report may be somebody else's: the message would never leave."""
    number = cut(small)
    report(small, "unknown")
    assert ended(small) == []
    assert small.waiting("one") == [number]
    assert len(small.engine.orphans) == 1


def test_a_repeated_report_is_not_taken_for_another_messages(small):
    carrier, _ = small.carrier("one", answering=False)
    (done,) = small.submit(1)
    answer(small, carrier, done, "known")
    report(small, "known")
    assert ended(small) == [done]
    small.engine.deliverer.release(small.engine.ports["one"], carrier)
    number = cut(small)
    again, _ = small.carrier("one", answering=False)
    assert small.spool.flush()
    answer(small, again, number, "second")
    report(small, "known")
    assert ended(small) == [done]


def test_a_report_that_overtook_its_answer_is_not_taken_for_another_messages(small):
    number = cut(small)
    carrier, _ = small.carrier("one", answering=False)
    assert small.spool.flush()
    answer(small, carrier, number, "second")
    (other,) = small.submit(1)
    report(small, "early")
    assert ended(small) == []
    answer(small, carrier, other, "early")
    assert ended(small) == [other]


def test_an_intermediate_report_ends_nothing(small):
    number = cut(small)
    carrier, _ = small.carrier("one", answering=False)
    assert small.spool.flush()
    answer(small, carrier, number, "second")
    report(small, "first", State.SENT)
    assert ended(small) == []


def test_what_reports_say_is_counted_where_they_belong_to_a_message(small):
    carrier, _ = small.carrier("one", answering=False)
    first, second = small.submit(2)
    answer(small, carrier, first, "first")
    answer(small, carrier, second, "second")
    report(small, "first", State.SENT)
    report(small, "nobody's")
    counters = small.engine.ports["one"].counters
    assert (counters.delivered, counters.undelivered) == (0, 0)
    report(small, "first")
    report(small, "first")
    report(small, "second", State.FAILED)
    assert (counters.delivered, counters.undelivered) == (1, 1)
    (early,) = small.submit(1)
    report(small, "third")
    answer(small, carrier, early, "third")
    assert (counters.delivered, counters.undelivered) == (2, 1), "it came before its message's answer"


def test_s39_an_open_report_survives_a_restart(tmp_path):
    small = SmallEngine(tmp_path)
    carrier, _ = small.carrier("one", answering=False)
    (number,) = small.submit(1)
    answer(small, carrier, number, "r1")
    small.close()
    again = SmallEngine(tmp_path)
    report(again, "r1")
    assert ended(again) == [number]
    assert again.lanes.get("customers/acme").size == 1
    report(again, "r1")
    assert ended(again) == [number]
    assert again.lanes.get("customers/acme").size == 1
    again.close()


def test_a_report_whose_answer_is_read_while_the_disk_is_searched_for_it_ends_its_message(small):
    """Were it kept as an orphan, the open report would wait for one that was acknowledged long ago."""
    small.engine.open_reports._on_disk = 1  # as after a restart: what is not in memory may be on disk
    carrier, _ = small.carrier("one", answering=False)
    (number,) = small.submit(1)
    told = []
    small.engine.reporter.take(
        small.engine.ports["one"], Report(0, State.DELIVERED, remote_id="r1"), ("r1",), DEST,
        lambda _argument, error: told.append(error), None,
    )  # fmt: skip
    small.engine.deliverer.sent(small.engine.ports["one"], carrier, carrier.in_flight[number], "r1")
    with gevent.Timeout(10):
        while not told:
            gevent.sleep(0.001)
    assert told == [None]
    assert ended(small) == [number]
    assert len(small.engine.orphans) == 0
    assert small.engine.open_reports.count == 0
