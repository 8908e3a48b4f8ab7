"""The control API: HTTP and JSON over the unix socket CONTROL=, and /metrics and /health alone over METRICS=host:port.

The socket is for its user and group (mode 0660): who may connect may do everything. A socket file that nobody answers on is replaced, a
live one is a clear error. Every request has a deadline and a bound on its size; what is wrong with it is told as {"error": sentence}.
A request never stops the message paths: what reads much reads beside the event loop.
"""

import logging
import os
import socket as system_socket
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gevent
import gevent.socket
import msgspec
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from emg.control import accounts, connectors, messages, metrics, outbox, overview, queues
from emg.control.routes import Gateway, Request, Route, Status, Table, Text
from emg.engine.operations import Operations
from emg.engine.port import Port
from emg.engine.switches import Switches
from emg.errors import ControlError, EmgError, SpoolError
from emg.session.listen import resolve

LONGEST_BODY = 65536
REQUEST_SECONDS = 20.0
"""For a handler that does not bound itself."""
IDLE_SECONDS = 60.0
"""A connection that says nothing for this long is closed."""
CONNECTIONS = 64
LONGEST_PATH = 100
"""Octets of CONTROL: the system takes 107, and the name it is made under is a little longer."""

log = logging.getLogger("emg.control")
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

_REASONS = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Api:
    """What handlers work on."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.engine = gateway.engine
        self.switches = Switches(self.engine.spool, self.engine.lanes)
        self.operations = Operations(self.engine)
        self.metrics = metrics.Metrics(gateway)
        self.table = TABLE


PUBLIC = (*overview.PUBLIC, *metrics.ROUTES)
"""What METRICS= offers."""
TABLE = Table(
    (*overview.ROUTES, *connectors.ROUTES, *queues.ROUTES, *messages.ROUTES, *accounts.ROUTES, *outbox.ROUTES, *PUBLIC)
)


class _Handler(WSGIHandler):
    """Gives every connection a deadline for its next octet."""

    def __init__(self, sock: Any, address: Any, server: Any) -> None:
        sock.settimeout(IDLE_SECONDS)
        super().__init__(sock, address, server)

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        """What is no HTTP: gevent would print how it found that out."""
        if isinstance(ex, gevent.GreenletExit):
            raise ex
        log.info("a request that is none was refused: %s", str(ex) or type(ex).__name__)
        return "400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Application:
    """WSGI over a table of routes."""

    def __init__(self, api: Api, table: Table) -> None:
        self._api = api
        self._table = table

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        try:
            answer = self._answer(environ)
        except ControlError as error:
            answer = Status(error.status, {"error": str(error)})
        except Exception:  # a fault of ours in one request must not end the server, and its details are for the log
            log.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            answer = Status(500, {"error": "internal error; the general log has the details"})
        code, body = (answer.code, answer.body) if isinstance(answer, Status) else (200, answer)
        if isinstance(body, Text):
            octets, kind = body
        else:
            octets, kind = msgspec.json.encode(body) + b"\n", "application/json"
        start_response(
            f"{code} {_REASONS.get(code, 'Error')}", [("Content-Type", kind), ("Content-Length", str(len(octets)))]
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [octets]

    def _answer(self, environ: Environ) -> Any:
        method, path = environ["REQUEST_METHOD"], _utf8(environ["PATH_INFO"])
        route, named = self._table.find(method, path)
        request = Request(named, _query(environ.get("QUERY_STRING", "")), _body(environ))
        if method == "POST" and not route.quiet:
            log.info("%s %s %s", method, path, dict(request.body) or "")
        began = time.monotonic()
        try:
            return self._call(route, request)
        finally:
            self._api.engine.profiler.note(f"control request {method} {path}", time.monotonic() - began)

    def _call(self, route: Route, request: Request) -> Any:
        try:
            if not route.limited:
                return route.handler(self._api, request)
            with gevent.Timeout(REQUEST_SECONDS):
                return route.handler(self._api, request)
        except gevent.Timeout:
            raise ControlError(f"no result within {REQUEST_SECONDS:g} s", 503) from None
        except ControlError:
            raise
        except SpoolError as error:
            raise ControlError(str(error), 503) from error
        except EmgError as error:  # a configuration, an address: a sentence that was written for people
            raise ControlError(str(error), 409) from error


def _utf8(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")  # PEP 3333: octets as latin-1


def _query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))


def _body(environ: Environ) -> dict[str, Any]:
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return {}
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ControlError("Content-Length is no number") from None
    if length > LONGEST_BODY or environ.get("HTTP_TRANSFER_ENCODING"):
        raise ControlError(f"a body has a Content-Length of at most {LONGEST_BODY}", 413)
    octets = environ["wsgi.input"].read(length) if length > 0 else b""
    if not octets.strip():
        return {}
    try:
        return msgspec.json.decode(octets, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlError(f"the body is no JSON object: {error}") from error


class ControlServer:
    """Both servers of one gateway: `start`, `restore`, `stop`."""

    def __init__(self, gateway: Gateway) -> None:
        self.api = Api(gateway)
        self._gateway = gateway
        self._servers: list[WSGIServer] = []
        self._socket: tuple[Path, int] | None = None
        self.metrics_address: tuple[str, int] | None = None
        """Where METRICS really listens."""

    def start(self) -> None:
        """Listen. Raises EmgError and leaves nothing open."""
        config = self._gateway.config
        try:
            self._serve(self._listen(Path(config.control)), TABLE)
            if config.metrics is not None:
                listener = _listen_tcp(config.metrics.host, config.metrics.port)
                self.metrics_address = listener.getsockname()[:2]
                self._serve(listener, Table(PUBLIC))
        except BaseException:
            self.stop()
            raise

    def restore(self) -> None:
        """Apply what operators had switched before the restart. Raises SpoolError."""
        self.api.switches.restore(self._gateway.engine.ports)

    def adopt(self, port: Port) -> None:
        """A connector was made anew by a reload: it is as its operator left it."""
        self.api.switches.adopt(port)

    def _serve(self, listener: Any, table: Table) -> None:
        server = WSGIServer(
            listener,
            Application(self.api, table),
            log=None,
            error_log=log,
            handler_class=_Handler,
            spawn=Pool(CONNECTIONS),
        )
        server.start()
        self._servers.append(server)

    def _listen(self, path: Path) -> Any:
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise EmgError(f"CONTROL={path} is too long: a socket's path has at most {LONGEST_PATH} octets")
        _make_way(path)
        fresh = path.with_name(f".{path.name}.new")
        listener = gevent.socket.socket(system_socket.AF_UNIX, system_socket.SOCK_STREAM)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            listener.bind(str(fresh))
            fresh.chmod(0o660)
            listener.listen(CONNECTIONS)
            self._socket = (path, fresh.stat().st_ino)
            fresh.rename(path)  # from now on there is no moment without somebody who answers
        except OSError as error:
            listener.close()
            raise EmgError(f"the control socket {path} cannot be made: {error.strerror or error}") from error
        return listener

    def stop(self) -> None:
        """Answer no more."""
        for server in self._servers:
            server.stop(timeout=1.0)
        self._servers.clear()
        if self._socket is not None:
            path, number = self._socket
            self._socket = None
            try:
                if path.stat().st_ino == number:
                    path.unlink()
            except OSError:
                pass  # somebody else has removed it


def _make_way(path: Path) -> None:
    """Raise EmgError when somebody answers there, or when it is no socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise EmgError(f"CONTROL={path} exists and is no socket")
    probe = gevent.socket.socket(system_socket.AF_UNIX, system_socket.SOCK_STREAM)
    try:
        with gevent.Timeout(2.0):
            probe.connect(str(path))
    except (OSError, gevent.Timeout) as error:
        if isinstance(error, PermissionError | gevent.Timeout):
            raise EmgError(f"the control socket {path} belongs to somebody else") from error
        return  # nobody listens: left behind by a gateway that was killed
    finally:
        probe.close()
    raise EmgError(f"a gateway is running already: it answers on {path}")


def _listen_tcp(host: str, port: int) -> Any:
    family, address = resolve(host, port, passive=True)[0]
    listener = gevent.socket.socket(family, system_socket.SOCK_STREAM)
    try:
        listener.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise EmgError(f"METRICS cannot listen on {host} port {port}: {error.strerror or error}") from error
    return listener
