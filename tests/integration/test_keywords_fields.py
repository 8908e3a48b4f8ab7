"""Keywords of connectors that change what a message or a bind says, each on a running gateway: the default, and what is forced."""

import pytest

from emg.engine.events import Ended
from emg.message import State
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.names import Status, Tag
from emg.wire.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, SubmitSm
from tests.gateways import incoming, outgoing, routes, user
from tests.integration.station import Station

NUMBER = {"source_addr": "4670000", "source_addr_ton": 1, "source_addr_npi": 1}
BARE = {"source_addr": "4670000", "source_addr_ton": 0, "source_addr_npi": 0}
FIELDS = [
    # keyword, value, submitted, sent
    ("DEFAULT_SOURCEADDR", "12345", {"source_addr": "", "source_addr_ton": 0}, {"source_addr": "12345"}),
    ("DEFAULT_SOURCEADDR", "12345", NUMBER, {"source_addr": "4670000"}),
    ("FORCE_SOURCEADDR", "ACME", NUMBER, {"source_addr": "ACME", "source_addr_ton": 5}),
    ("DEFAULT_SOURCEADDRTON", 2, BARE, {"source_addr_ton": 2}),
    ("DEFAULT_SOURCEADDRTON", 2, NUMBER, {"source_addr_ton": 1}),
    ("FORCE_SOURCEADDRTON", 3, NUMBER, {"source_addr_ton": 3}),
    ("DEFAULT_SOURCEADDRNPI", 8, BARE, {"source_addr_npi": 8}),
    ("FORCE_SOURCEADDRNPI", 0, NUMBER, {"source_addr_npi": 0}),
    ("DEFAULT_DESTADDRTON", 1, {"dest_addr_ton": 0}, {"dest_addr_ton": 1}),
    ("FORCE_DESTADDRTON", 2, {"dest_addr_ton": 1}, {"dest_addr_ton": 2}),
    ("DEFAULT_DESTADDRNPI", 1, {"dest_addr_npi": 0}, {"dest_addr_npi": 1}),
    ("FORCE_DESTADDRNPI", 8, {"dest_addr_npi": 1}, {"dest_addr_npi": 8}),
    ("DEFAULT_DLR", 1, {"registered_delivery": 0}, {"registered_delivery": 1}),
    ("FORCE_DLR", 0, {"registered_delivery": 1}, {"registered_delivery": 0}),
    ("FORCE_DLR", 1, {"registered_delivery": 0}, {"registered_delivery": 1}),
    ("DEFAULT_PRIORITY", 2, {"priority_flag": 0}, {"priority_flag": 2}),
    ("DEFAULT_PRIORITY", 2, {"priority_flag": 1}, {"priority_flag": 1}),
    ("FORCE_PRIORITY", 0, {"priority_flag": 3}, {"priority_flag": 0}),
    ("DEFAULT_SERVICETYPE", "CMT", {}, {"service_type": "CMT"}),
    ("FORCE_SERVICETYPE", "VMN", {"service_type": "CMT"}, {"service_type": "VMN"}),
    ("DEFAULT_PROTOCOLID", "0x40", {}, {"protocol_id": 0x40}),
    ("FORCE_PROTOCOLID", 0, {"protocol_id": 0x7F}, {"protocol_id": 0}),
    ("FORCE_DCS", "0xF0", {"data_coding": 0}, {"data_coding": 0xF0, "short_message": b"hello"}),
    ("REPLACEPREFIX", "9/46,91/47", {}, {"destination_addr": "46{rest}"}),
    ("REMOVEPREFIX", "9", {}, {"destination_addr": "{rest}"}),
    ("REQUIREPREFIX", "+", {}, {"destination_addr": "+9{rest}"}),
    ("REPLACEPREFIX_SOURCEADDR", "46/0", NUMBER, {"source_addr": "070000"}),
    ("REMOVEPREFIX_SOURCEADDR", "46", NUMBER, {"source_addr": "70000"}),
    ("REQUIREPREFIX_SOURCEADDR", "00", NUMBER, {"source_addr": "004670000"}),
    ("REMOVEPLUS", True, {"source_addr": "+4670000", "source_addr_ton": 1}, {"source_addr": "4670000"}),
]
NAMES = [f"f{n}" for n in range(len(FIELDS))]
BINDS = {
    "named": ({"USERNAME": "emg-user", "PASSWORD": "emgpw"}, {"system_id": "emg-user", "password": "emgpw"}),
    "ranged": ({"SYSTEMTYPE": "VMS", "ADDRESSRANGE": "^4670"}, {"system_type": "VMS", "address_range": "^4670"}),
    "authed": ({"AUTHTON": 1, "AUTHNPI": 8}, {"addr_ton": 1, "addr_npi": 8}),
    "fifty": ({"INTERFACEVERSION": 50}, {"interface_version": 0x50}),
    "sends": ({"MODE": "TX"}, {}),
    "hears": ({"MODE": "RX", "REDIRECT": "sends"}, {}),
}
REPORTS = ("made", "injected", "told")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\n"
            + incoming("customers")
            + incoming("homing", DLR_TO_SAME_IP=True)
            + incoming("wide", DLR_UCS2=True)
            + incoming("wanting", DEFAULT_DLR=1)
            + incoming("insisting", FORCE_DLR=1)
            + incoming("refusing", FORCE_DLR=0)
            + incoming("raised", DEFAULT_PRIORITY=1)
            + incoming("equal", FORCE_PRIORITY=0)
            + incoming("short", DEFAULT_VP="1h")
            + incoming("forced", FORCE_VP="2h")
            + incoming("limited", MAXPARTS=2)
            + incoming("sending", MODE="TX")
            + incoming("receiving", MODE="RX", REDIRECT="customers")
            + "".join(outgoing(name, at[name], **{row[0]: row[1]}) for name, row in zip(NAMES, FIELDS, strict=True))
            + "".join(outgoing(name, at[name], **keywords) for name, (keywords, _) in BINDS.items())
            + outgoing("made", at["made"], DLR_SUPPORT=0, ROUTE="customers")
            + outgoing("injected", at["injected"], DLR_SUPPORT=0, NODLR=True)
            + outgoing("told", at["told"], ROUTEDLR="sending", MAXPARTS=3)
            + user()
            + user("desk")
        )

    rows = [f"9{n:02},,,{name},,," for n, name in enumerate(NAMES)]
    rows += ["81,,,made,,,", "82,,,injected,,,", "83,,,told,,,", "84,,,hears,,,", "85,,,receiving,,,"]
    names = [*NAMES, *BINDS, *REPORTS]
    with Station(tmp_path_factory.mktemp("fields"), names, config, {"routes.csv": routes(*rows)}) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


