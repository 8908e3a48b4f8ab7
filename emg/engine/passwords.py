"""Whether a login's password is right: plain passwords at once, argon2 hashes in native threads.

`quick` answers what can be known without work: a plain password, or one that was verified before (kept as a keyed digest, so that
sessions that come back are in at once). None means: ask `slow`, which keeps the calling greenlet, and no other, for as long as it takes. That is
first a look at what outlives a restart (`emg.engine.verified`, some milliseconds), then the hash. Where any account has a hash, every wrong login costs
both, also that of a name that does not exist: the time tells nothing.

The two have threads of their own, so that a flood of wrong passwords does not stand before customers who come back. At most `WAITING` logins wait
for a hash and `RETURNING` for the quick look; beyond it `slow` raises `Busy`.
"""

import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, cast

import gevent
from gevent.threadpool import ThreadPool

from emg.config import hashes
from emg.engine.verified import Mark, Verified
from emg.errors import EmgError

THREADS = 2
WAITING = 50
"""At two threads and 0.15 s each the last one waits about four seconds."""
RETURNING = 2000
"""At two threads and 7 ms each the last one waits about seven seconds."""
SECONDS = 10.0
REMEMBERED = 10_000
SAVE_SECONDS = 5.0
"""So long after a login the file of those that were verified is written."""

T = TypeVar("T")
log = logging.getLogger("emg.engine")


class Busy(EmgError):
    """Too many logins are being looked at; nothing is known about this one."""


class _Threads:
    """Native threads, made when first needed, with a bound on who waits for them."""

    def __init__(self, most: int) -> None:
        self.waiting = 0
        self._most = most
        self._pool: ThreadPool | None = None

    def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Do it there. Raises Busy."""
        if self.waiting >= self._most:
            raise Busy(f"{self.waiting} logins wait for their passwords to be compared")
        if self._pool is None:
            self._pool = ThreadPool(THREADS)
        self.waiting += 1
        try:
            with gevent.Timeout(SECONDS):
                return cast(T, self._pool.spawn(work, *arguments).get())
        except gevent.Timeout:
            raise Busy(f"a password was not compared within {SECONDS:g} s") from None
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.kill()
            self._pool = None


class Passwords:
    """See the module's text. Without a `folder` nothing outlives a restart."""

    def __init__(self, folder: Path | None = None) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._stored: tuple[str, ...] = ()
        self._nobody = ""
        """Some account's hash: what a name without one is compared with, to no effect but the time it takes. Empty: there are no hashes."""
        self._hashing = _Threads(WAITING)
        self._returning = _Threads(RETURNING)
        self._saver: gevent.Greenlet[..., None] | None = None
        self._verified: Verified | None = None
        if folder is not None:
            self._verified = Verified(folder)
            self._verified.load()

    def configure(self, stored: Iterable[str]) -> None:
        """Take the passwords of all accounts, as they are kept."""
        self._stored = tuple(filter(hashes.is_hash, stored))
        self._nobody = self._stored[0] if self._stored else ""

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
        real = hashes.is_hash(stored)
        verified = self._verified
        right = verified is not None and self._returning.run(verified.agrees, verified.of(account, stored), given)
        if not right:
            right = self._hashing.run(hashes.matches, stored if real else self._nobody, given)
            if real and right and verified is not None:
                self._keep(verified, self._returning.run(verified.make, account, stored, given))
        if not real or not right:
            return False
        self._known[self._mark(account, stored, given)] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True

    def _keep(self, verified: Verified, mark: Mark) -> None:
        verified.add(mark)
        if self._saver is None:
            self._saver = gevent.spawn_later(SAVE_SECONDS, self._save, verified)

    def _save(self, verified: Verified) -> None:
        self._saver = None
        fault = gevent.get_hub().threadpool.apply(verified.save, (verified.seal(), self._stored))
        if fault:
            log.warning("%s; after a restart the first login of each account takes longer", fault)

    def _mark(self, account: str, stored: str, given: bytes) -> bytes:
        """What stands for this very password of this account; with another hash it is another one."""
        return hmac.digest(self._key, b"\0".join((account.encode(), stored.encode(), given)), hashlib.sha256)

    def close(self) -> None:
        """Let the threads go; what was verified is on disk."""
        self._hashing.close()
        self._returning.close()
        if self._saver is not None:
            self._saver.kill()
            self._saver = None
        verified = self._verified
        if verified is not None and verified.changed:
            verified.save(verified.seal(), self._stored)
