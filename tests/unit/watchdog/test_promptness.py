"""What supervisord loads to notice at once that a program has ended."""

import os
import select
import signal
from types import SimpleNamespace

import pytest

from watchdog import promptness


@pytest.fixture
def sockets():
    """The map of what supervisord waits for; the wakeup of signals is put back."""
    before = signal.set_wakeup_fd(-1)
    handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    found: dict[int, promptness.Waker] = {}
    yield found
    signal.set_wakeup_fd(before)
    signal.signal(signal.SIGUSR1, handler)
    for waker in found.values():
        os.close(waker.reads)
        os.close(waker.writes)


def make(sockets):
    return promptness.make(SimpleNamespace(options=SimpleNamespace(get_socket_map=lambda: sockets), process_groups={}))


def rounds(waker: promptness.Waker) -> int:
    """How often the loop goes round before it sleeps again."""
    count = 0
    while select.select([waker.reads], [], [], 0)[0]:
        assert waker.readable()
        assert not waker.writable()
        waker.handle_read_event()
        count += 1
    return count


def test_the_first_round_is_at_once(sockets):
    make(sockets)
    ((handle, waker),) = sockets.items()
    assert handle == waker.reads
    assert rounds(waker) == 1


def test_a_signal_wakes_the_loop_twice(sockets):
    """Once to reap who has ended, once to start him again."""
    make(sockets)
    (waker,) = sockets.values()
    rounds(waker)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert rounds(waker) == 2
    assert rounds(waker) == 0


def test_more_signals_than_the_pipe_holds_are_no_trouble(sockets):
    make(sockets)
    (waker,) = sockets.values()
    with pytest.raises(BlockingIOError):
        while True:
            os.write(waker.writes, bytes([signal.SIGUSR1]) * 1000)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert 0 < rounds(waker) < 1000


def test_a_reload_of_the_configuration_leaves_one(sockets):
    """Its files are closed before the configuration is read again: their numbers may be somebody else's."""
    make(sockets)
    (old,) = sockets.values()
    make(sockets)
    (new,) = sockets.values()
    assert new is not old
    assert rounds(new) == 1
    os.close(old.reads)
    os.close(old.writes)


def test_without_files_to_open_supervisord_starts_all_the_same(sockets, monkeypatch):
    def refuse(flags):
        raise OSError

    monkeypatch.setattr(os, "pipe2", refuse)
    assert make(sockets) is not None
    assert sockets == {}


def test_there_is_nothing_to_call(sockets):
    assert [name for name in dir(make(sockets)) if not name.startswith("_")] == []
