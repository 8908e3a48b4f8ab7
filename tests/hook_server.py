"""A receiver of webhooks for tests: an HTTP server that checks the signature with the very code that docs/watchdog-alerts.md gives to integrators.

`answer` is the status that it gives to what is rightly signed; None: it takes the request and never answers. What is not rightly signed gets 403 and stands in `refused`.
"""

import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.certificates import Pair

DOCUMENT = Path(__file__).parents[1] / "docs" / "watchdog-alerts.md"


def documented_check() -> Any:
    """`is_from_emg` of the document."""
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    return names["is_from_emg"]


class HookServer:
    """Use it as a context; `url` is where it listens."""

    def __init__(self, secret: str, certificate: Pair | None = None) -> None:
        self.answer: int | None = 204
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.refused: list[bytes] = []
        self._check = documented_check()
        self._secret = secret
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/hook/k3y-in-the-path?from=emg"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> "HookServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if not self._check(request.headers, body, self._secret):
            self.refused.append(body)
            request.send_error(403)
            return
        if self.answer is None:
            self._released.wait(30)
            return
        if self.answer < 300:
            self.headers.append(dict(request.headers.items()))
            self.bodies.append(json.loads(body) | {"path": request.path})
        request.send_response(self.answer)
        request.end_headers()
