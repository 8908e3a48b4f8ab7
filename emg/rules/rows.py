"""Rows that people write into the database, whatever way they come: options of a command, a CSV file, a form, or a hand in the database. Pure.

What a row may hold is a table of `Field`s; three functions walk it. `read` takes texts and gives the values of the table's columns. `check` takes
values as the database holds them. `write` makes texts of values, which `read` takes again. An empty text is the field's default. All faults
come at once, each with its field, as `RowFaults`; none holds the value of a secret field.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from emg.config.keywords import Kind
from emg.rules import currencies, money
from emg.rules.faults import Fault, TableFaults

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAIL: Final = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\".]+(\.[^@\s,;<>\".]+)*")


class Known(NamedTuple):
    """Names that rows may speak of; None where they can't be looked at."""

    connectors: Collection[str] | None = None
    customers: Collection[str] | None = None


class RowFaults(TableFaults):
    """A row, or a file of rows, that can't be used; see `faults`."""

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__(tuple(faults))


def fault(field: str, reason: str) -> RowFaults:
    """One fault of a row that stands in no file."""
    return RowFaults([Fault(0, field, reason)])


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its kind and default as the table holds it, and what it is for."""

    name: str
    kind: Kind[Any]
    default: Any
    about: str
    needed: bool = False
    """An empty one is a fault."""
    refers: str = ""
    """`connectors` or `customers`: it names one of these."""
    secret: bool = False
    group: str = ""
    """Which options belong together in the help; empty for a column that no option sets."""


Fields = Mapping[str, Field]


def table(*fields: Field) -> Fields:
    """The fields by name."""
    return {field.name: field for field in fields}


def read(fields: Fields, given: Mapping[str, str], known: Known, *, whole: bool) -> dict[str, Any]:
    """The values of what is given; `whole`: with the defaults of what is not. Raises RowFaults."""
    values, faults = values_of(fields, given, known, whole=whole)
    if faults:
        raise RowFaults(faults)
    return values


def values_of(
    fields: Fields, given: Mapping[str, str], known: Known, *, whole: bool, line: int = 0
) -> tuple[dict[str, Any], list[Fault]]:
    """As `read`, with the faults beside the values; `line` is where the row stands in its file."""
    values: dict[str, Any] = {}
    faults = [
        Fault(line, name, f"no such field; there are {', '.join(fields)}") for name in given if name not in fields
    ]
    for field in fields.values():
        if field.name not in given and not whole:
            continue
        try:
            values[field.name] = _value(field, given.get(field.name, "").strip(), known)
        except ValueError as reason:
            faults.append(Fault(line, field.name, str(reason)))
    return values, faults


def check(fields: Fields, values: Mapping[str, Any], known: Known) -> list[Fault]:
    """What is wrong with a row as the database holds it: the same rules."""
    faults = []
    for field in fields.values():
        try:
            _value(field, text(field, values[field.name]), known)
        except ValueError as reason:
            faults.append(Fault(0, field.name, str(reason)))
    return faults


def _value(field: Field, given: str, known: Known) -> Any:
    if not given:
        if field.needed:
            raise ValueError("must not be empty")
        return field.default
    value = field.kind.parse(given)
    names = getattr(known, field.refers) if field.refers else None
    if names is not None and value not in names and value != field.default:
        raise ValueError(f"there is no {field.refers.removesuffix('s')} {value!r}")
    return value


def write(fields: Fields, values: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a row's fields."""
    return {field.name: text(field, values[field.name]) for field in fields.values() if field.name in values}


def text(field: Field, value: Any) -> str:
    """A value as `read` takes it. What got into the database by hand and is of another kind (SQLite keeps any) stands as it is."""
    if value is None:
        return ""
    try:
        return field.kind.show(value)
    except (TypeError, ValueError, AttributeError):
        return str(value)


# -- kinds that only tables have


def stored(kind: Kind[Any], longest: int) -> Kind[str]:
    """What the table keeps as the text that the configuration would hold, in a column of so many characters."""

    def parse(given: str) -> str:
        text = kind.show(kind.parse(given))
        if len(text) > longest:
            raise ValueError(f"must be at most {longest} characters in all")
        return text

    return Kind(kind.name, kind.says, parse)


def words(longest: int, *, lines: bool = False) -> Kind[str]:
    """Text for people's eyes, in any script; `lines`: it may have several."""
    says = f"text of at most {longest} characters" + ("" if lines else " on one line")

    def parse(given: str) -> str:
        given = given.replace("\r\n", "\n")
        if len(given) > longest or _CONTROL.search(given.replace("\n", "") if lines else given):
            raise ValueError(f"must be {says}, without control characters")
        return given

    return Kind("text", says, parse)


def one_of(*known: str) -> Kind[str]:
    """One of these words, in lower case."""
    says = " or ".join(known)

    def parse(given: str) -> str:
        if given.lower() not in known:
            raise ValueError(f"must be {says}")
        return given.lower()

    return Kind("choice", says, parse, choices=known)


def _limit(given: str) -> int:
    amount = money.parse(given)
    if amount < 0:
        raise ValueError("must not be negative")
    return amount


AMOUNT: Final[Kind[int]] = Kind("amount", "an amount such as 10.00", money.parse, money.show)
LIMIT: Final[Kind[int]] = Kind("amount", "an amount such as 10.00, not negative", _limit, money.show)
CURRENCY: Final[Kind[str]] = Kind("currency", "an ISO 4217 code such as EUR", currencies.code)


def _mail(given: str) -> str:
    addresses = [address.strip() for address in given.split(",")]
    if len(given) > 255 or not all(_MAIL.fullmatch(address) for address in addresses) or _CONTROL.search(given):
        raise ValueError("must be a mail address such as ann@example.com; several with commas between them")
    return ", ".join(addresses)


def _one_mail(given: str) -> str:
    if "," in given:
        raise ValueError("must be one mail address such as ann@example.com")
    return _mail(given)


MAILS: Final[Kind[str]] = Kind("mail addresses", "mail addresses with commas between them", _mail)
MAIL: Final[Kind[str]] = Kind("mail address", "a mail address such as ann@example.com", _one_mail)
