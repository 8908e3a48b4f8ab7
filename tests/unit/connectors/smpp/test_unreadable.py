"""What SMPP peers are answered when the spool cannot be read: that nobody knows, never that there is nothing."""

from types import SimpleNamespace

import pytest
from gevent.event import AsyncResult

from emg.connectors.smpp import cancelling, inquiries
from emg.connectors.smpp.outgoing import OutgoingSession
from emg.engine import parts
from emg.rules.address import Addressing
from emg.spool import journal
from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status
from emg.wire.smpp.receipt import read_receipt
from tests.engines import SmallEngine, short
from tests.unreadable import FailingReads

SECONDS = 10.0


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "KEEP_SECONDS", 0.0)
    made = SmallEngine(tmp_path, head=20)
    yield made
    made.close()


class Customer:
    """As much of his session as an inquiry needs; `answer` is the status that he gets."""

    def __init__(self, small):
        self.engine = small.engine
        self.account = "acme"
        self.user = None
        self.port = small.engine.ports["customers"]
        self.connector = SimpleNamespace(
            inward=SimpleNamespace(addressing=Addressing(self.port.config)), cancelling=set()
        )
        self.answer = AsyncResult()
        self.refusals = []

    def note_refusal(self, _pdu, error):
        self.refusals.append(str(error))

    def refuse(self, _pdu, status):
        self.answer.set(status)


REQUESTS = {
    "cancel": (cancelling.cancel, pdus.CancelSm(1, source_addr="1234")),
    "cancel all": (cancelling.cancel, pdus.CancelSm(1, source_addr="1234", destination_addr=short().dest)),
    "replace": (inquiries.replace, pdus.ReplaceSm(1, source_addr="1234", short_message=b"other")),
}


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize(("failures", "status"), [(1, 0), (100, Status.RSYSERR)])
def test_a_message_behind_the_head_is_looked_up_until_it_can_be(small, monkeypatch, request_, failures, status):
    number = small.submit(100)[-1]
    assert small.lanes.find(number) is None, "it is on disk"
    FailingReads(monkeypatch, small.spool, failures, inquiries.__name__, cancelling.__name__)
    customer = Customer(small)
    ask, pdu = REQUESTS[request_]
    ask(customer, pdu, 0 if request_ == "cancel all" else number)
    assert customer.answer.get(timeout=SECONDS) == status
    assert customer.refusals == (["the spool cannot read: disk I/O error"] if status else [])
    assert not customer.connector.cancelling


def test_a_message_whose_parts_cannot_be_looked_up_is_not_said_to_be_gone(small, monkeypatch):
    number = small.submit(100)[-1]
    FailingReads(monkeypatch, small.spool, 100, parts.__name__)
    customer = Customer(small)
    cancelling.cancel(customer, REQUESTS["cancel"][1], number)
    assert customer.answer.get(timeout=SECONDS) == Status.RSYSERR


def test_s34_what_may_be_a_receipt_is_neither_that_nor_a_message_while_nobody_can_tell(small, monkeypatch):
    small.engine.open_reports._on_disk = 1
    FailingReads(monkeypatch, small.spool, 100)
    answered = AsyncResult()
    session = SimpleNamespace(
        engine=small.engine, port=small.engine.ports["one"], _ids=lambda written: (written,), _kept=lambda *told: answered.set(told)
    )  # fmt: skip
    pdu = pdus.DeliverSm(short_message=b"id:7 stat:DELIVRD")
    OutgoingSession._perhaps(session, pdu, read_receipt(pdu))
    told, error = answered.get(timeout=SECONDS)
    assert told is pdu
    assert str(error) == "the spool cannot read: disk I/O error"
