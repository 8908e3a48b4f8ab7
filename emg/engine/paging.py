"""What of the queues is on disk and comes into memory in pages: refilling heads, waking what was deferred, ending what expired there.

Each is a read in the writer's thread, behind the commit that it was asked with, so it sees everything that was spilled before;
its callback puts the messages where they belong. One of each kind is under way at a time, a page at a time: a million messages
behind the head cost no memory and never stop the event loop for long.
"""

import logging
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from emg.engine.lane import Lane
from emg.errors import Cause, SpoolError
from emg.message import Message
from emg.spool import rereading
from emg.spool.opening import decode_message
from emg.spool.schema import DEFERRED, RESIDENT, SPILLED

if TYPE_CHECKING:
    from emg.engine.lanes import Lanes

PAGE = 1000
_Row = tuple[int, bytes]
_PageRow = tuple[int, int, bytes]
_ExpiredRow = tuple[int, int, bytes]

log = logging.getLogger("emg.engine")


def refill(lanes: "Lanes", lane: Lane) -> None:
    """Load the next page of what waits on disk behind the head."""
    tail = lane.tail
    if tail.reading or tail.cursor is None:
        return
    tail.begin()
    limit = min(PAGE, lane.head_limit)
    after = (lane.number, *tail.cursor, limit)

    def query(db: sqlite3.Connection) -> list[_PageRow]:
        text = (
            "SELECT rank, id, body FROM message WHERE place = 1 AND queue = ? AND (rank, id) > (?, ?)"
            " ORDER BY rank, id LIMIT ?"
        )
        return db.execute(text, after).fetchall()

    def loaded(rows: list[_PageRow] | None, _error: SpoolError | None) -> None:
        for order, number, body in rows or ():
            tail.cursor = (order, number)
            if not lanes.stale(number, page) and not lane.holds(number):
                tail.gone()
                _load(lane, number, body)
        lanes.place_late(lane, tail.end(last_page=rows is not None and len(rows) < limit))
        lanes.touch(lane)
        lanes.page_read()

    page = lanes.begin_page()
    # With pauses after failures: the lane that stays hungry asks again at once.
    rereading.read(lanes.spool, f"queue {lane.name}", query, loaded)


def _load(lane: Lane, number: int, body: bytes) -> None:
    try:
        message = decode_message(body)
    except msgspec.MsgspecError as error:  # it stays where it is, and stops nobody
        log.error("queue %s: message %d on disk is damaged: %s", lane.name, number, error)
        return
    message.queue = lane.name
    lane.push(message)


def wake_deferred(lanes: "Lanes", now: float) -> None:
    """Bring back what was deferred in the spool and is due now."""
    if lanes.waking or not any(lane.deferred for lane in lanes.by_name.values()):
        return
    lanes.waking = True

    def query(db: sqlite3.Connection) -> list[_Row]:
        rows = db.execute(
            "SELECT queue, body FROM message WHERE place = 2 AND due <= ? ORDER BY due LIMIT ?", (int(now), PAGE)
        )
        return rows.fetchall()

    def loaded(rows: list[_Row] | None, error: Exception | None) -> None:
        lanes.waking = False
        if rows is None:
            log.error("deferred messages cannot be read: %s", error)
        woken = 0
        for number, body in rows or ():
            woken += _wake(lanes, lanes.by_number(number), decode_message(body), page)
        lanes.page_read()
        if woken and len(rows or ()) == PAGE and not lanes.spool.closing:
            wake_deferred(
                lanes, now
            )  # at once: one account's campaign does not delay another's message by a second a page

    page = lanes.begin_page()
    lanes.spool.read(query, loaded)


def _wake(lanes: "Lanes", lane: Lane, message: Message, page: int) -> bool:
    if lanes.stale(message.id, page):
        return False
    lanes.changed(message.id)
    message.queue = lane.name
    lane.deferred = max(0, lane.deferred - 1)
    message.due = 0.0
    if lane.turns is not None:
        message.turn = lane.turns.again(message.rank, message.account, message.turn)
    lanes.spool.update(message, lane.number, lanes.place(message, lane))
    lanes.touch(lane)
    return True


def defer(lanes: "Lanes", message: Message, place: int) -> None:
    """A message that waits at `place` has another time now (`due`; 0: at once), and waits for it on disk."""
    lane = lanes.by_name[message.queue]
    if place == RESIDENT:
        lane.remove(message.id)
    elif place == SPILLED:
        lane.tail.gone()
    if place != DEFERRED:
        lane.deferred += 1
    lanes.changed(message.id)
    lanes.spool.update(message, lane.number, DEFERRED)


def end_expired(lanes: "Lanes", now: float) -> None:
    """End what expired on disk."""
    if lanes.expiring or not any(lane.deferred or lane.tail.count for lane in lanes.by_name.values()):
        return
    lanes.expiring = True

    def query(db: sqlite3.Connection) -> list[_ExpiredRow]:
        rows = db.execute(
            "SELECT queue, place, body FROM message WHERE place > 0 AND expires > 0 AND expires <= ? LIMIT ?",
            (int(now), PAGE),
        )
        return rows.fetchall()

    def loaded(rows: list[_ExpiredRow] | None, error: Exception | None) -> None:
        lanes.expiring = False
        if rows is None:
            log.error("expired messages cannot be read: %s", error)
        for number, place, body in rows or ():
            message, lane = decode_message(body), lanes.by_number(number)
            if not lanes.stale(message.id, page) and not lane.holds(message.id):
                message.queue = lane.name
                lanes.end_on_disk(message, place, Cause.EXPIRED)
        lanes.page_read()

    page = lanes.begin_page()
    lanes.spool.read(query, loaded)
