"""Charging on a real spool: balances never pass their bound, prices are given back as their rows say, and the spool keeps what the events say.

Prices here: 0.010 a part by `one`, 0.030 by `two`, cost a third of that; the last digit of a prefix chooses when a price is given back.
"""

import random
import time
from dataclasses import replace

import gevent
import pytest

from emg.config.model import MessageMode
from emg.engine import charging, events
from emg.engine.operations import Selection
from emg.errors import Cause, Rejected, SpoolError
from emg.message import Encoding, Report, State
from emg.rules.billing import Billing
from emg.rules.numbering import Numbering
from emg.rules.prices import PriceTable
from emg.spool import batch
from emg.text.split import split
from tests.engines import SmallEngine, short

PRICES = """\
prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund
460,,,one,0.010,0.004,EUR,,,never
461,,,one,0.010,0.004,EUR,,,refused
462,,,one,0.010,0.004,EUR,,,undelivered
46,,,two,0.030,0.010,EUR,,,refused
"""
PRICE = 10_000
NEVER, REFUSED, UNDELIVERED = "46012345678", "46112345678", "46212345678"
ACME = Billing(7, 1, "EUR", True, None, 10 * PRICE, 0)
SECONDS = 10.0


class Charged(SmallEngine):
    """A small engine with prices, whose account `acme` is pre-paid with ten messages' worth."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        self.charging = self.engine.charging
        self.charging.prices = PriceTable.parse(PRICES)
        self.bill()

    def bill(self, **changes):
        facts = ACME
        for name, value in changes.items():
            facts = Billing(**{**{each: getattr(facts, each) for each in facts.__struct_fields__}, name: value})
        self.charging.configure({"acme": facts})

    @property
    def charged(self):
        return self.charging.by_account["acme"].charged

    def kept(self):
        """What the spool's file says that the account was charged."""
        rows = self.rows("SELECT charged FROM balance WHERE account = 7")
        return rows[0][0] if rows else 0

    def told(self):
        """What the events say."""
        taken = sum(event.price for event in self.events(events.Accepted) if event.payer == 7)
        return taken - sum(event.refund for event in self.events(events.Ended) if event.payer == 7)

    def agrees(self):
        """Memory, file and events say the same; gives it."""
        assert self.charged == self.kept() == self.told()
        return self.charged

    def send(self, dest=REFUSED, **more):
        """Submit one message; its id."""
        return self.submit(1, lambda _number: short(dest, **more))[0]

    def report(self, number, state):
        """The operator reports; the error that he is answered with."""
        told = []
        ids = (f"r{number}",)
        self.engine.reporter.take(
            self.engine.ports["one"], Report(0, state, remote_id=ids[0]), ids, "", lambda _, error: told.append(error), None
        )  # fmt: skip
        until(lambda: told)
        return told[0]


@pytest.fixture
def it(tmp_path):
    made = Charged(tmp_path)
    yield made
    made.close()


def until(true):
    with gevent.Timeout(SECONDS):
        while not true():
            gevent.sleep(0.001)


def refused_as(cause):
    return pytest.raises(Rejected, check=lambda error: error.cause is cause)


# -- what is let through


def test_a_prepaid_account_sends_what_it_has_and_not_one_message_more(it):
    for _ in range(10):
        it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send()
    assert it.agrees() == 10 * PRICE
    assert it.count("one") == 10


def test_what_is_left_buys_what_it_can(it):
    it.bill(credited=25_000)
    it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send(body=b"x" * 300)
    it.send()
    assert it.agrees() == 20_000


def test_a_postpaid_account_goes_down_to_its_limit(it):
    it.bill(prepaid=False, credited=0, credit_limit=3 * PRICE)
    for _ in range(3):
        it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send()
    assert it.charging.by_account["acme"].balance == -3 * PRICE


def test_a_postpaid_account_without_limit_is_never_refused(it):
    it.bill(prepaid=False, credited=0, credit_limit=None)
    for _ in range(30):
        it.send()
    assert it.agrees() == 30 * PRICE


def test_a_topup_counts_at_once_and_charges_go_on_where_they_stood(it):
    for _ in range(10):
        it.send()
    it.bill(credited=11 * PRICE)
    it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send()


def test_what_is_free_needs_no_balance(it):
    it.charging.prices = PriceTable.parse("prefix,price,currency\n46,0,EUR\n")
    it.bill(credited=0)
    it.send()
    assert it.agrees() == 0


def test_an_account_that_is_billed_needs_a_price(it):
    with refused_as(Cause.NO_PRICE):
        it.send("4912345")
    it.bill(currency="SEK")
    with refused_as(Cause.NO_PRICE):
        it.send()
    assert it.count("one") == 0


