"""HTTP over gevent's pywsgi, for both APIs: bounds on everything that a caller sends, and answers in JSON, whatever is wrong.

A connection that says nothing is closed after `IDLE_SECONDS`; once it has begun to ask, the head of its request has `HEAD_SECONDS` and `LONGEST_HEAD` octets,
the body `BODY_SECONDS` and as much as the `Application` takes. A request that never ends so costs one connection for some seconds. What is left of a body
that nobody reads is not waited for: the connection ends.
"""

import logging
import socket as system_socket
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

import gevent
import gevent.socket
import msgspec
from gevent.pool import Pool
from gevent.pywsgi import Input, WSGIHandler, WSGIServer

from emg.control.http import Request, Route, Status, Stream, Table, Text
from emg.errors import ControlError, EmgError, SpoolError
from emg.session.listen import resolve

LONGEST_BODY = 65536
LONGEST_HEAD = 16384
"""Octets of all header fields together."""
REQUEST_SECONDS = 20.0
"""For a handler that does not bound itself."""
IDLE_SECONDS = 60.0
"""A connection that says nothing, or takes nothing, for this long is closed."""
HEAD_SECONDS = 10.0
BODY_SECONDS = 10.0
LINGER_SECONDS = 1.0
"""How long what is not wanted is still taken, so that the answer is not lost with it."""
LINGER_OCTETS = 4 << 20
CONNECTIONS = 64
MOST_PARAMETERS = 50

