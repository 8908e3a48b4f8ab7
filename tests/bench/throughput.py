"""How many messages a second go through end to end, and how long an acknowledgement takes at that rate.

Steps of 1,000 from 8,000 up, until a rate is not kept up any more; then down again in runs that last longer, until one is. *Kept up* means: 98 % of
the rate was reached, every report came back, and 99 % of them came within a second. Run: python -m tests.bench.throughput
"""

import contextlib
from typing import Any

from tests.bench import stand
from tests.bench.stand import Row, cells

TITLE = "Messages a second, end to end"
HOW = """\
Load client, gateway and simulated operator on the same cores; four sessions in, two out, window 50, every message with its delivery report
after 0.1 to 0.3 s. The rate goes up by 1,000 until it is not kept up: 98 % of it reached, every report back, 99 % of them within a
second of their submit_sm. From the highest one that was it goes down again, in
runs of {seconds:g} s, until one is kept up. The targets are **8,000 messages/s**
and a **99th percentile of the acknowledgement under 50 ms**. The last row has no limit but the windows."""
HEAD = (
    "messages/s", "reached", "seconds", "kept up", "reports back", "ack p50 ms", "ack p99 ms", "ack max ms", "report p99 ms",
    "gateway's use of a core",
)  # fmt: skip
FIRST, STEP, LAST = 8000, 1000, 20_000
SECONDS, LONG_SECONDS = 5.0, 10.0
DELAY = ("--report-delay", "0.1-0.3")
KEPT_UP_SHARE = 0.98
KEPT_UP_REPORT_MS = 1000.0


def run(port: int, pid: int, rate: int, messages: int) -> tuple[bool, Row]:
    """One run: whether the rate was kept up, and its row."""
    before = stand.cpu(pid)
    summary = stand.load(port, messages=messages, rate=rate, reports=True, report_wait="10s")
    used = stand.cpu(pid) - before
    kept_up = bool(rate) and keeps_up(summary, rate)
    acks, told = summary["ack_ms"], sum(summary["reports"].values())
    busy = used / max(summary["seconds"], 0.001)
    return kept_up, cells(
        rate or "no limit", int(summary["rate"]), summary["seconds"], "yes" if kept_up else "no" if rate else "",
        f"{told / messages:.2%}", acks["p50"], acks["p99"], acks["max"], summary["report_ms"]["p99"], f"{busy:.0%}",
    )  # fmt: skip


def keeps_up(summary: dict[str, Any], rate: int) -> bool:
    """The run was as fast as it was meant to be, and nothing piled up behind it."""
    return (
        summary["rate"] >= KEPT_UP_SHARE * rate
        and not summary["reports_missing"]
        and summary["report_ms"]["p99"] < KEPT_UP_REPORT_MS
    )


def rows(scale: float = 1.0) -> list[Row]:
    """One row a step, one for the long run, one without a limit."""
    shown = []
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path, 0, *DELAY))
        gateway = stack.enter_context(stand.gateway(path / "gateway", address))
        port, pid = gateway.port(), gateway.pid
        run(port, pid, FIRST, max(20, int(FIRST * SECONDS * scale / 2)))
        best = FIRST
        for rate in range(FIRST, LAST if scale >= 1 else FIRST + 1, STEP):
            kept_up, row = run(port, pid, rate, max(20, int(rate * SECONDS * scale)))
            shown.append(row)
            if not kept_up:
                break
            best = rate
        kept_up = False
        while not kept_up and best >= STEP:
            kept_up, row = run(port, pid, best, max(20, int(best * LONG_SECONDS * scale)))
            shown.append(row)
            best -= STEP if scale >= 1 else best
        shown.append(run(port, pid, 0, max(20, int(FIRST * SECONDS * scale)))[1])
    return shown


def short(rows: list[Row]) -> list[Row]:
    """What has a target."""
    first, longest = rows[0], rows[-2]
    kept_up = "" if longest[3] == "yes" else " (not kept up)"
    return [
        (
            "messages a second, each with its report, load tools on the same cores",
            f"**{longest[1]}**{kept_up}",
            "8,000",
        ),
        (f"acknowledgement at {first[0]} messages/s, 99th percentile", f"**{first[6]} ms**", "under 50 ms"),
    ]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(seconds=LONG_SECONDS)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
