"""Messages in flight on one session.

A `Carrier` is what a queue sees of a session that can send. A message is *assigned* to it first; the next group commit holds the
carrier's marks (the ids in flight), and only after that commit is the message transmitted: whatever dies, a message that may have
reached the far side is known to have been in flight (design section 4, invariant 2). The marks of a carrier are one small row, written
once a commit however many messages changed.

The session side implements `transmit`. It answers each transmitted message exactly once by `settle` (through the engine), or leaves
it to `Lanes.release`, which puts everything unanswered back when the session ends.
"""

from array import array
from collections import deque
from collections.abc import Callable

from emg.message import Message


class Carrier:
    """One session's sending side; created with the session, given to its lanes when it may send.

    At most `window` messages are transmitted and unanswered. Up to `depth` are in flight: the others are marked already and *ready*, so
    that the next one leaves the moment an answer comes, and not a commit later.
    """

    __slots__ = ("_assigned", "_ready", "_sealed", "depth", "in_flight", "name", "slot", "transmit", "up", "window")

    def __init__(self, slot: int, name: str, window: int, transmit: Callable[[Message], None]) -> None:
        self.slot = slot
        self.name = name
        self.window = window
        self.depth = window
        self.transmit = transmit
        self.up = True
        self.in_flight: dict[int, Message] = {}
        """Assigned, ready or transmitted, not yet settled; in order."""
        self._assigned: list[Message] = []
        self._sealed: list[Message] = []
        self._ready: deque[Message] = deque()

    @property
    def transmitted(self) -> int:
        """Messages that wait for their answer."""
        return len(self.in_flight) - len(self._assigned) - len(self._sealed) - len(self._ready)

    def assign(self, message: Message) -> None:
        """To be transmitted after the next commit; the caller has told the spool that the marks change."""
        self.in_flight[message.id] = message
        self._assigned.append(message)

    def seal(self) -> bytes:
        """The marks for the commit that is about to start."""
        self._sealed = self._assigned
        self._assigned = []
        return array("q", self.in_flight).tobytes()

    def marked(self) -> None:
        """The marks are on disk: `advance` may transmit what they are of."""
        if self._sealed:
            self._ready += self._sealed
            self._sealed = []

    def unmarked(self) -> None:
        """They are not: the same messages wait for the next commit."""
        self._assigned = self._sealed + self._assigned
        self._sealed = []

    def advance(self) -> None:
        """Transmit ready messages as far as the window has room."""
        ready = self._ready
        if ready and self.up:
            room = self.window - self.transmitted
            while room > 0 and ready:
                room -= 1
                self.transmit(ready.popleft())

    def take_untransmitted(self) -> list[Message]:
        """Messages in flight that have certainly not been sent, to be put back into their lanes."""
        taken = [*self._ready, *self._sealed, *self._assigned]
        self._ready.clear()
        self._sealed, self._assigned = [], []
        for message in taken:
            del self.in_flight[message.id]
        return taken

    def untransmitted(self) -> set[int]:
        """Ids that are in flight and have certainly not been sent."""
        return {message.id for held in (self._assigned, self._sealed, self._ready) for message in held}

    def withdraw(self, message_id: int) -> None:
        """Take back a message whose commit failed."""
        self.in_flight.pop(message_id, None)
        self._assigned = [message for message in self._assigned if message.id != message_id]
        self._sealed = [message for message in self._sealed if message.id != message_id]
