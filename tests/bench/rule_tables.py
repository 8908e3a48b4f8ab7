"""How long a change of 100,000 routes and as many prices takes until the gateway decides by it, and how long anybody waits for it meanwhile.

Run by hand: `.venv/bin/python -m tests.bench.rule_tables`. A client sends enquire_link after enquire_link all the while: the longest answer is the event
loop's worst stand, with the sending of the answer.
"""

import datetime as dt
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import insert, text

from emg.config import hashes
from emg.db import accounts, revisions, schema
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Price, Route
from emg.rules.account_rows import Access
from emg.wire.smpp.pdus import EnquireLink
from tests.databases import MariaDb
from tests.gateways import Esme, GatewayProcess, incoming, outgoing

ROWS = 100_000
BLOCK = 5000


def fill(database: Database) -> None:
    """An account, and the rows."""
    now = dt.datetime.now(dt.UTC)
    route = {
        "account": "",
        "connector_in": "",
        "connector_out": "operator",
        "priority": 10,
        "weight": 1,
        "enabled": True,
        "updated": now,
    }
    price = {
        "account": "", "connector_in": "", "connector_out": "", "price": 10000, "cost": 5000, "currency": "EUR", "valid_from": None,
        "valid_until": None, "refund": "refused", "updated": now,
    }  # fmt: skip
    with database.session() as session:
        accounts.add(
            session, Actor("bench"), {"name": "acme", "password_hash": hashes.make(b"secret")}, [Access("127.0.0.0/8")]
        )
        for first in range(0, ROWS, BLOCK):
            prefixes = [str(46700000 + number) for number in range(first, first + BLOCK)]
            session.execute(insert(Route.__table__), [{"prefix": prefix, **route} for prefix in prefixes])
            session.execute(insert(Price.__table__), [{"prefix": prefix, **price} for prefix in prefixes])


class Watcher:
    """Asks a session all the time whether it is there."""

    def __init__(self, client: Esme) -> None:
        self.worst = 0.0
        self.over = 0
        """Answers that took more than 20 ms."""
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
            self.over += took > 0.02
            self._client.transcript.clear()
            time.sleep(0.001)

    def stop(self) -> "Watcher":
        """What it saw."""
        self._going = False
        self._thread.join()
        return self


def measure(name: str, url: str, folder: Path) -> None:
    """One database."""
    database = Database(url)
    schema.upgrade(database)
    fill(database)
    gateway = GatewayProcess(folder, f"DATABASE={url}\n{incoming()}{outgoing('operator', '127.0.0.1:1')}", start=False)
    began = time.monotonic()
    gateway.start()
    print(f"{name}: start with {ROWS:,} routes and prices {time.monotonic() - began:.2f} s")
    client = Esme.bound(gateway.port())
    idle = Watcher(client)
    time.sleep(2)
    print(f"{name}: idle, worst answer {idle.stop().worst * 1000:.1f} ms")
    for what in (("route",), ("price",), ("route", "price"), ("account",)):
        watcher = Watcher(client)
        with database.session() as session:
            for subject in what:
                if subject != "account":
                    session.execute(text(f"UPDATE {subject} SET prefix = '47' WHERE id = 7"))
                revisions.touch(session, subject)
        began = time.monotonic()
        gateway.control("POST", "/reload")
        took = time.monotonic() - began
        watcher.stop()
        print(
            f"{name}: {' and '.join(what)} changed: swapped after {took:.2f} s, worst answer {watcher.worst * 1000:.1f} ms, {watcher.over} over 20 ms"
        )
    client.close()
    gateway.stop()
    gateway.close()
    database.close()


def main() -> None:
    """Both databases."""
    with tempfile.TemporaryDirectory(prefix="emg-bench-") as folder:
        measure("SQLite", f"sqlite:///{folder}/emg.db", Path(folder) / "one")
        server = MariaDb()
        try:
            measure("MariaDB", server.url("bench"), Path(folder) / "two")
        finally:
            server.remove()


if __name__ == "__main__":
    main()
