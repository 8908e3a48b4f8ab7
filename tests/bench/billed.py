"""What a message costs when its account, route and price stand in a database, and the recorder writes it into the log meanwhile.

The load is that of tests/bench/message.py. Each run ends when the log has everything, and is looked at: rows, states, and all sums of money.
A first run that nobody looks at warms all up. Run: python -m tests.bench.billed
"""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import text

from emg.db import schema
from emg.db.engine import Database
from tests.bench import message, recorder, stand, tables
from tests.bench.stand import GatewayProcess, Program, Row, cells
from tests.databases import MariaDb
from tests.gateways import incoming, outgoing

TITLE = "CPU a message on a database"
HOW = """\
The load of the first figure: four sessions in, two out, window 50, every message with its report. But the account (post-paid, without a limit), its route and {prices:,} prices
stand in MariaDB, every message is priced and charged, and the recorder writes the log, with all texts, into the same MariaDB (its own defaults: a buffer pool
of 128 MiB, a redo log of 96 MiB, flushed at each commit). The targets are **80 µs** for the gateway and **40 µs** for recorder and mariadbd together, from the first
message until the log is complete. "Log complete after" runs from the last report until its row says so. Five programs shared the cores: the rate that was reached
stands beside. Medians of {runs} runs, the warm-up excluded; after each run the log must have every message as delivered, and the prices in the log, the account's balance,
its ledger and the gateway's own count must be the same sum."""
HEAD = (
    "messages/s", "reached", "reports", "**gateway µs**", "event loop µs", "writer µs", "**recorder + mariadbd µs**", "recorder µs", "mariadbd µs",
    "log complete after s", "log",
)  # fmt: skip
RATES = (4000, 8000)
RUNS = 3
SECONDS = 5.0
WARM_SECONDS = 2.0
PRICES = 10_000
LOG_SECONDS = 120.0
AGREED = "complete, sums agree"


class Cost(NamedTuple):
    """Of one run; microseconds a message."""

    rate: float
    reports: int
    loop: float
    others: float
    recorder: float
    mariadbd: float
    behind: float
    """Seconds from the last report until the log had it."""


class Bench(NamedTuple):
    """What runs."""

    gateway: GatewayProcess
    recorder: Program
    server: MariaDb
    database: Database


@contextlib.contextmanager
def running() -> Iterator[Bench]:
    """Operator, MariaDB, gateway and recorder."""
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        server = MariaDb(*recorder.SERVER)
        stack.callback(server.remove)
        url = server.url()
        database = stack.enter_context(contextlib.closing(Database(url)))
        schema.upgrade(database)
        tables.fill(database, ["46"], tables.prefixes(PRICES))
        address, _ = stack.enter_context(stand.sink(path, 0, *message.DELAY))
        config = (
            f"DATABASE={url}\n"
            + incoming("customers", WINDOWSIZE=stand.WINDOW, INSTANCES=2000)
            + outgoing("operator", address, WINDOWSIZE=stand.WINDOW, INSTANCES=stand.SESSIONS_OUT)
        )
        gateway = stack.enter_context(GatewayProcess(path / "gateway", config))
        program = Program(["recorder", "-c", str(gateway.config_file)], path / "recorder")
        stack.callback(program.kill)
        stand.eventually((gateway.spool_file.parent / "recorder.json").exists, 20.0, "the recorder is up")
        yield Bench(gateway, program, server, database)


def measure(bench: Bench, rate: int, messages: int) -> Cost:
    """One run, until the log is complete."""
    gateway = bench.gateway
    before = used(bench)
    summary = stand.load(gateway.port(), messages=messages, rate=rate, reports=True)
    threads = stand.threads(gateway.pid)
    (last,) = gateway.query("SELECT max(seq) FROM outbox")[0]
    stand.eventually(lambda: position(bench.database) >= last, LOG_SECONDS, "everything is in the log")
    complete = time.time()
    after = (*threads, *used(bench)[2:])
    loop, others, own, servers = ((now - then) * 1e6 / messages for now, then in zip(after, before, strict=True))
    with bench.database.session() as session:
        done = str(session.execute(text("SELECT CAST(max(done) AS CHAR) FROM routelog")).scalar())
    behind = complete - dt.datetime.fromisoformat(done).replace(tzinfo=dt.UTC).timestamp()
    return Cost(summary["rate"], sum(summary["reports"].values()), loop, others, own, servers, behind)


