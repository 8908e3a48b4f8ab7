"""Reports without a message: how many are kept and how long, which of them was early, and what outlives a restart (protocol cases S31, S38)."""

import gevent
import pytest
from gevent.event import AsyncResult

from emg.engine import events
from emg.engine.orphans import Orphans
from emg.errors import SpoolError
from emg.message import Report, State
from emg.spool.opening import open_spool
from tests.engines import SmallEngine
from tests.unreadable import FailingReads

LIMIT = 3
EARLY = 60.0
EXPIRE = 3600.0
NOW = 1_000_000.0
SECONDS = 10.0


@pytest.fixture
def spool(tmp_path):
    made, _ = open_spool(str(tmp_path), 1)
    yield made
    made.close()


def orphans_of(spool, rows=(), limit=LIMIT):
    return Orphans(spool, list(rows), limit=limit, early=EARLY, expire=EXPIRE)


@pytest.fixture
def orphans(spool):
    return orphans_of(spool)


def report(remote_id="r1", state=State.DELIVERED):
    return Report(0, state, remote_id=remote_id, text="Hello")


def keep(orphans, *remote_ids, now=NOW):
    """Numbers of new orphans with these ids, when they are on disk."""
    numbers = [orphans.keep("one", (remote_id,), report(remote_id), now) for remote_id in remote_ids]
    assert orphans._spool.flush()
    return numbers


def kept(orphans):
    return [each["remote_id"] for each in orphans.listing(100)][::-1]


def on_disk(spool):
    """Rows as the next start gets them."""
    return spool.ask(
        lambda db: db.execute(
            "SELECT number, provider, remote_id, received, body FROM orphan ORDER BY number"
        ).fetchall()
    )


# -- what is kept, and how many


def test_an_orphan_is_kept_in_memory_and_in_the_spool(spool, orphans):
    (number,) = keep(orphans, "r1")
    assert len(orphans) == 1
    assert orphans.listing(5) == [
        {"number": number, "provider": "one", "remote_id": "r1", "received": NOW, "state": "delivered"}
    ]
    assert [row[:4] for row in on_disk(spool)] == [(number, "one", "r1", NOW)]


def test_a_report_without_an_id_is_kept_too(spool, orphans):
    orphans.keep("one", (), report(""), NOW)
    assert kept(orphans) == [""]
    assert len(on_disk(spool)) == 1


def test_s38_the_oldest_leave_first_and_are_counted(spool, orphans):
    keep(orphans, *(f"r{number}" for number in range(10)))
    assert kept(orphans) == ["r6", "r7", "r8", "r9"], "the limit, and the one that came last"
    assert orphans.dropped == 6
    assert [row[2] for row in on_disk(spool)] == kept(orphans)
    assert orphans.early("one", "r0", NOW) is None


def test_where_none_are_to_be_kept_the_last_one_may_still_be_early(spool):
    orphans = orphans_of(spool, limit=0)
    keep(orphans, "r1", "r2")
    assert kept(orphans) == ["r2"]
    assert orphans.early("one", "r2", NOW) == report("r2")
    assert len(orphans) == 0


def test_the_listing_shows_the_newest_first(orphans):
    keep(orphans, "r1", "r2", "r3")
    assert [each["remote_id"] for each in orphans.listing(2)] == ["r3", "r2"]


# -- early ones


def test_s31_an_early_report_is_given_once(spool, orphans):
    keep(orphans, "r1", "r2")
    assert orphans.early("one", "r1", NOW + EARLY) == report("r1")
    assert orphans.early("one", "r1", NOW + EARLY) is None
    assert [row[2] for row in on_disk(spool)] == ["r2"]


def test_an_old_one_is_not_taken_for_a_new_messages(orphans):
    keep(orphans, "r1")
    assert orphans.early("one", "r1", NOW + EARLY + 1) is None
    assert kept(orphans) == ["r1"]


def test_s30_another_providers_is_not_early(orphans):
    keep(orphans, "r1")
    assert orphans.early("two", "r1", NOW) is None


def test_of_two_with_one_id_the_newer_is_early(orphans):
    first, _second = keep(orphans, "r1", "r1")
    assert len(orphans) == 2
    orphans.keep("one", ("r1",), report("r1", State.FAILED), NOW)
    assert orphans.remove(first)
    assert orphans.early("one", "r1", NOW).state is State.FAILED
    assert orphans.early("one", "r1", NOW) is None
    assert len(orphans) == 1


