"""`emg db upgrade|check|show|sample|gaps|acknowledge`: make the database's tables or bring them up to date, look at them, and at what is missing in the log.

`upgrade` on an empty database also makes the first administrator, role `owner`, and shows his password once: only its hash is kept. It can
be run at any time and by several at once; where there is nothing to do it changes nothing. Run it before the programs of a new version start.
"""

import argparse
import datetime as dt
from typing import Any

from emg.config import hashes
from emg.db import log_gaps, partitions, people, schema, sizes
from emg.db import sample as samples
from emg.db.models import LogGap, Role
from emg.rules.rows import RowFaults
from emg.shell.common import EXIT_ERROR, EXIT_OK, Call, Command, generated_password, no_arguments, run
from emg.shell.words import whole

ADMINISTRATOR = "admin"
DAYS_AHEAD = 14
"""Partitions of the log that are made with the tables; the scheduler keeps it at that."""
GAPS = (
    ("Gap", "id"), ("Node", "node"), ("Why", "kind"), ("Whole until", "since"), ("Whole again from", "until"), ("From row", "first"),
    ("To row", "last"), ("Found", "found"), ("Accounts corrected", "corrected"), ("Acknowledged", "acknowledged"), ("By", "acknowledged_by"),
    ("Note", "note"),
)  # fmt: skip
COLUMNS = (
    ("Table", "table"), ("Rows", "rows"), ("Bytes", "bytes"), ("Partitions", "partitions"), ("First day", "from"), ("Until", "until"),
)  # fmt: skip


def upgrade(call: Call) -> None:
    """Make or change tables; make the first administrator."""
    before, after = schema.upgrade(call.database)
    partitions.ensure(call.database, DAYS_AHEAD)
    password = _first_administrator(call)
    answer: dict[str, Any] = {"before": before, "after": after, "administrator": None}
    sentences = [
        f"the schema is {after}, as it was"
        if before == after
        else f"the schema is now {after}; it was {before or 'none'}"
    ]
    if password is not None:
        answer["administrator"] = {"name": ADMINISTRATOR, "password": password}
        sentences.append(f"first administrator: {ADMINISTRATOR}, password: {password} (shown this once)")
    call.say(answer, "\n".join(sentences))


def _first_administrator(call: Call) -> str | None:
    """His password, if there was nobody yet."""
    with call.database.session() as session:
        if people.count(session):
            return None
    password = generated_password()
    hashed = hashes.make(password.encode())  # takes its time: not while the database waits
    try:
        with call.database.session() as session:
            people.add(session, call.actor, {"name": ADMINISTRATOR, "role": Role.OWNER}, hashed)
    except RowFaults:
        return None  # another upgrade was quicker
    return password


def check(call: Call) -> int:
    """Does the schema fit this version; the exit code says it too."""
    fault = schema.check(call.database)
    answer = {
        "usable": fault is None,
        "schema": schema.current(call.database),
        "needed": schema.known()[-1],
        "fault": fault,
    }
    call.say(answer, fault or f"the database {call.database.place} has schema {answer['schema']}, as it should")
    return EXIT_ERROR if fault else EXIT_OK


def show(call: Call) -> None:
    """Where it is, and its tables with their sizes."""
    file = call.database.file
    head = {
        "database": call.database.place,
        "schema": schema.current(call.database),
        "bytes": file.stat().st_size if file else None,
    }
    rows = sizes.tables(call.database)
    if call.json:
        call.print_json(head | {"tables": rows})
        return
    call.pairs({name: value for name, value in head.items() if value is not None})
    call.table(rows, COLUMNS, "\nTables")


def gaps(call: Call) -> None:
    """What is missing in the message log, and why."""
    with call.database.session() as session:
        rows = [_gap(gap) for gap in log_gaps.listing(session, everything=call.arguments.all)]
    call.table(rows, GAPS)


def _gap(gap: LogGap) -> dict[str, Any]:
    return {
        "id": gap.id, "node": gap.node, "kind": gap.kind.value, "since": gap.since, "until": gap.until, "first": gap.first,
        "last": gap.last or None, "found": gap.found, "corrected": gap.corrected, "acknowledged": gap.acknowledged,
        "acknowledged_by": gap.acknowledged_by, "note": gap.note,
    }  # fmt: skip


def acknowledge(call: Call) -> None:
    """Say that a gap has been seen: nobody is told of it any more."""
    number = call.arguments.number
    with call.database.session() as session:
        news = log_gaps.acknowledge(session, call.actor, number, call.arguments.note)
    call.say(
        {"gap": number, "done": news},
        f"gap {number} is acknowledged" if news else f"gap {number} was acknowledged already",
    )


def sample(call: Call) -> None:
    """Fill an empty log with traffic that never was."""
    arguments = call.arguments
    messages = samples.fill(
        call.database, call.actor, weeks=arguments.weeks, a_day=arguments.a_day, seed=arguments.seed, until=dt.datetime.now(dt.UTC)
    )  # fmt: skip
    call.say(
        {"messages": messages},
        f"{messages} messages of the last {arguments.weeks} weeks, and whose they are, are in the database",
    )


def _sample_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weeks", type=whole(1, 104), default=4, help="how long ago it begins (default: %(default)s)")
    parser.add_argument(
        "--a-day", type=whole(1, 1_000_000), default=1500, help="messages on a working day (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole(), default=1, help="another one gives other messages (default: %(default)s)"
    )


def _gaps_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also those that have been acknowledged")


def _acknowledge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="GAP", type=whole(), help="its number, as `emg db gaps` shows it")
    parser.add_argument("--note", default="", help="what was found out, to stand beside it")


COMMANDS = {
    "upgrade": Command(upgrade, no_arguments, "make the tables, or bring them up to date", checked=False),
    "check": Command(check, no_arguments, "does the database fit this version: exit code 0 or 1", checked=False),
    "show": Command(show, no_arguments, "the tables and how large they are"),
    "sample": Command(
        sample, _sample_arguments, "fill an empty database with traffic that never was, to try things out"
    ),
    "gaps": Command(gaps, _gaps_arguments, "what is missing in the message log, until it is acknowledged"),
    "acknowledge": Command(acknowledge, _acknowledge_arguments, "say that a gap has been seen"),
}


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return run("db", "Make the database's tables, bring them up to date, look at them.", COMMANDS, argv)
