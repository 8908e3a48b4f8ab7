"""`emg account import` and `export`: accounts as CSV. What a column means stands in `emg.rules.account_rows`.

An import adds or changes accounts by name, all lines or none; every fault is told with its line. An exported file holds password hashes: it is
written for its owner's eyes only, and imports unchanged.
"""

import argparse
import os
import sys

from emg.db import account_lines, accounts
from emg.errors import EmgError
from emg.rules import account_rows, rows
from emg.rules.account_rows import COLUMNS, Line
from emg.rules.faults import Fault
from emg.rules.rows import RowFaults
from emg.shell import tables
from emg.shell.account_access import known
from emg.shell.common import Call

EVERYTHING = 10**9


def take(call: Call) -> int:
    """Import a file."""
    text = tables.read(call.arguments.file).removeprefix("\ufeff")
    try:
        lines, faults = account_rows.examine(text, known(call))
        faults += _users_of_the_file(call, lines)
        with call.database.session() as session:
            counts = account_lines.put(session, call.actor, lines, faults, why=call.arguments.why)
            if call.arguments.dry_run:
                session.rollback()
    except RowFaults as found:
        return _tell_faults(call, found)
    sentence = f"{counts.added} added, {counts.changed} changed, {counts.same} unchanged"
    call.say(counts._asdict(), f"would be: {sentence}" if call.arguments.dry_run else sentence)
    if (counts.added or counts.changed) and not call.arguments.dry_run:
        call.tell_gateway()
    return 0


def _users_of_the_file(call: Call, lines: list[Line]) -> list[Fault]:
    reason = "a USER of this name stands in the configuration file"
    return [Fault(line.line, "name", reason) for line in lines if line.values["name"] in call.config.users]


def _tell_faults(call: Call, found: RowFaults) -> int:
    if call.json:
        call.print_json(
            {"faults": [{"line": one.line, "field": one.field, "reason": one.reason} for one in found.faults]}
        )
    else:
        for fault in found.faults:
            print(f"{call.arguments.file}: {fault}", file=sys.stderr)
        count = len(found.faults)
        print(
            f"{call.arguments.file} has {count} {'fault' if count == 1 else 'faults'}: nothing is changed",
            file=sys.stderr,
        )
    return 1


def give(call: Call) -> None:
    """Export all accounts."""
    with call.database.session() as session:
        found = accounts.listing(session, limit=EVERYTHING)
        given = [(accounts.values(account), accounts.access_of(account)) for account in found]
    if call.json:
        call.print_json(
            [
                rows.write(account_rows.ACCOUNT, values) | {"access": " ".join(map(str, pairs))}
                for values, pairs in given
            ]
        )
        return
    text = account_rows.format_accounts(given)
    if call.arguments.output is None:
        sys.stdout.write(text)
        return
    _write(call.arguments.output, text)
    print(f"{len(given)} accounts in {call.arguments.output}", file=sys.stderr)


def _write(name: str, text: str) -> None:
    try:
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)  # the hashes in it are nobody else's, also where a file was there before
            file.write(text)
    except OSError as error:
        raise EmgError(f"{name} can't be written: {error.strerror}") from error


def import_arguments(parser: argparse.ArgumentParser) -> None:
    """Of `import`."""
    parser.add_argument("file", metavar="FILE.csv", help=f"its columns: {', '.join(account_rows.READ)}; - is stdin")
    parser.add_argument("--why", default="first balance", help="what stands in the ledger for balances of new accounts")
    parser.add_argument("--dry-run", action="store_true", help="only look for faults")


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Of `export`."""
    parser.add_argument("-o", "--output", metavar="FILE.csv", help=f"where to; its columns: {', '.join(COLUMNS)}")
