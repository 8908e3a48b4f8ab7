"""The outbox's bounds: without a database the oldest go, with one only what is recorded; an alarm at 80 % of the limit, "busy" at all of it."""

import logging

import pytest

from emg.engine.outbox import TRIM_SILENCE, Outbox
from emg.errors import ControlError, SpoolError
from tests.engines import SmallEngine, SmallGateway

DATABASE = "OUTBOXSIZE=1000\nOUTBOXLIMIT=10000\nDATABASE=sqlite:////nowhere/emg.db"


@pytest.fixture
def recording(tmp_path):
    made = SmallEngine(tmp_path, extra=DATABASE)
    yield made
    made.close()


def commit(small, rows, events):
    for _ in range(rows):
        for number in range(events):
            small.spool.event(number + 1, b"\x01")
        assert small.spool.flush()


def tick(small, times=1):
    for _ in range(times):
        small.engine.outbox.tick(small.config)
        assert small.spool.flush()


def left(small):
    return [row[0] for row in small.rows("SELECT seq FROM outbox ORDER BY seq")]


def test_without_a_database_the_oldest_go(tmp_path):
    small = SmallEngine(tmp_path, extra="OUTBOXSIZE=1000")
    commit(small, 12, 100)
    tick(small, 3)
    assert small.spool.outbox_events <= 1000
    assert not small.spool.barred
    small.close()


def test_with_a_database_only_what_is_recorded_goes(recording):
    commit(recording, 12, 100)
    tick(recording, 3)
    assert len(left(recording)) == 12
    recording.engine.outbox.told(1, recording.spool.identity)
    tick(recording, 3)
    assert left(recording) == list(range(2, 13))
    recording.engine.outbox.told(4, recording.spool.identity)
    tick(recording, 3)
    assert left(recording) == list(range(3, 13)), "no more than is too much"
    assert recording.spool.outbox_events == 1000


def test_nothing_is_trimmed_while_the_recorder_is_away(recording, monkeypatch):
    """Somebody may be putting back the database: then they are wanted once more."""
    commit(recording, 12, 100)
    recording.engine.outbox.told(12, recording.spool.identity)
    recording.engine.outbox._told_at -= TRIM_SILENCE
    tick(recording, 3)
    assert len(left(recording)) == 12
    recording.engine.outbox.told(12, recording.spool.identity)
    tick(recording, 3)
    assert len(left(recording)) < 12


def test_what_the_recorder_wants_somebody_to_see_is_shown_and_logged_once(recording, caplog):
    commit(recording, 3, 1)
    told = recording.engine.outbox
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            told.told(3, recording.spool.identity, "events are missing")
        assert told.status(recording.config)["notice"] == "events are missing"
        told.told(None, recording.spool.identity, "an older copy")
        assert (told.notice, told.recorded) == ("an older copy", 3)
        told.told(3, recording.spool.identity)
    assert caplog.text.count("the recorder says: events are missing") == 1
    assert told.notice == ""


def test_what_another_spools_recorder_says_counts_for_nothing(recording):
    commit(recording, 3, 1)
    with pytest.raises(ControlError, match="another spool"):
        recording.engine.outbox.told(3, recording.spool.identity + 1)
    with pytest.raises(ControlError, match="older copy"):
        recording.engine.outbox.told(4, recording.spool.identity)
    assert recording.engine.outbox.recorded == 0
    recording.engine.outbox.told(3, recording.spool.identity)
    recording.engine.outbox.told(2, recording.spool.identity)  # the database was put back from a backup
    assert recording.engine.outbox.recorded == 2
    assert recording.engine.outbox.behind == 1


def test_an_alarm_at_first_then_busy_then_room_again(recording, caplog):
    spool, outbox = recording.spool, recording.engine.outbox
    with caplog.at_level(logging.INFO):
        commit(recording, 79, 100)
        tick(recording, 2)
        assert not outbox.alarm
        commit(recording, 1, 100)
        tick(recording, 2)
        assert "OUTBOXLIMIT=10000" in outbox.alarm
        spool.admit_new()
        commit(recording, 20, 100)
        tick(recording, 2)
        assert "is reached" in outbox.alarm
    with pytest.raises(SpoolError) as refused:
        spool.admit_new()
    spool.admit()  # reports about what we hold are let in
    assert refused.value.full
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2
    with pytest.raises(SpoolError):
        recording.submit(1)
    outbox.told(100, spool.identity)
    with caplog.at_level(logging.INFO):
        tick(recording, 3)
    assert not outbox.alarm
    spool.admit_new()
    assert "room again" in caplog.text
    recording.submit(1)


def test_the_bound_holds_over_a_restart(tmp_path):
    small = SmallEngine(tmp_path, extra=DATABASE)
    commit(small, 100, 100)
    small.close()
    small = SmallEngine(tmp_path, extra=DATABASE)
    tick(small)
    with pytest.raises(SpoolError):
        small.spool.admit_new()
    small.close()


def test_how_it_stands_can_be_asked(tmp_path):
    gateway = SmallGateway(tmp_path, extra=DATABASE)
    try:
        commit(gateway.small, 2, 3)
        identity = gateway.engine.spool.identity
        code, told = gateway.ask("POST", "/outbox", {"recorded": 1, "identity": identity})
        assert (code, told) == (200, {"recorded": 1, "last": 2})
        code, told = gateway.ask("GET", "/outbox")
        assert code == 200
        expected = {"identity": identity, "last": 2, "recorded": 1, "events": 6, "size": 1000, "limit": 10000, "alarm": "",
                    "refusing": False, "recorder_silent": False}  # fmt: skip
        assert expected.items() <= told.items()
        assert gateway.ask("POST", "/outbox", {"recorded": 1, "identity": 5})[0] == 409
        assert gateway.ask("POST", "/outbox", {"recorded": 3, "identity": identity})[0] == 409
        for wrong in (
            {},
            {"recorded": "1", "identity": identity},
            {"recorded": True, "identity": identity},
            {"recorded": -1, "identity": identity},
        ):
            assert gateway.ask("POST", "/outbox", wrong)[0] == 400
        assert gateway.ask("GET", "/status")[1]["outbox_alarm"] == ""
    finally:
        gateway.close()


def test_a_recorder_that_never_spoke_is_silent(recording):
    assert Outbox(recording.spool).status(recording.config)["recorder_silent"]
