"""An answer that another thread writes: whole or in pieces, once or not at all, and never where it does not belong."""

import os
import random
import socket as system_socket
import threading

import gevent
import gevent.socket
import pytest

from emg.session.driver import Driver
from emg.session.prompt import PromptAnswer
from tests.unit.session.test_driver import Machine, Owner, Pipe, ends, run

ANSWER = b"an answer"


@pytest.fixture
def line():
    """The two ends of a connection, the first with little room for what is not read."""
    ours, theirs = gevent.socket.socketpair()
    ours.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_SNDBUF, 4096)
    yield ours, theirs
    ours.close()
    theirs.close()


def driver_of(sock, machine=None, **options):
    return Driver(sock, machine or Machine(), Owner(), peer="test", **options)


def in_thread(work):
    """Do it in a native thread, as the spool's writer does."""
    gevent.get_hub().threadpool.apply(work)


def received(sock, count):
    """So many octets, or what came within a second."""
    data = b""
    with gevent.Timeout(1.0, False):
        while len(data) < count:
            data += sock.recv(count - len(data))
    return data


def nothing_came(sock):
    with pytest.raises(TimeoutError):
        sock.settimeout(0.05)
        sock.recv(1)


def told():
    """A list that says how often it was called."""
    calls = []
    return calls, lambda: calls.append(True)


def test_the_thread_writes_it_and_the_machine_need_not(line):
    ours, theirs = line
    driver = driver_of(ours)
    calls, written = told()
    in_thread(driver.lend(ANSWER, written))
    assert received(theirs, len(ANSWER)) == ANSWER
    assert driver.settle()
    assert calls == [True]
    driver.flush()
    nothing_came(theirs)


def test_without_a_commit_nothing_is_written(line):
    ours, theirs = line
    driver = driver_of(ours)
    calls, written = told()
    write = driver.lend(ANSWER, written)
    assert not driver.settle()
    in_thread(write)  # too late: it was taken back
    nothing_came(theirs)
    assert not calls


def test_it_is_known_before_what_came_after_it_is_looked_at(line):
    ours, theirs = line
    order = []

    class Watching(Machine):
        def receive(self, data, now):
            order.append("received")
            return super().receive(data, now)

    driver, running = run(ours, Watching())
    gevent.sleep(0)
    write = driver.lend(ANSWER, lambda: order.append("written"))
    in_thread(write)
    theirs.send(b"the next request")
    gevent.sleep(0.05)
    assert order == ["written", "received"]
    assert driver.settle()
    assert order == ["written", "received"]
    theirs.close()
    ends(running)


def test_what_the_loop_writes_first_takes_the_answer_back(line):
    ours, theirs = line
    machine = Machine()
    driver = driver_of(ours, machine)
    write = driver.lend(ANSWER, told()[1])
    machine.output = b"an enquire_link_resp"
    driver.flush()
    in_thread(write)
    assert received(theirs, 20) == b"an enquire_link_resp"
    nothing_came(theirs)
    assert not driver.settle()


def test_a_flush_of_nothing_leaves_it_lent(line):
    ours, theirs = line
    driver = driver_of(ours)
    write = driver.lend(ANSWER, told()[1])
    driver.flush()
    in_thread(write)
    assert received(theirs, len(ANSWER)) == ANSWER
    assert driver.settle()


@pytest.mark.parametrize("meanwhile", [b"", b"something else"], ids=["alone", "something else to write"])
def test_what_the_socket_did_not_take_goes_before_anything_else(line, meanwhile):
    ours, theirs = line
    machine = Machine()
    driver, running = run(ours, machine)
    long = bytes(range(256)) * 4096
    gevent.sleep(0)
    in_thread(driver.lend(long, told()[1]))
    machine.output = meanwhile
    driver.flush()
    assert driver.settle()
    machine.output += b"last"
    driver.flush()
    assert received(theirs, len(long + meanwhile) + 4) == long + meanwhile + b"last"
    theirs.close()
    ends(running)


def test_what_is_left_of_it_reaches_a_peer_whose_session_ends(line):
    ours, theirs = line
    driver, running = run(ours, Machine())
    long = bytes(1 << 18)
    gevent.sleep(0)
    in_thread(driver.lend(long, told()[1]))
    theirs.send(b"X")
    assert received(theirs, len(long)) == long
    ends(running)
    assert driver.settle()


