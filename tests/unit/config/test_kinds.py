"""Kinds of values: what they take, what they refuse, and that they write what they read."""

from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emg.config import kinds
from emg.config.keywords import Kind
from emg.config.values import Endpoint, LongOut, MessageMode, Operation
from emg.message import Want
from emg.rules.address import normal_source

EVERY = [kind for kind in vars(kinds).values() if isinstance(kind, Kind)]
EVERY += [kinds.whole(0, 255), kinds.whole(1, 9), kinds.duration(), kinds.size(1, 1 << 40), kinds.text(5, 1)]
EVERY += [kinds.rate(1e6, "a rate"), kinds.choice(LongOut)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (kinds.whole(0, 8999), "8999", 8999),
        (kinds.whole(0, 255), "0xF0", 240),
        (kinds.duration(), "90", 90.0),
        (kinds.duration(), "90s", 90.0),
        (kinds.duration(), "0.25", 0.25),
        (kinds.duration(), "15m", 900.0),
        (kinds.duration(), "2H", 7200.0),
        (kinds.duration(), "7d", 604800.0),
        (kinds.duration(), "2w", 1209600.0),
        (kinds.size(0, 1 << 40), "64K", 65536),
        (kinds.size(0, 1 << 40), "100m", 100 << 20),
        (kinds.size(0, 1 << 40), "1G", 1 << 30),
        (kinds.rate(100, ""), "12.5", 12.5),
        (kinds.FLAG, "Yes", True),
        (kinds.FLAG, "0", False),
        (kinds.ENDPOINTS, "Example.COM:2775, [2001:DB8:0::1]:1", (("example.com", 2775), ("2001:db8::1", 1))),
        (kinds.ENDPOINT, "[::ffff:192.0.2.1]:5", ("192.0.2.1", 5)),
        (kinds.NETWORKS, "10.0.0.0/8,::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        (kinds.NETWORKS, "*", ()),
        (kinds.WINDOW, "AUTO", "auto"),
        (kinds.WINDOW, "20", 20),
        (kinds.VERSION, "3.4", 0x34),
        (kinds.VERSION, "50", 0x50),
        (kinds.WANT, "3", Want.FINAL | Want.INTERMEDIATE),
        (kinds.WANT, "failure", Want.FAILURE),
        (kinds.CONNECTORS, "*", ()),
        (kinds.CONNECTORS, "a, b", ("a", "b")),
        (kinds.PREFIXES, "00, +46", "00,+46"),
        (kinds.SWAPS, "07/467,00/", "07/467,00/"),
        (kinds.MESSAGE_MODE, "split16,join", MessageMode(LongOut.SPLIT16, join=True)),
        (kinds.MESSAGE_MODE, "JOIN", MessageMode(LongOut.SPLIT, join=True)),
        (kinds.ID_FORMAT, "DEC:hex", "dec:hex"),
        (kinds.OPERATIONS, "query,SUBMIT", frozenset({Operation.QUERY, Operation.SUBMIT})),
    ],
)
def test_reads(kind: Kind[object], text: str, value: object) -> None:
    assert kind.parse(text) == value
    assert kind.parse(kind.show(kind.parse(text))) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kinds.whole(0, 8999), "9000"),
        (kinds.whole(0, 8999), "-1"),
        (kinds.whole(0, 8999), "٣"),
        (kinds.whole(0, 8999), "0x1"),
        (kinds.whole(0), "9" * 5000),
        (kinds.duration(), "11y"),
        (kinds.duration(), "99999w"),
        (kinds.duration(), "1e3"),
        (kinds.duration(zero=False), "0"),
        (kinds.size(1024, 1 << 20), "1"),
        (kinds.size(1024, 1 << 20), "K"),
        (kinds.rate(100, "x"), "nan"),
        (kinds.rate(100, "x"), "100.1"),
        (kinds.rate(100, "x"), "1_0"),
        (kinds.text(5), "sixsix"),
        (kinds.text(5), "€"),
        (kinds.FLAG, "maybe"),
        (kinds.FLAG, ""),
        (kinds.ENDPOINT, "host"),
        (kinds.ENDPOINT, ":2775"),
        (kinds.ENDPOINT, "2775"),
        (kinds.ENDPOINT, "::1:2775"),
        (kinds.ENDPOINT, "[host]:2775"),
        (kinds.ENDPOINT, "host:65536"),
        (kinds.ENDPOINT, "300.1.1.1:1"),
        (kinds.ENDPOINT, "a b:1"),
        (kinds.ENDPOINT, "a..b:1"),
        (kinds.ENDPOINT, "a" * 64 + ".example:1"),
        (kinds.ENDPOINTS, "a:1,,b:2"),
        (kinds.NETWORKS, "10.0.0.1/8"),
        (kinds.NETWORKS, "host"),
        (kinds.WINDOW, "0"),
        (kinds.VERSION, "51"),
        (kinds.WANT, "2"),
        (kinds.SWAPS, "00:46"),
        (kinds.SWAPS, "/46"),
        (kinds.ONE_PREFIX, "46,47"),
        (kinds.MESSAGE_MODE, "SPLIT,SAR"),
        (kinds.MESSAGE_MODE, "JOIN,JOIN"),
        (kinds.ID_FORMAT, "text:hex"),
        (kinds.OPERATIONS, "SUBMIT,FLY"),
        (kinds.SENDER_ADDRESS, "a name of twelve"),
        (kinds.SENDER_ADDRESS, "{}{}{}"),
        (kinds.SENDER_ADDRESS, "Привет"),
        (kinds.DATABASE_URL, "mysql"),
        (kinds.FILE, ""),
    ],
)
def test_refuses_with_a_sentence(kind: Kind[object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has) "):
        kind.parse(text)


def test_addresses_are_written_as_they_are_read() -> None:
    assert str(Endpoint("::1", 2775)) == "[::1]:2775"
    assert str(Endpoint("192.0.2.1", 2775)) == "192.0.2.1:2775"


@given(st.one_of(st.text(max_size=24), st.from_regex(r"\+?[0-9 {}@]{1,22}", fullmatch=True)))
@example("{}{}{}")
@example("+12345678901234567890")
def test_a_sender_that_passes_the_check_is_one_that_can_be_used(text: str) -> None:
    value, _ = outcome(kinds.SENDER_ADDRESS, text)
    if value:
        normal_source(text, 0, 0)  # raises what it can't use


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
@given(text=st.text())
def test_any_text_is_a_value_or_a_sentence_without_it(kind: Kind[object], text: str) -> None:
    secret = f"hunter2{text}"
    for candidate in (text, secret):
        value, sentence = outcome(kind, candidate)
        assert "hunter2" not in sentence
        assert sentence or kind.parse(kind.show(value)) == value


def outcome(kind: Kind[object], text: str) -> tuple[object, str]:
    try:
        return kind.parse(text), ""
    except ValueError as fault:
        return None, str(fault)
