"""PROFILING_THRESHOLD: what is slow is logged, what is not is not."""

import logging
import time

import gevent
import pytest

from emg.engine.profiling import Profiler
from tests.engines import SmallEngine


@pytest.fixture
def engine(tmp_path):
    it = SmallEngine(tmp_path)
    yield it
    it.close()


def test_what_takes_longer_is_logged(engine, caplog):
    caplog.set_level(logging.INFO)
    profiler = Profiler(engine.spool)
    profiler.configure(1.0)
    profiler.note("quick", 0.9)
    profiler.note("slow", 1.5)
    profiler.close()
    profiler.note("not measured any more", 9.0)
    assert [record.getMessage() for record in caplog.records if record.name == "emg.profiling"] == ["1.500 s: slow"]


def test_whatever_keeps_the_loop_is_seen(engine, caplog):
    caplog.set_level(logging.INFO)
    profiler = Profiler(engine.spool)
    profiler.configure(0.02)
    gevent.sleep(0.01)
    time.sleep(0.06)
    gevent.sleep(0.02)
    profiler.close()
    assert any("the event loop stood still" in record.getMessage() for record in caplog.records)


def test_commits_are_told_with_their_time_only_where_asked_for(engine):
    assert engine.spool.on_commit is None
    told = []
    engine.spool.on_commit = lambda rows, seconds: told.append((rows, seconds))
    engine.submit(1)
    assert told
    assert all(rows > 0 and seconds > 0 for rows, seconds in told[:1])
