"""What the message log costs: the recorder and the MariaDB server together, from a spool full of events.

Each message is accepted, sent and delivered, and priced for an account of the database; the end of every other one comes so much later that its
row stands in the log already and is changed. The server is a private one with the settings below, the log is partitioned by day as the product's.
Run: python -m tests.bench.page recorder
"""

import contextlib
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from emg.db import schema
from emg.db.engine import Database
from emg.engine import events
from emg.message import Encoding, State
from emg.spool import outbox
from emg.spool.opening import connect
from emg.spool.schema import prepare
from tests.bench import stand
from tests.bench.stand import Row, cells, eventually
from tests.databases import MariaDb

TITLE = "Recorder: events into the message log"
HEAD = ("what", "measured", "target")
MESSAGES = 200_000
CUSTOMERS = 50
ROW_EVENTS = 60
"""Events of a commit of a gateway under load."""
LATER = 45_000
"""Events by which the ends of every other message are late: more than the recorder takes at once."""
SERVER = ("--innodb-buffer-pool-size=128M", "--innodb-log-file-size=96M", "--innodb-flush-log-at-trx-commit=1")
"""What MariaDB has by itself."""
SECONDS = 300.0
TARGETS = ("at least 10,000", "at most 40 µs", "at most 100 MiB")
TEXT = b"Your parcel has arrived and waits for you at the counter, code 123456."


def how(scale: float) -> str:
    """What is done."""
    return (
        f"{round(MESSAGES * scale):,} messages of {CUSTOMERS} priced accounts, three events each, wait in a spool; the end of every other message is {LATER:,} "
        "events late, so that its row is changed instead of made. CPU is that of the recorder and of mariadbd (with its own defaults: a buffer pool"
        " of 128 MiB, a redo log of 96 MiB, flushed at each commit)."
    )


def rows(scale: float) -> list[Row]:
    """Without and with the messages' texts."""
    messages = round(MESSAGES * scale)
    found = []
    server = MariaDb(*SERVER)
    try:
        for with_text, name, targets in ((False, "", TARGETS), (True, ", with texts", ("", "", ""))):
            rate, own, servers, memory = measure(server, messages, with_text=with_text)
            found += [
                cells(f"messages a second{name}", f"**{rate:,.0f}**", targets[0]),
                cells(f"CPU a message, together{name}", f"**{own + servers:.1f} µs**", targets[1]),
                cells(f"of it the recorder{name}", f"{own:.1f} µs", ""),
                cells(f"of it mariadbd{name}", f"{servers:.1f} µs", ""),
                cells(f"recorder's memory{name}", f"{memory:.0f} MiB", targets[2]),
            ]  # fmt: skip
    finally:
        server.remove()
    return found


def measure(server: MariaDb, messages: int, *, with_text: bool) -> tuple[float, float, float, float]:
    """(messages a second, µs of the recorder a message, µs of the server, MiB of the recorder)."""
    with stand.folder() as folder, filled(server, folder) as (config, database):
        program = stand.Program(["recorder", "-c", str(config)], folder / "printed")
        try:
            eventually(lambda: standing(folder).get("identity"), 20.0, "the recorder is up")
            recorder, mariadbd = stand.cpu(program.pid), stand.cpu(server.pid)
            last = fill(folder, messages, with_text=with_text)
            began = time.monotonic()  # nothing was there before the one commit
            eventually(lambda: standing(folder).get("position") == last, SECONDS, "everything is in the log")
            taken = time.monotonic() - began
            used, served = stand.cpu(program.pid) - recorder, stand.cpu(server.pid) - mariadbd
            memory = stand.resident(program.pid)
        finally:
            program.kill()
        check(database, messages)
        return messages / taken, used / messages * 1e6, served / messages * 1e6, memory


