"""The spool's tables, and how an older spool becomes a newer one.

One SQLite file. `message` is where every accepted message and every report on its way stands; its `place` says who looks after it:

- 0 resident: the gateway holds it in memory (the head of a queue, in flight, or a short retry),
- 1 spilled: it waits behind the head, in the order (rank, id); `rank` is `Message.order`,
- 2 deferred: it waits for `due`.

New resident messages and open reports stand in `journal` for the first seconds (see `emg.spool.journal`).
The three indexes are partial: a message that goes straight through touches the table's own tree alone.
Opening a spool of an older version runs `UPGRADES` from its version on, in one transaction; a newer one is refused.
"""

import sqlite3

from emg.errors import SpoolError
from emg.spool import keys

VERSION = 3

RESIDENT, SPILLED, DEFERRED = 0, 1, 2

BALANCE = "CREATE TABLE balance (account INTEGER PRIMARY KEY, charged INTEGER NOT NULL)"
"""What each account of the database was charged, in micro-units: see `emg.engine.charging`."""

TABLES = (
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE queue (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, rank INTEGER NOT NULL, place INTEGER NOT NULL,
        due INTEGER NOT NULL, expires INTEGER NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX message_spilled ON message (queue, rank, id) WHERE place = 1",
    "CREATE INDEX message_deferred ON message (due) WHERE place = 2",
    "CREATE INDEX message_expires ON message (expires) WHERE place > 0 AND expires > 0",
    "CREATE TABLE open_report (key TEXT PRIMARY KEY, expires INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE orphan (
        number INTEGER PRIMARY KEY, provider TEXT NOT NULL, remote_id TEXT NOT NULL, received INTEGER NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE mark (slot INTEGER PRIMARY KEY, ids BLOB NOT NULL)",
    BALANCE,
    "CREATE TABLE part_group (parent INTEGER PRIMARY KEY, expires INTEGER NOT NULL, body BLOB NOT NULL)",
    """CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, lowest INTEGER NOT NULL, highest INTEGER NOT NULL,
        count INTEGER NOT NULL, body BLOB NOT NULL)""",
    keys.TABLE,
)


def report_prefix(provider: str, remote_id: str) -> str:
    """How the keys of the open reports with this remote id begin."""
    return f"{provider}\x1f{remote_id}\x1f"


def report_key(provider: str, remote_id: str, message_id: int) -> str:
    """The key of an open report. One column, because SQLite finds no index for a list of three-column keys."""
    return f"{provider}\x1f{remote_id}\x1f{str(message_id).zfill(19)}"


ORDERS = "UPDATE message SET rank = rank << 40"
"""Column `rank` became `Message.order`, with 40 bits for the turn; what was there has no turn, and goes first in its priority."""
UPGRADES: dict[int, tuple[str, ...]] = {1: (BALANCE, ORDERS), 2: (keys.TABLE,)}
"""version → statements that lead to the next one."""


def prepare(db: sqlite3.Connection) -> None:
    """Make or upgrade the tables. Raises SpoolError when the spool is of a newer version or cannot be upgraded."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise SpoolError(
            f"the spool is of version {version}, this program knows versions up to {VERSION}: start the program that wrote it"
        )
    if version == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            for statement in TABLES:
                db.execute(statement)
        else:
            _upgrade(db, version)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _upgrade(db: sqlite3.Connection, version: int) -> None:
    while version < VERSION:
        steps = UPGRADES.get(version)
        if steps is None:
            raise SpoolError(f"a spool of version {version} cannot be upgraded to version {VERSION}")
        try:
            for statement in steps:
                db.execute(statement)
        except sqlite3.OperationalError as error:
            raise SpoolError(f"the spool cannot be upgraded from version {version}: {error}") from error
        version += 1
