"""The kinds of values that keywords take: how each is read, what is allowed, how it is written back. Pure.

Every parser raises ValueError with a sentence that completes "KEY=VALUE …" and never repeats the value.
"""

import ipaddress
import re
from collections.abc import Mapping
from enum import Enum
from typing import Literal, TypeVar

from emg.config.keywords import Kind, Reads
from emg.config.syntax import SECTION_NAME, SECTION_NAME_SAYS
from emg.config.values import Endpoint, LongOut, MessageMode, Network, Operation
from emg.message import Want
from emg.text.gsm7 import BASIC, EXTENSION

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", re.ASCII)
DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SIZE_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LONGEST_DURATION = 10 * 365 * 86400.0
MOST = 10**12
YES = frozenset({"1", "YES", "TRUE", "ON"})
NO = frozenset({"0", "NO", "FALSE", "OFF"})
LONGEST_TEXT = 4096


def items(text: str) -> list[str]:
    """The parts of a comma-separated list; an empty part is a fault."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ValueError("has an empty place in its list")
    return parts


def _digits(text: str, says: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"must be {says}")
    return int(text)


def whole(low: int, high: int = MOST) -> Kind[int]:
    """A whole number within bounds; hexadecimal with 0x where the bounds are those of an octet."""
    says = f"a whole number from {low} to {high}" if high < MOST else f"a whole number, {low} or more"

    def parse(text: str) -> int:
        octet = high == 255 and re.fullmatch(r"0[xX][0-9a-fA-F]{1,2}", text)
        number = int(text, 16) if octet else _digits(text, says)
        if not low <= number <= high:
            raise ValueError(f"must be {says}")
        return number

    return Kind("number", says, parse)


def _parse_flag(text: str) -> bool:
    word = text.upper()
    if word not in YES | NO:
        raise ValueError("must be yes or no (1 or 0)")
    return word in YES


def _show_flag(value: bool) -> str:
    return "yes" if value else "no"


FLAG = Kind(
    "flag", "nothing (the bare keyword) or 1/yes/on for yes, 0/no/off for no", _parse_flag, _show_flag, bare=True
)


def show_duration(seconds: float) -> str:
    """Seconds in the largest unit that divides them: 604800 is 7d."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % DURATION_UNITS[unit] == 0:
            return f"{seconds / DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def duration(*, zero: bool = True) -> Kind[float]:
    """Seconds, with an optional unit; `zero`: 0 is allowed (what it means is said by the keyword)."""
    says = "a time such as 90, 90s, 15m, 2h or 7d (seconds without a unit)" + ("" if zero else ", more than 0")

    def parse(text: str) -> float:
        match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([smhdw]?)", text.lower())
        seconds = float(match[1]) * DURATION_UNITS[match[2] or "s"] if match else -1.0
        if not 0 <= seconds <= LONGEST_DURATION or (not seconds and not zero):
            raise ValueError(f"must be {says}, at most ten years")
        return seconds

    return Kind("time", says, parse, show_duration)


def _show_size(size: int) -> str:
    for unit in ("G", "M", "K"):
        if size and size % SIZE_UNITS[unit] == 0:
            return f"{size // SIZE_UNITS[unit]}{unit}"
    return str(size)


def size(low: int, high: int) -> Kind[int]:
    """A number of bytes, with an optional K, M or G (powers of 1024)."""
    says = f"a number of bytes such as 65536, 64K or 100M, from {_show_size(low)} to {_show_size(high)}"

    def parse(text: str) -> int:
        unit = SIZE_UNITS.get(text[-1:].upper(), 0)
        count = _digits(text[:-1] if unit else text, says) * (unit or 1)
        if not low <= count <= high:
            raise ValueError(f"must be {says}")
        return count

    return Kind("size", says, parse, _show_size)


def rate(high: float, says: str) -> Kind[float]:
    """A number that may have decimals, from 0."""

    def parse(text: str) -> float:
        number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else -1.0
        if not 0 <= number <= high:
            raise ValueError(f"must be {says}")
        return number

    # without the exponent that a large one would have otherwise, which could not be read back
    return Kind("decimal", says, parse, lambda value: f"{value:.9f}".rstrip("0").rstrip("."))


def text(longest: int = LONGEST_TEXT, shortest: int = 0) -> Kind[str]:
    """Text as it stands; Latin-1, because that is all that the protocols' own text fields can carry."""
    at_least = f"{shortest} to " if shortest else "at most "
    says = f"text of {at_least}{longest} characters" if longest < LONGEST_TEXT else "text"

    def parse(value: str) -> str:
        if not shortest <= len(value) <= longest or any(character > "\xff" for character in value):
            raise ValueError(f"must be {says}, without characters beyond Latin-1")
        return value

    return Kind("text", says, parse)


