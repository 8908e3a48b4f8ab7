"""What real gateways got wrong about delivery reports (S29–S40), on the running gateway, as ESME and as SMSC."""

import datetime as dt
import re

import pytest

from emg.engine.events import Accepted, Ended, Intermediate, Orphaned, Sent
from emg.message import State
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.names import MessageState, Status, Tag
from emg.wire.smpp.pdus import DeliverSm, SubmitSm
from tests.gateways import incoming, outgoing, routes, user
from tests.integration.station import Station

FORMATS = {"text": "text", "dec": "dec", "hex": "hex", "dechex": "dec:hex", "hexdec": "hex:dec", "auto": "auto"}
OPERATORS = ["operator", "second", "twin1", "twin2", *(f"ids{name}" for name in FORMATS)]
LONG = b"x" * 400


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\nORPHANSIZE=50\n"
            + incoming("customers")
            + incoming("oldtimers", ROUTE="operator")
            + outgoing("operator", at["operator"], ROUTE="customers")
            + outgoing("second", at["second"], ROUTE="customers")
            + outgoing("twin1", at["twin1"], PROVIDER="twins")
            + outgoing("twin2", at["twin2"], PROVIDER="twins")
            + "".join(outgoing(f"ids{name}", at[f"ids{name}"], MSGID_FORMAT=form) for name, form in FORMATS.items())
            + user()
            + user("perpart", PERPARTDLR=True)
        )

    rows = ["46,,,operator,,,", "47,,,second,,,", "481,,,twin1,,,", "482,,,twin2,,,"]
    rows += [f"49{n},,,ids{name},,," for n, name in enumerate(FORMATS)]
    with Station(tmp_path_factory.mktemp("reports"), OPERATORS, config, {"routes.csv": routes(*rows)}) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def sent(station, remote_id, dest="46701", link="operator", client=None, **fields):
    """A message that the operator has taken as `remote_id`: (client, operator's session, our id)."""
    client = client or station.client()
    operator = station.link(link)
    number = client.accepted(dest, **({"registered_delivery": 1} | fields))
    operator.take(remote_id)
    station.gateway.wait_for_event(Sent, number)
    return client, operator, number


# -- whose receipt is it


@pytest.mark.parametrize(
    ("form", "answer", "receipt"),
    [
        ("text", "0012ab", "0012ab"),
        ("text", "b0d9f8c2-9f0e-4c1d-8f0a-1c2d3e4f5a6b", "b0d9f8c2-9f0e-4c1d-8f0a-1c2d3e4f5a6b"),
        ("text", "msg.Ab-7_x", "msg.Ab-7_x"),
        ("dec", "0000255", "255"),
        ("dec", "7000000000", "7000000000"),
        ("hex", "00AbCd", "abcd"),
        ("dechex", "0000255", "FF"),
        ("dechex", "7000000000", "1a13b8600"),
        ("hexdec", "FF", "0000000255"),
        ("auto", "0000255", "ff"),
        ("auto", "00FF", "255"),
        ("auto", "1A13B8600", "7000000000"),
    ],
)
def test_s29_answer_and_receipt_meet_in_any_writing(station, form, answer, receipt):
    client, operator, number = sent(station, answer, f"49{list(FORMATS).index(form)}01", f"ids{form}")
    assert operator.receipt(receipt, f"49{list(FORMATS).index(form)}01").status == 0
    assert f"id:{number} ".encode() in client.report().short_message


def test_s29_as_text_case_and_zeros_are_kept_apart(station):
    client, operator, number = sent(station, "0aB", "49001", "idstext")
    for wrong in ("0AB", "aB", "0ab"):
        assert operator.receipt(wrong, "49001").status == 0
    client.expect_nothing()
    operator.receipt("0aB", "49001")
    assert f"id:{number} ".encode() in client.report().short_message


def test_s30_one_id_of_two_providers_means_two_messages(station):
    client, one, first = sent(station, "same", "46701")
    _, other, second = sent(station, "same", "47701", "second", client)
    other.receipt("same", "47701", stat="UNDELIV")
    assert f"id:{second} ".encode() in client.report().short_message
    one.receipt("same", "46701")
    text = client.report().short_message
    assert f"id:{first} ".encode() in text
    assert b"stat:DELIVRD" in text


def test_s30_of_an_id_that_is_used_again_the_newest_message_is_meant(station):
    client, operator, _ = sent(station, "again", "46701")
    _, _, second = sent(station, "again", "46702", client=client)
    operator.receipt("again", "46702")
    assert f"id:{second} ".encode() in client.report().short_message


