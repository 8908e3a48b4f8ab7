"""The price table: what a message costs the sender, and what it costs us.

How it decides, in this order:

1. Only rows in the account's currency are seen, and of them those that are valid now.
2. The longest prefix of the destination wins; among those, rows that name the account; among those, rows that name the connector it came in
   by; among those, rows that name the connector it goes out by.
3. Among rows that are equal in all of these, the one that began last (see `price_rows`: there is always one such row).

That is the order of the routing table (`emg.rules.routes`) with one step more, so that a price list and a routing table with the same first
columns choose rows that belong together. It differs in one thing: what is not valid now counts as not there, and a less
specific row decides; a route that can't be used never gives way to a general one, since traffic would leak, but a price that has ended is no price.

`PriceTable.lookup` is on the hot path: a dictionary for each length of prefix, and no step for each row. Rows of one key with many periods cost a
binary search. A table never changes; a new text makes a new one. A lookup for currency "" is one for an account without a balance of its own:
it sees all rows when they are all of one currency, otherwise none. Nothing here fails but `parse`, with `PriceFaults`.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable

from emg.rules.price_explain import Asked, PriceExplanation, explain
from emg.rules.price_rows import FOREVER, PriceFaults, PriceRow, parse_prices

__all__ = ["PriceExplanation", "PriceFaults", "PriceRow", "PriceTable"]


class _Rows:
    """The rows for one prefix, or for one account of it: a row of its own is not worth one of these, and stands in the dictionary itself."""

    __slots__ = ("accounts", "connectors", "plain")

    def __init__(self) -> None:
        self.plain: PriceRow | _Periods | None = None
        """For any account (or the one that we are in) and any connector."""
        self.connectors: dict[tuple[str, str], PriceRow | _Periods] | None = None
        """Those that name a connector, by (in, out)."""
        self.accounts: dict[str, PriceRow | _Rows] | None = None
        """Those that name an account."""

    def add(self, row: PriceRow, entry: "PriceRow | _Periods", account: str) -> None:
        """Take what there is for one key, `row` being one that has it; `account` is its account, empty once we are in that."""
        if account:
            self.accounts = self.accounts or {}
            _put(self.accounts, account, row, entry, "")
        elif row.connector_in or row.connector_out:
            self.connectors = self.connectors or {}
            self.connectors[row.connector_in, row.connector_out] = entry
        else:
            self.plain = entry

    def find(self, account: str, connector_in: str, connector_out: str, now: float) -> PriceRow | None:
        """The row of this prefix that decides."""
        if self.accounts is not None:
            own = self.accounts.get(account)
            if own is not None:
                row = (
                    _valid(own, now) if own.__class__ is PriceRow else own.choose(connector_in, connector_out, now)  # type: ignore[union-attr]
                )
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
    if entry.__class__ is PriceRow:
        return entry if entry.valid_from <= now < entry.valid_until else None
    return entry.at(now) if entry is not None else None  # type: ignore[union-attr]  # it is no row


def _put(
    places: dict[str, PriceRow | _Rows], name: str, row: PriceRow, entry: PriceRow | _Periods, account: str
) -> None:
    """Put one key's entry where `name` stands: by itself when it is the only one and names nothing more."""
    known = places.get(name)
    if known is None and isinstance(entry, PriceRow) and not (account or row.connector_in or row.connector_out):
        places[name] = entry
        return
    if not isinstance(known, _Rows):
        rows = places[name] = _Rows()
        rows.plain = known
        known = rows
    known.add(row, entry, account)


Lengths = tuple[tuple[int, dict[str, PriceRow | _Rows]], ...]


class PriceTable:
    """A loaded table. It never changes; false when it is empty."""

    __slots__ = ("_currencies", "size")

    def __init__(self, rows: Iterable[PriceRow] = ()) -> None:
        """Of rows that are sound (see `price_rows.ambiguities`)."""
        self.size = 0
        groups: dict[tuple[str, str, str, str, str], list[PriceRow]] = {}
        for row in rows:
            self.size += 1
            key = (row.currency, row.prefix, row.account, row.connector_in, row.connector_out)
            groups.setdefault(key, []).append(row)
        currencies: dict[str, dict[int, dict[str, PriceRow | _Rows]]] = {}
        for equal in groups.values():
            row = equal[0]
            entry = row if len(equal) == 1 else _Periods(equal)
            places = currencies.setdefault(row.currency, {}).setdefault(len(row.prefix), {})
            _put(places, row.prefix, row, entry, row.account)
        self._currencies: dict[str, Lengths] = {
            currency: tuple(sorted(by_length.items(), key=_length, reverse=True))
            for currency, by_length in currencies.items()
        }
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
        for length, places in self._currencies.get(currency, ()):
            entry = places.get(dest[:length])
            if entry is None:
                continue
            if entry.__class__ is PriceRow:  # the rule by far, and a step through memory less
                if entry.valid_from <= now < entry.valid_until:
                    return entry
                continue
            row = entry.find(account, connector_in, connector_out, now)  # type: ignore[union-attr]  # it is no row
            if row is not None:
                return row
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
        for currency, lengths in self._currencies.items():
            for length, places in lengths if currency else ():
                found.extend(_all(places.get(dest[:length])))
        return sorted(found, key=_by_prefix)


def _all(entry: PriceRow | _Rows | _Periods | None) -> list[PriceRow]:
    """Every row in it."""
    if isinstance(entry, PriceRow):
        return [entry]
    return [] if entry is None else entry.all()


def _by_prefix(row: PriceRow) -> tuple[int, int]:
    return -len(row.prefix), row.id


def _length(item: tuple[int, dict[str, PriceRow | _Rows]]) -> int:
    return item[0]


def _begin(row: PriceRow) -> int:
    return row.valid_from