Environ = dict[str, Any]
JSON: Final = "application/json"
_REASONS: Final = {
    200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 409: "Conflict", 413: "Content Too Large", 414: "URI Too Long", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class Application:
    """WSGI over a table of routes. `api`: what the handlers get first; `log`: where requests that change something are told."""

    longest_body = LONGEST_BODY
    where = "the general log"
    """Where `log` goes, for people."""

    def __init__(self, api: Any, table: Table, log: logging.Logger) -> None:
        self._api = api
        self._table = table
        self.log = log

    # -- what an API may add

    def admit(self, environ: Environ, route: Route | None) -> None:
        """Whether the caller may ask this (None: something that there is not); before anything of the request is used. Raises ControlError."""

    def asked(self, environ: Environ, path: str, request: Request) -> None:
        """Something is to be changed."""
        self.log.info("%s %s %s", environ["REQUEST_METHOD"], path, dict(request.body) or "")

    def refused(self, environ: Environ, error: ControlError) -> None:
        """A request is answered with an error."""

    def took(self, method: str, path: str, seconds: float) -> None:
        """A handler has run so long."""

    # -- WSGI

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """One request."""
        try:
            answer = self._answer(environ)
        except ControlError as error:
            self.refused(environ, error)
            answer = Status(error.status, {"error": str(error)})
        except Exception:  # a fault of ours in one request must not end the server, and its details are for the log
            self.log.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            answer = Status(500, {"error": f"internal error; {self.where} has the details"})
        code, body = (answer.code, answer.body) if isinstance(answer, Status) else (200, answer)
        headers = [("WWW-Authenticate", "Bearer")] if code == 401 else []
        head = environ["REQUEST_METHOD"] == "HEAD"
        if isinstance(body, Stream):
            stream = [("Content-Type", body.kind), ("Cache-Control", "no-store"), ("Connection", "close")]
            start_response(_line(code), [*stream, *headers])
            return _Nothing(body.parts) if head else body.parts
        octets, kind = body if isinstance(body, Text) else (msgspec.json.encode(body) + b"\n", JSON)
        start_response(_line(code), [("Content-Type", kind), ("Content-Length", str(len(octets))), *headers])
        return [] if head else [octets]

    def _answer(self, environ: Environ) -> Any:
        method, path = environ["REQUEST_METHOD"], _utf8(environ["PATH_INFO"])
        try:
            route, named = self._table.find(method, path)
        except ControlError:
            self.admit(environ, None)
            raise
        self.admit(environ, route)
        request = Request(named, _query(environ.get("QUERY_STRING", "")), self._body(environ, route))
        if method == "POST" and not route.quiet:
            self.asked(environ, path, request)
        began = time.monotonic()
        try:
            return self._call(route, request)
        finally:
            self.took(method, path, time.monotonic() - began)

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

    def _body(self, environ: Environ, route: Route) -> dict[str, Any]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return {}
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            raise ControlError("Content-Length is no number") from None
        longest = max(self.longest_body, route.longest_body)
        if length > longest or environ.get("HTTP_TRANSFER_ENCODING"):
            raise ControlError(f"a body has a Content-Length of at most {longest}", 413)
        octets = _read(environ["wsgi.input"], length)
        if not octets.strip():
            return {}
        try:
            return msgspec.json.decode(octets, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ControlError(f"the body is no JSON object: {error}") from error


class _Nothing:
    """What HEAD gets of a stream."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """The stream is over before it began."""
        self._parts.close()


def _line(code: int) -> str:
    return f"{code} {_REASONS.get(code, 'Error')}"


def _utf8(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")  # PEP 3333: octets as latin-1


def _query(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError:
        raise ControlError(f"a query has at most {MOST_PARAMETERS} parameters") from None


def _read(source: Any, length: int) -> bytes:
    if length <= 0:
        return b""
    try:
        with gevent.Timeout(BODY_SECONDS):
            octets: bytes = source.read(length)
    except gevent.Timeout:
        raise ControlError(f"the body did not come within {BODY_SECONDS:g} s", 408) from None
    except OSError:
        raise ControlError("the body is shorter than its Content-Length") from None
    return octets


# -- below WSGI


class _Head:
    """A file to read header fields from, all of them together no longer than `LONGEST_HEAD`."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = LONGEST_HEAD

    def readline(self, limit: int) -> bytes:
        """The next line."""
        line: bytes = self._file.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise _Bad(431, f"the header fields have more than {LONGEST_HEAD} octets together")
        return line


class _Body(Input):
    """A request's body."""

    def _discard(self) -> None:
        """The answer has been given, or there will be none: take what is left, if that is little and comes soon."""
        if self.chunked_input or self.left > LONGEST_BODY:
            return
        try:
            with gevent.Timeout(BODY_SECONDS):
                super()._discard()  # type: ignore[misc]  # pywsgi's types leave it out
        except gevent.Timeout:
            pass  # the connection ends

    @property
    def left(self) -> int:
        """Octets that nobody has read."""
        return (self.content_length or 0) - self.position


class _Bad(ValueError):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Handler(WSGIHandler):
    """See the module's text."""

    idle_seconds = IDLE_SECONDS

    def __init__(self, sock: Any, address: Any, server: Any) -> None:
        sock.settimeout(self.idle_seconds)
        if sock.family != system_socket.AF_UNIX:
            # head and body are written one after the other: the body must not wait for the acknowledgement of the head
            sock.setsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_NODELAY, 1)
        super().__init__(sock, address, server)

    def read_requestline(self) -> str:
        """The pause before it is the connection's own business, and ends with the server; from its first octet on it has a deadline."""
        assert isinstance(self.server, Server), "no other makes one"
        idle = self.server.idle
        idle.add(self.socket)
        try:
            self.rfile.peek(1)
        finally:
            idle.discard(self.socket)
        with gevent.Timeout(HEAD_SECONDS, TimeoutError("the first line did not come to its end")):
            line: str = super().read_requestline()
        return line

    def read_request(self, raw_requestline: str) -> Any:
        """The header fields."""
        with gevent.Timeout(HEAD_SECONDS, _Bad(408, f"the header fields did not come within {HEAD_SECONDS:g} s")):
            return super().read_request(raw_requestline)

    def MessageClass(self, *arguments: Any) -> Any:  # noqa: N802 -- pywsgi's name
        """Read the header fields."""
        head: Any = _Head(arguments[0])
        return super().MessageClass(head, *arguments[1:])

    def get_environ(self) -> Environ:
        """As WSGI has it."""
        environ: Environ = super().get_environ()
        given = self.wsgi_input
        assert given is not None, "made a moment ago"
        self.wsgi_input = _Body(given.rfile, given.content_length, given.socket, given.chunked_input)
        environ["wsgi.input"] = self.wsgi_input
        return environ

    def handle_one_request(self) -> Any:
        """One request; None: the connection ends."""
        outcome = super().handle_one_request()
        if outcome is True:
            body = self.wsgi_input
            if isinstance(body, _Body) and not body.chunked_input and body.left <= 0:
                return True
            self._linger()
            return None
        if isinstance(outcome, tuple) and outcome[0] == "414":
            return self._bad(414, "the first line of the request is too long")
        return outcome

    def await_something(self) -> None:
        """Give a caller who is turned away the time to have asked: he reads no answer before."""
        try:
            with gevent.Timeout(LINGER_SECONDS, TimeoutError()):
                self.rfile.peek(1)
        except OSError:
            pass  # he is told all the same

    def _linger(self) -> None:
        """Take what still comes, for a moment: what is not taken would make the system throw our answer away."""
        left = LINGER_OCTETS
        try:
            with gevent.Timeout(LINGER_SECONDS, TimeoutError()):
                self.socket.shutdown(system_socket.SHUT_WR)
                while left > 0 and (data := self.socket.recv(65536)):
                    left -= len(data)
        except OSError:
            pass  # it has gone, or it never ends

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        """What is no HTTP: gevent would print how it found that out."""
        if isinstance(ex, gevent.GreenletExit):
            raise ex
        if isinstance(ex, _Bad):
            return self._bad(ex.code, str(ex))
        return self._bad(400, "this is no HTTP request", str(ex) or type(ex).__name__)

    def _bad(self, code: int, sentence: str, cause: str = "") -> tuple[str, bytes]:
        assert isinstance(self.server, Server), "no other makes one"
        self.server.bad_request(self.client_address, cause or sentence)
        return refusal(code, sentence)


def refusal(code: int, sentence: str) -> tuple[str, bytes]:
    """(status, whole answer), for a request that comes to no application."""
    body = msgspec.json.encode({"error": sentence}) + b"\n"
    head = f"HTTP/1.1 {_line(code)}\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return str(code), head.encode() + body


class Server(WSGIServer):
    """A WSGI application on a listening socket, with at most so many connections at a time; further callers wait in the system's queue."""

    def __init__(
        self,
        listener: Any,
        application: Any,
        log: logging.Logger,
        handler: type = Handler,
        connections: int = CONNECTIONS,
    ) -> None:
        # else pywsgi asks the DNS for the name of our own address
        names = {"SERVER_NAME": "emg"}
        super().__init__(
            listener,
            application,
            log=None,
            error_log=log,
            handler_class=handler,
            spawn=Pool(connections),
            environ=names,
        )
        self.idle: set[Any] = set()
        """Connections on which nothing is being asked."""
        self._told = log

    def stop(self, timeout: float | None = None) -> None:
        """Listen no more; who is being answered has so many seconds, who asks nothing has none."""
        for sock in list(self.idle):
            try:
                sock.shutdown(system_socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone
        super().stop(timeout)

    def bad_request(self, address: Any, reason: str) -> None:
        """Something came that is no HTTP request."""
        self._told.info("a request that is none was refused: %.200s", reason)


def listen_tcp(host: str, port: int, keyword: str) -> Any:
    """A listening socket. Raises EmgError, which names the keyword that asked for it."""
    family, address = resolve(host, port, passive=True)[0]
    listener = gevent.socket.socket(family, system_socket.SOCK_STREAM)
    try:
        listener.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise EmgError(f"{keyword} cannot listen on {host} port {port}: {error.strerror or error}") from error
    return listener
