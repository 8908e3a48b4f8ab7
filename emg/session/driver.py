"""One protocol machine over one socket.

`Driver.run()` reads in the caller's greenlet until the connection is over; everything the machine wants to send is written
without blocking, once a turn of the event loop, so that ten answers leave in one segment and none waits for Nagle. The order is
always the same: feed the machine, hand its events to the owner, flush. What the socket will not take is kept and written when it
will; a peer that sends but does not read is not read from any more (`OUTPUT_HIGH`), and is cut when it reads nothing for
`STALL_SECONDS`. The machine's deadlines are served by one timer a session.

Promises: `owner.closed(events, reason)` is called exactly once, after the last event, with an event for every request of ours that
stayed unanswered. An exception in the owner ends this session and is logged; it never reaches another one.
"""

import errno
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gevent
import gevent.event
import gevent.socket

from emg.errors import EmgError
from emg.session.prompt import PromptAnswer
from emg.session.tls import TlsPipe

READ_SIZE = 8192
"""Octets read at once, a hundred messages: what one session may do before the others have their turn."""
OUTPUT_HIGH = 262144
"""Octets waiting to be written above which the peer is no longer read from."""
STALL_SECONDS = 60.0
CLOSE_SECONDS = 2.0
STALL_CHECK_SECONDS = 5.0
"""How often it is looked after a peer that does not take what is to be written."""

_READ = 1
_WRITE = 2
_AGAIN = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})

log = logging.getLogger("emg.session")


class ProtocolMachine(Protocol):
    """What a protocol core offers to its driver; it never waits and knows no socket."""

    @property
    def closing(self) -> bool:
        """True: the connection ends as soon as the output is written."""

    def receive(self, data: bytes, now: float) -> Sequence[Any]:
        """Take octets, give events."""

    def take_output(self) -> bytes:
        """Everything to be written, handed over once."""

    def next_deadline(self) -> float:
        """When `tick` wants to be called (monotonic seconds), `inf` for never."""

    def tick(self, now: float) -> Sequence[Any]:
        """Time has passed."""

    def connection_lost(self, now: float) -> Sequence[Any]:
        """The socket is gone: an event for each request that has no answer."""


class Owner(Protocol):
    """Who a driver works for: a session of a connector."""

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine; may call the machine, must not wait long."""

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over."""


