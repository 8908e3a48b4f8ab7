"""Whether a login's password is right: plain passwords at once, argon2 hashes in a native thread.

`quick` answers what can be known without work: a plain password, or one that was verified before (kept as a keyed digest, so that
sessions that come back after a restart of their side are in at once). None means: ask `slow`, which keeps the calling greenlet, and no other,
for as long as a hash takes. Where any account has a hash, every wrong login costs one, also that of a name that does not exist: the time tells
nothing. At most `WAITING` comparisons wait; beyond it `slow` raises `Busy`.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable

import gevent
from gevent.threadpool import ThreadPool

from emg.config import hashes
from emg.errors import EmgError

THREADS = 2
WAITING = 50
"""At two threads and 0.15 s each the last one waits about four seconds."""
SECONDS = 10.0
REMEMBERED = 10_000


class Busy(EmgError):
    """Too many logins are being looked at; nothing is known about this one."""


class Passwords:
    """See the module's text."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._nobody = ""
        """Some account's hash: what a name without one is compared with, to no effect but the time it takes. Empty: there are no hashes."""
        self._pool: ThreadPool | None = None
        self._waiting = 0

    def configure(self, stored: Iterable[str]) -> None:
        """Take the passwords of all accounts, as they are kept."""
        self._nobody = next(filter(hashes.is_hash, stored), "")

    def quick(self, account: str, stored: str, given: bytes) -> bool | None:
        """True or False, or None where only `slow` can tell. `stored` is empty for an account that does not exist."""
        if hashes.is_hash(stored):
            mark = self._mark(account, stored, given)
            if mark not in self._known:
                return None
            self._known.move_to_end(mark)
            return True
        right = hmac.compare_digest(given, stored.encode("latin-1", "replace")) and bool(stored)
        return right or (None if self._nobody else False)

    def slow(self, account: str, stored: str, given: bytes) -> bool:
        """The same with all the work. Raises Busy."""
        if self._waiting >= WAITING:
            raise Busy(f"{self._waiting} logins wait for their passwords to be compared")
        real = hashes.is_hash(stored)
        right = self._compare(stored if real else self._nobody, given)
        if not real or not right:
            return False
        self._known[self._mark(account, stored, given)] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True

    def _compare(self, stored: str, given: bytes) -> bool:
        if self._pool is None:
            self._pool = ThreadPool(THREADS)
        self._waiting += 1
        try:
            with gevent.Timeout(SECONDS):
                return bool(self._pool.spawn(hashes.matches, stored, given).get())
        except gevent.Timeout:
            raise Busy(f"a password was not compared within {SECONDS:g} s") from None
        finally:
            self._waiting -= 1

    def _mark(self, account: str, stored: str, given: bytes) -> bytes:
        """What stands for this very password of this account; with another hash it is another one."""
        return hmac.digest(self._key, b"\0".join((account.encode(), stored.encode(), given)), hashlib.sha256)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.kill()
            self._pool = None
