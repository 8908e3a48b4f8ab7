"""What real gateways got wrong about taking messages and trying them again (S20–S23, S51, S52), on the running gateway."""

import datetime as dt
import time

import pytest

from emg.engine.events import Accepted, Ended, Sent, Tried
from emg.message import State
from emg.wire.smpp import times
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import CancelSm, DeliverSm, SubmitSm
from tests.gateways import incoming, outgoing, user
from tests.integration.station import Station

SOON = "8 temporary 0.2s\n0x45 temporary 0.2s\n0x401 temporary 1h\n* temporary 0.2s\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "MAXVP=3d\n"
            + incoming("customers", ROUTE="operator")
            + incoming("patient", ROUTE="tries")
            + outgoing("operator", at["operator"], ROUTE="customers")
            + outgoing("tries", at["tries"], RETRYSCHEME="retry.txt")
            + user()
        )

    with Station(tmp_path_factory.mktemp("submit"), ["operator", "tries"], config, {"retry.txt": SOON}) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


# -- answers of operators


@pytest.mark.parametrize("status", [Status.RTHROTTLED, Status.RMSGQFUL], ids=lambda status: status.name)
def test_s21_a_throttled_message_is_tried_again_first_and_once(station, status):
    client, operator = station.client(), station.link()
    numbers = [client.accepted("46701", b"%d" % n, registered_delivery=1) for n in range(3)]
    for pdu in operator.expect_many(SubmitSm, 3):
        operator.answer(pdu, int(status))
    taken = []
    while len(taken) < 3:  # after the pause the window opens slowly
        pdu = operator.expect(SubmitSm)
        taken.append(pdu.short_message)
        operator.answer(pdu, message_id=f"s21-{len(taken)}")
    assert taken == [b"0", b"1", b"2"]
    for n, number in enumerate(numbers, 1):
        assert operator.receipt(f"s21-{n}", "46701").status == 0
        assert f"id:{number} ".encode() in client.report().short_message
        assert station.gateway.wait_for_event(Sent, number).tries == 1
    operator.expect_nothing()
    client.expect_nothing()


@pytest.mark.parametrize(
    "status",
    [Status.RINVDSTADR, Status.RINVSRCADR, Status.RINVMSGLEN, Status.RINVDSTTON, Status.RINVSCHED],
    ids=lambda status: status.name,
)
def test_s22_a_permanent_refusal_fails_at_once_with_a_report(station, status):
    client, operator = station.client(), station.link()
    number = client.accepted(registered_delivery=1)
    operator.take(status=int(status))
    text = client.report().short_message
    assert f"id:{number} ".encode() in text
    assert f"stat:UNDELIV err:{int(status):03d}".encode() in text
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED
    operator.expect_nothing()


@pytest.mark.parametrize("status", [Status.RSYSERR, Status.RSUBMITFAIL, 0x45B], ids=["RSYSERR", "RSUBMITFAIL", "0x45B"])
def test_s22_a_temporary_refusal_is_tried_again(station, status):
    client, operator = station.client(connector="patient"), station.link("tries")
    number = client.accepted(registered_delivery=1)
    operator.take(status=int(status))
    assert station.gateway.wait_for_event(Tried, number).status == status
    operator.take("s22")
    operator.receipt("s22")
    assert f"id:{number} ".encode() in client.report().short_message
    assert station.gateway.wait_for_event(Sent, number).tries == 2


def test_s22_tries_end_with_the_validity_and_the_sender_is_told(station):
    client, operator = station.client(connector="patient"), station.link("tries")
    number = client.accepted(registered_delivery=1, validity_period="000000000003000R")
    operator.take(status=0x401)
    operator.take(status=0x401)  # the next pause would end after the validity: a last chance before its end
    text = client.report().short_message
    assert f"id:{number} ".encode() in text
    assert b"stat:EXPIRED" in text
    assert station.gateway.wait_for_event(Ended, number).state is State.EXPIRED
    operator.expect_nothing()


@pytest.mark.parametrize("status", [0x08, 0x14, 0x45, 0x58, 0x67, 0xFE, 0xFF], ids=hex)
def test_s22_a_customer_who_asks_for_it_again_gets_it_again(station, status):
    client, operator = station.client(), station.link()
    assert operator.deliver(source_addr="467", destination_addr="1", short_message=b"again").status == 0
    client.answer(client.expect(DeliverSm), status)
    if status in (0x14, 0x58):  # he is only busy: the pause is short
        assert client.report().short_message == b"again"
        return
    number = station.gateway.events(Accepted)[-1].id
    assert station.gateway.wait_for_event(Tried, number).status == status
    station.gateway.control("POST", f"/messages/{number}/cancel")


@pytest.mark.parametrize("status", [0x01, 0x0B, 0x0E, 0x400], ids=hex)
def test_s22_any_other_answer_of_a_customer_is_final(station, status):
    client, operator = station.client(), station.link()
    assert operator.deliver(source_addr="467", destination_addr="1", short_message=b"once").status == 0
    number = station.gateway.events(Accepted)[-1].id
    client.answer(client.expect(DeliverSm), status)
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED
    client.expect_nothing()