def test_s31_a_report_before_its_answer_is_kept_for_it(station):
    client, operator = station.client(), station.link()
    number = client.accepted(registered_delivery=1)
    pdu = operator.expect(SubmitSm)
    assert operator.receipt("early").status == 0
    client.expect_nothing()
    operator.answer(pdu, message_id="early")
    assert f"id:{number} ".encode() in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.DELIVERED


def test_s31_a_report_by_another_bind_of_the_same_provider_matches(station):
    client, _, number = sent(station, "twin-id", "48101", "twin1")
    assert station.link("twin2").receipt("twin-id", "48101").status == 0
    assert f"id:{number} ".encode() in client.report().short_message


# -- how it is written


NOW = "2611231200"
VARIANTS = {
    "no counts": "id:{id} submit date:{now} done date:{now} stat:DELIVRD err:000 text:hi",
    "no submit date": "id:{id} sub:001 dlvrd:001 done date:{now} stat:DELIVRD err:000 text:hi",
    "seconds": "id:{id} sub:001 dlvrd:001 submit date:{now}07 done date:{now}08 stat:DELIVRD err:000 text:hi",
    "four digits": "id:{id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:0000 text:hi",
    "letters": "id:{id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:OK text:hi",
    "spelt out": "id:{id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVERED err:000 text:hi",
    "mixed case": "Id:{id} Sub:001 Dlvrd:001 Submit Date:{now} Done Date:{now} Stat:delivrd Err:000 Text:hi",
    "nulls": "id:{id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:000 text:hi\0\0",
    "short": "id:{id} stat:DELIVRD",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_s32_receipts_in_any_spelling_are_read(station, variant):
    client, operator, number = sent(station, "spelt")
    text = VARIANTS[variant].format(id="spelt", now=NOW).encode()
    assert operator.receipt("spelt", short_message=text).status == 0
    told = client.report().short_message
    assert f"id:{number} ".encode() in told
    assert b"stat:DELIVRD" in told


def test_s32_a_receipt_in_ucs2_is_read(station):
    client, operator, number = sent(station, "wide")
    text = VARIANTS["no counts"].format(id="wide", now=NOW).encode("utf-16-be")
    operator.receipt("wide", short_message=text, data_coding=8)
    assert f"id:{number} ".encode() in client.report().short_message


@pytest.mark.parametrize("text", [b"", b"ok"], ids=["empty", "short"])
def test_s32_parameters_alone_are_a_receipt(station, text):
    client, operator, number = sent(station, "tlvs")
    both = ((int(Tag.RECEIPTED_MESSAGE_ID), b"tlvs\0"), (int(Tag.MESSAGE_STATE), bytes([MessageState.DELIVERED])))
    operator.receipt("tlvs", short_message=text, tlvs=both)
    assert f"id:{number} ".encode() in client.report().short_message


@pytest.mark.parametrize("word", ["ACKED", "BUFFRED", "BUFFERD", "ENROUTE", "ACCEPTD"])
def test_s32_words_that_are_not_final_leave_the_message_open(station, word):
    client, operator, number = sent(station, "open")
    operator.receipt("open", stat=word)
    station.gateway.wait_for_event(Intermediate, number)
    client.expect_nothing()
    operator.receipt("open")
    assert b"stat:DELIVRD" in client.report().short_message


def test_s34_a_receipt_in_data_sm_is_one(station):
    client, operator, number = sent(station, "data")
    payload = VARIANTS["no counts"].format(id="data", now=NOW).encode()
    answer = operator.request(
        pdus.DataSm(
            source_addr="46701", destination_addr="EMG", esm_class=4, tlvs=((int(Tag.MESSAGE_PAYLOAD), payload),)
        )
    )
    assert answer.status == 0
    assert f"id:{number} ".encode() in client.report().short_message


@pytest.mark.parametrize("esm_class", [0x00, 0x44, 0x04 | 0x80], ids=hex)
def test_s34_a_receipt_is_recognised_whatever_esm_class_says(station, esm_class):
    client, operator, number = sent(station, "esm")
    assert operator.receipt("esm", esm_class=esm_class).status == 0
    assert f"id:{number} ".encode() in client.report().short_message


def test_s34_an_intermediate_notification_is_not_final(station):
    client, operator, number = sent(station, "inter", registered_delivery=0x11)
    operator.receipt("inter", esm_class=0x20, stat="ENROUTE")
    first = client.report()
    assert (first.esm_class & 0x3C, b"stat:ENROUTE" in first.short_message) == (0x20, True)
    operator.receipt("inter")
    last = client.report()
    assert (last.esm_class & 0x3C, f"id:{number} ".encode() in last.short_message) == (0x04, True)


def test_s34_a_message_whose_text_begins_with_id_is_a_message(station):
    client, operator = station.client(), station.link()
    text = b"id:12345 is the number of my order, stat: please tell me"
    assert operator.deliver(source_addr="46709", destination_addr="12345", short_message=text).status == 0
    came = client.report()
    assert (came.short_message, came.esm_class) == (text, 0)
    exact = VARIANTS["no counts"].format(id="unheard-of", now=NOW).encode()
    assert operator.deliver(source_addr="46709", destination_addr="12345", short_message=exact).status == 0
    assert client.report().short_message == exact


def test_s35_network_error_code_is_passed_on(station):
    client, operator, _ = sent(station, "net")
    error = ((int(Tag.NETWORK_ERROR_CODE), b"\x03\x00\x21"),)
    operator.receipt("net", stat="UNDELIV", err="021", tlvs=error)
    report = client.report()
    assert tlv(report.tlvs, Tag.NETWORK_ERROR_CODE) == b"\x03\x00\x21"
    assert b"err:021" in report.short_message


# -- what our customers get


CLASSIC = re.compile(
    rb"id:(?P<id>\S+) sub:(?P<sub>\d{3}) dlvrd:(?P<dlvrd>\d{3}) submit date:(?P<submit>\d{10}) done date:(?P<done>\d{10}) "
    rb"stat:(?P<stat>[A-Z]{7}) err:(?P<err>\S{3}) [Tt]ext:(?P<text>.*)",
    re.DOTALL,
)


def test_s36_our_receipts_have_all_fields_both_parameters_and_the_id_of_our_answer(station):
    client, operator, number = sent(station, "all-fields")
    operator.receipt("all-fields")
    report = client.report()
    found = CLASSIC.fullmatch(report.short_message)
    assert found is not None
    assert found["id"].decode() == number == tlv(report.tlvs, Tag.RECEIPTED_MESSAGE_ID).rstrip(b"\0").decode()
    assert (found["sub"], found["dlvrd"], found["stat"]) == (b"001", b"001", b"DELIVRD")
    assert tlv(report.tlvs, Tag.MESSAGE_STATE) == bytes([MessageState.DELIVERED])
    assert (report.source_addr, report.destination_addr, report.dest_addr_ton) == ("46701", "EMG", 5)
    assert report.esm_class == 4
    accepted = station.gateway.events(Accepted, number)[0].at
    assert found["submit"].decode() == f"{dt.datetime.fromtimestamp(accepted, dt.UTC):%y%m%d%H%M}"


@pytest.mark.parametrize(
    ("registered", "stat", "count"),
    [
        (0, "DELIVRD", 0),
        (0, "UNDELIV", 0),
        (1, "DELIVRD", 1),
        (1, "UNDELIV", 1),
        (2, "DELIVRD", 0),
        (2, "EXPIRED", 1),
        (0x11, "REJECTD", 1),
    ],
)
def test_s37_reports_are_those_that_were_asked_for_and_one_is_final(station, registered, stat, count):
    client, operator, number = sent(station, f"asked-{registered}-{stat}", registered_delivery=registered)
    for _ in range(2):  # a provider that tells twice
        assert operator.receipt(f"asked-{registered}-{stat}", stat=stat).status == 0
    client.fence()
    for _ in range(count):
        assert f"id:{number} ".encode() in client.report().short_message
    client.expect_nothing()


def test_s37_intermediate_reports_go_to_who_asked_for_them(station):
    client, operator, _ = sent(station, "quiet")
    operator.receipt("quiet", stat="ENROUTE", esm_class=0x20)
    client.expect_nothing()
    operator.receipt("quiet")
    client.report()


def test_s38_a_receipt_for_nothing_is_acknowledged_and_kept_as_unmatched(station):
    operator = station.link()
    before = station.gateway.control("GET", "/orphans")["count"]
    assert operator.receipt("never-heard-of").status == 0
    assert operator.receipt("").status == 0
    orphans = station.gateway.control("GET", "/orphans")
    assert orphans["count"] == before + 2
    assert "never-heard-of" in str(orphans["orphans"])
    assert "never-heard-of" in [event.remote_id for event in station.gateway.events(Orphaned)]


def test_s38_unmatched_reports_are_bounded(station):
    operator = station.link()
    for n in range(60):
        assert operator.receipt(f"stray-{n}").status == 0
    assert station.gateway.control("GET", "/orphans")["count"] <= 51


def test_s39_the_mapping_survives_a_kill_between_answer_and_report(station):
    client, operator, number = sent(station, "durable")
    station.gateway.kill()
    operator.close()
    client.close()
    station.gateway.start()
    again = station.relink()
    assert again.receipt("durable").status == 0
    fresh = station.client()
    assert f"id:{number} ".encode() in fresh.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.DELIVERED
    for name in OPERATORS[1:]:
        station.relink(name)


def test_s39_a_report_that_was_acknowledged_survives_a_kill_before_its_customer_came(station):
    client, operator, number = sent(station, "kept")
    client.close()
    assert operator.receipt("kept").status == 0
    station.gateway.kill()
    operator.close()
    station.gateway.start()
    assert f"id:{number} ".encode() in station.client().report().short_message
    for name in OPERATORS:
        station.relink(name)


# -- long messages


def parts_of(operator, count, prefix):
    taken = operator.expect_many(SubmitSm, count)
    for n, pdu in enumerate(taken):
        operator.answer(pdu, message_id=f"{prefix}-{n}")
    return taken


def long_message(client, **fields):
    payload = ((int(Tag.MESSAGE_PAYLOAD), LONG),)
    return client.accepted("46701", b"", tlvs=payload, registered_delivery=1, **fields)


def test_s40_a_message_that_we_split_has_one_report_when_all_parts_arrived(station):
    client, operator = station.client(), station.link()
    number = long_message(client)
    parts_of(operator, 3, "whole")
    for n in (2, 0):
        operator.receipt(f"whole-{n}")
    client.expect_nothing()
    operator.receipt("whole-1")
    text = client.report().short_message
    assert f"id:{number} sub:003 dlvrd:003 ".encode() in text
    assert b"stat:DELIVRD" in text
    client.expect_nothing()


def test_s40_one_failed_part_is_the_failure_of_the_whole(station):
    client, operator = station.client(), station.link()
    number = long_message(client)
    parts_of(operator, 3, "broken")
    operator.receipt("broken-0")
    operator.receipt("broken-1", stat="UNDELIV", err="042")
    text = client.report().short_message
    assert f"id:{number} sub:003 dlvrd:001 ".encode() in text
    assert b"stat:UNDELIV err:042" in text
    operator.receipt("broken-2")
    client.expect_nothing()


def test_s40_a_part_refused_at_once_is_the_failure_of_the_whole(station):
    client, operator = station.client(), station.link()
    number = long_message(client)
    first, second, third = operator.expect_many(SubmitSm, 3)
    operator.answer(first, message_id="r-0")
    operator.answer(second, int(Status.RINVDSTADR))
    operator.answer(third, message_id="r-2")
    assert f"id:{number} ".encode() in client.report().short_message
    for n in (0, 2):
        operator.receipt(f"r-{n}")
    client.expect_nothing()
    assert station.gateway.wait_for_event(Ended, number).state is State.FAILED


def test_s40_a_report_for_each_part_where_that_is_asked(station):
    client, operator = station.client("perpart"), station.link()
    number = long_message(client)
    parts_of(operator, 3, "each")
    for n in range(3):
        operator.receipt(f"each-{n}", stat="UNDELIV" if n == 1 else "DELIVRD")
        text = client.report().short_message
        assert f"id:{number} ".encode() in text
        assert (b"stat:UNDELIV" if n == 1 else b"stat:DELIVRD") in text
    client.expect_nothing()


def test_s36_a_customer_of_version_3_3_gets_the_id_of_his_answer(station):
    sender, receiver = (
        station.client(connector="oldtimers", kind="tx", version=0x33),
        station.client(connector="oldtimers", kind="rx", version=0x33),
    )
    operator = station.link()
    number = sender.accepted(registered_delivery=1)
    operator.take("old")
    operator.receipt("old")
    report = receiver.report()
    assert isinstance(report, DeliverSm)
    assert f"id:{number} ".encode() in report.short_message
    assert report.tlvs == ()


def test_s36_a_customer_of_version_3_3_has_ids_of_eight_hexadecimal_digits(station):
    sender = station.client(connector="oldtimers", kind="tx", version=0x33)
    number = sender.accepted()
    assert len(number) <= 8
    station.link().take("narrow")
    answers = [sender.request(pdus.QuerySm(message_id=told, source_addr="EMG")).status for told in (number, "rubbish")]
    assert answers == [Status.ROK, Status.RINVMSGID]
