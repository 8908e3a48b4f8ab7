"""Loaded by supervisord itself: it notices at once that a program has ended, or that it was sent a signal.

By itself supervisord sleeps up to a second before it looks for the dead, and up to another one before it starts them again or goes on with a stop. Here Python
writes a byte into a pipe for each signal (signal.set_wakeup_fd), and supervisord's loop, which waits for the pipe as for any other, goes round twice: once to reap,
once to act on it. Nothing of supervisord is changed. If it can't be set up, supervisord works as it always does. At each round it looks after the watchdog too
(`watchdog.mutual`).

The configuration names `make` as the factory of an RPC interface, which is how supervisord loads code; there is nothing in it to call.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from watchdog.mutual import guard

ONCE_MORE: Final = b"\xff"
"""No signal has this number."""


class Interface:
    """What supervisord offers over XML-RPC in our name: nothing."""


class Waker:
    """One of supervisord's file descriptors to wait for, as its loop (supervisor.supervisord, runforever) wants it."""

    def __init__(self, sockets: dict[int, Any], each_round: Callable[[], None]) -> None:
        """Stand in the map of what the loop waits for. The one of before a `supervisorctl reload` has had its files closed by supervisord."""
        for handle in [handle for handle, other in sockets.items() if isinstance(other, Waker)]:
            del sockets[handle]
        self._each_round = each_round
        self.reads, self.writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.writes, warn_on_full_buffer=False)
        sockets[self.reads] = self
        os.write(self.writes, ONCE_MORE)  # the programs are started now, and not in a second

    def readable(self) -> bool:
        """Always waited for; asked at each round, once a second at least."""
        self._each_round()
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def handle_read_event(self) -> None:
        """The loop is awake; that is all. After a signal it goes round once more."""
        try:
            if os.read(self.reads, 1000).strip(ONCE_MORE):
                os.write(self.writes, ONCE_MORE)
        except OSError:
            pass  # full: it is awake then

    def handle_error(self) -> None:
        """Nothing here can fail."""


def make(supervisord: Any, **_: Any) -> Interface:
    """Called by supervisord when it has read its configuration."""
    with contextlib.suppress(OSError, ValueError):  # a second's delay is no reason not to start
        Waker(supervisord.options.get_socket_map(), guard(supervisord).look)
    return Interface()
