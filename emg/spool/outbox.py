"""What is known of the outbox without reading it: how many events it holds, the number of its last row, and whose it is.

The count stands in the spool's settings, written with every `NOTE_COMMITS`th commit and with each that trims: at a start only the rows behind it are
read. `identity` is a random number made with the file; a recorder in a database tells by it whether his position is about this file.
"""

import secrets
import sqlite3
import time
from collections.abc import Mapping

NOTE_COMMITS = 200
IDENTITY_BITS = 62


def identify(db: sqlite3.Connection) -> int:
    """The spool's identity; a spool without one gets it."""
    db.execute(
        "INSERT OR IGNORE INTO setting VALUES ('identity', ?)", (secrets.randbits(IDENTITY_BITS) or 1,)
    )  # an answer of 0 would be none
    return int(db.execute("SELECT value FROM setting WHERE name = 'identity'").fetchone()[0])


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


def salvaged(db: sqlite3.Connection) -> None:
    """Rows may have been lost: count anew, and never give a number again that a recorder may have seen."""
    db.execute("DELETE FROM setting WHERE name IN ('outbox_events', 'outbox_upto')")
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    by_clock = int(time.time() * 1000)  # nobody commits a thousand times a second for years
    if row is None:
        db.execute("INSERT INTO sqlite_sequence VALUES ('outbox', ?)", (by_clock,))
    else:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'outbox'", (max(row[0] + 10**9, by_clock),))
