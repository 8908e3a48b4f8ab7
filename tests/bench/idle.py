"""A thousand customers who are bound and silent: memory, and CPU over half a minute.

Run: python -m tests.bench.idle
"""

import contextlib
import resource
import selectors
import time

from tests.bench import stand
from tests.bench.stand import Client, Row, cells

TITLE = "A thousand idle sessions"
HOW = """\
{count:,} sessions of one customer, bound as transceivers and silent but for their answers to enquire_link. The targets are **under 200 MiB**
for the whole process and **no measurable load**: its CPU time over {seconds:g} s, beside that of the same gateway without a session."""
HEAD = ("what", "measured", "target")
COUNT = 1000
SECONDS = 30.0
EMPTY_SECONDS = 10.0


def stay(clients: list[Client], seconds: float) -> None:
    """Answer what is asked, for so long."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.receive()


def rows(scale: float = 1.0) -> list[Row]:
    """Memory and CPU, without and with sessions."""
    count = max(10, int(COUNT * scale))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < 2 * count else soft, hard))
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        address, _ = stack.enter_context(stand.sink(path))
        gateway = stack.enter_context(stand.gateway(path / "gateway", address))
        empty = idle_share(gateway.pid, [], EMPTY_SECONDS * min(1.0, scale * 10))
        memory = stand.resident(gateway.pid)
        before, began = stand.cpu(gateway.pid), time.monotonic()
        clients = [stack.enter_context(contextlib.closing(Client.bound(gateway.port()))) for _ in range(count)]
        bind = (stand.cpu(gateway.pid) - before) * 1e6 / count
        rate = count / (time.monotonic() - began)
        share = idle_share(gateway.pid, clients, SECONDS * min(1.0, scale * 10))
        return [
            cells("gateway's memory without sessions", f"{memory:,.0f} MiB", ""),
            cells(
                f"gateway's memory with {count:,} sessions",
                f"**{stand.resident(gateway.pid):,.0f} MiB**",
                "under 200 MiB",
            ),
            cells("CPU without sessions", f"{empty:.2%} of a core", ""),
            cells(f"CPU with {count:,} sessions", f"**{share:.2%} of a core**", "not measurable"),
            cells("a bind, one after the other", f"{bind:,.0f} µs, {rate:,.0f}/s", ""),
        ]


def idle_share(pid: int, clients: list[Client], seconds: float) -> float:
    """The share of a core that a process uses while nothing happens."""
    before = stand.cpu(pid)
    stay(clients, seconds)
    return (stand.cpu(pid) - before) / seconds


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(10, int(COUNT * scale)), seconds=SECONDS)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
