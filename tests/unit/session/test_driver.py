"""The driver against peers and owners that misbehave: it always ends, in time, once, and nobody else notices."""

import socket as system_socket
import time

import gevent
import gevent.socket
import pytest

from emg.errors import RemoteProtocolError
from emg.session import driver as driver_module
from emg.session.driver import Driver


class Machine:
    """Answers each read with `echo`, and closes when it reads an X."""

    def __init__(self, echo=b"", due=float("inf")):
        self.closing = False
        self.echo = echo
        self.due = due
        self.output = b""

    def receive(self, data, now):
        self.output += self.echo
        self.closing = self.closing or b"X" in data
        return [data]

    def take_output(self):
        output, self.output = self.output, b""
        return output

    def next_deadline(self):
        return self.due

    def tick(self, now):
        self.due = float("inf")
        return ["tick"]

    def connection_lost(self, now):
        return []


class Owner:
    def __init__(self, fails_at=None):
        self.events = []
        self.ends = []
        self.fails_at = fails_at

    def handle(self, event, now):
        self.events.append(event)
        if event == self.fails_at:
            raise ZeroDivisionError("a fault of the owner")

    def closed(self, events, reason, now):
        self.ends.append(reason)
        if self.fails_at == "closed":
            raise ZeroDivisionError("a fault of the owner")


class Pipe:
    """A TLS pipe that breaks when something is to be sent."""

    def receive(self, cipher):
        return cipher

    def send(self, plain):
        if plain:
            raise RemoteProtocolError("TLS: broken", 0, fatal=True)
        return b""

    def close(self):
        return b""


@pytest.fixture
def line():
    """The two ends of a connection."""
    ours, theirs = gevent.socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def run(sock, machine=None, owner=None, tls=None):
    made = Driver(sock, machine or Machine(), owner or Owner(), peer="test", tls=tls)
    return made, gevent.spawn(made.run)


def ends(running, seconds=5.0):
    """It ends within the time, and not by an exception."""
    running.join(timeout=seconds)
    assert running.ready(), "it still runs"
    running.get()


def test_the_owner_hears_of_the_end_once_with_its_reason(line):
    ours, theirs = line
    owner = Owner()
    _, running = run(ours, owner=owner)
    theirs.send(b"a")
    theirs.close()
    ends(running)
    assert (owner.events, owner.ends) == ([b"a"], ["closed by the peer"])


def trickle(sock, seconds):
    """Send an octet now and then, until nobody takes it any more."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            sock.send(b"x")
            gevent.sleep(0.02)
    except OSError:
        return


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
def test_a_peer_that_never_stops_sending_does_not_put_off_the_end(line, monkeypatch, reads):
    monkeypatch.setattr(driver_module, "CLOSE_SECONDS", 0.2)
    ours, theirs = line
    owner = Owner()
    _, running = run(ours, Machine(b"" if reads else bytes(1 << 20)), owner)
    theirs.send(b"X")
    chatter = gevent.spawn(trickle, theirs, 10.0)
    try:
        ends(running, 3.0)
    finally:
        chatter.kill()
    assert len(owner.ends) == 1


def test_a_flood_after_the_end_leaves_time_for_others(line, monkeypatch):
    """What still comes when all is said is thrown away, but not in one go: other greenlets run meanwhile."""
    monkeypatch.setattr(driver_module, "CLOSE_SECONDS", 0.5)
    ours, theirs = line
    turns = 0

    def others():
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    machine = Machine()
    made, running = run(ours, machine)
    busy = gevent.spawn(others)
    gevent.sleep(0)
    reads = []

    def endless(size):
        reads.append(turns)
        assert len(reads) < 1000 or reads[-1000] != turns, "nobody else runs"
        return bytes(10)

    made.sock = type(
        "Endless", (), {"recv": lambda _, size: endless(size), "__getattr__": lambda _, name: getattr(ours, name)}
    )()
    theirs.send(b"aX")
    ends(running, 5.0)
    busy.kill()
    assert len(set(reads)) > 10, "others had their turns between the reads"


def test_a_fault_of_the_owner_on_a_timer_ends_this_session_only(line, caplog):
    ours, _ = line
    owner = Owner(fails_at="tick")
    _, running = run(ours, Machine(due=time.monotonic() + 0.01), owner)
    ends(running)
    assert owner.ends == ["internal error"]
    assert "fault of ours" in caplog.text


def test_a_fault_of_the_owner_at_the_end_is_logged_and_goes_no_further(line, caplog):
    ours, theirs = line
    owner = Owner(fails_at="closed")
    _, running = run(ours, owner=owner)
    theirs.close()
    ends(running)
    assert len(owner.ends) == 1
    assert "fault of ours" in caplog.text


def test_tls_that_breaks_while_writing_ends_the_session_in_order(line):
    ours, theirs = line
    owner = Owner()
    _, running = run(ours, Machine(b"answer"), owner, Pipe())
    theirs.send(b"a")
    ends(running)
    assert owner.ends == ["TLS: broken"]


def test_a_peer_that_reads_nothing_is_cut(line, monkeypatch):
    monkeypatch.setattr(driver_module, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(driver_module, "STALL_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(driver_module, "CLOSE_SECONDS", 0.1)
    ours, theirs = line
    owner = Owner()
    made, running = run(ours, Machine(bytes(1 << 20)), owner)
    chatter = gevent.spawn(trickle, theirs, 10.0)
    ends(running)
    chatter.kill()
    assert "read nothing" in owner.ends[0]
    assert len(made._output) <= 2 << 20, "what waited was bounded"


def test_the_last_words_arrive_although_more_was_sent(line):
    """Octets that nobody reads would turn our goodbye into a reset at the peer."""
    server = gevent.socket.socket(system_socket.AF_INET)
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    theirs = gevent.socket.create_connection(server.getsockname())
    ours, _ = server.accept()
    server.close()
    owner = Owner()
    _, running = run(ours, Machine(b"goodbye"), owner)
    theirs.send(b"X" + bytes(200_000))
    said = b""
    while data := theirs.recv(100):
        said += data
    theirs.close()
    ends(running)
    assert said == b"goodbye"
