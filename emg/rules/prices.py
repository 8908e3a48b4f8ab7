"""The price table: what a message costs the sender, and what it costs us.

How it decides, in this order:

1. Only rows in the account's currency are seen, and of them those that are valid now.
2. The longest prefix of the destination wins; among those, rows that name the account; among those, rows that name the connector it came in
   by; among those, rows that name the connector it goes out by.
3. Among rows that are equal in all of these, the one that began last (see `price_rows`: there is always one such row).

That is the order of the routing table (`emg.rules.routes`) with one step more, so that a price list and a routing table with the same first
columns choose rows that belong together. It differs in one thing: what is not valid now counts as not there, and a less
specific row decides; a route that can't be used never gives way to a general one, since traffic would leak, but a price that has ended is no price.

`PriceTable.lookup` is on the hot path: the longest prefix is found at once (`emg.rules.longest`), and there is no step for each row. A row that is alone with its
prefix stands there itself. Rows of one key with many periods cost a binary search. A table never changes; a new text makes a new one. A lookup for currency "" is one for an account without a balance of its own:
it sees all rows when they are all of one currency, otherwise none. Nothing here fails but `parse`, with `PriceFaults`.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable

from emg.rules.longest import Longest
from emg.rules.price_explain import Asked, PriceExplanation, explain
from emg.rules.price_rows import FOREVER, Key, PriceFaults, PriceRow, key_of, parse_prices

__all__ = ["PriceExplanation", "PriceFaults", "PriceRow", "PriceTable"]


class _Only:
    """The rows for one prefix when all are equal but for their validity, and name somebody or are several."""

    __slots__ = ("account", "connector_in", "connector_out", "entry", "shorter")

    def __init__(self, rows: "list[PriceRow]") -> None:
        row = rows[0]
        self.account = row.account
        self.connector_in = row.connector_in
        self.connector_out = row.connector_out
        self.entry = row if len(rows) == 1 else _Periods(rows)
        self.shorter: _Place | None = None
        """What there is for the next shorter prefix: that decides when nothing here does."""

    def find(self, account: str, connector_in: str, connector_out: str, now: float) -> PriceRow | None:
        """The row of this prefix that decides."""
        if (
            (not self.account or self.account == account)
            and (not self.connector_in or self.connector_in == connector_in)
            and (not self.connector_out or self.connector_out == connector_out)
        ):
            return _valid(self.entry, now)
        return None

    def all(self) -> list[PriceRow]:
        """Every row of this prefix."""
        return _all(self.entry)


class _Rows:
    """The rows for one prefix, or for one account of it, that name different things. A single one is not worth one of these."""

    __slots__ = ("accounts", "connectors", "plain", "shorter")

    def __init__(self) -> None:
        self.plain: PriceRow | _Periods | None = None
        """For any account (or the one that we are in) and any connector."""
        self.connectors: dict[tuple[str, str], PriceRow | _Periods] | None = None
        """Those that name a connector, by (in, out)."""
        self.accounts: dict[str, PriceRow | _Rows] | None = None
        """Those that name an account."""
        self.shorter: _Place | None = None
        """As in `_Only`."""

    def add(self, row: PriceRow, entry: "PriceRow | _Periods", account: str) -> None:
        """Take what there is for one key, `row` being one that has it; `account` is its account, empty once we are in that."""
        if account:
            self.accounts = self.accounts or {}  # a row of its own stands there itself
            known = self.accounts.get(account)
            if known is None and isinstance(entry, PriceRow) and not (row.connector_in or row.connector_out):
                self.accounts[account] = entry
                return
            if not isinstance(known, _Rows):
                several = self.accounts[account] = _Rows()
                several.plain = known
                known = several
            known.add(row, entry, "")
        elif row.connector_in or row.connector_out:
            self.connectors = self.connectors or {}
            self.connectors[row.connector_in, row.connector_out] = entry
        else:
            self.plain = entry

    def find(self, account: str, connector_in: str, connector_out: str, now: float) -> PriceRow | None:
        """The row of this prefix that decides."""
        if self.accounts is not None:
            own = self.accounts.get(account)
            if type(own) is PriceRow:
                if own.valid_from <= now < own.valid_until:
                    return own
            elif own is not None:
                row = own.choose(connector_in, connector_out, now)
                if row is not None:
                    return row
        return self.choose(connector_in, connector_out, now)

    def all(self) -> list[PriceRow]:
        """Every row of this prefix, or account."""
        entries = [self.plain, *(self.connectors or {}).values(), *(self.accounts or {}).values()]
        return [row for entry in entries for row in _all(entry)]

    def choose(self, connector_in: str, connector_out: str, now: float) -> PriceRow | None:
        """The row of this account that decides."""
        connectors = self.connectors
        if connectors is not None:
            for pair in ((connector_in, connector_out), (connector_in, ""), ("", connector_out)):
                entry = connectors.get(pair)
                if entry is not None:
                    row = _valid(entry, now)
                    if row is not None:
                        return row
        return _valid(self.plain, now)


class _Periods:
    """Rows that are equal but for their validity; at any time at most one of them counts."""

    __slots__ = ("_rows", "_starts")

    def __init__(self, rows: list[PriceRow]) -> None:
        self._starts: list[int] = []
        self._rows: list[PriceRow | None] = []
        """What counts from each of the starts on."""
        base = None
        for row in sorted(rows, key=_begin):
            self._from(row.valid_from, row)
            if row.valid_until == FOREVER:
                base = row
            else:
                self._from(row.valid_until, base)

    def _from(self, moment: int, row: PriceRow | None) -> None:
        if self._starts and self._starts[-1] == moment:
            self._rows[-1] = row
        else:
            self._starts.append(moment)
            self._rows.append(row)

    def all(self) -> list[PriceRow]:
        """Every row: each counts from somewhere on."""
        return list({row.id: row for row in self._rows if row is not None}.values())

    def at(self, now: float) -> PriceRow | None:
        """The row that counts."""
        place = bisect_right(self._starts, now)
        return self._rows[place - 1] if place else None


def _valid(entry: PriceRow | _Periods | None, now: float) -> PriceRow | None:
    if type(entry) is PriceRow:
        return entry if entry.valid_from <= now < entry.valid_until else None
    return entry.at(now) if entry is not None else None


_Place = PriceRow | _Only | _Rows
"""What there is for one prefix."""


class PriceTable:
    """A loaded table. It never changes; false when it is empty."""

    __slots__ = ("_currencies", "size")

    def __init__(self, rows: Iterable[PriceRow] = ()) -> None:
        """Of rows that are sound (see `price_rows.ambiguities`)."""
        self.size = 0
        currencies: dict[str, dict[str, list[PriceRow]]] = {}
        for row in rows:
            self.size += 1
            currencies.setdefault(row.currency, {}).setdefault(row.prefix, []).append(row)
        self._currencies = {currency: _linked(by_prefix) for currency, by_prefix in currencies.items()}
        if len(self._currencies) == 1:
            self._currencies[""] = next(iter(self._currencies.values()))

    def __bool__(self) -> bool:
        return self.size > 0

    @classmethod
    def parse(cls, text: str, known_connectors: Collection[str] | None = None) -> "PriceTable":
        """The table in CSV form (see `price_rows`). Raises PriceFaults with all faults of all rows; then nothing is loaded."""
        return cls(parse_prices(text, known_connectors))

    def lookup(
        self, dest: str, account: str, connector_in: str, connector_out: str, currency: str, now: float
    ) -> PriceRow | None:
        """The row that decides, None when none fits. `dest` is digits, `now` epoch seconds."""
        prefixes = self._currencies.get(currency)
        if prefixes is None:
            return None
        place = prefixes.find(dest)
        while place is not None:
            if type(place) is PriceRow:
                if place.valid_from <= now < place.valid_until:
                    return place
                place = prefixes.shorter(place.prefix)
            else:
                row = place.find(account, connector_in, connector_out, now)
                if row is not None:
                    return row
                place = place.shorter
        return None

    def explain(
        self, dest: str, account: str, connector_in: str, connector_out: str, currency: str, now: float
    ) -> PriceExplanation:
        """What `lookup` decides, with each other row that fits the destination and why it lost."""
        row = self.lookup(dest, account, connector_in, connector_out, currency, now)
        if not currency and "" in self._currencies:
            currency = next(iter(self._currencies))
        return explain(row, self.rows_for(dest), Asked(dest, account, connector_in, connector_out, currency, int(now)))

    def rows_for(self, dest: str) -> list[PriceRow]:
        """All rows whose prefix fits, whoever they are for and whenever; the longest prefix first."""
        found: list[PriceRow] = []
        for currency, prefixes in self._currencies.items():
            for length in range(len(dest) + 1 if currency else 0):
                found.extend(_all(prefixes.at(dest[:length])))
        return sorted(found, key=_by_prefix)


def _linked(by_prefix: dict[str, list[PriceRow]]) -> Longest[_Place]:
    """The rows of one currency; each place that may leave it to a shorter prefix knows what there is for that."""
    places = {prefix: _place(rows) for prefix, rows in by_prefix.items()}
    prefixes = Longest(places)
    for prefix, place in places.items():
        if not isinstance(place, PriceRow):
            place.shorter = prefixes.shorter(prefix)
    return prefixes


def _place(rows: list[PriceRow]) -> _Place:
    """Of all rows of one prefix and currency."""
    first = rows[0]
    if len(rows) == 1 and not (first.account or first.connector_in or first.connector_out):
        return first  # the rule by far
    groups: dict[Key, list[PriceRow]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    if len(groups) == 1:
        return _Only(rows)
    several = _Rows()
    for equal in groups.values():
        row = equal[0]
        several.add(row, row if len(equal) == 1 else _Periods(equal), row.account)
    return several


def _all(entry: _Place | _Periods | None) -> list[PriceRow]:
    """Every row in it."""
    if isinstance(entry, PriceRow):
        return [entry]
    return [] if entry is None else entry.all()


def _by_prefix(row: PriceRow) -> tuple[int, int]:
    return -len(row.prefix), row.id


def _begin(row: PriceRow) -> int:
    return row.valid_from
