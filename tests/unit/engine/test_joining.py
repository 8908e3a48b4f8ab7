"""MESSAGEMODE=JOIN on a real spool: parts become one message, survive restarts, and each of them gets its report."""

import time
from dataclasses import replace

import gevent
import msgspec
import pytest

from emg.config.model import MessageMode
from emg.engine import events, joining
from emg.engine.joining import HELD
from emg.errors import Cause, Rejected, SpoolError
from emg.message import Encoding, Kind, Report, State, Want
from emg.text.split import split, split_octets
from tests.engines import SmallEngine, short

TEXT = bytes(range(65, 91)) * 15


class Joining(SmallEngine):
    """A small engine whose `customers` join."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        self.join()

    def join(self, **changes):
        port = self.engine.ports["customers"]
        port.configure(replace(port.config, messagemode=MessageMode(join=True), **changes), port.retry)

    @property
    def joiner(self):
        return self.engine.receiver.joiner

    def hand_in(self, parts):
        """Take in parts one by one; gives their ids."""
        return [self.submit(1, lambda _number, part=part: part)[0] for part in parts]

    def held(self):
        """Ids of the held parts in the spool."""
        messages = [msgspec.msgpack.decode(body) for (body,) in self.rows("SELECT body FROM message WHERE place = 0")]
        journal = [row for (body,) in self.rows("SELECT body FROM journal") for row in msgspec.msgpack.decode(body)[0]]
        gone = {
            number for (body,) in self.rows("SELECT body FROM journal") for number in msgspec.msgpack.decode(body)[3]
        }
        messages += [msgspec.msgpack.decode(row[6]) for row in journal]
        tabled = {number for (number,) in self.rows("SELECT id FROM message")}
        later = {
            number for (body,) in self.rows("SELECT body FROM journal") for number in msgspec.msgpack.decode(body)[2]
        }
        return sorted(
            {
                each[0]
                for each in messages
                if each[2].startswith(HELD) and each[0] not in gone and not (each[0] in later and each[0] not in tabled)
            }
        )


@pytest.fixture
def engine(tmp_path):
    it = Joining(tmp_path)
    yield it
    it.close()


def parts_of(text=TEXT, reference=7, *, wide=False, **more):
    pieces = split(text, Encoding.GSM7, b"", reference=reference, wide_reference=wide, limit=255)
    return [short(udh=udh, body=body, **more) for udh, body in pieces]


def sar_parts(text=TEXT, reference=700):
    segments = split_octets(text, Encoding.GSM7, b"", limit=255)
    return [
        short(
            body=segment.body,
            tlvs=(
                (0x020C, reference.to_bytes(2, "big")),
                (0x020E, bytes([segment.total])),
                (0x1401, b"vendor"),
                (0x020F, bytes([segment.number])),
            ),
        )
        for segment in segments
    ]


def waiting(engine, queue="one"):
    """What stands in the queue, in order."""
    assert engine.spool.flush()
    return [message for _, message in sorted(engine.lanes.get(queue).waiting.items())]


def body_of(messages):
    return b"".join(message.body for message in messages)


@pytest.mark.parametrize("make", [parts_of, lambda: parts_of(wide=True), sar_parts], ids=["8 bits", "16 bits", "sar"])
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
def test_the_parts_become_one_message_that_is_split_again_on_its_way_out(engine, make, order):
    numbers = engine.hand_in(make()[::order])
    assert len(set(numbers)) == 3
    out = waiting(engine)
    assert body_of(out) == TEXT
    assert {message.part.parent for message in out}.isdisjoint(numbers)
    assert all(message.udh[1] == 0 for message in out)
    joined = engine.events(events.Joined)
    assert sorted(event.id for event in joined) == sorted(numbers)
    assert {event.into for event in joined} == {message.part.parent for message in out}
    assert engine.joiner.count == 0
    assert engine.held() == []


def test_vendor_parameters_stay_and_sar_ones_go(engine):
    engine.hand_in(sar_parts(TEXT[:200]))
    for message in waiting(engine):
        assert message.tlvs == ((0x1401, b"vendor"),)


def test_a_long_message_for_a_payload_connector_leaves_whole(tmp_path):
    engine = Joining(tmp_path, one="MESSAGEMODE=PAYLOAD")
    engine.hand_in(parts_of())
    (message,) = waiting(engine)
    assert (message.body, message.udh) == (TEXT, b"")
    engine.close()


def test_nothing_else_is_held(engine):
    engine.hand_in([short(), short(udh=b"\x06\x05\x04\x23\xf4\x00\x00"), short(tlvs=((0x1401, b"x"),))])
    assert len(waiting(engine)) == 3
    assert engine.joiner.count == 0


def test_incomplete_messages_go_on_as_they_came(engine):
    first, second, _ = parts_of()
    numbers = engine.hand_in([second, first])
    assert waiting(engine) == []
    engine.joiner.tick(time.time())
    assert waiting(engine) == []
    engine.joiner.tick(time.time() + 61)
    assert [(message.id, message.udh[-1], message.body) for message in waiting(engine)] == [
        (numbers[0], 2, second.body), (numbers[1], 1, first.body),
    ]  # fmt: skip
    assert [event.to for event in engine.events(events.Moved)] == ["one", "one"]
    assert engine.joiner.count == 0


def test_a_part_that_comes_again_gets_the_same_answer(engine):
    first, second, third = parts_of()
    again = msgspec.structs.replace(first)
    numbers = engine.hand_in([first, again, second])
    assert numbers[0] == numbers[1]
    assert engine.joiner.count == 2
    engine.hand_in([third])
    assert body_of(waiting(engine)) == TEXT


def test_a_part_that_comes_again_before_the_first_is_kept_is_told_with_it(engine):
    first, *_ = parts_of()
    told = []
    origin, sender = engine.engine.ports["customers"], engine.engine.sender("acme")
    for argument in ("once", "again"):
        copy = msgspec.structs.replace(first)
        engine.engine.receiver.receive(
            copy, origin, sender, lambda argument, error: told.append((argument, error)), argument
        )
    assert told == []
    assert engine.spool.flush()
    assert told == [("once", None), ("again", None)]


def test_another_message_with_the_same_reference_lets_the_first_go(engine):
    engine.hand_in(parts_of()[:2])
    other = parts_of(TEXT[::-1])
    engine.hand_in(other)
    out = waiting(engine)
    assert body_of(message for message in out if message.part is None) == body_of(parts_of()[:2])
    assert body_of(message for message in out if message.part is not None) == TEXT[::-1]


@pytest.mark.parametrize(
    "field", [{"source": "1235"}, {"dest": "46701234568"}, {"account": "other"}, {"encoding": Encoding.LATIN1}]
)
def test_parts_of_different_messages_are_not_mixed(engine, field):
    first, second, third = parts_of()
    for name, value in field.items():
        setattr(second, name, value)
    engine.hand_in([first, second, third])
    assert waiting(engine) == []
    assert engine.joiner.count == 3


def test_held_parts_survive_a_crash_with_their_time(tmp_path):
    before = Joining(tmp_path)
    first, second, third = parts_of()
    numbers = before.hand_in([first, second])
    before.hand_in(parts_of(reference=9)[:1])
    assert before.held() == [*numbers, max(before.held())]
    kept = {file.name: file.read_bytes() for file in (tmp_path / "spool").iterdir() if file.name.startswith("spool.db")}
    before.close()
    for file in (tmp_path / "spool").iterdir():
        if file.name.startswith("spool.db"):
            file.unlink()
    for name, octets in kept.items():
        if not name.endswith("-shm"):
            (tmp_path / "spool" / name).write_bytes(octets)
    after = Joining(tmp_path)
    assert after.joiner.count == 3
    after.hand_in([third])
    assert body_of(waiting(after)) == TEXT
    after.joiner.tick(time.time() + 61)
    assert len(waiting(after)) == 4
    after.close()
    again = SmallEngine(tmp_path)
    assert again.engine.receiver.joiner.count == 0
    assert len(waiting(again)) == 4
    again.close()


def test_a_crash_between_the_last_part_and_the_joining_loses_nothing(tmp_path, monkeypatch):
    before = Joining(tmp_path)
    monkeypatch.setattr(joining.Joiner, "_join", lambda self, held: None)
    numbers = before.hand_in(parts_of())
    assert before.held() == numbers
    before.close()
    monkeypatch.undo()
    after = SmallEngine(tmp_path)
    assert body_of(waiting(after)) == TEXT
    assert sorted(event.id for event in after.events(events.Joined)) == numbers
    after.close()


def test_a_part_that_could_not_be_kept_is_forgotten(engine, monkeypatch):
    first, second, third = parts_of()
    engine.hand_in([first, second])
    told = []
    origin, sender = engine.engine.ports["customers"], engine.engine.sender("acme")
    engine.spool.writer._db.execute("PRAGMA query_only = 1")
    engine.engine.receiver.receive(
        msgspec.structs.replace(third), origin, sender, lambda _argument, error: told.append(error), None
    )
    with gevent.Timeout(5):
        while not told:
            gevent.sleep(0.01)
    assert isinstance(told[0], SpoolError)
    assert engine.joiner.count == 2
    engine.spool.writer._db.execute("PRAGMA query_only = 0")
    assert engine.spool.flush()
    gevent.sleep(0.3)
    engine.hand_in([third])
    assert body_of(waiting(engine)) == TEXT


def test_a_full_queue_is_waited_for(engine):
    parts = parts_of()
    engine.hand_in(parts[:2])
    lane = engine.lanes.get("one")
    route = engine.engine.router.route
    blocked = [True]

    def router(message, *more):
        if blocked[0] and message.joined:
            raise Rejected(Cause.QUEUE_FULL, "full")
        return route(message, *more)

    engine.engine.router.route = router
    engine.hand_in(parts[2:])
    assert lane.size == 0
    engine.joiner.tick(time.time())
    assert lane.size == 0
    blocked[0] = False
    engine.joiner.tick(time.time())
    assert body_of(waiting(engine)) == TEXT


def test_what_cannot_be_one_message_goes_on_in_parts(engine):
    engine.join(maxparts=2)
    engine.hand_in(parts_of())
    assert [message.udh[-1] for message in waiting(engine)] == [1, 2, 3]
    assert engine.joiner.count == 0


def test_without_a_way_any_more_each_part_fails(engine):
    numbers = engine.hand_in(parts_of()[:2])
    engine.engine.ports.pop("customers")
    engine.joiner.tick(time.time() + 61)
    assert engine.spool.flush()
    ended = engine.events(events.Ended)
    assert [(event.id, event.state) for event in ended] == [(number, State.FAILED) for number in numbers]
    assert engine.held() == []


def test_what_is_held_is_bounded(engine, monkeypatch):
    monkeypatch.setattr(joining, "MOST_PARTS", 3)
    for reference in range(5):
        engine.hand_in(parts_of(reference=reference)[:1])
    assert engine.joiner.count == 3
    assert [message.udh[3] for message in waiting(engine)] == [0, 1]


@pytest.mark.parametrize(
    ("state", "one"), [(State.DELIVERED, ""), (State.FAILED, ""), (State.DELIVERED, "MESSAGEMODE=PAYLOAD")]
)
def test_each_part_gets_its_report_when_the_whole_is_final(tmp_path, state, one):
    engine = Joining(tmp_path, one=one)
    parts = parts_of()
    parts[1].want = Want.NOTHING
    numbers = engine.hand_in(parts)
    _, sent = engine.carrier("one")
    assert engine.spool.flush()
    assert engine.spool.flush()
    port = engine.engine.ports["one"]
    assert len(sent) == (1 if one else 3)
    for number in sent:
        engine.engine.reporter.take(
            port, Report(0, state, "000" if state is State.DELIVERED else "001"), (f"r{number}",), parts[0].dest,
            lambda _argument, _error: None, None,
        )  # fmt: skip
    reports = [message for message in waiting(engine, "customers/acme") if message.kind is Kind.REPORT]
    assert [(message.report.id, message.report.state) for message in reports] == [
        (numbers[0], state),
        (numbers[2], state),
    ]
    ended = engine.events(events.Ended)
    assert {event.id for event in ended} >= set(numbers)
    assert len({event.id for event in ended}) == len(ended)
    assert {event.id: bool(event.report) for event in ended if event.id in numbers} == {
        numbers[0]: True, numbers[1]: False, numbers[2]: True,
    }  # fmt: skip
    engine.close()


def test_a_part_is_refused_at_once_where_the_message_would_be(engine):
    engine.engine.receiver.open = False
    with pytest.raises(Rejected):
        engine.hand_in(parts_of()[:1])
    assert engine.joiner.count == 0


def test_what_waits_for_room_takes_nothing_with_it_that_came_later_under_its_reference(engine):
    """The sender uses the reference again while the queue of the first message is full: both go on, and all of it ends."""
    lane, parts = engine.lanes.get("one"), parts_of()
    numbers = engine.hand_in(parts[:2])
    hold = engine.joiner.hold

    def hold_and_fill(*arguments):
        lane.size_limit = 0  # it gets full between the last part and its commit
        return hold(*arguments)

    engine.joiner.hold = hold_and_fill
    numbers += engine.hand_in(parts[2:])
    engine.joiner.hold = hold
    assert engine.joiner.count == 3
    assert waiting(engine) == []
    lane.size_limit = 1000
    again = engine.hand_in(parts_of(TEXT[::-1])[:1])
    engine.joiner.tick(time.time())
    assert body_of(waiting(engine)) == TEXT
    assert engine.joiner.count == 1
    engine.joiner.tick(time.time() + 10_000)
    assert engine.joiner.count == 0
    assert again[0] in {message.id for message in waiting(engine)}
    for number in [message.id for message in waiting(engine)]:
        engine.lanes.remove(number, Cause.DELETED)
    assert engine.spool.flush()
    ended = [event.id for event in engine.events(events.Ended)]
    assert set(numbers + again) <= set(ended)
    assert len(ended) == len(set(ended))
