"""Prices are given back as their rows say, once, and never for what could not be kept (tests/charged.py has the prices)."""

import time
from dataclasses import replace

import pytest

from emg.config.model import MessageMode
from emg.engine import events
from emg.errors import Cause, SpoolError
from emg.message import Encoding, Report, State
from emg.spool import batch
from emg.text.split import split
from tests.charged import (
    NEVER,
    PRICE,
    REFUSED,
    UNDELIVERED,
    Charged,
    delivered,
    full,
    never_sent,
    no_room,
    not_delivered,
    not_taken,
    refused_as,
    taken,
    until,
    without_news,
)
from tests.engines import short


@pytest.fixture
def it(tmp_path):
    made = Charged(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("ending", "dests"),
    [
        (never_sent, (REFUSED, UNDELIVERED)),
        (not_taken, (REFUSED, UNDELIVERED)),
        (not_delivered, (UNDELIVERED,)),
        (delivered, ()),
        (without_news, ()),
    ],
)
@pytest.mark.parametrize("dest", [NEVER, REFUSED, UNDELIVERED])
def test_a_price_is_given_back_as_its_row_says(it, ending, dests, dest):
    number = it.send(dest)
    ending(it, number)
    assert it.spool.flush()
    assert it.agrees() == (0 if dest in dests else PRICE)
    (end,) = it.events(events.Ended)
    assert end.refund == (PRICE if dest in dests else 0)


def test_what_could_not_be_kept_costs_nothing(it, monkeypatch):
    it.send()
    full(it, monkeypatch)
    told = []
    it.engine.receiver.receive(
        short(REFUSED), it.engine.ports["customers"], it.engine.sender("acme"), lambda _, error: told.append(error), None
    )  # fmt: skip
    it.engine.receiver.receive(
        short(REFUSED, body=b"x" * 400), it.engine.ports["customers"], it.engine.sender("acme"), lambda *_: None, None
    )
    assert it.charged == 5 * PRICE
    until(lambda: told)
    assert isinstance(told[0], SpoolError)
    assert it.charged == PRICE
    monkeypatch.undo()
    assert it.agrees() == PRICE


def test_a_refund_that_could_not_be_kept_is_made_once_when_the_report_comes_again(it, monkeypatch):
    number = it.send(UNDELIVERED)
    taken(it, number)
    assert it.spool.flush()
    full(it, monkeypatch)
    assert isinstance(it.report(number, State.FAILED), SpoolError)
    assert it.charged == PRICE
    monkeypatch.undo()
    assert it.report(number, State.FAILED) is None
    assert it.report(number, State.FAILED) is None
    assert it.agrees() == 0


def test_what_is_given_back_can_be_spent_when_that_is_kept(it, monkeypatch):
    it.bill(credited=PRICE)
    number = it.send(UNDELIVERED)
    taken(it, number)
    assert it.spool.flush()
    full(it, monkeypatch)
    told = []
    report = Report(0, State.FAILED, remote_id=f"r{number}")
    it.engine.reporter.take(
        it.engine.ports["one"], report, (report.remote_id,), "", lambda _, error: told.append(error), None
    )  # fmt: skip
    with refused_as(Cause.NO_CREDIT):
        it.submit(1, lambda _number: short(REFUSED))
    until(lambda: told)
    assert it.charged == PRICE
    monkeypatch.undo()
    assert it.report(number, State.FAILED) is None
    it.send()
    assert it.agrees() == PRICE


