"""Listening sockets of one incoming connector: every address of every name, IPv4 and IPv6.

A `Listener` hands each accepted socket to `on_socket(sock, peer_ip, peer_port)` in a greenlet of its own. It holds no more than
`limit` connections at once: above it `make_room` is asked to end one that nobody needs, and if there is none the new one is
closed unheard, which the peer sees as a refused connection, and is counted.
Out of file descriptors it waits and goes on, and the log is told once a minute; it never dies of a peer. `start` binds all addresses or none and raises `EmgError`.
"""

import errno
import logging
import socket as system_socket
import time
from collections.abc import Callable

import gevent
import gevent.pool
import gevent.socket
from gevent.socket import socket as Socket

from emg.errors import EmgError

BACKLOG = 1024
BREATH_SECONDS = 0.5
TOLD_SECONDS = 60.0
"""The log hears so often at most that there are no file descriptors."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger("emg.session")

OnSocket = Callable[[Socket, str, int], None]


def resolve(host: str, port: int, *, passive: bool = False) -> list[tuple[int, tuple[str, int]]]:
    """All addresses of a name as (family, (ip, port)), in the resolver's order, without doubles. Raises EmgError."""
    flags = system_socket.AI_PASSIVE if passive else 0
    try:
        host.encode("idna")
        found = gevent.socket.getaddrinfo(host or None, port, type=system_socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        raise EmgError(f"{host}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise EmgError(f"{host!r} cannot be a name: {error}") from error
    seen: dict[tuple[int, tuple[str, int]], None] = {}
    for family, _kind, _protocol, _name, address in found:
        if family in (system_socket.AF_INET, system_socket.AF_INET6):
            seen[(int(family), (str(address[0]), int(address[1])))] = None
    return list(seen)


def tune(sock: Socket) -> None:
    """No Nagle (we coalesce ourselves), and the system's own probe for peers that vanished."""
    sock.setsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_NODELAY, 1)
    sock.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_KEEPALIVE, 1)


def try_to_bind(addresses: list[tuple[str, int]]) -> None:
    """See whether these can be listened on, and let them go again. Raises EmgError."""
    trial = Listener(addresses, lambda sock, _ip, _port: sock.close())
    try:
        trial.bind()
    finally:
        trial.stop()


class Listener:
    """The listening side of one connector."""

    def __init__(
        self,
        addresses: list[tuple[str, int]],
        on_socket: OnSocket,
        *,
        limit: int = 10_000,
        make_room: Callable[[], bool] = bool,
    ) -> None:
        self.addresses = addresses
        self.bound: list[tuple[str, int]] = []
        """What is really listened on, with the port that the system chose where 0 was asked for."""
        self.refused = 0
        self._paused = 0.0
        """Since when (monotonic) there is nothing to accept with; 0: there is."""
        self._told = float("-inf")
        self._on_socket = on_socket
        self._limit = limit
        self._make_room = make_room
        self._sockets: list[Socket] = []
        self._acceptors = gevent.pool.Group()
        self._connections = gevent.pool.Group()

    def bind(self) -> None:
        """Bind and listen on every address. Raises EmgError and leaves nothing open."""
        try:
            for host, port in self.addresses:
                for family, address in resolve(host, port, passive=True):
                    self._sockets.append(self._listen(family, address))
        except EmgError:
            self.stop()
            raise

    def start(self) -> None:
        """The same, and accept. Raises EmgError and leaves nothing open."""
        self.bind()
        for sock in self._sockets:
            self._acceptors.spawn(self._accept, sock)

    def _listen(self, family: int, address: tuple[str, int]) -> Socket:
        sock = Socket(family, system_socket.SOCK_STREAM)
        try:
            sock.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_REUSEADDR, 1)
            if family == system_socket.AF_INET6:
                sock.setsockopt(system_socket.IPPROTO_IPV6, system_socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            raise EmgError(f"cannot listen on {address[0]} port {address[1]}: {error.strerror or error}") from error
        self.bound.append((str(sock.getsockname()[0]), int(sock.getsockname()[1])))
        return sock

    def _accept(self, sock: Socket) -> None:
        while True:
            try:
                connection, peer = sock.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                    gevent.sleep(BREATH_SECONDS)
                    continue
                if error.errno == errno.ECONNABORTED:
                    continue
                return  # the listening socket was closed: stop() did it
            if self._paused:
                self._go_on()
            if len(self._connections) >= self._limit:
                gevent.sleep(0)  # those who have just come and gone are seen now
                if len(self._connections) >= self._limit and not self._make_room():
                    self.refused += 1
                    connection.close()
                    continue
            self._connections.spawn(self._serve, connection, peer)

    def _pause(self, error: OSError) -> None:
        now = time.monotonic()
        self._paused = self._paused or now
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            log.error("accepting pauses: %s", error.strerror)

    def _go_on(self) -> None:
        if self._told >= self._paused:
            log.warning("accepting goes on after %.0f s", time.monotonic() - self._paused)
        self._paused = 0.0

    def _serve(self, connection: Socket, peer: tuple[str, int]) -> None:
        try:
            tune(connection)
            self._on_socket(connection, peer[0].removeprefix("::ffff:"), peer[1])
        except OSError as error:
            log.info("connection from %s ended early: %s", peer[0], error.strerror or error)
            connection.close()

    def stop(self) -> None:
        """Accept no more. Connections that stand are their sessions' affair."""
        self._acceptors.kill(block=False)
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self.bound.clear()

    def wait(self, seconds: float) -> bool:
        """Wait until all connections are over; False when some are not by then."""
        return bool(self._connections.join(timeout=seconds))

    def kill(self) -> None:
        """End what did not end by itself."""
        self._connections.kill(block=True, timeout=1.0)
