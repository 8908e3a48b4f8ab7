"""The transcripts' reader: plays the SMPP sessions that the tests beside it write down.

    ! what we do         bind, accept, refuse, unbind, lost, ask TOKEN PDU …, say PDU …
    > PDU …              the peer sends it; lines in a row are one segment. `> hex 48 54` sends octets
    < PDU …              we send it
    = EVENT …            the machine tells it; a Note's wording is not compared
    @ 12.5               the clock shows this many seconds
    : bound trx          the state now; `: closing` the machine wants the connection closed

A PDU is its class, its sequence and `field=value`s; `tlv:0x210=34` is a parameter in hex. Between two lines of `!`, `>` or `@`
everything that was sent and told must stand there, no more and no less. Each transcript is played twice, the second time with
one octet a segment (S1).
"""

import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import Status

TIMERS = smpp.Timers(bind=10, keepalive=60, answer=30, link_answer=15, unbind=5)


def read_pdu(words: list[str]) -> pdus.Pdu:
    """The PDU that a line's words describe."""
    kind, sequence, *rest = words
    pdu: Any = getattr(pdus, kind)(sequence=int(sequence, 0))
    for word in rest:
        name, value = word.split("=", 1)
        if name.startswith("tlv:"):
            pdu.tlvs += ((int(name[4:], 0), bytes.fromhex(value)),)
            continue
        before = getattr(pdu, name)
        if isinstance(before, int):
            setattr(pdu, name, int(Status[value]) if value.isupper() else int(value, 0))
        else:
            setattr(pdu, name, value.encode("latin-1") if isinstance(before, bytes) else value)
    return pdu


def read_event(words: list[str]) -> list[Any]:
    """The words of a `=` line as `show_event` gives them."""
    at = next((at for at, word in enumerate(words) if at and hasattr(pdus, word)), len(words))
    return [*words[:at], *([encode(read_pdu(words[at:]))] if at < len(words) else [])]


def show_event(event: smpp.Event) -> list[Any]:
    """An event in the words of a `=` line, its PDU as octets."""
    match event:
        case smpp.Answer(token, pdu, _):
            words: list[Any] = [token, encode(pdu)]
        case smpp.Unanswered(token, _, why):
            words = [token, why.name]
        case smpp.Request(pdu) | smpp.BindRequested(pdu) | smpp.Bound(pdu) | smpp.OutbindReceived(pdu):
            words = [encode(pdu)]
        case smpp.Broken(_, status) | smpp.BindRefused(status):
            words = [Status(status).name]
        case smpp.Unbound(by_peer):
            words = ["by", "peer" if by_peer else "us"]
        case _:
            words = []
    return [type(event).__name__, *words]


class Play:
    """One transcript on its way through a machine."""

    def __init__(self, role: smpp.Role, octets_at_once: int, **settings: Any) -> None:
        self.now = 0.0
        self.machine = smpp.Machine(role, self.now, **{"timers": TIMERS, **settings})
        self.octets_at_once = octets_at_once
        self.segment = b""
        self.sent: list[bytes] = []
        self.told: list[list[Any]] = []
        self.binding: Any = None
        self.framer = Framer()

    def note(self, events: list[smpp.Event]) -> None:
        self.told += [show_event(event) for event in events]
        for event in events:
            if isinstance(event, smpp.BindRequested):
                self.binding = event.pdu

    def deliver_segment(self) -> None:
        size = self.octets_at_once or len(self.segment) or 1
        for at in range(0, len(self.segment), size):
            self.note(self.machine.receive(self.segment[at : at + size], self.now))
        self.segment = b""

    def line(self, line: str) -> None:
        sign, _, rest = line.partition(" ")
        words = shlex.split(rest)
        if sign != ">":
            self.deliver_segment()
        self.sent += self.framer.feed(self.machine.take_output())
        if sign in "!>@":
            assert (self.sent, self.told) == ([], []), f"more than stands before {line!r}"
        if sign == ">":
            self.segment += bytes.fromhex("".join(words[1:])) if words[0] == "hex" else encode(read_pdu(words))
        elif sign == "@":
            self.now = float(rest)
            assert not self.note(self.machine.tick(self.now))
        elif sign == "!":
            self.act(words)
        elif sign == "<":
            assert decode(self.sent.pop(0)) == decode(encode(read_pdu(words))), line
        elif sign == "=":
            assert self.told.pop(0) == read_event(words), line
        else:
            now = "closing" if self.machine.closing else self.machine.state.value
            assert now == rest, line

    def act(self, words: list[str]) -> None:
        machine, now = self.machine, self.now
        match words:
            case ["bind", *pdu]:
                machine.bind(read_pdu(pdu), now)
            case ["outbind", *pdu]:
                machine.outbind(read_pdu(pdu))
            case ["accept"]:
                assert machine.accept_bind(self.binding, "emg", now)
            case ["refuse", status]:
                assert machine.refuse_bind(self.binding, int(Status[status]))
            case ["ask", token, *pdu]:
                machine.request(read_pdu(pdu), token, now)
            case ["say", *pdu]:
                assert machine.respond(read_pdu(pdu))
            case ["alert", *pdu]:
                machine.alert(read_pdu(pdu))
            case ["unbind"]:
                machine.unbind(now)
            case ["lost"]:
                self.note(machine.connection_lost(now))
            case _:
                raise AssertionError(f"no such act: {words}")


def play(role: smpp.Role, *texts: str, **settings: Any) -> None:
    for octets_at_once in (0, 1):
        run = Play(role, octets_at_once, **settings)
        lines = [line.split("  # ")[0].strip() for text in texts for line in text.splitlines()]
        for line in filter(None, lines):
            run.line(line)
        run.line("@ " + str(run.now))  # nothing is left over


@pytest.fixture
def as_smsc() -> Callable[..., None]:
    """Plays transcripts in which we are the SMSC: `as_smsc(text, …, window=…, timers=…)`."""
    return partial(play, smpp.Role.SMSC)


@pytest.fixture
def as_esme() -> Callable[..., None]:
    """The same in which we are the ESME."""
    return partial(play, smpp.Role.ESME)
