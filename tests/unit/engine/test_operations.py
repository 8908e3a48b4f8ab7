"""Clearing and moving queues on a real spool: in memory, behind the head and deferred, at rest and while traffic runs."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from emg.config.model import MessageMode
from emg.engine import events, inspection, interventions
from emg.engine.operations import Selection, Sweep
from emg.errors import ControlError, SpoolError
from emg.message import Encoding, Message, State
from emg.text.split import split
from tests.engines import SmallEngine, short

SECONDS = 20.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallEngine]:
    engine = SmallEngine(tmp_path, head=20)
    yield engine
    engine.close()


def done(sweep: Sweep) -> Sweep:
    assert sweep.over.wait(SECONDS), "the sweep did not end"
    assert not sweep.fault
    return sweep


def mixed(number: int) -> Message:
    """Of each seven messages one is scheduled for later."""
    return short(f"4670{number:07d}", due=time.time() + 3600 if number % 7 == 0 else 0.0)


def test_clear_ends_each_message_once_and_reports_it(small: SmallEngine) -> None:
    ids = small.submit(700, mixed)
    lane = small.lanes.get("one")
    assert (len(lane.waiting), lane.deferred, lane.spilled_count) == (20, 100, 580)
    sweep = done(small.operations.clear(lane, Selection()))
    assert sweep.status()["messages"] == 700
    assert small.count("one") == 0
    assert small.waiting("one") == []
    ended = small.events(events.Ended)
    assert sorted(event.id for event in ended) == ids
    assert {event.state for event in ended} == {State.DELETED}
    assert small.count("customers/acme") == 700, "each sender asked for a report and gets it"
    assert small.lanes.total == 700


def test_move_keeps_everything_and_the_order(small: SmallEngine) -> None:
    ids = small.submit(700, mixed)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    done(small.operations.move(one, two, Selection()))
    assert small.count("one") == 0
    assert small.count("two") == 700
    assert two.deferred == 100
    assert small.waiting("two") == ids
    assert sorted(event.id for event in small.events(events.Moved)) == ids
    _carrier, sent = small.carrier("two")
    with gevent.Timeout(SECONDS):
        while two.size > 100:
            gevent.sleep(0.01)
    assert sent == [number for index, number in enumerate(ids) if index % 7], "in the order in which they came"
    assert small.count("two") == 100


def test_what_was_moved_is_there_after_a_restart(tmp_path: Path) -> None:
    small = SmallEngine(tmp_path, head=20)
    ids = small.submit(300, mixed)
    done(small.operations.move(small.lanes.get("one"), small.lanes.get("two"), Selection()))
    small.close()
    small = SmallEngine(tmp_path, head=20)
    assert small.count("two") == 300
    assert small.count("one") == 0
    assert small.waiting("two") == ids
    small.close()


def test_a_move_under_traffic_sends_each_message_exactly_once(small: SmallEngine) -> None:
    ids = small.submit(700, lambda number: short(f"4670{number:07d}"))
    _one, sent_one = small.carrier("one", window=10)
    _two, sent_two = small.carrier("two", window=10)
    with gevent.Timeout(SECONDS):
        while len(sent_one) < 50:
            gevent.sleep(0.001)
        sweep = small.operations.move(small.lanes.get("one"), small.lanes.get("two"), Selection())
        late = small.submit(50, lambda number: short(f"4671{number:07d}"))
        done(sweep)
        while small.lanes.get("one").size or small.lanes.get("two").size:
            gevent.sleep(0.01)
    assert sorted(sent_one + sent_two) == sorted(ids + late), "none lost, none twice"
    assert set(late) <= set(sent_one), "what came after the command stays"
    assert sent_two == sorted(sent_two)
    assert len(sent_two) == sweep.count > 0
    assert small.count("one") == small.count("two") == 0


def test_back_and_forth_under_traffic_sends_each_message_exactly_once(small: SmallEngine) -> None:
    ids = small.submit(500, lambda number: short(f"4670{number:07d}"))
    _one, sent_one = small.carrier("one", window=5)
    _two, sent_two = small.carrier("two", window=5)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    with gevent.Timeout(SECONDS):
        for _ in range(6):
            done(small.operations.move(one, two, Selection(prefix="46700000")))
            gevent.sleep(0.005)
            done(small.operations.move(two, one, Selection()))
        while one.size or two.size:
            gevent.sleep(0.01)
    assert sorted(sent_one + sent_two) == ids
    assert small.count("one") == small.count("two") == 0
    # asked of the spool: beside it, the table still shows what left a moment ago
    left = small.spool.ask(lambda db: db.execute("SELECT count(*) FROM message WHERE id <= ?", (ids[-1],)).fetchone())
    assert left == (0,)


def test_what_is_in_flight_stays(small: SmallEngine) -> None:
    ids = small.submit(60, lambda number: short(f"4670{number:07d}"))
    _carrier, sent = small.carrier("one", window=5, answering=False)
    with gevent.Timeout(SECONDS):
        while len(sent) < 5:
            gevent.sleep(0.001)
    done(small.operations.move(small.lanes.get("one"), small.lanes.get("two"), Selection()))
    assert small.waiting("one") == sent == ids[:5]
    assert small.count("one") == 5
    assert small.count("two") == 55


def test_a_page_that_was_read_before_brings_nothing_back(small: SmallEngine) -> None:
    """The refill of the head is asked for, and before it comes the messages on that page are moved."""
    ids = small.submit(100)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    assert one.spilled_count == 80
    for message in list(one.waiting.values()):
        small.lanes.take(message)
        small.lanes.finished(message, one)
    one.heap.clear()
    small.lanes.touch(one)
    small.lanes.pump()  # asks for the page
    assert one.tail.reading
    done(small.operations.move(one, two, Selection()))
    assert small.count("one") == 0
    assert small.count("two") == 80
    assert small.waiting("two") == ids[20:]


def test_only_the_selection(small: SmallEngine) -> None:
    def make(number: int) -> Message:
        return short(("4670" if number % 2 else "4680") + f"{number:07d}", "acme" if number % 3 else "other")

    small.submit(300, make)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    counted = done(small.operations.move(one, two, Selection(account="other", prefix="4670"), dry=True))
    assert counted.count == 50
    assert small.count("one") == 300, "a dry run changes nothing"
    assert done(small.operations.move(one, two, Selection(account="other", prefix="4670"))).count == 50
    assert small.count("two") == 50
    assert done(small.operations.clear(one, Selection(account="other"))).count == 50
    assert small.count("one") == 200


def test_a_full_queue_takes_no_more(tmp_path: Path) -> None:
    small = SmallEngine(tmp_path, head=20, two="MAXQUEUESIZE=30")
    small.submit(100)
    sweep = small.operations.move(small.lanes.get("one"), small.lanes.get("two"), Selection())
    assert sweep.over.wait(SECONDS)
    assert "full" in sweep.fault
    assert (small.count("one"), small.count("two")) == (70, 30)
    small.close()


def test_a_disk_that_is_full_delays_a_sweep_and_loses_nothing(small: SmallEngine) -> None:
    ids = small.submit(600, mixed)
    assert small.spool.flush()
    (pages,) = small.spool._db.execute("PRAGMA page_count").fetchone()
    small.spool._db.execute(f"PRAGMA max_page_count = {pages}")
    sweep = small.operations.clear(small.lanes.get("one"), Selection())
    with gevent.Timeout(SECONDS):
        while not small.spool.full_since:
            gevent.sleep(0.01)
    assert not sweep.over.is_set()
    small.spool._db.execute("PRAGMA max_page_count = 1000000")
    done(sweep)
    assert small.count("one") == 0
    assert sorted(event.id for event in small.events(events.Ended)) == ids
    assert small.count("customers/acme") == 600


def test_one_sweep_at_a_time(small: SmallEngine) -> None:
    small.submit(50)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    sweep = small.operations.move(one, two, Selection())
    with pytest.raises(ControlError, match="under way"):
        small.operations.clear(one, Selection())
    with pytest.raises(ControlError, match="swept itself"):
        small.operations.move(two, one, Selection())
    done(sweep)
    with pytest.raises(ControlError, match="already"):
        small.operations.move(two, two, Selection())


def test_retries_that_wait_move_with_their_time(small: SmallEngine) -> None:
    (number,) = small.submit(1)
    one, two = small.lanes.get("one"), small.lanes.get("two")
    message = one.waiting[number]
    small.lanes.take(message)
    small.lanes.put_back(message, one, due=time.time() + 3600)
    message.tries = 4
    done(small.operations.move(one, two, Selection()))
    assert two.waiting[number].due > time.time() + 3000
    assert two.waiting[number].tries == 0, "another way, new tries"
    assert small.count("two") == 1


# -- one message


@pytest.mark.parametrize("which", [0, 7, 50])
def test_cancel_wherever_it_waits(small: SmallEngine, which: int) -> None:
    """0 is deferred, 7 too, 50 behind the head."""
    ids = small.submit(80, mixed)
    assert interventions.cancel(small.engine, ids[which])["cancelled"] == 1
    assert small.count("one") == 79
    assert [event.id for event in small.events(events.Ended)] == [ids[which]]
    with pytest.raises(ControlError, match="does not wait"):
        interventions.cancel(small.engine, ids[which])


def test_cancel_in_flight_is_refused(small: SmallEngine) -> None:
    (number,) = small.submit(1)
    _carrier, sent = small.carrier("one", answering=False)
    with gevent.Timeout(SECONDS):
        while not sent:
            gevent.sleep(0.001)
    with pytest.raises(ControlError, match="in flight"):
        interventions.cancel(small.engine, number)


def test_cancel_a_long_message_ends_all_its_parts(small: SmallEngine) -> None:
    (number,) = small.submit(1, lambda _number: short(body=b"x" * 400))
    assert small.count("one") == 3
    assert interventions.cancel(small.engine, number) == {"id": number, "cancelled": 3, "not_cancelled": 0}
    assert small.count("customers/acme") == 1, "one report for the whole"


def sent_message(small: SmallEngine, **more: object) -> int:
    (number,) = small.submit(1, lambda _number: short(**more))
    small.carrier("one")
    with gevent.Timeout(SECONDS):
        while small.lanes.get("one").size:
            gevent.sleep(0.001)
    assert small.spool.flush()
    return number


def test_a_report_injected_by_our_id_reaches_the_sender_once(small: SmallEngine) -> None:
    number = sent_message(small)
    interventions.report(small.engine, number, State.DELIVERED, "000")
    assert small.engine.open_reports.count == 0
    assert small.count("customers/acme") == 1
    with pytest.raises(ControlError, match="no report is awaited"):
        interventions.report(small.engine, number, State.FAILED, "001")
    assert small.count("customers/acme") == 1


def test_a_report_injected_by_the_providers_id(small: SmallEngine) -> None:
    number = sent_message(small)
    told = interventions.report_by_remote_id(small.engine, "one", f"r{number}", State.FAILED, "042")
    assert told["id"] == number
    assert [event.error for event in small.events(events.Ended)] == ["042"]
    with pytest.raises(ControlError, match="no report is awaited"):
        interventions.report_by_remote_id(small.engine, "one", f"r{number}", State.FAILED, "042")
    with pytest.raises(ControlError, match="no connector or provider"):
        interventions.report_by_remote_id(small.engine, "nine", "1", State.FAILED, "042")


def test_a_report_for_a_long_message_is_for_all_its_parts(small: SmallEngine) -> None:
    number = sent_message(small, body=b"x" * 400)
    assert interventions.report(small.engine, number, State.DELIVERED, "000")["reports"] == 3
    assert small.count("customers/acme") == 1


def test_a_report_for_what_still_waits_is_refused(small: SmallEngine) -> None:
    (number,) = small.submit(1)
    with pytest.raises(ControlError, match="not sent yet"):
        interventions.report(small.engine, number, State.DELIVERED, "000")


def test_the_story_of_a_message(small: SmallEngine) -> None:
    small.engine.receiver.logs_text = True
    (number,) = small.submit(1)
    small.spool.flush()
    assert interventions.trace(small.engine, number)["state"] == "queued"
    done(small.operations.move(small.lanes.get("one"), small.lanes.get("two"), Selection()))
    small.carrier("two")
    with gevent.Timeout(SECONDS):
        while small.lanes.get("two").size:
            gevent.sleep(0.001)
    small.spool.flush()
    assert interventions.trace(small.engine, number)["state"] == "sent"
    interventions.report(small.engine, number, State.DELIVERED, "000")
    small.spool.flush()
    told = interventions.trace(small.engine, number)
    assert told["state"] == "delivered"
    assert [event["event"] for event in told["story"]] == ["accepted", "moved", "sent", "ended"]
    assert told["story"][0]["text"] == "hello"
    with pytest.raises(ControlError, match="nothing is known"):
        interventions.trace(small.engine, number + 77)


def test_the_story_of_a_long_message_shows_its_parts_and_its_report(small: SmallEngine) -> None:
    number = sent_message(small, body=b"x" * 400)
    interventions.report(small.engine, number, State.DELIVERED, "000")
    small.carrier("customers/acme")
    with gevent.Timeout(SECONDS):
        while small.lanes.get("customers/acme").size:
            gevent.sleep(0.001)
    small.spool.flush()
    told = interventions.trace(small.engine, number)
    assert [event["event"] for event in told["story"]] == ["accepted", "split", "split", "split", "ended"]
    assert [event["event"] for event in told["related"]] == ["sent"] * 3 + ["ended"] * 3 + ["sent"]
    parts = [event["part"] for event in told["story"] if event["event"] == "split"]
    assert told["remote_ids"] == [
        {"part": place, "connector": "one", "remote_id": f"r{part}"} for place, part in enumerate(parts, 1)
    ]


def test_the_story_of_a_part_goes_on_with_that_of_the_message_that_it_went_into(small: SmallEngine) -> None:
    port = small.engine.ports["customers"]
    port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)
    pieces = split(b"y" * 400, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=255)
    numbers = [small.submit(1, lambda _, piece=piece: short(udh=piece[0], body=piece[1]))[0] for piece in pieces]
    _, sent = small.carrier("one")
    with gevent.Timeout(SECONDS):
        while small.lanes.get("one").size:
            gevent.sleep(0.001)
    small.spool.flush()
    told = interventions.trace(small.engine, numbers[0])
    assert [event["event"] for event in told["story"]] == ["accepted", "joined"]
    assert {row["remote_id"] for row in told["remote_ids"]} == {f"r{number}" for number in sent}
    assert [row["part"] for row in told["remote_ids"]] == [1, 2, 3]


# -- why


def test_why_a_queue_waits(small: SmallEngine) -> None:
    lane, port = small.lanes.get("one"), small.engine.ports["one"]
    assert inspection.why_waiting(small.engine, lane) == ""
    small.submit(5)
    assert "session" in inspection.why_waiting(small.engine, lane)
    carrier, sent = small.carrier("one", window=2, answering=False)
    with gevent.Timeout(SECONDS):
        while not sent:
            gevent.sleep(0.001)
    assert "window is full: 2 messages" in inspection.why_waiting(small.engine, lane)
    lane.paused_until = time.monotonic() + 50
    assert "slow down" in inspection.why_waiting(small.engine, lane)
    lane.held = True
    assert "on hold" in inspection.why_waiting(small.engine, lane)
    lane.held, port.stopped = False, True
    assert "stopped by an operator" in inspection.why_waiting(small.engine, lane)
    port.stopped, port.started = False, False
    assert "not started" in inspection.why_waiting(small.engine, lane)
    del small.engine.ports["one"]
    assert "gone" in inspection.why_waiting(small.engine, lane)
    small.engine.ports["one"] = port
    small.lanes.detach(carrier)


# -- what outlives a restart


def test_holds_and_stops_outlive_a_restart(tmp_path: Path) -> None:
    small = SmallEngine(tmp_path)
    small.switches.restore(small.engine.ports)
    small.switches.hold(small.lanes.get("one"), held=True)
    small.switches.hold(small.lanes.get("customers"), held=True)
    small.switches.hold(small.lanes.get("customers/other"), held=False)
    small.switches.stop(small.engine.ports["two"], stopped=True)
    assert small.lanes.get("customers/acme").held, "an account's queue follows its connector's, also when it is new"
    small.close()
    small = SmallEngine(tmp_path)
    small.switches.restore(small.engine.ports)
    assert small.lanes.get("one").held
    assert small.lanes.get("customers/acme").held
    assert not small.lanes.get("customers/other").held
    assert small.engine.ports["two"].stopped
    assert not small.engine.ports["one"].stopped
    small.switches.hold(small.lanes.get("one"), held=False)
    small.switches.hold(small.lanes.get("customers"), held=False)
    small.switches.stop(small.engine.ports["two"], stopped=False)
    assert not small.lanes.get("customers/acme").held
    small.close()
    small = SmallEngine(tmp_path)
    small.switches.restore(small.engine.ports)
    assert not small.lanes.get("one").held
    assert not small.engine.ports["two"].stopped
    small.close()


def test_a_look_that_takes_too_long_ends(small: SmallEngine) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(SpoolError, match=r"not read within|interrupted"):
        small.engine.look(lambda db: db.execute(endless).fetchone(), 0.05)
    with pytest.raises(SpoolError, match="no such table"):
        small.engine.look(lambda db: db.execute("SELECT * FROM absent").fetchone())
