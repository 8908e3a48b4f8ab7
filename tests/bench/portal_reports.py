"""What a year's report of 100 accounts takes, from its hours alone and with its days added up, on SQLite and MariaDB.

Run: python -m tests.bench.page portal_reports
"""

import datetime as dt
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from emg.db import reports, schema
from emg.db.engine import Database
from emg.db.models import HourlySummary, Status
from emg.jobs import summary as job
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb

TITLE = "Reports: a year of 100 accounts"
HOW = """\
{rows:,} rows of the hourly summary: {accounts} accounts, {days} days, a row an account and hour, two states. Each report is asked for {times} times over `emg.db.reports`, as the
portal and the shell do; medians and the longest of the time it took. *Hours*: before the scheduler has added the days up; *days*: after it."""
HEAD = ("what", "hours", "days", "longest, days", "target")
ACCOUNTS, DAYS, TIMES = 100, 365, 5
START: Final = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
BY: Final = (("day",), ("month",), ("account",), ("account", "month"), ("network", "status"))


def how(scale: float) -> str:
    """What is done."""
    days = _days(scale)
    return HOW.format(rows=days * 24 * ACCOUNTS, accounts=ACCOUNTS, days=days, times=TIMES)


def rows(scale: float = 1.0) -> list[Row]:
    """On both databases."""
    server = MariaDb()
    try:
        found = measured(server.url(), "MariaDB", _days(scale))
    finally:
        server.remove()
    with stand.folder() as folder:
        return found + measured(f"sqlite:///{Path(folder) / 'bench.db'}", "SQLite", _days(scale))


def _days(scale: float) -> int:
    return max(3, round(DAYS * scale))


def measured(url: str, kind: str, days: int) -> list[Row]:
    """One row a report, and what it takes to add a day up."""
    database = Database(url)
    try:
        schema.upgrade(database)
        for of_day in hours(days):
            with database.session() as session:
                session.execute(insert(HourlySummary), of_day)
        slow = {by: taken(database, by, days) for by in BY}
        began = time.perf_counter()
        job.sum_days(database, START + dt.timedelta(days=days, hours=2))
        each = (time.perf_counter() - began) / days
        quick = {by: taken(database, by, days) for by in BY}
    finally:
        database.close()
    found = [
        cells(f"{kind}, by {' and '.join(by)}", _ms(statistics.median(slow[by])), _ms(statistics.median(quick[by])), _ms(max(quick[by])), "under 1 s")
        for by in BY
    ]  # fmt: skip
    return [*found, cells(f"{kind}, a day added up", "", _ms(each), "", "")]


def hours(days: int) -> Iterator[list[dict[str, Any]]]:
    """Rows, day by day."""
    for day in range(days):
        yield [
            {
                "hour": START + dt.timedelta(days=day, hours=hour), "account": f"account{account}", "customer_id": account, "connector_in": "customers",
                "connector_out": f"operator{account % 4}", "prefix": "46", "network": "24001", "currency": "EUR",
                "status": Status.DELIVERED if hour % 8 else Status.FAILED, "messages": 100, "parts": 110, "price": 1_000_000, "cost": 400_000,
                "within_10s": 80, "within_60s": 90, "within_600s": 99, "delay_ms": 400_000,
            }
            for hour in range(24) for account in range(ACCOUNTS)
        ]  # fmt: skip


def taken(database: Database, by: Sequence[str], days: int) -> list[float]:
    """Seconds of each try."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        with database.session() as session:
            reports.figures(session, START, START + dt.timedelta(days=days), by, {})
        found.append(time.perf_counter() - began)
    return found


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
