"""Prints what the routing table costs at 100,000 rows: loading, and lookup with pick. CPU time, no pass or fail.

Run: python tests/bench/routes.py
"""

import random
import time
from collections.abc import Callable

from emg.rules.routes import RouteTable

ROWS = 100_000
LOOKUPS = 200_000
LENGTHS = (2, 3, 4, 5, 6, 7, 8)
LENGTH_SHARES = (0.05, 0.5, 5, 15, 30, 30, 20)
CONNECTORS = [f"op{number}" for number in range(20)]
ACCOUNTS = [f"customer{number}" for number in range(500)]


def one_prefix_a_row(chance: random.Random) -> list[str]:
    """A price-list-like table: prefixes of 2 to 8 digits, a few rows for single accounts, every tenth with failover."""
    rows = []
    for _ in range(ROWS):
        prefix = "".join(chance.choices("123456789", k=chance.choices(LENGTHS, LENGTH_SHARES)[0]))
        account = chance.choice(ACCOUNTS) if chance.random() < 0.2 else ""
        out = ":".join(chance.sample(CONNECTORS, 2 if chance.random() < 0.1 else 1))
        rows.append(f"{prefix},{account},,{out},{chance.choice((10, 20))},{chance.choice((1, 1, 3))},1")
    return rows


def few_prefixes(chance: random.Random) -> list[str]:
    """A retail table: 200 countries, and for each account its own rows."""
    countries = [str(chance.randrange(20, 999)) for _ in range(200)]
    return [
        f"{countries[number % 200]},{ACCOUNTS[number // 200]},,{chance.choice(CONNECTORS)},10,1,1"
        for number in range(ROWS)
    ]


def measure(name: str, rows: list[str], chance: random.Random) -> None:
    """Prints one line for one table."""
    text = "prefix,account,connector_in,connector_out,priority,weight,enabled\n" + "\n".join(rows)
    start = time.process_time()
    table = RouteTable.parse(text, CONNECTORS)
    load = time.process_time() - start
    messages = [
        (chance.choice(rows).split(",")[0] + f"{chance.randrange(10**7):07d}", chance.choice(ACCOUNTS), "in")
        for _ in range(LOOKUPS)
    ]
    usable: Callable[[str], bool] = dict.fromkeys(CONNECTORS, True).__contains__
    spread = seconds_each(table, messages, usable)
    few = seconds_each(table, messages[:2000] * (LOOKUPS // 2000), usable)
    print(
        f"{name}: {table.size} rows loaded in {load:.2f} s, lookup and pick {few * 1e6:.2f} µs"
        f" (2,000 destinations), {spread * 1e6:.2f} µs ({LOOKUPS:,} destinations)"
    )


def seconds_each(table: RouteTable, messages: list[tuple[str, str, str]], usable: Callable[[str], bool]) -> float:
    """CPU time of one lookup with its pick."""
    start = time.process_time()
    for dest, account, connector_in in messages:
        table.lookup(dest, account, connector_in).pick(usable)
    return (time.process_time() - start) / len(messages)


if __name__ == "__main__":
    measure("prefixes of 2 to 8 digits", one_prefix_a_row(random.Random(1)), random.Random(2))
    measure("200 prefixes, 500 accounts", few_prefixes(random.Random(1)), random.Random(2))
