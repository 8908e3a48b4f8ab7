"""Programs for tests that need them really running: `GatewayProcess`, `SinkProcess`, and the text of their configuration.

Each runs as a process of its own, as in production; what is started is ended by its own pid, and every wait has a deadline. Ports are
reserved, not guessed: `free_port` holds a socket on it, so that nobody else gets it, also across restarts. Peers to
talk to the gateway with stand in `tests.smpp_peers` and are handed on here.

    operator = Smsc()
    gateway = GatewayProcess(tmp_path, incoming("customers", ROUTE="operator") + outgoing("operator", operator.address) + user("acme"))
    client = Esme.bound(gateway.port("customers"))
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from emg.engine import events
from tests.smpp_peers import SECONDS, Closed, Esme, Peer, Smsc, SmscSession, message

__all__ = [
    "Closed", "Esme", "GatewayProcess", "Peer", "SinkProcess", "Smsc", "SmscSession", "eventually", "free_port", "incoming", "message",
    "outgoing", "routes", "section", "user",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
START_SECONDS = 20.0
"""A start takes a third of a second; this is for a machine that is busy with other tests."""
T = TypeVar("T")

_reserved: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A port that stays ours until this test program ends: bound but not listened on, which SO_REUSEADDR lets another process do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, 0))
    _reserved.append(sock)
    return int(sock.getsockname()[1])


def eventually(look: Callable[[], T], seconds: float = SECONDS, wanted: str = "") -> T:
    """What `look` gives as soon as it is true: for state that cannot be waited for otherwise."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds:g} s: {wanted or look}; last seen: {seen!r}")
        time.sleep(0.01)


# -- configuration


def section(kind: str, name: str, **keywords: Any) -> str:
    """A section; True writes a bare flag, None and False leave the keyword out."""
    given = [(key, value) for key, value in keywords.items() if value is not None and value is not False]
    lines = [key if value is True else f"{key}={value}" for key, value in given]
    return "\n".join([f"{kind} {name} <", *lines, ">", "", ""])


def incoming(name: str = "customers", **keywords: Any) -> str:
    """A connector that customers bind to, on a free port."""
    return section(
        "CONNECTOR",
        name,
        **({"TYPE": "INCOMING", "PROTOCOL": "SMPP", "ADDRESS": "127.0.0.1:0", "WINDOWSIZE": 10} | keywords),
    )


def outgoing(name: str, address: str, **keywords: Any) -> str:
    """A connector that binds to an operator: at once, one session, window 10, back soon after a lost connection."""
    chosen = {
        "TYPE": "OUTGOING", "PROTOCOL": "SMPP", "ADDRESS": address, "USERNAME": "emg", "PASSWORD": "pw", "STATIC": True,
        "WINDOWSIZE": 10, "WAITBEFORECONNECT": 0, "MAXFAILEDCONNECTS": 0,
    }  # fmt: skip
    return section("CONNECTOR", name, **(chosen | keywords))


def user(name: str = "acme", **keywords: Any) -> str:
    """An account; its password is `secret`."""
    return section("USER", name, **({"PASSWORD": "secret"} | keywords))


def routes(*rows: str) -> str:
    """A routing table of rows like `46,,,operator,,,`."""
    return "\n".join(["prefix,account,connector_in,connector_out,priority,weight,enabled", *rows, ""])


# -- processes


class Program:
    """A process of ours: its output in a file, ended by its pid. `root`: the checkout that it is run from."""

    def __init__(self, command: list[str], output: Path, root: Path = ROOT) -> None:
        self.output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(root / "app.py"), *command],
                cwd=root, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Its exit code; killed, and an AssertionError, if it takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds:g} s\n{self.printed()}") from None

    def kill(self) -> None:
        """SIGKILL: as the power does it."""
        if self.alive:
            self.process.kill()
        self.process.wait(SECONDS)

    def printed(self) -> str:
        """What it printed."""
        return self.output.read_text(errors="replace")


