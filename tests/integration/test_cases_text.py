"""What real gateways got wrong about texts and long messages (S41–S50), from a customer's octets to the operator's."""

import pytest

from emg.engine.events import Accepted, Sent
from emg.text import gsm7, udh
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.names import Status, Tag
from emg.wire.smpp.pdus import DeliverSm, SubmitSm
from tests.gateways import eventually, incoming, outgoing, routes, user
from tests.integration.station import Station

MODES = ("SPLIT", "SPLIT16", "SAR", "PAYLOAD", "ASIS")
OPERATORS = ("operator", "packed", "latin", "pair", *MODES)
UDHI = 0x40


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def config(at):
        return (
            "ROUTES=routes.csv\n"
            + incoming("customers")
            + incoming("packers", PACKED7BIT=True)
            + outgoing("operator", at["operator"], ROUTE="customers", WINDOWSIZE=50)
            + outgoing("packed", at["packed"], PACKED7BIT=True, ROUTE="customers")
            + outgoing("latin", at["latin"], DEFAULT_CHARCODE="LATIN1", ROUTE="customers")
            + outgoing("pair", at["pair"], INSTANCES=2, WINDOWSIZE=1, AFFINITY=True)
            + "".join(outgoing(mode, at[mode], MESSAGEMODE=mode) for mode in MODES)
            + user()
            + user("brief", MAXPARTS=3)
        )

    rows = ["46,,,operator,,,", "471,,,packed,,,", "472,,,latin,,,", "473,,,pair,,,"]
    rows += [f"48{n},,,{mode},,," for n, mode in enumerate(MODES)]
    with Station(tmp_path_factory.mktemp("text"), list(OPERATORS), config, {"routes.csv": routes(*rows)}) as it:
        yield it


@pytest.fixture
def station(whole):
    yield whole
    whole.settle()


def dest_of(mode):
    return f"48{MODES.index(mode)}01"


def payload(octets):
    return ((int(Tag.MESSAGE_PAYLOAD), octets),)


def parts(operator, count):
    taken = operator.expect_many(SubmitSm, count)
    for pdu in taken:
        operator.answer(pdu, message_id="part")
    operator.expect_nothing()
    return taken


def cut(pdu):
    """(header, text) of a part."""
    assert pdu.esm_class & UDHI
    return udh.cut(pdu.short_message)


def submit_long(client, octets, dest="46701", **fields):
    return client.accepted(dest, b"", tlvs=payload(octets), **fields)


# -- packing


def test_s41_gsm_text_is_an_octet_a_character_by_default(station):
    client, operator = station.client(), station.link()
    client.accepted(text=b"hello @\x00\x1be")
    assert operator.take("s41").short_message == b"hello @\x00\x1be"


def test_s41_where_it_is_set_text_is_packed_and_unpacked(station):
    client, operator = station.client(), station.link("packed")
    client.accepted("47101", b"hellohello")
    assert operator.take("s41").short_message.hex() == "e8329bfd4697d9ec37"
    answer = operator.deliver(
        source_addr="46709", destination_addr="1", short_message=bytes.fromhex("e8329bfd4697d9ec37")
    )
    assert answer.status == 0
    assert client.report().short_message == b"hellohello"


def test_s41_behind_a_header_packed_text_starts_at_a_septet_and_keeps_its_first_character(station):
    client, operator = station.client(), station.link("packed")
    submit_long(client, b"First character" + b"x" * 200, "47101")
    first, second = parts(operator, 2)
    header, body = cut(first)
    assert gsm7.unpack(body, None, gsm7.fill_bits(len(header))).startswith(b"First character")
    header, body = cut(second)
    assert set(gsm7.unpack(body, None, gsm7.fill_bits(len(header)))) == {ord("x")}
    assert len(first.short_message) == 140


def test_s41_a_packed_part_of_a_customer_is_unpacked(station):
    client, operator = station.client(connector="packers"), station.link()
    header = bytes.fromhex("050003420201")
    client.accepted(text=header + gsm7.pack(b"Alpha", gsm7.fill_bits(6)), esm_class=UDHI)
    assert cut(operator.take("s41")) == (header, b"Alpha")


