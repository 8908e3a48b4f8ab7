"""The messages of the load client, and the tags in them."""

import itertools

import pytest

from emg.text import coding, udh
from emg.tools import tags
from emg.tools.options import Numbers
from emg.tools.traffic import Traffic
from emg.wire.smpp.codec import decode, encode, tlv
from emg.wire.smpp.names import Tag


def first(count=1, **options):
    traffic = Traffic("mabc-", Numbers("EMG"), Numbers("4670", 7, sequential=True), **options)
    return list(itertools.islice(traffic.each(), count))


def test_each_message_begins_with_its_tag():
    (one, pdu), (two, other) = first(2, text="hello")
    assert (one, two) == ("mabc-1", "mabc-2")
    assert (pdu.short_message, other.short_message) == (b"mabc-1 hello", b"mabc-2 hello")
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.destination_addr) == ("EMG", 5, "46700000000")
    assert other.destination_addr == "46700000001"
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (1, 1)


@pytest.mark.parametrize(
    ("options", "length"),
    [({"size": 160}, 160), ({"size": 3}, 3), ({"size": 70, "text": "\u017e"}, 140), ({"size": 254}, 254)],
)
def test_the_size_is_kept(options, length):
    assert len(first(**options)[0][1].short_message) == length


@pytest.mark.parametrize("size", [255, 1000])
def test_long_text_travels_in_message_payload(size):
    pdu = first(size=size)[0][1]
    assert pdu.short_message == b""
    payload = tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD)
    assert payload is not None
    assert len(payload) == size
    assert tags.read(payload, pdu.esm_class, pdu.data_coding) == "mabc-1"


@pytest.mark.parametrize(("text", "length", "data_coding"), [("x", 153, 0), ("\u017e", 134, 8)])
def test_parts_of_a_long_message_are_full_and_belong_together(text, length, data_coding):
    parts = [pdu for _, pdu in first(4, parts=2, text=text)]
    heads = [udh.concatenation(udh.cut(pdu.short_message)[0]) for pdu in parts]
    assert [(head.reference, head.total, head.number) for head in heads if head] == [
        (0, 2, 1),
        (0, 2, 2),
        (1, 2, 1),
        (1, 2, 2),
    ]
    assert all(len(pdu.short_message) == 6 + length for pdu in parts)
    assert parts[0].destination_addr == parts[1].destination_addr != parts[2].destination_addr
    assert {pdu.data_coding for pdu in parts} == {data_coding}
    assert [tags.read(pdu.short_message, pdu.esm_class, pdu.data_coding) for pdu in parts] == [
        f"mabc-{n}" for n in (1, 2, 3, 4)
    ]


def test_text_is_gsm_where_it_fits_and_ucs2_where_not():
    assert first(text="\N{EURO SIGN}")[0][1].short_message == b"mabc-1 \x1be"
    pdu = first(text="\U0001f600")[0][1]
    assert pdu.data_coding == 8
    assert coding.to_text(pdu.short_message, coding.encoding_of(8)) == "mabc-1 \U0001f600"


def test_every_message_survives_the_codec():
    for options in ({}, {"size": 500}, {"parts": 3}, {"text": "\u017e", "registered_delivery": 1}):
        for _, pdu in first(3, **options):
            assert decode(encode(pdu)) == pdu


@pytest.mark.parametrize(
    ("text", "esm_class", "data_coding", "tag"),
    [
        (b"m1f-7 hello", 0, 0, "m1f-7"),
        (b"m1f-7", 0, 0, "m1f-7"),
        (b"o1f-7 hello", 0, 0, "o1f-7"),
        (b"\x05\x00\x03\x01\x02\x01m1f-7 hello", 0x40, 0, "m1f-7"),
        ("m1f-7 hello".encode("utf-16-be"), 0, 8, "m1f-7"),
        (b"", 0, 0, "-"),
        (b"", 0x40, 8, "-"),
        (b"hello m1f-7", 0, 0, "-"),
        (b"my-text is long", 0, 0, "-"),
        (b"m-7 x", 0, 0, "-"),
        (b"m1f-\xb2 x", 0, 0, "-"),
        (b"\xffm", 0x40, 0, "-"),
        (b"m", 0, 8, "-"),
        (b"m" * 100, 0, 0, "-"),
    ],
)
def test_tags_are_found_at_the_beginning_alone(text, esm_class, data_coding, tag):
    assert tags.read(text, esm_class, data_coding) == tag


def test_runs_differ():
    assert tags.new_run() != tags.new_run("o")
    assert tags.read((tags.new_run() + "12 x").encode(), 0, 0).endswith("-12")
