"""A spool that was put back from an older copy is made fit to be used again, while no gateway has it open.

What it holds was true when it was copied. The message log knows what became of it since, as far as the lost spool had told: `held` says which of the log's
messages stand in this spool, and `settle` takes those that are over out of it, with their open reports, so that nobody gets them twice. Of the others those that
the log knows as sent, and those that a gateway would send next, are marked as if it had died with them in flight: it sends them again as *maybe sent*, or fails them,
as the connector's MAYBESENT says. What accounts were charged is set to what the log says, and what this copy has charged since.

Raises SpoolError for a spool that a gateway has open, or that can't be read.
"""

import array
import os
import sqlite3
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from emg.errors import SpoolError
from emg.message import Kind, OpenReport
from emg.spool import schema
from emg.spool.journal import replay
from emg.spool.opening import FILE, connect, decode_message, lock
from emg.spool.rows import delete_rows

_decode_report = msgspec.msgpack.Decoder(OpenReport).decode


class Held(NamedTuple):
    """What stands in a spool: id → the log's id, which is the long message's for a part."""

    messages: dict[int, int]
    """Without delivery reports on their way back: the log has no rows for them."""
    reports: dict[str, int]
    """Open reports, by their keys."""
    next: set[int]
    """Ids of everything that memory held: what would be sent first."""


class Settled(NamedTuple):
    """What was done: messages taken out, and messages marked as perhaps sent."""

    over: int
    doubtful: int


@contextmanager
def opened(folder: str) -> Iterator[sqlite3.Connection]:
    """The spool's file, with its journal in its tables, locked against a gateway."""
    path = Path(folder) / FILE
    if not path.exists():
        raise SpoolError(f"there is no spool {path}")
    handle = lock(Path(folder))
    try:
        db = connect(path)
        try:
            schema.prepare(db)
            replay(db)
            yield db
        finally:
            db.close()
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise SpoolError(f"the spool {path} cannot be used: {error}") from error
    finally:
        os.close(handle)


def held(db: sqlite3.Connection) -> Held:
    """What stands in it."""
    found = Held({}, {}, set())
    for place, body in db.execute("SELECT place, body FROM message"):
        message = decode_message(body)
        if message.kind is not Kind.REPORT:
            found.messages[message.id] = message.part.parent if message.part is not None else message.id
        if place == schema.RESIDENT:
            found.next.add(message.id)
    for key, body in db.execute("SELECT key, body FROM open_report"):
        report = _decode_report(body)
        found.reports[key] = report.part.parent if report.part is not None else report.id
    return found


def settle(db: sqlite3.Connection, found: Held, over: Set[int], sent: Set[int], charged: Mapping[int, int]) -> Settled:
    """In one transaction; see the module's text. `over` and `sent`: ids of the log; `charged`: by account's id. A second time changes nothing more."""
    gone = [number for number, logged in found.messages.items() if logged in over]
    closed = [key for key, logged in found.reports.items() if logged in over]
    doubtful = found.next.union(number for number, logged in found.messages.items() if logged in sent)
    doubtful.difference_update(gone)
    db.execute("BEGIN IMMEDIATE")
    delete_rows(db, "message", "id", gone)
    delete_rows(db, "open_report", "key", closed)
    delete_rows(db, "part_group", "parent", list(over))
    if doubtful:
        (slot,) = db.execute("SELECT coalesce(max(slot), 0) + 1 FROM mark").fetchone()
        db.execute("INSERT INTO mark VALUES (?,?)", (slot, array.array("q", sorted(doubtful)).tobytes()))
    db.executemany("INSERT OR REPLACE INTO balance VALUES (?,?)", charged.items())
    db.execute("COMMIT")
    return Settled(len(gone), len(doubtful))