def test_a_peer_that_took_a_part_of_it_has_his_time_to_take_the_rest(line):
    """A session may have been silent for hours before: that is no stall."""
    ours, theirs = line
    driver, running = run(ours, Machine())
    long = bytes(1 << 20)
    gevent.sleep(0)
    driver._last_progress -= 3600.0
    in_thread(driver.lend(long, told()[1]))
    assert driver.settle()
    driver._on_timer()
    assert driver.open
    assert received(theirs, len(long)) == long
    theirs.close()
    ends(running)


def test_a_socket_that_takes_nothing_gives_it_back(line):
    ours, theirs = line
    driver = driver_of(ours)
    write = driver.lend(ANSWER, told()[1])
    filled = 0
    with pytest.raises(BlockingIOError):
        while True:
            filled += os.write(ours.fileno(), bytes(4096))
    in_thread(write)
    assert not driver.settle()
    received(theirs, filled)
    nothing_came(theirs)


def test_a_peer_that_is_gone_is_met_by_the_loop(line):
    ours, theirs = line
    driver = driver_of(ours)
    write = driver.lend(ANSWER, told()[1])
    theirs.close()
    in_thread(write)
    assert not driver.settle()


@pytest.mark.parametrize("how", ["by us", "by the peer"])
def test_a_descriptor_that_was_closed_is_not_written_to_by_its_next_owner(line, how):
    ours, theirs = line
    driver, running = run(ours)
    gevent.sleep(0)
    write = driver.lend(ANSWER, told()[1])
    number = ours.fileno()
    if how == "by us":
        driver.close("because")
    else:
        theirs.close()
    ends(running)
    next_owner, other = system_socket.socketpair()
    assert number in (next_owner.fileno(), other.fileno()), "whoever opens something next gets this number"
    in_thread(write)
    with next_owner, other:
        for sock in (next_owner, other):
            with pytest.raises(BlockingIOError):
                sock.recv(1, system_socket.MSG_DONTWAIT)
    assert not driver.settle()


def test_there_are_moments_for_it_and_others(line):
    ours, _theirs = line
    assert driver_of(ours, tls=Pipe()).lend(ANSWER, told()[1]) is None
    closing = Machine()
    closing.closing = True
    assert driver_of(ours, closing).lend(ANSWER, told()[1]) is None
    busy = Machine()
    busy.output = bytes(1 << 20)
    assert driver_of(ours, busy).lend(ANSWER, told()[1]) is None
    ended = driver_of(ours)
    ended.close("because")
    assert ended.lend(ANSWER, told()[1]) is None


def test_what_was_to_be_written_already_goes_first(line):
    ours, theirs = line
    machine = Machine()
    machine.output = b"first "
    driver = driver_of(ours, machine)
    in_thread(driver.lend(ANSWER, told()[1]))
    assert received(theirs, 6 + len(ANSWER)) == b"first " + ANSWER
    assert driver.settle()


def test_one_is_lent_at_a_time():
    prompt = PromptAnswer(0)
    prompt.lend(ANSWER, told()[1])
    with pytest.raises(AssertionError):
        prompt.lend(ANSWER, told()[1])


def test_two_writers_at_once_never_mix(line):
    """The thread and the loop at the same moments, thousands of times: each answer is there once, whole, and in its place."""
    ours, theirs = line
    driver = driver_of(ours)
    driver.machine = machine = Machine()
    lent, over, came = [], threading.Event(), []
    reader = gevent.spawn(lambda: came.extend(iter(lambda: theirs.recv(65536), b"")))

    def writer():
        while not over.is_set():
            if lent:
                lent.pop()()

    gevent.get_hub().threadpool.spawn(writer)
    expected = set()
    chance = random.Random(7)
    for number in range(3000):
        answer, other = b"<%06d%s>" % (number, b"a" * chance.choice((1, 60, 3000))), b"[%06d]" % number
        write = driver.lend(answer, told()[1])
        if write is not None:
            lent.append(write)
        for _ in range(chance.randrange(60)):
            pass
        if chance.random() < 0.5:
            machine.output += other
            driver.flush()
            expected.add(other)
        for _ in range(chance.randrange(600)):
            pass
        if write is None or not driver.settle():
            machine.output += answer
            driver.flush()
        expected.add(answer)
        if number % 8 == 0:
            gevent.sleep(0)
    over.set()
    while driver._output:
        driver.flush()
        gevent.sleep(0)
    ours.shutdown(system_socket.SHUT_WR)
    reader.join(5.0)
    frames = b"".join(came).replace(b">", b">\n").replace(b"]", b"]\n").splitlines()
    assert len(frames) == len(expected)
    assert set(frames) == expected
    numbers = [int(frame[1:7]) for frame in frames if frame.startswith(b"<")]
    assert numbers == sorted(numbers)