@contextlib.contextmanager
def filled(server: MariaDb, folder: Path) -> Iterator[tuple[Path, Database]]:
    """A configuration, and a database with accounts."""
    url = server.url()
    database = Database(url)
    schema.upgrade(database)
    with database.session() as session:
        for number in range(1, CUSTOMERS + 1):
            session.execute(
                text(
                    "INSERT INTO account (id, name, password_hash, locked, prepaid, currency, credited, charged, low_balance_told, sessions,"
                    " throughput, maxqueuesize, daily_limit, operations, force_sourceaddr, sourceaddr, route, routedlr, content, note, created, updated)"
                    " VALUES (:id, :name, '', 0, 1, 'EUR', 0, 0, 0, 1, 0, 0, 0, '', '', '', '', '', 'full', '', now(), now())"
                ),
                {"id": number, "name": f"account{number}"},
            )
    db = spool(folder)
    db.close()
    config = folder / "server.cfg"
    config.write_text(f"DATABASE={url}\nSPOOLDIR={folder}\nLOGDIR={folder}\nCONTROL={folder}/control.sock\n")
    try:
        yield config, database
    finally:
        database.close()


def spool(folder: Path) -> sqlite3.Connection:
    """The file that a gateway would write."""
    db = connect(folder / "spool.db")
    prepare(db)
    outbox.identify(db, folder)
    return db


def fill(folder: Path, messages: int, *, with_text: bool) -> int:
    """Put all events in with one commit; the number of the last row."""
    db = spool(folder)
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO outbox (at, lowest, highest, count, body) VALUES (?,1,1,?,?)", made(messages, with_text=with_text)
    )
    db.execute("COMMIT")
    (last,) = db.execute("SELECT max(seq) FROM outbox").fetchone()
    db.close()
    return int(last)


def made(messages: int, *, with_text: bool) -> Iterator[tuple[int, int, bytes]]:
    """Rows of the outbox."""
    row: list[bytes] = []
    late: list[tuple[int, bytes]] = []
    first = 0
    for place, (event, is_late) in enumerate(all_events(messages, with_text=with_text)):
        if is_late:
            late.append((place + LATER, event))
        else:
            row.append(event)
        while first < len(late) and late[first][0] <= place:
            row.append(late[first][1])
            first += 1
        if len(row) >= ROW_EVENTS:
            yield int(time.time()), len(row), b"".join(row)
            row = []
    row += [event for _, event in late[first:]]
    yield int(time.time()), len(row), b"".join(row)


def all_events(messages: int, *, with_text: bool) -> Iterator[tuple[bytes, bool]]:
    """Three events a message, and whether it is one that comes late."""
    draws = random.Random(7)
    encode = events.encode
    began = time.time() - messages / 5000
    for number in range(1, messages + 1):
        at = began + number / 5000
        account = number % CUSTOMERS + 1
        remote = f"{draws.getrandbits(40):x}"
        yield encode(events.Accepted(
            number, at, "customers", f"account{account}", "EMG", f"467{draws.randrange(10**8):08}", Encoding.GSM7, 70, 1, "operator", "table 17", 3,
            "192.0.2.17", "", b"", TEXT if with_text else b"", False, 45_000, 32_000, "EUR", 17, "467", "24001", account,
        )), False  # fmt: skip
        yield encode(events.Sent(number, at + 0.02, "operator", "operator-1", remote, 1, accepted=at)), False
        yield encode(events.Ended(
            number, at + 3.0, State.DELIVERED, "", "000", "operator", number + 10**9, accepted=at, payer=account
        )), bool(number % 2)  # fmt: skip


def standing(folder: Path) -> dict[str, object]:
    """What the recorder says of itself."""
    try:
        found: dict[str, object] = json.loads((folder / "recorder.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def check(database: Database, messages: int) -> None:
    """A figure counts for nothing when the log is not right."""
    with database.session() as session:
        (count, charged, delivered), = session.execute(
            text("SELECT count(*), sum(price), sum(status = 'delivered') FROM routelog")
        )  # fmt: skip
        accounts = session.execute(text("SELECT sum(charged) FROM account")).scalar()
    if not (count == delivered == messages and charged == accounts == 45_000 * messages):
        raise AssertionError(f"the log is wrong: {count} rows, {delivered} delivered, {charged} and {accounts} charged")
