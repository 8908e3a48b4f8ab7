"""An engine on a real spool, without sockets: `SmallEngine`, and a message to put into it; `SmallGateway` is one that can be controlled.

Connectors are ports without sessions; a test attaches a `Carrier` where messages are to leave. `close` and a second `SmallEngine` in the
same folder are a restart.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from emg.config.load import load_text
from emg.connectors.smpp.incoming import IncomingConnector
from emg.connectors.smpp.outgoing import OutgoingConnector
from emg.control import ctl
from emg.control.client import Client, Refused
from emg.control.server import ControlServer
from emg.engine import events
from emg.engine.carrier import Carrier
from emg.engine.engine import build, resume
from emg.engine.logs import Logs
from emg.engine.operations import Operations
from emg.engine.port import Port
from emg.engine.switches import Switches
from emg.errors import ConfigError
from emg.message import Encoding, Kind, Message, Want
from emg.rules import retry_smpp
from emg.rules.routes import RouteTable
from emg.spool.opening import open_spool

CONFIG = """
CONTROL={folder}/control.sock
SPOOLDIR={folder}/spool
LOGDIR={folder}/log
HEADSIZE={head}
{extra}
CONNECTOR customers <
PROTOCOL=SMPP
TYPE=INCOMING
ADDRESS=127.0.0.1:0
ROUTE=one
>
CONNECTOR one <
PROTOCOL=SMPP
TYPE=OUTGOING
ADDRESS=127.0.0.1:1
USERNAME=u
PASSWORD=p
{one}
>
CONNECTOR two <
PROTOCOL=SMPP
TYPE=OUTGOING
ADDRESS=127.0.0.1:1
USERNAME=u
PASSWORD=p
{two}
>
USER acme <
PASSWORD=secret
>
USER other <
PASSWORD=secret
>
"""


def config_text(folder: Path, *, head: int = 20, extra: str = "", one: str = "", two: str = "") -> str:
    """A configuration with an incoming connector `customers` and two outgoing ones, `one` and `two`."""
    return CONFIG.format(folder=folder, head=head, extra=extra, one=one, two=two)


def short(dest: str = "46701234567", account: str = "acme", **more: Any) -> Message:
    """A short message as a connector reads it."""
    made = Message(
        0, Kind.NORMAL, "", "customers", account, "1234", 1, 1, dest, 1, 1, Encoding.GSM7, 0, b"", b"hello", time.time(),
        rank=3, want=Want.FINAL,
    )  # fmt: skip
    for name, value in more.items():
        setattr(made, name, value)
    return made


class SmallEngine:
    """See the module's text."""

    def __init__(self, folder: Path, *, routes: str = "", **settings: Any) -> None:
        self.config = load_text(config_text(folder, **settings))
        self.logs = Logs(self.config)
        table = RouteTable.parse(routes, self.config.connectors.keys()) if routes else None
        self.spool, recovered = open_spool(self.config.spooldir, self.config.nodeid)
        assert self.spool.flush()  # the first ids are reserved
        self.engine = build(self.config, self.logs, self.spool, recovered, table)
        self.lanes = self.engine.lanes
        for name, config in self.config.connectors.items():
            scheme = retry_smpp.OPERATOR if config.type.name == "OUTGOING" else retry_smpp.CUSTOMER
            port = self.engine.ports[name] = Port(config, self.lanes.get(name), scheme)
            port.started = port.reachable = True
        resume(self.engine, recovered)
        self.operations = Operations(self.engine)
        self.switches = Switches(self.spool, self.lanes)

    def close(self) -> None:
        """Commit and let go, as an orderly stop does."""
        self.spool.close()
        self.logs.close()

    def submit(self, count: int, make: Callable[[int], Message] = lambda _number: short()) -> list[int]:
        """Take in messages and wait until they are kept; gives their ids."""
        origin = self.engine.ports["customers"]
        ids = []
        for number in range(count):
            message = make(number)
            sender = self.engine.sender(message.account)
            ids.append(self.engine.receiver.receive(message, origin, sender, lambda _argument, _error: None, None))
        assert self.spool.flush()
        return ids

    def carrier(self, queue: str, window: int = 10, *, answering: bool = True) -> tuple[Carrier, list[int]]:
        """A session on a queue, and the ids that it transmits; each is answered in the next turn of the loop if `answering`."""
        lane = self.lanes.get(queue)
        port = self.engine.ports[queue.partition("/")[0]]
        sent: list[int] = []

        def transmit(message: Message) -> None:
            sent.append(message.id)
            if answering:
                self.spool._loop.run_callback(self._answer, port, carrier, message)

        carrier = Carrier(self.spool.new_slot(), f"{queue}#1", window, transmit)
        self.lanes.attach(carrier, lane)
        return carrier, sent

    def _answer(self, port: Port, carrier: Carrier, message: Message) -> None:
        if message.id in carrier.in_flight:  # the session may be over
            self.engine.deliverer.sent(port, carrier, message, f"r{message.id}")

    def rows(self, text: str, *parameters: Any) -> list[Any]:
        """What the spool's file says, after everything pending is committed."""
        assert self.spool.flush()
        with sqlite3.connect(f"file:{self.spool.path}?mode=ro", uri=True) as db:
            rows = db.execute(text, parameters).fetchall()
        db.close()
        return rows

    def waiting(self, queue: str) -> list[int]:
        """Ids of everything in this queue: in memory, in flight, and on disk."""
        lane = self.lanes.get(queue)
        rows = self.rows(
            "SELECT id FROM message JOIN queue ON queue.number = message.queue WHERE name = ? AND place > 0", queue
        )
        flying = (number for carrier in lane.carriers for number in carrier.in_flight)
        return sorted({row[0] for row in rows} | set(lane.waiting) | set(flying))

    def events(self, kind: type[Any]) -> list[Any]:
        """All events of one kind in the outbox, oldest first."""
        rows = self.rows("SELECT body, count FROM outbox ORDER BY seq")
        return [event for body, count in rows for event in events.decode_row(body, count) if isinstance(event, kind)]

    def count(self, queue: str) -> int:
        """What the lane says that it holds, which has to be the sum of its kinds."""
        lane = self.lanes.get(queue)
        assert lane.size == len(lane.waiting) + lane.in_flight + lane.spilled_count + lane.deferred, queue
        return lane.size