def used(bench: Bench) -> tuple[float, float, float, float]:
    """Seconds of CPU: the gateway's event loop, its other threads, the recorder, the server."""
    return *stand.threads(bench.gateway.pid), stand.cpu(bench.recorder.pid), stand.cpu(bench.server.pid)


def position(database: Database) -> int:
    """How far the log is."""
    with database.session() as session:
        return int(session.execute(text("SELECT coalesce(max(seq), 0) FROM recorder_position")).scalar() or 0)


def judged(bench: Bench, messages: int) -> str:
    """Whether the log has these messages, all that were ever sent, and each sum of money is right."""
    sums = {
        "log": "SELECT sum(price) FROM routelog", "account": "SELECT sum(charged) FROM account", "ledger": "SELECT -sum(amount) FROM ledger",
    }  # fmt: skip
    with bench.database.session() as session:
        rows, delivered = session.execute(
            text("SELECT count(*), coalesce(sum(status = 'delivered'), 0) FROM routelog")
        ).one()
        texts = session.execute(text("SELECT count(*) FROM message_body")).scalar()
        money = {name: int(session.execute(text(query)).scalar() or 0) for name, query in sums.items()}
    money["gateway"] = bench.gateway.query("SELECT sum(charged) FROM balance")[0][0]
    if not rows == delivered == texts == messages:
        return f"**{rows:,} rows, {texts:,} texts, {delivered:,} delivered of {messages:,}**"
    if set(money.values()) != {messages * tables.PRICE}:
        said = ", ".join(f"{name} {amount:,}" for name, amount in money.items())
        return f"**sums differ: {said} instead of {messages * tables.PRICE:,}**"
    return AGREED


def rows(scale: float = 1.0) -> list[Row]:
    """One row a rate."""
    runs = runs_of(scale)
    shown = []
    with running() as bench:
        sent = max(20, int(RATES[-1] * WARM_SECONDS * scale))
        measure(bench, RATES[-1], sent)
        for rate in RATES:
            messages = max(20, int(rate * SECONDS * scale))
            costs, words = [], []
            for _ in range(runs):
                costs.append(measure(bench, rate, messages))
                sent += messages
                words.append(judged(bench, sent))
            shown.append(row(rate, costs, messages, next((each for each in words if each != AGREED), AGREED)))
    return shown


def row(rate: int, costs: list[Cost], messages: int, word: str) -> Row:
    """The medians, one by one; the log's sentence of all runs."""

    def middle(of: Any) -> float:
        return stand.median(of(cost) for cost in costs)

    return cells(
        rate, int(middle(lambda cost: cost.rate)), f"{sum(cost.reports for cost in costs) / (messages * len(costs)):.2%}",
        f"**{middle(lambda cost: cost.loop + cost.others):.1f}**", middle(lambda cost: cost.loop), middle(lambda cost: cost.others),
        f"**{middle(lambda cost: cost.recorder + cost.mariadbd):.1f}**", middle(lambda cost: cost.recorder), middle(lambda cost: cost.mariadbd),
        f"{middle(lambda cost: cost.behind):.1f}", word,
    )  # fmt: skip


def short(rows: list[Row]) -> list[Row]:
    """What has a target, at the highest rate."""
    last = rows[-1]
    at = f"account, route and price in a database, at {last[0]} messages/s ({last[1]} reached)"
    return [
        (f"{at}: gateway's CPU a message", f"{last[3]} µs", "at most 80 µs"),
        ("the same: CPU a message of recorder and mariadbd together", f"{last[6]} µs", "at most 40 µs"),
        (f"the same: the log is {last[10]}, after the last report", f"{last[9]} s", ""),
    ]


def runs_of(scale: float) -> int:
    """How often each rate is run."""
    return RUNS if scale >= 1 else 1


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(prices=PRICES, runs=runs_of(scale))


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
