"""The session machine beyond the transcripts: what it refuses to do for us, its numbers, and that no order of events breaks it."""

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.errors import LocalProtocolError
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.names import RESPONSE
from emg.wire.smpp.pdus import BY_COMMAND
from emg.wire.smpp.states import MATRIX, OWES, RESPONSE_OF, RESPONSES, SENDS, SESSION_REQUESTS

Role, State = smpp.Role, smpp.SessionState
BINDS = {
    State.BOUND_TX: pdus.BindTransmitter,
    State.BOUND_RX: pdus.BindReceiver,
    State.BOUND_TRX: pdus.BindTransceiver,
}


def bound_pair(state: State = State.BOUND_TRX, **settings: Any) -> tuple[smpp.Machine, smpp.Machine]:
    """An ESME and an SMSC that are bound to each other."""
    esme, smsc = smpp.Machine(Role.ESME, 0.0, **settings), smpp.Machine(Role.SMSC, 0.0, **settings)
    esme.bind(BINDS[state](system_id="c1"), 0.0)
    (asked,) = smsc.receive(esme.take_output(), 0.0)
    assert isinstance(asked, smpp.BindRequested)
    smsc.accept_bind(asked.pdu, "emg", 0.0)
    (answered,) = esme.receive(smsc.take_output(), 0.0)
    assert isinstance(answered, smpp.Bound)
    assert esme.state is smsc.state is state
    return esme, smsc


def test_every_request_stands_in_the_matrix() -> None:
    assert set(MATRIX) == {kind for command, kind in BY_COMMAND.items() if not command & RESPONSE}
    assert {kind for command, kind in BY_COMMAND.items() if command & RESPONSE} == RESPONSES
    assert set(MATRIX) - set(RESPONSE_OF) == {pdus.Outbind, pdus.AlertNotification}


@pytest.mark.parametrize("state", BINDS)
@pytest.mark.parametrize("kind", [kind for kind in MATRIX if kind not in SESSION_REQUESTS])
def test_requests_are_made_and_taken_as_the_matrix_says(state: State, kind: type[pdus.Pdu]) -> None:
    for sender, taker in (bound_pair(state), bound_pair(state)[::-1]):
        allowed = kind in SENDS[sender.role, state]
        assert allowed == (kind in OWES[taker.role, state])
        if not allowed or kind is pdus.AlertNotification:
            with pytest.raises(LocalProtocolError):
                sender.request(kind(), "token", 1.0)
            assert sender.take_output() == b""
            assert sender.outstanding == 0
        else:
            sender.request(kind(), "token", 1.0)
            (event,) = taker.receive(sender.take_output(), 1.0)
            assert isinstance(event, smpp.Request)
            assert taker.owed == 1


def test_the_window_is_never_exceeded_and_may_change_at_any_time() -> None:
    esme, smsc = bound_pair(window=2)
    assert (esme.free, smpp.Machine(Role.ESME, 0.0).free) == (2, 0)
    esme.request(pdus.SubmitSm(), 1, 0.0)
    esme.request(pdus.SubmitSm(), 2, 0.0)
    with pytest.raises(LocalProtocolError, match="window"):
        esme.request(pdus.SubmitSm(), 3, 0.0)
    esme.window = 3
    assert (esme.free, esme.outstanding) == (1, 2)
    esme.window = 1
    assert esme.free == 0
    smsc.receive(esme.take_output(), 0.0)
    for sequence in (2, 3):
        smsc.respond(pdus.SubmitSmResp(sequence=sequence))
    assert len(esme.receive(smsc.take_output(), 0.0)) == 2
    assert esme.free == 1


def test_s8_sequence_numbers_wrap_to_one_and_leave_out_those_still_out() -> None:
    esme, _ = bound_pair(window=10)
    assert esme.request(pdus.SubmitSm(), "a", 0.0) == 2
    esme._next = 0x7FFFFFFE
    numbers = [esme.request(pdus.SubmitSm(), "b", 0.0) for _ in range(4)]
    assert numbers == [0x7FFFFFFE, 0x7FFFFFFF, 1, 3]


def test_a_value_that_does_not_fit_leaves_no_trace() -> None:
    esme, smsc = bound_pair()
    with pytest.raises(LocalProtocolError):
        esme.request(pdus.SubmitSm(source_addr="4" * 30), "a", 0.0)
    assert (esme.outstanding, esme.take_output()) == (0, b"")
    esme.request(pdus.SubmitSm(), "b", 0.0)
    smsc.receive(esme.take_output(), 0.0)
    with pytest.raises(LocalProtocolError):
        smsc.respond(pdus.SubmitSmResp(sequence=2, message_id="1" * 400))
    assert smsc.owed == 1
    assert smsc.respond(pdus.SubmitSmResp(sequence=2, status=8))


