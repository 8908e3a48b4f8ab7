"""supervisord's event protocol: with octets, and over real pipes."""

import os

import gevent
import pytest

from watchdog.events import LONGEST_LINE, Event, Events, Listener, ListenerError

PAYLOAD = b"processname:gateway groupname:gateway from_state:RUNNING expected:0 pid:123"
EVENT = (
    b"ver:3.0 server:supervisor serial:21 pool:watchdog poolserial:10 eventname:PROCESS_STATE_EXITED len:%d\n"
    % len(PAYLOAD)
) + PAYLOAD
EXITED = Event(
    "PROCESS_STATE_EXITED",
    {"processname": "gateway", "groupname": "gateway", "from_state": "RUNNING", "expected": "0", "pid": "123"},
)


def test_an_event_is_read_whole_or_octet_by_octet():
    assert Events().feed(EVENT) == [EXITED]
    events = Events()
    found = [event for octet in EVENT * 2 for event in events.feed(bytes([octet]))]
    assert found == [EXITED, EXITED]
    assert EXITED.program == "gateway"


def test_several_events_come_at_once_and_the_rest_later():
    events = Events()
    assert events.feed(EVENT + EVENT + EVENT[:30]) == [EXITED, EXITED]
    assert events.feed(EVENT[30:]) == [EXITED]


def test_an_event_without_a_payload():
    assert Events().feed(b"eventname:SUPERVISOR_STATE_CHANGE_RUNNING len:0\n") == [
        Event("SUPERVISOR_STATE_CHANGE_RUNNING")
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\n",
        b"\n",
        b"eventname:X\n",
        b"eventname:X len:x\n",
        b"eventname:X len:-1\n",
        b"eventname:X len:99999999999\n",
        b"len:5\n",
        b"\xff\xfe\n",
        b"x" * (LONGEST_LINE + 1),
    ],
)
def test_what_is_no_event_ends_the_listener(octets):
    with pytest.raises(ListenerError):
        Events().feed(octets)


class Supervisord:
    """The far end of both pipes."""

    def __init__(self) -> None:
        reads, self.out = os.pipe()
        self.answers, writes = os.pipe()
        os.set_blocking(self.answers, False)
        self.heard: list[Event] = []
        self.listener = Listener(reads, writes, self.heard.append)
        self.mine = (reads, writes)

    def close(self) -> None:
        for pipe in {*self.mine, self.out, self.answers}:
            try:
                os.close(pipe)
            except OSError:
                pass  # closed by the test

    def hears(self, octets: bytes) -> None:
        """Wait until the listener has said exactly this."""
        said = b""
        with gevent.Timeout(5):
            while said != octets:
                try:
                    said += os.read(self.answers, 1000)
                except BlockingIOError:
                    gevent.sleep(0.001)
                assert octets.startswith(said)


@pytest.fixture
def far():
    supervisord = Supervisord()
    yield supervisord
    supervisord.close()


def test_every_event_is_answered_and_the_end_of_the_pipe_is_the_end(far):
    serving = gevent.spawn(far.listener.serve)
    far.hears(b"READY\n")
    os.write(far.out, EVENT)
    far.hears(b"RESULT 2\nOKREADY\n")
    os.write(far.out, EVENT[:50])
    gevent.sleep(0)
    os.write(far.out, EVENT[50:])
    far.hears(b"RESULT 2\nOKREADY\n")
    os.close(far.out)
    serving.get(timeout=5)
    assert far.heard == [EXITED, EXITED]
    assert far.listener.count == 2


def test_a_supervisord_that_does_not_read_or_is_gone_is_an_error(far):
    os.close(far.answers)
    with pytest.raises(ListenerError, match="Broken pipe"):
        far.listener.serve()


def test_nonsense_on_the_pipe_is_an_error(far):
    os.write(far.out, b"nonsense\n")
    with pytest.raises(ListenerError, match="no event"):
        far.listener.serve()
