"""Whatever happens at once, and whichever commits fail: memory, file and events agree, and nothing is paid for that was not taken.

Messages of one part and of several, joined or not, reports, from operators' hands too, cancellations, expiry and moves, drawn at random, with several in one commit; one commit in
four fails. At the end nothing is left, and what was charged is what the accepted messages cost less what was given back.
"""

import random
import sqlite3
import time
from contextlib import suppress
from dataclasses import replace

import gevent
import pytest

from emg.config.model import MessageMode
from emg.connectors.smpp import cancelling
from emg.engine import events
from emg.engine.operations import Selection
from emg.errors import ControlError, Rejected, SpoolError
from emg.message import Encoding, Report, State
from emg.spool import batch as batches
from emg.spool import spool as spools
from emg.text.split import split
from emg.wire.smpp import pdus
from tests.charged import NEVER, PRICE, REFUSED, UNDELIVERED, Charged, until
from tests.engines import short
from tests.unit.connectors.smpp.test_unreadable import Customer

STEPS = 400
QUEUES = ("one", "two")
BALANCE = 30 * PRICE
"""At the beginning, and as a top-up now and then."""
FINAL = (State.DELIVERED, State.DELIVERED, State.FAILED, State.EXPIRED, State.UNKNOWN)


class Storm:
    """One run: `chance` decides everything."""

    def __init__(self, folder, chance, monkeypatch):
        self.chance = chance
        self.folder = folder
        self.it = Charged(folder)
        self.credited = 0
        self.topup()
        self.acknowledged, self.refused = set(), 0
        self.remote = []
        self.reference = 0
        self.failing = True
        self._write = batches.write
        monkeypatch.setattr(batches, "write", self.write)
        monkeypatch.setattr(spools, "RETRY_SECONDS", 0.001)
        self.carriers = {}
        for queue in QUEUES:
            self.connect(queue)

    def connect(self, queue):
        self.carriers[queue] = carrier = self.it.carrier(queue, window=20)[0]
        transmit = carrier.transmit
        carrier.transmit = lambda message: (self.remote.append((queue, message.id)), transmit(message))

    def write(self, *arguments):
        if self.failing and self.chance.random() < 0.25:
            raise sqlite3.OperationalError("database or disk is full")
        return self._write(*arguments)

    # -- what may happen

    def topup(self):
        self.credited += BALANCE
        self.it.bill(credited=self.credited)

    def submit(self):
        text = b"x" * self.chance.choice((10, 10, 200, 400))
        self.take(short(self.dest(), body=text, expires=time.time() + self.chance.choice((50, 500))))

    def parts(self):
        """Of a long message, perhaps not all of them, to a connector that joins."""
        self.reference = (self.reference + self.chance.choice((0, 1))) % 250
        port = self.it.engine.ports["customers"]
        port.configure(replace(port.config, messagemode=MessageMode(join=True)), port.retry)
        text = self.chance.choice((b"y", b"z")) * 400
        pieces = split(text, Encoding.GSM7, b"", reference=self.reference, wide_reference=False, limit=255)
        for udh, body in self.chance.sample(pieces, self.chance.choice((1, 3, 3))):
            self.take(short(self.dest() if self.chance.random() < 0.1 else REFUSED, udh=udh, body=body))
        port.configure(replace(port.config, messagemode=MessageMode()), port.retry)

    def dest(self):
        return self.chance.choice((NEVER, REFUSED, UNDELIVERED))

    def take(self, message):
        def told(number, error):
            if error is None:
                self.acknowledged.add(number[0])
            else:
                self.refused += 1

        engine, number = self.it.engine, []
        try:
            number.append(
                engine.receiver.receive(message, engine.ports["customers"], engine.sender("acme"), told, number)
            )
        except (Rejected, SpoolError):
            self.refused += 1

    def report(self):
        for queue, number in self.chance.sample(self.remote, min(3, len(self.remote))):
            self.tell(queue, number, self.chance.choice(FINAL))

    def tell(self, queue, number, state):
        reporter, port = self.it.engine.reporter, self.it.engine.ports[queue]
        reporter.take(port, Report(0, state, "007"), (f"r{number}",), "", lambda *_: None, None)

    def inject(self):
        """An operator reports."""
        for _queue, number in self.chance.sample(self.remote, min(2, len(self.remote))):
            ticket = self.it.engine.open_reports.recent(number)
            if ticket is not None:
                self.it.engine.reporter.inject(
                    ticket, Report(0, self.chance.choice(FINAL), "008"), lambda *_: None, None
                )

    def move(self):
        source, target = self.chance.sample(QUEUES, 2)
        with suppress(ControlError, SpoolError):
            self.it.operations.move(self.it.lanes.get(source), self.it.lanes.get(target), Selection())

    def cancel(self):
        customer = Customer(self.it)
        cancelling.cancel(customer, pdus.CancelSm(1, source_addr="1234", destination_addr=self.dest()), 0)

    def expire(self):
        self.it.lanes.tick(time.time() + 100)
        self.it.engine.receiver.joiner.tick(time.time() + self.chance.choice((0, 1000)))

    def sessions(self):
        """The session breaks; what it transmitted is sent again, perhaps by the next."""
        queue = self.chance.choice(QUEUES)
        self.it.engine.deliverer.release(self.it.engine.ports[queue], self.carriers[queue])
        self.connect(queue)

    def run(self):
        acts = (
            [self.submit] * 6
            + [self.parts] * 3
            + [self.report] * 4
            + [self.inject, self.move, self.cancel, self.expire, self.sessions, self.topup]
        )
        for _ in range(STEPS // 2):
            self.chance.choice(acts)()
            assert self.it.charged <= self.credited
            if self.chance.random() < 0.5:
                gevent.sleep(0.001)

    def restart(self):
        """In good order, but the tables say what the recorder knew long ago."""
        self.failing = False
        until(lambda: all(sweep.over.is_set() for sweep in self.it.operations.sweeps.values()))
        self.it.close()
        self.it = Charged(self.folder)
        self.it.bill(credited=self.credited, charged=1)
        for queue in QUEUES:
            self.connect(queue)
        self.failing = True

    def end(self):
        """Everything comes to its end, without more failures."""
        self.failing = False
        it = self.it
        assert it.spool.flush()
        it.engine.receiver.joiner.tick(time.time() + 1000)
        until(lambda: all(sweep.over.is_set() for sweep in it.operations.sweeps.values()))
        for queue in QUEUES:
            sweep = it.operations.clear(it.lanes.get(queue), Selection())
            until(sweep.over.is_set)
            assert not sweep.fault
        assert it.spool.flush()
        until(lambda: not any(carrier.in_flight for carrier in self.carriers.values()))
        for queue, number in self.remote:
            self.tell(queue, number, State.FAILED)
        until(lambda: not it.engine.open_reports.count)
        assert it.spool.flush()


@pytest.mark.parametrize("number", range(6))
def test_whatever_fails_nothing_is_paid_for_that_was_not_taken(tmp_path, monkeypatch, number):
    storm = Storm(tmp_path, random.Random(number), monkeypatch)
    storm.run()
    storm.restart()
    storm.run()
    storm.end()
    it = storm.it
    charged = it.agrees()
    accepted = {event.id: event for event in it.events(events.Accepted)}
    joined = {event.into for event in it.events(events.Joined)}
    assert storm.acknowledged == accepted.keys() - joined
    assert storm.refused
    split_into = {event.part for event in it.events(events.Split)}
    ended = it.events(events.Ended)
    assert len(ended) == len({event.id for event in ended})
    assert {event.id for event in ended} == accepted.keys() | split_into
    assert 0 < charged <= storm.credited
    assert [it.count(queue) for queue in QUEUES] == [0, 0]
    it.close()