# -- lengths


def test_s42_160_gsm_characters_are_one_message_and_161_are_two(station):
    client, operator = station.client(), station.link()
    client.accepted(text=b"a" * 160)
    assert operator.take("s42").short_message == b"a" * 160
    client.accepted(text=b"b" * 161)
    assert [len(cut(pdu)[1]) for pdu in parts(operator, 2)] == [153, 8]


def test_s42_a_full_part_of_a_customer_is_a_part_and_not_too_long(station):
    client, operator = station.client(), station.link()
    header = bytes.fromhex("050003a10201")
    client.accepted(text=header + b"a" * 153, esm_class=UDHI)
    assert cut(operator.take("s42")) == (header, b"a" * 153)
    assert client.submit(text=header + b"a" * 154, esm_class=UDHI).status == Status.RINVMSGLEN
    header = bytes.fromhex("06080412340201")
    client.accepted(text=header + "Ж".encode("utf-16-be") * 66, esm_class=UDHI, data_coding=8)
    assert len(cut(operator.take("s42"))[1]) == 132


@pytest.mark.parametrize("pair", [b"\x1b\x65", b"\x1b\x28"], ids=["euro", "brace"])
def test_s42_an_escape_pair_is_not_separated(station, pair):
    client, operator = station.client(), station.link()
    text = b"a" * 152 + pair + b"z" * 20
    client.accepted(text=text)
    texts = [cut(pdu)[1] for pdu in parts(operator, 2)]
    assert texts == [b"a" * 152, pair + b"z" * 20]


def test_s43_70_ucs2_characters_are_one_message_and_71_are_two(station):
    client, operator = station.client(), station.link()
    client.accepted(text="Ж".encode("utf-16-be") * 70, data_coding=8)
    assert len(operator.take("s43").short_message) == 140
    client.accepted(text="Ж".encode("utf-16-be") * 71, data_coding=8)
    assert [len(cut(pdu)[1]) for pdu in parts(operator, 2)] == [134, 8]


def test_s43_a_surrogate_pair_is_not_cut(station):
    client, operator = station.client(), station.link()
    text = "a" * 66 + "😀" + "b" * 10
    client.accepted(text=text.encode("utf-16-be"), data_coding=8)
    assert [cut(pdu)[1].decode("utf-16-be") for pdu in parts(operator, 2)] == ["a" * 66, "😀" + "b" * 10]


def test_s43_an_odd_number_of_ucs2_octets_is_refused(station):
    client = station.client()
    assert client.submit(text=b"\0a\0", data_coding=8).status == Status.RINVMSGLEN
    client.fence()


def test_s44_more_than_255_parts_are_refused_and_nothing_is_sent(station):
    client, operator = station.client(), station.link()
    answer = client.submit(text=b"", tlvs=payload(b"x" * (153 * 255 + 1)))
    assert answer.status == Status.RINVMSGLEN
    operator.expect_nothing()
    number = submit_long(client, b"x" * (153 * 255))
    taken = []
    while len(taken) < 255:
        pdu = operator.expect(SubmitSm)
        taken.append(pdu)
        operator.answer(pdu, message_id="s44")
    assert b"".join(cut(pdu)[1] for pdu in taken) == b"x" * (153 * 255)
    assert station.gateway.events(Accepted, number)[0].parts == 255


def test_s44_the_limit_of_an_account_holds_and_nothing_is_cut(station):
    client, operator = station.client("brief"), station.link()
    assert client.submit(text=b"", tlvs=payload(b"x" * (3 * 153 + 1))).status == Status.RINVMSGLEN
    operator.expect_nothing()
    submit_long(client, b"x" * (3 * 153))
    assert sum(len(cut(pdu)[1]) for pdu in parts(operator, 3)) == 3 * 153


# -- concatenation


