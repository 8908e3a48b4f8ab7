"""A row of the log as people read it: which columns for whom, and what a status or a code says.

A customer's people see their own messages, prices (who may see prices) and the network's code, which their reports carry too. They never see by which operator a message went, what
he charges, his id of it, his own words, nor what decided the way.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from emg.db.messages import Found
from emg.message import Encoding
from emg.rules import money
from portal import scope
from portal.csv_out import Amount
from portal.guard import allowed
from portal.permissions import Permission

ALPHABETS: Final = {
    Encoding.GSM7: "GSM 7 bit", Encoding.BINARY: "binary", Encoding.LATIN1: "Latin 1", Encoding.UCS2: "UCS-2", Encoding.ASCII: "ASCII",
    Encoding.OPAQUE: "unknown",
}  # fmt: skip
OPERATORS: Final = ("connector_in", "connector_out", "remote_id", "route", "price_row", "tries", "maybe_sent", "node")
"""Columns of the house."""
CUSTOMERS: Final = (
    "id", "received", "account", "source", "dest", "encoding", "octets", "parts", "status", "sent", "done", "error", "cause", "prefix", "network",
    "reference", "ip",
)  # fmt: skip
PRICES: Final = ("price", "refunded", "currency")
COSTS: Final = ("cost", "margin")
AMOUNTS: Final = frozenset({"price", "refunded", "cost", "margin"})


@dataclass(frozen=True, slots=True)
class Sees:
    """What the person who asks is shown; taken once, for what goes on when the request is over."""

    house: bool
    prices: bool
    costs: bool
    texts: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a row that he takes away."""
        return (
            *CUSTOMERS,
            *(OPERATORS if self.house else ()),
            *(PRICES if self.prices else ()),
            *(COSTS if self.costs else ()),
            *(("text",) if self.texts else ()),
        )


def sees() -> Sees:
    """Of the person who asks."""
    return Sees(
        house=scope.is_house(),
        prices=allowed(Permission.SEE_PRICES),
        costs=allowed(Permission.SEE_COSTS),
        texts=allowed(Permission.READ_TEXTS),
    )


def cells(row: Found, columns: tuple[str, ...], text: str = "") -> list[Any]:
    """A row for a file."""
    return [_cell(row, name, text) for name in columns]


def _cell(row: Found, name: str, text: str) -> Any:
    if name == "text":
        return text
    value = row.price - row.cost if name == "margin" else getattr(row, name)
    if name in AMOUNTS:
        return Amount(money.show(value))
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z"
    if name == "encoding":
        return alphabet(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.value if name == "status" else value


def alphabet(number: int) -> str:
    """How a message's octets are to be read."""
    return ALPHABETS[Encoding(number)] if number in set(Encoding) else str(number)


def took(row: Found) -> float | None:
    """Seconds from received to its end."""
    return (row.done - row.received).total_seconds() if row.done else None
