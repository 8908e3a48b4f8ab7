"""The price table in the database (`emg.rules.price_rows` says what a row is).

What is sorted before what: `valid_from` comes last of what rows compete by, so that an export shows the periods of a price one below the other.
"""

import datetime as dt
from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement

from emg.db.models import Price as Model
from emg.db.rule_table import RuleTable, begins_with, decides_for
from emg.rules.faults import Fault
from emg.rules.price_rows import (
    ALWAYS,
    COLUMNS,
    FOREVER,
    REFUNDS,
    UNREADABLE,
    PriceFaults,
    PriceRow,
    ambiguities,
    cells_of,
    key_of,
)

MOST_MOMENTS: Final = 10_000
_moments: dict[Any, int] = {}
_REFUND: Final = {word: number for number, word in enumerate(REFUNDS)}


def _row(cells: list[Any]) -> PriceRow:
    number, prefix, account, connector_in, out, currency, begin, end, price, cost, refund = cells
    valid_from = ALWAYS if begin is None else _epoch(begin)
    valid_until = FOREVER if end is None else _epoch(end)
    return PriceRow(
        *(number, prefix, account, connector_in, out, _amount(price), _amount(cost), currency, valid_from, valid_until),
        _REFUND.get(refund, 0),
    )


def _amount(stored: Any) -> int:
    """Micro-units; SQLite has room for words here."""
    return stored if isinstance(stored, int) else UNREADABLE


def _epoch(text: str) -> int:
    """Whole seconds of a moment as the driver has it; a year 0 (MariaDB) or a word (SQLite) is none."""
    known = _moments.get(text)
    if known is None:
        if len(_moments) >= MOST_MOMENTS:
            _moments.clear()
        try:
            known = int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())
        except (ValueError, TypeError):
            known = UNREADABLE
        _moments[text] = known
    return known


def _values(row: PriceRow) -> tuple[Any, ...]:
    names = row.prefix, row.account, row.connector_in, row.connector_out, row.currency
    return *names, _moment(row.valid_from), _moment(row.valid_until), row.price, row.cost, REFUNDS[row.refund]


def _moment(epoch: int) -> str | None:
    """As the drivers take it, and as SQLite keeps it; None for ever."""
    if epoch in (ALWAYS, FOREVER):
        return None
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _key(row: PriceRow) -> tuple[Any, ...]:
    return *key_of(row), row.valid_from


def _judge(rows: list[PriceRow]) -> list[Fault]:
    """The last one is that which comes; faults are told from its side, for the others have numbers that people know."""
    *there, came = rows
    amiss = {row.id for row, _fault in ambiguities(there)}
    came = msgspec.structs.replace(came, id=max((row.id for row in there), default=0) + 1)
    return [_told(row, fault, came, row.id in amiss) for row, fault in ambiguities([*there, came])]


def _told(row: PriceRow, fault: Fault, came: PriceRow, was_amiss: bool) -> Fault:
    if row is came:
        return Fault(0, fault.field, fault.reason)
    if was_amiss:
        return Fault(0, fault.field, f"row {row.id}: {fault.reason}")
    return Fault(0, "valid_until", f"row {row.id} is for the same messages and begins before this one ends")


def _valid_at(epoch: int) -> ColumnElement[bool]:
    """Rows that are valid then, also those that another of the same messages stands above."""
    when = dt.datetime.fromtimestamp(epoch, dt.UTC)
    begun = Model.valid_from.is_(None) | (Model.valid_from <= when)
    return begun & (Model.valid_until.is_(None) | (Model.valid_until > when))


class Payers(NamedTuple):
    """Accounts that a list of prices is shown to, and what they pay in."""

    accounts: Collection[str]
    currencies: Collection[str]


def _for(payers: Payers) -> ColumnElement[bool]:
    """Rows of these accounts, and those for everybody in their currencies; never another's."""
    return Model.account.in_(["", *payers.accounts]) & Model.currency.in_(payers.currencies)


PRICES: Final = RuleTable(
    Model, PriceRow, "price",
    (
        "prefix", "account", "connector_in", "connector_out", "currency", "valid_from", "valid_until", "price", "cost", "refund",
    ),
    _row, _values, _key, COLUMNS, cells_of,
    same=("prefix", "account", "connector_in", "connector_out", "currency"), judge=_judge, raised=PriceFaults,
    contradictions=ambiguities,
    filters={
        "prefix": begins_with(Model, "prefix"), "decides": decides_for(Model, "prefix"), "valid_at": _valid_at,
        "connector": lambda name: (Model.connector_in == name) | (Model.connector_out == name), "for": _for,
    },
)  # fmt: skip
