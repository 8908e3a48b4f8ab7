"""The portal's WSGI server: gevent's, with the bounds of `emg.control.http_server`, and those that a portal needs besides.

Browsers keep connections open that ask nothing: these end soon (`IDLE_SECONDS`). A request's body has a deadline that grows with its size, so that a large file over a slow line
comes through and one that drips does not hold a connection for ever. Behind web servers that PORTAL_PROXIES names, address and scheme of the request are what those say.
"""

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import gevent
from werkzeug.exceptions import RequestTimeout

from emg.config.values import Network
from emg.control.http_server import BODY_SECONDS, Handler, Server

IDLE_SECONDS: Final = 15.0
CONNECTIONS: Final = 500
SLOWEST: Final = 20_000
"""Octets a second below which a body takes too long."""

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]


class PortalHandler(Handler):
    """One connection."""

    idle_seconds = IDLE_SECONDS


def server(listener: Any, app: Wsgi, proxies: tuple[Network, ...], log: logging.Logger) -> Server:
    """Ready to `start`."""
    return Server(listener, Front(app, proxies), log, PortalHandler, CONNECTIONS)


class Front:
    """What stands before the application: who asks, and how long he may take."""

    def __init__(self, app: Wsgi, proxies: tuple[Network, ...]) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """One request."""
        self._believe(environ)
        environ["wsgi.input"] = _Body(environ["wsgi.input"], environ.get("CONTENT_LENGTH"))
        return self._app(environ, start_response)

    def _believe(self, environ: Environ) -> None:
        """Of a chain of proxies the last address that is none of ours is who asks: what stands before it anybody can write."""
        chain = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if not self._ours(environ.get("REMOTE_ADDR", "")):
            return
        while chain:
            address = chain.pop()
            if not _is_address(address):
                break
            environ["REMOTE_ADDR"] = address
            if not self._ours(address):
                break
        if environ.get("HTTP_X_FORWARDED_PROTO") in ("http", "https"):
            environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"]

    def _ours(self, address: str) -> bool:
        if not self._proxies or not _is_address(address):
            return False
        known = ipaddress.ip_address(address)
        known = getattr(known, "ipv4_mapped", None) or known
        return any(known in network for network in self._proxies)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _Body:
    """A request's body, which has so long to come."""

    def __init__(self, source: Any, length: str | None) -> None:
        self._source = source
        self._until = time.monotonic() + BODY_SECONDS + int(length or 0) / SLOWEST

    def _in_time(self, read: Callable[..., bytes], *arguments: Any) -> bytes:
        with gevent.Timeout(
            max(self._until - time.monotonic(), 0.001), RequestTimeout("The request did not come to its end.")
        ):
            return read(*arguments)

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        return self._in_time(self._source.read, *((size,) if size >= 0 else ()))

    def readline(self, size: int = -1) -> bytes:
        """As of a file."""
        return self._in_time(self._source.readline, *((size,) if size >= 0 else ()))

    def __iter__(self) -> Any:
        return iter(self.readline, b"")
