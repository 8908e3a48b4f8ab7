"""What the price table and the numbering table cost at 100,000 rows: loading, and one lookup. CPU time, no pass or fail.

Run: python -m tests.bench.prices
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from emg.rules.numbering import Numbering
from emg.rules.prices import PriceTable
from tests.bench.routes import ACCOUNTS, CONNECTORS, LENGTH_SHARES, LENGTHS
from tests.bench.stand import Row, cells, print_rows

TITLE = "Prices and numbering"
HOW = """\
Tables of {count:,} rows: price lists of prefixes with rows for single accounts and sending connectors; price lists of 200 countries for every account, one
in ten of them with the price of the year before; and a numbering plan. CPU time of loading from CSV, and of one lookup, for 2,000 destinations that come again
and for {lookups:,} that don't."""
HEAD = ("table", "rows", "loaded in s", "again: µs a message", "new: µs a message")
ROWS = 100_000
LOOKUPS = 200_000
NOW = 1_800_000_000.0
BATCH = 100

Message = tuple[str, str]
"""(dest, account)."""


def prefixes(chance: random.Random, count: int) -> list[str]:
    """So many different ones, of 2 to 8 digits."""
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices("123456789", k=chance.choices(LENGTHS, LENGTH_SHARES)[0]))] = None
    return list(found)


def by_prefix(chance: random.Random, count: int) -> list[str]:
    """Every fifth row for an account, every tenth for a sending connector."""
    rows = []
    for prefix in prefixes(chance, count):
        account = chance.choice(ACCOUNTS) if chance.random() < 0.2 else ""
        out = chance.choice(CONNECTORS) if chance.random() < 0.1 else ""
        rows.append(f"{prefix},{account},,{out},0.0{chance.randrange(100):02},0.0{chance.randrange(50):02},EUR,")
    return rows


def by_account(chance: random.Random, count: int) -> list[str]:
    """For each account its own list."""
    countries = prefixes(chance, 200)
    return [
        f"{countries[number % 200]},{ACCOUNTS[number // 200 % 500]},,,0.0{chance.randrange(100):02},0.01,EUR,"
        for number in range(count * 10 // 11)
    ] + [
        f"{countries[number % 200]},{ACCOUNTS[number // 200 % 500]},,,0.05,0.01,EUR,2026-01-01"
        for number in range(count - count * 10 // 11)
    ]


def networks(chance: random.Random, count: int) -> list[str]:
    """A numbering plan."""
    return [f"{prefix},SE,Network {number % 900},240,{number % 90 + 10}" for number, prefix in enumerate(prefixes(chance, count))]  # fmt: skip


def measure(name: str, head: str, lines: list[str], load: Callable[[str], Any], lookups: int) -> Row:
    """One row for one table."""
    text = head + "\n" + "\n".join(lines)
    start = time.process_time()
    table = load(text)
    loaded = time.process_time() - start
    chance = random.Random(2)
    messages = [
        (chance.choice(lines).split(",")[0] + f"{chance.randrange(10**7):07d}", chance.choice(ACCOUNTS))
        for _ in range(lookups)
    ]
    seconds = numbered if isinstance(table, Numbering) else priced
    few = seconds(table, messages[:2000] * max(1, lookups // 2000))
    return cells(name, table.size, loaded, few * 1e6, seconds(table, messages) * 1e6)


def priced(table: PriceTable, messages: list[Message]) -> float:
    """CPU time of one lookup."""
    taken = 0.0
    for some in batches(messages):
        start = time.process_time()
        for dest, account in some:
            table.lookup(dest, account, "in", "op3", "EUR", NOW)
        taken += time.process_time() - start
    return taken / len(messages)


def numbered(table: Numbering, messages: list[Message]) -> float:
    """CPU time of one lookup."""
    taken = 0.0
    for some in batches(messages):
        start = time.process_time()
        for dest, _account in some:
            table.lookup(dest)
        taken += time.process_time() - start
    return taken / len(messages)


def batches(messages: list[Message]) -> Iterator[list[Message]]:
    """Messages as they come off the wire: their own text is near, and only the table is far."""
    for first in range(0, len(messages), BATCH):
        yield [(dest[:3] + dest[3:], account) for dest, account in messages[first : first + BATCH]]


def rows(scale: float = 1.0) -> list[Row]:
    """One row a table."""
    count, lookups = max(400, int(ROWS * scale)), max(2000, int(LOOKUPS * scale))
    price_head, network_head = (
        "prefix,account,connector_in,connector_out,price,cost,currency,valid_from",
        "prefix,country,name,mcc,mnc",
    )
    return [
        measure("prices: prefixes of 2 to 8 digits", price_head, by_prefix(random.Random(1), count), PriceTable.parse, lookups),
        measure("prices: 200 prefixes, 500 accounts", price_head, by_account(random.Random(1), count), PriceTable.parse, lookups),
        measure("numbering: prefixes of 2 to 8 digits", network_head, networks(random.Random(1), count), Numbering.parse, lookups),
    ]  # fmt: skip


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(400, int(ROWS * scale)), lookups=max(2000, int(LOOKUPS * scale)))


def main() -> None:
    """Print it."""
    print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
