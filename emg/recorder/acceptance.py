"""`emg recorder --accept-spool`: an older copy of the spool is the spool from now on. For the operator who had to put back a backup; with the gateway stopped.

The log stands further than the copy: its rows have numbers under which others are in the log already. So

1. the copy is made fit to be used (`emg.spool.readmission`): what the log knows as over leaves it, what may have been sent is marked, and accounts were charged
   what the log says;
2. the log's position goes back to the last row that was copied: what a gateway has written into the copy since is told by the time at which it did, later
   than the last row in the log. In the same transaction a gap is noted: what the lost spool had not told is nowhere any more.

Message ids are no trouble: at each start a gateway goes on above all that can have been given out (`emg.spool.opening.by_clock`). Each step can be repeated: when
this was cut off it is run again.
"""

import calendar
import sqlite3
import time

from emg.config.model import ServerConfig
from emg.db import log_gaps
from emg.db.engine import Database
from emg.db.log_tables import Gap, Place, Spot
from emg.db.log_writer import LogWriter
from emg.db.models import GapKind, Status
from emg.recorder.fold import stamp
from emg.recorder.footing import Footing, OlderCopy
from emg.recorder.source import Source, taken
from emg.spool import readmission

UNDECIDED = (Status.QUEUED, Status.SENT)


def accept(config: ServerConfig) -> str:
    """See the module's text. Gives a sentence about what was done. Raises DatabaseError, SpoolError."""
    assert config.database is not None, "a spool is accepted into a database"
    database = Database(config.database)
    source, writer = Source(config.spooldir), LogWriter(database)
    try:
        place = _older(source, writer, config.nodeid)
        if place is None:
            return "the log and the spool fit together: there is nothing to accept"
        with readmission.opened(config.spooldir) as db:
            upto, after = _copied(db, place)
            settled = _settle(database, db, upto)
        gap = Gap(GapKind.COPY, place.seq + 1, 0, place.row_at, stamp(time.time() if after is None else after))
        at, mark = source.row(upto) or (None, 0)
        spot = Spot(
            config.nodeid,
            place.spool,
            place.seq,
            upto,
            stamp(time.time()),
            place.row_at if at is None else stamp(at),
            mark,
        )
        writer.pass_over(spot, gap, {})
    finally:
        source.close()
        writer.close()
        database.close()
    return (
        f"accepted: the log goes on behind row {upto} of this copy. {settled.over} messages left it that the log knows as over;"
        f" {settled.doubtful} may have been sent already: MAYBESENT of their connectors says what becomes of them"
    )


def _older(source: Source, writer: LogWriter, node: int) -> Place | None:
    """Where the log stands, if this is an older copy."""
    head = source.read(None, 0)
    for place in writer.positions(node):
        if place.spool == head.identity:
            try:
                Footing(source, writer, node).compare(place, head.last)
            except OlderCopy:
                return place
    return None


def _copied(db: sqlite3.Connection, place: Place) -> tuple[int, float | None]:
    """(the last row that was copied, when a gateway wrote the first one behind it; None: it hasn't)."""
    seconds = calendar.timegm(time.strptime(place.row_at[:19], "%Y-%m-%d %H:%M:%S")) if place.row_at else 0
    first = db.execute("SELECT seq, at FROM outbox WHERE at > ? ORDER BY seq LIMIT 1", (seconds,)).fetchone()
    if first is not None:
        return first[0] - 1, first[1]
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return (last[0] if last else 0), None


def _settle(database: Database, db: sqlite3.Connection, upto: int) -> readmission.Settled:
    found = readmission.held(db)
    with database.session() as session:
        states = log_gaps.states(session, sorted({*found.messages.values(), *found.reports.values()}))
        charged = log_gaps.charged(session)
    for payer, amount in taken(db, upto + 1).items():
        if payer in charged:
            charged[payer] += amount
    counted = {number for (number,) in db.execute("SELECT account FROM balance")}
    return readmission.settle(
        db,
        found,
        {number for number, status in states.items() if status not in UNDECIDED},
        {number for number, status in states.items() if status is Status.SENT},
        {number: amount for number, amount in charged.items() if amount or number in counted},
    )
