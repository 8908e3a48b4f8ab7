"""Open delivery reports: messages that were sent and whose report is still to come.

They live in the spool, keyed by (provider, remote id, our id); the recent ones are in memory too, because most reports come within
seconds. Millions of older ones cost disk, not memory. Of several with one remote id (providers reuse them) the newest is meant; the older
waits for another report, or its DLREXPIRE. It is counted and told of where it is in memory yet; to look for it on disk would cost each message a read.
That one cannot be read is told as an error, never as "not known".

*Doubtful* are messages whose connection broke before their answer came: their remote id is unknown, so a report that matches nothing
else is held against their destination.
"""

import logging
import sqlite3
import time
from collections.abc import Callable

import msgspec

from emg.errors import SpoolError
from emg.message import Message, OpenReport
from emg.spool import rereading
from emg.spool.schema import report_prefix
from emg.spool.spool import Spool

RECENT = 65_536
DOUBTFUL = 50_000
CLOSED = 20_000
REUSE_TOLD_SECONDS = 60.0
"""The log is told of reused ids so often at most."""
TAIL = 9
"""Digits by which destinations are compared: providers write them with and without country code, plus or zeros."""

log = logging.getLogger("emg.engine")
_decode = msgspec.msgpack.Decoder(OpenReport).decode
Found = Callable[[OpenReport | None, SpoolError | None], None]


