"""The words of our HTTP APIs, the gateway's and the watchdog's: a request, a route, an answer. Pure.

A handler gets what it works on (the `Api`) and a `Request`, and gives what is sent as JSON (or `Text`, or a `Stream`). It raises `ControlError` with an HTTP
status and a sentence. Tables of `Route` stand beside the handlers; `Table.find` picks from them. Who serves them is `emg.control.http_server`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from emg.errors import ControlError

NAME = r"(?P<name>[^/]+)"


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


class Parts(Protocol):
    """What a `Stream` sends, part by part; `close` is called once it is over, however it ends, also when no part was ever asked for."""

    def __iter__(self) -> Iterator[bytes]:
        """The parts."""

    def close(self) -> None:
        """Let go of everything."""


class Stream(NamedTuple):
    """An answer that comes over some time."""

    parts: Parts
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
    longest_body: int = 0
    """Octets of its body, where that may be more than the server's bound."""
    open: bool = False
    """Answers without a token, where the server asks for one."""


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

    def listed(self) -> list[dict[str, str]]:
        """All of them, for JSON."""
        return [
            {"method": route.method, "path": route.shown or route.pattern, "help": route.help} for route in self.routes
        ]
