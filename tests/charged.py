"""A small engine with prices and an account that pays them, on a real spool.

Prices here: 0.010 a part by `one`, 0.030 by `two`, cost a third of that; the last digit of a prefix chooses when a price is given back.
"""

import gevent
import pytest

from emg.engine import events
from emg.errors import Cause, Rejected
from emg.message import Encoding, Report, State
from emg.rules.billing import Billing
from emg.rules.prices import PriceTable
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


def until(true):
    with gevent.Timeout(SECONDS):
        while not true():
            gevent.sleep(0.001)


def refused_as(cause):
    return pytest.raises(Rejected, check=lambda error: error.cause is cause)


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


def full(it, monkeypatch):
    """Commits fail until the patch is undone."""
    monkeypatch.setattr("emg.spool.batch.write", no_room)


def no_room(*_arguments):
    import sqlite3

    raise sqlite3.OperationalError("database or disk is full")


def in_parts(dest=REFUSED):
    pieces = split(b"y" * 400, Encoding.GSM7, b"", reference=9, wide_reference=False, limit=255)
    return [{"dest": dest, "udh": udh, "body": body} for udh, body in pieces]
