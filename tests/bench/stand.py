"""The stand that figures are measured on: a gateway and its peers as processes of their own, and what the system says they used.

CPU is the process time of /proc/PID/stat (all threads, user and system), memory the resident set of /proc/PID/status. Spools stand under
`var/`, on the disk of the project: a file system in memory would make every commit free. Programs end with the `with` that started them.
"""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BindTransceiver, EnquireLink, EnquireLinkResp, Pdu
from tests.gateways import ROOT, GatewayProcess, Program, eventually, free_port, incoming, outgoing, user

__all__ = [
    "ROOT", "Client", "GatewayProcess", "Program", "Row", "cells", "cpu", "eventually", "folder", "free_port", "gateway", "load", "mean", "median",
    "microseconds", "port_of", "print_rows", "resident", "sink", "threads",
]  # fmt: skip

Row = tuple[str, ...]
TICK = os.sysconf("SC_CLK_TCK")
SESSIONS_IN, SESSIONS_OUT, WINDOW = 4, 2, 50
LOAD_SECONDS = 240.0
"""No run of the load client takes longer."""


# -- what the system says


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system, all threads."""
    return _ticks(Path(f"/proc/{pid}/stat"))


def threads(pid: int) -> tuple[float, float]:
    """The same for its first thread (the event loop), and for all others together (the spool's writer)."""
    first = _ticks(Path(f"/proc/{pid}/task/{pid}/stat"))
    return first, cpu(pid) - first


def _ticks(path: Path) -> float:
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid: int) -> float:
    """MiB of memory that a process has resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def mean(values: Collection[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def median(values: Iterable[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def microseconds(work: Callable[[], Any], times: int) -> float:
    """CPU time of a call, the best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            work()
        rounds.append(time.process_time() - start)
    return min(rounds) / times * 1e6


# -- programs


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder on the project's disk, gone afterwards."""
    (ROOT / "var").mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "var"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def gateway(path: Path, operator: str, **keywords: Any) -> GatewayProcess:
    """A running gateway with one customer, `acme`, whose messages go to the operator at this address."""
    text = (
        incoming("customers", ROUTE="operator", WINDOWSIZE=WINDOW, INSTANCES=2000)
        + outgoing("operator", operator, WINDOWSIZE=WINDOW, INSTANCES=SESSIONS_OUT)
        + user("acme", SESSIONS=2000)
    )
    return GatewayProcess(path, text, **keywords)


@contextlib.contextmanager
def sink(path: Path, port: int = 0, *arguments: str) -> Iterator[tuple[str, Program]]:
    """A simulated operator: its address and program. It keeps no ledger and prints nothing: it is not what is measured."""
    address = f"127.0.0.1:{port or free_port()}"
    program = Program(["sink", "--listen", address, "--json", "--stats", "1h", *arguments], path / f"sink-{port}")
    try:
        eventually(lambda: '"listening"' in program.printed(), 20.0, "the sink listens")
        yield address, program
    finally:
        program.kill()


def port_of(address: str) -> int:
    """The port of host:port."""
    return int(address.rpartition(":")[2])


def load(
    port: int, *, messages: int, sessions: int = SESSIONS_IN, window: int = WINDOW, **options: Any
) -> dict[str, Any]:
    """Run `emg load` to its end; what it prints with --json. Options as on its command line, True for a flag."""
    command = [sys.executable, str(ROOT / "app.py"), "load", "--json", "--system-id", "acme", "--password", "secret"]
    chosen = {"to": f"127.0.0.1:{port}", "messages": messages, "sessions": sessions, "window": window} | options
    for name, value in chosen.items():
        if value is not None and value is not False:
            command += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LOAD_SECONDS, check=False)
    if not done.stdout.strip():
        raise AssertionError(f"the load client ended with {done.returncode}: {done.stderr}")
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name in ("refused", "unknown", "reports_missing", "reports_unmatched", "reconnects", "faults"):
        if summary[name] and (name != "reports_missing" or options.get("report_wait") != 0):
            print(f"  the load client tells of {name}: {summary[name]}", file=sys.stderr)
    return summary


class Client:
    """A bare customer or operator over a blocking socket: it costs little, and reads only when asked."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(30.0)
        self._framer = Framer()

    @classmethod
    def bound(cls, port: int) -> "Client":
        """A transceiver of `acme`."""
        client = cls(socket.create_connection(("127.0.0.1", port)))
        client.send(BindTransceiver(1, system_id="acme", password="secret", interface_version=0x34))
        (answer,) = client.receive()
        if answer.status != Status.ROK:
            raise AssertionError(f"the bind was refused: {answer}")
        return client

    def send(self, *pdus: Pdu) -> None:
        """All in one write."""
        self.sock.sendall(b"".join(map(encode, pdus)))

    def receive(self) -> list[Pdu]:
        """At least one PDU; enquire_links are answered and not shown."""
        while True:
            octets = self.sock.recv(1 << 16)
            if not octets:
                raise AssertionError("the other end has closed the connection")
            came = [decode(frame) for frame in self._framer.feed(octets)]
            for pdu in came:
                if isinstance(pdu, EnquireLink):
                    self.send(EnquireLinkResp(pdu.sequence))
            shown = [pdu for pdu in came if not isinstance(pdu, EnquireLink)]
            if shown or came:
                return shown

    def close(self) -> None:
        """Just end."""
        self.sock.close()


# -- what is shown


def cells(*values: Any) -> Row:
    """A row; numbers below 10 get two decimals, below 100 one."""
    return tuple(value if isinstance(value, str) else number(value) for value in values)


def number(value: float) -> str:
    """A number for people."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def print_rows(title: str, head: Row, rows: list[Row]) -> None:
    """One figure on a terminal."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n== {title}")
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