def test_without_any_price_nothing_is_charged(it):
    it.charging.prices = PriceTable()
    it.send("4912345")
    assert it.agrees() == 0


def test_an_account_of_the_file_is_priced_for_the_log_alone(it):
    it.send(account="other")
    it.send("4912345", account="other")
    priced, unpriced = it.events(events.Accepted)
    assert (priced.price, priced.cost, priced.currency, priced.payer) == (PRICE, 4_000, "EUR", 0)
    assert (unpriced.price, unpriced.price_row, unpriced.currency) == (0, 0, "")
    assert it.kept() == 0


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


def test_the_log_learns_which_row_and_network(it):
    it.charging.numbering = Numbering.parse("prefix,country,name,mcc,mnc\n461,SE,Tele,240,07\n")
    it.engine.receiver.logs_text = True
    it.send()
    (event,) = it.events(events.Accepted)
    assert (event.price_row, event.prefix, event.network) == (3, "461", "24007")


# -- what is given back


def never_sent(it, number):
    it.engine.lanes.remove(number, Cause.DELETED)


def not_taken(it, number):
    port = it.engine.ports["one"]
    carrier, _sent = it.carrier("one", answering=False)
    until(lambda: carrier.transmitted)
    it.engine.deliverer.refused(port, carrier, carrier.in_flight[number], 11, Cause.BAD_DESTINATION)


def taken(it, number):
    carrier, sent = it.carrier("one")
    until(lambda: number in sent and it.engine.open_reports.recent(number))
    it.lanes.detach(carrier)


def not_delivered(it, number):
    taken(it, number)
    assert it.report(number, State.FAILED) is None


def delivered(it, number):
    taken(it, number)
    assert it.report(number, State.DELIVERED) is None


def without_news(it, number):
    taken(it, number)
    it.engine.reporter.expired(it.engine.open_reports.recent(number))


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


# -- faults


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


def full(it, monkeypatch):
    """Commits fail until the patch is undone."""
    monkeypatch.setattr("emg.spool.batch.write", no_room)


def no_room(*_arguments):
    import sqlite3

    raise sqlite3.OperationalError("database or disk is full")


def test_a_restart_goes_on_where_the_last_commit_was(tmp_path):
    it = Charged(tmp_path)
    for _ in range(4):
        it.send()
    it.close()
    again = Charged(tmp_path)
    again.bill(charged=1)  # the recorder's copy lags behind
    assert again.agrees() == 4 * PRICE
    again.close()


def test_a_new_spool_begins_with_the_recorders_copy(it):
    it.charging.configure({"acme": Billing(8, 1, "EUR", True, None, 10 * PRICE, 4 * PRICE)})
    assert it.charged == 4 * PRICE


def test_an_account_that_is_gone_still_gets_its_money_back(it):
    number = it.send()
    it.charging.configure({})
    never_sent(it, number)
    assert it.kept() == 0
    it.bill()
    assert it.agrees() == 0


def test_whatever_happens_memory_file_and_events_agree(tmp_path):
    chance = random.Random(17)
    it = Charged(tmp_path)
    it.bill(credited=60 * PRICE)
    refused = 0
    for _ in range(120):
        try:
            number = it.send(chance.choice((NEVER, REFUSED, UNDELIVERED)), body=b"x" * chance.choice((10, 10, 200)))
        except Rejected:
            refused += 1
            continue
        if number in it.lanes.get("one").waiting:
            chance.choice((never_sent, delivered, not_delivered, without_news, lambda *_: None))(it, number)
        assert it.charged <= 60 * PRICE
    assert refused
    it.agrees()
    it.close()


def test_shares_of_a_price_add_up():
    parts = [short() for _ in range(3)]
    charging.share(charging.Charge(7, 10, 1), parts)
    assert [part.charge.price for part in parts] == [4, 3, 3]


# -- what is not kept yet


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


def test_what_was_charged_has_a_bound_that_the_spool_can_hold(it):
    it.charging.prices = PriceTable.parse("prefix,price,currency\n46,10000000,EUR\n")
    it.bill(prepaid=False)
    it.charging.by_account["acme"].charged = charging.MOST_CHARGED - 10**13
    it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send()
    assert it.kept() == it.charged == charging.MOST_CHARGED


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


# -- joined and moved


@pytest.fixture
def joining(it):
    port = it.engine.ports["customers"]
    port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)
    return it


def in_parts(dest=REFUSED):
    pieces = split(b"y" * 400, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=255)
    return [{"dest": dest, "udh": udh, "body": body} for udh, body in pieces]


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