def choice(enum: type[E], aliases: Mapping[str, E] | None = None, among: tuple[E, ...] = ()) -> Kind[E]:
    """One member of an enumeration, by name in any case; `aliases` are further spellings, `among` allows only some members."""
    words = {member.name: member for member in among or enum}
    says = " or ".join(words)
    known = words | dict(aliases or {})

    def parse(value: str) -> E:
        member = known.get(value.upper())
        if member is None:
            raise ValueError(f"must be {says}")
        return member

    return Kind("choice", says, parse, lambda member: member.name, choices=tuple(words))


def listed(kind: Kind[T], says: str) -> Kind[tuple[T, ...]]:
    """Values of one kind with commas between them."""

    def parse(value: str) -> tuple[T, ...]:
        return tuple(kind.parse(item) for item in items(value))

    def show(values: tuple[T, ...]) -> str:
        return ",".join(kind.show(value) for value in values)

    return Kind("list", says, parse, show)


def _parse_name(value: str) -> str:
    if not SECTION_NAME.fullmatch(value):
        raise ValueError(f"must be a name: {SECTION_NAME_SAYS}")
    return value


CONNECTOR_NAME = Kind("connector", "the name of a connector", _parse_name)
GROUP_NAME = Kind("name", SECTION_NAME_SAYS, _parse_name)


def _parse_connectors(value: str) -> tuple[str, ...]:
    return () if value == "*" else tuple(_parse_name(item) for item in items(value))


CONNECTORS = Kind(
    "connectors", "names of connectors with commas between them, or * for all", _parse_connectors,
    lambda names: ",".join(names) or "*",
)  # fmt: skip


def _path(says: str, reads: Reads) -> Kind[str]:
    def parse(value: str) -> str:
        if not value:
            raise ValueError(f"must be {says}")
        return value

    return Kind("path", says, parse, reads=reads)


FILE = _path("the name of a readable file", Reads.FILE)
PLACE = _path("the name of a folder or file", Reads.PLACE)

ENDPOINT_SAYS = "host:port or [IPv6 address]:port"


