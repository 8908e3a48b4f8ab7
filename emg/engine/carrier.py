"""Messages in flight on one session.

A `Carrier` is what a queue sees of a session that can send. A message is *assigned* to it first; the next group commit holds the
carrier's marks (the ids in flight), and only after that commit is the message transmitted: whatever dies, a message that may have
reached the far side is known to have been in flight (design section 4, invariant 2). The marks of a carrier are one small row, written
once a commit however many messages changed.

The session side implements `transmit`. It answers each transmitted message exactly once by `settle` (through the engine), or leaves
it to `Lanes.release`, which puts everything unanswered back when the session ends.
"""

from array import array
from collections.abc import Callable

from emg.message import Message


class Carrier:
    """One session's sending side; created with the session, given to its lanes when it may send."""

    __slots__ = ("_assigned", "_sealed", "in_flight", "name", "slot", "transmit", "up", "window")

    def __init__(self, slot: int, name: str, window: int, transmit: Callable[[Message], None]) -> None:
        self.slot = slot
        self.name = name
        self.window = window
        self.transmit = transmit
        self.up = True
        self.in_flight: dict[int, Message] = {}
        """Assigned or transmitted, not yet settled; in order."""
        self._assigned: list[Message] = []
        self._sealed: list[Message] = []

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
        """The marks are on disk: transmit."""
        sealed, self._sealed = self._sealed, []
        if self.up:
            in_flight = self.in_flight
            for message in sealed:
                if message.id in in_flight:
                    self.transmit(message)

    def unmarked(self) -> None:
        """They are not: the same messages wait for the next commit."""
        self._assigned = self._sealed + self._assigned
        self._sealed = []

    def untransmitted(self) -> set[int]:
        """Ids that are assigned and have certainly not been sent."""
        return {message.id for message in self._assigned} | {message.id for message in self._sealed}

    def withdraw(self, message_id: int) -> None:
        """Take back an assigned message."""
        self.in_flight.pop(message_id, None)
        self._assigned = [message for message in self._assigned if message.id != message_id]
        self._sealed = [message for message in self._sealed if message.id != message_id]
