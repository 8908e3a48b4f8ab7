"""What real gateways got wrong about SMPP sessions (S1–S20), on the running gateway, as SMSC and as ESME."""

import struct

import pytest

from emg.engine.events import Ended, Sent, Tried
from emg.errors import Cause
from emg.message import State
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import encode
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, GenericNack, SubmitSm, SubmitSmResp, Unbind
from tests.gateways import Esme, Smsc, eventually, incoming, message, outgoing, routes, user
from tests.integration.station import Background, Station

SEQUENCES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(64)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\n"
            + incoming("customers")
            + incoming("quick", KEEPALIVE=0.3, OPTIMEOUT=0.4, BINDTIMEOUT=0.5)
            + outgoing("operator", at["operator"], ROUTE="customers")
            + outgoing("fragile", at["fragile"], OPTIMEOUT=5, ROUTE="customers")
            + outgoing("deaf", at["deaf"], KEEPALIVE=0.3, OPTIMEOUT=0.5)
            + user()
            + user("single", SESSIONS=1)
            + user("narrow", WINDOWSIZE=2)
            + user("slow", THROUGHPUT=5)
        )

    table = routes("46,,,operator,,,", "47,,,fragile,,,", "48,,,deaf,,,")
    with Station(
        tmp_path_factory.mktemp("session"), ["operator", "fragile", "deaf"], config, {"routes.csv": table}
    ) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def mobile(text=b"hello", **fields):
    return DeliverSm(
        source_addr="46709999999", source_addr_ton=1, destination_addr="12345", short_message=text, **fields
    )


# -- framing


def test_s1_a_submit_in_single_octets_is_one_message(station):
    client, operator = station.client(), station.link()
    client.send_raw(
        encode(SubmitSm(7, 0, source_addr="EMG", source_addr_ton=5, destination_addr="46701", short_message=b"x")),
        one_by_one=True,
    )
    assert client.answer_to(7).status == 0
    operator.take("s1", short_message=b"x")


def test_s1_ten_submits_in_one_segment_get_ten_answers_in_order(station):
    client, operator = station.client(), station.link()
    client.send(*(message(f"4670000000{n}", sequence=100 + n) for n in range(10)))
    answers = [client.expect(SubmitSmResp, status=0) for _ in range(10)]
    assert [answer.sequence for answer in answers] == list(range(100, 110))
    ids = [int(answer.message_id) for answer in answers]
    assert ids == sorted(ids)
    taken = [operator.take(f"s1-{n}").destination_addr for n in range(10)]
    assert taken == [f"4670000000{n}" for n in range(10)]


def test_s1_as_esme_delivers_are_read_however_they_are_cut(station):
    client, operator = station.client(), station.link()
    operator.send_raw(encode(mobile(b"drop by drop", sequence=50)), one_by_one=True)
    assert operator.answer_to(50).status == 0
    assert client.report().short_message == b"drop by drop"
    operator.send(*(mobile(b"%d" % n, sequence=60 + n) for n in range(10)))
    assert [operator.expect(DeliverSmResp, status=0).sequence for _ in range(10)] == list(range(60, 70))
    assert [client.report().short_message for _ in range(10)] == [b"%d" % n for n in range(10)]


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        TLS_HELLO,
        struct.pack(">4I", 15, 0x15, 0, 1),
        bytes(16),
    ],
    ids=["http-answer", "http-request", "tls-hello", "fifteen", "nulls"],
)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "unbound"])
def test_s2_an_impossible_length_is_nacked_and_the_connection_closed(station, octets, bound):
    client = station.client() if bound else station.visitor()
    client.send_raw(octets)
    (nack,) = client.expect_closed()
    assert isinstance(nack, GenericNack)
    assert nack.status == Status.RINVCMDLEN


def test_s2_one_line_is_logged_and_others_go_on(station):
    other = station.client()
    before = station.gateway.logs("connector.customers").count(" broken: ")
    visitor = station.visitor()
    visitor.send_raw(b"HTTP" * 4000)
    visitor.expect_closed()
    other.fence()
    assert station.gateway.wait_for_log(" broken: ", "connector.customers", before + 1).count(" broken: ") == before + 1


def test_s2_as_esme_a_stream_out_of_step_is_ended_and_dialled_again(station):
    link = station.link("fragile")
    link.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    link.expect_closed()
    station.relink("fragile").fence()


@pytest.mark.parametrize("command", [0x00000011, 0x0000FFFF, 0x00010200, 0x12345678])
def test_s3_an_unknown_command_is_nacked_with_its_sequence_and_the_session_lives(station, command):
    for peer in (station.client(), station.link()):
        peer.send_raw(struct.pack(">4I", 20, command, 0, 4711) + b"abcd")
        nack = peer.expect(GenericNack, sequence=4711)
        assert nack.status == Status.RINVCMDID
        peer.fence()


