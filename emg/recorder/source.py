"""Reading the outbox of a spool that a gateway is writing.

`Source.read(after, …)` gives the rows behind a position, through a read-only connection and one short statement, so that the gateway's checkpoints are
not held up. It opens the file when there is one, and again when another one stands in its place (a damaged spool was set aside). Whatever is wrong
comes as SpoolError, and the next call tries again.
"""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from emg.engine import events
from emg.errors import SpoolError

FILE = "spool.db"
CACHE_KIB = 2048
MOST_OCTETS = 2 << 20
"""Of events in one batch: what bounds the recorder's memory together with their number."""


class Rows(NamedTuple):
    """What was read."""

    identity: int
    """The spool's."""
    rows: list[tuple[int, int, int, bytes]]
    """(number, epoch seconds, count of events, events), in their order."""
    last: int
    """Number of the last row that was ever written."""
    more: bool
    """There may be more: a bound was reached."""


class Source:
    """See the module's text. For one thread."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / FILE
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] = (0, 0)

    def read(self, after: int | None, most: int) -> Rows:
        """At most about `most` events behind the row `after`; None reads none. Raises SpoolError."""
        with self._reading() as db:
            identity = db.execute("SELECT value FROM setting WHERE name = 'identity'").fetchone()
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            rows, more = ([], False) if after is None else _fetch(db, after, most)
        if identity is None:
            raise SpoolError(f"the spool {self.path} has no identity yet: it gets one when the gateway starts")
        return Rows(int(identity[0]), rows, last[0] if last else 0, more)

    def row(self, number: int) -> tuple[int, int] | None:
        """(epoch seconds, digest) of a row; None where it is not there any more. Raises SpoolError."""
        with self._reading() as db:
            found = db.execute("SELECT at, body FROM outbox WHERE seq = ?", (number,)).fetchone()
        return (found[0], digest(*found)) if found is not None else None

    def charged(self, first: int) -> dict[int, int]:
        """Account's id → what the gateway had charged it before it wrote the row `first`. Raises SpoolError.

        That is what it has charged up to now, less what the rows from `first` on tell of: both are read in one moment, and a commit holds an
        event together with what it changes. It reads all those rows, some seconds for millions of them.
        """
        with self._reading() as db:
            db.execute("BEGIN")
            try:
                return charged_before(db, first)
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except FileNotFoundError:
            self.close()
            raise SpoolError(f"the spool {self.path} is not there yet: the gateway makes it when it starts") from None
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise SpoolError(f"the spool {self.path} cannot be read: {error}") from error

    def _open(self) -> sqlite3.Connection:
        found = self.path.stat()
        file = (found.st_dev, found.st_ino)
        if self._db is not None and file == self._file:
            return self._db
        self.close()
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._db, self._file = db, file
        return db

    def close(self) -> None:
        """Let go of the file."""
        db, self._db = self._db, None
        if db is not None:
            db.close()


def _fetch(db: sqlite3.Connection, after: int, most: int) -> tuple[list[tuple[int, int, int, bytes]], bool]:
    rows: list[tuple[int, int, int, bytes]] = []
    events = octets = 0
    with closing(db.execute("SELECT seq, at, count, body FROM outbox WHERE seq > ? ORDER BY seq", (after,))) as found:
        for row in found:
            rows.append(row)
            events += row[2]
            octets += len(row[3])
            if events >= most or octets >= MOST_OCTETS:
                return rows, True
    return rows, False


def digest(at: int, body: bytes) -> int:
    """What tells a row from another one under the same number, in another copy of the spool. Never 0."""
    return zlib.crc32(body, at & 0xFFFF_FFFF) or 1


def charged_before(db: sqlite3.Connection, first: int) -> dict[int, int]:
    """See `Source.charged`; the caller sees to it that nothing changes meanwhile."""
    charged: dict[int, int] = dict(db.execute("SELECT account, charged FROM balance"))
    for payer, amount in taken(db, first).items():
        if payer in charged:
            charged[payer] -= amount
    return charged


def taken(db: sqlite3.Connection, first: int) -> dict[int, int]:
    """Account's id → what the rows from `first` on say that it was charged, less what it was given back."""
    amounts: dict[int, int] = {}
    with closing(db.execute("SELECT count, body FROM outbox WHERE seq >= ? ORDER BY seq", (first,))) as rows:
        for count, body in rows:
            try:
                happened = events.decode_row(body, count)
            except (msgspec.MsgspecError, ValueError):
                continue  # it is set aside when its turn comes
            for event in happened:
                if type(event) is events.Accepted:
                    amount = event.price
                elif type(event) is events.Ended:
                    amount = -event.refund
                else:
                    continue
                if event.payer and amount:
                    amounts[event.payer] = amounts.get(event.payer, 0) + amount
    return amounts