def test_s45_consecutive_long_messages_have_different_references(station):
    client, operator = station.client(), station.link()
    seen = []
    for _ in range(20):
        submit_long(client, b"x" * 161)
        references = {udh.concatenation(cut(pdu)[0]).reference for pdu in parts(operator, 2)}
        assert len(references) == 1
        seen += references
    assert len(set(seen)) == 20


def test_s45_16_bit_references_of_customers_pass(station):
    client, operator = station.client(), station.link()
    for number in (1, 2):
        header = bytes((6, 8, 4, 0x12, 0x34, 2, number))
        client.accepted(text=header + b"part", esm_class=UDHI)
        assert cut(operator.take("s45")) == (header, b"part")


@pytest.mark.parametrize(
    "header",
    [
        bytes.fromhex("0b05040b8423f0000342020a")[:12],
        bytes.fromhex("0605040b8423f0"),
        bytes.fromhex("0b0504158a0000000342020 1".replace(" ", "")),
        bytes.fromhex("047002cafe"),
    ],
    ids=["ports-and-concatenation", "ports", "ringtone", "unknown"],
)
def test_s47_headers_with_several_or_unknown_elements_pass(station, header):
    client, operator = station.client(), station.link()
    client.accepted(text=header + b"\x01\x02\x03", esm_class=UDHI, data_coding=4)
    assert operator.take("s47").short_message == header + b"\x01\x02\x03"


@pytest.mark.parametrize("octets", ["ff", "0500030102", "050003020", "0a000301020105ff0102", "7f"], ids=str)
def test_s47_a_lying_header_is_refused_or_passed_but_hurts_nobody(station, octets):
    client, operator = station.client(), station.link()
    text = bytes.fromhex(octets + "0" * (len(octets) % 2))
    answer = client.submit(text=text, esm_class=UDHI)
    if answer.status:
        assert answer.status == Status.RINVMSGLEN
    else:
        assert operator.take("s47").short_message == text
    client.fence()
    operator.expect_nothing()


def test_s49_the_parts_of_a_customers_message_keep_to_one_provider(station):
    client, operator = station.client(), station.link()
    for number in range(1, 6):
        client.accepted(text=bytes((5, 0, 3, 99, 5, number)) + b"part", esm_class=UDHI)
    assert [cut(pdu)[0][5] for pdu in parts(operator, 5)] == [1, 2, 3, 4, 5]


def test_s49_where_asked_all_parts_leave_by_one_bind(station):
    client = station.client()
    sessions = [station.operators["pair"].session() for _ in range(2)]
    dests = [f"4730{n}" for n in range(6)]
    for dest in dests:
        submit_long(client, b"x" * 400, dest)
    by_session = [[], []]

    def all_taken():
        """Answer what has come: with a window of 1 each answer lets the next part go."""
        for session, taken in zip(sessions, by_session, strict=True):
            session.fence()
            came, session.inbox = session.inbox, []
            for pdu in came:
                taken.append(pdu.destination_addr)
                session.answer(pdu, message_id="s49")
        return sum(map(len, by_session)) == 3 * len(dests)

    eventually(all_taken)
    assert set(by_session[0]).isdisjoint(by_session[1])
    assert all(by_session)
    for session in sessions:
        session.close()


# -- data codings


@pytest.mark.parametrize(
    ("coding", "text"),
    [
        (0, b"a@\x00b\x1be"),
        (1, b"IA5 text"),
        (3, b"bl\xe5b\xe4r"),
        (4, bytes(range(140))),
        (8, "Жå€".encode("utf-16-be")),
        (0x10, b"flash"),
        (0x11, b"class 1"),
        (0x18, "Ж".encode("utf-16-be")),
        (0xF0, b"flash"),
        (0xF3, b"class 3"),
        (0xF5, bytes(range(128, 256))),
        (0x0E, b"\xb0\xa1\xb0\xa2"),
        (0xE7, b"\x01\x02"),
    ],
    ids=lambda value: hex(value) if isinstance(value, int) else "",
)
def test_s50_every_data_coding_arrives_as_it_was_sent(station, coding, text):
    client, operator = station.client(), station.link()
    client.accepted(text=text, data_coding=coding)
    pdu = operator.take("s50")
    assert (pdu.data_coding, pdu.short_message) == (coding, text)
    assert (
        operator.deliver(source_addr="4670", destination_addr="1", data_coding=coding, short_message=text).status == 0
    )
    report = client.report()
    assert (report.data_coding, report.short_message) == (coding, text)


