"""Queues that are longer than their heads, when their pages cannot be read for a while."""

import logging

import gevent

from emg.engine import paging
from tests.engines import SmallEngine
from tests.unreadable import FailingReads


def test_a_queue_that_cannot_be_read_is_asked_for_with_pauses_and_goes_on_in_its_order(tmp_path, monkeypatch, caplog):
    small = SmallEngine(tmp_path, head=20)
    ids = small.submit(200)
    failing = FailingReads(monkeypatch, small.spool, 7, paging.__name__)
    _carrier, sent = small.carrier("one")
    with gevent.Timeout(20):
        while small.lanes.get("one").size:
            gevent.sleep(0.001)
    assert sent == ids
    assert failing.count == 7
    told = [record.levelno for record in caplog.records if "queue one cannot be read" in record.message]
    assert told == [logging.WARNING, logging.ERROR, logging.WARNING], "twice a series of four"
    small.close()


def test_a_damaged_row_stops_nobody(tmp_path, caplog):
    small = SmallEngine(tmp_path, head=20)
    ids = small.submit(100)
    small.spool.execute("UPDATE message SET body = X'c1c1' WHERE id = ?", (ids[50],))
    _carrier, sent = small.carrier("one")
    with gevent.Timeout(20):
        while small.lanes.get("one").size > 1:
            gevent.sleep(0.001)
    assert sent == ids[:50] + ids[51:]
    assert f"message {ids[50]} on disk is damaged" in caplog.text
    small.close()
