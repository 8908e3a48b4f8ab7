"""Whether a login's password is right: plain passwords at once, argon2 hashes in native threads.

`quick` answers what can be known without work: a plain password, or one that was verified before (kept as a keyed digest, so that
sessions that come back are in at once). None means: ask `slow`, which keeps the calling greenlet, and no other, for as long as it takes. That is
first a look at what outlives a restart (`emg.engine.verified`, some milliseconds), then the hash. Where any account has a hash, every wrong login costs
both, also that of a name that does not exist: the time tells nothing.

The two have threads of their own, so that a flood of wrong passwords does not stand before customers who come back. Before each of them logins wait as
long as they may, in turn by address (`emg.engine.comparing`); one that can't be decided within its time is told `Busy` as soon as that is known.
Several logins of one account with one password cost one comparison.
"""

import hashlib
import hmac
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

import gevent

from emg.config import hashes
from emg.engine.comparing import Busy, Comparing
from emg.engine.verified import Mark, Verified

__all__ = ["Busy", "Passwords"]

WAITING = 2000
"""Logins that wait for either. With BINDTIMEOUT=30 time allows for some 400 hashes before the last one is due: the bound on memory is the outer one."""
HASH_SECONDS = 0.15
LOOK_SECONDS = 0.007
SECONDS = 10.0
"""For a login that has no time limit of its own."""
REMEMBERED = 10_000
SAVE_SECONDS = 5.0
"""So long after a login the file of those that were verified is written."""

log = logging.getLogger("emg.engine")


class Passwords:
    """See the module's text. Without a `folder` nothing outlives a restart."""

    def __init__(self, folder: Path | None = None) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._stored: tuple[str, ...] = ()
        self._nobody = ""
        """Some account's hash: what a name without one is compared with, to no effect but the time it takes. Empty: there are no hashes."""
        self._hashing = Comparing(WAITING, HASH_SECONDS)
        self._returning = Comparing(WAITING, LOOK_SECONDS)
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

    def slow(
        self, account: str, stored: str, given: bytes, address: str = "", seconds: float = SECONDS,
        wanted: Callable[[], bool] = lambda: True,
    ) -> bool:  # fmt: skip
        """The same with all the work, which may wait for so long while it is `wanted`. Raises Busy."""
        real = hashes.is_hash(stored)
        verified = self._verified
        until = time.monotonic() + seconds

        def early() -> bool | None:
            """Nobody waits for it any more, or another login of the account was quicker."""
            return self._outdated(account, stored, given, wanted)

        right = False
        if verified is not None:
            right = self._returning.run(address, seconds, early, verified.agrees, verified.of(account, stored), given)
        if not right:
            seconds = max(until - time.monotonic(), 0.0)
            against = stored if real else self._nobody
            right = self._hashing.run(
                address, seconds, early, _compared, account if real and verified is not None else "", against, given
            )
        if not real or not right:
            return False
        if verified is not None and isinstance(right, Mark):
            self._keep(verified, right)
        self._known[self._mark(account, stored, given)] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True

    def _outdated(self, account: str, stored: str, given: bytes, wanted: Callable[[], bool]) -> bool | None:
        if not wanted():
            return False
        return True if self._mark(account, stored, given) in self._known else None

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


def _compared(account: str, stored: str, given: bytes) -> Mark | bool:
    """In a thread: is it the password of this hash? For an account the mark by which it is known after a restart."""
    if not hashes.matches(stored, given):
        return False
    return Verified.make(account, stored, given) if account else True
