"""Why a message costs what it costs: the row that decides and those it beat, fit for JSON (`msgspec.json.encode`)."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from emg.rules.price_rows import ALWAYS, FOREVER, PriceRow, key_of, show_moment

MOST_RIVALS: Final = 50


class PriceRival(msgspec.Struct, frozen=True, gc=False):
    """A row whose prefix fits the destination but which does not decide, and why."""

    row: PriceRow
    reason: str


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a price is looked up by."""

    dest: str
    account: str
    connector_in: str
    connector_out: str
    currency: str
    """Empty for an account without one, where the table has several."""
    now: int
    """Epoch seconds."""


class PriceExplanation(msgspec.Struct, frozen=True, gc=False):
    """How the table decides. `row` is None when nothing fits."""

    asked: Asked
    row: PriceRow | None
    reason: str
    rivals: tuple[PriceRival, ...]
    more_rivals: int = 0
    """So many were left out of `rivals`."""


def explain(winner: PriceRow | None, rows: Iterable[PriceRow], asked: Asked) -> PriceExplanation:
    """`rows` are all whose prefix fits; those that were near to win come first."""
    judged = [(*_judge(row, asked, winner), row) for row in rows if row is not winner]
    judged.sort(key=_nearness)  # stable: in each group the longest prefix first
    rivals = tuple(PriceRival(row, reason) for _near, reason, row in judged[:MOST_RIVALS])
    return PriceExplanation(asked, winner, _why(winner, asked, judged), rivals, len(judged) - len(rivals))


def plain(told: PriceExplanation) -> dict[str, Any]:
    """As mappings and lists; amounts in micro-units, None for a period without beginning or end."""
    answer: dict[str, Any] = msgspec.to_builtins(told)
    for row in (answer["row"], *(rival["row"] for rival in answer["rivals"])):
        if row is not None:
            row["valid_from"] = None if row["valid_from"] == ALWAYS else row["valid_from"]
            row["valid_until"] = None if row["valid_until"] == FOREVER else row["valid_until"]
    return answer


def _nearness(judged: tuple[int, str, PriceRow]) -> int:
    return judged[0]


def _why(winner: PriceRow | None, asked: Asked, judged: list[tuple[int, str, PriceRow]]) -> str:
    if winner is None:
        if not judged:
            return "no row fits"
        if not asked.currency:
            return "no currency is asked for, and the table has several"
        if all(row.currency != asked.currency for _near, _reason, row in judged):
            return f"no row is in {asked.currency}"
        return "no row fits: each whose prefix does is for others, in another currency or not valid now"
    reason = f"the longest prefix is {winner.prefix!r}" if winner.prefix else "no row with a prefix fits"
    for said, name in (
        ("for account", winner.account),
        ("received on", winner.connector_in),
        ("sent by", winner.connector_out),
    ):
        if name:
            reason += f", {said} {name!r}"
    if winner.valid_from:
        reason += f", valid from {show_moment(winner.valid_from)}"
    if winner.valid_until != FOREVER:
        reason += f", until {show_moment(winner.valid_until)}"
    return reason


def _judge(row: PriceRow, asked: Asked, winner: PriceRow | None) -> tuple[int, str]:
    """(how far it is from winning, why it does not)."""
    for said, name, wanted in (
        ("for account", row.account, asked.account),
        ("for messages received on", row.connector_in, asked.connector_in),
        ("for messages sent by", row.connector_out, asked.connector_out),
    ):
        if name and name != wanted:
            return 3, f"{said} {name!r} only"
    if row.currency != asked.currency:
        return 2, f"in {row.currency}; " + (
            f"the account's currency is {asked.currency}" if asked.currency else "no currency is asked for"
        )
    if asked.now < row.valid_from:
        return 1, f"valid from {show_moment(row.valid_from)} on"
    if asked.now >= row.valid_until:
        return 1, f"ended {show_moment(row.valid_until)}"
    assert winner is not None, "a row that fits and is valid means that one decides"
    return 0, _beaten(row, winner)


def _beaten(row: PriceRow, winner: PriceRow) -> str:
    if len(row.prefix) < len(winner.prefix):
        own = f"prefix {row.prefix!r} is shorter than" if row.prefix else "it has no prefix; the longest is"
        return f"{own} {winner.prefix!r} (row {winner.id})"
    if key_of(row) == key_of(winner):
        return f"row {winner.id} began later, {show_moment(winner.valid_from)}"
    if winner.account and not row.account:
        return f"row {winner.id} names the account"
    if winner.connector_in and not row.connector_in:
        return f"row {winner.id} names the receiving connector"
    return f"row {winner.id} names the sending connector"
