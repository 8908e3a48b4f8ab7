"""cancel_sm: what a customer takes back (SMPP 3.4 §4.9), one message by its id, or all of his from one address to another.

Only what still waits can be taken back. A long message that we split is taken back whole, and not when a part of it is under way or sent. All
between two addresses are looked for in memory and then on disk, `SCANNED` rows at a time in the writer's thread, so that nobody's commit waits for
long; an account looks for one such pair at a time and is throttled beyond it.
"""

import sqlite3
from typing import TYPE_CHECKING

from emg.connectors.smpp import inquiries
from emg.engine.parts import Group
from emg.errors import Cause, SpoolError
from emg.message import Kind, Message
from emg.spool import rereading
from emg.spool.opening import decode_message
from emg.spool.schema import RESIDENT
from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status

if TYPE_CHECKING:
    from emg.connectors.smpp.incoming import IncomingSession

SCANNED = 5000

_Page = tuple[int | None, list[tuple[int, int, int, bytes]]]
"""The highest id that was looked at (None: there are no more), and (id, place, queue, body) of what may be meant."""


def cancel(session: "IncomingSession", pdu: pdus.CancelSm, number: int) -> None:
    """Cancel one message by id, or (0) all of this customer's from one address to another."""

    def decided(bound: int) -> None:
        if not number:
            _Between(session, pdu, bound).begin()
        elif number < bound:
            session.engine.groups.find(number, known)
        else:
            session.refuse(pdu, int(Status.RCANCELFAIL))

    def known(group: Group | None, error: SpoolError | None) -> None:
        if error is not None:
            inquiries.unreadable(session, pdu, error)
        else:
            _Whole(session, pdu, [number] if group is None else list(group.parts)).begin()

    inquiries.when_decided(session, pdu, decided)


class _Whole:
    """One message, or all parts of one: each is looked for, and then, if every one waits, each is ended."""

    def __init__(self, session: "IncomingSession", pdu: pdus.CancelSm, numbers: list[int]) -> None:
        self._session = session
        self._pdu = pdu
        self._numbers = numbers
        self._left = 0
        self._missing = False
        self._error: SpoolError | None = None

    def begin(self) -> None:
        """Look for them all."""
        self._left = len(self._numbers)
        for number in self._numbers:
            inquiries.find_waiting(self._session, number, self._seen)

    def _seen(self, message: Message | None, _place: int, error: SpoolError | None) -> None:
        self._error = error or self._error
        self._missing = self._missing or message is None or not self._is_meant(message)
        self._left -= 1
        if self._left:
            return
        if self._error is not None:
            inquiries.unreadable(self._session, self._pdu, self._error)
        elif self._missing:
            self._session.refuse(self._pdu, int(Status.RCANCELFAIL))
        else:
            self._left = len(self._numbers)
            for number in self._numbers:
                inquiries.find_waiting(self._session, number, self._end)

    def _is_meant(self, message: Message) -> bool:
        source, dest = inquiries.addresses(self._session, self._pdu)
        given = self._pdu.source_addr, self._pdu.destination_addr
        return (not given[0] or message.source == source) and (not given[1] or message.dest == dest)

    def _end(self, message: Message | None, place: int, _error: SpoolError | None) -> None:
        lanes = self._session.engine.lanes
        if message is not None and place == RESIDENT:
            lanes.remove(message.id, Cause.CANCELLED)
        elif message is not None:
            lanes.end_on_disk(message, place, Cause.CANCELLED)
        self._left -= 1
        if not self._left:
            inquiries.answer(self._session, self._pdu, 0)


class _Between:
    """All messages of the customer from one address to another."""

    def __init__(self, session: "IncomingSession", pdu: pdus.CancelSm, bound: int) -> None:
        self._session = session
        self._pdu = pdu
        self._lanes = session.engine.lanes
        self._bound = bound
        self._count = 0
        self._source, self._dest = inquiries.addresses(session, pdu)

    def begin(self) -> None:
        """Those in memory, and then those on disk."""
        looking = self._session.connector.cancelling
        account = self._session.account
        if account in looking:
            self._session.refuse(self._pdu, int(Status.RTHROTTLED))
        elif not self._dest:
            self._session.refuse(self._pdu, int(Status.RCANCELFAIL))
        else:
            looking.add(account)
            self._in_memory()
            if any(lane.deferred or lane.tail.count for lane in self._lanes.by_name.values()):
                self._on_disk(0)
            else:
                self._done()

    def _is_meant(self, message: Message) -> bool:
        return (
            message.account == self._session.account
            and message.id < self._bound
            and message.kind == Kind.NORMAL
            and message.dest == self._dest
            and message.source == self._source
            and self._pdu.service_type in ("", message.service_type)
        )

    def _in_memory(self) -> None:
        for lane in list(self._lanes.by_name.values()):
            if any(self._is_meant(message) for carrier in lane.carriers for message in carrier.in_flight.values()):
                self._lanes.recall(lane)  # what is not transmitted waits again
            for message in [each for each in lane.waiting.values() if self._is_meant(each)]:
                self._end(message, RESIDENT)

    def _end(self, message: Message, place: int) -> None:
        if place == RESIDENT:
            self._lanes.remove(message.id, Cause.CANCELLED)
        else:
            self._lanes.end_on_disk(message, place, Cause.CANCELLED)
        self._count += 1

    def _on_disk(self, after: int) -> None:
        needle, bound = self._dest.encode(), self._bound

        def query(db: sqlite3.Connection) -> _Page:
            ids = "SELECT max(id) FROM (SELECT id FROM message WHERE id > ? AND id < ? ORDER BY id LIMIT ?)"
            (last,) = db.execute(ids, (after, bound, SCANNED)).fetchone()
            if last is None:
                return None, []
            text = (
                "SELECT id, place, queue, body FROM message WHERE id > ? AND id <= ? AND place > 0 AND instr(body, ?)"
            )
            return last, db.execute(text, (after, last, needle)).fetchall()

        def loaded(found: _Page | None, error: SpoolError | None) -> None:
            last, rows = found or (None, [])
            for number, place, queue, body in rows:
                if not self._lanes.stale(number, page):
                    self._row(place, queue, decode_message(body))
            self._lanes.page_read()
            if error is not None:
                self._session.connector.cancelling.discard(self._session.account)
                inquiries.unreadable(self._session, self._pdu, error)
            elif last is not None:
                self._on_disk(last)
            else:
                self._in_memory()  # once more: what came from disk meanwhile
                self._done()

        page = self._lanes.begin_page()
        rereading.read(self._session.engine.spool, "what a customer cancels", query, loaded)

    def _row(self, place: int, queue: int, message: Message) -> None:
        lane = self._lanes.by_number(queue)
        message.queue = lane.name
        if self._is_meant(message) and not lane.holds(message.id):
            self._end(message, place)

    def _done(self) -> None:
        self._session.connector.cancelling.discard(self._session.account)
        inquiries.answer(self._session, self._pdu, 0 if self._count else int(Status.RCANCELFAIL))
