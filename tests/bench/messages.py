"""What a search in a big message log costs on MariaDB: by number, by beginning of a number, by account, by operator's id, and page after page.

The log has `DAYS` days, each in its partition, on a server of its own. EMG_BENCH_MESSAGES=10000000 makes it bigger, by so many rows altogether
(about 25 s a million). Run: python -m tests.bench.messages
"""

import contextlib
import datetime as dt
import os
import time
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects import mysql

from emg.db import messages, partitions, schema
from emg.db.engine import Database
from emg.db.messages import Search
from emg.db.models import Status
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb

TITLE = "Search in the message log"
HOW = """\
A log of {count:,} messages in {days} days on MariaDB (a buffer pool of 1 GiB, partitions by day) is searched as the shell and the portal search it: at most {limit} rows,
newest first. Milliseconds on the clock, the best and the worst of {rounds} rounds; the worst is mostly the first. "Messages" are those in the range of time that is searched; the last column names the
indexes that the server chose, and in how many partitions it looked. Searches by an id know no time."""
HEAD = ("search", "messages", "found", "best ms", "**worst ms**", "indexes, partitions")
MESSAGES = 1_500_000
DAYS = 10
LEAST = 1000
"""Messages a day."""
TODAY = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SENDERS, RECIPIENTS, ACCOUNTS = 2000, 400_000, 200
ROUNDS = 5
DEEP = 10_000
SERVER = ("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M")
INDEX = "ix_routelog_"
NUMBER, SENDER, PREFIX, NEWEST = "a number, sender or recipient", "a sender", "beginning of a number", "the newest"
FILL = """
INSERT INTO routelog (id, received, account, connector_in, connector_out, source, dest, encoding, octets, parts, status, sent, done, tries,
 maybe_sent, remote_id, error, cause, route, price_row, prefix, network, price, refunded, cost, currency, reference, ip, node)
SELECT {first} + seq, '{day}' + INTERVAL FLOOR(seq * 86400000000 / ({rows} + 1)) MICROSECOND, CONCAT('account', MOD(seq * 7, {accounts})), 'customers', 'operator1',
 IF(MOD(seq, 20), CONCAT('SENDER', MOD(seq * 13, {senders})), CONCAT('467', LPAD(MOD(seq * 104729, {recipients}), 8, '0'))),
 CONCAT('467', LPAD(MOD(seq * 7919, {recipients}), 8, '0')), 1, 60, 1, 'delivered', '{day}', '{day}', 1,
 0, CONCAT('r', {first} + seq), '', '', 'table 17', 3, '467', '24001', 3250, 0, 2000, 'EUR', '', '192.0.2.1', 0
FROM seq_1_to_{rows}
"""


def fill(server: MariaDb, database: Database, rows: int, days: int = DAYS) -> None:
    """A day after the other, so that each lies in its partition; `rows` a day."""
    first = TODAY - (days - 1) * DAY
    partitions.ensure(database, days + 1, first.date())
    for number in range(days):
        values = {"first": 10**15 + number * rows, "day": f"{first + number * DAY:%Y-%m-%d}", "rows": rows}
        shape = {"accounts": ACCOUNTS, "senders": SENDERS, "recipients": RECIPIENTS}
        server.execute("SET unique_checks = 0", FILL.format(**values, **shape), database=str(database.url.database))
    server.execute("ANALYZE TABLE routelog", database=str(database.url.database))


def searches() -> dict[str, Search]:
    """Of the last day, if they say nothing else."""
    return {
        NUMBER: last_day(number="46700007919"),
        "a number that is not there": last_day(number="46799999999"),
        "a recipient": last_day(dest="46700007919"),
        SENDER: last_day(source="SENDER13"),
        f"{PREFIX} (467000079…)": last_day(number="467000079*"),
        f"{PREFIX}, of all (46…)": last_day(number="46*"),
        "an account": last_day(account="account7"),
        "an account's failed ones (none)": last_day(account="account7", statuses=(Status.FAILED,)),
        "failed ones (none)": last_day(statuses=(Status.FAILED,)),
        NEWEST: last_day(),
        f"{NUMBER}, all days": Search(number="46700007919", since=TODAY - (DAYS - 1) * DAY, until=TODAY + DAY),
        "operator's id": Search(remote_id=f"r{10**15 + 5}"),
        "id": Search(id=10**15 + 5),
    }


def last_day(**wanted: Any) -> Search:
    """In the last day alone."""
    return Search(since=TODAY, until=TODAY + DAY, **wanted)


def rows(scale: float = 1.0) -> list[Row]:
    """One row a search."""
    a_day = per_day(scale)
    server = MariaDb(*SERVER)
    try:
        with contextlib.closing(Database(server.url())) as database:
            schema.upgrade(database)
            fill(server, database, a_day)
            timed(database, Search(id=1), None)  # the program's own first time
            shown = [row(database, name, search, a_day) for name, search in searches().items()]
            with database.session() as session:
                after = messages.place(messages.page(session, searches()[NEWEST], DEEP)[-1])
            return [*shown, row(database, f"the page behind the first {DEEP:,}", searches()[NEWEST], a_day, after)]
    finally:
        server.remove()


def row(database: Database, name: str, search: Search, a_day: int, after: messages.After | None = None) -> Row:
    """One search."""
    days = DAYS if search.since is None or search.until is None else (search.until - search.since).days
    seconds, count = timed(database, search, after)
    best, worst = min(seconds) * 1000, max(seconds) * 1000
    return cells(name, days * a_day, count, best, f"**{stand.number(worst)}**", explained(database, search, after))


def timed(database: Database, search: Search, after: messages.After | None) -> tuple[list[float], int]:
    """(seconds of each round, rows found)."""
    seconds, count = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with database.session() as session:
            count = len(messages.page(session, search, messages.LIMIT, after))
        seconds.append(time.perf_counter() - began)
    return seconds, count


def explained(database: Database, search: Search, after: messages.After | None) -> str:
    """Index of each statement of a search, and the most partitions."""
    indexes: dict[str, None] = {}
    most = 0
    with database.session() as session:
        for statement in messages.statements(session, search, messages.LIMIT, after):
            words = statement.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})
            plan = session.execute(text(f"EXPLAIN PARTITIONS {words}".replace(":", "\\:"))).mappings().one()
            indexes[str(plan["key"]).removeprefix(INDEX)] = None
            most = max(most, len(plan["partitions"].split(",")) if plan["partitions"] else 0)
    return f"{' + '.join(indexes)}, {most}"


def short(rows: list[Row]) -> list[Row]:
    """The searches that people make most."""
    of = {row[0]: row for row in rows}
    return [
        (f"search in a log of {of['id'][1]} messages, a number in a day, at worst", f"{of[NUMBER][4]} ms", ""),
        ("the same in all days, at worst", f"{of[f'{NUMBER}, all days'][4]} ms", ""),
    ]


def per_day(scale: float) -> int:
    """Messages of each day; what the environment says goes before the scale."""
    asked = os.environ.get("EMG_BENCH_MESSAGES")
    return max(LEAST, round(int(asked) if asked else MESSAGES * scale) // DAYS)


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=per_day(scale) * DAYS, days=DAYS, limit=messages.LIMIT, rounds=ROUNDS)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
