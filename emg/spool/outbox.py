"""What is known of the outbox without reading it: how many events it holds, the number of its last row, and whose it is.

The count stands in the spool's settings, written with every `NOTE_COMMITS`th commit and with each that trims: at a start only the rows behind it are
read. `identity` is a random number made with the file; a recorder in a database tells by it whether his position is about this file. A copy of it
stands beside the spool in `IDENTITY_FILE`, for the one case that the page it stands on is damaged: what is saved of such a spool is still that spool.
"""

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

NOTE_COMMITS = 200
IDENTITY_BITS = 62
IDENTITY_FILE = "identity"


def identify(db: sqlite3.Connection, folder: Path) -> int:
    """The spool's identity; a spool without one gets it. Raises OSError when the copy cannot be written."""
    db.execute(
        "INSERT OR IGNORE INTO setting VALUES ('identity', ?)", (secrets.randbits(IDENTITY_BITS) or 1,)
    )  # an answer of 0 would be none
    identity = int(db.execute("SELECT value FROM setting WHERE name = 'identity'").fetchone()[0])
    if _copy(folder) != identity:
        fresh = folder / f".{IDENTITY_FILE}.new"
        fresh.touch(0o640)
        fresh.write_text(f"{identity}\n")
        fresh.replace(folder / IDENTITY_FILE)
    return identity


def _copy(folder: Path) -> int:
    """What the copy says; 0 without one."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / IDENTITY_FILE).read_text())
    return 0


def count(db: sqlite3.Connection) -> tuple[int, int]:
    """(events in the outbox, number of the last row that was ever written)."""
    settings = dict(db.execute("SELECT name, value FROM setting WHERE name IN ('outbox_events', 'outbox_upto')"))
    (later,) = db.execute(
        "SELECT coalesce(sum(count), 0) FROM outbox WHERE seq > ?", (settings.get("outbox_upto", 0),)
    ).fetchone()
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return settings.get("outbox_events", 0) + later, row[0] if row else 0


def note(events: int, last: int) -> Mapping[str, int]:
    """The settings that say so."""
    return {"outbox_events": events, "outbox_upto": last}


def salvaged(db: sqlite3.Connection, folder: Path) -> None:
    """Rows may have been lost: count anew, and never give a number again that a recorder may have seen."""
    db.execute("DELETE FROM setting WHERE name IN ('outbox_events', 'outbox_upto')")
    known = _copy(folder)
    if known:
        db.execute("INSERT OR IGNORE INTO setting VALUES ('identity', ?)", (known,))
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    by_clock = int(time.time() * 1000)  # nobody commits a thousand times a second for years
    if row is None:
        db.execute("INSERT INTO sqlite_sequence VALUES ('outbox', ?)", (by_clock,))
    else:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'outbox'", (max(row[0] + 10**9, by_clock),))
