"""What a load run shows: a bar on a terminal, a line every few seconds elsewhere, and the table at the end."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import gevent

from emg.tools.esme import LoadRun

BAR_SECONDS: Final = 0.25
LINE_SECONDS: Final = 5.0


@contextlib.contextmanager
def shown(run: LoadRun, messages: float, *, quiet: bool) -> Iterator[None]:
    """Show the run's progress on standard error while the body runs."""
    if quiet:
        yield
        return
    with _bar(run, messages) if sys.stderr.isatty() else _lines(run):
        yield


@contextlib.contextmanager
def _repeating(seconds: float, show: Callable[[], None]) -> Iterator[None]:
    def repeat() -> None:
        while True:
            gevent.sleep(seconds)
            show()

    greenlet = gevent.spawn(repeat)
    try:
        yield
    finally:
        greenlet.kill()


@contextlib.contextmanager
def _lines(run: LoadRun) -> Iterator[None]:
    before = [time.monotonic(), 0.0]

    def show() -> None:
        now, acked = time.monotonic(), run.counts["acked"]
        rate = (acked - before[1]) / (now - before[0])
        before[:] = [now, acked]
        print(f"{_state(run)}, {rate:.0f}/s", file=sys.stderr, flush=True)

    with _repeating(LINE_SECONDS, show):
        yield


@contextlib.contextmanager
def _bar(run: LoadRun, messages: float) -> Iterator[None]:
    # rich takes a tenth of a second to import: only a terminal pays for it
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeElapsedColumn(),
    )
    # its own refreshing would be a native thread
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("", total=None if messages == math.inf else messages, rate=0.0)
        before = [time.monotonic(), 0.0]

        def show() -> None:
            now, acked = time.monotonic(), run.counts["acked"]
            rate = (acked - before[1]) / max(now - before[0], 1e-9)
            before[:] = [now, acked]
            done = acked + run.counts["refused"] + run.counts["unknown"]
            bar.update(task, completed=done, description=_state(run), rate=rate, refresh=True)

        with _repeating(BAR_SECONDS, show):
            yield
        show()


def _state(run: LoadRun) -> str:
    counts = run.counts
    text = f"{counts['submitted']} sent, {counts['acked']} acknowledged"
    for name in ("refused", "unknown", "reports"):
        if counts[name]:
            text += f", {counts[name]} {name}"
    return text


def table(summary: dict[str, Any]) -> str:
    """A run's summary for people."""
    head = f"{summary['submitted']} sent, {summary['acked']} acknowledged in {summary['seconds']:.2f} s: {summary['rate']:.0f}/s"
    lines = [f"{head} (this client: {summary['cpu_us_a_message']:.1f} µs CPU a message)"]
    for name, key in (("acknowledgements", "ack_ms"), ("reports", "report_ms")):
        times = summary[key]
        if times["count"]:
            shown_times = "  ".join(f"{each} {value:.2f}" for each, value in times.items() if each != "count")
            lines.append(f"{name:17} {times['count']:9}  ms: {shown_times}")
    for name, key in (("refused", "refused"), ("reported", "reports")):
        if summary[key]:
            lines.append(f"{name:17} " + ", ".join(f"{each} {count}" for each, count in summary[key].items()))
    others = ("unknown", "reports_missing", "reports_unmatched", "mo", "reconnects")
    lines += [f"{name.replace('_', ' '):17} {summary[name]:9}" for name in others if summary[name]]
    lines += [f"fault: {fault}" for fault in dict.fromkeys(summary["faults"])]
    return "\n".join(lines)