def test_s50_text_is_mapped_where_the_far_side_has_another_alphabet_and_binary_never(station):
    client, operator = station.client(), station.link("latin")
    client.accepted("47201", b"bl\x0fb\x7br \x00")  # å, ä and @ of the GSM alphabet
    pdu = operator.take("s50")
    assert (pdu.data_coding, pdu.short_message) in ((0, b"bl\xe5b\xe4r @"), (3, b"bl\xe5b\xe4r @"))
    client.accepted("47201", b"\x10\x12\x1be")  # delta, phi and euro are not in Latin-1
    pdu = operator.take("s50")
    assert (pdu.data_coding, pdu.short_message.decode("utf-16-be")) == (8, "ΔΦ€")
    client.accepted("47201", b"\x00\x0f\xff", data_coding=4)
    pdu = operator.take("s50")
    assert (pdu.data_coding, pdu.short_message) == (4, b"\x00\x0f\xff")
    assert operator.deliver(source_addr="467", destination_addr="1", short_message=b"bl\xe5").status == 0
    report = client.report()
    assert (report.data_coding, report.short_message) in ((3, b"bl\xe5"), (0, b"bl\x0f"))


# -- MESSAGEMODE


def test_messagemode_split_uses_8_bit_references(station):
    client, operator = station.client(), station.link("SPLIT")
    submit_long(client, b"x" * 200, dest_of("SPLIT"))
    assert [len(cut(pdu)[0]) for pdu in parts(operator, 2)] == [6, 6]


def test_messagemode_split16_uses_16_bit_references(station):
    client, operator = station.client(), station.link("SPLIT16")
    submit_long(client, b"x" * 200, dest_of("SPLIT16"))
    taken = parts(operator, 2)
    assert [cut(pdu)[0][:3] for pdu in taken] == [b"\x06\x08\x04"] * 2
    assert b"".join(cut(pdu)[1] for pdu in taken) == b"x" * 200


def test_messagemode_sar_uses_parameters(station):
    client, operator = station.client(), station.link("SAR")
    submit_long(client, b"x" * 400, dest_of("SAR"))
    taken = parts(operator, 3)
    assert len({tlv(pdu.tlvs, Tag.SAR_MSG_REF_NUM) for pdu in taken}) == 1
    assert [tlv(pdu.tlvs, Tag.SAR_SEGMENT_SEQNUM) for pdu in taken] == [b"\x01", b"\x02", b"\x03"]
    assert {tlv(pdu.tlvs, Tag.SAR_TOTAL_SEGMENTS) for pdu in taken} == {b"\x03"}
    assert not any(pdu.esm_class & UDHI for pdu in taken)
    assert b"".join(pdu.short_message for pdu in taken) == b"x" * 400


@pytest.mark.parametrize("mode", ["PAYLOAD", "ASIS"])
def test_messagemode_payload_and_asis_leave_whole(station, mode):
    client, operator = station.client(), station.link(mode)
    number = submit_long(client, b"x" * 400, dest_of(mode))
    pdu = operator.take("whole")
    assert tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) == b"x" * 400
    client.accepted(dest_of(mode), b"y" * 200)
    assert operator.take("whole").short_message == b"y" * 200
    station.gateway.wait_for_event(Sent, number)


def test_a_long_message_of_an_operator_reaches_the_customer(station):
    client, operator = station.client(), station.link()
    answer = operator.request(DeliverSm(source_addr="467", destination_addr="1", tlvs=payload(b"x" * 300)))
    assert answer.status == 0
    texts = b""
    while len(texts) < 300:
        pdu = client.report()
        whole = tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD)
        texts += whole if whole is not None else cut(pdu)[1]
    assert texts == b"x" * 300