# -- addresses


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (("ABCDEFGHIJK", 5, 0), ("ABCDEFGHIJK", 5, 0)),
        (("My Shop", 5, 0), ("My Shop", 5, 0)),
        (("+46701234567", 1, 1), ("46701234567", 1, 1)),
        (("0046701234567", 1, 1), ("46701234567", 1, 1)),
        (("+46701234567", 0, 0), ("46701234567", 1, 1)),
        (("12345", 3, 0), ("12345", 3, 0)),
        (("", 5, 0), ("", 0, 0)),
    ],
    ids=lambda value: value[0] or "empty",
)
def test_s51_senders_arrive_in_one_form(station, given, sent):
    client, operator = station.client(), station.link()
    client.accepted(source_addr=given[0], source_addr_ton=given[1], source_addr_npi=given[2])
    pdu = operator.take("s51")
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == sent


@pytest.mark.parametrize(
    "source", [("ABCDEFGHIJKL", 5), ("123456789012345678901", 1), ("X" * 20, 5)], ids=lambda s: s[0]
)
def test_s51_a_sender_that_is_too_long_is_refused(station, source):
    client = station.client()
    answer = client.submit(source_addr=source[0][:20], source_addr_ton=source[1]) if len(source[0]) <= 20 else None
    if answer is None:
        client.send_raw(too_long(source[0]))
        answer = client.answer_to(51)
    assert answer.status == Status.RINVSRCADR
    client.fence()


def too_long(source):
    """A submit_sm with a source_addr longer than the 20 characters that there may be."""
    body = b"\0\x01\x01" + source.encode() + b"\0\x01\x0146701\0" + bytes(3) + b"\0\0" + bytes(4) + b"\x01x"
    return (16 + len(body)).to_bytes(4, "big") + b"\0\0\0\x04" + bytes(4) + (51).to_bytes(4, "big") + body


@pytest.mark.parametrize("dest", ["", "not-a-number", "ABC"])
def test_s51_a_destination_that_is_no_number_is_refused(station, dest):
    client = station.client()
    assert client.submit(dest).status == Status.RINVDSTADR
    client.fence()


def test_s51_a_plus_before_the_destination_is_the_same_number(station):
    client, operator = station.client(), station.link()
    client.accepted("+46701234567", dest_addr_ton=0, dest_addr_npi=0)
    pdu = operator.take("s51")
    assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == ("46701234567", 1, 1)


# -- times


def absolute(seconds, quarters=0):
    return times.format_absolute(dt.datetime.now(dt.UTC).timestamp() + seconds, quarters)


@pytest.mark.parametrize("when", ["relative", "utc", "ahead", "behind"])
def test_s52_a_scheduled_message_leaves_when_it_is_due(station, when):
    client, operator = station.client(), station.link()
    at = {"relative": "000000000001000R", "utc": absolute(1), "ahead": absolute(1, 8), "behind": absolute(1, -22)}[when]
    before = time.time()
    number = client.accepted(schedule_delivery_time=at)
    operator.expect_nothing()
    operator.take("s52")
    assert station.gateway.wait_for_event(Sent, number).at - before >= 0.8


def test_s52_a_scheduled_message_survives_a_kill(station):
    client = station.client()
    number = client.accepted(schedule_delivery_time="000000000002000R")
    station.link().close()
    station.gateway.kill()
    station.gateway.start()
    station.relink().take("s52")
    assert station.gateway.wait_for_event(Sent, number)
    station.relink("tries")


@pytest.mark.parametrize("at", [absolute(-3600), "991399999999999+", "tomorrow"], ids=["past", "no-date", "word"])
def test_s52_a_schedule_that_cannot_be_is_refused(station, at):
    client = station.client()
    if len(at) == 16:
        assert client.submit(schedule_delivery_time=at).status == Status.RINVSCHED
    else:
        frame = raw_time(at)
        client.send_raw(frame)
        assert client.answer_to(52).status == Status.RINVSCHED
    client.fence()


def raw_time(text):
    """A submit_sm with any text as schedule_delivery_time."""
    body = b"\0\x05\0EMG\0\x01\x0146701\0" + bytes(3) + text.encode() + b"\0\0" + bytes(4) + b"\x01x"
    return (16 + len(body)).to_bytes(4, "big") + b"\0\0\0\x04" + bytes(4) + (52).to_bytes(4, "big") + body


@pytest.mark.parametrize("at", [absolute(-3600), "991399999999999+"], ids=["past", "no-date"])
def test_s52_a_validity_that_cannot_be_is_refused(station, at):
    assert station.client().submit(validity_period=at).status == Status.RINVEXPIRY


def test_s52_a_validity_is_told_to_the_operator(station):
    client, operator = station.client(), station.link()
    client.accepted(validity_period="000000010000000R")
    told = times.parse_time(operator.take("s52").validity_period, time.time())
    assert abs(told - time.time() - 3600) < 5
    client.accepted(validity_period=absolute(7200, 4))
    told = times.parse_time(operator.take("s52").validity_period, time.time())
    assert abs(told - time.time() - 7200) < 5


def test_s52_a_validity_beyond_what_we_keep_is_shortened(station):
    client, operator = station.client(), station.link()
    client.accepted(validity_period="000020000000000R")
    told = times.parse_time(operator.take("s52").validity_period, time.time())
    assert abs(told - time.time() - 3 * 86400) < 5


def test_s52_a_schedule_and_a_validity_before_it_are_refused(station):
    client = station.client()
    answer = client.submit(schedule_delivery_time="000000020000000R", validity_period="000000010000000R")
    assert answer.status == Status.RINVEXPIRY


def test_s20_what_waits_can_be_taken_back_and_its_sender_is_told(station):
    client = station.client()
    number = client.accepted(schedule_delivery_time="000000020000000R", registered_delivery=1)
    assert client.request(CancelSm(message_id=number, source_addr="EMG", destination_addr="46701234567")).status == 0
    assert b"stat:DELETED" in client.report().short_message
