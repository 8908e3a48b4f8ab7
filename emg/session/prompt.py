"""An answer that another thread writes for a session: the spool's writer, right after the commit that the peer waits for.

A peer who waits for each answer waits for the event loop to wake up, too. So the loop *lends* the octets of one answer to the thread that
commits, which writes them itself. They are what the loop would have written, and it is told of the commit as ever: it counts the answer then.

Promises: at most one answer is lent, while the loop has nothing to write; the thread writes it once or not at all, and nothing after
`take_back`, which whoever writes to the socket or closes it calls first. So octets of two writers never mix, and a descriptor
that was closed is never written to. `write` never waits for the peer and never raises: what the socket does not take, and what its error
means, is the loop's affair. The loop waits for the thread only while it is in that one system call.
"""

import os
from collections.abc import Callable

from gevent import monkey

_lock = monkey.get_original("_thread", "allocate_lock")


class PromptAnswer:
    """The one of a session. All but `write` belongs to the loop's thread."""

    __slots__ = ("_fileno", "_lock", "_octets", "_written", "sent")

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno
        self._lock = _lock()
        self._octets = b""
        self._written: Callable[[], None] | None = None
        self.sent = 0
        """How many octets of the last one that was lent the thread has written; 0: none of it."""

    def lend(self, octets: bytes, written: Callable[[], None]) -> None:
        """From now on the thread may write these. `written` is for `confirm`."""
        assert not self._octets, "an answer was lent while another one is"
        self.sent = 0
        self._written = written
        self._octets = octets

    def write(self) -> None:
        """The other thread: write it, as far as the socket takes it, unless it was taken back."""
        with self._lock:
            if self._octets:
                try:
                    self.sent = os.write(self._fileno, self._octets)
                except OSError:
                    pass  # the loop is about to write it, and meets the same

    def take_back(self) -> bytes:
        """Have the socket for the loop alone; gives what is left of an answer that was begun. One that was not is to be written as ever."""
        if not self._octets:
            return b""
        with self._lock:
            octets, self._octets = self._octets, b""
        return octets[self.sent :] if self.sent else b""

    def confirm(self) -> bool:
        """Whether it was written, or begun; the first time `written` is called."""
        with self._lock:  # the peer may have the answer before the thread knows that it is written
            begun = self.sent > 0
        if not begun:
            return False
        written, self._written = self._written, None
        if written is not None:
            written()
        return True
