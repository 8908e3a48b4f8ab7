"""The watchdog's API on a real socket, with stand-ins for what is behind it: `Site(folder)`, and `site.ask("GET", "/status")`."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest

from emg.config.load import load_text
from emg.errors import ControlError, EmgError
from watchdog.api import TABLE, Api
from watchdog.model import Facts, Finding, ProgramFacts
from watchdog.settings import settings
from watchdog.supervisor import SupervisorError, UnknownProgram

TOKEN = "a-token-of-the-test"
AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n".encode()
ROUTES = pytest.mark.parametrize(
    "route", TABLE.routes, ids=lambda route: f"{route.method} {route.shown or route.pattern}"
)
"""A test of every route."""
CONFIG = """
CONTROL={folder}/control.sock
LOGDIR={folder}/log
SPOOLDIR={folder}/spool
DATABASE=sqlite:///{folder}/emg.db
{extra}
CONNECTOR one <
PROTOCOL=SMPP
TYPE=OUTGOING
ADDRESS=127.0.0.1:1
USERNAME=u
PASSWORD=very-secret
>
"""


def shown(route: Any, name: str = "gateway") -> str:
    """A path of that route."""
    path: str = route.shown or route.pattern
    return path.replace("<name>", "general" if path.startswith("/logs") else name)


class FakeSupervisor:
    """supervisord, as far as it is asked."""

    def __init__(self) -> None:
        self.known = {
            name: ProgramFacts(name, "RUNNING", pid, 1.0e9, f"pid {pid}")
            for pid, name in enumerate(("recorder", "gateway", "scheduler", "watchdog"), 1000)
        }
        self.told: list[tuple[Any, ...]] = []
        self.fault: EmgError | None = None
        self.stubborn = False
        self.slow = 0.0

    def programs(self) -> dict[str, ProgramFacts]:
        if self.fault is not None:
            raise self.fault
        return dict(self.known)

    def program(self, name: str) -> ProgramFacts:
        if name not in self.programs():
            raise UnknownProgram(f"supervisord has no program '{name}'")
        return self.known[name]

    def _is(self, name: str, state: str, pid: int) -> None:
        self.known[name] = ProgramFacts(name, state, pid)

    def start(self, name: str) -> bool:
        self.told.append(("start", name))
        if self.known[name].pid:
            return False
        self._is(name, "RUNNING", 2000)
        return True

    def stop(self, name: str, wait: float = 0.0) -> bool:
        self.told.append(("stop", name))
        gevent.sleep(self.slow)
        if self.stubborn:
            raise SupervisorError(f"{name} still runs {wait:g} s after it was told to stop")
        ran = bool(self.known[name].pid)
        self._is(name, "STOPPED", 0)
        return ran

    def quick_stop(self, name: str, seconds: float) -> bool:
        self.told.append(("quick_stop", name, seconds))
        self._is(name, "STOPPED", 0)
        return True

    def signal(self, name: str, number: int) -> bool:
        self.told.append(("signal", name, number))
        if not self.stubborn or number == signal.SIGKILL:
            self._is(name, "RUNNING", self.known[name].pid + 1000)
        return True


class FakeWatchdog:
    """The loop, as far as it is asked."""

    def __init__(self, folder: Path) -> None:
        self.supervisor = FakeSupervisor()
        self.facts: Facts | None = Facts(
            5.0, 1.0e9, programs={"gateway": ProgramFacts("gateway", "RUNNING", 1001, resident=77)}
        )
        self.findings: tuple[Finding, ...] = ()
        self.alerts = self
        self.notes: dict[str, Finding | None] = {}
        self.woken = 0
        self._dump = folder / "gateway.1001.1.txt"

    def show(self) -> list[dict[str, Any]]:
        return [
            {"key": "a:b", "text": "the word very-secret is hidden", "cleared": 0.0},
            {"key": "c:d", "cleared": 9.0},
        ]

    def status(self) -> dict[str, Any]:
        return {"ok": True, "channels": [{"name": "very-secret", "error": "login as u:very-secret failed"}]}

    def alive(self) -> bool:
        return True

    def dump(self, program: str) -> Path:
        if program != "gateway":
            raise ControlError(f"{program} does not run", 409)
        self._dump.write_bytes(b"Thread 1\n\xff\n")
        return self._dump

    def note(self, key: str, finding: Finding | None) -> None:
        self.notes[key] = finding

    def wake(self) -> None:
        self.woken += 1


class Site:
    """An API that listens, and what is behind it."""

    def __init__(self, folder: Path, extra: str = f"WATCHDOG_TOKEN={TOKEN}") -> None:
        self.folder = folder
        (folder / "log").mkdir(exist_ok=True)
        config = load_text(CONFIG.format(folder=folder, extra=extra + "\nWATCHDOG=127.0.0.1:1"))
        chosen = settings(config, "gw1")
        chosen = type(chosen)(
            **{field: getattr(chosen, field) for field in chosen.__struct_fields__}
            | {"api": config.watchdog._replace(port=0)}
        )
        self.watchdog = FakeWatchdog(folder)
        self.supervisor = self.watchdog.supervisor
        self.api = Api(self.watchdog, config, chosen)  # type: ignore[arg-type]
        self.api.start()

    def log(self, name: str, octets: bytes) -> None:
        (self.folder / "log" / name).write_bytes(octets)

    def connect(self) -> Any:
        assert self.api.address is not None
        return gevent.socket.create_connection(self.api.address)

    def raw(self, octets: bytes, *, half: bool = True) -> bytes:
        """Octets in, octets out."""
        with gevent.Timeout(15):
            sock = self.connect()
            try:
                sock.sendall(octets)
                if half:
                    sock.shutdown(socket.SHUT_WR)
                answer = b""
                while data := sock.recv(65536):
                    answer += data
            finally:
                sock.close()
            return answer

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, head: str = ""
    ) -> tuple[int, Any]:
        octets = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(octets)}"]
        lines += [f"Authorization: Bearer {token}"] if token is not None else []
        lines += [head] if head else []
        answer = self.raw("\r\n".join([*lines, "", ""]).encode() + octets, half=False)
        first, _, rest = answer.partition(b"\r\n\r\n")
        assert b"Content-Type: application/json" in first, answer
        return int(first.split()[1]), json.loads(rest) if rest else None
