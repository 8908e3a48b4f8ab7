"""A sender that waits for each answer: window 1, one session, against what its parts cost alone.

The parts: a round trip over the loopback interface (the same client, asking the same gateway for an enquire_link_resp, which needs no commit),
and one commit of a row of a message's size on the same disk, written as the spool writes. Run: python -m tests.bench.window
"""

import contextlib
import sqlite3
import time
from pathlib import Path

from emg.spool import opening
from emg.wire.smpp.pdus import EnquireLink, Pdu, SubmitSm
from tests.bench import stand
from tests.bench.stand import Client, Row, cells

TITLE = "Window 1"
HOW = """\
One session that sends the next submit_sm when the last one is answered, its messages going on to the operator meanwhile. It may be no slower
than **1 / (round trip + one group commit)**; both are measured alone on the same machine: the round trip as an enquire_link to the same
gateway, the commit as one row of a message's size written to a file beside the spool, with the spool's settings. No answer may
take the 40 ms of a delayed TCP acknowledgement."""
HEAD = ("what", "measured", "target")
MESSAGES = 4000
COMMITS = 1500
BODY = 250
"""Octets of a journal row with one short message."""
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


def commits(path: Path, times: int) -> list[float]:
    """Milliseconds of each commit of one row."""
    db = opening.connect(path)
    db.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        commit(db)
        taken.append((time.perf_counter() - start) * 1000)
    db.close()
    return taken


def commit(db: sqlite3.Connection) -> None:
    """One row, on disk."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO row (body) VALUES (?)", (bytes(BODY),))
    db.execute("COMMIT")


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
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path))
        gateway = stack.enter_context(stand.gateway(path / "gateway", address))
        client = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
        pdu = SubmitSm(0, 0, "", 5, 0, "ACME", 1, 1, "46701234567", short_message=b"Your code is 123456. " * 4)
        one_by_one(client, pdu, messages // 10)
        taken = one_by_one(client, pdu, messages)
        trips = one_by_one(client, EnquireLink(), times)
        bare = commits(path / "bare.db", times)
    trip, one = stand.median(trips), stand.median(bare)
    mean_trip, mean_one = sum(trips) / len(trips), sum(bare) / len(bare)
    allowed = 1000 / (mean_trip + mean_one)
    taken.sort()
    return [
        cells("messages a second", f"**{1000 * len(taken) / sum(taken):,.0f}**", f"at least {allowed:,.0f}"),
        cells("answer, median / p99 / max", " / ".join(f"{each:.2f} ms" for each in (stand.median(taken), taken[int(len(taken) * 0.99)], taken[-1])), ""),
        cells("round trip without a commit, median / mean", f"{trip:.3f} / {mean_trip:.3f} ms", ""),
        cells("one commit on this disk, median / mean", f"{one:.3f} / {mean_one:.3f} ms", ""),
        *histogram(taken),
    ]  # fmt: skip


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
