"""The states that an injected report can say, by the word that people write."""

from emg.message import State

STATES = {
    state.name.lower(): state
    for state in (
        State.DELIVERED, State.FAILED, State.EXPIRED, State.UNKNOWN, State.DELETED, State.REJECTED, State.SENT,
    )
}  # fmt: skip
"""What a report can say; `sent` is the one that is not final."""
