"""What the hourly summary costs: one full hour counted on a MariaDB server, in a day with other hours beside it, and on SQLite.

The server is a private one with the settings below, made by tests/databases.py; rows are made on it. Run: python -m tests.bench.page summary
"""

import datetime as dt
import time
from pathlib import Path

from sqlalchemy import text

from emg.db import partitions, schema, summary
from emg.db.engine import Database
from emg.db.summary import HOUR, Dirty
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb

TITLE = "Hourly summary: one hour of messages counted"
HEAD = ("what", "measured", "target")
MESSAGES = 1_000_000
BESIDE = 2
"""Hours just as full in the same day."""
SQLITE_SHARE = 5
"""SQLite has so much less to count: filling it takes longest, and it is not for such traffic."""
SERVER = ("--innodb-buffer-pool-size=512M",)
MOMENT = dt.datetime(2026, 10, 14, 9, tzinfo=dt.UTC)
ACCOUNTS, CONNECTORS_IN, CONNECTORS_OUT, PREFIXES, STATES = 211, 5, 7, 7, 13
"""Each prime to the others: nearly all combinations occur."""
COLUMNS = (
    "id, received, account, customer_id, connector_in, connector_out, source, dest, encoding, octets, parts, status, sent, done, tries, maybe_sent,"
    " remote_id, error, cause, route, price_row, prefix, network, price, refunded, cost, currency, reference, ip, node"
)
NAMES = {
    "mysql": ("seq FROM seq_1_to_{count}", "CONCAT('{0}', {1})", "{at} + INTERVAL {micro} MICROSECOND"),
    "sqlite": (
        "seq FROM (WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {count}) SELECT seq FROM n)",
        "('{0}' || {1})",
        "strftime('%Y-%m-%d %H:%M:%f', {at}, ({micro} / 1000000.0) || ' seconds') || '000'",
    ),
}


def how(scale: float) -> str:
    """What is done."""
    count = round(MESSAGES * scale)
    return (
        f"{count:,} messages received in one hour, of {ACCOUNTS} accounts, {CONNECTORS_IN} connectors in and {CONNECTORS_OUT} out, {PREFIXES} prefixes; "
        f"{BESIDE} hours of the same day are as full; SQLite has {count // SQLITE_SHARE:,} an hour. Counted twice: the second time, as after a late report, what"
        " was counted is replaced. MariaDB has a buffer pool of 512 MiB and partitions by day; SQLite is the embedded database, in this process."
    )


def rows(scale: float) -> list[Row]:
    """On both databases."""
    count = round(MESSAGES * scale)
    server = MariaDb(*SERVER)
    try:
        found = measured(server.url(), count, server.pid, "MariaDB", "under 10 s")
    finally:
        server.remove()
    with stand.folder() as folder:
        return found + measured(f"sqlite:///{Path(folder) / 'emg.db'}", count // SQLITE_SHARE, 0, "SQLite", "")


def measured(url: str, count: int, pid: int, name: str, target: str) -> list[Row]:
    """Seconds of the first and the second time, and CPU of the server (of this process for SQLite)."""
    database = Database(url)
    schema.upgrade(database)
    partitions.ensure(database, 1, MOMENT.date())
    for number in range(-1, BESIDE):
        fill(database, MOMENT + number * HOUR, count)

    def used() -> float:
        return stand.cpu(pid) if pid else time.process_time()

    found = []
    for turn in ("first", "again"):
        began, before = time.monotonic(), used()
        with database.session() as session:
            groups = summary.count_hour(session, Dirty(MOMENT, 1))
        seconds, cpu = time.monotonic() - began, used() - before
        found.append(cells(f"{name}, {turn}", f"**{seconds:.1f} s**", target))
        found.append(cells(f"{name}, {turn}: CPU", f"{cpu:.1f} s", ""))
    found.append(cells(f"{name}: rows of the summary", f"{groups:,}", ""))
    database.close()
    return found


def fill(database: Database, hour: dt.datetime, count: int) -> None:
    """An hour of messages, evenly spread; two thirds are delivered after some seconds."""
    source, joined, moment = NAMES["sqlite" if database.is_sqlite else "mysql"]
    step = 3_600_000_000 // count
    at = f"'{hour:%Y-%m-%d %H:%M:%S}'"

    def later(micro: str) -> str:
        return moment.format(at=at, micro=micro)

    def named(word: str, modulus: int) -> str:
        return joined.format(word, f"(seq % {modulus})")

    status = f"CASE WHEN seq % {STATES} < 9 THEN 'delivered' WHEN seq % {STATES} < 11 THEN 'sent' ELSE 'failed' END"
    values = (
        f"1000000000000000 + {int(hour.timestamp())} * 10000000 + seq", later(f"(seq - 1) * {step}"), named("account", ACCOUNTS), f"seq % {ACCOUNTS}",
        named("in", CONNECTORS_IN), named("out", CONNECTORS_OUT), "'ACME'", joined.format("4670", "(1000000 + seq)"), "0", "80", "1", status,
        later(f"(seq - 1) * {step} + 90000"), later(f"(seq - 1) * {step} + (seq % 17) * 1000000"), "1", "0", joined.format("r", "seq"), "''", "''",
        "'table 17'", "seq % 50", named("467", PREFIXES), "'24001'", "10000 + seq % 3", "0", "5000", "'EUR'", "''", "'127.0.0.1'", "1",
    )  # fmt: skip
    chosen = f"SELECT {', '.join(values)} FROM (SELECT {source.format(count=count)}) AS numbers"
    with database.session() as session:
        session.execute(
            text(f"INSERT INTO routelog ({COLUMNS}) {chosen}".replace(":%", "\\:%").replace("%H:%M", "%H\\:%M"))
        )
