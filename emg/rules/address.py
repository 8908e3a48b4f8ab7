"""Addresses: brought to one form when they come in, rewritten as a connector's settings say.

The form inside is that of `emg.message`: digits without `+`, or the letters of an alphanumeric sender, with the type of number (TON)
and numbering plan (NPI) of 3GPP TS 23.040 §9.1.2.5, which are also those of SMPP 3.4 §5.2.5 and §5.2.6. Normalising (S51):

- `+46…` is international (TON 1, NPI 1 where none was given); so is `0046…` unless its TON says national or network specific.
- Blanks, dashes, dots and brackets between digits are taken out. `TON` 3 (short code) and all others stay as they came.
- TON 5, or letters with TON 0: an alphanumeric sender of at most 11 septets of the GSM alphabet, NPI 0. Digits that are too long
  for that, or start with `+`, are a number whatever the TON says: clients often leave it at 5.
- A sender may be empty; its TON and NPI are then 0. More than 20 digits, or anything else, is `Rejected` as BAD_SOURCE or
  BAD_DESTINATION.

Rewriting follows, in this order: REPLACEPREFIX (`old/new`), REMOVEPREFIX, REQUIREPREFIX (put before what does not start
with it), DEFAULT_… where nothing was given (TON and NPI: 0), FORCE_…. Of several prefixes the longest that fits is
taken; names (TON 5) keep their first letters. REMOVEPLUS is what normalising does anyway. Old prefixes are read as
normalising reads an address: `+46` and `0046` mean one that starts with 46. What comes out is not checked again: a
provider that wants `+` gets it by REQUIREPREFIX=+. Normalising twice changes nothing.
"""

from typing import Final

import msgspec

from emg.config.connector import ConnectorConfig
from emg.errors import Cause, Rejected
from emg.text.gsm7 import BASIC, EXTENSION

LONGEST_NUMBER: Final = 20
LONGEST_NAME: Final = 11
SHORTEST_INTERNATIONAL: Final = 7
"""`00` before fewer digits is part of a short code."""

UNKNOWN: Final = 0
INTERNATIONAL: Final = 1
ALPHANUMERIC: Final = 5
ISDN: Final = 1

_SEPTETS: Final = {character: 1 for character in BASIC if character >= " "} | dict.fromkeys(EXTENSION.values(), 2)
_BETWEEN_DIGITS: Final = str.maketrans("", "", " -.()/\u00a0")
_OUTER: Final = " \t\r\n\0\u00a0"

Address = tuple[str, int, int]
"""(address, TON, NPI)"""

_NONE: Final[Address] = ("", UNKNOWN, 0)


def normal_source(address: str, ton: int, npi: int) -> Address:
    """A sender in the form that is used inside. Raises Rejected(BAD_SOURCE)."""
    if address.isdigit() and address.isascii() and len(address) <= LONGEST_NUMBER:
        if ton != ALPHANUMERIC and not address.startswith("00"):
            return address, ton, npi
    elif ton == ALPHANUMERIC and npi == 0 and len(address) <= LONGEST_NAME and address.isalnum() and address.isascii():
        return address, ton, npi
    address = address.strip(_OUTER)
    if not address:
        return "", UNKNOWN, 0
    number = _number(address, ton, npi)
    if number is not None and (ton != ALPHANUMERIC or len(number[0]) > LONGEST_NAME or address[0] == "+"):
        return number
    if ton in (UNKNOWN, ALPHANUMERIC) and _septets(address) <= LONGEST_NAME:
        return address, ALPHANUMERIC, 0
    raise Rejected(Cause.BAD_SOURCE, f"sender {address[:40]!r} (TON {ton}) is neither a number nor a name")


def normal_dest(address: str, ton: int, npi: int) -> Address:
    """A destination in the form that is used inside. Raises Rejected(BAD_DESTINATION)."""
    if (
        address.isdigit()
        and address.isascii()
        and len(address) <= LONGEST_NUMBER
        and ton != ALPHANUMERIC
        and not address.startswith("00")
    ):
        return address, ton, npi
    number = _number(address.strip(_OUTER), ton, npi)
    if number is None:
        raise Rejected(Cause.BAD_DESTINATION, f"destination {address[:40]!r} (TON {ton}) is not a number")
    return number


def _number(address: str, ton: int, npi: int) -> Address | None:
    """The address as a number, None where it is none."""
    digits = address.translate(_BETWEEN_DIGITS)
    if ton == ALPHANUMERIC:
        ton = UNKNOWN
    if digits.startswith("+"):
        digits, ton, npi = digits[1:], INTERNATIONAL, npi or ISDN
    if digits.startswith("00") and ton in (UNKNOWN, INTERNATIONAL) and len(digits) - 2 >= SHORTEST_INTERNATIONAL:
        # More zeros than two would make a second normalising find another prefix.
        digits, ton, npi = digits.lstrip("0"), INTERNATIONAL, npi or ISDN
    if digits.isdigit() and digits.isascii() and len(digits) <= LONGEST_NUMBER:
        return digits, ton, npi
    return None


