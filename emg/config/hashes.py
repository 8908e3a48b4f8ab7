"""Passwords kept as argon2 hashes (RFC 9106), in the usual text form `$argon2id$v=19$m=65536,t=3,p=1$SALT$HASH`. Pure.

Made and compared from the octets that come over the wire. A comparison takes about 0.15 s and 64 MiB on purpose: never do it where
others wait (see `emg.engine.passwords`).
"""

import re
import secrets
import string
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MARK: Final = "$argon2"
"""A password that starts so is a hash."""
ITERATIONS: Final = 3
MEMORY_KIB: Final = 65536
LANES: Final = 1
"""One thread a comparison: logins must not take all cores from the messages."""
LIGHT_ITERATIONS: Final = 1
LIGHT_MEMORY_KIB: Final = 8192
LIGHT_SALT: Final = 16

_FORM: Final = re.compile(r"\$argon2(id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}")


def is_hash(stored: str) -> bool:
    """This is not the password itself but its hash."""
    return stored.startswith(MARK)


def is_sound(stored: str) -> bool:
    """A hash that a password can be compared with."""
    return _FORM.fullmatch(stored) is not None


def generated(length: int) -> str:
    """A password: letters and digits, without those that look alike."""
    alphabet = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1Il")))
    return "".join(secrets.choice(alphabet) for _ in range(length))


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # most runs of the commands need none of it

    return PasswordHasher(ITERATIONS, MEMORY_KIB, LANES)


def make(password: bytes) -> str:
    """The hash of a password, with a salt of its own."""
    return _hasher().hash(password)


def matches(stored: str, password: bytes) -> bool:
    """Is this the password of the hash? False also for a hash that is not sound."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def light(password: bytes, salt: bytes) -> bytes:
    """A digest that costs a twentieth of the hash: for passwords that the hash was compared with before. Takes about 7 ms."""
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(password, salt, LIGHT_ITERATIONS, LIGHT_MEMORY_KIB, LANES, 32, Type.ID)
