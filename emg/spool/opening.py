"""Opening a spool: one owner, the right version, damage set aside, and what stood in it handed to the engine.

`open_spool(folder, node)` locks the folder, checks a spool that was not closed in order, upgrades an older one, and gives the `Spool`
and a `Recovered`. A damaged file is renamed to `spool-damaged-<time>.db` with its journal and never deleted; what can still be read
from it is carried over into the new one, and counted. Raises SpoolError in a sentence: locked by another gateway, of a newer version,
not writable.
"""

import array
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from emg.errors import SpoolError
from emg.message import TURN_BITS, Message, OpenReport, Report
from emg.spool import outbox, schema
from emg.spool.ids import BLOCK, SPACE
from emg.spool.journal import Journal, decode_entry, replay
from emg.spool.spool import Spool
from emg.supervised import have_lock

PAGE_CACHE_KIB = 16384
PAGE_OCTETS = 8192
"""Of a new spool: a commit writes its rows one behind the other, and each page costs two writes and its place in the checkpoint."""
CHECKPOINT_PAGES = 1000
FILE = "spool.db"

log = logging.getLogger("emg.spool")
decode_message = msgspec.msgpack.Decoder(Message).decode


class Backlog(NamedTuple):
    """What waits on disk in one queue with one priority."""

    queue: str
    rank: int
    messages: int
    first: int
    """The lowest order."""
    first_id: int
    """The lowest id in it."""
    last: int
    """The highest order."""


class Recovered(msgspec.Struct):
    """What a spool held when it was opened."""

    resident: list[Message]
    """Messages that were in memory, in flight or next in line, by (order, id)."""
    marked: set[int]
    """Ids that may have been sent without an answer."""
    spilled: list[Backlog]
    deferred: list[tuple[str, int]]
    """(queue, count)."""
    orphans: list[tuple[int, str, str, float, bytes]]
    """(number, provider, remote id, received, body), oldest first."""
    open_reports: int
    balances: dict[int, int]
    """Account id → what it was charged."""
    daily: dict[str, int]
    """Settings of `emg.engine.daily`, by name."""
    clean: bool
    damaged: str = ""
    """Where a damaged file was set aside."""
    salvaged: int = 0
    """Rows carried over from it."""


_locks: list[int] = []


def open_spool(folder: str, node: int, patience: float = 0.0) -> tuple[Spool, Recovered]:
    """See the module's text. The lock is held until the process ends. `patience`: seconds to wait for a gateway that may be just ending."""
    path = Path(folder)
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise SpoolError(f"the spool folder {folder} cannot be made: {error.strerror}") from error
    handle = lock(path, patience)
    try:
        os.close(os.open(path / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))  # messages are not for everybody
        db, recovered = _open_or_set_aside(path / FILE)
        next_id = _begin(db)
        identity = outbox.identify(db, path)
    except (sqlite3.Error, OSError) as error:
        os.close(handle)
        raise SpoolError(f"the spool {path / FILE} cannot be opened: {error}") from error
    except SpoolError:
        os.close(handle)
        raise
    queues = {name: number for number, name in db.execute("SELECT number, name FROM queue")}
    spool = Spool(db, Journal(0), str(path / FILE), node, next_id, queues)
    spool.on_close.append(lambda: os.close(handle))
    spool.identity = identity
    spool.outbox_events, spool.outbox_last = outbox.count(db)
    return spool, recovered


def _begin(db: sqlite3.Connection) -> int:
    """Note that the spool is in use, and reserve the first ids: what is recovered may need some before the first commit."""
    next_id = max(_setting(db, "next_id", 1), by_clock())
    db.execute("INSERT OR REPLACE INTO setting VALUES ('clean', 0), ('next_id', ?)", (next_id + BLOCK,))
    return next_id


def by_clock() -> int:
    """A counter above all that were given out before now, by whatever copy of the spool: nobody gives out a hundred thousand ids a second for years.

    So a spool that was put back from an older copy, or lost and made anew, gives no id twice. 0 where the clock is out of its mind: a counter has
    15 digits.
    """
    counter = int(time.time() * 100_000)
    return counter if counter < SPACE // 2 else 0


