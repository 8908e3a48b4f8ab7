"""What a way to people is: the protocol of its class, its error, its deadline."""

from collections.abc import Sequence
from typing import Final, Protocol

from emg.errors import EmgError
from watchdog.alerts import Notice
from watchdog.model import Severity

DEADLINE: Final = 10.0
"""Seconds of one try, name resolution included."""


class NotTold(EmgError):
    """A channel could not tell; a sentence says why."""


class Channel(Protocol):
    """A way to people."""

    name: str
    """As it stands in the status, and in the alert book, which knows by it what was told."""
    level: Severity
    """Less severe alerts are not for it."""
    summary: bool
    """What came and went before it could be told is told all the same, as over."""
    longest_pause: float
    """Seconds between two tries, at most."""

    def send(self, notices: Sequence[Notice], more: int, at: float) -> str:
        """Tell all these at once, and that there are `more`; within DEADLINE, by whoever calls. Gives a sentence if a part of it failed.

        Raises NotTold; whatever else it raises counts as that.
        """
