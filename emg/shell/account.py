"""`emg account`: the accounts of the database: who may send, from where, how much, and what is left on the balance.

Passwords are read from standard input, or made and shown once; only their argon2 hashes are kept. A balance is the running gateway's where one answers,
else the database's; `balance_from` says which.
"""

import argparse
from collections.abc import Mapping
from typing import Final

from emg.config import hashes
from emg.db import accounts, ledger
from emg.db.models import Account
from emg.rules import account_rows, rows
from emg.rules.account_rows import ACCOUNT
from emg.shell import account_access, account_files, account_money, balances, fields
from emg.shell.account_access import known
from emg.shell.common import Call, Command, Password, UsageError, password_arguments, run
from emg.shell.fields import remark

COLUMNS: Final = (
    ("Account", "name"), ("Customer", "customer"), ("Locked", "locked"), ("Prepaid", "prepaid"), ("Balance", "balance"),
    ("Currency", "currency"), ("Says", "balance_from"), ("Messages/s", "throughput"), ("Sessions", "sessions"), ("From", "access"),
    ("Note", "note"),
)  # fmt: skip


def row_of(account: Account, known_balances: Mapping[str, int]) -> fields.Row:
    """What JSON and tables show of an account."""
    return {
        **fields.printed(ACCOUNT, accounts.values(account)),
        "access": [str(one) for one in accounts.access_of(account)],
        **balances.shown(account, known_balances),
        "has_password": bool(account.password_hash),
        "created": account.created,
        "updated": account.updated,
    }


def list_(call: Call) -> None:
    """Accounts, page by page."""
    wanted: fields.Row = {
        "text": call.arguments.text, "customer": call.arguments.customer, "locked": call.arguments.locked,
        "deleted": call.arguments.deleted,
    }  # fmt: skip
    with call.database.session() as session:
        found = accounts.listing(session, **wanted, **fields.page(call))
        total = accounts.count(session, **wanted)
    figures = balances.live(call) if found else {}
    call.table([row_of(account, figures) for account in found], COLUMNS)
    fields.tell_pages(call, len(found), total)


def show(call: Call) -> None:
    """One account with everything that is known about it."""
    name = call.arguments.name
    figures = balances.live(call, name)
    with call.database.session() as session:
        account = accounts.find(session, name, deleted=True)
        call.pairs(row_of(account, figures))


def add(call: Call) -> None:
    """A new account."""
    arguments = call.arguments
    if arguments.name in call.config.users:
        raise rows.fault("name", "a USER of this name stands in the configuration file")
    names = known(call)
    given = {"name": arguments.name, **fields.given(call, ACCOUNT)}
    values = rows.read(ACCOUNT, given, names, whole=False)
    access = account_rows.access(" ".join(arguments.access), names)
    opening = account_money.opening(arguments.balance) if arguments.balance is not None else 0
    password = call.password(account_rows.LONGEST_SMPP_PASSWORD)
    made_hash = hashes.make(account_rows.password(password.text))
    with call.database.session() as session:
        account = accounts.add(session, call.actor, values | {"password_hash": made_hash}, access)
        if opening:
            ledger.topup(session, call.actor, account.name, opening, why=arguments.why or "first balance")
        remarks = account_rows.remarks(accounts.values(account))
    if not access:
        remarks.append(f"without an access row nobody can log in: emg account access add {account.name} NETWORK")
    for sentence in remarks:
        remark(sentence)
    _show_password(call, account.name, password, f"account {account.name} is added", "added")


def set_(call: Call) -> None:
    """Other values for what is given; all else stays."""
    texts = fields.given(call, ACCOUNT)
    if not texts:
        raise UsageError("there is nothing to set (emg account set --help says what can be)")
    name = call.arguments.name
    values = rows.read(ACCOUNT, texts, known(call), whole=False)
    with call.database.session() as session:
        changed = accounts.change(session, call.actor, name, values)
        remarks = account_rows.remarks(accounts.values(accounts.find(session, name)))
    for sentence in remarks:
        remark(sentence)
    _done(call, name, "changed", changed=changed)


def lock(call: Call) -> None:
    """Nobody logs in any more, and sessions end."""
    with call.database.session() as session:
        changed = accounts.lock(session, call.actor, call.arguments.name)
    _done(call, call.arguments.name, "locked", changed=changed)


def unlock(call: Call) -> None:
    """Take the lock away."""
    with call.database.session() as session:
        changed = accounts.unlock(session, call.actor, call.arguments.name)
    _done(call, call.arguments.name, "unlocked", changed=changed)


