"""`emg account topup`, `correct`, `ledger`: money on accounts."""

import argparse
from typing import Any, Final

from emg.db import accounts, ledger
from emg.db.models import Ledger
from emg.rules import money, rows
from emg.shell.account_access import name_argument
from emg.shell.common import Call
from emg.shell.words import MOST_ROWS, whole

COLUMNS: Final = (
    ("Row", "id"), ("Time", "at"), ("What", "kind"), ("Amount", "amount"), ("Balance", "balance"), ("Currency", "currency"),
    ("Messages", "messages"), ("Who", "who"), ("Why", "why"), ("Reference", "reference"),
)  # fmt: skip


def amount(text: str, field: str = "amount") -> int:
    """Micro-units. Raises RowFaults, which name the `field`."""
    try:
        return money.parse(text)
    except ValueError as reason:
        raise rows.fault(field, str(reason)) from None


def row_of(entry: Ledger) -> dict[str, Any]:
    """What JSON and tables show of a row."""
    return {
        "id": entry.id, "at": entry.at, "kind": entry.kind.value, "amount": money.show(entry.amount),
        "balance": money.show(entry.balance), "currency": entry.currency, "hour": entry.hour,
        "messages": entry.messages or None, "who": entry.who, "why": entry.why, "reference": entry.reference,
    }  # fmt: skip


def opening(text: str) -> int:
    """A first top-up, as an option of `add`: micro-units. Raises RowFaults."""
    micro = amount(text, "balance")
    if micro < 0:
        raise rows.fault("balance", "must not be negative; `correct` takes money away")
    return micro


def topup(call: Call) -> None:
    """Put money on an account."""
    given = call.arguments
    with call.database.session() as session:
        entry = ledger.topup(
            session, call.actor, given.name, amount(given.amount), why=given.why, reference=given.reference
        )
    _told(call, entry)


def correct(call: Call) -> None:
    """Add to a balance or take from it."""
    given = call.arguments
    with call.database.session() as session:
        entry = ledger.correct(
            session, call.actor, given.name, amount(given.amount), why=given.why, reference=given.reference
        )
    _told(call, entry)


def _told(call: Call, entry: Ledger) -> None:
    row = row_of(entry)
    sentence = f"{row['amount']} {entry.currency} on account {call.arguments.name}; its balance is {row['balance']} in the database"
    call.say({"account": call.arguments.name, **row}, sentence)
    call.tell_gateway()


def show(call: Call) -> None:
    """An account's rows, the newest first."""
    with call.database.session() as session:
        account = accounts.find(session, call.arguments.name, deleted=True)
        found = ledger.listing(session, account.id, before=call.arguments.before, limit=call.arguments.limit)
    call.table([row_of(entry) for entry in found], COLUMNS)


def topup_arguments(parser: argparse.ArgumentParser) -> None:
    """Of `topup`."""
    _arguments(parser, "how much, such as 10.00", needs_reason=False)


def correct_arguments(parser: argparse.ArgumentParser) -> None:
    """Of `correct`."""
    _arguments(parser, "how much, such as 10.00, or -10.00 to take it away", needs_reason=True)


def _arguments(parser: argparse.ArgumentParser, says: str, *, needs_reason: bool) -> None:
    name_argument(parser)
    parser.add_argument("amount", metavar="AMOUNT", help=says)
    parser.add_argument("--why", default="", required=needs_reason, help="for what reason")
    parser.add_argument("--reference", default="", help="a payment's or an invoice's number")


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Of `ledger`."""
    name_argument(parser)
    parser.add_argument(
        "--limit", type=whole(1, MOST_ROWS), default=50, help="at most so many rows (default: %(default)s)"
    )
    parser.add_argument("--before", type=whole(), default=0, metavar="ROW", help="only rows older than this one")
