"""Who may use the watchdog's API: addresses of WATCHDOG_ACCESS that bring the token. Refusals are logged, up to a number a minute.

The token is WATCHDOG_TOKEN, or else stands in a file of ours that its owner alone can read, made at the first start. It is compared in constant time. A wrong one is
answered late, later each time for the same address, up to `LONGEST_PAUSE`; together with the connections that an address may have (`MOST_CONNECTIONS`) that bounds how
often anybody can guess, and a right one is never kept waiting.
"""

import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
import time
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Final

import gevent

from emg.config.model import Network
from emg.errors import ControlError, EmgError

SCHEME: Final = "bearer"
SHORTEST_TOKEN: Final = 16
LONGEST_TOKEN: Final = 256
MOST_CONNECTIONS: Final = 32
"""Of one address at the same time."""
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
FORGET_SECONDS: Final = 600.0
MOST_ADDRESSES: Final = 1000
COMPLAINTS_AN_ADDRESS: Final = 10
COMPLAINTS: Final = 60
"""Lines a minute, of one address and of all."""
COMPLAINT_SECONDS: Final = 60.0

log = logging.getLogger("emg.watchdog.api")


class Door:
    """See the module's text. `access` empty: from everywhere."""

    def __init__(self, access: tuple[Network, ...], token: str) -> None:
        self._access = access
        self._token = _digest(token)
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._connections: Counter[str] = Counter()

    def admits(self, address: str) -> bool:
        """The address is one of those that may ask at all."""
        if not self._access:
            return True
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(known, "ipv4_mapped", None) or known
        return any(mapped in network for network in self._access)

    def check(self, address: str, header: str) -> None:
        """The Authorization header holds the token. Raises ControlError 401, after a while when it is a wrong one."""
        scheme, _, given = header.strip().partition(" ")
        given = given.strip()
        if scheme.lower() != SCHEME or not given:
            raise ControlError("a token is needed: Authorization: Bearer TOKEN", 401)
        if hmac.compare_digest(_digest(given), self._token):
            return
        gevent.sleep(self._pause(address))
        raise ControlError("the token is wrong", 401)

    def _pause(self, address: str) -> float:
        now = time.monotonic()
        count, at = self._wrong.pop(address, (0, now))
        count = 1 if now - at >= FORGET_SECONDS else count + 1
        self._wrong[address] = count, now
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        pause: float = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(count - 1, 10))
        return pause

    def enter(self, address: str) -> bool:
        """A connection has come; False: its address has too many, and it must go. Either way `leave` follows."""
        self._connections[address] += 1
        return self._connections[address] <= MOST_CONNECTIONS

    def leave(self, address: str) -> None:
        """It has gone."""
        self._connections[address] -= 1
        if self._connections[address] <= 0:
            del self._connections[address]


def _digest(token: str) -> bytes:
    """Of one length, whatever was given."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Complaints:
    """What callers can cause as often as they like: told a few times a minute, then counted."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()
        self._lines = 0
        self._untold = 0
        self._since = time.monotonic()

    def tell(self, address: str, text: str, *values: object) -> None:
        """Log it, unless there was enough from this address, or from all."""
        if time.monotonic() - self._since >= COMPLAINT_SECONDS:
            self.sweep()
        if self._lines >= COMPLAINTS or self._told[address] >= COMPLAINTS_AN_ADDRESS:
            if not self._untold:
                gevent.spawn_later(COMPLAINT_SECONDS, self.sweep)
            self._untold += 1
            return
        self._told[address] += 1
        self._lines += 1
        log.warning(text, *values)

    def sweep(self) -> None:
        """Tell the count, and begin anew."""
        if self._untold:
            log.warning("%d more requests were refused within a minute, and not told one by one", self._untold)
        self._told.clear()
        self._lines = self._untold = 0
        self._since = time.monotonic()


# -- the token's file


def token_of(configured: str | None, file: str) -> str:
    """The token: as configured, or from its file, which is made if it does not exist. Raises EmgError."""
    if configured:
        return configured
    path = Path(file)
    try:
        found = _read(path)
        return found if found is not None else _make(path)
    except OSError as error:
        raise EmgError(f"the token's file {path} cannot be used: {error.strerror or error}") from error


def _read(path: Path) -> str | None:
    """None: there is none that can be trusted; it is made anew."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        facts = os.fstat(handle)
        token = os.read(handle, LONGEST_TOKEN + 2).decode("ascii", "replace").strip()
    finally:
        os.close(handle)
    if facts.st_mode & 0o077 or facts.st_uid not in (0, os.geteuid()):
        log.warning("others can read or write %s, or it is not ours: a new token is made", path)
        return None
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        log.warning("%s holds no token: a new one is made", path)
        return None
    return token


def _make(path: Path) -> str:
    token = secrets.token_urlsafe(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, f"{token}\n".encode())
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    fresh.replace(path)
    return token
