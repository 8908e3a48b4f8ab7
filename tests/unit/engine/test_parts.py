"""The groups of long messages (protocol case S40): one report on the whole, whether they are in memory, on disk, or cannot be read for a while."""

import gevent
import pytest
from gevent.event import AsyncResult

from emg.engine import events, interventions, parts
from emg.engine.parts import Group, Groups
from emg.errors import Cause, ControlError, SpoolError
from emg.message import Report, State
from emg.spool import journal
from tests.engines import SmallEngine, short
from tests.unreadable import FailingReads

GROUPS = "emg.engine.parts"
OPEN_REPORTS = "emg.engine.open_reports"
SECONDS = 10.0


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "KEEP_SECONDS", 0.0)
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def long(count=3):
    """A message of so many parts."""
    return short(body=b"x" * (153 * count - 20))


def sent(small):
    """Submit a message of three parts and let them leave; its id and its parts'."""
    (number,) = small.submit(1, lambda _number: long())
    carrier, left = small.carrier("one")
    until(lambda: small.lanes.get("one").size == 0)
    small.lanes.detach(carrier)
    assert small.spool.flush()
    return number, list(left)


def until(true):
    with gevent.Timeout(SECONDS):
        while not true():
            gevent.sleep(0.001)


def report(small, part, state=State.DELIVERED):
    """The provider reports on a part: the error that he would be answered with."""
    told = AsyncResult()
    remote_id = f"r{part}"
    small.engine.reporter.take(
        small.engine.ports["one"], Report(0, state, remote_id=remote_id), (remote_id,), "46701234567",
        lambda _argument, error: told.set(error), None,
    )  # fmt: skip
    return told.get(timeout=SECONDS)


def ended(small, number):
    return [event.state for event in small.events(events.Ended) if event.id == number]


def reports(small):
    """(message, state, parts, delivered parts) of each report that waits for the sender."""
    waiting = small.lanes.get("customers/acme").waiting.values()
    return [
        (message.report.id, message.report.state, message.report.parts, message.report.delivered_parts)
        for message in waiting
    ]


def kept(small):
    return [number for (number,) in small.rows("SELECT parent FROM part_group")]


def forgotten(small):
    """From now on no group is in memory."""
    small.engine.groups._recent.clear()


def in_spool_only(small):
    """From now on neither groups nor open reports are in memory."""
    small.spool.settle()  # what is in the journal goes into its table
    forgotten(small)
    opens = small.engine.open_reports
    opens._on_disk += len(opens._recent)
    opens._recent.clear()


# -- the group itself


@pytest.mark.parametrize(
    ("states", "verdict", "over", "delivered"),
    [
        ([State.QUEUED, State.QUEUED], None, False, 0),
        ([State.DELIVERED, State.SENT], None, False, 1),
        ([State.DELIVERED, State.DELIVERED], State.DELIVERED, True, 2),
        ([State.FAILED, State.QUEUED], State.FAILED, False, 0),
        ([State.DELIVERED, State.EXPIRED], State.EXPIRED, True, 1),
        ([State.DELIVERED, State.UNKNOWN], State.UNKNOWN, True, 1),
    ],
)
def test_s40_the_whole_is_delivered_when_all_parts_are_and_failed_with_the_first(states, verdict, over, delivered):
    group = Group(parts.ticket_for(short(), "one", "", 0.0, 0.0), [1, 2], [int(state) for state in states])
    assert (group.verdict(), group.over, group.delivered) == (verdict, over, delivered)


def test_a_group_stays_in_the_spool_until_all_its_parts_are_final(small):
    number, (first, second, third) = sent(small)
    for part in (first, second):
        assert report(small, part) is None
        assert kept(small) == [number]
        assert reports(small) == []
    assert report(small, third) is None
    assert kept(small) == []
    assert reports(small) == [(number, State.DELIVERED, 3, 3)]
    assert ended(small, number) == [State.DELIVERED]


def test_s40_the_sender_learns_of_a_failure_once(small):
    number, (first, second, third) = sent(small)
    assert report(small, second, State.FAILED) is None
    assert reports(small) == [(number, State.FAILED, 3, 0)]
    for part in (first, third):
        assert report(small, part) is None
    assert reports(small) == [(number, State.FAILED, 3, 0)]
    assert ended(small, number) == [State.FAILED]
    assert kept(small) == []


def test_a_report_that_comes_again_changes_nothing(small):
    number, (first, second, _third) = sent(small)
    for part in (first, first, first, second):
        assert report(small, part) is None
    assert reports(small) == []
    assert ended(small, number) == []
    assert ended(small, first) == [State.DELIVERED]


# -- what memory holds


def test_memory_is_bounded_and_what_left_it_is_read_again(small, monkeypatch):
    monkeypatch.setattr(parts, "MEMORY", 2)
    numbers = small.submit(5, lambda _number: long(2))
    groups = small.engine.groups
    assert list(groups._recent) == numbers[-2:]
    found = AsyncResult()
    groups.find(numbers[0], lambda *told: found.set(told))
    group, error = found.get(timeout=SECONDS)
    assert (group.ticket.id, len(group.parts), error) == (numbers[0], 2, None)
    assert list(groups._recent) == [numbers[-1], numbers[0]]


def test_two_reads_at_once_give_the_same_group(small):
    """Each would note its part in a copy of its own."""
    (number,) = small.submit(1, lambda _number: long())
    forgotten(small)
    found = []
    for _ in range(2):
        small.engine.groups.find(number, lambda group, _error: found.append(group))
    small.spool.settle()
    assert len(found) == 2
    assert found[0] is found[1]


