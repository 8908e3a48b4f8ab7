"""How long a change of 100,000 routes and as many prices takes until the gateway decides by it, and how long anybody waits for it meanwhile.

A client sends enquire_link after enquire_link all the while: the longest answer is the event loop's worst stand, with the sending of the answer.
Run: python -m tests.bench.tables
"""

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert, text

from emg.config import hashes
from emg.db import accounts, revisions, schema
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Price, Route
from emg.rules.account_rows import Access
from emg.wire.smpp.pdus import EnquireLink
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb
from tests.gateways import Esme, GatewayProcess, incoming, outgoing

TITLE = "A change of the tables in the database"
HOW = """\
{count:,} routes and as many prices stand in the database. A row is changed, in one transaction with the table's revision, and the gateway told: seconds until
it decides by the new table, which it has read as a whole. The target is **3 s**. Meanwhile a customer sends an enquire_link a millisecond after each answer: the
longest answer, and how many took more than {late:g} ms. Of {rounds} rounds the median of the seconds, the worst answer of all. The first row is the gateway's start."""
HEAD = ("database", "what changed", "swapped after s", "target s", "worst answer ms", "answers over 20 ms")
ROWS = 100_000
ROUNDS = 3
BLOCK = 5000
LATE = 0.02
IDLE_SECONDS = 2.0
TARGET = "3"
PRICE, COST = 10_000, 5000
"""Micro-units; of each row of the price table."""
CHANGES = (("route",), ("price",), ("route", "price"), ("account",))
BOTH = "route and price"


# -- what the database holds


def fill(database: Database, routes: Sequence[str], prices: Sequence[str], connector: str = "operator") -> None:
    """An account `acme` (password `secret`, post-paid without a limit), routes of these prefixes to the connector, prices of those."""
    now = dt.datetime.now(dt.UTC)
    names = {"account": "", "connector_in": "", "updated": now}
    route = {"connector_out": connector, "priority": 10, "weight": 1, "enabled": True}
    price = {
        "connector_out": "", "price": PRICE, "cost": COST, "currency": "EUR", "valid_from": None, "valid_until": None, "refund": "refused",
    }  # fmt: skip
    account = {"name": "acme", "password_hash": hashes.make(b"secret"), "sessions": 2000}
    with database.session() as session:
        accounts.add(session, Actor("bench"), account, [Access("127.0.0.0/8")])
        tables: tuple[tuple[Any, Sequence[str], dict[str, Any]], ...] = ((Route, routes, route), (Price, prices, price))
        for table, prefixes, values in tables:
            for first in range(0, len(prefixes), BLOCK):
                some = prefixes[first : first + BLOCK]
                session.execute(insert(table.__table__), [{"prefix": prefix, **values, **names} for prefix in some])


def prefixes(count: int) -> list[str]:
    """So many of eight digits, all Swedish mobiles."""
    return [str(46700000 + number) for number in range(count)]


# -- who waits


class Watcher:
    """Asks a session all the time whether it is there."""

    def __init__(self, client: Esme) -> None:
        self.worst = 0.0
        self.over = 0
        """Answers that took more than `LATE`."""
        self._client = client
        self._going = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._going:
            began = time.monotonic()
            self._client.request(EnquireLink())
            took = time.monotonic() - began
            self.worst = max(self.worst, took)
            self.over += took > LATE
            self._client.transcript.clear()
            time.sleep(0.001)

    def stop(self) -> "Watcher":
        """What it saw."""
        self._going = False
        self._thread.join()
        return self


class Change(NamedTuple):
    """One change: seconds until it is swapped, seconds of the worst answer, answers that were late."""

    taken: float
    worst: float
    over: int


def change(database: Database, gateway: GatewayProcess, client: Esme, what: Sequence[str], prefix: str) -> Change:
    """Change a row of each table (of `account` the revision alone), tell the gateway, and wait."""
    watcher = Watcher(client)
    try:
        with database.session() as session:
            for subject in what:
                if subject != "account":
                    session.execute(text(f"UPDATE {subject} SET prefix = :prefix WHERE id = 7"), {"prefix": prefix})
                revisions.touch(session, subject)
        began = time.monotonic()
        gateway.control("POST", "/reload")
        taken = time.monotonic() - began
    finally:
        watcher.stop()
    return Change(taken, watcher.worst, watcher.over)


# -- the figure


def measured(name: str, url: str, folder: Path, scale: float) -> list[Row]:
    """One database."""
    count = counted(scale)
    rounds = rounds_of(scale)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(contextlib.closing(Database(url)))
        schema.upgrade(database)
        fill(database, prefixes(count), prefixes(count))
        config = f"DATABASE={url}\n{incoming()}{outgoing('operator', '127.0.0.1:1')}"
        gateway = stack.enter_context(GatewayProcess(folder, config, start=False))
        began = time.monotonic()
        gateway.start()
        shown = [cells(name, "(start of the gateway)", time.monotonic() - began, "", "", "")]
        client = stack.enter_context(contextlib.closing(Esme.bound(gateway.port())))
        idle = Watcher(client)
        time.sleep(IDLE_SECONDS * min(1.0, scale * 10))
        idle.stop()
        shown.append(cells(name, "(nothing)", "", "", idle.worst * 1000, idle.over))
        for what in CHANGES:
            seen = [change(database, gateway, client, what, str(471 + number)) for number in range(rounds)]
            taken, worst, over = zip(*seen, strict=True)
            shown.append(
                cells(
                    name, " and ".join(what), f"**{stand.median(taken):.2f}**", TARGET if what[0] != "account" else "",
                    f"**{max(worst) * 1000:.1f}**", sum(over),
                )
            )  # fmt: skip
        return shown


def rows(scale: float = 1.0) -> list[Row]:
    """Both databases."""
    with stand.folder() as folder:
        shown = measured("SQLite", f"sqlite:///{folder}/emg.db", folder / "one", scale)
        server = MariaDb()
        try:
            return measured("MariaDB", server.url(), folder / "two", scale) + shown
        finally:
            server.remove()


def short(rows: list[Row]) -> list[Row]:
    """Both tables changed at once, on MariaDB."""
    (row,) = (row for row in rows if row[:2] == ("MariaDB", BOTH))
    return [
        ("routes and prices changed in MariaDB: until the gateway decides by them", f"{row[2]} s", f"under {row[3]} s"),
        ("the worst answer to a customer meanwhile", f"{row[4]} ms", ""),
    ]


def counted(scale: float) -> int:
    """Rows of each table."""
    return max(400, round(ROWS * scale))


def rounds_of(scale: float) -> int:
    """How often each change is made."""
    return ROUNDS if scale >= 1 else 1


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=counted(scale), late=LATE * 1000, rounds=rounds_of(scale))


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
