"""`emg db upgrade|check|show`: make the database's tables or bring them up to date, and look at them.

`upgrade` on an empty database also makes the first administrator, role `owner`, and shows his password once: only its hash is kept. It can
be run at any time and by several at once; where there is nothing to do it changes nothing. Run it before the programs of a new version start.
"""

from typing import Any

from emg.config import hashes
from emg.db import partitions, people, schema, sizes
from emg.db.models import Role
from emg.rules.rows import RowFaults
from emg.shell.common import EXIT_ERROR, EXIT_OK, Call, Command, generated_password, no_arguments, run

ADMINISTRATOR = "admin"
DAYS_AHEAD = 14
"""Partitions of the log that are made with the tables; the scheduler keeps it at that."""
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
        sentences.append(
            f"first administrator: {ADMINISTRATOR}, password: {password} (shown this once; the portal wants a new one at the first login)"
        )
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
            people.add(session, call.actor, {"name": ADMINISTRATOR, "role": Role.OWNER}, hashed, must_change=True)
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


COMMANDS = {
    "upgrade": Command(upgrade, no_arguments, "make the tables, or bring them up to date", checked=False),
    "check": Command(check, no_arguments, "does the database fit this version: exit code 0 or 1", checked=False),
    "show": Command(show, no_arguments, "the tables and how large they are"),
}


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return run("db", "Make the database's tables, bring them up to date, look at them.", COMMANDS, argv)