@pytest.mark.parametrize("n", range(len(FIELDS)), ids=[f"{row[0]}-{n}" for n, row in enumerate(FIELDS)])
def test_a_field_is_given_a_default_or_forced(station, n):
    _, _, submitted, sent = FIELDS[n]
    client, operator = station.client(), station.link(NAMES[n])
    rest = f"{n:02}1234"
    client.accepted(f"9{rest}", **submitted)
    pdu = operator.take("field")
    wanted = {name: value.format(rest=rest) if isinstance(value, str) else value for name, value in sent.items()}
    assert {name: getattr(pdu, name) for name in wanted} == wanted


@pytest.mark.parametrize("name", BINDS)
def test_a_bind_says_what_is_set(station, name):
    bind = station.link(name).bind
    wanted = BINDS[name][1]
    assert {field: getattr(bind, field) for field in wanted} == wanted


def test_mode_of_an_outgoing_connector_is_the_kind_of_its_bind(station):
    kinds = {name: type(station.link(name).bind) for name in ("named", "sends", "hears")}
    assert kinds == {"named": BindTransceiver, "sends": BindTransmitter, "hears": BindReceiver}


def test_what_is_for_a_connector_that_only_receives_goes_to_its_redirect(station):
    station.client().accepted("84123")
    station.link("sends").take("redirected", destination_addr="84123")


def test_mode_of_an_incoming_connector_refuses_the_other_direction(station):
    assert station.visitor("sending").bind(kind="tx").status == Status.RBINDFAIL
    assert station.visitor("receiving").bind(kind="rx").status == Status.RBINDFAIL
    both = station.client(connector="sending")
    assert both.submit("81123").status == Status.RSUBMITFAIL
    both.fence()
    taking = station.client(connector="receiving")
    taking.accepted("900123")
    station.link(NAMES[0]).take("mode")


def test_redirect_of_an_incoming_connector_takes_its_messages(station):
    receiver = station.client(kind="rx")
    station.client(connector="receiving", kind="tx").accepted("85123", b"for the other door")
    assert receiver.report().short_message == b"for the other door"


def test_default_dlr_and_force_dlr_of_customers(station):
    for connector, asked, count in (
        ("customers", 0, 0), ("wanting", 0, 1), ("wanting", 2, 0), ("insisting", 0, 1), ("refusing", 1, 0)
    ):  # fmt: skip
        client, operator = station.client(connector=connector), station.link(NAMES[0])
        number = client.accepted("900123", registered_delivery=asked)
        operator.take(f"dlr-{connector}-{asked}")
        operator.receipt(f"dlr-{connector}-{asked}", "900123")
        for _ in range(count):
            assert f"id:{number} ".encode() in client.report().short_message
        client.expect_nothing()
        client.close()


