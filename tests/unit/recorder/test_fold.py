"""Events into rows, by the database that holds them: the same end whatever batches they come in, and money that adds up."""

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emg.engine import events
from emg.errors import Cause
from emg.message import Encoding, State
from emg.recorder.fold import Fold, stamp
from tests.unit.recorder.stories import NOON, Log, accepted, add_account, ended, sent


@pytest.fixture
def log(database):
    made = Log(database)
    yield made
    made.close()
    assert not made.careful, "nothing here is so odd that it needs care"


def in_batches(*happened):
    """All at once, and one by one."""
    return pytest.mark.parametrize("batches", [[list(happened)], [[event] for event in happened]], ids=["one", "many"])


@given(st.floats(0, 4e9))
def test_a_moment_is_what_datetime_makes_of_it(at):
    assert stamp(at) == f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%S.%f}"


@in_batches(accepted(1, want=3), sent(1, tries=1), ended(1))
def test_the_life_of_a_message_is_one_row(log, batches):
    for batch in batches:
        log.write(batch, {"acme": 4})
    row = log.row(1)
    for name, value in {
        "account": "acme", "customer_id": 4, "connector_in": "customers", "connector_out": "operator", "source": "EMG",
        "dest": "46701234567", "encoding": 1, "octets": 5, "parts": 1, "status": "delivered", "tries": 1, "maybe_sent": 0,
        "remote_id": "0a1b", "error": "000", "cause": "", "route": "table 3", "reference": "ref", "ip": "192.0.2.7", "node": 0, "price": 0,
    }.items():  # fmt: skip
        assert row[name] == value, name
    assert str(row["received"]).startswith("2026-11-23 12:00:00")
    assert str(row["sent"]).startswith("2026-11-23 12:00:00.5")
    assert str(row["done"]).startswith("2026-11-23 12:00:02")
    assert [str(row["hour"])[:19] for row in log.rows("dirty_hour")] == ["2026-11-23 12:00:00"]


@in_batches(
    accepted(1), events.Tried(1, NOON + 1, "operator", "", Cause.UNANSWERED, 0, NOON + 2, True, NOON),
    events.Moved(1, NOON + 3, "operator", "other", NOON, 0, 77), sent(1, NOON + 4, tries=1),
    ended(1, NOON + 5, state=State.FAILED, error="034", cause="refused by the far side"),
)  # fmt: skip
def test_retried_moved_and_failed(log, batches):
    for batch in batches:
        log.write(batch)
    row = log.row(1)
    assert (row["status"], row["error"], row["cause"]) == ("failed", "034", "refused by the far side")
    assert (row["tries"], row["maybe_sent"], row["connector_out"], row["cost"]) == (1, 1, "operator", 77)


@in_batches(
    events.Split(1, NOON, 2, 1, 2), events.Split(1, NOON, 3, 2, 2), accepted(1, parts=2, price=10, payer=5),
    sent(3, remote_id="second", parent=1), sent(2, remote_id="first", parent=1), ended(2, parent=1),
    ended(3, parent=1, state=State.FAILED, error="001", refund=4, payer=5), ended(1, state=State.FAILED, error="001"),
)  # fmt: skip
def test_a_long_message_and_its_parts(log, batches):
    add_account(log.database, 5)
    if len(batches) > 1:  # what is told before the message itself is told in its commit
        batches = [[event for batch in batches[:3] for event in batch], *batches[3:]]
    for batch in batches:
        log.write(batch)
    row = log.row(1)
    assert (row["status"], row["remote_id"], row["price"], row["refunded"], row["parts"]) == (
        "failed",
        "second",
        6,
        4,
        2,
    )
    assert [(part["id"], part["parent"], part["number"], part["total"], part["status"], part["remote_id"], part["error"])
            for part in log.rows("message_part")] == [(2, 1, 1, 2, "delivered", "first", "000"), (3, 1, 2, 2, "failed", "second", "001")]  # fmt: skip
    assert log.money() == (6, 6, 6)


def test_parts_that_were_joined_give_their_price_to_the_whole(log):
    add_account(log.database, 5)
    log.write([accepted(1, price=10, payer=5), accepted(2, NOON + 1, price=10, payer=5)])
    log.write(
        [accepted(3), events.Joined(1, NOON + 2, 3, 1, 2, NOON, 10), events.Joined(2, NOON + 2, 3, 2, 2, NOON + 1, 10)]
    )
    log.write([ended(3, state=State.FAILED, refund=20, payer=5), ended(1), ended(2)])  # all with the whole's time
    assert [(row["id"], row["price"], row["refunded"], row["status"]) for row in log.rows("routelog")] == [
        (1, 0, 0, "delivered"), (2, 0, 0, "delivered"), (3, 0, 20, "failed"),
    ]  # fmt: skip
    assert log.money() == (0, 0, 0)


