"""What the end of a message is called that we end ourselves: its state, and err: of the report to its sender. The network's own codes
are passed on as they are.
"""

from collections.abc import Mapping
from typing import Final

from emg.errors import Cause
from emg.message import State

_STATES: Final[Mapping[Cause, State]] = {
    Cause.EXPIRED: State.EXPIRED,
    Cause.CANCELLED: State.DELETED,
    Cause.REPLACED: State.DELETED,
    Cause.DELETED: State.DELETED,
}
_CODES: Final[Mapping[Cause, str]] = {
    Cause.EXPIRED: "254",
    Cause.CANCELLED: "253",
    Cause.DELETED: "252",
    Cause.MAYBE_SENT: "251",
}


def state_of(cause: Cause) -> State:
    """The final state."""
    return _STATES.get(cause, State.FAILED)


def code_of(cause: Cause) -> str:
    """Three digits."""
    return _CODES.get(cause, "255")