def test_default_priority_and_force_priority_of_customers(station):
    """It is what the operator is told, and decides in our queue: a customer cannot put his bulk before others' messages."""
    for connector, given, priority in (("raised", 0, 1), ("raised", 3, 3), ("equal", 3, 0), ("customers", 2, 2)):
        client, operator = station.client(connector=connector), station.link(NAMES[0])
        client.accepted("900123", priority_flag=given)
        assert operator.take(f"priority-{connector}-{given}").priority_flag == priority
        client.close()


def test_default_vp_and_force_vp(station):
    for connector, given, seconds in (
        ("short", "", 3610), ("short", "000000000500000R", 300), ("forced", "", 7210), ("forced", "000000000500000R", 7210)
    ):  # fmt: skip
        client, operator = station.client(connector=connector), station.link(NAMES[0])
        number = client.accepted("900123", validity_period=given, schedule_delivery_time="000000000010000R")
        told = station.gateway.control("GET", f"/messages/{number}")
        assert abs(told["expires"] - told["accepted"] - seconds) < 1
        station.gateway.control("POST", f"/messages/{number}/cancel")
        client.close()
        operator.expect_nothing()


@pytest.mark.parametrize(("connector", "dest", "limit"), [("limited", "900123", 2), ("customers", "83123", 3)])
def test_maxparts_of_either_connector_refuses_longer_ones(station, connector, dest, limit):
    client = station.client(connector=connector)
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"x" * (153 * limit + 1)),)
    assert client.submit(dest, b"", tlvs=payload).status == Status.RINVMSGLEN
    client.accepted(dest, b"", tlvs=((int(Tag.MESSAGE_PAYLOAD), b"x" * (153 * limit)),))
    operator = station.link("told" if dest == "83123" else NAMES[0])
    for pdu in operator.expect_many(SubmitSm, limit):
        operator.answer(pdu, message_id="part")


# -- reports


def test_without_dlr_support_the_report_is_made_as_soon_as_the_message_is_sent(station):
    client, operator = station.client(), station.link("made")
    number = client.accepted("81123", registered_delivery=1)
    operator.take("made")
    text = client.report().short_message
    assert f"id:{number} ".encode() in text
    assert b"stat:DELIVRD" in text


def test_with_nodlr_no_report_is_made_until_it_is_injected(station):
    client, operator = station.client(), station.link("injected")
    number = client.accepted("82123", registered_delivery=1)
    operator.take("injected")
    client.expect_nothing()
    body = {"remote_id": "injected", "provider": "injected", "state": "delivered"}
    station.gateway.control("POST", "/reports", body)
    assert f"id:{number} ".encode() in client.report().short_message
    assert station.gateway.wait_for_event(Ended, number).state is State.DELIVERED


def test_routedlr_brings_reports_elsewhere(station):
    client, desk, operator = station.client(), station.client(connector="sending"), station.link("told")
    number = client.accepted("83123", registered_delivery=1)
    operator.take("elsewhere")
    operator.receipt("elsewhere", "83123")
    report = desk.report()
    assert isinstance(report, DeliverSm)
    assert f"id:{number} ".encode() in report.short_message
    assert tlv(report.tlvs, Tag.RECEIPTED_MESSAGE_ID) is not None
    client.expect_nothing()


def test_dlr_to_same_ip_brings_reports_to_where_the_message_came_from(station):
    here, there = station.client(connector="homing"), station.client(connector="homing", source="127.0.0.2")
    operator = station.link(NAMES[0])
    for n in range(4):
        sender, other = (here, there) if n % 2 else (there, here)
        number = sender.accepted("900123", registered_delivery=1)
        operator.take(f"home-{n}")
        operator.receipt(f"home-{n}", "900123")
        assert f"id:{number} ".encode() in sender.report().short_message
        other.expect_nothing()


@pytest.mark.parametrize(("connector", "coding"), [("customers", 0), ("wide", 8)])
def test_dlr_ucs2_writes_reports_whose_text_the_alphabet_lacks_as_ucs_2(station, connector, coding):
    client, operator = station.client(connector=connector), station.link(NAMES[0])
    for n, (said, wanted) in enumerate([("Привет", coding), ("hello", 0)]):
        number = client.accepted("900123", registered_delivery=1)
        operator.take(f"{connector[0]}{n}")
        text = f"id:{connector[0]}{n} submit date:2611231200 done date:2611231200 stat:DELIVRD text:{said}"
        operator.receipt("", "900123", data_coding=8, short_message=text.encode("utf-16-be"))
        report = client.report()
        assert report.data_coding == wanted
        text = report.short_message.decode("utf-16-be" if wanted else "ascii")
        assert f"id:{number} " in text
        assert "stat:DELIVRD" in text
        assert text.endswith(f" text:{said if wanted or said.isascii() else '??????'}")
