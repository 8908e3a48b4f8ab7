"""supervisord's event listener protocol, over two pipes (http://supervisord.org/events.html).

We say READY; supervisord writes a line `key:value key:value …` whose `len` octets follow; we say RESULT and are asked again. Each event is answered
before anything is done with it, so supervisord never waits for the watchdog, and what the events tell is only: look now.
Whatever can't be read as the protocol ends the listener with a `ListenerError`: from there on nobody knows where the next event begins.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final

import gevent.os
import msgspec

from emg.errors import EmgError

READY: Final = b"READY\n"
RESULT: Final = b"RESULT 2\nOK"
LONGEST_LINE: Final = 4096
LONGEST_PAYLOAD: Final = 1 << 20
CHUNK: Final = 65536


class ListenerError(EmgError):
    """What came is no event."""


class Event(msgspec.Struct, frozen=True):
    """`name`: PROCESS_STATE_EXITED …; `values`: what its payload's first line says: processname, from_state, pid, expected …"""

    name: str
    values: Mapping[str, str] = {}

    @property
    def program(self) -> str:
        """Whom it is about; empty for other events."""
        return self.values.get("processname", "")


def read_header(line: bytes) -> tuple[str, int]:
    """(event name, octets of payload) of an event's first line. Raises ListenerError."""
    values = read_values(line)
    try:
        length = int(values["len"])
        name = values["eventname"]
    except (KeyError, ValueError):
        raise ListenerError(f"this is no event: {line[:100]!r}") from None
    if not 0 <= length <= LONGEST_PAYLOAD:
        raise ListenerError(f"an event of {length} octets")
    return name, length


def read_values(line: bytes) -> dict[str, str]:
    """`key:value key:value …`; words without a colon are left out."""
    words = (word.partition(":") for word in line.decode("utf-8", "replace").split())
    return {key: value for key, colon, value in words if colon}


class Events:
    """The protocol without the pipes: octets in, events out; each event is to be answered by RESULT and READY."""

    def __init__(self) -> None:
        self._rest = b""
        self._head: tuple[str, int] | None = None

    def feed(self, octets: bytes) -> list[Event]:
        """The events that are whole now. Raises ListenerError."""
        self._rest += octets
        events = []
        while (event := self._next()) is not None:
            events.append(event)
        return events

    def _next(self) -> Event | None:
        if self._head is None:
            line, newline, rest = self._rest.partition(b"\n")
            if not newline:
                if len(self._rest) > LONGEST_LINE:
                    raise ListenerError("a line without an end")
                return None
            self._head, self._rest = read_header(line), rest
        name, length = self._head
        if len(self._rest) < length:
            return None
        payload, self._rest = self._rest[:length], self._rest[length:]
        self._head = None
        return Event(name, read_values(payload.partition(b"\n")[0]))


class Listener:
    """The pipes: `serve` in a greenlet. `heard` is called with each event after it was answered; it must not wait or raise."""

    def __init__(self, reads: int, writes: int, heard: Callable[[Event], None]) -> None:
        self._reads = reads
        self._writes = writes
        self._heard = heard
        self.count = 0
        """Events so far."""
        for pipe in (reads, writes):
            gevent.os.make_nonblocking(pipe)

    def serve(self) -> None:
        """Until supervisord closes the pipe: it is gone, or stops. Raises ListenerError."""
        events = Events()
        try:
            self._say(READY)
            while octets := gevent.os.nb_read(self._reads, CHUNK):
                for event in events.feed(octets):
                    self._say(RESULT + READY)
                    self.count += 1
                    self._heard(event)
        except OSError as error:
            raise ListenerError(f"supervisord can't be heard: {os.strerror(error.errno or 0)}") from error

    def _say(self, octets: bytes) -> None:
        while octets:
            octets = octets[gevent.os.nb_write(self._writes, octets) :]