# -- removal


def test_what_is_too_old_is_forgotten(spool, orphans):
    keep(orphans, "r1", "r2")
    keep(orphans, "r3", now=NOW + 10)
    orphans.expire(NOW + EXPIRE - 1)
    assert kept(orphans) == ["r1", "r2", "r3"]
    orphans.expire(NOW + EXPIRE)
    assert kept(orphans) == ["r3"]
    assert [row[2] for row in on_disk(spool)] == ["r3"]
    orphans.expire(NOW + EXPIRE + 10)
    assert len(orphans) == 0
    assert orphans.dropped == 0, "time is not the limit"


def test_one_that_is_not_there_cannot_be_removed(orphans):
    (number,) = keep(orphans, "r1")
    assert orphans.remove(number)
    assert not orphans.remove(number)
    assert orphans.forget(number) is None


# -- restarts


def test_a_restart_finds_them_and_gives_no_number_twice(spool, orphans):
    numbers = keep(orphans, "r1", "r2")
    again = orphans_of(spool, on_disk(spool))
    assert kept(again) == ["r1", "r2"]
    assert again.early("one", "r1", NOW) == report("r1")
    assert keep(again, "r3")[0] > max(numbers)


# -- in the report path


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def take(small, remote_id):
    """The provider reports: what the acknowledgement will say."""
    told = AsyncResult()
    small.engine.reporter.take(
        small.engine.ports["one"], report(remote_id), (remote_id,), "46709999999",
        lambda _argument, error: told.set(error), None,
    )  # fmt: skip
    return told


def test_s38_an_unknown_report_is_acknowledged_counted_and_kept(small):
    assert take(small, "x1").get(timeout=SECONDS) is None
    assert kept(small.engine.orphans) == ["x1"]
    assert small.engine.ports["one"].counters.orphans == 1
    assert [event.remote_id for event in small.events(events.Orphaned)] == ["x1"]


def test_s31_a_report_that_came_before_its_answer_is_for_that_message(small):
    (number,) = small.submit(1)
    assert take(small, f"r{number}").get(timeout=SECONDS) is None
    small.carrier("one")
    with gevent.Timeout(SECONDS):
        while small.lanes.get("one").size:
            gevent.sleep(0.001)
    assert [(event.id, event.state) for event in small.events(events.Ended)] == [(number, State.DELIVERED)]
    assert small.rows("SELECT count(*) FROM orphan") == [(0,)]
    assert small.engine.open_reports.count == 0


def test_an_orphan_that_could_not_be_kept_is_forgotten_and_refused(small):
    told = take(small, "x1")
    small.spool.execute("INSERT INTO nowhere VALUES (?)", (1,))  # this commit fails, and each after it
    assert isinstance(told.get(timeout=SECONDS), SpoolError)
    assert len(small.engine.orphans) == 0
    small.spool._pending.statements.clear()
    assert small.rows("SELECT count(*) FROM orphan") == [(0,)]
    assert take(small, "x1").get(timeout=SECONDS) is None
    assert kept(small.engine.orphans) == ["x1"]


def test_commits_that_fail_cost_no_older_orphan_its_place(small):
    """A provider whose report is refused sends it again and again: the others must not leave for it."""
    orphans = small.engine.orphans
    orphans.limit = 2
    for remote_id in ("x1", "x2", "x3"):
        assert take(small, remote_id).get(timeout=SECONDS) is None
    told = take(small, "x4")
    small.spool.execute("INSERT INTO nowhere VALUES (?)", (1,))
    assert isinstance(told.get(timeout=SECONDS), SpoolError)
    small.spool._pending.statements.clear()
    assert small.spool.flush()
    assert kept(orphans) == ["x1", "x2", "x3"]
    assert take(small, "x4").get(timeout=SECONDS) is None
    assert kept(orphans) == ["x2", "x3", "x4"]


@pytest.mark.parametrize(("failures", "orphans"), [(1, ["x1"]), (100, [])])
def test_no_report_becomes_an_orphan_because_the_disk_cannot_be_read(small, monkeypatch, failures, orphans):
    small.engine.open_reports._on_disk = 1
    FailingReads(monkeypatch, small.spool, failures)
    error = take(small, "x1").get(timeout=SECONDS)
    assert (error is None) == bool(orphans)
    assert kept(small.engine.orphans) == orphans
    assert small.engine.ports["one"].counters.orphans == len(orphans)