def _septets(name: str) -> int:
    """Length in the GSM alphabet; more than any limit when a character is not in it."""
    if len(name) > LONGEST_NAME:
        return len(name)
    return sum(_SEPTETS.get(character, LONGEST_NAME + 1) for character in name)


class _Rewrite(msgspec.Struct, frozen=True, gc=False):
    """The settings for one of the two addresses, ready to use. -1 forces nothing."""

    replace: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    require: str = ""
    default: Address = _NONE
    default_ton: int = UNKNOWN
    default_npi: int = 0
    force: Address = _NONE
    force_ton: int = -1
    force_npi: int = -1

    def apply(self, address: str, ton: int, npi: int) -> Address:
        if address and ton != ALPHANUMERIC:
            address = self._prefixes(address)
        if self.force[0]:
            address, ton, npi = self.force
        elif not address:
            address, ton, npi = self.default
        if self.force_ton >= 0:
            ton = self.force_ton
        if self.force_npi >= 0:
            npi = self.force_npi
        elif ton != ALPHANUMERIC:  # a name has no numbering plan
            npi = npi or self.default_npi
        return address, ton or self.default_ton if self.force_ton < 0 else ton, npi

    def _prefixes(self, address: str) -> str:
        for old, new in self.replace:
            if address.startswith(old):
                address = new + address[len(old) :]
                break
        for prefix in self.remove:
            if address.startswith(prefix) and len(address) > len(prefix):
                address = address[len(prefix) :]
                break
        return address if address.startswith(self.require) else self.require + address


_NOTHING: Final = _Rewrite()


class Addressing:
    """What one connector does with the addresses of its messages.

    While `is_identity` is true nothing is set, and addresses that are normal already need not be brought here.
    """

    __slots__ = ("_dest", "_rewrites_dest", "_rewrites_source", "_source", "is_identity")

    def __init__(self, config: ConnectorConfig) -> None:
        """Reads the config. Raises ValueError, which names the keyword, for one that makes no sense."""
        self._source = _Rewrite(
            _pairs("REPLACEPREFIX_SOURCEADDR", config.replaceprefix_sourceaddr),
            _prefixes(config.removeprefix_sourceaddr),
            (config.requireprefix_sourceaddr or "").strip(),
            _given("DEFAULT_SOURCEADDR", config.default_sourceaddr),
            config.default_sourceaddrton or UNKNOWN,
            config.default_sourceaddrnpi or 0,
            _given("FORCE_SOURCEADDR", config.force_sourceaddr),
            _forced(config.force_sourceaddrton),
            _forced(config.force_sourceaddrnpi),
        )
        self._dest = _Rewrite(
            _pairs("REPLACEPREFIX", config.replaceprefix),
            _prefixes(config.removeprefix),
            (config.requireprefix or "").strip(),
            _NONE,
            config.default_destaddrton or UNKNOWN,
            config.default_destaddrnpi or 0,
            _NONE,
            _forced(config.force_destaddrton),
            _forced(config.force_destaddrnpi),
        )
        self._rewrites_source = self._source != _NOTHING
        self._rewrites_dest = self._dest != _NOTHING
        self.is_identity = not (self._rewrites_source or self._rewrites_dest)

    def source(self, address: str, ton: int, npi: int) -> Address:
        """The sender, normalised and rewritten. Raises Rejected(BAD_SOURCE)."""
        rewrite = self._source
        if rewrite.force_ton == ALPHANUMERIC:
            ton = ALPHANUMERIC  # before normalising, which refuses letters with the TON of a number
        normal = normal_source(address, ton, npi)
        return rewrite.apply(*normal) if self._rewrites_source else normal

    def dest(self, address: str, ton: int, npi: int) -> Address:
        """The destination, normalised and rewritten. Raises Rejected(BAD_DESTINATION)."""
        normal = normal_dest(address, ton, npi)
        return self._dest.apply(*normal) if self._rewrites_dest else normal


def _forced(number: int | None) -> int:
    return -1 if number is None else number


def _given(keyword: str, address: str | None) -> Address:
    try:
        return normal_source(address or "", UNKNOWN, 0)
    except Rejected as fault:
        raise ValueError(f"{keyword}: {fault.reason}") from None


def _prefix(written: str) -> str:
    """A prefix as it stands in normal addresses; empty for a bare `+` or `00`, which none of them has."""
    written = written.strip()
    return written[1:] if written.startswith("+") else written.removeprefix("00")


def _prefixes(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(filter(None, map(_prefix, (text or "").split(","))), key=len, reverse=True))


def _pairs(keyword: str, text: str | None) -> tuple[tuple[str, str], ...]:
    pairs = []
    for pair in (text or "").split(","):
        old, slash, new = pair.partition("/")
        if _prefix(old):
            pairs.append((_prefix(old), new.strip()))
        if pair.strip() and not slash:
            raise ValueError(f"{keyword}: {pair!r} is not old/new")
    return tuple(sorted(pairs, key=_length_of_old, reverse=True))


def _length_of_old(pair: tuple[str, str]) -> int:
    return len(pair[0])