# -- binding


def test_s4_a_submit_before_the_bind_is_refused_and_a_bind_still_possible(station):
    visitor = station.visitor()
    answer = visitor.submit()
    assert answer.status == Status.RINVBNDSTS
    assert visitor.bind().status == 0
    visitor.fence()


def test_s4_who_does_not_bind_is_let_go_after_the_bind_timer(station):
    visitor = station.visitor("quick")
    visitor.submit()
    visitor.expect_closed(5.0)


def test_s5_a_submit_by_a_receiver_is_refused_and_the_session_lives(station):
    receiver = station.client(kind="rx")
    assert receiver.submit().status == Status.RINVBNDSTS
    receiver.fence()


def test_s5_a_transmitter_submits_and_gets_nothing_delivered(station):
    transmitter, receiver = station.client(kind="tx"), station.client(kind="rx")
    operator = station.link()
    number = transmitter.accepted(registered_delivery=1)
    operator.take("s5")
    operator.receipt("s5")
    assert f"id:{number} ".encode() in receiver.report().short_message
    transmitter.expect_nothing()


def test_s6_a_wrong_password_is_told_and_the_connection_closed(station):
    visitor = station.visitor()
    assert visitor.bind(password="wrong").status == Status.RINVPASWD
    assert visitor.expect_closed() == []
    other = station.visitor()
    assert other.bind("nobody").status in (Status.RINVPASWD, Status.RINVSYSID)
    other.expect_closed()


def test_s6_guessing_becomes_slower_and_others_do_not_notice(station):
    visitors = [station.visitor() for _ in range(5)]
    for visitor in visitors:
        visitor.ask(pdus.BindTransceiver(system_id="victim", password="guess"))
    for visitor in visitors[:2]:
        assert visitor.receive().status in (Status.RINVPASWD, Status.RBINDFAIL)
    other = station.client()  # while the guesses wait for their answers
    other.fence()
    station.link()
    assert other.submit().status == 0
    station.link().take("s6")


def test_s6_as_esme_a_refused_bind_is_an_alarm_and_a_long_pause(station, tmp_path):
    for status in (Status.RINVPASWD, Status.RINVSYSID, Status.RINVSYSTYP):
        strict = Smsc()
        config = station.gateway.config_file.read_text()
        name = f"strict{int(status)}"
        station.gateway.config_file.write_text(config + outgoing(name, strict.address))
        station.gateway.reload()
        refused = strict.connection()
        refused.accept_bind(int(status))
        refused.close()
        said = f"connector {name}: the bind was refused ("
        log = station.gateway.wait_for_log(said)
        alarm = next(line for line in log.splitlines() if said in line and "next try" in line)
        assert " ERROR " in alarm
        assert float(alarm.rpartition(" in ")[2].split()[0]) >= 30
        station.gateway.config_file.write_text(config)
        station.gateway.reload()
        strict.close()


def test_s7_more_sessions_than_allowed_are_refused_as_already_bound(station):
    station.client("single")
    second = station.visitor()
    assert second.bind("single").status == Status.RALYBND
    second.expect_closed()
    elsewhere = station.visitor("quick")  # SESSIONS is the account's, whichever connectors it uses
    assert elsewhere.bind("single").status == Status.RALYBND


def test_s7_a_dead_customer_makes_room_when_his_silence_is_noticed(station):
    dead = station.client("single", connector="quick")
    dead.answers_enquiries = False

    def bound_again():
        visitor = Esme(station.gateway.port("quick"))
        answer = visitor.bind("single")
        if answer.status:
            assert answer.status == Status.RALYBND
            visitor.close()
            return None
        return visitor

    eventually(bound_again, 5.0, "a bind in the dead session's place").close()
    dead.expect_closed()


def test_s7_a_bind_in_a_bound_session_is_refused_and_the_session_lives(station):
    client = station.client()
    assert client.bind().status == Status.RALYBND
    client.fence()


# -- sequence numbers and answers


@pytest.mark.parametrize("sequence", SEQUENCES, ids=hex)
def test_s8_sequence_numbers_of_the_whole_range_are_echoed(station, sequence):
    client, operator = station.client(), station.link()
    client.send(message(sequence=sequence))
    assert client.expect(SubmitSmResp, status=0).sequence == sequence
    operator.take("s8")
    operator.send(mobile(sequence=sequence))
    assert operator.expect(DeliverSmResp, status=0).sequence == sequence
    client.report()
    operator.send(EnquireLink(sequence))
    assert operator.expect(pdus.EnquireLinkResp).sequence == sequence


