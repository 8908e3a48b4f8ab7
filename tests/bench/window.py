"""A sender that waits for each answer: window 1, one session, against what its parts cost alone.

The parts: a round trip (the same client, sending the same submit_sm straight to the simulated operator, who keeps nothing), and one group
commit of the spool that holds one message (the spool without a gateway around it, on the same disk). Run: python -m tests.bench.window

With the folder of another checkout (a `git worktree` of an older commit) it compares the two, in turns: python -m tests.bench.window FOLDER
"""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent
import gevent.event

from emg.message import Encoding, Kind, Message
from emg.spool import opening
from emg.wire.smpp.pdus import Pdu, SubmitSm
from tests.bench import stand
from tests.bench.stand import Client, Row, cells

TITLE = "Window 1"
HOW = """\
One session that sends the next submit_sm when the last one is answered, its messages going on to the operator meanwhile; {runs} runs of {messages:,} messages,
medians. It may be no slower than **1 / (round trip + one group commit)**. Both are measured twice. *In place*, in each run: the round trip of the same
submit_sm to the same gateway when it refuses it (so that nothing is kept), and the mean of the gateway's own commits meanwhile as its metrics tell it, from the
event loop's side; the part of it that is the writer's own, from BEGIN to the end of COMMIT, stands beside it, with the ratio that it gives. *Alone*: the round trip to the simulated
operator, who keeps nothing, and a commit of a spool without a gateway around it, one message with its event each. The commit of a row
by SQLite alone, with the spool's settings, stands beside it: that is what the disk takes. No answer may take the
40 ms of a delayed TCP acknowledgement."""
HEAD = ("what", "measured", "target")
RUNS = 6
MESSAGES = 4000
COMMITS = 1500
BODY = 100
"""Octets of an event; of a row."""
TEXT = b"Your code is 123456. " * 4
EDGES_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)


def one_by_one(client: Client, pdu: Pdu, times: int) -> list[float]:
    """Milliseconds until each answer."""
    taken = []
    for sequence in range(2, times + 2):
        pdu.sequence = sequence
        start = time.perf_counter()
        client.send(pdu)
        while not any(answer.sequence == sequence for answer in client.receive()):
            pass
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def refusals(client: Client, times: int) -> list[float]:
    """Milliseconds until each refusal of the same submit_sm without an address."""
    return one_by_one(client, SubmitSm(0, 0, "", 5, 0, "ACME", 1, 1, "", short_message=TEXT), times)


def told(gateway: stand.GatewayProcess) -> dict[str, float]:
    """The counters of the gateway's spool."""
    lines = (line.split() for line in gateway.control("GET", "/metrics").splitlines() if line.startswith("emg_spool"))
    return {name.removeprefix("emg_spool_").removesuffix("_total"): float(value) for name, value in lines}


@dataclass(frozen=True)
class Run:
    """One of the runs; milliseconds."""

    taken: list[float]
    """Until each answer."""
    refused: list[float]
    """Until each refusal: round trips."""
    commits: float
    prompt: float
    """Messages that the committing thread answered."""
    own: float
    """A commit, from the event loop's side."""
    writing: float
    """The same, BEGIN to COMMIT."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return 1000 / stand.mean(self.taken)

    def allowed(self, commit: float) -> float:
        """The same by its parts."""
        return 1000 / (stand.mean(self.refused) + commit)


def run(gateway: stand.GatewayProcess, client: Client, pdu: Pdu, messages: int, times: int) -> Run:
    """So many messages, and so many refusals."""
    before = told(gateway)
    taken = one_by_one(client, pdu, messages)
    after = told(gateway)
    spent = {name: after[name] - before[name] for name in after}
    commits = spent["commits"]
    own, writing = (1000 * spent[name] / commits for name in ("committing_seconds", "writing_seconds"))
    return Run(taken, refusals(client, times), commits, spent["prompt_answers"], own, writing)


def row_commits(path: Path, times: int) -> list[float]:
    """Milliseconds of each commit of one row of a message's size, by SQLite alone."""
    with contextlib.closing(opening.connect(path)) as db:
        db.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        return [timed(lambda: commit_row(db)) for _ in range(times)]


def commit_row(db: sqlite3.Connection) -> None:
    """One row, on disk."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO row (body) VALUES (?)", (bytes(BODY),))
    db.execute("COMMIT")


def group_commits(path: Path, times: int) -> list[float]:
    """Milliseconds from giving a message to the spool until it is kept."""
    spool, _ = opening.open_spool(str(path), 1)
    queue = spool.queue_number("operator")
    kept = gevent.event.Event()

    def keep() -> None:
        kept.clear()
        number = spool.next_id()
        spool.accept(
            Message(
                number, Kind.NORMAL, "operator", "customers", "acme", "ACME", 5, 0, "46701234567", 1, 1, Encoding.GSM7, 0,
                b"", TEXT, time.time(),
            ),
            queue,
        )  # fmt: skip
        spool.take_event(number, bytes(BODY))
        spool.when_kept(lambda _argument, _error: kept.set(), None)
        assert kept.wait(30.0)

    try:
        return [timed(keep) for _ in range(times)]
    finally:
        spool.close()


def timed(work: Callable[[], None]) -> float:
    """Milliseconds that it takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def histogram(taken: list[float]) -> list[Row]:
    """How many answers took how long."""
    rows = []
    low = 0.0
    for high in (*EDGES_MS, float("inf")):
        count = sum(low <= each < high for each in taken)
        name = (
            f"under {high:g} ms"
            if not low
            else f"{low:g} to {high:g} ms"
            if high < float("inf")
            else f"{low:g} ms and more"
        )
        rows.append(
            cells(f"answers {name}", f"{count:,} ({count / len(taken):.2%})", "none" if low == EDGES_MS[-1] else "")
        )
        low = high
    return rows


