"""What the portal's pages of messages cost in a big log on MariaDB: searches as people make them, read as whole pages through the application, and an export.

EMG_BENCH_MESSAGES=10000000 makes the log bigger, by so many rows altogether (about 12 s a million). Run: python -m tests.bench.portal_messages
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
from flask import Flask

from emg.config.load import load
from emg.db import schema
from emg.db.engine import Database
from emg.db.messages import Search
from portal.app import create_app
from tests.bench import messages as log
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb
from tests.portal.conftest import CONFIG, PASSWORD, fill
from tests.portal_visitor import Visitor

TITLE = "Pages of messages"
HEAD = ("page", "messages searched", "first ms", "best ms", "**worst of the others, ms**", "indexes, partitions")
MESSAGES = 1_500_000
DAYS = 30
ROUNDS = 7
NUMBER = "46700007919"
TODAY = f"since={log.TODAY:%Y-%m-%d}"
EXPORTED = 50_000


def count(scale: float) -> int:
    """Rows altogether."""
    return int(os.environ.get("EMG_BENCH_MESSAGES") or max(DAYS * log.LEAST, round(MESSAGES * scale)))


def how(scale: float) -> str:
    """What is done."""
    return (
        f"A log of {count(scale):,} messages in {DAYS} days on MariaDB (a buffer pool of 1 GiB, partitions by day). Each page is asked for through the application, as a person"
        f" who is logged in, {ROUNDS} times: the login looked up, the search, the template. No gateway runs. The target of a day's search by number is one second, the first time too."
    )


PAGES = {
    "a day, a number": (f"{TODAY}&number=%2B{NUMBER}", 1, {"number": NUMBER}),
    "a day, a number that is not there": (f"{TODAY}&number=46799999999", 1, {"number": "46799999999"}),
    "a day, beginning of a number": (f"{TODAY}&number=467000079*", 1, {"number": "467000079*"}),
    "a day, the newest": (TODAY, 1, {}),
    "a day, the oldest": (f"{TODAY}&sort=received", 1, {}),
    "a day, an account": (f"{TODAY}&account=account7", 1, {"account": "account7"}),
    "30 days, a number": (f"since={log.TODAY - (DAYS - 1) * log.DAY:%Y-%m-%d}&number={NUMBER}", DAYS, {"number": NUMBER}),
    "operator's id": (f"remote=r{10**15 + 5}", DAYS, {"remote_id": f"r{10**15 + 5}"}),
    "id": (f"id={10**15 + 5}", DAYS, {"id": 10**15 + 5}),
}  # fmt: skip


def rows(scale: float = 1.0) -> list[Row]:
    """One row a page."""
    server = MariaDb(*log.SERVER)
    try:
        with contextlib.closing(Database(server.url())) as database:
            schema.upgrade(database)
            a_day = count(scale) // DAYS
            log.fill(server, database, a_day, DAYS)
            return measured(database, a_day)
    finally:
        server.remove()


def measured(database: Database, a_day: int) -> list[Row]:
    """Of a log that is filled."""
    with stand.folder() as folder, portal(Path(folder), database) as app:
        person = Visitor(app)
        person.log_in("ann", PASSWORD)
        shown = [row(person, database, name, a_day) for name in PAGES]
        shown.append(timed_row(person, "one message", f"/messages/{10**15 + 5}", DAYS * a_day, ""))
        counted = f"/messages?{TODAY}&part=count"
        return [
            *shown,
            timed_row(person, "a day, counted up to 10,000", counted, a_day, ""),
            export(app, person, a_day),
        ]


@contextlib.contextmanager
def portal(folder: Path, database: Database) -> Iterator[Flask]:
    """An application over this database, with people in it."""
    fill(database)
    file = folder / "server.cfg"
    file.write_text(
        CONFIG.format(folder=folder, url=database.url.render_as_string(hide_password=False)), encoding="utf-8"
    )
    file.chmod(0o600)
    yield create_app(load(str(file)), database, b"0" * 32)


def row(person: Visitor, database: Database, name: str, a_day: int) -> Row:
    """One search."""
    query, days, wanted = PAGES[name]
    bounds: dict[str, Any] = (
        {} if "remote_id" in wanted or "id" in wanted else {"since": log.TODAY - (days - 1) * log.DAY}
    )
    explained = log.explained(database, Search(**bounds, **wanted), None)
    return timed_row(person, name, f"/messages?{query}", days * a_day, explained)


def timed_row(person: Visitor, name: str, path: str, searched: int, explained: str) -> Row:
    """A page, `ROUNDS` times."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = person.open(path, htmx="part=" in path)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"
    first, *others = taken
    return cells(name, searched, stand.number(first), min(others), f"**{stand.number(max(others))}**", explained)


def export(app: Flask, person: Visitor, a_day: int) -> Row:
    """A day as CSV: rows a second."""
    page = person.get(f"/messages?{TODAY}")
    began = time.perf_counter()
    person.submit(page, page.form("/messages/export"))
    [job] = app.extensions["exports"]._jobs.values()
    while job.goes_on and job.rows < EXPORTED:
        gevent.sleep(0.02)
    seconds = time.perf_counter() - began
    rate = job.rows / seconds
    assert job.rows, job.fault
    app.extensions["exports"].forget(job)
    return cells(f"export: {rate:,.0f} rows a second", a_day, "", "", "", "")


def short(rows: list[Row]) -> list[Row]:
    """What has a target: the first time, with nothing in any cache of ours."""
    of = {row[0]: row for row in rows}
    name = "a day, a number"
    return [
        (
            f"page of messages in a log of {of['id'][1]}: {name}, the first time",
            f"**{of[name][2]} ms**",
            "under 1,000 ms",
        )
    ]


if __name__ == "__main__":
    stand.print_rows(TITLE, HEAD, rows())