class OpenReports:
    """All open reports of one gateway."""

    def __init__(self, spool: Spool, count: int) -> None:
        self.count = count
        self.reused = 0
        """How often a provider has given an id again whose report was still to come."""
        self._reuse_told = float("-inf")
        self._spool = spool
        self._recent: dict[tuple[str, str], OpenReport] = {}
        self._on_disk = count
        """Open reports that are not in memory; 0 saves a read for each orphan."""
        self._closing: dict[int, tuple[str, str]] = {}
        """Those whose end is not on disk yet: what is read meanwhile may still show them."""
        self._closed: dict[tuple[str, str], None] = {}
        """The latest that were answered: their reports may come again."""
        self._doubtful: dict[tuple[str, str], dict[int, Message | OpenReport]] = {}

    def add(self, ticket: OpenReport) -> None:
        """A message was sent."""
        self.count += 1
        self._spool.open_report(ticket)
        self._remember(ticket)
        if ticket.maybe_sent:
            self._doubt(ticket.provider, ticket)

    def _remember(self, ticket: OpenReport) -> None:
        recent, key = self._recent, (ticket.provider, ticket.remote_id)
        older = recent.pop(key, None)  # so that the newest stands last
        if older is not None:
            self._on_disk += 1
            if ticket.remote_id and older.id != ticket.id:
                self._note_reuse(older, ticket)
        recent[key] = ticket
        if len(recent) > RECENT:
            del recent[next(iter(recent))]
            self._on_disk += 1

    def _note_reuse(self, older: OpenReport, ticket: OpenReport) -> None:
        self.reused += 1
        now = time.monotonic()
        if now >= self._reuse_told + REUSE_TOLD_SECONDS:
            self._reuse_told = now
            log.warning(
                "provider %s calls message %d %s, as it does message %d, whose report is still to come: the next report is taken to be about the"
                " newer one (%d ids were given again since the start)",
                ticket.provider, ticket.id, ticket.remote_id, older.id, self.reused,
            )  # fmt: skip

    def find(self, provider: str, ids: tuple[str, ...], found: Found) -> None:
        """`found(ticket, None)` now, or after a read; (None, None) when there is none, (None, error) when nobody can tell."""
        for remote_id in ids:
            ticket = self._recent.get((provider, remote_id))
            if ticket is not None:
                found(ticket, None)
                return
        if not self._on_disk or not ids:
            found(None, None)
            return
        rereading.read(
            self._spool, f"the open report on {provider}'s message {ids[0]}", lambda db: _select(db, provider, ids),
            lambda body, error: self._loaded(body, error, provider, ids, found),
        )  # fmt: skip

    def _loaded(
        self, body: bytes | None, error: SpoolError | None, provider: str, ids: tuple[str, ...], found: Found
    ) -> None:
        for remote_id in ids:
            sent_meanwhile = self._recent.get((provider, remote_id))
            if sent_meanwhile is not None:  # its answer was read after its report, while we read here
                found(sent_meanwhile, None)
                return
        ticket = _decode(body) if body is not None else None
        if ticket is not None and ticket.id in self._closing:
            ticket = None
        found(ticket, error)

    def tickets(self, rows: list[bytes], now: float) -> list[OpenReport]:
        """Of rows of the spool's table, those whose time is over and that are still open."""
        closing = self._closing
        return [ticket for ticket in map(_decode, rows) if ticket.expires <= now and ticket.id not in closing]

    def recent(self, message_id: int) -> OpenReport | None:
        """The open report for a message of ours, if it is in memory; goes through all of them."""
        return next((ticket for ticket in self._recent.values() if ticket.id == message_id), None)

    def still_open(self, body: bytes) -> OpenReport | None:
        """The open report in a row of the spool's table; None when one for it is being committed right now."""
        return next(iter(self.tickets([body], float("inf"))), None)

    def closing(self, provider: str, ids: tuple[str, ...]) -> bool:
        """A report for one of these ids is being committed right now: another one is a duplicate."""
        return any(key[0] == provider and key[1] in ids for key in self._closing.values())

    def claim(self, ticket: OpenReport) -> None:
        """Its report came, or it ends without one: a report is a duplicate from now on. `closed` or `reopen` follows after the commit, or `drop`."""
        key = (ticket.provider, ticket.remote_id)
        self._closing[ticket.id] = key
        recent = self._recent.get(key)
        if recent is not None and recent.id == ticket.id:  # another copy of it may have been read from the disk
            del self._recent[key]
        else:
            self._on_disk = max(0, self._on_disk - 1)
        self.count -= 1
        if ticket.maybe_sent:
            self._no_doubt(ticket.provider, ticket.dest, ticket.id)

    def closed(self, ticket: OpenReport) -> None:
        """The close is on disk."""
        key, closed = (ticket.provider, ticket.remote_id), self._closed
        self._closing.pop(ticket.id, None)
        closed[key] = None
        if len(closed) > CLOSED:
            del closed[next(iter(closed))]

    def answered(self, provider: str, ids: tuple[str, ...]) -> bool:
        """One of these ids had its report a while ago."""
        return any((provider, remote_id) in self._closed for remote_id in ids)

    def reopen(self, ticket: OpenReport) -> None:
        """It is not; the provider will report again."""
        self._closing.pop(ticket.id, None)
        self.count += 1
        if ticket.remote_id:
            self._remember(ticket)
        else:
            self._doubt(ticket.provider, ticket)

    def drop(self, ticket: OpenReport) -> None:
        """One that was claimed ends here (expired, or ended by an operator): settlement. Reads of this very commit may still show it."""
        self._spool.close_report(ticket)
        self._spool.when_kept(self._dropped, ticket)

    def _dropped(self, ticket: OpenReport, error: SpoolError | None) -> None:
        if error is None:
            self.closed(ticket)
        else:
            self._spool.when_kept(self._dropped, ticket)  # it goes with the next commit

    # -- doubt

    def doubt(self, provider: str, message: Message) -> None:
        """The message may have been sent; its remote id is unknown."""
        self._doubt(provider, message)

    def settle_doubt(self, provider: str, message: Message) -> None:
        """Its second copy was answered, or it failed for good."""
        self._no_doubt(provider, message.dest, message.id)

    def doubtful(self, provider: str, dest: str) -> Message | OpenReport | None:
        """The one message to this number that a report without a match may be about; None when there is none, or several."""
        found = self._doubtful.get((provider, dest[-TAIL:])) if dest else None
        return next(iter(found.values())) if found is not None and len(found) == 1 else None

    def _doubt(self, provider: str, about: Message | OpenReport) -> None:
        key = (provider, about.dest[-TAIL:])
        self._doubtful.setdefault(key, {})[about.id] = about
        if len(self._doubtful) > DOUBTFUL:
            del self._doubtful[next(iter(self._doubtful))]

    def _no_doubt(self, provider: str, dest: str, message_id: int) -> None:
        key = (provider, dest[-TAIL:])
        found = self._doubtful.get(key)
        if found is not None:
            found.pop(message_id, None)
            if not found:
                del self._doubtful[key]


def _select(db: sqlite3.Connection, provider: str, ids: tuple[str, ...]) -> bytes | None:
    for remote_id in ids:
        first = report_prefix(provider, remote_id)
        row = db.execute(
            "SELECT body FROM open_report WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1", (first, first + ":")
        ).fetchone()
        if row:
            return bytes(row[0])
    return None