@in_batches(
    events.Split(1, NOON, 2, 1, 2), events.Split(1, NOON, 3, 2, 2), accepted(1, parts=2, cost=8), sent(2, parent=1),
    events.Moved(3, NOON + 1, "operator", "other", NOON, 1, 6), events.Moved(3, NOON + 2, "other", "third", NOON, 1, -7),
)  # fmt: skip
def test_a_part_that_is_moved_changes_the_cost_by_its_own(log, batches):
    if len(batches) > 1:
        batches = [[event for batch in batches[:3] for event in batch], *batches[3:]]
    for batch in batches:
        log.write(batch)
    assert log.row(1)["cost"] == 7


def test_parts_that_were_joined_give_their_cost_to_the_whole(log):
    log.write([accepted(1, cost=4), accepted(2, NOON + 1, cost=4)])
    log.write(
        [
            accepted(3, cost=12), events.Joined(1, NOON + 2, 3, 1, 2, NOON, 0, 4), events.Joined(2, NOON + 2, 3, 2, 2, NOON + 1, 0, 4)
        ]
    )  # fmt: skip
    assert [(row["id"], row["cost"]) for row in log.rows("routelog")] == [(1, 0), (2, 0), (3, 20)]


@pytest.mark.parametrize("price", [0, 10])
@pytest.mark.parametrize("apart", [False, True])
def test_parts_that_were_joined_count_as_the_whole(log, apart, price):
    begun = [accepted(1, price=price), accepted(2, NOON + 1, price=price)]
    joined = [
        accepted(3, parts=2), events.Joined(1, NOON + 2, 3, 1, 2, NOON, price), events.Joined(2, NOON + 2, 3, 2, 2, NOON + 1, price)
    ]  # fmt: skip
    for batch in (begun, joined) if apart else (begun + joined,):
        log.write(batch)
    assert [(row["id"], row["parts"]) for row in log.rows("routelog")] == [(1, 0), (2, 0), (3, 2)]


def test_events_of_an_older_gateway_say_no_time(log):
    log.write([events.Split(1, NOON, 2, 1, 1), accepted(1)])
    log.write([sent(2, begun=0.0), ended(2, begun=0.0), ended(1, begun=0.0), ended(99, begun=0.0)])
    assert log.row(1)["status"] == "delivered"
    assert log.row(1)["remote_id"] == "0a1b"
    assert log.rows("message_part")[0]["status"] == "delivered"
    assert len(log.rows("routelog")) == 1


def test_what_is_about_a_report_makes_no_row(log):
    log.write([accepted(1)])
    log.write(
        [
            sent(50, kind=5),
            ended(50, NOON + 9, NOON + 8, state=State.EXPIRED),
            events.Orphaned(0, NOON, "o", "r", State.FAILED),
        ]
    )
    assert [row["id"] for row in log.rows("routelog")] == [1]


@in_batches(accepted(1), ended(1, state=State.FAILED), ended(1, NOON + 9), sent(1, NOON + 10))
def test_the_first_end_stays(log, batches):
    for batch in batches:
        log.write(batch)
    assert log.row(1)["status"] == "failed"
    assert str(log.row(1)["done"]).startswith("2026-11-23 12:00:02")


@pytest.mark.parametrize(("event", "body", "shown"), [
    ({"text": b"Hell\x7f"}, b"Hell\x7f", "Hellà"),
    ({"text": "Grüße\t\\N\n'\"%s".encode("utf-16-be"), "encoding": Encoding.UCS2}, "Grüße\t\\N\n'\"%s".encode("utf-16-be"), "Grüße\t\\N\n'\"%s"),
    ({"text": b"\x00\xff\t\n\\", "encoding": Encoding.BINARY}, b"\x00\xff\t\n\\", ""),
    ({"text": b"xxxx 00", "masked": True}, b"", "xxxx 00"),
    ({"udh": b"\x05\x00\x03\x01\x02\x01"}, b"", ""),
])  # fmt: skip
def test_a_text_is_kept_as_it_came_and_to_read(log, event, body, shown):
    log.write([accepted(1, **event)])
    (row,) = log.rows("message_body")
    assert (row["body"], row["text"], row["masked"], row["udh"]) == (
        body,
        shown,
        event.get("masked", False),
        event.get("udh", b""),
    )


def test_without_a_text_there_is_no_row_for_it(log):
    log.write([accepted(1)])
    assert not log.rows("message_body")


def test_what_is_longer_than_its_column_is_cut(log):
    long = "ö\t\\" * 400
    event = accepted(
        1, account=long, source=long, dest=long, queue=long, route=long, remote_ip=long, reference=long, currency=long, prefix=long, network=long,
        connector=long, parts=10**6, text=b"e" * 70_000,
    )  # fmt: skip
    log.write([event, sent(1, remote_id=long, tries=10**6), ended(1, error=long, cause=long)])
    log.write([accepted(2), events.Split(2, NOON, 3, 10**6, 10**6)])
    log.write(
        [sent(2, remote_id=long, tries=10**6), sent(3, remote_id=long, parent=2), ended(2, error=long, cause=long)]
    )
    assert not log.refused
    row = log.row(1)
    assert row["source"] == long[:254]
    assert log.row(2)["remote_id"] == row["remote_id"] == long[:65]


