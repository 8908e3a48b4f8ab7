"""Lanes on a spool against the plainest model there is: any order of accepting, assigning, settling, putting back, time passing and crashes.

The model is a dictionary of messages with the state each must be in. After a crash the same files are opened anew: nothing that was acknowledged
is gone, nothing that had left is back, order is kept, and only what was in flight may be marked.
"""

import shutil
import tempfile
import time
from pathlib import Path

import gevent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emg.engine import events
from emg.engine.carrier import Carrier
from emg.errors import Cause
from emg.message import State, Want
from emg.spool import journal
from emg.wire.smpp.names import Status
from tests.engines import SmallEngine, short

HEAD = 4
ACCOUNTS = ("acme", "other", "third")
DESTS = ("46700000001", "46700000002", "46700000003")


class Queue(RuleBasedStateMachine):
    """One connector's queue and up to two sessions."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.accepted = {}
        """id → account, destination and priority of all that were acknowledged: within these order is a promise."""
        self.finished = set()
        self.retried = set()
        """Ids that went back after an error or a doubt: order is no promise for them."""
        self.flying = {}
        self.sent = []
        self.carriers = []
        self.small = None

    @initialize(keep=st.sampled_from([0.0, 3.0]))
    def begin(self, keep):
        self.keep = journal.KEEP_SECONDS
        journal.KEEP_SECONDS = keep
        self.open(self.folder / "0")

    def open(self, folder):
        self.small = SmallEngine(folder, head=HEAD)
        self.port = self.small.engine.ports["one"]
        self.lane = self.small.lanes.get("one")
        self.carriers = []
        self.flying = {}

    def settled(self):
        """All that is given is committed, and what the loop has to do is done."""
        for _ in range(50):
            assert self.small.spool.flush(5.0)
            gevent.sleep(0)
            if not self.small.lanes.reading and self.small.spool._idle.is_set():
                gevent.sleep(0)
                if self.small.spool._idle.is_set():
                    return

    def transmit(self, carrier, message):
        assert message.id not in self.flying, "transmitted twice at once"
        assert message.id not in self.finished, "transmitted after its end"
        self.flying[message.id] = (carrier, message)
        self.sent.append(message.id)

    @rule(
        count=st.one_of(st.integers(1, 8), st.integers(20, 60)),
        account=st.sampled_from(ACCOUNTS),
        dest=st.sampled_from(DESTS),
        rank=st.sampled_from([3, 3, 3, 0]),
    )
    def accept(self, count, account, dest, rank):
        for number in self.small.submit(count, lambda _: short(dest, account, want=Want.NOTHING, rank=rank)):
            self.accepted[number] = (account, dest, rank)
        self.settled()

    @rule(accounts=st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=12), answers=st.integers(0, 6))
    def rush(self, accounts, answers):
        """Messages come one by one while pages are read and answers come in."""
        origin, dest = self.small.engine.ports["customers"], DESTS[0]
        for account in accounts:
            message, sender = short(dest, account, want=Want.NOTHING), self.small.engine.sender(account)
            number = self.small.engine.receiver.receive(message, origin, sender, lambda _argument, _error: None, None)
            self.accepted[number] = (account, dest, 3)
            for number, (carrier, sent) in sorted(self.flying.items())[: 1 if answers else 0]:
                answers -= 1
                del self.flying[number]
                self.finished.add(number)
                self.small.engine.deliverer.sent(self.port, carrier, sent, f"r{number}")
            gevent.sleep(0)
        self.settled()

    @rule(count=st.integers(1, 30), account=st.sampled_from(ACCOUNTS), due=st.sampled_from([0.5, 15.0]))
    def schedule(self, count, account, due):
        """For one time: among themselves they keep their order, and go when it has come."""
        when = time.time() + due
        for number in self.small.submit(count, lambda _: short(account=account, want=Want.NOTHING, due=when)):
            self.accepted[number] = (account, when, 3)
        self.settled()

    @rule(window=st.integers(1, 4))
    @precondition(lambda self: len(self.carriers) < 2)
    def bind(self, window):
        carrier = Carrier(
            self.small.spool.new_slot(), f"one#{len(self.sent)}", window, lambda m: self.transmit(carrier, m)
        )
        carrier.depth = window + 1
        self.carriers.append(carrier)
        self.small.lanes.attach(carrier, self.lane)
        self.settled()

    @rule(data=st.data())
    @precondition(lambda self: self.flying)
    def answer(self, data):
        number = data.draw(st.sampled_from(sorted(self.flying)))
        carrier, message = self.flying.pop(number)
        self.finished.add(number)
        self.small.engine.deliverer.sent(self.port, carrier, message, f"r{number}")
        self.settled()

    @rule(data=st.data(), status=st.sampled_from([Status.RSYSERR, Status.RTHROTTLED, Status.RINVDSTADR]))
    @precondition(lambda self: self.flying)
    def refuse(self, data, status):
        number = data.draw(st.sampled_from(sorted(self.flying)))
        carrier, message = self.flying.pop(number)
        if status == Status.RINVDSTADR:
            self.finished.add(number)
        self.retried.add(number)
        cause = Cause.THROTTLED if status == Status.RTHROTTLED else Cause.REFUSED
        self.small.engine.deliverer.refused(self.port, carrier, message, int(status), cause)
        self.settled()

    @rule(data=st.data())
    @precondition(lambda self: self.carriers)
    def cut(self, data):
        carrier = self.carriers.pop(data.draw(st.integers(0, len(self.carriers) - 1)))
        for number in [number for number, (owner, _) in self.flying.items() if owner is carrier]:
            del self.flying[number]
            self.retried.add(number)
        self.small.engine.deliverer.release(self.port, carrier)
        self.settled()

    @rule(seconds=st.sampled_from([1.0, 20.0]))
    def pass_time(self, seconds):
        self.lane.paused_until = 0.0
        for slowed in self.port.slowed.values():
            slowed.throttle._until = float("-inf")
        self.small.lanes.tick(time.time() + seconds)
        self.small.lanes.touch(self.lane)
        self.settled()

    @rule()
    def crash(self):
        self.settled()
        self.crashes += 1
        left = self.folder / str(self.crashes)
        (left / "spool").mkdir(parents=True)
        before = Path(self.small.spool.path)
        for name in (before, before.with_name(before.name + "-wal")):
            shutil.copy(name, left / "spool" / name.name)
        held = {number for carrier in self.carriers for number in carrier.in_flight}
        self.retried |= held
        self.small.close()
        self.open(left)
        doubtful = {message.id for message in self.lane.waiting.values() if message.maybe_sent}
        assert doubtful <= self.retried, "marked without having been in flight"
        assert set(self.flying) <= doubtful
        self.settled()

    @rule()
    def restart(self):
        held = {number for carrier in self.carriers for number in carrier.in_flight}
        for carrier in self.carriers:
            self.small.engine.deliverer.release(self.port, carrier)
        self.retried |= held
        folder = Path(self.small.config.spooldir).parent
        self.small.close()
        self.open(folder)
        self.settled()

    @invariant()
    def nothing_is_lost_or_doubled(self):
        if self.small is None:
            return
        left = set(self.accepted) - self.finished
        rows = self.small.spool.ask(lambda db: db.execute("SELECT id FROM message WHERE place > 0").fetchall())
        in_memory = [*self.lane.waiting, *(number for carrier in self.lane.carriers for number in carrier.in_flight)]
        assert len(in_memory) == len(set(in_memory)), "in memory twice"
        assert left == set(in_memory) | {number for (number,) in rows}
        assert self.lane.size == len(left)

    @invariant()
    def order_is_kept(self):
        last = {}
        for number in self.sent:
            if number in self.retried:
                continue
            key = self.accepted[number]
            assert number > last.get(key, 0), "overtaken"
            last[key] = number

    def teardown(self):
        if self.small is None:
            return
        ended = [event.id for event in self.small.events(events.Ended)]
        assert len(ended) == len(set(ended)), "ended twice"
        assert set(ended) == self.finished
        assert all(event.state in (State.UNKNOWN, State.FAILED) for event in self.small.events(events.Ended))
        self.small.close()
        journal.KEEP_SECONDS = self.keep
        shutil.rmtree(self.folder, ignore_errors=True)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=20, stateful_step_count=40)
