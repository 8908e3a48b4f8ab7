"""Keywords of connectors about sessions, speed, retries, routes and logs, each shown to work on a running gateway."""

import contextlib
import socket
import time

import pytest

from emg.engine.events import Ended, Sent, Tried
from emg.message import State
from emg.wire.smpp.codec import encode
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import DeliverSm, EnquireLink, GenericNack, SubmitSm, SubmitSmResp, Unbind
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, free_port, incoming, message, outgoing, routes, user
from tests.integration.station import Station

FREE, UNUSED = free_port(), free_port()
OPERATORS = (
    "operator", "three", "demand", "keep", "narrow", "auto", "paced", "small", "tried", "again", "doubted", "held", "second", "unheard",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")

    def config(at):
        return (
            "ROUTES=routes.csv\nCONNECTOR_LOGLEVEL=WARNING\n"
            + incoming("customers", LOGLEVEL="INFO")
            + incoming("two", INSTANCES=2, ROUTE="operator")
            + incoming("closed", INSTANCES=0)
            + incoming("off", DISABLED=True)
            + incoming("crowded", MAXCONNECTIONS=2)
            + incoming("elsewhere", ACCESS="127.0.0.2,10.0.0.0/8")
            + incoming("several", ADDRESS="127.0.0.1:0,[::1]:0,127.0.0.3:0")
            + incoming("byname", ADDRESS="localhost:0")
            + incoming("idle", IDLETIMEOUT=0.3)
            + incoming("alive", KEEPALIVE=0.2)
            + incoming("hasty", BINDTIMEOUT=0.2)
            + incoming("brief", MAXPDUSIZE=1024)
            + incoming("slow", THROUGHPUT=4, ROUTE="operator")
            + incoming("single", WINDOWSIZE=1, ROUTE="operator")
            + incoming("own", USERS="own.cfg", ROUTE="operator")
            + outgoing("operator", at["operator"], ROUTE="customers", LOGPDU=True, LOGLEVEL="INFO")
            + outgoing("three", at["three"], INSTANCES=3)
            + outgoing("demand", at["demand"], STATIC=False, IDLETIMEOUT=0.4)
            + outgoing("keep", at["keep"], KEEPALIVE=0.2)
            + outgoing("narrow", at["narrow"], WINDOWSIZE=3)
            + outgoing("auto", at["auto"], WINDOWSIZE="auto")
            + outgoing("paced", at["paced"], THROUGHPUT=5)
            + outgoing("small", at["small"], MAXQUEUESIZE=3, HOLD=True)
            + outgoing("tried", at["tried"], MAXTRIES=2, RETRYSCHEME="retry.txt")
            + outgoing("again", at["again"], RETRYTIME=0.1)
            + outgoing("doubted", at["doubted"], MAYBESENT="FAIL")
            + outgoing("held", at["held"], HOLD=True)
            + outgoing("unheard", at["unheard"], OPTIMEOUT=0.3, RETRYTIME=0.1)
            + outgoing("second", f"127.0.0.1:{FREE},{at['second']}")
            + outgoing("nobody", f"127.0.0.1:{UNUSED}", MAXFAILEDCONNECTS=2, MAXFAILEDSLEEP=30)
            + user()
            + user("local", ACCESS="127.0.0.2")
            + user("home", CONNECTOR="customers")
        )

    rows = [f"9{n:02},,,{name},,," for n, name in enumerate(OPERATORS)]
    files = {
        "routes.csv": routes(*rows),
        "retry.txt": "8 temporary 0.1s\n",
        "own.cfg": user("guest"),
    }
    with Station(folder, list(OPERATORS), config, files) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def dest(name, rest="1234"):
    return f"9{OPERATORS.index(name):02}{rest}"


# -- sessions


def test_instances_out_are_so_many_binds(station):
    sessions = [station.operators["three"].session() for _ in range(3)]
    client = station.client()
    for n in range(30):
        client.accepted(dest("three", f"{n:04}"))
    for session in sessions:
        session.fence()
        assert session.inbox, "one of the three got nothing"
    eventually(lambda: station.gateway.control("GET", "/connectors/three")["sessions"] == 3)
    for session in sessions:
        session.close()


def test_instances_in_bound_the_sessions(station):
    for _ in range(2):
        station.client(connector="two")
    third = station.visitor("two")
    assert third.bind().status == Status.RALYBND
    third.expect_closed()


@pytest.mark.parametrize("name", ["closed", "off"])
def test_without_instances_or_disabled_nobody_listens(station, name):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", station.gateway.port(name)), timeout=5)


def test_maxconnections_bounds_those_that_have_not_bound_too(station):
    first, second = station.visitor("crowded"), station.visitor("crowded")
    third = station.visitor("crowded")
    first.expect_closed()  # who has waited longest without a bind makes room
    for visitor in (second, third):
        assert visitor.bind().status == 0
    station.visitor("crowded").expect_closed()
    second.fence()


def test_access_of_a_connector_lets_in_whom_it_names(station):
    stranger = station.visitor("elsewhere")
    assert stranger.expect_closed() == []
    assert station.visitor("elsewhere", source="127.0.0.2").bind().status == 0


def test_access_of_an_account_lets_in_from_where_it_says(station):
    assert station.visitor().bind("local").status == Status.RBINDFAIL
    assert station.visitor(source="127.0.0.2").bind("local").status == 0


def test_an_account_logs_in_where_it_may(station):
    assert station.visitor("two").bind("home").status == Status.RBINDFAIL
    assert station.visitor().bind("home").status == 0


def test_users_of_a_file_log_in_at_its_connector_only(station):
    assert station.visitor("own").bind("guest").status == 0
    assert station.visitor().bind("guest").status != 0


def test_several_addresses_and_ipv6_are_all_listened_on(station):
    for index, host in enumerate(("127.0.0.1", "::1", "127.0.0.3")):
        with socket.create_connection((host, station.gateway.port("several", index)), timeout=5):
            pass
    sixth = socket.create_connection(("::1", station.gateway.port("several", 1)), timeout=5)
    sixth.close()


def test_a_name_is_listened_on_with_all_its_addresses(station):
    assert station.visitor("byname").bind().status == 0


def test_addresses_to_dial_are_tried_in_turn(station):
    session = station.link("second")
    station.client().accepted(dest("second"))
    session.take("second")


def test_an_operator_is_reached_over_ipv6_and_by_name(tmp_path):
    sixth, named = Smsc("::1"), Smsc()
    config = (
        "ROUTES=routes.csv\n"
        + incoming()
        + outgoing("sixth", sixth.address)
        + outgoing("named", f"localhost:{named.port}")
        + user()
    )
    files = {"routes.csv": routes("46,,,sixth,,,", "47,,,named,,,")}
    with GatewayProcess(tmp_path, config, files) as gateway, Esme.bound(gateway.port()) as client:
        for operator, dest in ((sixth, "46701"), (named, "47701")):
            session = operator.session()
            client.accepted(dest)
            session.take("reached")
    sixth.close()
    named.close()


def test_maxfailedconnects_lengthens_the_pause_to_maxfailedsleep(station):
    station.gateway.wait_for_log("connector nobody: cannot connect", "general")
    state = eventually(lambda: station.gateway.control("GET", "/connectors/nobody"), wanted="its state")
    assert state["state"] == "retrying"
    assert not state["usable"]
    with socket.create_server(("127.0.0.1", UNUSED)) as listener:
        listener.settimeout(1.0)
        calls = 0
        with contextlib.suppress(TimeoutError):
            while calls < 2:
                listener.accept()[0].close()
                calls += 1
    assert calls < 2  # the second try may still have been to come; the third is half a minute away


def test_waitbeforeconnect_is_the_pause_after_a_loss(tmp_path):
    operator = Smsc()
    config = incoming(ROUTE="operator") + outgoing("operator", operator.address, WAITBEFORECONNECT=60)
    with GatewayProcess(tmp_path, config + user()):
        operator.session().close()
        operator.sock.settimeout(1.0)
        with pytest.raises(AssertionError, match="nobody connected"):
            operator.connection(1.0)  # the first pause is an eighth of it
    operator.close()


def test_on_demand_a_session_is_made_for_a_message_and_ended_when_idle(station):
    operator = station.operators["demand"]
    operator.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        operator.sock.accept()  # nothing to send: nobody has called
    for text in (b"first", b"second"):
        station.client().accepted(dest("demand"), text)
        session = operator.session()
        session.take("demand", short_message=text)
        unbind = session.expect(Unbind)  # IDLETIMEOUT
        session.answer(unbind)
        session.expect_closed()


def test_idletimeout_of_customers_unbinds_who_says_nothing(station):
    client = station.client(connector="idle")
    unbind = client.expect(Unbind)
    client.answer(unbind)
    client.expect_closed()


def test_keepalive_asks_in_both_roles_when_nothing_is_heard(station):
    for peer in (station.client(connector="alive"), station.link("keep")):
        peer.answers_enquiries = False
        peer.answer(peer.expect(EnquireLink))
        peer.answer(peer.expect(EnquireLink))
        peer.answers_enquiries = True


def test_bindtimeout_ends_connections_without_a_bind(station):
    visitor = station.visitor("hasty")
    visitor.expect_closed(5.0)


def test_optimeout_tries_a_message_without_answer_again(station):
    client, operator = station.client(), station.link("unheard")
    number = client.accepted(dest("unheard"))
    operator.expect(SubmitSm)
    again = operator.expect(SubmitSm)
    operator.answer(again, message_id="late")
    sent = station.gateway.wait_for_event(Sent, number)
    assert (sent.tries, sent.maybe_sent) == (2, True)


def test_maxpdusize_ends_who_sends_more(station):
    client = station.client(connector="brief")
    client.send_raw((1025).to_bytes(4, "big") + encode(message())[4:16] + bytes(100))
    (nack,) = client.expect_closed()
    assert isinstance(nack, GenericNack)


# -- hold


def test_hold_keeps_the_session_and_the_messages_until_released(station):
    client, operator = station.client(), station.link("held")
    client.accepted(dest("held"), b"first")
    operator.expect_nothing()
    station.gateway.control("POST", "/connectors/held/release")
    operator.take("held", short_message=b"first")
    station.gateway.control("POST", "/connectors/held/hold")
    client.accepted(dest("held"), b"second")
    operator.expect_nothing()
    station.gateway.control("POST", "/connectors/held/release")
    operator.take("held", short_message=b"second")


def test_messages_of_higher_priority_leave_first_and_others_in_order(station):
    client, operator = station.client(), station.link("held")
    station.gateway.control("POST", "/connectors/held/hold")
    for n, priority in enumerate((0, 0, 3, 1, 0, 3)):
        client.accepted(dest("held"), b"%d" % n, priority_flag=priority)
    station.gateway.control("POST", "/connectors/held/release")
    assert [operator.take("held").short_message for _ in range(6)] == [b"2", b"5", b"3", b"0", b"1", b"4"]


# -- speed and bounds


def test_windowsize_is_the_number_of_unanswered_messages(station):
    client, operator = station.client(), station.link("narrow")
    for n in range(5):
        client.accepted(dest("narrow", f"{n:04}"))
    first = operator.expect_many(SubmitSm, 3)
    operator.expect_nothing()
    operator.answer(first[0], message_id="w")
    fourth = operator.expect(SubmitSm)
    operator.expect_nothing()
    for pdu in (*first[1:], fourth):
        operator.answer(pdu, message_id="w")
    operator.take("w")


def test_windowsize_of_customers_bounds_what_is_delivered(station):
    client, operator = station.client(connector="single"), station.link()
    for n in range(3):
        client.accepted(dest("operator"), registered_delivery=1)
        operator.take(f"win-{n}")
        operator.receipt(f"win-{n}", dest("operator"))
    for _ in range(3):
        pdu = client.expect(DeliverSm)
        client.expect_nothing()
        client.answer(pdu)


def test_windowsize_auto_grows_with_what_the_operator_answers(station):
    client, operator = station.client(), station.link("auto")
    for n in range(200):
        client.ask(message(dest("auto", f"{n:04}")))
    for _ in range(200):
        assert client.pick(lambda pdu: isinstance(pdu, SubmitSmResp)).status == 0
    taken = 0
    while taken < 200:
        operator.answer(operator.expect(SubmitSm), message_id=f"auto-{taken}")
        taken += 1
    (session,) = station.gateway.control("GET", "/connectors/auto")["session_list"]
    assert session["window"] >= 5


def test_throughput_in_refuses_what_is_beyond_a_burst_of_one_second(station):
    client, operator = station.client(connector="slow"), station.link()
    statuses = [client.submit(dest("operator")).status for _ in range(7)]
    assert statuses[:4] == [0] * 4
    assert int(Status.RTHROTTLED) in statuses[4:]
    for _ in range(statuses.count(0)):
        operator.take("rate")


def test_throughput_out_makes_messages_wait(station):
    client, operator = station.client(), station.link("paced")
    began = time.monotonic()
    for n in range(8):
        client.accepted(dest("paced", f"{n:04}"))
    for _ in range(8):
        operator.take("paced")
    assert time.monotonic() - began >= 0.55  # five at once, the others at five a second


def test_maxqueuesize_is_queue_full_to_the_sender(station):
    client, operator = station.client(), station.link("small")
    numbers = [client.accepted(dest("small", f"{n:04}")) for n in range(3)]
    assert client.submit(dest("small")).status == Status.RMSGQFUL
    station.gateway.control("POST", "/connectors/small/release")
    for _ in numbers:
        operator.take("small")
    station.gateway.wait_for_event(Sent, numbers[-1])
    client.accepted(dest("small"))
    operator.take("small")


def test_maxtotalqueuesize_is_queue_full_to_all(tmp_path):
    config = "MAXTOTALQUEUESIZE=2\n" + incoming(ROUTE="operator") + outgoing("operator", "127.0.0.1:9", HOLD=True)
    with GatewayProcess(tmp_path, config + user()) as gateway, Esme.bound(gateway.port()) as client:
        assert [client.submit().status for _ in range(3)] == [0, 0, int(Status.RMSGQFUL)]


# -- retries


def test_maxtries_fails_a_message_after_so_many(station):
    client, operator = station.client(), station.link("tried")
    number = client.accepted(dest("tried"), registered_delivery=1)
    for _ in range(2):
        operator.take(status=int(Status.RSYSERR))
    assert b"stat:UNDELIV err:008" in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED
    operator.expect_nothing()


def test_retrytime_is_the_pause_where_no_scheme_says_one(station):
    client, operator = station.client(), station.link("again")
    number = client.accepted(dest("again"))
    operator.take(status=int(Status.RSYSERR))
    tried = station.gateway.wait_for_event(Tried, number)
    assert tried.again - tried.at < 1
    operator.take("again")


def test_maybesent_fail_reports_instead_of_sending_twice(station):
    client, operator = station.client(), station.link("doubted")
    number = client.accepted(dest("doubted"), registered_delivery=1)
    operator.expect(SubmitSm)
    operator.cut()
    assert f"id:{number} ".encode() in client.report().short_message
    ended = station.gateway.wait_for_event(Ended, number)
    assert (ended.state, ended.maybe_sent) == (State.FAILED, True)
    station.relink("doubted").expect_nothing()


def test_an_expired_message_is_reported_though_its_operator_is_away(station):
    client = station.client()
    station.gateway.control("POST", "/connectors/held/hold")
    number = client.accepted(dest("held"), registered_delivery=2, validity_period="000000000001000R")
    assert b"stat:EXPIRED" in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.EXPIRED
    station.gateway.control("POST", "/connectors/held/release")


# -- logs


def test_logpdu_writes_every_pdu_of_its_connector_without_passwords(station):
    client, operator = station.client(), station.link()
    client.accepted(dest("operator"), b"seen in the log")
    operator.take("logged")
    log = station.gateway.wait_for_log("seen in the log", "pdu.operator")
    assert "password=***" in log
    assert "'pw'" not in log
    assert station.gateway.logs("pdu.customers") == ""


def test_loglevel_is_the_connectors_own(station):
    station.client()
    station.gateway.wait_for_log("bound as", "connector.customers")
    station.client(connector="two")
    assert "bound as" not in station.gateway.logs("connector.two")


def test_a_cut_customer_is_nobody_elses_affair(station):
    client, other = station.client(), station.client()
    client.cut()
    other.fence()
    with pytest.raises(OSError, match=r"file descriptor"):
        client.fence()
