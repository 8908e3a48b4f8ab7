"""What is done from time to time: nothing that is over stays for ever, and nothing that is not over goes."""

import sqlite3
import time

import gevent
import pytest

from emg.engine import events
from emg.engine.upkeep import DAY, Upkeep
from emg.message import Report, State
from emg.spool import batch
from tests.engines import SmallEngine, short


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def groups(small):
    return [row[0] for row in small.rows("SELECT parent FROM part_group")]


def test_a_group_goes_when_no_report_can_come_for_it_any_more(small):
    now = time.time()
    small.spool.keep_group(99, now, b"a group whose last part was lost")
    upkeep = Upkeep(small.engine)
    upkeep.tick(now + small.config.dlrexpire)
    assert groups(small) == [99]
    upkeep.tick(now + small.config.dlrexpire + 2 * DAY)
    assert groups(small) == []


PASSED = 8 * DAY


def open_reports(small, message, *, recent):
    """Send it; its open reports are in memory, or on disk alone. Gives the ids by which they are reported on."""
    (number,) = small.submit(1, lambda _: message)
    carrier, sent = small.carrier("one")
    small.lanes.touch(small.lanes.get("one"))
    while not small.engine.open_reports.count or carrier.in_flight:
        assert small.spool.flush()
        gevent.sleep(0)
    assert small.spool.flush()
    small.spool.note("clean", 1)  # with which the journal goes into the tables
    small.spool.settle()
    if not recent:
        small.engine.open_reports._on_disk = len(small.engine.open_reports._recent)
        small.engine.open_reports._recent.clear()
        small.engine.groups._recent.clear()
    return number, [f"r{each}" for each in sent]


@pytest.mark.parametrize("recent", [True, False], ids=["in memory", "on disk"])
@pytest.mark.parametrize("size", [5, 400], ids=["short", "split"])
@pytest.mark.parametrize("first", ["sweep", "report"])
def test_a_report_in_the_commit_of_its_expiry_makes_one_end(small, first, size, recent):
    _number, ids = open_reports(small, short(body=b"a" * size), recent=recent)
    port, answers = small.engine.ports["one"], []

    def report():
        for each in ids:
            told = Report(0, State.DELIVERED, remote_id=each)
            small.engine.reporter.take(port, told, (each,), "", lambda *answer: answers.append(answer), each)

    for step in (report, lambda: Upkeep(small.engine).tick(time.time() + PASSED))[:: -1 if first == "sweep" else 1]:
        step()
    for _ in range(3):
        small.spool.settle()
    assert sorted(answers) == sorted((each, None) for each in ids)
    ended = [event.id for event in small.events(events.Ended)]
    assert len(ended) == len(set(ended)) == (1 if size < 100 else len(ids) + 1)
    assert small.engine.open_reports.count == 0
    assert small.rows("SELECT key FROM open_report") == []
    assert small.rows("SELECT parent FROM part_group") == []


def test_an_expiry_that_the_disk_refuses_at_first_makes_one_end(small, monkeypatch):
    _number, (remote_id,) = open_reports(small, short(), recent=True)
    port, answers = small.engine.ports["one"], []
    small.engine.reporter.expired(small.engine.open_reports._recent["one", remote_id])
    write, failures = batch.write, []

    def fail_once(*arguments):
        monkeypatch.setattr(batch, "write", write)
        failures.append(arguments)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(batch, "write", fail_once)
    while not small.spool.full_since:
        gevent.sleep(0)
    assert len(failures) == 1
    told = Report(0, State.DELIVERED, remote_id=remote_id)
    small.engine.reporter.take(port, told, (remote_id,), "", lambda *answer: answers.append(answer), None)
    assert small.spool.flush()
    assert [event.state for event in small.events(events.Ended)] == [State.UNKNOWN]
    assert small.engine.ports["one"].counters.duplicates + len(small.events(events.Orphaned)) == 1


def test_s30_of_two_with_one_id_the_newer_is_meant_and_the_older_told_of_and_ended_by_its_time(small, caplog):
    carrier, sent = small.carrier("one", answering=False)
    older, newer = small.submit(2, lambda _: short())
    while len(sent) < 2:
        small.spool.settle()
    port, answers = small.engine.ports["one"], []
    for message in list(carrier.in_flight.values()):
        small.engine.deliverer.sent(port, carrier, message, "same")
    small.spool.settle()
    small.spool.note("clean", 1)
    small.spool.settle()
    assert small.engine.open_reports.reused == 1
    assert f"calls message {newer} same, as it does message {older}" in caplog.text
    told = Report(0, State.DELIVERED, remote_id="same")
    small.engine.reporter.take(port, told, ("same",), "", lambda *answer: answers.append(answer), None)
    small.spool.settle()
    Upkeep(small.engine).tick(time.time() + PASSED)
    for _ in range(2):
        small.spool.settle()
    ended = [(event.id, event.state) for event in small.events(events.Ended) if event.id in (older, newer)]
    assert ended == [(newer, State.DELIVERED), (older, State.UNKNOWN)]
    assert small.engine.open_reports.count == 0
