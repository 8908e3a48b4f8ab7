"""What the routing table costs at 100,000 rows: loading, and the lookup with the choice of the connector. CPU time, no pass or fail.

Run: python -m tests.bench.routes
"""

import random
import time
from collections.abc import Callable

from emg.rules.routes import RouteTable
from tests.bench.stand import Row, cells, print_rows

TITLE = "Routing"
HOW = """\
Two tables of {count:,} rows: a price list of prefixes with rows for single accounts and failover, and a retail table with rows for every account. CPU time of
loading it, and of one message's lookup with the choice of the connector, a dictionary saying which of them work; for 2,000 destinations that come again and for
{lookups:,} that don't."""
HEAD = ("table", "rows", "loaded in s", "again: µs a message", "new: µs a message")
ROWS = 100_000
LOOKUPS = 200_000
LENGTHS = (2, 3, 4, 5, 6, 7, 8)
LENGTH_SHARES = (0.05, 0.5, 5, 15, 30, 30, 20)
CONNECTORS = [f"op{number}" for number in range(20)]
ACCOUNTS = [f"customer{number}" for number in range(500)]


def one_prefix_a_row(chance: random.Random, count: int) -> list[str]:
    """A price-list-like table: prefixes of 2 to 8 digits, a few rows for single accounts, every tenth with failover."""
    rows = []
    for _ in range(count):
        prefix = "".join(chance.choices("123456789", k=chance.choices(LENGTHS, LENGTH_SHARES)[0]))
        account = chance.choice(ACCOUNTS) if chance.random() < 0.2 else ""
        out = ":".join(chance.sample(CONNECTORS, 2 if chance.random() < 0.1 else 1))
        rows.append(f"{prefix},{account},,{out},{chance.choice((10, 20))},{chance.choice((1, 1, 3))},1")
    return rows


def few_prefixes(chance: random.Random, count: int) -> list[str]:
    """A retail table: 200 countries, and for each account its own rows."""
    countries = [str(chance.randrange(20, 999)) for _ in range(200)]
    return [
        f"{countries[number % 200]},{ACCOUNTS[number // 200 % 500]},,{chance.choice(CONNECTORS)},10,1,1"
        for number in range(count)
    ]


def measure(name: str, lines: list[str], chance: random.Random, lookups: int) -> Row:
    """One row for one table."""
    text = "prefix,account,connector_in,connector_out,priority,weight,enabled\n" + "\n".join(lines)
    start = time.process_time()
    table = RouteTable.parse(text, CONNECTORS)
    load = time.process_time() - start
    messages = [
        (chance.choice(lines).split(",")[0] + f"{chance.randrange(10**7):07d}", chance.choice(ACCOUNTS), "in")
        for _ in range(lookups)
    ]
    usable: Callable[[str], bool] = dict.fromkeys(CONNECTORS, True).__contains__
    spread = seconds_each(table, messages, usable)
    few = seconds_each(table, messages[:2000] * max(1, lookups // 2000), usable)
    return cells(name, table.size, load, few * 1e6, spread * 1e6)


def seconds_each(table: RouteTable, messages: list[tuple[str, str, str]], usable: Callable[[str], bool]) -> float:
    """CPU time of one lookup, the connector chosen."""
    start = time.process_time()
    for dest, account, connector_in in messages:
        table.pick(dest, account, connector_in, usable)
    return (time.process_time() - start) / len(messages)


def rows(scale: float = 1.0) -> list[Row]:
    """One row a table."""
    count, lookups = max(400, int(ROWS * scale)), max(2000, int(LOOKUPS * scale))
    return [
        measure("prefixes of 2 to 8 digits", one_prefix_a_row(random.Random(1), count), random.Random(2), lookups),
        measure("200 prefixes, 500 accounts", few_prefixes(random.Random(1), count), random.Random(2), lookups),
    ]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(400, int(ROWS * scale)), lookups=max(2000, int(LOOKUPS * scale)))


def main() -> None:
    """Print it."""
    print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