def sizes(scale: float) -> tuple[int, int]:
    """Messages of a run, and round trips or commits of each other kind."""
    return max(20, int(MESSAGES * scale)), max(20, int(COMMITS * scale))


def rows(scale: float = 1.0) -> list[Row]:
    """The rate beside what its parts allow, and the histogram."""
    messages, times = sizes(scale)
    pdu = SubmitSm(0, 0, "", 5, 0, "ACME", 1, 1, "46701234567", short_message=TEXT)
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path))
        gateway = stack.enter_context(stand.gateway(path / "gateway", address))
        client = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
        one_by_one(client, pdu, messages // 10)
        runs = [run(gateway, client, pdu, messages, times) for _ in range(RUNS)]
        straight = stack.enter_context(contextlib.closing(Client.bound(stand.port_of(address))))
        trips = one_by_one(straight, pdu, times)
        groups = group_commits(path / "alone", times)
        bare = row_commits(path / "bare.db", times)
    alone = 1000 / (stand.mean(trips) + stand.mean(groups))
    taken = sorted(each for one in runs for each in one.taken)
    return [
        *compared(runs),
        cells("answer, median / p99 / max", " / ".join(f"{each:.2f} ms" for each in (stand.median(taken), taken[int(len(taken) * 0.99)], taken[-1])), ""),
        cells("of them by the thread that commits", f"{sum(one.prompt for one in runs) / len(taken):.1%}", ""),
        part("in place: round trip of a refusal", [each for one in runs for each in one.refused]),
        cells("in place: commits a message", f"{sum(one.commits for one in runs) / len(taken):.2f}", ""),
        cells("the same by the parts alone", "", f"{alone:,.0f}"),
        part("alone: round trip", trips),
        part("alone: one group commit", groups),
        part("alone: one row on this disk", bare),
        *histogram(taken),
    ]  # fmt: skip


def compared(runs: list[Run]) -> list[Row]:
    """Rates and what they may be: medians, and in brackets each run."""
    rates = [one.rate for one in runs]
    allowed, disk = [one.allowed(one.own) for one in runs], [one.allowed(one.writing) for one in runs]
    shares, bare = ([rate / most for rate, most in zip(rates, all_of, strict=True)] for all_of in (allowed, disk))
    return [
        cells("messages a second", f"**{each_of(rates, ',.0f')}**", f"at least {stand.median(allowed):,.0f}"),
        cells("share of 1 / (round trip + the gateway's group commit)", each_of(shares, ".2f"), "at least 1"),
        cells("the gateway's group commit, ms", each_of([one.own for one in runs], ".3f"), ""),
        cells("share of 1 / (round trip + the writer's own part of it)", each_of(bare, ".2f"), ""),
        cells("the writer's own part, BEGIN to COMMIT, ms", each_of([one.writing for one in runs], ".3f"), ""),
        cells("runs that reached their own target", f"{sum(share >= 1 for share in shares)} of {len(runs)}", ""),
    ]


def each_of(values: list[float], form: str) -> str:
    """The median, and all in their order."""
    return f"{stand.median(values):{form}} ({', '.join(f'{value:{form}}' for value in values)})"


def part(name: str, taken: list[float]) -> Row:
    """One of the parts."""
    return cells(f"{name}, median / mean", f"{stand.median(taken):.3f} / {stand.mean(taken):.3f} ms", "")


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(runs=RUNS, messages=sizes(scale)[0])


def in_turns(other: Path) -> list[Row]:
    """Messages a second by the gateway of this checkout and by that of another one, each run of one beside a run of the other."""
    messages, _ = sizes(1.0)
    pdu = SubmitSm(0, 0, "", 5, 0, "ACME", 1, 1, "46701234567", short_message=TEXT)
    rates: dict[Path, list[float]] = {other: [], stand.ROOT: []}
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path))
        clients = {}
        for number, root in enumerate(rates):
            gateway = stack.enter_context(stand.gateway(path / f"gateway-{number}", address, root=root))
            clients[root] = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
            one_by_one(clients[root], pdu, messages // 10)
        for number in range(RUNS):
            for root in list(rates)[:: -1 if number % 2 else 1]:  # neither always goes first
                rates[root].append(1000 / stand.mean(one_by_one(clients[root], pdu, messages)))
    gained = [now / before for before, now in zip(rates[other], rates[stand.ROOT], strict=True)]
    return [
        cells("the other one", each_of(rates[other], ",.0f"), ""),
        cells("this one", each_of(rates[stand.ROOT], ",.0f"), ""),
        cells("this one / the other one", each_of(gained, ".2f"), ""),
    ]


def main(others: Sequence[str]) -> None:
    """Print it; with the folder of another checkout the two in turns."""
    for other in others:
        stand.print_rows(TITLE, HEAD, in_turns(Path(other).resolve()))
    if not others:
        stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main(sys.argv[1:])
