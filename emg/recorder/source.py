"""Reading the outbox of a spool that a gateway is writing.

`Source.read(after, …)` gives the rows behind a position, through a read-only connection and one short statement, so that the gateway's checkpoints are
not held up. It opens the file when there is one, and again when another one stands in its place (a damaged spool was set aside). Whatever is wrong
comes as SpoolError, and the next call tries again.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

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
        try:
            db = self._open()
            identity = db.execute("SELECT value FROM setting WHERE name = 'identity'").fetchone()
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            rows, more = ([], False) if after is None else _fetch(db, after, most)
        except FileNotFoundError:
            self.close()
            raise SpoolError(f"the spool {self.path} is not there yet: the gateway makes it when it starts") from None
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise SpoolError(f"the spool {self.path} cannot be read: {error}") from error
        if identity is None:
            raise SpoolError(f"the spool {self.path} has no identity yet: it gets one when the gateway starts")
        return Rows(int(identity[0]), rows, last[0] if last else 0, more)

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
