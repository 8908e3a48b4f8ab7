"""The routing table: which outgoing connector a message goes to.

How it decides, in this order:

1. The most specific rows win: the longest prefix of the destination; among those, rows that name the sender's account;
   among those, rows that name the connector it was received on. All rows that are equal in these three form one
   *choice*.
2. Within a choice, the lowest `priority` number comes first (as in DNS MX records).
3. Rows of one priority share the load by `weight`: smooth weighted round robin, the same sequence every time. Weight 0
   is a reserve: it is asked when no weighted row of its priority can be used.

When connectors can't be used (down, held, queue full): first the next connector in the row's own list `a:b:c`, then the
other rows of that priority by weight, then the rows of the next priority. It **never** falls to a less specific row:
traffic that somebody gave a route of its own must not leak to the general one. Who wants that names the general
connector in the list.

`RouteTable.pick` is the hot path: the longest prefix is found at once (`emg.rules.longest`), everything else is prepared.
With 100,000 rows it waits for memory half of its time, so what there is for a prefix takes as few steps as can be: a row
that is alone, the rule by far, stands there itself. `pick` takes one step of the round robin; a choice belongs to its
table and starts anew with a new one. Destinations are as in `emg.message`: digits without `+`. Nothing here fails but `parse`, with `RouteFaults`.
"""

from collections.abc import Callable, Collection, Iterable

from emg.rules.longest import Longest
from emg.rules.route_choice import NOWHERE, RouteChoice
from emg.rules.route_explain import Explanation, explain
from emg.rules.route_rows import Route, RouteFaults, parse_routes

__all__ = ["NOWHERE", "Explanation", "Route", "RouteChoice", "RouteFaults", "RouteTable"]

Entry = Route | RouteChoice
"""The rows that are equal in prefix, account and connector: a single one, or several."""


class _Only:
    """What there is for one prefix when all of it is for one account, or one connector, or one of each."""

    __slots__ = ("account", "connector_in", "entry", "otherwise")

    def __init__(self, entry: Entry, row: Route) -> None:
        self.account = row.account
        self.connector_in = row.connector_in
        self.entry = entry
        self.otherwise: _Place | None = None
        """What there is for the next shorter prefix: that decides for all others."""

    def choose(self, account: str, connector_in: str) -> "_Place | None":
        """What decides, or the place that has to be asked then; None when no row is left."""
        if (not self.account or self.account == account) and (
            not self.connector_in or self.connector_in == connector_in
        ):
            return self.entry
        return self.otherwise


class _Named:
    """What there is for one prefix when its rows name several accounts or connectors."""

    __slots__ = ("accounts", "both", "connectors", "otherwise", "plain")

    def __init__(self) -> None:
        self.both: dict[tuple[str, str], Entry] = {}
        """Those that name an account and a connector."""
        self.accounts: dict[str, Entry] = {}
        """Those that name an account alone."""
        self.connectors: dict[str, Entry] = {}
        """Those that name a connector alone."""
        self.plain: Entry | None = None
        """Those for everybody."""
        self.otherwise: _Place | None = None
        """`plain`, or what there is for the next shorter prefix where that is missing: that decides for all others."""

    def put(self, entry: Entry, row: Route) -> None:
        """Take the rows that are equal to `row` in what they name."""
        if row.account and row.connector_in:
            self.both[row.account, row.connector_in] = entry
        elif row.account:
            self.accounts[row.account] = entry
        elif row.connector_in:
            self.connectors[row.connector_in] = entry
        else:
            self.plain = self.otherwise = entry

    def choose(self, account: str, connector_in: str) -> "_Place | None":
        """What decides, or the place that has to be asked then; None when no row is left."""
        if self.both:
            entry = self.both.get((account, connector_in))
            if entry is not None:
                return entry
        entry = self.accounts.get(account)
        if entry is not None:
            return entry
        return self.connectors.get(connector_in, self.otherwise)

    def all(self) -> list[Route]:
        """Every row of it."""
        entries = [self.plain, *self.connectors.values(), *self.accounts.values(), *self.both.values()]
        return [row for entry in entries for row in _all(entry)]


