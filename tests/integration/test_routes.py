"""The routing table on a running gateway: the most specific row, priority, weight, failover, and what decides before the table."""

from collections import Counter

import pytest

from emg.engine.events import Accepted, Sent
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import SubmitSm
from tests.gateways import eventually, incoming, outgoing, routes, user
from tests.integration.station import Station

OPERATORS = ("wide", "narrow", "vip", "door", "first", "spare", "heavy", "light", "small", "demand")
ROWS = (
    "46,,,wide,,,",
    "46701,,,narrow,,,",
    "46,vip,,vip,,,",
    "46,,side,door,,,",
    "47,,,first,1,,",
    "47,,,spare,2,,",
    "48,,,heavy,1,3,",
    "48,,,light,1,1,",
    "49,,,small,1,,",
    "49,,,spare,2,,",
    "45,,,first,,,no",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\n"
            + incoming("customers")
            + incoming("side")
            + incoming("fixed", ROUTE="spare")
            + "".join(outgoing(name, at[name], WINDOWSIZE=250) for name in OPERATORS if name not in ("small", "demand"))
            + outgoing("small", at["small"], MAXQUEUESIZE=2, WINDOWSIZE=2)
            + outgoing("demand", at["demand"], STATIC=False)
            + user()
            + user("vip")
            + user("bound", ROUTE="light")
        )

    files = {"routes.csv": routes(*ROWS)}
    with Station(tmp_path_factory.mktemp("routes"), list(OPERATORS), config, files) as it:
        for name in OPERATORS:
            if name != "demand":
                it.link(name)
        eventually(lambda: all(row["usable"] for row in it.gateway.control("GET", "/connectors")["connectors"]))
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def take(station, name, **fields):
    return station.link(name).take("routed", **fields)


def test_the_longest_prefix_decides(station):
    client = station.client()
    client.accepted("46711")
    take(station, "wide", destination_addr="46711")
    client.accepted("467011")
    take(station, "narrow", destination_addr="467011")


def test_a_row_for_the_account_or_the_connector_beats_a_general_one(station):
    station.client("vip").accepted("46711")
    take(station, "vip")
    station.client(connector="side").accepted("46711")
    take(station, "door")


def test_without_a_row_or_with_a_disabled_one_the_destination_is_refused(station):
    client = station.client()
    assert client.submit("99123").status == Status.RINVDSTADR
    assert client.submit("45123").status == Status.RINVDSTADR
    client.fence()


def test_what_the_account_says_beats_the_connector_and_the_table(station):
    station.client("bound", connector="fixed").accepted("46711")
    take(station, "light")
    number = station.client(connector="fixed").accepted("46711")
    take(station, "spare")
    assert station.gateway.events(Accepted, number)[0].route == "connector"


def test_the_first_priority_is_used_while_it_works(station):
    client = station.client()
    for n in range(5):
        client.accepted(f"4712{n}")
    for _ in range(5):
        take(station, "first")
    station.link("spare").expect_nothing()


def test_weights_share_the_messages(station):
    client = station.client()
    for n in range(200):
        assert client.submit(f"48{n:06}").status == 0
    numbers = Counter()
    for name in ("heavy", "light"):
        operator = station.link(name)
        operator.fence()
        taken, operator.inbox = operator.inbox, []
        numbers[name] = len(taken)
        for pdu in taken:
            operator.answer(pdu, message_id="weighed")
    assert numbers.total() == 200
    assert 110 <= numbers["heavy"] <= 180


@pytest.mark.parametrize("how", ["hold", "stop"])
def test_failover_when_the_first_is_held_or_stopped(station, how):
    back = {"hold": "release", "stop": "start"}[how]
    client = station.client()
    if how == "stop":
        station.link("first").close()
    station.gateway.control("POST", f"/connectors/first/{how}")
    client.accepted("47123")
    take(station, "spare", destination_addr="47123")
    station.gateway.control("POST", f"/connectors/first/{back}")
    if how == "stop":
        station.relink("first")
        eventually(lambda: station.gateway.control("GET", "/connectors/first")["usable"])
    client.accepted("47124")
    take(station, "first", destination_addr="47124")


def test_failover_when_the_first_has_lost_its_operator(station):
    client = station.client()
    station.link("first").cut()
    eventually(lambda: not station.gateway.control("GET", "/connectors/first")["usable"])
    client.accepted("47125")
    take(station, "spare", destination_addr="47125")
    station.relink("first").fence()
    eventually(lambda: station.gateway.control("GET", "/connectors/first")["usable"])


def test_failover_when_the_first_is_full(station):
    client = station.client()
    numbers = [client.accepted(f"4912{n}") for n in range(4)]
    small = station.link("small").expect_many(SubmitSm, 2)
    for _ in range(2):
        take(station, "spare")
    for pdu in small:
        station.link("small").answer(pdu, message_id="full")
    assert {station.gateway.wait_for_event(Sent, number).connector for number in numbers} == {"small", "spare"}


def test_when_all_are_full_the_sender_gets_queue_full(station):
    client = station.client()
    before = (station.gateway.folder / "routes.csv").read_text()
    (station.gateway.folder / "routes.csv").write_text(routes("49,,,small,,,"))
    station.gateway.reload()
    statuses = [client.submit(f"4912{n}").status for n in range(3)]
    assert statuses == [0, 0, int(Status.RMSGQFUL)]
    for _ in range(2):
        take(station, "small")
    (station.gateway.folder / "routes.csv").write_text(before)
    station.gateway.reload()


def test_a_message_waits_where_nothing_works_and_leaves_when_it_does(station):
    client = station.client()
    for name in ("first", "spare"):
        station.gateway.control("POST", f"/connectors/{name}/hold")
    client.accepted("47126")
    for name in ("first", "spare"):
        station.link(name).expect_nothing()
    for name in ("first", "spare"):
        station.gateway.control("POST", f"/connectors/{name}/release")
    take(station, "first", destination_addr="47126")


def test_a_new_table_takes_effect_without_dropping_a_session(station):
    client = station.client()
    file = station.gateway.folder / "routes.csv"
    before = file.read_text()
    file.write_text(before + "44,,,wide,,,\n")
    assert client.submit("44123").status == Status.RINVDSTADR
    station.gateway.reload()
    client.accepted("44123")
    take(station, "wide", destination_addr="44123")
    file.write_text("prefix,connector_out\n44,no-such-connector\n")
    station.gateway.reload()  # refused as a whole: all stays as it was
    client.accepted("44124")
    take(station, "wide", destination_addr="44124")
    file.write_text(before)
    station.gateway.reload()


def test_the_parts_of_one_message_follow_the_first_though_the_route_changes(station):
    client = station.client()
    client.accepted("47127", bytes((5, 0, 3, 7, 2, 1)) + b"one", esm_class=0x40)
    take(station, "first")
    station.gateway.control("POST", "/connectors/first/hold")
    client.accepted("47127", bytes((5, 0, 3, 7, 2, 2)) + b"two", esm_class=0x40)
    station.link("spare").expect_nothing()
    station.gateway.control("POST", "/connectors/first/release")
    assert take(station, "first").short_message.endswith(b"two")
