"""Logins that were verified before, kept over a restart: so that hundreds of customers who bind again at once are in within seconds.

To compare a password with its argon2 hash takes 0.15 s of a core on purpose; 500 of them would take most of a minute. For an account that has logged in with
its present hash a `Mark` is kept: a second argon2 digest of the right password, with a salt of its own and a twentieth of the work. A login that agrees with it
is right; one that does not, or a new hash, is compared with the hash as ever. The file (mode 0600, beside the spool) makes guessing a stolen password
twenty times as cheap as the hash does, for whoever can read the spool's folder; SECURITY.md says so.

A file that is damaged, or can't be written, costs time at the next restart and nothing else. At most `MOST` marks are kept, the last used ones.
"""

import hashlib
import hmac
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from emg.config import hashes

MOST: Final = 10_000
FILE: Final = "logins"
VERSION: Final = 1

log = logging.getLogger("emg.engine")


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is kept of one account."""

    account: str
    of: bytes
    """Digest of the hash that the password agreed with: another hash is another password."""
    salt: bytes
    digest: bytes


class _Kept(msgspec.Struct, array_like=True):
    version: int
    marks: list[Mark]


class Verified:
    """The marks of all accounts. `agrees` and `make` take milliseconds and change nothing: they are for a native thread."""

    def __init__(self, folder: Path) -> None:
        self.changed = False
        """There is something to `save`."""
        self._path = folder / FILE
        self._marks: OrderedDict[str, Mark] = OrderedDict()
        self._nobody = Mark("", b"", bytes(hashes.LIGHT_SALT), b"")

    def load(self) -> None:
        """Read the file, if there is one that can be read."""
        try:
            kept = msgspec.msgpack.decode(self._path.read_bytes(), type=_Kept)
            if kept.version == VERSION:
                self._marks = OrderedDict((mark.account, mark) for mark in kept.marks)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s is not used, the first login of each account takes longer: %s", self._path, error)

    def of(self, account: str, stored: str) -> Mark:
        """The account's mark for this hash, or one that nothing agrees with: the time of a login must not tell which."""
        mark = self._marks.get(account)
        if mark is None or mark.of != _of(stored):
            return self._nobody
        self._marks.move_to_end(account)
        return mark

    @staticmethod
    def agrees(mark: Mark, given: bytes) -> bool:
        """This is the password that the mark was made of."""
        return hmac.compare_digest(hashes.light(given, mark.salt), mark.digest)

    @staticmethod
    def make(account: str, stored: str, given: bytes) -> Mark:
        """The mark of a password that agreed with its hash."""
        salt = secrets.token_bytes(hashes.LIGHT_SALT)
        return Mark(account, _of(stored), salt, hashes.light(given, salt))

    def add(self, mark: Mark) -> None:
        """Keep it, with the next `save`."""
        self._marks[mark.account] = mark
        self._marks.move_to_end(mark.account)
        if len(self._marks) > MOST:
            self._marks.popitem(last=False)
        self.changed = True

    def seal(self) -> list[Mark]:
        """What `save` has to write; from now on `changed` is about what comes later."""
        self.changed = False
        return list(self._marks.values())

    def save(self, marks: Iterable[Mark], stored: Iterable[str]) -> str:
        """Write the file, without marks of hashes that no account has any more; waits for the disk. Gives what went wrong, or nothing."""
        present = {_of(each) for each in stored}
        octets = msgspec.msgpack.encode(_Kept(VERSION, [mark for mark in marks if mark.of in present]))
        beside = self._path.with_suffix(".new")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(self._path)
        except OSError as error:
            return f"{self._path} can't be written: {error.strerror or error}"
        return ""


def _of(stored: str) -> bytes:
    return hashlib.sha256(stored.encode()).digest()