def test_a_time_that_is_none_costs_its_event_alone(log):
    fold = log.write([accepted(1, float("nan")), accepted(2, 1e300), accepted(3), accepted(4, -1e12)])
    assert [event.id for event, _ in fold.faults] == [1, 2, 4]
    assert [row["id"] for row in log.rows("routelog")] == [3]


def test_traffic_is_in_the_ledger_by_hour_and_account(log):
    add_account(log.database, 5)
    add_account(log.database, 6, "other")
    log.write(
        [accepted(1, price=100, payer=5), accepted(2, NOON + 3500, price=50, payer=5), accepted(3, price=7, payer=6)]
    )
    log.write(
        [ended(1, NOON + 3700, state=State.FAILED, refund=100, payer=5), accepted(4, NOON + 3600, price=0, payer=5)]
    )
    rows = [(row["account_id"], row["amount"], row["balance"], row["messages"], row["kind"], str(row["hour"])[:13], str(row["at"])[:19])
            for row in log.rows("ledger", "account_id, hour")]  # fmt: skip
    assert rows == [
        (5, -150, 1000000 - 150, 2, "traffic", "2026-11-23 12", "2026-11-23 12:58:20"),
        (5, 100, 1000000 - 50, 1, "traffic", "2026-11-23 13", "2026-11-23 13:01:40"),
        (6, -7, 1000000 - 7, 1, "traffic", "2026-11-23 12", "2026-11-23 12:00:00"),
    ]
    assert log.money() == (57, 57, 57)


# -- any order of batching


@st.composite
def lives(draw):
    """The events of some messages, as they may happen, each message's in their order."""
    streams = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        at = NOON + draw(st.integers(0, 7200 * 10**6)) / 1e6
        payer = draw(st.sampled_from((0, 5, 6)))
        price = draw(st.integers(0, 10**9))
        stream = [[accepted(number, at, price=price, payer=payer, text=b"some text")]]
        kind = draw(st.sampled_from(("plain", "split", "joined")))
        if kind == "split":
            parts = [number * 10 + 100 + part for part in range(draw(st.integers(1, 3)))]
            stream = [
                [
                    *(events.Split(number, at, part, place, len(parts)) for place, part in enumerate(parts, 1)),
                    *stream[0],
                ]
            ]
        else:
            parts = [number]
        for _ in range(draw(st.integers(0, 2))):
            part = draw(st.sampled_from(parts))
            parent = number if kind == "split" else 0
            stream.append(
                [events.Tried(part, at + 1, "operator", "", Cause.SYSTEM, 8, at + 2, draw(st.booleans()), at, parent)]
            )
        if draw(st.booleans()):
            stream.append([events.Moved(number, at + 2, "operator", "other", at, 0, draw(st.sampled_from((-1, 0, 5))))])
        if kind == "joined":
            whole = number * 10 + 500
            stream.append([accepted(whole, at), events.Joined(number, at + 3, whole, 1, 1, at, price)])
            parts = [whole]
        for part in parts if draw(st.booleans()) else ():
            parent = number if kind == "split" else 0
            stream.append([sent(part, at + 4, at, remote_id=f"r{part}", tries=draw(st.integers(1, 3)), parent=parent)])
        state = draw(st.sampled_from((State.DELIVERED, State.FAILED, State.EXPIRED, State.UNKNOWN, State.DELETED)))
        refund = draw(st.integers(0, price)) if payer else 0
        if draw(st.booleans()):
            own = [
                ended(
                    parts[0], at + 4000, at, state, refund=refund, payer=payer, parent=number if kind == "split" else 0
                )
            ]
            stream.append([*own, ended(number, at + 4000, at, state)] if parts != [number] else own)
        streams.append(stream)
    rows = []
    while streams:
        stream = draw(st.sampled_from(streams))
        rows.append(stream.pop(0))
        if not stream:
            streams.remove(stream)
    return rows


@given(st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_however_it_is_cut_into_batches_the_end_is_the_same(log, data):
    if not log.rows("account"):
        add_account(log.database, 5)
        add_account(log.database, 6, "other")
    rows = data.draw(lives())
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)))) | {0, len(rows)})
    log.empty()
    log.write([event for row in rows for event in row])
    at_once, money = log.everything(), log.money()
    log.empty()
    for begin, end in pairwise(cuts):
        log.write([event for row in rows[begin:end] for event in row])
    assert log.everything() == at_once
    assert log.money() == money
    assert money[0] == money[1]
    paid = sum(event.price for row in rows for event in row if isinstance(event, events.Accepted) and event.payer)
    back = sum(event.refund for row in rows for event in row if isinstance(event, events.Ended) and event.payer)
    assert money[0] == paid - back
    assert not log.refused


def test_a_batch_of_nothing_is_nothing():
    batch = Fold(0).batch({})
    assert not any((batch.messages, batch.changes, batch.hours, batch.traffic))
