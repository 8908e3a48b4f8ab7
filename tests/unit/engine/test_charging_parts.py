"""What messages in parts cost: split, joined, moved (tests/charged.py has the prices)."""

import time
from dataclasses import replace

import pytest

from emg.config.model import MessageMode
from emg.engine import charging, events
from emg.engine.operations import Selection
from emg.errors import Cause
from emg.message import Encoding, Report, State
from emg.rules.billing import Billing
from emg.rules.numbering import Numbering
from emg.rules.prices import PriceTable
from emg.text.split import split
from tests.charged import PRICE, PRICES, REFUSED, UNDELIVERED, Charged, in_parts, never_sent, until
from tests.engines import short


@pytest.fixture
def it(tmp_path):
    made = Charged(tmp_path)
    yield made
    made.close()


@pytest.fixture
def joining(it):
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)
    return it


def test_each_part_costs(tmp_path):
    it = Charged(tmp_path, two="MESSAGEMODE=PAYLOAD")
    it.bill(prepaid=False)
    it.send(body=b"x" * 161)
    it.send(body=b"x" * 160)
    it.send(body=b"x" * 400)
    it.send(encoding=Encoding.UCS2, body="й".encode("utf-16-be") * 71)
    assert [event.price // PRICE for event in it.events(events.Accepted)] == [2, 1, 3, 2]
    assert [event.parts for event in it.events(events.Accepted)] == [2, 1, 3, 2]
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, route="two"), port.retry)
    it.engine.router.forget()
    it.send(body=b"x" * 400)  # it leaves as one, and is paid for as three
    last = it.events(events.Accepted)[-1]
    assert (last.price, last.cost, last.parts) == (90_000, 30_000, 3)
    assert it.count("two") == 1
    it.agrees()
    it.close()


def test_parts_are_given_back_one_by_one(it):
    number = it.send(UNDELIVERED, body=b"x" * 400)
    carrier, sent = it.carrier("one")
    until(lambda: len(sent) == 3)
    it.lanes.detach(carrier)
    for part, state in zip(sent, (State.DELIVERED, State.FAILED, State.FAILED), strict=True):
        it.report(part, state)
    assert it.agrees() == PRICE
    ends = {event.id: event.refund for event in it.events(events.Ended)}
    assert ends == {number: 0, sent[0]: 0, sent[1]: PRICE, sent[2]: PRICE}
    parents = {event.id: event.parent for event in it.events(events.Ended)}
    assert parents == {number: 0, **dict.fromkeys(sent, number)}


def test_parts_that_are_joined_are_paid_one_by_one_and_given_back_together(it):
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)
    pieces = split(b"y" * 400, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=255)
    numbers = [it.send(REFUSED, udh=udh, body=body) for udh, body in pieces]
    assert it.agrees() == 3 * PRICE
    assert [event.price for event in it.events(events.Joined)] == [PRICE] * 3
    for number in list(it.lanes.get("one").waiting):
        it.engine.lanes.remove(number, Cause.DELETED)
    assert it.agrees() == 0
    refunds = {event.id: event.refund for event in it.events(events.Ended)}
    assert all(refunds[number] == 0 for number in numbers)
    assert sum(refunds.values()) == 3 * PRICE


def test_a_move_tells_the_new_cost(it):
    it.submit(2, lambda _number: short(REFUSED))
    port = it.engine.ports["two"]
    message = next(iter(it.lanes.get("one").waiting.values()))
    assert it.charging.move(message, port) == 6_000
    assert message.charge.cost == 10_000
    assert it.charging.move(message, port) == 0
    assert it.charging.move(message, it.engine.ports["one"]) == -6_000
    assert it.charging.move(short("4912"), port) == 0


def test_shares_of_a_price_add_up():
    parts = [short() for _ in range(3)]
    charging.share(charging.Charge(7, 10, 1), parts)
    assert [part.charge.price for part in parts] == [4, 3, 3]


def test_what_is_joined_says_by_what_it_was_priced(joining):
    it = joining
    it.charging.numbering = Numbering.parse("prefix,country,name,mcc,mnc\n461,SE,Tele,240,07\n")
    it.engine.receiver.logs_text = True
    parts = in_parts()
    for part in parts[:2]:
        it.send(**part)
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, route="two"), port.retry)  # the last one is priced by that, all go by it
    it.engine.router.forget()
    it.send(**parts[2])
    *_, whole = it.events(events.Accepted)
    assert (whole.price, whole.payer, whole.parts) == (0, 0, 3)
    assert (whole.currency, whole.price_row, whole.prefix, whole.network) == ("EUR", 3, "461", "24007")
    assert sum(event.price for event in it.events(events.Joined)) == it.agrees()


