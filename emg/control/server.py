"""The control API: HTTP and JSON over the unix socket CONTROL=, and /metrics and /health alone over METRICS=host:port.

The socket is for its user and group (mode 0660): who may connect may do everything. A socket file that nobody answers on is replaced, a
live one is a clear error. Every request has a deadline and a bound on its size; what is wrong with it is told as {"error": sentence}.
A request never stops the message paths: what reads much reads beside the event loop.
"""

import logging
import os
import socket as system_socket
import stat
from pathlib import Path
from typing import Any

import gevent
import gevent.socket

from emg.control import accounts, connectors, messages, metrics, outbox, overview, queues
from emg.control.http import Table
from emg.control.http_server import CONNECTIONS, Application, Server, listen_tcp
from emg.control.routes import Gateway
from emg.engine.operations import Operations
from emg.engine.port import Port
from emg.engine.submissions import Submissions
from emg.engine.switches import Switches
from emg.errors import EmgError

LONGEST_PATH = 100
"""Octets of CONTROL: the system takes 107, and the name it is made under is a little longer."""

log = logging.getLogger("emg.control")


class Api:
    """What handlers work on."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.engine = gateway.engine
        self.switches = Switches(self.engine.spool, self.engine.lanes)
        self.operations = Operations(self.engine)
        self.submissions = Submissions(self.engine)
        self.metrics = metrics.Metrics(gateway)
        self.table = TABLE


PUBLIC = (*overview.PUBLIC, *metrics.ROUTES)
"""What METRICS= offers."""
TABLE = Table(
    (*overview.ROUTES, *connectors.ROUTES, *queues.ROUTES, *messages.ROUTES, *accounts.ROUTES, *outbox.ROUTES, *PUBLIC)
)


class ControlApplication(Application):
    """Which handler takes long is told to the profiler."""

    def __init__(self, api: Api, table: Table) -> None:
        super().__init__(api, table, log)
        self._profiler = api.engine.profiler

    def took(self, method: str, path: str, seconds: float) -> None:
        """A handler has run so long."""
        self._profiler.note(f"control request {method} {path}", seconds)


class ControlServer:
    """Both servers of one gateway: `start`, `restore`, `stop`."""

    def __init__(self, gateway: Gateway) -> None:
        self.api = Api(gateway)
        self._gateway = gateway
        self._servers: list[Server] = []
        self._socket: tuple[Path, int] | None = None
        self.metrics_address: tuple[str, int] | None = None
        """Where METRICS really listens."""

    def start(self) -> None:
        """Listen. Raises EmgError and leaves nothing open."""
        config = self._gateway.config
        try:
            self._serve(self._listen(Path(config.control)), TABLE)
            if config.metrics is not None:
                listener = listen_tcp(config.metrics.host, config.metrics.port, "METRICS")
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
        server = Server(listener, ControlApplication(self.api, table), log)
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
