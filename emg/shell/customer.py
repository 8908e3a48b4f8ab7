"""`emg customer`: the companies that accounts belong to and that are invoiced."""

import argparse
from typing import Final

from emg.db import customers
from emg.db.models import Customer
from emg.rules import rows
from emg.rules.account_rows import CUSTOMER
from emg.rules.rows import Known
from emg.shell import fields
from emg.shell.common import Call, Command, UsageError, run

COLUMNS: Final = (
    ("Customer", "name"), ("Number", "number"), ("Locked", "locked"), ("Accounts", "accounts"), ("Currency", "currency"),
    ("Country", "country"), ("Mail", "email"), ("Note", "note"),
)  # fmt: skip


def row_of(customer: Customer) -> fields.Row:
    """What JSON and tables show of a customer."""
    shown = fields.printed(CUSTOMER, customers.values(customer))
    return {**shown, "created": customer.created, "updated": customer.updated}


def list_(call: Call) -> None:
    """Customers, page by page."""
    wanted: fields.Row = {"text": call.arguments.text, "locked": call.arguments.locked}
    with call.database.session() as session:
        found = customers.listing(session, **wanted, **fields.page(call))
        total = customers.count(session, **wanted)
    call.table([{**row_of(customer), "accounts": number} for customer, number in found], COLUMNS)
    fields.tell_pages(call, len(found), total)


def show(call: Call) -> None:
    """One customer, with the names of his accounts."""
    with call.database.session() as session:
        customer = customers.find(session, call.arguments.name)
        names = sorted(account.name for account in customer.accounts if account.deleted is None)
        call.pairs({**row_of(customer), "accounts": names})


def add(call: Call) -> None:
    """A new customer."""
    given = {"name": call.arguments.name, **fields.given(call, CUSTOMER)}
    values = rows.read(CUSTOMER, given, Known(), whole=True)
    with call.database.session() as session:
        customers.add(session, call.actor, values)
    _done(call, values["name"], "added", changed=True)


def set_(call: Call) -> None:
    """Other values for what is given; all else stays."""
    texts = fields.given(call, CUSTOMER)
    if call.arguments.rename is not None:
        texts["name"] = call.arguments.rename
    if not texts:
        raise UsageError("there is nothing to set (emg customer set --help says what can be)")
    values = rows.read(CUSTOMER, texts, Known(), whole=False)
    with call.database.session() as session:
        changed = customers.change(session, call.actor, call.arguments.name, values)
    _done(call, values.get("name", call.arguments.name), "changed", changed=changed)


def lock(call: Call) -> None:
    """None of his accounts logs in any more."""
    with call.database.session() as session:
        changed = customers.lock(session, call.actor, call.arguments.name)
    _done(call, call.arguments.name, "locked", changed=changed)


def unlock(call: Call) -> None:
    """Take the lock away."""
    with call.database.session() as session:
        changed = customers.unlock(session, call.actor, call.arguments.name)
    _done(call, call.arguments.name, "unlocked", changed=changed)


def delete(call: Call) -> int:
    """Take him away, if nothing of him is left."""
    name = call.arguments.name
    if not fields.confirm(call, f"Delete customer {name}?"):
        call.say({"customer": name, "done": "nothing"}, "nothing was done")
        return 1
    with call.database.session() as session:
        customers.delete(session, call.actor, name)
    _done(call, name, "deleted", changed=True)
    return 0


def _done(call: Call, name: str, what: str, *, changed: bool) -> None:
    if changed:
        call.say({"customer": name, "done": what}, f"customer {name} is {what}")
        call.tell_gateway()
    else:
        call.say({"customer": name, "done": "nothing"}, f"customer {name} is so already")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the company")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    fields.page_arguments(parser)
    parser.add_argument("--locked", action="store_true", default=None, help="only locked ones")
    parser.add_argument("--unlocked", dest="locked", action="store_false", help="only those that are not")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    fields.field_arguments(parser, CUSTOMER)


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--rename", metavar="NAME", help="another name")
    fields.field_arguments(parser, CUSTOMER, unset=True)


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    fields.yes_argument(parser)


COMMANDS: Final = {
    "list": Command(list_, _list_arguments, "customers"),
    "show": Command(show, _name, "one customer, with his accounts"),
    "add": Command(add, _add_arguments, "a new customer"),
    "set": Command(set_, _set_arguments, "other values for a customer"),
    "lock": Command(lock, _name, "none of his accounts logs in, and their sessions end"),
    "unlock": Command(unlock, _name, "take the lock away"),
    "delete": Command(delete, _delete_arguments, "take away a customer of whom nothing is left"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("customer", "Customers: whose accounts these are, and who is invoiced.", COMMANDS, argv)