def test_s40_reports_after_a_restart_are_counted_on(tmp_path):
    small = SmallEngine(tmp_path)
    number, (first, second, third) = sent(small)
    assert report(small, first) is None
    small.close()
    small = SmallEngine(tmp_path)
    for part in (second, third):
        assert report(small, part) is None
    assert reports(small) == [(number, State.DELIVERED, 3, 3)]
    small.close()


def test_a_group_that_is_over_is_found_no_more(small):
    number, sent_parts = sent(small)
    for part in sent_parts:
        assert report(small, part) is None
    found = []
    small.engine.groups.find(number, lambda *told: found.append(told))
    small.spool.settle()
    assert found == [(None, None)]


# -- commits that fail


def test_parts_that_could_not_be_kept_leave_no_group(small, monkeypatch):
    told = []
    origin = small.engine.ports["customers"]
    small.engine.receiver.receive(
        long(), origin, small.engine.sender("acme"), lambda _argument, error: told.append(error), None
    )
    small.spool.execute("INSERT INTO nowhere VALUES (?)", (1,))  # this commit fails, and each after it
    until(lambda: told)
    assert isinstance(told[0], SpoolError)
    assert small.engine.groups._recent == {}
    small.spool._pending.statements.clear()
    assert kept(small) == []
    assert small.count("one") == 0


def test_a_part_whose_report_could_not_be_kept_is_not_final(small):
    number, (first, second, third) = sent(small)
    assert report(small, first) is None
    told = []
    small.engine.reporter.take(
        small.engine.ports["one"], Report(0, State.FAILED, remote_id=f"r{second}"), (f"r{second}",), "46701234567",
        lambda _argument, error: told.append(error), None,
    )  # fmt: skip
    small.spool.execute("INSERT INTO nowhere VALUES (?)", (1,))
    until(lambda: told)
    assert isinstance(told[0], SpoolError)
    assert reports(small) == []
    small.spool._pending.statements.clear()
    for part in (second, third):
        assert report(small, part) is None
    assert reports(small) == [(number, State.DELIVERED, 3, 3)]
    assert ended(small, number) == [State.DELIVERED]


# -- a disk that cannot be read


@pytest.mark.parametrize("where", [GROUPS, OPEN_REPORTS])
def test_a_report_on_a_part_counts_though_its_first_read_failed(small, monkeypatch, where):
    number, sent_parts = sent(small)
    for part in sent_parts:
        in_spool_only(small)
        with monkeypatch.context() as broken:
            failing = FailingReads(broken, small.spool, 1, where)
            assert report(small, part) is None
        assert failing.count == 1
    assert reports(small) == [(number, State.DELIVERED, 3, 3)]
    assert ended(small, number) == [State.DELIVERED]
    assert len(small.engine.orphans) == 0


@pytest.mark.parametrize("where", [GROUPS, OPEN_REPORTS])
def test_a_report_that_cannot_be_matched_is_not_acknowledged_and_counts_when_it_comes_again(small, monkeypatch, where):
    number, (first, second, third) = sent(small)
    for part in (first, second):
        assert report(small, part) is None
    in_spool_only(small)
    awaited = small.engine.open_reports.count
    with monkeypatch.context() as broken:
        FailingReads(broken, small.spool, 100, where)
        error = report(small, third)
    assert isinstance(error, SpoolError)
    assert len(small.engine.orphans) == 0
    assert small.engine.open_reports.count == awaited
    assert ended(small, third) == []
    assert report(small, third) is None
    assert reports(small) == [(number, State.DELIVERED, 3, 3)]
    assert ended(small, third) == [State.DELIVERED]


def test_a_part_that_ends_in_its_queue_waits_for_its_group_to_be_read(small, monkeypatch, caplog):
    """Nobody else would end it, and the sender would wait for his report on the whole for ever."""
    (number,) = small.submit(1, lambda _number: long())
    (part, *_others) = sorted(small.lanes.get("one").waiting)
    forgotten(small)
    failing = FailingReads(monkeypatch, small.spool, 10, GROUPS)
    small.lanes.remove(part, Cause.CANCELLED)
    until(lambda: failing.left == 0)
    until(lambda: reports(small))
    assert reports(small) == [(number, State.DELETED, 3, 0)]
    assert ended(small, part) == [State.DELETED]
    assert f"the parts of message {number} cannot be read" in caplog.text


def test_a_part_whose_report_expired_is_left_to_the_next_sweep(small, monkeypatch):
    _number, (first, *_others) = sent(small)
    ticket = small.engine.open_reports.recent(first)
    forgotten(small)
    awaited = small.engine.open_reports.count
    with monkeypatch.context() as broken:
        failing = FailingReads(broken, small.spool, 100, GROUPS)
        small.engine.reporter.expired(ticket)
        until(lambda: failing.count == 4)
        small.spool.settle()
        assert failing.count == 4
    assert small.engine.open_reports.count == awaited
    assert ended(small, first) == []
    small.engine.reporter.expired(ticket)
    small.spool.settle()
    assert ended(small, first) == [State.UNKNOWN]
    assert small.engine.open_reports.count == awaited - 1


def test_an_operator_is_told_that_nobody_knows(small, monkeypatch):
    number, (first, *_others) = sent(small)
    in_spool_only(small)
    FailingReads(monkeypatch, small.spool, 100, GROUPS, OPEN_REPORTS)
    for ask in (
        lambda: interventions.ids_of(small.engine, number),
        lambda: interventions.report_by_remote_id(small.engine, "one", f"r{first}", State.DELIVERED, "000"),
    ):
        with pytest.raises(ControlError, match="cannot read") as told:
            ask()
        assert told.value.status == 503


def test_forgetting_removes_the_group_from_the_spool(small):
    groups = Groups(small.spool)
    (number,) = small.submit(1, lambda _number: long())
    groups.forget(number)
    assert kept(small) == []
