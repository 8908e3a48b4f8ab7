"""What a message costs: CPU time of the gateway, and of a bare relay at the same rates, driven by the same load client.

From the submit_sm to the customer's answer to his delivery report. Each rate is run three times, gateway and relay in turns; shown are
the medians. A first run that nobody looks at warms both up. Run: python -m tests.bench.message
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import stand
from tests.bench.stand import Program, Row, cells

TITLE = "CPU a message"
HOW = """\
Four sessions in, two out, window 50, every message with its delivery report (0.1 to 0.3 s later): CPU time of the gateway's process
from the submit_sm to the customer's answer to his report, a message. The target is **80 µs**. The event loop and the spool's writer are its two
threads. The relay beside it (`tests/bench/relay.py`) parses, commits in groups, forwards and passes the report back, and does nothing
else; it is the yardstick that the last column is taken from. Load client and simulated operator ran on the same cores.
Medians of {runs} runs, the warm-up excluded."""
HEAD = (
    "messages/s", "reached", "reports", "**gateway µs**", "event loop µs", "writer µs", "load client µs", "operator µs",
    "bare relay µs", "gateway / relay",
)  # fmt: skip
RATES = (4000, 6000, 8000)
RUNS = 3
SECONDS = 5.0
WARM_SECONDS = 2.0
DELAY = ("--report-delay", "0.1-0.3")


class Cost(NamedTuple):
    """Of one run; microseconds a message."""

    rate: float
    reports: int
    total: float
    loop: float
    others: float
    client: float
    operator: float


@contextlib.contextmanager
def relay(path: Path, operator: int) -> Iterator[tuple[int, int]]:
    """A running relay: its port and pid."""
    port = stand.free_port()
    file = path / "relay.db"
    command = [sys.executable, "-m", "tests.bench.relay", str(file), str(port), str(operator)]
    with subprocess.Popen(command, cwd=stand.ROOT) as running:
        try:
            stand.eventually(Path(f"{file}.up").exists, 20.0, "the relay listens")
            yield port, running.pid
        finally:
            running.kill()


def measure(port: int, pid: int, operator: Program, rate: int, seconds: float) -> Cost:
    """One run."""
    messages = max(20, int(rate * seconds))
    before, operator_before = stand.threads(pid), stand.cpu(operator.pid)
    summary = stand.load(port, messages=messages, rate=rate, reports=True)
    after, operator_after = stand.threads(pid), stand.cpu(operator.pid)
    loop, others = ((now - then) * 1e6 / messages for now, then in zip(after, before, strict=True))
    return Cost(
        summary["rate"], sum(summary["reports"].values()), loop + others, loop, others,
        summary["cpu_us_a_message"], (operator_after - operator_before) * 1e6 / messages,
    )  # fmt: skip


def middle(costs: list[Cost]) -> Cost:
    """The medians, one by one; all reports."""
    columns = dict(zip(Cost._fields, zip(*costs, strict=True), strict=True))
    values: dict[str, Any] = {name: stand.median(column) for name, column in columns.items()}
    return Cost(**values | {"reports": sum(columns["reports"])})


def rows(scale: float = 1.0) -> list[Row]:
    """One row a rate."""
    runs = RUNS if scale >= 1 else 1
    shown = []
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        far, ours = stack.enter_context(stand.sink(path, 0, *DELAY))
        other, theirs = stack.enter_context(stand.sink(path, stand.free_port(), *DELAY))
        gateway = stack.enter_context(stand.gateway(path / "gateway", far))
        relay_port, relay_pid = stack.enter_context(relay(path, stand.port_of(other)))
        port, pid = gateway.port(), gateway.pid
        measure(port, pid, ours, RATES[-1], WARM_SECONDS * scale)
        measure(relay_port, relay_pid, theirs, RATES[-1], WARM_SECONDS * scale)
        for rate in RATES:
            costs: list[Cost] = []
            bare: list[Cost] = []
            for _ in range(runs):
                costs.append(measure(port, pid, ours, rate, SECONDS * scale))
                bare.append(measure(relay_port, relay_pid, theirs, rate, SECONDS * scale))
            cost, least = middle(costs), middle(bare)
            sent = max(20, int(rate * SECONDS * scale)) * runs
            shown.append(
                cells(
                    rate, int(cost.rate), f"{cost.reports / sent:.2%}", f"**{cost.total:.1f}**", cost.loop, cost.others,
                    cost.client, cost.operator, least.total, cost.total / max(least.total, 0.1),
                )
            )  # fmt: skip
    return shown


def short(rows: list[Row]) -> list[Row]:
    """What has a target, at the highest rate; and the ratio to the yardstick."""
    last = rows[-1]
    return [
        (f"gateway's CPU a message, at {last[0]} messages/s", f"{last[3]} µs", "at most 80 µs"),
        ("the same as a multiple of a bare relay's", last[-1], ""),
    ]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(runs=RUNS if scale >= 1 else 1)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