def lock(path: Path, patience: float = 0.0) -> int:
    """Be the one who has the spool in this folder open, until the file that this gives is closed. Raises SpoolError after `patience` seconds."""
    try:
        handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SpoolError(f"the spool folder {path} is not writable: {error.strerror}") from error
    if not have_lock(handle, patience):
        os.close(handle)
        raise SpoolError(f"the spool {path} is in use by another gateway")
    return handle


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the spool's settings. The caller's thread may change; only one may use it at a time."""
    uri = f"file:{path}?mode=ro" if read_only else f"file:{path}"
    db = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=10.0
    )
    if not read_only:
        db.execute(f"PRAGMA page_size = {PAGE_OCTETS}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
    return db


def _open_or_set_aside(path: Path) -> tuple[sqlite3.Connection, Recovered]:
    db = None
    try:
        db = connect(path)
        schema.prepare(db)
        if not _setting(db, "clean", 0):
            _check(db)
        replay(db)
        return db, _recover(db)
    except (sqlite3.Error, msgspec.MsgspecError, SpoolError, ValueError) as error:
        if db is not None:
            db.close()
        if (
            isinstance(error, SpoolError)
            or getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _OUTSIDE
        ):
            raise
        aside = _set_aside(path)
        log.error("the spool was damaged (%s); it was set aside as %s", error, aside)
    db = connect(path)
    schema.prepare(db)
    salvaged = _salvage(db, aside)
    replay(db)
    recovered = _recover(db)
    recovered.damaged, recovered.salvaged = str(aside), salvaged
    log.error("%d rows of it were carried over", salvaged)
    return db, recovered


_OUTSIDE = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip
"""Not writable, no room, locked: the file itself may be sound."""


def _check(db: sqlite3.Connection) -> None:
    (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    aside = path.with_name(f"spool-damaged-{stamp}.db")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"spool-damaged-{stamp}-{number}.db")
    for suffix in ("", "-wal"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            source.rename(f"{aside}{suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)  # an index of the journal, rebuilt from it at need
    return aside


def _salvage(db: sqlite3.Connection, aside: Path) -> int:
    """Carry over what can still be read; a row is taken whole or not at all."""
    copied = 0
    old = sqlite3.connect(f"file:{aside}?mode=ro", uri=True)
    for table in (
        "setting",
        "queue",
        "message",
        "open_report",
        "orphan",
        "mark",
        "part_group",
        "balance",
        "outbox",
        "journal",
        "submission",
    ):
        sound = _SOUND.get(table)
        db.execute("BEGIN IMMEDIATE")
        for row in _readable_rows(old, table):
            try:
                if sound is not None:
                    sound(row[-1])
                count = db.execute(
                    f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(row))})",  # noqa: S608 -- our own tables
                    row,
                ).rowcount
            except (sqlite3.Error, msgspec.MsgspecError, TypeError, ValueError) as error:
                log.error("a row of table %s is damaged: %s", table, error)
                continue
            copied += count
        db.execute("COMMIT")
    old.close()
    _name_queues(db)
    if not _setting(db, "next_id", 0):
        _guess_next_id(db)
    outbox.salvaged(db, aside.parent)
    return copied


_SOUND: dict[str, Callable[[bytes], Any]] = {
    "message": decode_message,
    "open_report": msgspec.msgpack.Decoder(OpenReport).decode,
    "orphan": msgspec.msgpack.Decoder(Report).decode,
    "mark": lambda ids: array.array("q", ids),
    "journal": decode_entry,
}
"""What reads the last column of a table's rows, and fails for a damaged one."""


def _name_queues(db: sqlite3.Connection) -> None:
    """The names of queues whose own rows were lost stand in their messages."""
    nameless = "SELECT queue, body FROM message WHERE queue NOT IN (SELECT number FROM queue)"
    for number, body in db.execute(nameless).fetchall():
        db.execute("INSERT OR IGNORE INTO queue VALUES (?,?)", (number, decode_message(body).queue))


def _readable_rows(old: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    for order in ("ASC", "DESC"):  # from both ends, so that one bad page costs that page and not all behind it
        try:
            old.execute("PRAGMA writable_schema = ON")  # reads what is left of a file that is too short for its header
            yield from old.execute(f"SELECT * FROM {table} ORDER BY 1 {order}")  # noqa: S608 -- our own tables
            return
        except sqlite3.Error as error:
            log.error("of table %s not everything could be read: %s", table, error)


def _guess_next_id(db: sqlite3.Connection) -> None:
    """The reserved ids are unknown: go on far above every id that was seen, and above all that can have been."""
    (highest,) = db.execute(
        "SELECT max(m) FROM (SELECT max(id) AS m FROM message UNION SELECT max(highest) FROM outbox)"
    ).fetchone()
    seen = (highest or 0) % SPACE
    db.execute("INSERT OR REPLACE INTO setting VALUES ('next_id', ?)", (max(seen + 100_000_000, by_clock()),))


def _setting(db: sqlite3.Connection, name: str, default: int) -> int:
    row = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else default


_BACKLOG = """
SELECT q.name, b.rank, b.count, b.first, (SELECT min(id) FROM message WHERE place = 1 AND queue = b.queue AND rank = b.first), b.last
  FROM (SELECT queue, rank >> ? AS rank, count(*) AS count, min(rank) AS first, max(rank) AS last
          FROM message WHERE place = 1 GROUP BY 1, 2) b
  JOIN queue q ON q.number = b.queue"""


def _recover(db: sqlite3.Connection) -> Recovered:
    """Read what the engine needs. Messages with a mark become resident, so that each is looked at once."""
    marked: set[int] = set()
    for (ids,) in db.execute("SELECT ids FROM mark"):
        marked.update(array.array("q", ids))
    db.execute("BEGIN IMMEDIATE")
    for number in marked:
        db.execute("UPDATE message SET place = 0 WHERE id = ? AND place = 1", (number,))
    db.execute("COMMIT")
    spilled = [Backlog(*row) for row in db.execute(_BACKLOG, (TURN_BITS,))]
    deferred = db.execute(
        "SELECT q.name, count(*) FROM message m JOIN queue q ON q.number = m.queue WHERE m.place = 2 GROUP BY m.queue"
    ).fetchall()
    resident = [
        decode_message(body) for (body,) in db.execute("SELECT body FROM message WHERE place = 0 ORDER BY rank, id")
    ]
    return Recovered(
        resident=resident,
        marked=marked,
        spilled=spilled,
        deferred=deferred,
        orphans=db.execute("SELECT number, provider, remote_id, received, body FROM orphan ORDER BY number").fetchall(),
        open_reports=db.execute("SELECT count(*) FROM open_report").fetchone()[0],
        balances=dict(db.execute("SELECT account, charged FROM balance")),
        daily=dict(db.execute("SELECT name, value FROM setting WHERE name GLOB 'daily/*'")),
        clean=bool(_setting(db, "clean", 1)),  # a new spool was never left open
    )
