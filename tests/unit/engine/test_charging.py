"""Charging on a real spool: balances never pass their bound, and the spool keeps what the events say (tests/charged.py has the prices)."""

import random

import pytest

from emg.engine import charging, events
from emg.errors import Cause, Rejected
from emg.rules.billing import Billing
from emg.rules.numbering import Numbering
from emg.rules.prices import PriceTable
from tests.charged import (
    NEVER,
    PRICE,
    REFUSED,
    UNDELIVERED,
    Charged,
    delivered,
    never_sent,
    not_delivered,
    refused_as,
    without_news,
)


@pytest.fixture
def it(tmp_path):
    made = Charged(tmp_path)
    yield made
    made.close()


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


def test_the_log_learns_which_row_and_network(it):
    it.charging.numbering = Numbering.parse("prefix,country,name,mcc,mnc\n461,SE,Tele,240,07\n")
    it.engine.receiver.logs_text = True
    it.send()
    (event,) = it.events(events.Accepted)
    assert (event.price_row, event.prefix, event.network) == (3, "461", "24007")


def test_a_new_spool_begins_with_the_recorders_copy(it):
    it.charging.configure({"acme": Billing(8, 1, "EUR", True, None, 10 * PRICE, 4 * PRICE)})
    assert it.charged == 4 * PRICE


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


def test_what_was_charged_has_a_bound_that_the_spool_can_hold(it):
    it.charging.prices = PriceTable.parse("prefix,price,currency\n46,10000000,EUR\n")
    it.bill(prepaid=False)
    it.charging.by_account["acme"].charged = charging.MOST_CHARGED - 10**13
    it.send()
    with refused_as(Cause.NO_CREDIT):
        it.send()
    assert it.kept() == it.charged == charging.MOST_CHARGED
