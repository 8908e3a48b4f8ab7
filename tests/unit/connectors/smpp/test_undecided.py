"""A client that cancels or replaces before it was answered: what is not kept yet is neither ended nor changed."""

import sqlite3

import pytest

from emg.connectors.smpp import cancelling, inquiries
from emg.engine import events
from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status
from tests.engines import SmallEngine, short
from tests.unit.connectors.smpp.test_unreadable import SECONDS, Customer

TO = "46701234567"


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def take_in(small):
    """A message whose commit is to come; its id, and what its sender is told."""
    told = []
    engine = small.engine
    number = engine.receiver.receive(
        short(TO), engine.ports["customers"], engine.sender("acme"), lambda _, error: told.append(error), None
    )  # fmt: skip
    return number, told


def all_of_them(customer, _number):
    cancelling.cancel(customer, pdus.CancelSm(1, source_addr="1234", destination_addr=TO), 0)


def by_id(customer, number):
    cancelling.cancel(customer, pdus.CancelSm(1, source_addr="1234"), number)


def replace(customer, number):
    inquiries.replace(customer, pdus.ReplaceSm(1, source_addr="1234", short_message=b"other"), number)


@pytest.mark.parametrize("ask", [all_of_them, by_id, replace])
def test_what_could_not_be_kept_leaves_no_trace(small, monkeypatch, ask):
    def no_room(*_arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("emg.spool.batch.write", no_room)
    customer = Customer(small)
    number, told = take_in(small)
    ask(customer, number)
    assert customer.answer.get(timeout=SECONDS) == Status.RSYSERR
    assert len(told) == 1
    monkeypatch.undo()
    assert small.events(events.Ended) == small.events(events.Accepted) == []
    assert small.rows("SELECT id FROM message") == []
    assert small.count("one") == small.lanes.total == 0


@pytest.mark.parametrize("ask", [all_of_them, by_id, replace])
def test_what_is_kept_is_found_at_once(small, ask):
    customer = Customer(small)
    number, told = take_in(small)
    ask(customer, number)
    assert customer.answer.get(timeout=SECONDS) == 0
    assert told == [None]
    assert small.count("one") == (1 if ask is replace else 0)


@pytest.mark.parametrize(("ask", "status"), [(by_id, Status.RCANCELFAIL), (replace, Status.RREPLACEFAIL)])
def test_an_id_of_the_future_is_nobodys(small, ask, status):
    customer = Customer(small)
    ask(customer, take_in(small)[0] + 2)
    take_in(small)
    assert customer.answer.get(timeout=SECONDS) == status
