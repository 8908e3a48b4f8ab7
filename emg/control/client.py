"""Asking a gateway over its control socket: one request, one answer, with deadlines.

`Client(path).get("/status")` gives what the JSON says. Raises `ControlError` with the gateway's own sentence and HTTP status, and
`Unreachable` when nobody answers, or not in time. One connection a request: a client may be kept as long as one likes.
"""

import http.client
import socket as system_socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from emg.errors import ControlError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 90.0
"""Above every wait of the server's own."""
LONGEST_ANSWER = 64 << 20


class Unreachable(ControlError):
    """No gateway answers on the socket."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, 503)


class NotRunning(Unreachable):
    """Nobody listens there."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("gateway")
        self._path = path
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = system_socket.socket(system_socket.AF_UNIX, system_socket.SOCK_STREAM)
        self.sock.settimeout(min(CONNECT_SECONDS, self._seconds))
        self.sock.connect(self._path)
        self.sock.settimeout(self._seconds)


class Client:
    """See the module's text. `seconds` bounds the wait for an answer. Another API of this kind has a client that says `who` it is, and how to `connect`."""

    who = "gateway"

    def __init__(self, path: str, seconds: float = ANSWER_SECONDS) -> None:
        self.path = path
        self.seconds = seconds

    def get(self, path: str, **query: str) -> Any:
        """What GET gives."""
        chosen = {name: value for name, value in query.items() if value}
        return self.call("GET", path + (f"?{urlencode(chosen)}" if chosen else ""))[1]

    def post(self, path: str, **body: Any) -> Any:
        """What POST gives."""
        return self.call("POST", path, body)[1]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """(HTTP status, answer): JSON as its values, anything else as text. Raises ControlError from status 400 on."""
        code, octets, kind = self._exchange(method, path, body)
        answer = self._read(octets, kind)
        if code >= 400:
            reason = answer.get("error") if isinstance(answer, dict) else None
            raise Refused(str(reason or f"the {self.who} answered {code}"), code, answer)
        return code, answer

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is made at its first request."""
        return _Connection(self.path, self.seconds)

    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {}

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong between us and them, as sentences."""
        try:
            yield
        except TimeoutError as error:
            raise Unreachable(
                f"the {self.who} on {self.path} did not answer within {self.seconds:g} s: it hangs, or is very busy"
            ) from error
        except PermissionError as error:
            raise Unreachable(
                f"{self.path}: permission denied; the control socket is for its user and group alone"
            ) from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"no {self.who} answers on {self.path}: it is not running") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the {self.who} on {self.path} cannot be asked: {error}") from error

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes, str]:
        octets = msgspec.json.encode(body) if body is not None else None
        connection = self.connect()
        try:
            with self._told():
                return self._ask(connection, method, path, octets)
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, octets: bytes | None
    ) -> tuple[int, bytes, str]:
        kind = {"Content-Type": "application/json"} if octets else {}
        connection.request(method, path, octets, {**self.headers(), **kind})
        response = connection.getresponse()
        return response.status, response.read(LONGEST_ANSWER), response.headers.get("Content-Type", "")

    def _read(self, octets: bytes, kind: str) -> Any:
        if not kind.startswith("application/json"):
            return octets.decode("utf-8", "replace")
        try:
            return msgspec.json.decode(octets)
        except msgspec.DecodeError as error:
            raise Unreachable(f"what answered is no {self.who}: {error}") from error


class Refused(ControlError):
    """The gateway's answer was an error; `answer` is all that it said."""

    def __init__(self, reason: str, status: int, answer: Any) -> None:
        super().__init__(reason, status)
        self.answer = answer


def part(name: str) -> str:
    """A name as part of a path; a queue's slash stays."""
    return quote(name, safe="/")
