"""Commands run as from a shell, in the test's own process, and a stand-in for a running gateway's control socket."""

import io
import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import app

CONNECTORS = """
CONNECTOR customers <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:0
>
CONNECTOR operator1 <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2775
USERNAME=emg
PASSWORD=secret
>
USER filed <
PASSWORD=secret
>
"""


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which is one JSON value."""
        return json.loads(self.out)


Run = Callable[..., Result]


def shell(url: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("account", "list", stdin="…")`: `emg account list` on this database, with a configuration of its own in `folder`."""
    config = folder / "server.cfg"
    config.write_text(
        f"DATABASE={url}\nCONTROL={folder}/control.sock\nSPOOLDIR={folder}\nLOGDIR={folder}\n{CONNECTORS}"
    )
    return with_config(config, capsys, monkeypatch)


def with_config(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same with a configuration that is there."""

    def run(*argv: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = app.main([*argv, "-c", str(config)])
        told = capsys.readouterr()
        return Result(code, told.out, told.err)

    return run


def quick_hash(_password: bytes) -> str:
    """In the place of `hashes.make`, which takes its time."""
    return "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$" + "YWFh" * 8


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def control(folder: Path, answers: dict[str, Any]) -> Iterator[list[str]]:
    """A control socket that answers GET with `answers` by path, POST with an empty object; gives the list of what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(answers.get(self.path))

        def do_POST(self) -> None:
            self._answer({})

        def _answer(self, answer: Any) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {self.path}")
            body = json.dumps({"error": "no such thing"} if answer is None else answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "shell"

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = _Server(str(folder / "control.sock"), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
