"""Why a message would take the route it takes: the answer to `emg ctl explain`, fit for JSON (`msgspec.json.encode`). A row is named by its id, or its line in ROUTES.

Looking changes nothing: the round robin of the table stands still.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from emg.rules.route_choice import RouteChoice
from emg.rules.route_rows import Route

MOST_RIVALS: Final = 50


class Rival(msgspec.Struct, frozen=True, gc=False):
    """A row whose prefix fits the destination but which is not used, and why."""

    row: Route
    reason: str


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """How the table decides. `connector` and `row` are None when nothing can take the message."""

    dest: str
    account: str
    connector_in: str
    connector: str | None
    line: int
    """Or the id, of the deciding row; 0 without one."""
    row: Route | None
    reason: str
    rivals: tuple[Rival, ...]
    more_rivals: int = 0
    """So many were left out of `rivals`."""


def explain(
    choice: RouteChoice,
    rows: Iterable[Route],
    dest: str,
    account: str,
    connector_in: str,
    usable: Callable[[str], bool],
) -> Explanation:
    """How `choice` decides now; `rows` are all whose prefix fits `dest`, and get a reason each."""
    winner = choice.foresee(usable)
    fitting = [row for row in rows if winner is None or row is not winner[0]]
    rivals = tuple(
        Rival(row, _why_not(row, account, connector_in, choice, winner[0] if winner else None, usable))
        for row in fitting[:MOST_RIVALS]
    )
    return Explanation(
        dest,
        account,
        connector_in,
        winner[1] if winner else None,
        winner[0].line if winner else 0,
        winner[0] if winner else None,
        _why(choice, winner),
        rivals,
        len(fitting) - len(rivals),
    )


def _why(choice: RouteChoice, winner: tuple[Route, str] | None) -> str:
    if not choice:
        return "no row fits"
    if winner is None:
        lines = ", ".join(str(row.line) for row in choice.rows)
        return f"the most specific rows decide (row {lines}), and none of their connectors can be used"
    row, connector = winner
    reason = f"the longest prefix is {row.prefix!r}" if row.prefix else "no row with a prefix fits"
    if row.account:
        reason += f", for account {row.account!r}"
    if row.connector_in:
        reason += f", received on {row.connector_in!r}"
    passed = row.connectors[: row.connectors.index(connector)]
    if passed:
        reason += f"; {', '.join(passed)} can't be used, so the next in its list"
    return reason


def _why_not(
    row: Route,
    account: str,
    connector_in: str,
    choice: RouteChoice,
    winner: Route | None,
    usable: Callable[[str], bool],
) -> str:
    if not row.enabled:
        return "switched off"
    if row.account and row.account != account:
        return f"for account {row.account!r} only"
    if row.connector_in and row.connector_in != connector_in:
        return f"for messages received on {row.connector_in!r} only"
    if not any(row is other for other in choice.rows):
        return _less_specific(row, choice.rows[0])
    if not any(map(usable, row.connectors)):
        return f"none of its connectors can be used: {', '.join(row.connectors)}"
    assert winner is not None, "a usable row of the choice means that something was picked"
    if row.priority != winner.priority:
        return f"priority {row.priority} comes after {winner.priority} (row {winner.line})"
    if not row.weight and winner.weight:
        return f"a reserve (weight 0) for row {winner.line}"
    return f"shares the load with row {winner.line} by weight {row.weight}, its turn comes later"


def _less_specific(row: Route, best: Route) -> str:
    if len(row.prefix) < len(best.prefix):
        own = f"prefix {row.prefix!r} is shorter than" if row.prefix else "it has no prefix; the longest is"
        return f"{own} {best.prefix!r} (row {best.line})"
    if best.account and not row.account:
        return f"row {best.line} names the account"
    return f"row {best.line} names the receiving connector"