def test_answers_to_nothing_are_our_fault() -> None:
    _, smsc = bound_pair()
    with pytest.raises(LocalProtocolError):
        smsc.respond(pdus.SubmitSmResp(sequence=9))
    smsc.receive(encode(pdus.SubmitSm(sequence=2)), 0.0)
    with pytest.raises(LocalProtocolError):
        smsc.respond(pdus.SubmitSm(sequence=2))


def test_what_comes_too_late_is_told_and_not_sent() -> None:
    _, smsc = bound_pair()
    smsc.receive(encode(pdus.SubmitSm(sequence=2)), 0.0)
    smsc.connection_lost(0.0)
    assert smsc.respond(pdus.SubmitSmResp(sequence=2)) is False
    fresh = smpp.Machine(Role.SMSC, 0.0)
    (asked,) = fresh.receive(encode(pdus.BindReceiver(sequence=1)), 0.0)
    fresh.tick(10.0)
    assert fresh.accept_bind(asked.pdu, "emg", 11.0) is False
    assert fresh.refuse_bind(asked.pdu, 13) is False
    assert fresh.take_output() == b""


def test_binds_of_the_wrong_role_or_twice_are_our_fault() -> None:
    esme, smsc = smpp.Machine(Role.ESME, 0.0), smpp.Machine(Role.SMSC, 0.0)
    bind = pdus.BindReceiver()
    for wrong in (
        lambda: smsc.bind(bind, 0.0),
        lambda: smsc.accept_bind(bind, "emg", 0.0),
        lambda: esme.refuse_bind(bind, 13),
        lambda: esme.outbind(pdus.Outbind()),
        lambda: esme.alert(pdus.AlertNotification()),
    ):
        with pytest.raises(LocalProtocolError):
            wrong()
    esme.bind(bind, 0.0)
    with pytest.raises(LocalProtocolError):
        esme.bind(bind, 0.0)


def test_a_name_that_does_not_fit_leaves_the_bind_undecided() -> None:
    smsc = smpp.Machine(Role.SMSC, 0.0)
    (asked,) = smsc.receive(encode(pdus.BindReceiver(sequence=1, interface_version=0x33)), 0.0)
    with pytest.raises(LocalProtocolError):
        smsc.accept_bind(asked.pdu, "n" * 40, 0.0)
    assert smsc.state is State.OPEN
    assert smsc.refuse_bind(asked.pdu, 13)


def test_s27_a_text_that_is_a_parameter_is_not_dropped_silently() -> None:
    smsc = smpp.Machine(Role.SMSC, 0.0)
    (asked,) = smsc.receive(encode(pdus.BindReceiver(sequence=1, interface_version=0x33)), 0.0)
    smsc.accept_bind(asked.pdu, "emg", 0.0)
    assert not smsc.tlvs_allowed
    with pytest.raises(LocalProtocolError, match="message_payload"):
        smsc.request(pdus.DeliverSm(tlvs=((0x424, b"long text"),)), "a", 0.0)
    assert smsc.outstanding == 0


def test_the_tap_sees_every_frame_both_ways() -> None:
    esme, smsc = bound_pair()
    seen: list[tuple[bool, bytes]] = []
    smsc.tap = lambda incoming, frame: seen.append((incoming, frame))
    esme.request(pdus.SubmitSm(), "a", 0.0)
    smsc.receive(esme.take_output() + encode(pdus.EnquireLink(sequence=8)), 0.0)
    smsc.respond(pdus.SubmitSmResp(sequence=2))
    smsc.request(pdus.DeliverSm(), "b", 0.0)
    assert [(incoming, type(decode(frame)).__name__) for incoming, frame in seen] == [
        (True, "SubmitSm"),
        (True, "EnquireLink"),
        (False, "EnquireLinkResp"),
        (False, "SubmitSmResp"),
        (False, "DeliverSm"),
    ]


def test_requests_that_never_left_are_told_from_lost_ones() -> None:
    esme, _ = bound_pair()
    esme.request(pdus.SubmitSm(), "out", 0.0)
    esme.take_output()
    esme.request(pdus.SubmitSm(), "in", 0.0)
    events = esme.connection_lost(1.0)
    assert [(event.token, event.why) for event in events] == [("out", smpp.Why.LOST), ("in", smpp.Why.UNSENT)]


def test_deadlines_are_never_late_and_end_with_the_session() -> None:
    esme, smsc = bound_pair(timers=smpp.Timers(answer=20, keepalive=60))
    assert esme.next_deadline() == 60
    esme.request(pdus.SubmitSm(), "a", 5.0)
    assert esme.next_deadline() == 25
    smsc.receive(esme.take_output(), 5.0)
    smsc.respond(pdus.SubmitSmResp(sequence=2))
    esme.receive(smsc.take_output(), 6.0)
    assert esme.tick(25.0) == []  # early, for what has been answered since
    assert esme.next_deadline() == 66
    esme.connection_lost(26.0)
    assert esme.next_deadline() == inf


