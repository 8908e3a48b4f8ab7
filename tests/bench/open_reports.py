"""A million delivery reports that are still to come: memory, and what it costs to match one that only the disk remembers.

The gateway passes the messages on to an operator who never reports; then another one takes his place and reports on the oldest
(on disk alone) and on the latest (in memory too), by their ids. Run: python -m tests.bench.open_reports
"""

import contextlib
import time
from collections.abc import Iterator

from emg.wire.smpp.names import Tag
from emg.wire.smpp.pdus import Bind, BindTransceiverResp, DeliverSm, DeliverSmResp
from tests.bench import stand
from tests.bench.stand import Client, GatewayProcess, Row, cells
from tests.smpp_peers import Smsc

TITLE = "A million delivery reports to come"
HOW = """\
{count:,} messages go through the running gateway to an operator who answers and never reports. The target is **under 400 MiB**.
Then {some:,} reports come for the oldest messages, which stand on disk alone, and as many for the latest, which are in memory too, in windows of 50: CPU
time of the gateway from the operator's deliver_sm to the answer, with the report kept for a customer who is away."""
HEAD = ("what", "measured", "target")
COUNT = 1_000_000
SOME = 10_000
FIRST_ID = 5_000_000_000
WINDOW = 50


def report(sequence: int, remote_id: int) -> DeliverSm:
    """A delivery report as the simulated operator writes them."""
    name = str(remote_id).encode()
    text = b"id:%s sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:" % name
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), name + b"\0"), (int(Tag.MESSAGE_STATE), b"\2"))
    return DeliverSm(sequence, 0, "", 1, 1, "46700000000", 0, 1, "12345", esm_class=4, short_message=text, tlvs=tlvs)


def send_reports(session: Client, ids: range) -> None:
    """Report on these, a window at a time, until all are answered."""
    for start in range(0, len(ids), WINDOW):
        wanted = {number - FIRST_ID + 1 for number in ids[start : start + WINDOW]}
        session.send(*(report(number - FIRST_ID + 1, number) for number in ids[start : start + WINDOW]))
        while wanted:
            for pdu in session.receive():
                if isinstance(pdu, DeliverSmResp) and not pdu.status:
                    wanted.discard(pdu.sequence)


@contextlib.contextmanager
def operator(port: int) -> Iterator[Client]:
    """An operator in the first one's place: his first session."""
    smsc = Smsc(port=port)
    clients = []
    for _ in range(stand.SESSIONS_OUT):
        client = Client(smsc.connection(30.0).sock)
        (bind,) = client.receive()
        assert isinstance(bind, Bind)
        client.send(BindTransceiverResp(bind.sequence, system_id="operator"))
        clients.append(client)
    try:
        yield clients[0]
    finally:
        for client in clients:
            client.close()
        smsc.sock.close()


def match(gateway: GatewayProcess, session: Client, ids: range) -> str:
    """CPU a report, and the rate."""
    used, began = stand.cpu(gateway.pid), time.monotonic()
    send_reports(session, ids)
    used, taken = stand.cpu(gateway.pid) - used, time.monotonic() - began
    return f"{used * 1e6 / len(ids):.1f} µs a report, {len(ids) / taken:,.0f}/s"


def rows(scale: float = 1.0) -> list[Row]:
    """Memory with all of them open, and both kinds of matching."""
    count, some = max(100, int(COUNT * scale)), max(20, int(SOME * scale))
    port = stand.free_port()
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(stand.folder())
        sink = stack.enter_context(contextlib.ExitStack())
        sink.enter_context(stand.sink(path, port, "--no-reports", "--first-id", str(FIRST_ID)))
        gateway = stack.enter_context(stand.gateway(path / "gateway", f"127.0.0.1:{port}"))
        empty = stand.resident(gateway.pid)
        summary = stand.load(gateway.port(), messages=count, reports=True, report_wait=0)
        status = stand.eventually(lambda: settled(gateway), 60.0, "all are sent")
        memory = stand.resident(gateway.pid)
        sink.close()
        session = stack.enter_context(operator(port))
        on_disk = match(gateway, session, range(FIRST_ID, FIRST_ID + some))
        in_memory = match(gateway, session, range(FIRST_ID + count - some, FIRST_ID + count))
    return [
        cells("open reports", f"{status['open_reports']:,}, the messages at {summary['rate']:,.0f}/s", f"{count:,}"),
        cells("gateway's memory, none open", f"{empty:,.0f} MiB", ""),
        cells("gateway's memory, all open", f"**{memory:,.0f} MiB**", "under 400 MiB"),
        cells("matching one that is only on disk", on_disk, ""),
        cells("matching one of the latest", in_memory, ""),
    ]


def settled(gateway: GatewayProcess) -> dict[str, int]:
    """The status when nothing is queued any more."""
    status: dict[str, int] = gateway.control("GET", "/status")
    return {} if status["queued"] else status


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(100, int(COUNT * scale)), some=max(20, int(SOME * scale)))


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