def test_a_report_that_is_read_twice_while_its_commit_fails_gives_back_once(tmp_path, monkeypatch):
    """The second reading finds what the failed commit has put back into memory."""
    it = Charged(tmp_path)
    number = it.send(UNDELIVERED)
    taken(it, number)
    taken(it, it.send(UNDELIVERED))
    it.close()
    it = Charged(tmp_path)
    told, write, claim = [], batch.write, it.engine.open_reports.claim

    def report():
        it.engine.reporter.take(
            it.engine.ports["one"], Report(0, State.FAILED), (f"r{number}",), "", lambda _, error: told.append(error), None
        )  # fmt: skip

    def once(*arguments):
        monkeypatch.setattr(batch, "write", write)
        no_room(*arguments)

    def claimed(ticket):
        claim(ticket)
        monkeypatch.setattr(it.engine.open_reports, "claim", claim)
        monkeypatch.setattr(batch, "write", once)
        report()

    monkeypatch.setattr(it.engine.open_reports, "claim", claimed)
    report()
    until(lambda: len(told) == 2)
    report()
    until(lambda: len(told) == 3)
    assert [error is None for error in told] == [False, True, True]
    assert [event.refund for event in it.events(events.Ended)] == [PRICE]
    assert it.agrees() == PRICE
    it.close()


def test_a_restart_goes_on_where_the_last_commit_was(tmp_path):
    it = Charged(tmp_path)
    for _ in range(4):
        it.send()
    it.close()
    again = Charged(tmp_path)
    again.bill(charged=1)  # the recorder's copy lags behind
    assert again.agrees() == 4 * PRICE
    again.close()


def test_an_account_that_is_gone_still_gets_its_money_back(it):
    number = it.send()
    it.charging.configure({})
    never_sent(it, number)
    assert it.kept() == 0
    it.bill()
    assert it.agrees() == 0


def test_a_part_that_could_not_be_kept_does_not_go_on_with_those_that_were_let_go(it, monkeypatch):
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)

    def part(text):
        udh, body = split(text * 400, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=255)[0]
        return short(REFUSED, udh=udh, body=body)

    full(it, monkeypatch)
    told = []
    for text in (b"a", b"b"):  # the second is another message's first part, and the one before it is let go
        it.engine.receiver.receive(
            part(text), port, it.engine.sender("acme"), lambda _, error: told.append(error), None
        )  # fmt: skip
    until(lambda: len(told) == 2)
    assert all(isinstance(error, SpoolError) for error in told)
    monkeypatch.undo()
    assert it.agrees() == 0
    assert it.count("one") == 0
    assert it.engine.receiver.joiner.count == 0
    it.send(udh=part(b"c").udh, body=part(b"c").body)
    assert it.agrees() == PRICE
    assert it.engine.receiver.joiner.count == 1


def test_reports_on_two_parts_that_could_not_be_kept_end_the_message_when_they_come_again(it, monkeypatch):
    number = it.send(UNDELIVERED, body=b"x" * 300)
    carrier, sent = it.carrier("one")
    until(lambda: len(sent) == 2)
    it.lanes.detach(carrier)
    assert it.spool.flush()
    full(it, monkeypatch)
    told = []
    for part in sent:
        it.engine.reporter.take(
            it.engine.ports["one"], Report(0, State.FAILED, "011"), (f"r{part}",), "", lambda _, error: told.append(error), None
        )  # fmt: skip
    until(lambda: len(told) == 2)
    assert all(told)
    monkeypatch.undo()
    assert it.agrees() == 2 * PRICE
    for part in sent:
        assert it.report(part, State.FAILED) is None
    assert it.agrees() == 0
    assert sorted(event.id for event in it.events(events.Ended)) == sorted([number, *sent])


def test_a_message_does_not_end_before_it_is_kept(it, monkeypatch):
    full(it, monkeypatch)
    told = []
    it.engine.receiver.receive(
        short(REFUSED), it.engine.ports["customers"], it.engine.sender("acme"), lambda _, error: told.append(error), None
    )  # fmt: skip
    it.engine.lanes.tick(time.time() + 10**8)
    until(lambda: told)
    monkeypatch.undo()
    assert it.agrees() == 0
    assert it.events(events.Ended) == []
    assert it.count("one") == it.lanes.total - it.count("customers/acme") == 0