def test_no_keepalive_and_no_idle_time_mean_no_deadline() -> None:
    esme, _ = bound_pair(timers=smpp.Timers(keepalive=0))
    esme.tick(10.0)
    assert esme.next_deadline() == inf


def test_other_timers_hold_for_a_session_that_stands() -> None:
    esme, _ = bound_pair(timers=smpp.Timers(keepalive=0))
    esme.tick(10.0)
    esme.retime(smpp.Timers(keepalive=30))
    assert esme.next_deadline() == 30
    esme.tick(30.0)
    assert esme.take_output(), "an enquire_link"
    esme.retime(smpp.Timers(keepalive=0))
    assert esme.next_deadline() < inf, "the answer to it is still waited for"


OURS: dict[str, Callable[[smpp.Machine, float], Any]] = {
    "unbind": lambda machine, now: machine.unbind(now),
    "bind": lambda machine, now: machine.bind(pdus.BindTransceiver(), now),
    "take": lambda machine, now: machine.take_output(),
    "alert": lambda machine, now: machine.alert(pdus.AlertNotification()),
    "outbind": lambda machine, now: machine.outbind(pdus.Outbind()),
}

ACTS = st.one_of(
    st.tuples(st.just("request"), st.sampled_from([pdus.SubmitSm, pdus.DeliverSm, pdus.DataSm, pdus.QuerySm])),
    st.tuples(st.just("respond"), st.integers(1, 12)),
    st.tuples(st.just("time"), st.floats(0.1, 70)),
    st.tuples(
        st.just("peer"), st.sampled_from(list(BY_COMMAND.values())), st.integers(0, 12), st.sampled_from([0, 8, 0x58])
    ),
    st.tuples(st.just("octets"), st.binary(max_size=40)),
    st.tuples(st.just("window"), st.integers(0, 5)),
    st.tuples(st.sampled_from([*OURS, "accept", "lost"])),
)


class Run:
    """A machine under random orders, and the books on its requests."""

    def __init__(self, role: smpp.Role) -> None:
        self.machine = smpp.Machine(role, 0.0, timers=smpp.Timers(idle=100), window=3)
        self.now = 0.0
        self.asked = 0
        self.ended: Counter[int] = Counter()
        self.binding: Any = pdus.BindTransceiver(sequence=1)

    def note(self, events: list[smpp.Event]) -> None:
        for event in events:
            if isinstance(event, smpp.Answer | smpp.Unanswered):
                self.ended[event.token] += 1
            elif isinstance(event, smpp.BindRequested):
                self.binding = event.pdu

    def act(self, name: str, *values: Any) -> None:
        machine, now = self.machine, self.now
        match name:
            case "request":
                before = machine.outstanding
                machine.request(values[0](), self.asked, now)
                assert before < machine.window
                self.asked += 1
            case "respond":
                machine.respond(pdus.SubmitSmResp(sequence=values[0]))
            case "time":
                self.now += values[0]
                self.note(machine.tick(self.now))
                assert machine.next_deadline() > self.now
            case "peer":
                self.note(machine.receive(encode(values[0](sequence=values[1], status=values[2])), now))
            case "octets":
                self.note(machine.receive(values[0], now))
            case "window":
                machine.window = values[0]
            case "accept":
                machine.accept_bind(self.binding, "emg", now)
            case "lost":
                self.note(machine.connection_lost(now))
            case _:
                OURS[name](machine, now)


def binding(role: smpp.Role) -> list[tuple[Any, ...]]:
    """The acts that bind a fresh machine, so that most random orders meet one that is bound."""
    if role is Role.SMSC:
        return [("peer", pdus.BindTransceiver, 1, 0), ("accept",)]
    return [("bind",), ("peer", pdus.BindTransceiverResp, 1, 0)]


@given(st.sampled_from(Role), st.booleans(), st.lists(ACTS, max_size=40))
def test_no_order_of_events_breaks_the_machine(role: smpp.Role, bound: bool, acts: list[tuple[Any, ...]]) -> None:
    """It raises LocalProtocolError alone, keeps its deadlines ahead, and ends every request exactly once."""
    run = Run(role)
    for act in [*(binding(role) if bound else []), *acts]:
        try:
            run.act(*act)
        except LocalProtocolError:
            continue
        assert run.machine.closing == (run.machine.state is State.CLOSED)
        assert run.machine.outstanding == run.asked - len(run.ended)
    run.note(run.machine.connection_lost(run.now))
    assert dict(run.ended) == dict.fromkeys(range(run.asked), 1)