def delete(call: Call) -> int:
    """Take it away; its ledger stays."""
    name = call.arguments.name
    with call.database.session() as session:
        account = accounts.find(session, name)
    left = f"{balances.stored(account) or '?'} {account.currency}"
    if not fields.confirm(call, f"Delete account {name} with a balance of {left}?"):
        call.say({"account": name, "done": "nothing"}, "nothing was done")
        return 1
    with call.database.session() as session:
        kept = accounts.delete(session, call.actor, name).name
    call.say(
        {"account": name, "done": "deleted", "kept_as": kept}, f"account {name} is deleted; its ledger is {kept}'s"
    )
    call.tell_gateway()
    return 0


def password(call: Call) -> None:
    """Another password."""
    name = call.arguments.name
    with call.database.session() as session:
        accounts.find(session, name)  # before a password is made for nobody
    made = call.password(account_rows.LONGEST_SMPP_PASSWORD)
    made_hash = hashes.make(account_rows.password(made.text))
    with call.database.session() as session:
        accounts.set_password(session, call.actor, name, made_hash)
    _show_password(call, name, made, f"account {name} has another password", "password")


def _show_password(call: Call, name: str, made: Password, sentence: str, what: str) -> None:
    if len(made.text) > account_rows.LONGEST_SMPP_PASSWORD:
        remark(f"the password is longer than the {account_rows.LONGEST_SMPP_PASSWORD} characters that SMPP allows")
    told = {"password": made.text} if made.generated else {}
    shown = f"; its password, shown this once: {made.text}" if made.generated else ""
    call.say({"account": name, "done": what, **told}, sentence + shown)
    call.tell_gateway()


def _done(call: Call, name: str, what: str, *, changed: bool) -> None:
    if changed:
        call.say({"account": name, "done": what}, f"account {name} is {what}")
        call.tell_gateway()
    else:
        call.say({"account": name, "done": "nothing"}, f"account {name} is so already")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    fields.page_arguments(parser)
    parser.add_argument("--customer", default="", help="only this customer's")
    parser.add_argument("--locked", action="store_true", default=None, help="only locked ones")
    parser.add_argument("--unlocked", dest="locked", action="store_false", help="only those that are not")
    parser.add_argument("--deleted", action="store_true", help="those that were deleted instead")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    account_access.name_argument(parser)
    password_arguments(parser)
    parser.add_argument(
        "--access", action="append", default=[], metavar="NETWORK[@CONNECTOR]",
        help="from where, and at which connector, it may log in; * is everywhere; may be given several times",
    )  # fmt: skip
    parser.add_argument("--balance", metavar="AMOUNT", help="a first top-up")
    parser.add_argument("--why", default="", help="what stands in the ledger for it")
    fields.field_arguments(parser, ACCOUNT)


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    account_access.name_argument(parser)
    fields.field_arguments(parser, ACCOUNT, unset=True)


def _password_arguments(parser: argparse.ArgumentParser) -> None:
    account_access.name_argument(parser)
    password_arguments(parser)


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    account_access.name_argument(parser)
    fields.yes_argument(parser)


COMMANDS: Final = {
    "list": Command(list_, _list_arguments, "accounts and their balances"),
    "show": Command(show, account_access.name_argument, "one account with all that is known about it"),
    "add": Command(add, _add_arguments, "a new account"),
    "set": Command(set_, _set_arguments, "other values for an account"),
    "lock": Command(lock, account_access.name_argument, "nobody logs in with it, and its sessions end"),
    "unlock": Command(unlock, account_access.name_argument, "take the lock away"),
    "delete": Command(delete, _delete_arguments, "take an account away; its ledger stays"),
    "password": Command(password, _password_arguments, "another password"),
    "access": Command(
        account_access.change, account_access.arguments, "add or remove networks that it may log in from"
    ),
    "topup": Command(account_money.topup, account_money.topup_arguments, "put money on an account"),
    "correct": Command(account_money.correct, account_money.correct_arguments, "correct a balance, up or down"),
    "ledger": Command(
        account_money.show, account_money.ledger_arguments, "what was put on an account, and what it spent"
    ),
    "import": Command(account_files.take, account_files.import_arguments, "add or change accounts from a CSV file"),
    "export": Command(account_files.give, account_files.export_arguments, "all accounts as CSV, with password hashes"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("account", "Accounts: who may send, from where, how much, and what is left.", COMMANDS, argv)