def test_what_has_no_price_any_more_when_it_is_joined_says_its_currency_at_least(joining, monkeypatch):
    monkeypatch.setattr(joining.charging, "row", lambda *_: None)
    for part in in_parts():
        joining.send(**part)
    *_, whole = joining.events(events.Accepted)
    assert (whole.currency, whole.price_row) == ("EUR", 0)


def test_parts_that_are_given_back_by_other_rules_are_not_joined(joining):
    it = joining
    first, *others = in_parts()
    it.send(**first)
    it.charging.prices = PriceTable.parse(PRICES.replace("refused", "never"))
    for part in others:
        it.send(**part)
    assert it.events(events.Joined) == []
    numbers = list(it.lanes.get("one").waiting)
    assert len(numbers) == 3
    for number in numbers:
        never_sent(it, number)
    assert it.agrees() == 2 * PRICE


def test_parts_of_an_account_and_its_successor_are_not_joined(joining):
    it = joining
    first, *others = in_parts()
    it.send(**first)
    it.charging.configure({"acme": Billing(8, 1, "EUR", True, None, 10 * PRICE, 0)})
    for part in others:
        it.send(**part)
    for number in list(it.lanes.get("one").waiting):
        never_sent(it, number)
    assert it.rows("SELECT account, charged FROM balance ORDER BY account") == [(7, 0), (8, 0)]
    refunds = [(event.payer, event.refund) for event in it.events(events.Ended)]
    assert sorted(refunds) == [(7, PRICE), (8, PRICE), (8, PRICE)]


def test_the_cost_of_a_message_whose_parts_are_moved_is_that_of_all_of_them(it):
    it.send(REFUSED, body=b"x" * 400)
    sweep = it.operations.move(it.lanes.get("one"), it.lanes.get("two"), Selection())
    until(sweep.over.is_set)
    assert [event.cost for event in it.events(events.Moved)] == [6_000] * 3


def test_parts_that_left_before_a_move_cost_what_they_cost(it):
    """One of three parts has gone by the first connector, the two others go by the second."""
    number = it.send(REFUSED, body=b"x" * 400)
    carrier, sent = it.carrier("one", window=1, answering=False)
    carrier.depth = 1
    until(lambda: sent)
    sweep = it.operations.move(it.lanes.get("one"), it.lanes.get("two"), Selection())
    until(sweep.over.is_set)
    it.engine.deliverer.sent(it.engine.ports["one"], carrier, carrier.in_flight[sent[0]], f"r{sent[0]}")
    _, by_two = it.carrier("two", window=1)
    until(lambda: len(by_two) == 2)
    (priced,) = it.events(events.Accepted)
    assert priced.cost + sum(event.cost for event in it.events(events.Moved)) == 4_000 + 2 * 10_000
    assert {event.connector for event in it.events(events.Sent)} == {"one", "two"}
    told = []
    for part in (sent[0], *by_two):
        provider = "one" if part == sent[0] else "two"
        it.engine.reporter.take(
            it.engine.ports[provider], Report(0, State.DELIVERED), (f"r{part}",), "", lambda _, error: told.append(error), None
        )  # fmt: skip
    until(lambda: told == [None] * 3)
    ended = [event.id for event in it.events(events.Ended)]
    assert sorted(ended) == sorted([number, sent[0], *by_two])
    (home,) = it.lanes.get("customers/acme").waiting.values()
    assert (home.report.id, home.report.state, home.report.parts, home.report.delivered_parts) == (
        number,
        State.DELIVERED,
        3,
        3,
    )
    it.agrees()


def test_what_is_joined_costs_what_its_parts_cost_by_the_way_that_it_goes(joining):
    it = joining
    parts = in_parts()
    for part in parts[:2]:
        it.send(**part)
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, route="two"), port.retry)
    it.engine.router.forget()
    it.send(**parts[2])
    *_, whole = it.events(events.Accepted)
    assert [event.cost for event in it.events(events.Joined)] == [4_000] * 3, "each goes by the way of the first"
    assert whole.cost + sum(event.cost for event in it.events(events.Joined)) == 3 * 10_000
    assert sum(message.charge.cost for message in it.lanes.get("two").waiting.values()) == 3 * 10_000


def test_parts_that_go_on_alone_cost_what_they_cost_by_the_way_that_they_go(joining):
    it = joining
    first, *_ = in_parts()
    it.send(**first)
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, route="two"), port.retry)
    it.engine.router.forget()
    it.lanes.get("one").size_limit = 0
    it.engine.receiver.joiner.tick(time.time() + 10**6)
    assert [event.cost for event in it.events(events.Moved)] == [6_000]