def test_s10_answers_in_any_order_find_their_messages(station):
    client, operator = station.client(), station.link()
    numbers = [client.accepted(f"4670000000{n}", registered_delivery=1) for n in range(5)]
    taken = operator.expect_many(SubmitSm, 5)
    for pdu in reversed(taken):
        operator.answer(pdu, message_id=f"s10-{pdu.destination_addr}")
    for pdu, number in zip(taken, numbers, strict=True):
        assert operator.receipt(f"s10-{pdu.destination_addr}", pdu.destination_addr).status == 0
        assert f"id:{number} ".encode() in client.report().short_message


def test_s10_an_answer_to_nothing_is_logged_and_ignored(station):
    client, operator = station.client(), station.link()
    operator.send(SubmitSmResp(0x7777777, 0, "nobody-asked"))
    operator.fence()
    station.gateway.wait_for_log(str(0x7777777), "connector.operator")
    client.accepted()
    operator.take("s10")


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"AB12\0", b"\0\x04\x25\0\x03\x03\0\x0b"], ids=["none", "empty", "id", "tlv"]
)
def test_s11_a_refusal_is_read_with_and_without_a_body(station, body):
    client, operator = station.client(), station.link()
    number = client.accepted(registered_delivery=1)
    pdu = operator.expect(SubmitSm)
    operator.send_raw(struct.pack(">4I", 16 + len(body), 0x80000004, int(Status.RINVDSTADR), pdu.sequence) + body)
    assert b"stat:UNDELIV err:011" in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED


def test_s11_a_generic_nack_is_an_answer_too(station):
    client, operator = station.client(), station.link()
    number = client.accepted()
    pdu = operator.expect(SubmitSm)
    operator.send(GenericNack(pdu.sequence, int(Status.RINVCMDID)))
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED


def test_s12_an_empty_message_id_counts_as_sent_and_no_report_is_expected(station):
    client, operator = station.client(), station.link()
    number = client.accepted(registered_delivery=1)
    operator.take("")
    assert station.gateway.wait_for_event(Sent, number).remote_id == ""
    assert station.gateway.wait_for_event(Ended, number).state is State.UNKNOWN
    assert b"stat:UNKNOWN" in client.report().short_message  # a report asked for is always sent


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"a-message-id\0", b"\0\0", b"\0\x14\x00\x00\x02\xca\xfe", b"\xff"],
    ids=["none", "empty", "id", "one-more", "tlv", "no-nul"],
)
def test_s13_an_answer_to_deliver_sm_may_carry_what_it_likes(station, body):
    client, operator = station.client(), station.link()
    operator.send(mobile(b"s13", sequence=13))
    assert operator.answer_to(13).status == 0
    pdu = client.expect(DeliverSm)
    client.send_raw(struct.pack(">4I", 16 + len(body), 0x80000005, 0, pdu.sequence) + body)
    client.fence()
    assert station.gateway.control("GET", "/status")["in_flight"] == 0


# -- keeping alive


def test_s14_enquire_link_is_answered_while_the_window_is_full(station):
    client, operator = station.client(), station.link()
    for n in range(15):
        client.accepted(f"467000000{n:02}")
    taken = operator.expect_many(SubmitSm, 10)  # the window; five wait behind it
    operator.fence()
    client.fence()
    assert operator.inbox == []
    for pdu in taken:
        operator.answer(pdu, message_id="s14")
    for pdu in operator.expect_many(SubmitSm, 5):
        operator.answer(pdu, message_id="s14")


def test_s14_enquire_link_is_answered_to_a_client_whose_window_of_reports_is_full(station):
    client, operator = station.client(), station.link()
    for n in range(12):
        assert operator.deliver(source_addr="467", destination_addr="1", short_message=b"%d" % n).status == 0
    held = client.expect_many(DeliverSm, 10)
    client.fence()
    assert client.inbox == []
    for pdu in held:
        client.answer(pdu)
    for pdu in client.expect_many(DeliverSm, 2):
        client.answer(pdu)


def test_s15_an_operator_that_asks_but_never_answers_is_broken(station):
    link = station.link("deaf")
    link.answers_enquiries = False
    link.expect(EnquireLink)
    link.fence()  # it asks us, and we answer: that does not help it
    link.expect_closed(5.0)
    fresh = station.relink("deaf")
    fresh.expect(EnquireLink) if not fresh.answers_enquiries else fresh.fence()


# -- the end of a session


def test_s16_as_smsc_an_unbind_is_answered_before_the_end(station):
    client, operator = station.client(), station.link()
    client.send(message(sequence=1), message(sequence=2), Unbind(3))
    assert [type(pdu) for pdu in client.expect_closed()] == [SubmitSmResp, SubmitSmResp, pdus.UnbindResp]
    operator.take("s16")
    operator.take("s16")


