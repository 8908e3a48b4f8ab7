"""What a search in the message log costs on MariaDB: python -m tests.bench.messages [--days 10] [--rows 1000000]

Makes a log of so many days, `--rows` messages each, on a server of its own, and searches the last day by number, by beginning of a number, by account,
by operator's id, and page after page. Prints the best and the worst time of each search, how many partitions it looked at, and by which index.
"""

import argparse
import datetime as dt
import time

from sqlalchemy import text
from sqlalchemy.dialects import mysql

from emg.db import messages, partitions, schema
from emg.db.engine import Database
from emg.db.messages import Search
from emg.db.models import Status
from tests.databases import MariaDb

DAY = dt.timedelta(days=1)
SENDERS, RECIPIENTS, ACCOUNTS = 2000, 400_000, 200
ROUNDS = 5
FILL = """
INSERT INTO routelog (id, received, account, connector_in, connector_out, source, dest, encoding, octets, parts, status, sent, done, tries,
 maybe_sent, remote_id, error, cause, route, price_row, prefix, network, price, refunded, cost, currency, reference, ip, node)
SELECT {first} + seq, '{day}' + INTERVAL FLOOR(seq * 86400000000 / {rows}) MICROSECOND, CONCAT('account', MOD(seq * 7, {accounts})), 'customers', 'operator1',
 IF(MOD(seq, 20), CONCAT('SENDER', MOD(seq * 13, {senders})), CONCAT('467', LPAD(MOD(seq * 104729, {recipients}), 8, '0'))),
 CONCAT('467', LPAD(MOD(seq * 7919, {recipients}), 8, '0')), 1, 60, 1, 'delivered', '{day}', '{day}', 1,
 0, CONCAT('r', {first} + seq), '', '', 'table 17', 3, '467', '24001', 3250, 0, 2000, 'EUR', '', '192.0.2.1', 0
FROM seq_1_to_{rows}
"""


def main() -> None:
    """Fill, search, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1_000_000, help="a day")
    arguments = parser.parse_args()
    server = MariaDb("--innodb-buffer-pool-size=2G", "--innodb-log-file-size=512M")
    try:
        database = Database(server.url("bench"))
        schema.upgrade(database)
        today = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
        fill(server, database, today, arguments.days, arguments.rows)
        measure(database, today, arguments.days)
        database.close()
    finally:
        server.remove()


def fill(server: MariaDb, database: Database, today: dt.datetime, days: int, rows: int) -> None:
    """A day after the other, so that each lies in its partition."""
    began = time.monotonic()
    first = today - (days - 1) * DAY
    partitions.ensure(database, days + 1, first.date())
    for number in range(days):
        day = f"{first + number * DAY:%Y-%m-%d}"
        values = {"first": 10**15 + number * rows, "day": day, "rows": rows}
        shape = {"accounts": ACCOUNTS, "senders": SENDERS, "recipients": RECIPIENTS}
        server.execute("SET unique_checks = 0", FILL.format(**values, **shape), database="bench")
    server.execute("ANALYZE TABLE routelog", database="bench")
    print(f"{days * rows:,} rows in {days} days, made in {time.monotonic() - began:.0f} s")


def measure(database: Database, today: dt.datetime, days: int) -> None:
    """Each search of the last day (or of all), best and worst of some rounds."""
    span = {"since": today, "until": today + DAY}
    whole = {"since": today - (days - 1) * DAY, "until": today + DAY}
    searches = {
        "a number, sender or recipient": Search(number="46700007919", **span),
        "a number that is not there": Search(number="46799999999", **span),
        "a recipient": Search(dest="46700007919", **span),
        "a sender": Search(source="SENDER13", **span),
        "beginning of a number (467000079*)": Search(number="467000079*", **span),
        "beginning of all numbers (46*)": Search(number="46*", **span),
        "an account": Search(account="account7", **span),
        "an account's failed ones (none)": Search(account="account7", statuses=(Status.FAILED,), **span),
        "failed ones (none)": Search(statuses=(Status.FAILED,), **span),
        "the newest": Search(**span),
        "a number, all days": Search(number="46700007919", **whole),
        "operator's id, all days": Search(remote_id=f"r{10**15 + 5}"),
        "id, all days": Search(id=10**15 + 5),
    }  # fmt: skip
    for name, search in searches.items():
        seconds, count = timed(database, search)
        print(
            f"{name:36} {count:5} rows  {min(seconds) * 1000:8.1f} to {max(seconds) * 1000:8.1f} ms   {explained(database, search)}"
        )
    with database.session() as session:
        after = messages.place(messages.page(session, Search(**span), 10_000)[-1])
    seconds, count = timed(database, Search(**span), after)
    print(
        f"{'the page behind the first 10,000':36} {count:5} rows  {min(seconds) * 1000:8.1f} to {max(seconds) * 1000:8.1f} ms"
    )


def timed(database: Database, search: Search, after: messages.After | None = None) -> tuple[list[float], int]:
    """(seconds of each round, rows found)."""
    seconds, count = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with database.session() as session:
            count = len(messages.page(session, search, messages.LIMIT, after))
        seconds.append(time.perf_counter() - began)
    return seconds, count


def explained(database: Database, search: Search) -> str:
    """Index and partitions of each statement of a search."""
    told = []
    with database.session() as session:
        for statement in messages.statements(session, search, messages.LIMIT):
            words = statement.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})
            row = session.execute(text(f"EXPLAIN PARTITIONS {words}".replace(":", "\\:"))).mappings().one()
            cut = len(row["partitions"].split(",")) if row["partitions"] else 0
            told.append(f"{row['type']} by {row['key']} in {cut} partition(s)")
    return "; ".join(told)


if __name__ == "__main__":
    main()
