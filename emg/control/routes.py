"""The control API's words: a request, a route, an answer, and what it all needs of a gateway.

A handler gets the `Api` and a `Request` and gives what is sent as JSON (or `Text`). It raises `ControlError` with an HTTP status and a
sentence. Tables of `Route` stand in the modules beside this one; `find` picks from them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from emg.config.model import ServerConfig
from emg.engine.engine import Engine
from emg.engine.port import Port
from emg.errors import ControlError

NAME = r"(?P<name>[^/]+)"
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


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` holds what the route's pattern named, `query` and `body` the caller's parameters."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter that is a string. Raises ControlError."""
        value = self.body.get(name, self.query.get(name, default))
        if value is None:
            raise ControlError(f"{name} is missing")
        if not isinstance(value, str):
            raise ControlError(f"{name} has to be a string")
        return value

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, false when not given. Raises ControlError."""
        value = self.body.get(name, self.query.get(name, False))
        if isinstance(value, bool):
            return value
        if value in ("1", "true", "yes", ""):
            return True
        if value in ("0", "false", "no"):
            return False
        raise ControlError(f"{name} has to be true or false")

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A parameter that is a number between two bounds. Raises ControlError."""
        value = self.body.get(name, self.query.get(name, default))
        try:
            number = float("no" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            raise ControlError(f"{name} has to be a number") from None
        if not least <= number <= most:
            raise ControlError(f"{name} has to be between {least:g} and {most:g}")
        return number


class Text(NamedTuple):
    """An answer that is no JSON."""

    body: bytes
    kind: str


class Status(NamedTuple):
    """A JSON answer with an HTTP status other than 200."""

    code: int
    body: Any


Handler = Callable[[Any, Request], Any]


class Route(NamedTuple):
    """One row: what is asked for, who answers, and a line of help."""

    method: str
    pattern: str
    handler: Handler
    help: str
    shown: str = ""
    """The path as people write it."""
    limited: bool = True
    """The handler's time is bounded by the server; False: it bounds itself."""
    quiet: bool = False
    """A program asks it all the time: the log says nothing of it."""


class Table:
    """Routes by method and path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._rows = [(route, re.compile(route.pattern + r"\Z")) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and what its pattern named. Raises ControlError 404 or 405."""
        others = []
        for route, pattern in self._rows:
            found = pattern.match(path)
            if found is None:
                continue
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, found.groupdict()
            others.append(route.method)
        if others:
            raise ControlError(f"{path} is asked for by {' or '.join(sorted(set(others)))}, not {method}", 405)
        raise ControlError(f"there is nothing at {path}; GET / lists what there is", 404)