def _host(value: str) -> str:
    """An address in its shortest form, or a name in lower case."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if not HOST.fullmatch(value) or value.replace(".", "").isdigit() or not _has_labels(value):
            raise ValueError(f"must be {ENDPOINT_SAYS}") from None
        return value.lower()
    return str(getattr(address, "ipv4_mapped", None) or address)


def _has_labels(name: str) -> bool:
    """No part between the dots is empty or longer than 63 characters (RFC 1035 §2.3.4); no resolver takes such a name."""
    return all(0 < len(label) < 64 for label in name.removesuffix(".").split("."))


def _parse_endpoint(value: str) -> Endpoint:
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or bracketed != (":" in host) or not host:
        raise ValueError(f"must be {ENDPOINT_SAYS}")
    number = _digits(port, f"{ENDPOINT_SAYS}, the port a number")
    if number > 65535:
        raise ValueError("must have a port up to 65535")
    return Endpoint(_host(host[1:-1] if bracketed else host), number)


ENDPOINT = Kind("address", ENDPOINT_SAYS, _parse_endpoint)
ENDPOINTS = listed(ENDPOINT, f"{ENDPOINT_SAYS}; several with commas between them")


def _parse_network(value: str) -> Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise ValueError(
            "must be IP addresses or networks such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, where all bits beyond the mask are 0"
        ) from None


NETWORK: Kind[Network] = Kind("network", "an IP address or network such as 192.0.2.0/24", _parse_network)
_NETWORKS = listed(NETWORK, "")
NETWORKS: Kind[tuple[Network, ...]] = Kind(
    "networks", "IP addresses or networks (192.0.2.0/24) with commas between them, or * for everywhere",
    lambda value: () if value == "*" else _NETWORKS.parse(value),
    lambda networks: _NETWORKS.show(networks) or "*",
)  # fmt: skip


def _parse_window(value: str) -> int | Literal["auto"]:
    if value.lower() == "auto":
        return "auto"
    try:
        return whole(1, 1000).parse(value)
    except ValueError:
        raise ValueError("must be a whole number from 1 to 1000, or auto") from None


WINDOW: Kind[int | Literal["auto"]] = Kind("window", "a whole number from 1 to 1000, or auto", _parse_window)
WINDOW_OR_NONE: Kind[int | Literal["auto"] | None] = Kind(WINDOW.name, WINDOW.says, _parse_window)

VERSIONS = dict.fromkeys(("33", "3.3", "0X33"), 0x33)
VERSIONS |= dict.fromkeys(("34", "3.4", "0X34"), 0x34)
VERSIONS |= dict.fromkeys(("50", "5.0", "0X50"), 0x50)


def _parse_version(value: str) -> int:
    if value.upper() not in VERSIONS:
        raise ValueError("must be 33, 34 or 50")
    return VERSIONS[value.upper()]


VERSION = Kind("version", "33, 34 or 50", _parse_version, lambda version: f"{version:x}")

WANTS = {
    "0": Want.NOTHING, "NONE": Want.NOTHING, "1": Want.FINAL, "FINAL": Want.FINAL, "3": Want.FINAL | Want.INTERMEDIATE,
    "ALL": Want.FINAL | Want.INTERMEDIATE, "FAILURE": Want.FAILURE, "SUCCESS": Want.SUCCESS,
}  # fmt: skip
WANTS_SAYS = "0 (none), 1 (final), 3 (final and intermediate), FAILURE or SUCCESS (final of that kind only)"


def _parse_want(value: str) -> Want:
    if value.upper() not in WANTS:
        raise ValueError(f"must be {WANTS_SAYS}")
    return WANTS[value.upper()]


WANT = Kind(
    "reports", WANTS_SAYS, _parse_want, lambda want: next(word for word, value in WANTS.items() if value == want)
)

PREFIX = re.compile(r"\+?[A-Za-z0-9]{1,20}|\+", re.ASCII)
PREFIX_SAYS = "the first characters of an address, such as 46, 00 or +"


def _parse_prefix(value: str) -> str:
    if not PREFIX.fullmatch(value):
        raise ValueError(f"must be {PREFIX_SAYS}")
    return value


ONE_PREFIX = Kind("prefix", PREFIX_SAYS, _parse_prefix)
PREFIXES = Kind(
    "prefixes",
    "the first characters of an address, such as 46 (also written 0046 or +46); several with commas between them",
    lambda value: ",".join(_parse_prefix(item) for item in items(value)),
)

SWAPS_SAYS = "OLD/NEW such as 07/467 (NEW may be empty); several with commas between them"


def _parse_swap(value: str) -> str:
    old, slash, new = value.partition("/")
    if not slash or not PREFIX.fullmatch(old) or (new and not PREFIX.fullmatch(new)):
        raise ValueError(f"must be {SWAPS_SAYS}")
    return value


SWAPS = Kind("swaps", SWAPS_SAYS, lambda value: ",".join(_parse_swap(item) for item in items(value)))

NUMBER = re.compile(r"\+?[0-9]{1,20}", re.ASCII)
SENDER_SAYS = "a number of at most 20 digits, or a name of at most 11 characters of the GSM alphabet"
LONGEST_SENDER_NAME = 11
SEPTETS = {character: 1 for character in BASIC if character >= " "} | dict.fromkeys(EXTENSION.values(), 2)


def _parse_sender(value: str) -> str:
    septets = sum(SEPTETS.get(character, LONGEST_SENDER_NAME + 1) for character in value)
    if not NUMBER.fullmatch(value) and not (value.strip() and septets <= LONGEST_SENDER_NAME):
        raise ValueError(f"must be {SENDER_SAYS}")
    return value


SENDER_ADDRESS = Kind("sender", SENDER_SAYS, _parse_sender)

PATTERN = re.compile(r"[^\s,]{1,40}")


def _parse_pattern(value: str) -> str:
    if not PATTERN.fullmatch(value):
        raise ValueError("must be addresses, where * stands for any characters and ? for one")
    return value


PATTERNS = listed(
    Kind("pattern", "", _parse_pattern), "addresses with commas between them; * stands for any characters, ? for one"
)

MODES_SAYS = "SPLIT, SPLIT16, SAR, PAYLOAD or ASIS; JOIN alone or after a comma"


def _parse_message_mode(value: str) -> MessageMode:
    words = [word.upper() for word in items(value)]
    outs = [word for word in words if word != "JOIN"]
    if len(outs) > 1 or len(words) - len(outs) > 1 or any(word not in LongOut.__members__ for word in outs):
        raise ValueError(f"must be {MODES_SAYS}")
    return MessageMode(LongOut[outs[0]] if outs else LongOut.SPLIT, len(outs) < len(words))


MESSAGE_MODE = Kind("long messages", MODES_SAYS, _parse_message_mode)

ID_FORMATS = ("text", "auto", "dec", "hex", "dec:hex", "hex:dec")


def _parse_id_format(value: str) -> str:
    if value.lower() not in ID_FORMATS:
        raise ValueError(f"must be {' or '.join(ID_FORMATS)}")
    return value.lower()


ID_FORMAT = Kind("id format", " or ".join(ID_FORMATS), _parse_id_format)


def _parse_operations(value: str) -> frozenset[Operation]:
    kind = choice(Operation)
    return frozenset(kind.parse(item) for item in items(value))


OPERATIONS = Kind(
    "operations", ", ".join(operation.name for operation in Operation) + "; several with commas between them",
    _parse_operations, lambda chosen: ",".join(operation.name for operation in Operation if operation in chosen),
)  # fmt: skip

URL = re.compile(r"[a-z][a-z0-9+]*://\S+", re.ASCII)


def _parse_url(value: str) -> str:
    if not URL.fullmatch(value):
        raise ValueError(
            "must be a URL such as mysql+pymysql://user:password@host/name, sqlite:////var/lib/emg/emg.db or sqlite:///emg.db"
        )
    return value


DATABASE_URL = Kind("URL", "a database URL", _parse_url, reads=Reads.URL)
