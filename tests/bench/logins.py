"""Hundreds of customers whose passwords are argon2 hashes bind at the same moment: for the very first time, and after a restart of the gateway.

Run: python -m tests.bench.logins
"""

import contextlib
import selectors
import socket
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from emg.config import hashes
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BindTransceiver, BindTransceiverResp, EnquireLink, EnquireLinkResp
from tests.bench import stand
from tests.bench.stand import Client, GatewayProcess, Row, cells, incoming, user

TITLE = "Logins of 500 customers at once"
HOW = """\
{count:,} customers connect and bind at the same moment. The gateway keeps their passwords as argon2 hashes, each of which costs {each:.2f} s of a core here, and
compares two at a time. The first time it knows none of them: whoever can be compared within BINDTIMEOUT ({timeout:g} s) gets in, all others are refused at once and
come again {again:g} s later. Then the gateway is restarted, and they all bind again, with the target of **10 s**. Meanwhile a customer who is bound already sends enquire_links."""
HEAD = ("what", "measured", "target")
COUNT = 500
BINDTIMEOUT = 30.0
AGAIN_SECONDS = 2.0
PING_SECONDS = 0.02
"""Between two enquire_links: seldom enough to cost nothing."""
ADDRESSES = 50
"""Customers don't all come from one."""
LONGEST = 300.0
LONGEST_BACK = 10.0


@dataclass(slots=True)
class Wave:
    """What became of logins that were tried at once; seconds since its beginning."""

    bound: dict[str, float] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    statuses: set[Status] = field(default_factory=set)
    """With which they were refused."""
    unanswered: list[str] = field(default_factory=list)
    """Cut off without an answer, or none came in time."""
    longest_answer: float = 0.0
    """To an enquire_link of a customer who was bound before."""

    @property
    def last(self) -> float:
        """When the last one got in."""
        return max(self.bound.values(), default=0.0)


def wave(port: int, names: Collection[str], steady: Client, stack: contextlib.ExitStack, seconds: float = 60.0) -> Wave:
    """All bind at the same moment; who gets in stays until the `stack` ends."""
    seen = Wave()
    clients: dict[str, Client] = {}
    began = time.monotonic()
    for number, name in enumerate(names):
        source = f"127.0.1.{1 + number % ADDRESSES}"
        clients[name] = Client(socket.create_connection(("127.0.0.1", port), 30.0, (source, 0)))
        clients[name].send(BindTransceiver(1, system_id=name, password="secret", interface_version=0x34))
    with selectors.DefaultSelector() as selector:
        for name, client in clients.items():
            selector.register(client.sock, selectors.EVENT_READ, name)
        selector.register(steady.sock, selectors.EVENT_READ, "")
        asked, waits = time.monotonic(), False
        while len(selector.get_map()) > 1 and time.monotonic() < began + seconds:
            if not waits and time.monotonic() >= asked + PING_SECONDS:
                asked, waits = time.monotonic(), True
                steady.send(EnquireLink(1))
            for key, _ in selector.select(PING_SECONDS):
                if key.data:
                    selector.unregister(key.fileobj)
                    _answered(seen, key.data, clients[key.data], time.monotonic() - began)
                elif any(isinstance(pdu, EnquireLinkResp) for pdu in steady.receive()):
                    seen.longest_answer = max(seen.longest_answer, time.monotonic() - asked)
                    waits = False
        seen.unanswered += [key.data for key in selector.get_map().values() if key.data]
    for name, client in clients.items():
        if name in seen.bound:
            stack.callback(client.close)
        else:
            client.close()
    while waits:
        waits = not any(isinstance(pdu, EnquireLinkResp) for pdu in steady.receive())
    return seen


def _answered(seen: Wave, name: str, client: Client, at: float) -> None:
    try:
        answer = client.receive()[0]
    except (AssertionError, OSError):
        seen.unanswered.append(name)
        return
    assert isinstance(answer, BindTransceiverResp), f"a bind was answered with {answer}"
    if answer.status == Status.ROK:
        seen.bound[name] = at
    else:
        seen.refused[name] = at
        seen.statuses.add(Status(answer.status))


def started(path: Path, names: Iterable[str], timeout: float = BINDTIMEOUT) -> GatewayProcess:
    """A gateway with these customers, whose passwords are `secret`, and with `acme`, who needs no hash."""
    # One hash for all: what a comparison costs depends on neither salt nor password.
    stored = hashes.make(b"secret")
    connector = incoming("customers", INSTANCES=2000, MAXCONNECTIONS=2000, BINDTIMEOUT=f"{timeout:g}")
    return GatewayProcess(path, connector + user("acme") + "".join(user(name, PASSWORD=stored) for name in names))


def hash_seconds() -> float:
    """What one comparison takes, alone."""
    stored = hashes.make(b"secret")
    began = time.monotonic()
    hashes.matches(stored, b"secret")
    return time.monotonic() - began


def rows(scale: float = 1.0) -> list[Row]:
    """The first time, until all are in, and after a restart."""
    count = max(10, int(COUNT * scale))
    names = [f"c{number}" for number in range(count)]
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(started(stack.enter_context(stand.folder()), names))
        with contextlib.ExitStack() as sessions:
            first, all_in = _first(gateway, names, sessions)
        gateway.stop()
        gateway.start()
        steady = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
        back = wave(gateway.port(), names, steady, stack)
        return [
            cells("first time: in within BINDTIMEOUT", f"{len(first.bound):,} of {count:,}", ""),
            cells("first time: the last of these after", f"{first.last:.1f} s", ""),
            cells("first time: refused, to come again", f"{len(first.refused):,}", ""),
            cells("first time: without an answer", f"{len(first.unanswered):,}", "none"),
            cells("first time: all in, with those who came again, after", f"{all_in:.1f} s", ""),
            cells("longest answer to another customer meanwhile", f"{first.longest_answer * 1e3:,.0f} ms", ""),
            cells("after a restart: in", f"{len(back.bound):,} of {count:,}", "all"),
            cells("after a restart: the last one after", f"**{back.last:.1f} s**", f"under {LONGEST_BACK:g} s"),
            cells("longest answer to another customer meanwhile, after a restart", f"{back.longest_answer * 1e3:,.0f} ms", ""),
        ]  # fmt: skip


def _first(gateway: GatewayProcess, names: list[str], sessions: contextlib.ExitStack) -> tuple[Wave, float]:
    """The first wave, and the seconds until everybody is in who comes again when refused."""
    steady = sessions.enter_context(contextlib.closing(Client.bound(gateway.port())))
    began = time.monotonic()
    first = wave(gateway.port(), names, steady, sessions)
    out = [name for name in names if name not in first.bound]
    while out and time.monotonic() < began + LONGEST:
        time.sleep(AGAIN_SECONDS)
        seen = wave(gateway.port(), out, steady, sessions)
        out = [name for name in out if name not in seen.bound]
    assert not out, f"{len(out)} never got in"
    return first, time.monotonic() - began


def how(scale: float = 1.0) -> str:
    """What was measured."""
    count = max(10, int(COUNT * scale))
    return HOW.format(count=count, each=_each(), timeout=BINDTIMEOUT, again=AGAIN_SECONDS)


_measured: list[float] = []


def _each() -> float:
    """Measured once, so that the page says one thing."""
    if not _measured:
        _measured.append(hash_seconds())
    return _measured[0]


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
