"""A sender that waits for each answer: window 1, one session, against what its parts cost alone.

The parts: a round trip (the same client, sending the same submit_sm straight to the simulated operator, who keeps nothing), and one group
commit of the spool that holds one message (the spool without a gateway around it, on the same disk). Run: python -m tests.bench.window
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
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
One session that sends the next submit_sm when the last one is answered, its messages going on to the operator meanwhile. It may be no slower
than **1 / (round trip + one group commit)**. Both are measured twice. *In place*: the round trip of the same submit_sm to the same gateway when it
refuses it (so that nothing is kept), and the mean of the gateway's own commits meanwhile, as its metrics tell it. *Alone*: the round trip to the simulated operator, who keeps
nothing, and a commit of a spool without a gateway around it, one message with its event each. The commit of a row
by SQLite alone, with the spool's settings, stands beside it: that is what the disk takes. No answer may take the
40 ms of a delayed TCP acknowledgement."""
HEAD = ("what", "measured", "target")
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


def committed(gateway: stand.GatewayProcess) -> tuple[float, float]:
    """Group commits since the start, and the seconds that they took."""
    told = dict(
        line.split() for line in gateway.control("GET", "/metrics").splitlines() if line.startswith("emg_spool")
    )
    return float(told["emg_spool_commits_total"]), float(told["emg_spool_committing_seconds_total"])


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


def rows(scale: float = 1.0) -> list[Row]:
    """The rate beside what its parts allow, and the histogram."""
    messages, times = max(20, int(MESSAGES * scale)), max(20, int(COMMITS * scale))
    pdu = SubmitSm(0, 0, "", 5, 0, "ACME", 1, 1, "46701234567", short_message=TEXT)
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path))
        gateway = stack.enter_context(stand.gateway(path / "gateway", address))
        client = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
        one_by_one(client, pdu, messages // 10)
        before = committed(gateway)
        taken = sorted(one_by_one(client, pdu, messages))
        commits, seconds = (after - was for after, was in zip(committed(gateway), before, strict=True))
        refused = refusals(client, times)
        straight = stack.enter_context(contextlib.closing(Client.bound(stand.port_of(address))))
        trips = one_by_one(straight, pdu, times)
        groups = group_commits(path / "alone", times)
        bare = row_commits(path / "bare.db", times)
    own = 1000 * seconds / commits
    allowed = 1000 / (stand.mean(refused) + own)
    alone = 1000 / (stand.mean(trips) + stand.mean(groups))
    times_shown = (stand.median(taken), taken[int(len(taken) * 0.99)], taken[-1])
    return [
        cells("messages a second", f"**{1000 / stand.mean(taken):,.0f}**", f"at least {allowed:,.0f}"),
        cells("answer, median / p99 / max", " / ".join(f"{each:.2f} ms" for each in times_shown), ""),
        part("in place: round trip of a refusal", refused),
        cells(
            "in place: the gateway's own group commits, mean", f"{own:.3f} ms, {commits / messages:.2f} a message", ""
        ),
        cells("the same by the parts alone", "", f"{alone:,.0f}"),
        part("alone: round trip", trips),
        part("alone: one group commit", groups),
        part("alone: one row on this disk", bare),
        *histogram(taken),
    ]


def part(name: str, taken: list[float]) -> Row:
    """One of the parts."""
    return cells(f"{name}, median / mean", f"{stand.median(taken):.3f} / {stand.mean(taken):.3f} ms", "")


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
