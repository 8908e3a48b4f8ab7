"""A million messages in the queue of a connector that is down: memory, restart, and how fast they leave afterwards.

The gateway is filled over SMPP by the load client, killed with SIGKILL, started again against an operator who is up, and drained for a while.
Run: python -m tests.bench.queued
"""

import contextlib
import time

from tests.bench import stand
from tests.bench.stand import GatewayProcess, Row, cells
from tests.smpp_peers import Smsc, SubmitSm

TITLE = "A million messages queued"
HOW = """\
The operator is down while {count:,} messages, each with a delivery report asked for, come in from the load client over SMPP: all are
acknowledged and wait in the queue. Then the gateway is killed with SIGKILL and started again, which makes it check the spool, and the operator is up.
Times run from the start of the program; the first delivery is the first submit_sm that the operator reads. The targets are
**under 1 GiB** and **under 20 s**. Then the operator takes all that comes and sends no reports, for {drain:g} s."""
HEAD = ("what", "measured", "target")
COUNT = 1_000_000
DRAIN_SECONDS = 10.0
RESTART_SECONDS = 120.0


def fill(gateway: GatewayProcess, count: int) -> list[Row]:
    """Put the messages in."""
    before = stand.cpu(gateway.pid)
    summary = stand.load(gateway.port(), messages=count, reports=True, report_wait=0)
    used = (stand.cpu(gateway.pid) - before) * 1e6 / count
    queued = gateway.control("GET", "/status")["queued"]
    return [
        cells("messages acknowledged", f"{summary['acked']:,} at {summary['rate']:,.0f}/s, {used:.1f} µs each", ""),
        cells("in the queue", f"{queued:,}", f"{summary['acked']:,}"),
        cells("gateway's memory, all queued", f"**{stand.resident(gateway.pid):,.0f} MiB**", "under 1,024 MiB"),
        cells("spool on disk", f"{gateway.spool_file.stat().st_size / 2**20:,.0f} MiB", ""),
    ]


def restart(gateway: GatewayProcess, port: int) -> list[Row]:
    """Kill it, start it, and wait for the first message at the operator."""
    gateway.kill()
    operator = Smsc(port=port)
    began = time.monotonic()
    gateway.start(RESTART_SECONDS)
    up = time.monotonic() - began
    queued = gateway.control("GET", "/status")["queued"]
    listed = time.monotonic() - began
    session = operator.session()
    session.expect(SubmitSm)
    first = time.monotonic() - began
    memory = stand.resident(gateway.pid)
    for each in operator.sessions:
        each.close()
    operator.sock.close()
    return [
        cells("start until the gateway is up", f"{up:.1f} s", ""),
        cells("start until the status lists them", f"{listed:.1f} s: {queued:,} queued", ""),
        cells("start until the first delivery", f"**{first:.1f} s**", "under 20 s"),
        cells("gateway's memory after the start", f"{memory:,.0f} MiB", "under 1,024 MiB"),
    ]


def drain(gateway: GatewayProcess, seconds: float) -> list[Row]:
    """Let them go."""
    stand.eventually(
        lambda: gateway.control("GET", "/status")["connectors"].get("up") == 2, 30.0, "the operator's sessions"
    )
    began, before, used = time.monotonic(), gateway.control("GET", "/status")["queued"], stand.cpu(gateway.pid)
    while gateway.control("GET", "/status")["queued"] and time.monotonic() < began + seconds:
        time.sleep(0.1)
    left, taken, used = (
        gateway.control("GET", "/status")["queued"],
        time.monotonic() - began,
        stand.cpu(gateway.pid) - used,
    )
    sent = max(1, before - left)
    return [
        cells("leaving", f"{sent / taken:,.0f} messages/s, {used * 1e6 / sent:.1f} µs each", ""),
        cells("gateway's memory meanwhile", f"{stand.resident(gateway.pid):,.0f} MiB", "under 1,024 MiB"),
    ]


def rows(scale: float = 1.0) -> list[Row]:
    """What was filled, the restart, the drain."""
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        port = stand.free_port()
        gateway = stack.enter_context(stand.gateway(path / "gateway", f"127.0.0.1:{port}"))
        shown = fill(gateway, max(50, int(COUNT * scale))) + restart(gateway, port)
        stack.enter_context(stand.sink(path, port, "--no-reports"))
        return shown + drain(gateway, DRAIN_SECONDS * min(1.0, scale * 10))


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(50, int(COUNT * scale)), drain=DRAIN_SECONDS)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