_Place = Entry | _Only | _Named
"""What there is for one prefix."""


class RouteTable:
    """A loaded table. It never changes but for the round robin; a new text makes a new table."""

    __slots__ = ("_find", "_off", "_prefixes", "size")

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        by_prefix: dict[str, list[Route]] = {}
        self._off: dict[str, list[Route]] = {}
        self.size = 0
        """Rows that are switched on."""
        for route in routes:
            if route.enabled:
                self.size += 1
                by_prefix.setdefault(route.prefix, []).append(route)
            else:
                self._off.setdefault(route.prefix, []).append(route)
        places = {prefix: _place(rows) for prefix, rows in by_prefix.items()}
        self._prefixes = Longest(places)
        self._find = self._prefixes.find
        for prefix, place in places.items():
            if isinstance(place, _Only | _Named) and place.otherwise is None:
                place.otherwise = self._prefixes.shorter(prefix)

    @classmethod
    def parse(cls, text: str, known_connectors: Collection[str]) -> "RouteTable":
        """The table in CSV form (see `route_rows`). Raises RouteFaults with all faults of all rows; then nothing is
        loaded.
        """
        return cls(parse_routes(text, known_connectors))

    def pick(
        self, dest: str, account: str, connector_in: str, usable: Callable[[str], bool]
    ) -> tuple[Route, str] | None:
        """The row that decides for the next message, and its connector; None when no row fits, or when no connector of
        those that decide is usable.
        """
        place = self._find(dest)
        while type(place) is not Route:
            if type(place) is RouteChoice:
                return place.pick(usable)
            if place is None:
                return None
            place = place.choose(account, connector_in)
        for connector in place.connectors:
            if usable(connector):
                return place, connector
        return None

    def lookup(self, dest: str, account: str, connector_in: str) -> RouteChoice:
        """The rows that decide; `NOWHERE` (which is false) when none fits."""
        place = self._find(dest)
        while isinstance(place, _Only | _Named):
            place = place.choose(account, connector_in)
        if place is None:
            return NOWHERE
        return RouteChoice((place,)) if isinstance(place, Route) else place

    def explain(self, dest: str, account: str, connector_in: str, usable: Callable[[str], bool]) -> Explanation:
        """What `pick` would decide now, with each other row that fits the destination and why it lost."""
        return explain(
            self.lookup(dest, account, connector_in), self.rows_for(dest), dest, account, connector_in, usable
        )

    def rows_for(self, dest: str) -> list[Route]:
        """All rows whose prefix fits, whoever they are for, switched off ones too; the longest prefix first."""
        rows: list[Route] = []
        for length in range(len(dest), -1, -1):
            prefix = dest[:length]
            found = self._off.get(prefix, []) + _all(self._prefixes.at(prefix))
            rows.extend(sorted(found, key=_line))
        return rows


def _place(rows: list[Route]) -> _Place:
    """Of all rows of one prefix."""
    first = rows[0]
    if len(rows) == 1 and not first.account and not first.connector_in:
        return first  # the rule by far
    groups: dict[tuple[str, str], list[Route]] = {}
    for row in rows:
        groups.setdefault((row.account, row.connector_in), []).append(row)
    if len(groups) == 1:
        entry = _entry(rows)
        return _Only(entry, first) if first.account or first.connector_in else entry
    named = _Named()
    for equal in groups.values():
        named.put(_entry(equal), equal[0])
    return named


def _entry(rows: list[Route]) -> Entry:
    return rows[0] if len(rows) == 1 else RouteChoice(rows)


def _all(place: _Place | None) -> list[Route]:
    """Every row in it."""
    if place is None:
        return []
    if isinstance(place, Route):
        return [place]
    if isinstance(place, _Only):
        return _all(place.entry)
    return list(place.rows) if isinstance(place, RouteChoice) else place.all()


def _line(row: Route) -> int:
    return row.line
