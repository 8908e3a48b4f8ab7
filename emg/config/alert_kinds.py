"""The kinds of values that only the watchdog's keywords take: mail addresses, a web address, telephone numbers, limits by program. Pure.

As in `emg.config.kinds`, every parser raises ValueError with a sentence that completes "KEY=VALUE …" and never repeats the value.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from emg.config import kinds
from emg.config.keywords import Kind

MOST_RECIPIENTS: Final = 20
_MAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII
)
_NUMBER: Final = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
_PROGRAM: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_URL: Final = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)
_MAIL_SAYS: Final = "a mail address such as ann@example.com"
_URL_SAYS: Final = "a URL such as https://host/path, without user and password"
_MEMORY_SAYS: Final = "PROGRAM:SIZE such as gateway:2G; several with commas between them"


def _parse_mail(value: str) -> str:
    if not _MAIL.fullmatch(value) or len(value) > 254:
        raise ValueError(f"must be {_MAIL_SAYS}")
    return value


def _parse_number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError("must be telephone numbers of 3 to 20 digits")
    return value


def _bounded(kind: Kind[tuple[str, ...]]) -> Kind[tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(kind.parse(value)))
        if len(found) > MOST_RECIPIENTS:
            raise ValueError(f"must be at most {MOST_RECIPIENTS}")
        return found

    return Kind(kind.name, kind.says, parse, kind.show)


MAIL: Final = Kind("mail address", _MAIL_SAYS, _parse_mail)
MAILS: Final = _bounded(kinds.listed(MAIL, f"{_MAIL_SAYS}; at most {MOST_RECIPIENTS} with commas between them"))
NUMBERS: Final = _bounded(
    kinds.listed(
        Kind("number", "", _parse_number),
        f"telephone numbers in international form; at most {MOST_RECIPIENTS} with commas between them",
    )
)


def _parse_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = bool(_URL.fullmatch(value) and parts.hostname and parts.port != 0 and "@" not in parts.netloc)
    except ValueError:  # a port that is no number, a bracket that is not closed
        sound = False
    if not sound:
        raise ValueError(f"must be {_URL_SAYS}")
    return value


WEB_URL: Final = Kind("URL", _URL_SAYS, _parse_url)

_SIZE: Final = kinds.size(16 << 20, 1 << 40)


def _parse_limits(value: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for item in kinds.items(value):
        name, colon, size = item.partition(":")
        if not colon or not _PROGRAM.fullmatch(name) or name in found:
            raise ValueError(f"must be {_MEMORY_SAYS}")
        found[name] = _SIZE.parse(size)
    return tuple(found.items())


MEMORY: Final[Kind[tuple[tuple[str, int], ...]]] = Kind(
    "limits",
    _MEMORY_SAYS,
    _parse_limits,
    lambda limits: ",".join(f"{name}:{_SIZE.show(size)}" for name, size in limits),
)
