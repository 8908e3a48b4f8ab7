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

`RouteTable.lookup` and `RouteChoice.pick` are the hot path: a dictionary for each length of prefix, everything else
prepared. `pick` takes one step of the round robin; a choice belongs to its table and starts anew with a new one.
Destinations are as in `emg.message`: digits without `+`. Nothing here fails but `parse`, with `RouteFaults`.
"""

from collections.abc import Callable, Collection, Iterable

from emg.rules.route_choice import NOWHERE, RouteChoice
from emg.rules.route_explain import Explanation, explain
from emg.rules.route_rows import Route, RouteFaults, parse_routes

__all__ = ["NOWHERE", "Explanation", "Route", "RouteChoice", "RouteFaults", "RouteTable"]


class RouteTable:
    """A loaded table. It never changes but for the round robin; a new text makes a new table."""

    __slots__ = ("_lengths", "_off", "size")

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        groups: dict[tuple[str, str, str], list[Route]] = {}
        self._off: dict[str, list[Route]] = {}
        self.size = 0
        """Rows that are switched on."""
        for route in routes:
            if route.enabled:
                self.size += 1
                groups.setdefault((route.prefix, route.account, route.connector_in), []).append(route)
            else:
                self._off.setdefault(route.prefix, []).append(route)
        by_length: dict[int, dict[str, RouteChoice]] = {}
        special: list[tuple[str, str, str]] = []
        for key, rows in groups.items():  # not sorted: nobody else gets to work while 100,000 keys are
            prefix, account, connector_in = key
            if account or connector_in:
                special.append(key)
            else:
                by_length.setdefault(len(prefix), {})[prefix] = RouteChoice(rows)
        for key in special:  # the plain ones of a prefix are there by now
            prefix, account, connector_in = key
            rows = groups[key]
            choices = by_length.setdefault(len(prefix), {})
            plain = choices.setdefault(prefix, RouteChoice(()))
            plain.special = plain.special or {}
            plain.special[account, connector_in] = RouteChoice(rows)
        self._lengths = tuple(sorted(by_length.items(), reverse=True))

    @classmethod
    def parse(cls, text: str, known_connectors: Collection[str]) -> "RouteTable":
        """The table in CSV form (see `route_rows`). Raises RouteFaults with all faults of all rows; then nothing is
        loaded.
        """
        return cls(parse_routes(text, known_connectors))

    def lookup(self, dest: str, account: str, connector_in: str) -> RouteChoice:
        """The rows that decide; `NOWHERE` (which is false) when none fits."""
        for length, choices in self._lengths:
            plain = choices.get(dest[:length])
            if plain is None:
                continue
            special = plain.special
            if special is None:
                return plain
            choice = special.get((account, connector_in))
            if choice is None:
                choice = special.get((account, ""))
                if choice is None:
                    choice = special.get(("", connector_in))
                    if choice is None:
                        choice = plain
            if choice.rows:
                return choice
        return NOWHERE

    def explain(self, dest: str, account: str, connector_in: str, usable: Callable[[str], bool]) -> Explanation:
        """What `lookup` and `pick` would decide now, with each other row that fits the destination and why it lost."""
        return explain(
            self.lookup(dest, account, connector_in), self.rows_for(dest), dest, account, connector_in, usable
        )

    def rows_for(self, dest: str) -> list[Route]:
        """All rows whose prefix fits, whoever they are for, switched off ones too; the longest prefix first."""
        by_length = dict(self._lengths)
        rows: list[Route] = []
        for length in range(len(dest), -1, -1):
            prefix = dest[:length]
            found: list[Route] = list(self._off.get(prefix, ()))
            plain = by_length.get(length, {}).get(prefix)
            if plain is not None:
                for choice in (plain, *(plain.special or {}).values()):
                    found.extend(choice.rows)
            rows.extend(sorted(found, key=_line))
        return rows


def _line(row: Route) -> int:
    return row.line
