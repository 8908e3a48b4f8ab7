"""What an operator does to one message: look it up, cancel it, report on it in its provider's place.

A long message that we split is known by its own id: what is asked for it is done to all its parts. Everything here waits in the calling
greenlet, with a deadline, and raises ControlError with a sentence.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import msgspec

from emg.engine import events, story
from emg.engine.engine import Engine
from emg.engine.parts import Group
from emg.errors import Cause, ControlError, SpoolError
from emg.message import Encoding, Kind, Message, OpenReport, Report, State
from emg.rules.remoteid import IdFormat
from emg.spool.schema import DEFERRED, RESIDENT, report_key
from emg.text import coding
from emg.text.errors import TextError

SECONDS = 15.0
Waiter = Callable[[Callable[[Any], None]], None]


def wait(ask: Waiter) -> Any:
    """Call `ask(answered)` and wait until `answered` was called. Raises ControlError 503."""
    result: gevent.event.AsyncResult[Any] = gevent.event.AsyncResult()
    ask(result.set)
    try:
        return result.get(timeout=SECONDS)
    except gevent.Timeout:
        raise ControlError(f"the spool did not answer within {SECONDS:g} s", 503) from None


def _read_by(find: Callable[[Callable[[Any, SpoolError | None], None]], None]) -> Any:
    """What `find` finds. Raises ControlError 503, also when the spool cannot be read."""
    value, error = wait(lambda answered: find(lambda value, error: answered((value, error))))
    if error is not None:
        raise ControlError(str(error), 503)
    return value


def ids_of(engine: Engine, message_id: int) -> list[int]:
    """The message, or its parts while not all of them are final."""
    group: Group | None = _read_by(lambda answered: engine.groups.find(message_id, answered))
    return list(group.parts) if group is not None else [message_id]


# -- looking


def trace(engine: Engine, message_id: int) -> dict[str, Any]:
    """Where a message stands, and everything that happened to it as far as the outbox still has it. Raises ControlError 404."""
    told, own, related = engine.look(lambda db: _read(db, message_id))
    in_memory = engine.lanes.find(message_id)
    if in_memory is not None:
        message, in_flight = in_memory
        told.update(_message(message), place="in flight" if in_flight else "in memory", queue=message.queue)
    elif told.get("queue_number") is not None:
        told["queue"] = engine.lanes.by_number(told["queue_number"]).name
    told.pop("queue_number", None)
    if not own and not told:
        raise ControlError(f"nothing is known here of message {message_id}: it never was, or is in the log alone", 404)
    standing = story.standing(own)
    state = standing.state.name.lower() if standing is not None else "queued" if told else "unknown"
    if told.get("place") == "in flight":
        state = "in flight"
    return {
        "id": message_id,
        "state": state,
        **told,
        "remote_ids": _remote_ids(own + related),
        "story": [_told(event) for event in own],
        "related": [_told(event) for event in related],
    }


def _read(db: sqlite3.Connection, message_id: int) -> tuple[dict[str, Any], list[events.Any], list[events.Any]]:
    told: dict[str, Any] = {}
    row = story.row_of(db, message_id)
    if row is not None and row[1] != RESIDENT:  # the others are in memory, or have left a moment ago
        place = "deferred on disk" if row[1] == DEFERRED else "on disk"
        told = {**_message(row[0]), "place": place, "queue_number": row[2]}
    own = story.events_of(db, message_id)
    own.sort(key=lambda event: not isinstance(event, events.Accepted))  # a long message's parts are noted before it
    wholes = {event.into for event in own if isinstance(event, events.Joined)}
    around = [event for number in sorted(wholes) for event in story.events_of(db, number)]
    parts = {event.part for event in own + around if isinstance(event, events.Split)}
    related = around + story.events_around(db, parts)
    reports = {
        event.report
        for event in own + related
        if isinstance(event, events.Ended | events.Intermediate) and event.report
    }
    return told, own, sorted(related + story.events_around(db, reports), key=lambda event: event.at)


def _remote_ids(happened: list[events.Any]) -> list[dict[str, Any]]:
    """What the far sides call a message: one row for each time it was sent, or each of its parts (`part` from 1; 0: it was not split)."""
    numbers = {event.part: event.number for event in happened if isinstance(event, events.Split)}
    rows = [
        {"part": numbers.get(event.id, 0), "connector": event.connector, "remote_id": event.remote_id}
        for event in happened
        if isinstance(event, events.Sent) and event.kind == Kind.NORMAL
    ]
    return sorted(rows, key=lambda row: row["part"])


def _message(message: Message) -> dict[str, Any]:
    return {
        "kind": message.kind.name.lower(),
        "received_on": message.connector,
        "account": message.account,
        "source": message.source,
        "dest": message.dest,
        "accepted": message.accepted,
        "due": message.due,
        "expires": message.expires,
        "tries": message.tries,
        "maybe_sent": message.maybe_sent,
    }


def _told(event: events.Any) -> dict[str, Any]:
    told: dict[str, Any] = {"event": type(event).__name__.lower()}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        told[name] = value.name.lower() if isinstance(value, State) else msgspec.to_builtins(value)
    if isinstance(event, events.Accepted):
        told["text"] = _readable(event.text, Encoding(event.encoding))
    return told


def _readable(body: bytes, encoding: Encoding) -> str:
    """What is kept of a text as people read it; what is no text as hex."""
    try:
        return coding.to_text(body, encoding, "replace")
    except TextError:
        return body.hex()


# -- cancelling


def cancel(engine: Engine, message_id: int) -> dict[str, Any]:
    """End a message, or the parts of a long one, that still wait. Raises ControlError 404 or 409."""
    outcomes = [(number, _cancel_one(engine, number)) for number in ids_of(engine, message_id)]
    ended = [number for number, outcome in outcomes if not outcome]
    if ended:
        engine.spool.settle(SECONDS)
        return {"id": message_id, "cancelled": len(ended), "not_cancelled": len(outcomes) - len(ended)}
    reason = outcomes[0][1]
    raise ControlError(f"message {message_id} {reason}", 404 if reason == _UNKNOWN else 409)


_UNKNOWN = "does not wait in any queue"


def _cancel_one(engine: Engine, number: int) -> str:
    """Why it could not be ended; empty when it was."""
    lanes = engine.lanes
    page = lanes.begin_page()
    try:
        row = engine.spool.ask(lambda db: story.row_of(db, number), SECONDS)
        if lanes.find(number) is not None:
            if lanes.find_waiting(number) is None:
                return "is in flight: its answer decides"
            return "" if lanes.remove(number, Cause.DELETED) is not None else _UNKNOWN
        if row is None or lanes.stale(number, page) or row[1] == RESIDENT:
            return _UNKNOWN
        message, place, queue = row
        message.queue = lanes.by_number(queue).name
        lanes.end_on_disk(message, place, Cause.DELETED)
        return ""
    finally:
        lanes.page_read()


# -- reporting


def report(engine: Engine, message_id: int, state: State, error: str) -> dict[str, Any]:
    """Take a report on a message of ours that was sent. Raises ControlError 404 or 409."""
    numbers = ids_of(engine, message_id)
    done = [number for number in numbers if _report_one(engine, number, state, error)]
    if not done:
        if any(engine.lanes.find(number) for number in numbers):
            raise ControlError(f"message {message_id} was not sent yet: cancel it instead", 409)
        raise ControlError(f"no report is awaited for message {message_id}", 404)
    return {"id": message_id, "state": state.name.lower(), "reports": len(done)}


def _report_one(engine: Engine, number: int, state: State, error: str) -> bool:
    ticket = engine.open_reports.recent(number) or _ticket_on_disk(engine, number)
    if ticket is None:
        return False
    _inject(engine, ticket, state, error)
    return True


def _ticket_on_disk(engine: Engine, number: int) -> OpenReport | None:
    tail = report_key("", "", number)[1:]
    found = engine.look(
        lambda db: db.execute("SELECT key FROM open_report WHERE substr(key, ?) = ?", (-len(tail), tail)).fetchone(),
        SECONDS,
    )
    if found is None:
        return None
    body = engine.spool.ask(
        lambda db: db.execute("SELECT body FROM open_report WHERE key = ?", found).fetchone(), SECONDS
    )
    return engine.open_reports.still_open(body[0]) if body is not None else None


def report_by_remote_id(engine: Engine, provider: str, remote_id: str, state: State, error: str) -> dict[str, Any]:
    """The same for a message by its provider's id, in any form that he writes. Raises ControlError 404."""
    ports = [port for port in engine.ports.values() if provider in (port.name, port.provider)]
    if not ports:
        raise ControlError(f"there is no connector or provider {provider}", 404)
    form = IdFormat.parse(ports[0].config.msgid_format)
    ids = tuple(
        dict.fromkeys((form.from_receipt(remote_id), form.from_answer(remote_id), *form.alternatives(remote_id)))
    )
    ticket: OpenReport | None = _read_by(lambda answered: engine.open_reports.find(ports[0].provider, ids, answered))
    if ticket is None:
        raise ControlError(f"no report is awaited from {provider} for its message {remote_id}", 404)
    _inject(engine, ticket, state, error)
    return {"id": ticket.part.parent if ticket.part else ticket.id, "state": state.name.lower(), "reports": 1}


def _inject(engine: Engine, ticket: OpenReport, state: State, error: str) -> None:
    told = Report(0, state, error, remote_id=ticket.remote_id)

    def ask(answered: Callable[[Any], None]) -> None:
        engine.reporter.inject(ticket, told, lambda _argument, fault: answered(fault), None)

    fault: SpoolError | None = wait(ask)
    if fault is not None:
        raise ControlError(str(fault), 503)
