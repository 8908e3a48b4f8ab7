"""`emg route`: the routing table of the database, as a whole (CSV) and row by row; and which way a message would go by it."""

import argparse
from dataclasses import asdict
from typing import Any, Final

import msgspec

from emg.control import show
from emg.db.routes import ROUTES
from emg.rules.route_rows import HELPS, parse_routes, route_of
from emg.shell import tables, ways
from emg.shell.common import Call, Command, run
from emg.shell.tables import Subject


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "enabled": bool(row["enabled"])}


SUBJECT: Final = Subject(
    ROUTES, "routes", lambda _call, text, known: parse_routes(text, known), route_of, HELPS, ("prefix", "account", "connector_in", "connector_out"), told=_told,
    instead=lambda call: call.config.routes,
)  # fmt: skip


def explain(call: Call) -> None:
    """Which way a message would go, if every connector worked."""
    asked = call.arguments
    dest = ways.digits(asked.number)
    way = ways.find(call.config, ways.usable(call, "route"), dest, asked.account, asked.connector)
    if call.json:
        call.print_json(asdict(way) | msgspec.to_builtins({"table": way.table, "skipped": way.skipped}))
        return
    print(f"{way.dest} goes to {way.connector}" if way.connector else f"{way.dest} is refused")
    print(f"because {way.reason}")
    if way.table is not None and way.table.rivals:
        show.table(msgspec.to_builtins(way.table.rivals), show.RIVALS, "\nOther rows that fit the number")
        if way.table.more_rivals:
            print(f"and {way.table.more_rivals:,} more")
    ways.tell_skipped(way.skipped)


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="where the message would go")
    parser.add_argument("--account", default="", help="who submits it")
    parser.add_argument("--connector", default="", help="the connector that it comes in by")


COMMANDS: Final = {
    **tables.commands(SUBJECT),
    "explain": Command(explain, _explain_arguments, "which way a message would go by the tables, and why"),
}


def main(argv: list[str]) -> int:
    """Run `emg route`."""
    return run("route", "Routes: which connector a message goes to.", COMMANDS, argv)
