"""Asking the watchdog over its API: `of(config)` is a client for the watchdog of this configuration, `WatchdogClient` one for any.

It asks as `emg.control.client` does, and raises the same: `ControlError` with the watchdog's own sentence, `Unreachable` when none answers. The token is
WATCHDOG_TOKEN, else what the watchdog has left in SPOOLDIR/watchdog.token; read anew by each `of`, as a new watchdog may have made another.
"""

import http.client
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from emg.config.model import ServerConfig
from emg.control.client import Client, Refused, Unreachable
from emg.errors import EmgError

ANSWER_SECONDS: Final = 30.0
LONGEST_TOKEN: Final = 256
TOKEN_FILE: Final = "watchdog.token"  # noqa: S105 -- the name of its file
LOCAL: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to ask for a watchdog that listens on every address."""


class WatchdogClient(Client):
    """As the gateway's client; raises the same."""

    who = "watchdog"

    def __init__(self, host: str, port: int, token: str, seconds: float = ANSWER_SECONDS) -> None:
        super().__init__(f"{host} port {port}", seconds)
        self._address = host, port
        self._token = token

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is made at its first request."""
        return http.client.HTTPConnection(*self._address, timeout=self.seconds)

    def headers(self) -> dict[str, str]:
        """The token."""
        return {"Authorization": f"Bearer {self._token}"}

    def rows(self, path: str) -> Iterator[dict[str, Any]]:
        """The rows of an answer that comes over some time."""
        connection = self.connect()
        try:
            with self._told():
                connection.request("GET", path, headers=self.headers())
                response = connection.getresponse()
                if response.status != http.HTTPStatus.OK:
                    answer = self._read(response.read(), response.headers.get("Content-Type", ""))
                    reason = answer.get("error") if isinstance(answer, dict) else None
                    raise Refused(str(reason or f"the watchdog answered {response.status}"), response.status, answer)
                while line := response.readline():
                    yield msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise Unreachable(f"what answered is no watchdog: {error}") from error
        finally:
            connection.close()


def of(config: ServerConfig, seconds: float = ANSWER_SECONDS) -> WatchdogClient:
    """For the watchdog of this configuration. Raises EmgError when its token can't be read."""
    host = LOCAL.get(config.watchdog.host, config.watchdog.host)
    return WatchdogClient(host, config.watchdog.port, token_of(config), seconds)


def token_of(config: ServerConfig) -> str:
    """The token that its watchdog wants. Raises EmgError."""
    return config.watchdog_token or read_token(posixpath.join(config.spooldir, TOKEN_FILE))


def read_token(file: str) -> str:
    """The token that a watchdog has left there. Raises EmgError."""
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[: LONGEST_TOKEN + 2]
    except PermissionError as error:
        raise EmgError(f"{path}: permission denied; only the user of the watchdog may use it") from error
    except FileNotFoundError as error:
        raise EmgError(f"there is no token in {path}: no watchdog has run here yet") from error
    except OSError as error:
        raise EmgError(f"the token's file {path} cannot be read: {error.strerror}") from error
    return text.strip()
