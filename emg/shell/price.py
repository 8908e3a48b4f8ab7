"""`emg price`: the price table of the database, as a whole (CSV) and row by row; and what a message would cost by it."""

import argparse
import time
from typing import Any, Final

import msgspec

from emg.control import show
from emg.db.prices import PRICES
from emg.rules import money
from emg.rules.numbering import Numbering
from emg.rules.price_rows import HELPS, parse_moment, parse_prices, price_of
from emg.rules.prices import PriceExplanation, PriceTable
from emg.shell import tables, ways
from emg.shell.common import Call, Command, UsageError, run
from emg.shell.tables import Subject


def _at_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--at", metavar="WHEN", help="only rows that are valid then; `now`, or as --valid-from")


def _valid_at(call: Call) -> dict[str, int]:
    return {"valid_at": _moment(call.arguments.at)} if call.arguments.at else {}


SUBJECT: Final = Subject(
    PRICES, "prices", lambda _call, text, known: parse_prices(text, known), price_of, HELPS, ("prefix", "account", "connector_in", "connector_out", "currency"),
    instead=lambda call: call.config.prices, list_arguments=_at_argument, narrowed=_valid_at,
)  # fmt: skip


def explain(call: Call) -> None:
    """What a message part would cost."""
    asked = call.arguments
    now = _moment(asked.at)
    dest = ways.digits(asked.number)
    out, currency, file = asked.connector_out, asked.currency.upper(), call.config.prices
    usable = ways.usable(call, "route", "price", "network")
    if out is None:
        out = ways.find(call.config, usable, dest, asked.account, asked.connector).connector.partition("/")[0]
    if not currency:
        currency = ways.currency_of(call.config, usable, asked.account)
    network = Numbering(usable.networks()).lookup(dest)
    table = PriceTable(usable.prices()) if file is None else PriceTable.parse(tables.read(file))
    skipped = usable.about("price", dest) if file is None else []
    told = table.explain(dest, asked.account, asked.connector, out, currency, now)
    if call.json:
        call.print_json({**_shown(told), **msgspec.to_builtins({"network": network, "skipped": skipped})})
        return
    by = f" by {out}" if out else ""
    if told.row is None:
        print(f"a message to {dest}{by} has no price")
    else:
        price, cost = money.show(told.row.price), money.show(told.row.cost)
        print(f"a message part to {dest}{by} costs {price} {told.row.currency}, us {cost} (row {told.row.id})")
    print(f"because {told.reason}")
    if network is not None:
        print(f"network: {' '.join(filter(None, (network.country, network.name, network.mcc, network.mnc)))}")
    rivals = _shown(told)["rivals"]
    if rivals:
        show.table(rivals, show.PRICE_RIVALS, "\nOther rows that fit the number")
    if told.more_rivals:
        print(f"and {told.more_rivals:,} more")
    ways.tell_skipped(skipped)


def _shown(told: PriceExplanation) -> dict[str, Any]:
    """With amounts and moments as people read them."""
    answer: dict[str, Any] = msgspec.to_builtins(told)
    answer["row"] = SUBJECT.row(told.row) if told.row is not None else None
    answer["rivals"] = [{"row": SUBJECT.row(rival.row), "reason": rival.reason} for rival in told.rivals]
    return answer


def _moment(text: str | None) -> int:
    try:
        return int(time.time()) if text in (None, "now") else parse_moment(text)
    except ValueError as fault:
        raise UsageError(f"--at: {fault}") from None


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="where the message would go")
    parser.add_argument("--account", default="", help="who submits it")
    parser.add_argument("--connector", default="", help="the connector that it comes in by")
    parser.add_argument("--connector-out", help="the connector that it goes out by (default: the one it is routed to)")
    parser.add_argument("--currency", default="", help="instead of the account's")
    parser.add_argument("--at", metavar="WHEN", help="2026-07-01 or 2026-07-01T12:30:00, in UTC (default: now)")


COMMANDS: Final = {
    **tables.commands(SUBJECT),
    "explain": Command(explain, _explain_arguments, "what a message would cost by the tables, and why"),
}


def main(argv: list[str]) -> int:
    """Run `emg price`."""
    return run("price", "Prices: what a message costs its sender, and what it costs us.", COMMANDS, argv)
