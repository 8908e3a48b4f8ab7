"""The rows that decide for one kind of message, and the turn-taking among them.

Lowest priority number first; rows of one priority share by smooth weighted round robin (each step raises every usable
row's credit by its weight, takes the highest, and lowers that one by the sum: even spacing, no bursts, no random
numbers); weight 0 only as reserve. A choice has one owner, its table, and is not safe to use from several threads.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Final, final

from emg.rules.route_rows import Route


def _rank(row: Route) -> tuple[int, bool]:
    return row.priority, row.weight == 0


class _Share:
    """A row's part in its round robin: `credit` says how much it is owed, and sums to zero over the rows that share."""

    __slots__ = ("connectors", "credit", "row", "weight")

    def __init__(self, row: Route) -> None:
        self.row = row
        self.connectors = row.connectors
        self.weight = row.weight or 1
        self.credit = 0


@final
class RouteChoice:
    """The rows that decide for a message, best rank first. False when there are none: no route."""

    __slots__ = ("_ranks", "rows")

    def __init__(self, rows: Iterable[Route]) -> None:
        self.rows = tuple(sorted(rows, key=_rank))
        self._ranks = tuple(tuple(map(_Share, rank)) for _, rank in groupby(self.rows, _rank))

    def __bool__(self) -> bool:
        return bool(self.rows)

    def pick(self, usable: Callable[[str], bool]) -> tuple[Route, str] | None:
        """The row that decides for the next message, and its connector; None when none of them is usable. Costs one
        step for each row of equal rank.
        """
        for rank in self._ranks:
            if len(rank) == 1:  # nobody to take turns with
                for connector in rank[0].connectors:
                    if usable(connector):
                        return rank[0].row, connector
                continue
            best = None
            name = ""
            total = 0
            for share in rank:
                for connector in share.connectors:
                    if usable(connector):
                        total += share.weight
                        share.credit += share.weight
                        if best is None or share.credit > best.credit:
                            best = share
                            name = connector
                        break
            if best is not None:
                best.credit -= total
                return best.row, name
        return None

    def foresee(self, usable: Callable[[str], bool]) -> tuple[Route, str] | None:
        """The row and connector that `pick` would take now, without taking its step."""
        for rank in self._ranks:
            best = None
            for share in rank:
                name = next(filter(usable, share.connectors), None)
                if name is not None and (best is None or share.credit + share.weight > best[0]):
                    best = (share.credit + share.weight, share.row, name)
            if best is not None:
                return best[1:]
        return None


NOWHERE: Final = RouteChoice(())
"""No row fits."""