class SmallGateway:
    """What the control API needs: the engine, and real connectors that listen on a port of the system's choice, or wait for messages."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.small = SmallEngine(folder, **settings)
        self.engine = self.small.engine
        self.config = self.small.config
        self.started_at = time.time()
        self.lag = 0.0
        self.stop_asked = False
        self.reload_fault = ""
        self.configuration_faults = ""
        self.connectors: dict[str, IncomingConnector | OutgoingConnector] = {}
        for name, port in self.engine.ports.items():
            kind = IncomingConnector if port.incoming else OutgoingConnector
            port.started = port.reachable = False
            self.connectors[name] = kind(self.engine, port)
        self.connectors["customers"].start()
        self.server = ControlServer(self)
        self.server.start()
        self.server.restore()

    def database_status(self) -> dict[str, Any]:
        """There is none."""
        return {}

    def reload(self) -> dict[str, Any]:
        if self.reload_fault:
            raise ConfigError("server.cfg", 7, self.reload_fault)
        return {"connectors_changed": ["one"]}

    def request_stop(self) -> None:
        self.stop_asked = True

    def close(self) -> None:
        self.server.stop()
        for connector in self.connectors.values():
            connector.stop(0.1)
        self.small.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """(HTTP status, answer) by the real client, in a native thread: it waits without gevent."""
        return gevent.get_hub().threadpool.apply(_ask, (self.config.control, method, path, body))

    def ctl(self, *arguments: str) -> int:
        """`emg ctl` with these arguments, in a native thread; gives its exit code."""
        code: int = gevent.get_hub().threadpool.apply(ctl.main, (["-s", self.config.control, *arguments],))
        return code


def _ask(path: str, method: str, where: str, body: dict[str, Any] | None) -> tuple[int, Any]:
    try:
        return Client(path, 30.0).call(method, where, body)
    except Refused as refused:
        return refused.status, refused.answer
