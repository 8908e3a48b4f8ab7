"""A read that fails is tried again, a few times, and never once the spool closes."""

import logging

import gevent
import pytest
from gevent.event import AsyncResult

from emg.errors import SpoolError
from emg.spool import rereading
from emg.spool.opening import open_spool
from tests.unreadable import FailingReads


@pytest.fixture
def spool(tmp_path):
    made, _ = open_spool(str(tmp_path), 1)
    yield made
    if not made.closing:
        made.close()


def ask(spool):
    """(value, error) of a read."""
    result = AsyncResult()
    rereading.read(spool, "message 7", lambda db: db.execute("SELECT 42").fetchone()[0], lambda *told: result.set(told))
    return result.get(timeout=10)


def test_a_read_that_works_is_made_once(spool, monkeypatch):
    failing = FailingReads(monkeypatch, spool, 0)
    assert ask(spool) == (42, None)
    assert failing.count == 0


@pytest.mark.parametrize("times", [1, 3])
def test_what_can_be_read_in_the_end_is_told_as_if_nothing_had_been(spool, monkeypatch, caplog, times):
    FailingReads(monkeypatch, spool, times)
    assert ask(spool) == (42, None)
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "message 7 cannot be read, trying again: disk I/O error")
    ]


def test_what_cannot_be_read_is_told_as_an_error(spool, monkeypatch, caplog):
    failing = FailingReads(monkeypatch, spool, 100)
    value, error = ask(spool)
    assert value is None
    assert isinstance(error, SpoolError)
    assert str(error) == "the spool cannot read: disk I/O error"
    assert failing.count == 1 + len(rereading.PAUSES)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    assert "message 7 cannot be read, given up after 4 tries" in caplog.text


def test_a_try_that_waits_when_the_spool_closes_is_not_made(spool, monkeypatch):
    told = []
    failing = FailingReads(monkeypatch, spool, 1)
    monkeypatch.setattr(rereading, "PAUSES", (0.01,))
    rereading.read(spool, "message 7", lambda _db: 42, lambda *what: told.append(what))
    spool.settle()
    assert failing.count == 1
    spool.close()
    calls = failing.calls
    gevent.sleep(0.05)  # longer than the pause: its timer has fired
    assert told == []
    assert failing.calls == calls


def test_what_fails_while_the_spool_closes_is_not_read_again(spool, monkeypatch):
    told = []
    failing = FailingReads(monkeypatch, spool, 100)
    rereading.read(spool, "message 7", lambda _db: 42, lambda *what: told.append(what))
    spool.close()
    assert (failing.count, told) == (1, [])