class GatewayProcess:
    """`emg gateway` in `folder`, up when this returns.

    CONTROL, SPOOLDIR, LOGDIR and DRAINTIME are added unless `config_text` names them. Each address with port 0 gets a reserved port that
    stays the same over restarts. `files` (name → text) are written beside the configuration.
    """

    def __init__(
        self,
        folder: Path,
        config_text: str,
        files: dict[str, str] | None = None,
        *,
        start: bool = True,
        root: Path = ROOT,
    ) -> None:
        self.folder = Path(folder)
        self._root = root
        self.folder.mkdir(parents=True, exist_ok=True)
        self.spool_file = self.folder / "spool" / "spool.db"
        self._short = Path(tempfile.mkdtemp(prefix="emg"))  # a socket's path may not be as long as pytest's folders are
        self.control_path = self._short / "control.sock"
        self.config_file = self.folder / "server.cfg"
        self._ports: dict[str, int] = {}
        self.configure(config_text, files)
        self.program: Program | None = None
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "GatewayProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- configuration

    def configure(self, config_text: str, files: dict[str, str] | None = None) -> None:
        """Write the configuration; a running gateway sees it at the next `reload`, `restart` or `start`."""
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text, encoding="utf-8")
        base = {
            "CONTROL": self.control_path,
            "SPOOLDIR": "spool",
            "LOGDIR": "log",
            "DRAINTIME": 2,
            "SERVERNAME": "emgtest",
        }
        given = set(re.findall(r"^([A-Z_]+)=", config_text, re.MULTILINE))
        head = "".join(f"{key}={value}\n" for key, value in base.items() if key not in given)
        self.config_file.write_text(head + self._with_ports(config_text), encoding="utf-8")

    def _with_ports(self, text: str) -> str:
        """The text with a reserved port in the place of each port 0."""
        lines: list[str] = []
        owner, seen = "", 0
        for line in text.splitlines():
            opened = re.match(r"CONNECTOR +(\S+) *<", line)
            if opened:
                owner, seen = opened[1], 0
            key, _, addresses = line.partition("=")
            if key not in ("ADDRESS", "METRICS"):
                lines.append(line)
                continue
            fixed = []
            for address in addresses.split(","):
                fixed.append(self._with_port(address, "METRICS" if key == "METRICS" else owner, seen))
                seen += address.endswith(":0")
            lines.append(f"{key}={','.join(fixed)}")
        return "\n".join(lines) + "\n"

    def _with_port(self, address: str, owner: str, index: int) -> str:
        if not address.endswith(":0"):
            return address
        host = address.removesuffix(":0")
        name = f"{owner}:{index}" if index else owner
        if name not in self._ports:
            self._ports[name] = free_port(host.strip("[]"))
        return f"{host}:{self._ports[name]}"

    def port(self, connector: str = "customers", index: int = 0) -> int:
        """Where this connector (or METRICS) listens; `index` counts its addresses with port 0."""
        return self._ports[f"{connector}:{index}" if index else connector]

    # -- life

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start it; up, and every connector begun, when this returns; after `seconds` an AssertionError."""
        assert self.program is None or not self.program.alive, "it runs already"
        self.program = Program(["gateway", "-c", str(self.config_file)], self.folder / "printed", self._root)
        deadline = time.monotonic() + seconds
        sign = f"[{self.program.pid}]"
        while not any(sign in line for line in self._lines(" is up: ")):
            if not self.program.alive or time.monotonic() > deadline:
                raise AssertionError(f"the gateway did not come up\n{self.program.printed()}\n{self.logs()}")
            time.sleep(0.005)

    def _lines(self, text: str) -> list[str]:
        return [line for line in self.logs().splitlines() if text in line]

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.program is not None, "it was never started"
        return self.program.pid

    def kill(self) -> None:
        """SIGKILL."""
        assert self.program is not None, "it was never started"
        self.program.kill()

    def stop(self, seconds: float = START_SECONDS) -> int:
        """SIGTERM; its exit code."""
        assert self.program is not None, "it was never started"
        if self.program.alive:
            self.program.signal(signal.SIGTERM)
        return self.program.wait(seconds)

    def restart(self) -> None:
        """Stop it in good order, if it runs, and start it."""
        if self.program is not None and self.program.alive:
            self.stop()
        self.start()

    def reload(self) -> None:
        """SIGHUP; returns when the log says that it was done, or that it was refused."""
        assert self.program is not None, "it was never started"
        before = len(self._lines("configuration"))
        self.program.signal(signal.SIGHUP)
        eventually(lambda: len(self._lines("configuration")) > before, wanted="the reload")

    def close(self) -> None:
        """End it, whatever it does, and remove what it does not need any more."""
        if self.program is not None:
            self.program.kill()
        shutil.rmtree(self._short, ignore_errors=True)

    # -- looking into it

    def logs(self, name: str = "general") -> str:
        """A log: `general`, `connector.<name>`, `pdu.<name>`; empty if there is none."""
        try:
            return (self.folder / "log" / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, text: str, name: str = "general", count: int = 1, seconds: float = SECONDS) -> str:
        """The log, as soon as it has this text so often."""
        return eventually(
            lambda: log if (log := self.logs(name)).count(text) >= count else "", seconds, f"{text!r} in log {name}"
        )

    def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows of the spool, read beside the gateway; [] before there is one."""
        if not self.spool_file.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.spool_file}?mode=ro", uri=True, timeout=SECONDS)) as db:
            return db.execute(sql, arguments).fetchall()

    def events(self, kind: type[Any] | None = None, message_id: int | str | None = None) -> list[Any]:
        """The outbox, in order; of one kind, or about one message."""
        return list(self._events(kind, None if message_id is None else int(message_id)))

    def _events(self, kind: type[Any] | None, number: int | None) -> Iterator[Any]:
        for body, count in self.query("SELECT body, count FROM outbox ORDER BY seq"):
            for event in events.decode_row(body, count):
                if (kind is None or isinstance(event, kind)) and (number is None or event.id == number):
                    yield event

    def wait_for_event(self, kind: type[Any], message_id: int | str | None = None, count: int = 1) -> Any:
        """The event (the `count`-th of its kind), as soon as it is there."""
        return eventually(
            lambda: found[count - 1] if len(found := self.events(kind, message_id)) >= count else None,
            wanted=f"{kind.__name__} of {message_id}",
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request over the control socket; gives the decoded answer. An AssertionError for anything but 2xx."""
        connection = _UnixConnection(str(self.control_path))
        try:
            octets = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, octets, {"Content-Type": "application/json"} if octets else {})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        assert 200 <= response.status < 300, f"{method} {path}: {response.status} {text}"
        kind = response.headers.get("Content-Type", "")
        return json.loads(text) if kind.startswith("application/json") else text


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


class SinkProcess:
    """`emg sink` on a port that stays its own, up when this returns. `arguments` as on its command line."""

    def __init__(self, folder: Path, *arguments: str, start: bool = True) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.ledger = self.folder / "sink.ledger"
        self._arguments = arguments
        self.program: Program | None = None
        if start:
            self.start()

    def __enter__(self) -> "SinkProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it on its port."""
        self.program = Program(
            ["sink", "--listen", self.address, "--json", "--ledger", str(self.ledger), *self._arguments],
            self.folder / f"sink-{os.urandom(4).hex()}",
        )
        program = self.program

        def listens() -> bool:
            assert program.alive, f"the sink ended\n{program.printed()}"
            return '"listening"' in program.printed()

        eventually(listens, START_SECONDS, "the sink listens")

    def stop(self) -> dict[str, Any]:
        """SIGTERM; its counts."""
        assert self.program is not None, "it was never started"
        self.program.signal(signal.SIGTERM)
        assert self.program.wait() == 0, self.program.printed()
        counts: dict[str, Any] = json.loads(self.program.printed().splitlines()[-1])
        return counts

    def kill(self) -> None:
        """SIGKILL."""
        assert self.program is not None, "it was never started"
        self.program.kill()

    def close(self) -> None:
        """End it, whatever it does."""
        if self.program is not None:
            self.program.kill()