class Driver:
    """Moves octets between a connected socket and a machine; see the module's text."""

    __slots__ = (
        "_armed",
        "_closed",
        "_flush_planned",
        "_hung_up",
        "_last_progress",
        "_loop",
        "_output",
        "_prompt",
        "_readable",
        "_reason",
        "_timer",
        "_writable",
        "_writing",
        "drained",
        "machine",
        "owner",
        "peer",
        "sock",
        "tls",
    )

    def __init__(
        self,
        sock: gevent.socket.socket,
        machine: ProtocolMachine,
        owner: Owner,
        *,
        peer: str = "",
        tls: TlsPipe | None = None,
    ) -> None:
        self.sock = sock
        self.machine = machine
        self.owner = owner
        self.peer = peer
        self.tls = tls
        self.drained = gevent.event.Event()
        self.drained.set()
        self._loop = gevent.get_hub().loop
        self._timer = self._loop.timer(0.0)
        self._readable = self._loop.io(sock.fileno(), _READ)
        self._writable = self._loop.io(sock.fileno(), _WRITE)
        self._writing = False
        self._armed = float("inf")
        self._output = b""
        self._prompt: PromptAnswer | None = None
        self._flush_planned = False
        self._closed = False
        self._hung_up = False
        self._reason = ""
        self._last_progress = time.monotonic()

    @property
    def open(self) -> bool:
        """The connection still exists."""
        return not self._closed

    def run(self) -> None:
        """Read until the connection is over; then tell the owner. Never raises for anything a peer can do."""
        reason = "closed by the peer"
        try:
            self._arm(time.monotonic())
            reason = self._read_until_over()
        except OSError as error:
            reason = error.strerror or str(error)
        except EmgError as error:
            reason = str(error)
        except Exception:  # the owner's fault: it may cost this session, but no other
            log.exception("session with %s ended by a fault of ours", self.peer)
            reason = "internal error"
        finally:
            self._finish(self._reason or reason)

    def _read_until_over(self) -> str:
        machine, handle, sock, tls = self.machine, self.owner.handle, self.sock, self.tls
        wait, readable = gevent.get_hub().wait, self._readable
        self.flush()
        while not self._closed:
            wait(readable)  # one read a turn of the loop: a peer that floods does not keep the others waiting
            data = sock.recv(READ_SIZE)
            if self._prompt is not None:
                self._prompt.confirm()
            if not data:
                return "closed by the peer"
            now = time.monotonic()
            if tls is not None:
                data = tls.receive(data)
                self.flush_soon()
            for event in machine.receive(data, now):
                handle(event, now)
            self.flush_soon()
            if machine.closing:
                return "closed by us"
            if not self.drained.is_set() and not self.drained.wait(STALL_SECONDS):
                return f"the peer read nothing for {STALL_SECONDS:.0f} s"
        return self._reason

    def flush_soon(self) -> None:
        """Write what the machine has, at the end of this turn of the loop."""
        if not self._flush_planned:
            self._flush_planned = True
            self._loop.run_callback(self.flush)

    def flush(self) -> None:
        """Write what the machine has now, as far as the socket takes it."""
        self._flush_planned = False
        if self._closed:
            return
        data = self.machine.take_output()
        if self.tls is not None:
            try:
                data = self.tls.send(data)
            except EmgError as error:
                self.close(str(error))
                return
        if data or self.machine.closing:
            self._take_back()
        if self._output:
            data = self._output + data
        if data:
            self._write(data)
        if self.machine.closing:
            self._hang_up()
        elif self.machine.next_deadline() < self._armed:
            self._arm(time.monotonic())

    def lend(self, answer: bytes, written: Callable[[], None]) -> Callable[[], None] | None:
        """Let another thread write an answer that the machine has composed; gives what it is to call, None where this is no moment for it.

        `written` is called in the loop's thread once it is known to be, before what was read after it is looked at. `settle` ends the loan.
        """
        self.flush()
        if self._closed or self._output or self.tls is not None or self.machine.closing:
            return None
        prompt = self._prompt
        if prompt is None:
            prompt = self._prompt = PromptAnswer(self.sock.fileno())
        prompt.lend(answer, written)
        return prompt.write

    def settle(self) -> bool:
        """The loan is over. False: nothing of the answer was written."""
        assert self._prompt is not None, "an answer came back that was not lent"
        self._take_back()
        if self._output and not self._writing:
            self.flush()
        return self._prompt.confirm()

    def _take_back(self) -> None:
        """Before we write or close: nobody else writes from here on, and what he has begun goes first."""
        rest = self._prompt.take_back() if self._prompt is not None else b""
        if rest:
            self._output += rest
            self._last_progress = time.monotonic()  # the peer took a part of it just now

    def _hang_up(self) -> None:
        """The machine has said its last word: once that is written the peer gets our end, and a little time for his."""
        if self._output or self._closed or self._hung_up:
            return
        self._hung_up = True
        self._reason = self._reason or "closed by us"
        self._say_goodbye()
        self._arm_in(CLOSE_SECONDS)

    def _say_goodbye(self) -> None:
        if self.tls is not None:
            self._write(self.tls.close())
        try:
            self.sock.shutdown(gevent.socket.SHUT_WR)
        except OSError:
            pass  # the peer was quicker

    def _write(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data, 0, timeout=0.0)  # type: ignore[call-arg]  # gevent's own parameter
        except OSError as error:
            if error.errno not in _AGAIN:
                self.close(error.strerror or str(error))
                return
            sent = 0
        if sent == len(data):
            self._output = b""
            if self._writing:
                self._writing = False
                self._writable.stop()
                self.drained.set()
            return
        now = time.monotonic()
        if sent or not self._output:
            self._last_progress = now
        self._output = data[sent:]
        if len(self._output) > OUTPUT_HIGH:
            self.drained.clear()
        if not self._writing:
            self._writing = True
            self._writable.start(self.flush)
            self._arm(now)

    def _arm(self, now: float) -> None:
        """Wake up at the next deadline. One that moves nearer later is seen at the next flush; one that moves away costs a wake-up."""
        due = self.machine.next_deadline()
        if self._writing:
            due = min(due, now + STALL_CHECK_SECONDS)
        self._armed = due
        if due < float("inf"):
            self._arm_in(max(due - now, 0.0))
        else:
            self._timer.stop()

    def _arm_in(self, delay: float) -> None:
        self._timer.stop()
        self._timer.close()
        self._timer = self._loop.timer(delay)
        self._timer.start(self._on_timer)

    def _on_timer(self) -> None:
        if self._closed:
            return
        now = time.monotonic()
        if self._writing and now - self._last_progress > STALL_SECONDS:
            self.close(f"the peer read nothing for {STALL_SECONDS:.0f} s")
            return
        if self._hung_up:
            self.close("closed by us")
            return
        try:
            for event in self.machine.tick(now):
                self.owner.handle(event, now)
        except Exception:  # as in `run`: nobody else would see it here
            log.exception("session with %s ended by a fault of ours", self.peer)
            self.close("internal error")
            return
        self.flush()
        if self.open and not self._hung_up:
            self._arm(now)

    def close(self, reason: str) -> None:
        """End the connection now. `run` returns soon after, and tells the owner."""
        if self._closed:
            return
        self._reason = self._reason or reason
        self._closed = True
        self._take_back()
        self.drained.set()
        try:
            self.sock.shutdown(gevent.socket.SHUT_RDWR)  # wakes the reader, if it waits
        except OSError:
            pass  # it was not connected any more: the reader knows already

    def _finish(self, reason: str) -> None:
        try:
            if not self._closed:
                with gevent.Timeout(CLOSE_SECONDS, False):  # type: ignore[arg-type]  # its way to end without an error
                    self._write_last()
        finally:
            self._closed = True
            self._take_back()
            self._timer.stop()
            self._writable.stop()
            self._timer.close()
            self._readable.close()
            self._writable.close()
            self.sock.close()
            now = time.monotonic()
            try:
                self.owner.closed(self.machine.connection_lost(now), reason, now)
            except Exception:  # who started this session goes on, and may have to start another
                log.exception("the end of the session with %s met a fault of ours", self.peer)

    def _write_last(self) -> None:
        """Let the last answer (a refusal, an unbind_resp) reach the peer before the socket goes."""
        self._take_back()
        self.flush()
        if self._output:
            self.drained.clear()
            self.drained.wait()
        self._say_goodbye()
        try:
            while self.sock.recv(READ_SIZE):  # not wanted, but unread octets would turn our last answer into a reset
                gevent.sleep(0)
        except OSError:
            pass  # the peer was quicker