def test_s16_as_esme_a_stop_waits_for_the_answers_then_unbinds(station):
    client, link = station.client(), station.link("fragile")
    number = client.accepted("47701")
    pdu = link.expect(SubmitSm)
    with Background(lambda: station.gateway.control("POST", "/connectors/fragile/stop")):
        link.fence()
        link.answer(pdu, message_id="s16")
        unbind = link.expect(Unbind)
        assert station.gateway.wait_for_event(Sent, number).remote_id == "s16"
        link.answer(unbind)
        link.expect_closed()
    station.gateway.control("POST", "/connectors/fragile/start")
    station.relink("fragile").fence()


def test_s16_as_esme_what_is_not_answered_in_time_is_queued_again_as_maybe_sent(station):
    client, link = station.client(), station.link("fragile")
    number = client.accepted("47702")
    link.expect(SubmitSm)
    with Background(lambda: station.gateway.control("POST", "/connectors/fragile/stop")):
        link.expect_closed()
        tried = station.gateway.wait_for_event(Tried, number)
        assert (tried.cause, tried.maybe_sent) == (Cause.UNANSWERED, True)
    station.gateway.control("POST", "/connectors/fragile/start")
    station.relink("fragile").take("s16", destination_addr="47702")
    assert station.gateway.wait_for_event(Sent, number).maybe_sent


def test_s17_messages_without_answer_are_sent_again_and_reports_of_the_first_copies_match(station):
    client, link = station.client(), station.link("fragile")
    numbers = {f"4770{n}": client.accepted(f"4770{n}", registered_delivery=1) for n in range(3)}
    assert {pdu.destination_addr for pdu in link.expect_many(SubmitSm, 3)} == set(numbers)
    link.cut()
    again = station.relink("fragile")
    for pdu in again.expect_many(SubmitSm, 3):
        tried = station.gateway.wait_for_event(Tried, numbers[pdu.destination_addr])
        assert (tried.cause, tried.maybe_sent) == (Cause.UNANSWERED, True)
        if pdu.destination_addr != "47700":
            again.answer(pdu, message_id=f"second-{pdu.destination_addr}")
            assert again.receipt(f"second-{pdu.destination_addr}", pdu.destination_addr).status == 0
        else:
            again.answer(pdu, message_id="second")
            # the provider's receipt names the id of the first copy, whose answer never reached us
            assert again.receipt("first-copy", pdu.destination_addr).status == 0
        assert f"id:{numbers[pdu.destination_addr]} ".encode() in client.report().short_message
    assert all(station.gateway.wait_for_event(Sent, number).maybe_sent for number in numbers.values())
    assert again.receipt("second", "47700").status == 0
    client.expect_nothing()  # never two final receipts


def test_s19_reports_wait_for_who_does_not_answer_and_come_again(station):
    client, operator = station.client(connector="quick"), station.link()
    numbers = [client.accepted(f"46700{n:02}", registered_delivery=1) for n in range(14)]
    for n in range(14):
        operator.take(f"s19-{n}")
    for n in range(14):
        assert operator.receipt(f"s19-{n}", f"46700{n:02}").status == 0
    first = client.expect_many(DeliverSm, 10)
    client.expect_nothing()  # at most the window
    again = client.expect_many(DeliverSm, 10)  # after OPTIMEOUT
    assert [pdu.short_message for pdu in again] == [pdu.short_message for pdu in first]
    client.close()
    other = station.client(connector="quick")
    texts = [other.report().short_message for _ in range(14)]
    assert [text.split(b" ")[0] for text in texts] == [b"id:%s" % number.encode() for number in numbers]
    other.expect_nothing()


def test_s20_beyond_the_window_is_throttled_and_what_was_accepted_is_kept(station):
    client, operator = station.client("narrow"), station.link()
    client.send(*(message(f"4670000000{n}", sequence=n + 1) for n in range(10)))
    answers = [client.expect(SubmitSmResp) for _ in range(10)]
    accepted = [answer for answer in answers if not answer.status]
    refused = [answer for answer in answers if answer.status]
    assert accepted
    assert refused
    assert {answer.status for answer in refused} <= {int(Status.RTHROTTLED), int(Status.RMSGQFUL)}
    for _ in accepted:
        operator.take("s20")
    operator.expect_nothing()
    client.fence()


def test_s20_beyond_the_rate_is_throttled_after_a_burst_of_one_second(station):
    client, operator = station.client("slow"), station.link()
    statuses = [client.submit().status for _ in range(8)]
    assert statuses[:5] == [0] * 5
    assert int(Status.RTHROTTLED) in statuses[5:]
    for status in statuses:
        if not status:
            operator.take("s20")
    operator.expect_nothing()
    client.fence()
