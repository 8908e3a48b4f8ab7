"""Measures everything and writes `docs/performance.md`: the machine, the date, the command, and one table a figure.

Nothing on the page is typed: text and tables come from the modules beside this one, each of which has TITLE, HOW (by `how`), HEAD and
`rows(scale)`; `scale` makes the counts smaller, for tests. Prints progress, and each figure as soon as it is there. Judges nothing:
a figure beyond its target stands there like any other. Run: python -m tests.bench.page [NAME …]; with names it prints those and writes nothing.
"""

import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent

from tests.bench import (
    billed,
    codec,
    idle,
    logins,
    message,
    messages,
    open_reports,
    portal_messages,
    portal_pages,
    portal_reports,
    prices,
    queued,
    recorder,
    routes,
    rule_tables,
    stand,
    summary,
    tables,
    text,
    throughput,
    window,
)
from tests.bench.stand import ROOT, Row

FIGURES: tuple[Any, ...] = (
    message,
    billed,
    throughput,
    window,
    queued,
    open_reports,
    idle,
    logins,
    codec,
    routes,
    prices,
    rule_tables,
    tables,
    recorder,
    summary,
    messages,
    portal_messages,
    portal_pages,
    portal_reports,
    text,
)
PAGE = ROOT / "docs" / "performance.md"
COMMAND = "make bench"
BUSY_SHARE = 0.05
"""Above it the page says that the machine had other things to do."""


def name_of(figure: Any) -> str:
    """What a figure is called on the command line."""
    return str(figure.__name__).rpartition(".")[2]


def table(head: Row, rows: Sequence[Row]) -> str:
    """A table in Markdown; every column but the first stands to the right."""
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# -- the machine


def busy_seconds() -> tuple[float, float]:
    """Seconds of CPU used since the start of the machine, by everybody; and by this program and those it started."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields[:8])
    mine = os.times()
    everybody = (user + nice + system + irq + softirq + steal) / stand.TICK
    return everybody, mine.user + mine.system + mine.children_user + mine.children_system


def machine(taken: float, others: float) -> list[Row]:
    """Where and when it was measured, and what else the machine did: `others` is the share of its cores that other programs used."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("CPU", models[0] if models else platform.machine()),
        ("cores", str(os.cpu_count())),
        ("memory", f"{memory:.0f} GiB"),
        ("disk of the spool", disk()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_version()}, gevent {gevent.__version__}, SQLite {sqlite3.sqlite_version}"),
        ("revision", revision()),
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("command", f"`{COMMAND}`, {taken / 60:.0f} minutes"),
        ("other programs", f"used {others:.1%} of the cores meanwhile" + (" **(not a quiet machine)**" * (others > BUSY_SHARE))),
    ]  # fmt: skip


def disk() -> str:
    """The kind of the file system that the project stands on."""
    longest: tuple[int, str] = (0, "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, point, kind, *_ = line.split()
        if ROOT.is_relative_to(point):
            longest = max(longest, (len(point), kind))
    return longest[1]


def revision() -> str:
    """What git calls this state of the code."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


# -- the page


def short(figure: Any, rows: list[Row]) -> list[Row]:
    """Of a figure, what has a target: (what, measured, target)."""
    if hasattr(figure, "short"):
        return list(figure.short(rows))
    if figure.HEAD == ("what", "measured", "target"):
        return [(f"{figure.TITLE}: {row[0]}", *row[1:]) for row in rows if "**" in row[1] and row[2]]
    return []


def page(measured: Sequence[tuple[Any, list[Row]]], about: list[Row], scale: float) -> str:
    """The whole page."""
    targets = [row for figure, rows in measured for row in short(figure, rows)]
    parts = [
        "# Performance",
        f"<!-- Written by `{COMMAND}`; change tests/bench. -->",
        "What things cost, from CPU time of the processes and memory that they have resident. The figures are what was measured, met or not.",
        table(("machine", ""), about).replace("---:", "---"),
        "## In short",
        table(("what", "measured", "target"), targets),
    ]
    for figure, rows in measured:
        parts += [f"## {figure.TITLE}", figure.how(scale), table(figure.HEAD, rows)]
    return "\n\n".join(parts) + "\n"


def measure(figures: Sequence[Any], scale: float) -> list[tuple[Any, list[Row]]]:
    """All figures, each printed as soon as it is there."""
    measured = []
    for count, figure in enumerate(figures, 1):
        print(f"\n[{count}/{len(figures)}] {figure.TITLE} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        rows = figure.rows(scale)
        stand.print_rows(figure.TITLE, figure.HEAD, rows)
        print(f"({time.monotonic() - began:.0f} s)", flush=True)
        measured.append((figure, rows))
    return measured


def write(path: Path, figures: Sequence[Any] = FIGURES, scale: float = 1.0) -> None:
    """Measure these and write the page."""
    began, before = time.monotonic(), busy_seconds()
    measured = measure(figures, scale)
    taken, after = time.monotonic() - began, busy_seconds()
    everybody, ours = (now - then for now, then in zip(after, before, strict=True))
    others = max(0.0, everybody - ours) / (taken * (os.cpu_count() or 1))
    path.write_text(page(measured, machine(taken, others), scale), encoding="utf-8")


def main(names: Sequence[str]) -> int:
    """The exit code: 5 for a name that no figure has."""
    known = {name_of(figure): figure for figure in FIGURES}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"bench: no figure is called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 5
    if names:
        measure([known[name] for name in names], 1.0)
    else:
        write(PAGE)
        print(f"\n{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
