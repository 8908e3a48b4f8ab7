"""AFFINITY: all parts of a message leave by the same session, whoever split it."""

import pytest

from emg.engine import events
from emg.message import Encoding
from emg.text.split import split
from tests.engines import SmallEngine, short

LONG = b"abcdefghij" * 60


@pytest.fixture
def engine(tmp_path):
    it = SmallEngine(tmp_path, one="AFFINITY\nINSTANCES=3")
    yield it
    it.close()


def sessions(engine, count=3, window=1):
    """Sessions that answer one message after the other; gives what each of them sends."""
    return [engine.carrier("one", window)[1] for _ in range(count)]


def test_the_parts_of_each_message_take_one_session(engine):
    engine.submit(10, lambda number: short(f"467012345{number:02}", body=LONG))
    by_session = sessions(engine)
    while engine.lanes.get("one").size:
        assert engine.spool.flush()
    parents = {event.part: event.id for event in engine.events(events.Split)}
    used = [{parents[number] for number in sent} for sent in by_session]
    assert sum(len(each) for each in used) == len(set.union(*used)) == 10
    assert all(used)


def test_so_do_those_that_their_sender_has_made(engine):
    pieces = [
        [
            short(f"46701{n}", udh=udh, body=body)
            for udh, body in split(LONG, Encoding.GSM7, b"", reference=n, wide_reference=False, limit=9)
        ]
        for n in range(5)
    ]
    ids = {}
    for part in zip(*pieces, strict=True):
        for n, message in enumerate(part):
            ids[engine.submit(1, lambda _number, message=message: message)[0]] = n
    by_session = sessions(engine)
    while engine.lanes.get("one").size:
        assert engine.spool.flush()
    used = [{ids[number] for number in sent} for sent in by_session]
    assert sum(len(each) for each in used) == len(set.union(*used)) == 5


def test_when_the_session_goes_the_rest_takes_another(engine):
    engine.submit(1, lambda _number: short(body=LONG))
    first, sent = engine.carrier("one", 1, answering=False)
    assert engine.spool.flush()
    assert len(sent) == 1
    port = engine.engine.ports["one"]
    engine.engine.deliverer.release(port, first)
    (others,) = sessions(engine, 1)
    while engine.lanes.get("one").size:
        assert engine.spool.flush()
    assert len(others) >= 3


def test_what_is_remembered_is_bounded(engine, monkeypatch):
    monkeypatch.setattr("emg.engine.lane.LEADING", 2)
    sessions(engine)
    engine.submit(5, lambda number: short(f"467012345{number:02}", body=LONG))
    while engine.lanes.get("one").size:
        assert engine.spool.flush()
    assert len(engine.lanes.get("one")._leading) == 2
