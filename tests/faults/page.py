"""The figures of the faults as a page: `docs/faults.md`, written by a run of the tests (`make faults`), never by hand."""

import dataclasses
import os
import time
from pathlib import Path

from tests.bench import page as bench
from tests.faults.faults import FAULTS, Fault
from tests.faults.stage import RATE, Account, Done

TARGET_SECONDS = 5.0
COMMAND = "make faults"


@dataclasses.dataclass
class Outcome:
    """What came of a fault."""

    fault: Fault
    done: Done
    seconds: float
    account: Account
    disk: str

    def line(self) -> str:
        """For the terminal."""
        account = self.account
        return (
            f"{self.fault.name:24} healthy after {self.seconds:4.1f} s; {account.acked} acknowledged, lost {len(account.lost)}, "
            f"duplicates unmarked {len(account.unmarked)} (marked {account.marked}), missing reports {len(account.missing)}, "
            f"not in the log {len(account.unlogged)}; refused {account.refused}, unknown {account.unknown}, owed by a dead operator {account.owed}"
        )

    def row(self) -> bench.Row:
        """For the page."""
        account = self.account
        figures = (
            account.acked,
            len(account.lost),
            len(account.unmarked),
            account.marked,
            len(account.missing),
            len(account.unlogged),
        )
        late = "" if self.seconds < TARGET_SECONDS else " **(over the target)**"
        note = f"; {self.done.note}" if self.done.note else ""
        return (
            self.fault.name,
            f"{self.fault.how}{note}",
            f"{self.seconds:.1f}{late}",
            *(str(figure) for figure in figures),
        )


HEAD = (
    "fault",
    "how it is done, what was seen",
    "healthy after (s)",
    "acknowledged",
    "lost",
    "duplicates unmarked",
    "marked",
    "reports missing",
    "not in the log",
)
TEXT = """# Faults, and how long until all is well

Written by `{command}` (tests/faults); don't change it by hand.

supervisord with the configuration of `emg watchdog configuration`, gateway, recorder, scheduler, portal, watchdog and a simulated operator (`emg sink`) on one machine, with
a real MariaDB; a client (`emg load`) sends {rate:.0f} messages a second all the time, and asks for a report of each. The alerts' mail server is mute and their webhook refuses,
throughout. Client and operator keep ledgers of their own.

*Healthy* is: whatever had to be renewed is, every program runs (supervisord says so a second after its start), `/health` says ok, and the message of a new client, sent after that, is
accepted, delivered and reported. It is counted from the fault; of one that lasts, from when its cause is gone. The target is {target:.0f} s.

*Lost* is what was acknowledged and did not reach the operator; a *duplicate* reached him twice, and is *marked* where the log says so (maybe sent): where a connection or a program dies between
sending and the answer nobody can know. Reports that a killed operator had are his loss, and not counted.
"""


def table(rows: list[bench.Row]) -> str:
    """In Markdown; figures stand to the right."""
    lines = [HEAD, ("---", "---", *("---:" for _ in HEAD[2:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def others() -> float:
    """The share of the cores that programs use now, before any of ours."""
    before, began = bench.busy_seconds()[0], time.monotonic()
    time.sleep(1.0)
    return (bench.busy_seconds()[0] - before) / ((time.monotonic() - began) * (os.cpu_count() or 1))


def write(file: Path, outcomes: list[Outcome], taken: float, busy: float) -> None:
    """The whole page. `busy`: what `others` said before."""
    used = bench.machine(taken, 0.0)
    where = [(name, value) for name, value in used if name not in {"other programs", "disk of the spool", "command"}]
    where += [
        ("disk of the spool", outcomes[0].disk if outcomes else ""),
        ("command", f"`{COMMAND}`, {taken:.0f} seconds"),
        ("other programs", f"used {busy:.0%} of the cores just before"),
    ]
    left_out = [fault.name for fault in FAULTS if fault.name not in {outcome.fault.name for outcome in outcomes}]
    parts = [
        TEXT.format(command=COMMAND, rate=RATE, target=TARGET_SECONDS),
        table([outcome.row() for outcome in outcomes]),
        *([f"\nNot done here, or failed: {', '.join(left_out)}."] if left_out else []),
        "\n## Where and when\n",
        "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in where)]),
        "",
    ]
    file.write_text("\n".join(parts), encoding="utf-8")
