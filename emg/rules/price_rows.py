"""Rows of the price table as people write them: CSV text ↔ `PriceRow`.

What `csv_rows` says of header, lines and cells holds; `price` and `currency` must be there. `price` and `cost` are decimals of one message
part, up to six places, not negative; a missing cost is 0. `currency` is an ISO 4217 code. `connector_out` is one connector's name. `valid_from`
and `valid_until` (not included) are `2026-07-01` or `2026-07-01T12:30:00`, UTC unless an offset (`+02:00`, `Z`) says otherwise, whole seconds;
empty means since ever and for ever. `refund` says when the price is given back: `never`, `refused` (no operator took the message; the default)
or `undelivered` (also when the operator reports that it did not arrive).

Two rows that are equal in prefix, account, connectors and currency are *ambiguous*, and a fault that names both, when they begin at the same
moment, or when one says that it ends after the other has begun. A row that does not say when it ends makes room for whatever begins
after it, and is in force again when that ends: a price list goes on until the next, and an offer of a week stands above it.

Fails with `PriceFaults`, which lists every faulty row; then nothing is loaded.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, final

import msgspec

from emg.rules import currencies, money
from emg.rules.csv_rows import CsvReader, text_of
from emg.rules.faults import Fault, TableFaults
from emg.rules.snapshot import PriceRow as StoredPrice

COLUMNS: Final = (
    "prefix", "account", "connector_in", "connector_out", "price", "cost", "currency", "valid_from", "valid_until", "refund",
)  # fmt: skip
HELPS: Final = {
    "prefix": "of the destination; without it any",
    "account": "only messages of this account",
    "connector_in": "only messages received on this connector",
    "connector_out": "only messages sent by this connector",
    "price": "what a message part costs the sender",
    "cost": "what it costs us (default: 0)",
    "currency": "such as EUR: the row is for accounts of this currency",
    "valid_from": "2026-07-01 or 2026-07-01T12:30:00, in UTC; without it since ever",
    "valid_until": "not included; without it for ever",
    "refund": "when the price is given back: never, refused (the default) or undelivered",
}
"""What each column is, for options and forms."""
REFUNDS: Final = ("never", "refused", "undelivered")
"""The number of each is its place here; see `emg.message.Charge`."""
ALWAYS: Final = 0
LARGEST: Final = 10_000_000 * money.MICRO
"""Of a message part; the price of a message of 255 parts, and sums of very many of them, fit 64 bits."""
FOREVER: Final = 253_402_300_800
"""The year 10000: after everything that a date can say."""

UNREADABLE: Final = -1
"""In the place of a moment or an amount that got into the database by hand and is none. It is shown as `?`, which nothing takes for a value."""

_REFUND: Final = {word: number for number, word in enumerate(REFUNDS)}
_DEFAULT_REFUND: Final = "refused"


@final
class PriceRow(msgspec.Struct, frozen=True, gc=False):
    """One row. Empty `prefix`, `account` and connectors mean any; amounts are micro-units a message part."""

    id: int
    """Of the database's row; of a file's row its line, the header being line 1."""
    prefix: str
    account: str
    connector_in: str
    connector_out: str
    price: int
    cost: int
    currency: str
    valid_from: int = ALWAYS
    """Epoch seconds, included."""
    valid_until: int = FOREVER
    """Epoch seconds, not included."""
    refund: int = 1


Key = tuple[str, str, str, str, str]


def key_of(row: PriceRow) -> Key:
    """What two rows must have in common to compete by their validity alone."""
    return row.prefix, row.account, row.connector_in, row.connector_out, row.currency


class PriceFaults(TableFaults):
    """The price table has faulty rows; see `faults`."""


def parse_prices(text: str, known_connectors: Collection[str] | None = None) -> list[PriceRow]:
    """All rows of `text`; without `known_connectors` any name will do. Raises PriceFaults with every fault that it has."""
    reader = _Reader(known_connectors)
    rows = reader.rows(text)
    reader.faults.extend(fault for _row, fault in ambiguities(rows, "line"))
    if reader.faults:
        raise PriceFaults(sorted(reader.faults, key=_line))
    return rows


def format_prices(rows: Iterable[PriceRow]) -> str:
    """The rows as CSV with all columns; `parse_prices` reads it back."""
    return text_of(COLUMNS, map(cells_of, rows))


def cells_of(row: PriceRow) -> tuple[str, ...]:
    """A row's cells, in the order of `COLUMNS`."""
    return (
        *(row.prefix, row.account, row.connector_in, row.connector_out),
        *(_show_amount(row.price), _show_amount(row.cost), row.currency),
        *(show_moment(row.valid_from), show_moment(row.valid_until), REFUNDS[row.refund]),
    )


