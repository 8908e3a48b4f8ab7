"""What is known of one message: where it stands, and its events.

`events_of` reads the outbox; batches know the lowest and highest id in them, so only those around the message's life are opened. It reads
much when the outbox is long: run it beside the writer's thread, on a connection of its own.
"""

import sqlite3

import msgspec

from emg.engine import events
from emg.message import Message, State
from emg.spool.opening import decode_message

MOST_BATCHES = 5000
"""A bound for one search; a message whose events lie further apart is shown with its latest ones."""


class Standing(msgspec.Struct):
    """The state of a message as far as the spool knows it."""

    state: State
    account: str
    source: str
    dest: str
    error: str = ""
    at: float = 0.0


def row_of(db: sqlite3.Connection, message_id: int) -> tuple[Message, int, int] | None:
    """(message, place, queue number) from the spool's table."""
    row = db.execute("SELECT body, place, queue FROM message WHERE id = ?", (message_id,)).fetchone()
    return (decode_message(row[0]), row[1], row[2]) if row else None


def events_of(db: sqlite3.Connection, message_id: int) -> list[events.Any]:
    """All events of a message, oldest first; those of its parts are under their own ids."""
    rows = db.execute(
        "SELECT count, body FROM outbox WHERE highest >= ? AND lowest <= ? ORDER BY seq LIMIT ?",
        (message_id, message_id, MOST_BATCHES),
    )
    return [event for count, body in rows for event in events.decode_row(body, count) if event.id == message_id]


def events_around(db: sqlite3.Connection, ids: set[int]) -> list[events.Any]:
    """All events of several messages that lie near each other, oldest first: a long one's parts, the reports about one."""
    if not ids:
        return []
    rows = db.execute(
        "SELECT count, body FROM outbox WHERE highest >= ? AND lowest <= ? ORDER BY seq LIMIT ?",
        (min(ids), max(ids), MOST_BATCHES),
    )
    return [event for count, body in rows for event in events.decode_row(body, count) if event.id in ids]


def standing(story: list[events.Any]) -> Standing | None:
    """The state after these events; None when the message's acceptance is not among them."""
    found: Standing | None = None
    for event in story:
        if isinstance(event, events.Accepted):
            found = Standing(State.QUEUED, event.account, event.source, event.dest, at=event.at)
        elif found is not None and isinstance(event, events.Sent):
            found.state, found.at = State.SENT, event.at
        elif found is not None and isinstance(event, events.Ended):
            found.state, found.error, found.at = event.state, event.error, event.at
    return found
