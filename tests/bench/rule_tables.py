"""What it takes to bring 100,000 routes or prices into the database and out of it again, on SQLite and on MariaDB. No pass or fail.

Run: python -m tests.bench.rule_tables
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Base
from emg.db.prices import PRICES
from emg.db.routes import ROUTES
from emg.db.rule_table import RuleTable
from emg.rules.price_rows import parse_prices
from emg.rules.route_rows import parse_routes
from tests.bench import prices, routes
from tests.bench.stand import Row, cells, folder, print_rows
from tests.databases import MariaDb

TITLE = "Rules in the database"
HOW = """\
Tables of {count:,} rows, imported into an empty table, then with every row changed, then with nothing changed; read; and exported as CSV. Seconds on the clock of one
import, its transaction's end included. The database runs on the same machine."""
HEAD = ("table", "rows", "first import", "all changed", "nothing changed", "read", "exported")
ROWS = 100_000
WHO = Actor("shell:bench")


@contextlib.contextmanager
def databases() -> Iterator[dict[str, Database]]:
    """An empty one of each kind."""
    with folder() as place, contextlib.closing(_Server()) as server:
        urls = {"SQLite": f"sqlite:///{place}/emg.db", "MariaDB": server.url}
        made = {name: Database(url) for name, url in urls.items()}
        for database in made.values():
            Base.metadata.create_all(database.engine)
        yield made
        for database in made.values():
            database.close()


class _Server:
    def __init__(self) -> None:
        self._server = MariaDb()
        self._server.start()
        self.url = self._server.url()

    def close(self) -> None:
        self._server.stop()
        self._server.remove()


def measure(kind: str, database: Database, table: RuleTable[Any], first: list[Any], second: list[Any]) -> Row:
    """One row."""

    def imported(rows: list[Any]) -> None:
        with database.session() as session:
            table.replace(session, WHO, rows)

    def read(how: Callable[[Any], Any]) -> None:
        with database.session() as session:
            how(session)

    taken = [seconds(imported, rows) for rows in (first, second, second)]
    taken += [seconds(read, table.load), seconds(read, table.export)]
    return (f"{table.subject}, {kind}", *cells("", len(first), *taken)[1:])


def seconds(do: Callable[[Any], None], argument: Any) -> float:
    """On the clock."""
    start = time.monotonic()
    do(argument)
    return time.monotonic() - start


def rows(scale: float = 1.0) -> list[Row]:
    """One row a table and database."""
    count = max(400, int(ROWS * scale))
    lines = prices.by_prefix(random.Random(1), count)
    head = "prefix,account,connector_in,connector_out,price,cost,currency\n"
    first = parse_prices(head + "\n".join(line.rstrip(",") for line in lines))
    second = parse_prices(head + "\n".join(line.rstrip(",").replace(",0.0", ",0.1") for line in lines))
    head = "prefix,account,connector_in,connector_out,priority,weight,enabled\n"
    lines = list(dict.fromkeys(routes.one_prefix_a_row(random.Random(1), count)))
    ways = parse_routes(head + "\n".join(lines), routes.CONNECTORS)
    others = parse_routes(head + "\n".join(line[:-1] + "0" for line in lines), routes.CONNECTORS)
    with databases() as both:
        return [
            measure(kind, database, table, before, after)
            for kind, database in both.items()
            for table, before, after in ((ROUTES, ways, others), (PRICES, first, second))
        ]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(400, int(ROWS * scale)))


def main() -> None:
    """Print it."""
    print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