def price_of(cells: Mapping[str, str], known_connectors: Collection[str] | None = None) -> PriceRow:
    """One row, given by its columns; its id is 0. Raises PriceFaults."""
    reader = _Reader(known_connectors)
    reader.unknown_columns(cells)
    row = reader.row(0, {column: cell.strip() for column, cell in cells.items()})
    if reader.faults:
        raise PriceFaults(reader.faults)
    return row


def prices_of(rows: Iterable[StoredPrice]) -> tuple[list[PriceRow], list[Fault]]:
    """Rows of the database that can be used, and what is wrong with the others (`Fault.line` is the row's id)."""
    reader = _Reader(None)
    faults = reader.faults
    prices = []
    for row in rows:
        before = len(faults)
        price = reader.checked(row)
        if len(faults) == before:
            prices.append(price)
    unclear = ambiguities(prices)
    if unclear:
        out = {id(row) for row, _fault in unclear}
        prices = [row for row in prices if id(row) not in out]
        faults.extend(fault for _row, fault in unclear)
    return prices, faults


def ambiguities(rows: Iterable[PriceRow], called: str = "row") -> list[tuple[PriceRow, Fault]]:
    """The rows that come in the way of another, each with what is wrong; without them the others are clear.

    `called`: what the number of a row is to the reader, `row` or `line`.
    """
    groups: dict[Key, list[PriceRow]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    found: list[tuple[PriceRow, Fault]] = []
    for group in groups.values():
        if len(group) > 1:
            found.extend(_clashes(sorted(group, key=_begin), called))
    return found


def _clashes(group: Iterable[PriceRow], called: str) -> Iterator[tuple[PriceRow, Fault]]:
    """Of rows in the order of their beginnings."""
    last = ended = None
    for row in group:
        reason = ""
        if last is not None and last.valid_from == row.valid_from:
            reason = f"{called} {last.id} is for the same messages and begins at the same moment"
        elif ended is not None and row.valid_from < ended.valid_until:
            reason = f"{called} {ended.id} is for the same messages until {show_moment(ended.valid_until)}, after this one has begun"
        if reason:
            yield row, Fault(row.id, "valid_from", reason)
            continue
        last = row
        if row.valid_until != FOREVER:
            ended = row


def show_moment(epoch: int) -> str:
    """The date, or date and time in UTC; empty for ever."""
    if epoch in (ALWAYS, FOREVER):
        return ""
    if epoch == UNREADABLE:
        return "?"
    moment = dt.datetime.fromtimestamp(epoch, dt.UTC)
    return moment.strftime("%Y-%m-%d" if not epoch % 86400 else "%Y-%m-%dT%H:%M:%SZ")


def _show_amount(micro: int) -> str:
    return "?" if micro == UNREADABLE else money.show(micro)


def parse_moment(text: str) -> int:
    """Epoch seconds. Raises ValueError with a sentence."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date such as 2026-07-01 or 2026-07-01T12:30:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    epoch = (moment - _BEGIN) // dt.timedelta(seconds=1)
    if moment.microsecond:
        raise ValueError(f"{text[:40]!r} has a fraction of a second")
    if not 0 < epoch < FOREVER:
        raise ValueError(f"{text[:40]!r} is not between 1970 and 9999")
    return epoch


_BEGIN: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _amount(text: str) -> int:
    amount = money.parse(text)
    if amount < 0:
        raise ValueError(f"{text!r} is negative")
    if amount > LARGEST:
        raise ValueError(f"{text!r} is more than the {money.show(LARGEST, 0)} that a message part may cost")
    return amount


def _line(fault: Fault) -> int:
    return fault.line


def _begin(row: PriceRow) -> tuple[int, int]:
    return row.valid_from, row.id


class _Reader(CsvReader):
    """Turns cells into rows; each text that stands in many of them is read once."""

    columns = COLUMNS
    required = ("price", "currency")

    def __init__(self, known_connectors: Collection[str] | None) -> None:
        super().__init__(known_connectors)
        self._read: dict[tuple[str, str], int] = {}
        self._currencies: dict[str, str] = {}

    def row(self, line: int, cells: Mapping[str, str]) -> PriceRow:
        """The row in these cells; of no use when `faults` has grown."""
        get = cells.get
        row = PriceRow(
            line,
            self.prefix(line, get("prefix", "")),
            self.name(line, "account", get("account", "")),
            self.connector(line, "connector_in", get("connector_in", "")),
            self.connector(line, "connector_out", get("connector_out", "")),
            self._value(line, "price", get("price", ""), _amount, None),
            self._value(line, "cost", get("cost", ""), _amount, 0),
            self._currency(line, get("currency", "")),
            self._value(line, "valid_from", get("valid_from", ""), parse_moment, ALWAYS),
            self._value(line, "valid_until", get("valid_until", ""), parse_moment, FOREVER),
            self._refund(line, get("refund", "") or _DEFAULT_REFUND),
        )
        return self._period(row)

    def checked(self, row: StoredPrice) -> PriceRow:
        """The same of a row whose values have their types already; they must be in the form that `row` makes."""
        line = row.id
        for field, amount in (("price", row.price), ("cost", row.cost)):
            if not 0 <= amount <= LARGEST:
                self.fault(line, field, f"{amount} micro-units are negative, or more than a message part may cost")
        prefix = self.stored_prefix(line, row.prefix)
        return self._period(
            PriceRow(
                line,
                prefix,
                self.name(line, "account", row.account),
                self.connector(line, "connector_in", row.connector_in),
                self.connector(line, "connector_out", row.connector_out),
                row.price,
                row.cost,
                self._currency(line, row.currency),
                ALWAYS if row.valid_from is None else int(row.valid_from),
                FOREVER if row.valid_until is None else int(row.valid_until),
                self._refund(line, row.refund),
            )
        )

    def _period(self, row: PriceRow) -> PriceRow:
        if row.valid_until <= row.valid_from:
            self.fault(row.id, "valid_until", "it ends before it begins")
        return row

    def _value(self, line: int, field: str, text: str, read: Callable[[str], int], default: int | None) -> int:
        """A cell that `read` understands; `default` for an empty one, which is a fault when there is none."""
        if not text:
            if default is None:
                self.fault(line, field, "it is missing")
            return default or 0
        known = self._read.get((field, text))
        if known is None:
            try:
                known = self._read[field, text] = read(text)
            except ValueError as fault:
                self.fault(line, field, str(fault))
                return default or 0
        return known

    def _currency(self, line: int, text: str) -> str:
        known = self._currencies.get(text)
        if known is None:
            try:
                known = self._currencies[text] = currencies.code(text)
            except ValueError as fault:
                self.fault(line, "currency", str(fault) if text else "it is missing")
                return ""
        return known

    def _refund(self, line: int, text: str) -> int:
        number = _REFUND.get(text.lower())
        if number is None:
            self.fault(line, "refund", f"{text[:40]!r} is none of {', '.join(REFUNDS)}")
            return 0
        return number
