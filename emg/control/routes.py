"""What the control API's handlers need of a gateway, and how its paths name things. Requests, routes and answers: `emg.control.http`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from emg.config.model import ServerConfig
from emg.engine.engine import Engine
from emg.engine.port import Port
from emg.session.tls import Context

QUEUE = r"(?P<name>[^/]+(?:/[^/]+)?)"
"""`connector` or `connector/account`."""
NUMBER = r"(?P<id>[0-9]{1,19})"


class Session(Protocol):
    """One connection of a connector."""

    name: str

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""

    def unbind(self) -> None:
        """End it in good order."""

    def close(self, reason: str) -> None:
        """End it now."""


class Connector(Protocol):
    """A connector of any protocol."""

    port: Port
    tls: Context | None
    """None without TLS."""

    def start(self) -> None:
        """Raises EmgError."""

    def stop(self, seconds: float) -> None:
        """At most about so many seconds."""

    def sessions(self) -> Sequence[Session]:
        """Those that stand."""

    def status(self) -> dict[str, Any]:
        """For people and programs to look at."""


class Gateway(Protocol):
    """What is controlled."""

    config: ServerConfig
    started_at: float
    engine: Engine

    @property
    def configuration_faults(self) -> str:
        """Why it runs on the last good copy of its configuration; empty while it does not."""

    @property
    def lag(self) -> float:
        """Seconds by which the event loop is late."""

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """By name."""

    def reload(self) -> dict[str, Any]:
        """Raises EmgError, and then nothing has changed."""

    def database_status(self) -> dict[str, Any]:
        """`database` and `tables` of the status; empty without a database."""

    def request_stop(self) -> None:
        """Drain and stop, soon."""
