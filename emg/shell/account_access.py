"""`emg account access`: from where, and at which connector, an account may log in. Also what several commands on accounts need."""

import argparse

from emg.db import accounts, connectors, customers
from emg.rules import account_rows
from emg.rules.rows import Known
from emg.shell.common import Call


def name_argument(parser: argparse.ArgumentParser) -> None:
    """The account that a command is about."""
    parser.add_argument("name", metavar="NAME", help="the account's login")


def known(call: Call) -> Known:
    """The connectors that there are, the configuration file's and the database's, and the customers. Has a transaction of its own."""
    with call.database.session() as session:
        named = {row.name for row in connectors.listing(session)}
        return Known({*call.config.connectors, *named}, frozenset(customers.names(session)))


def change(call: Call) -> None:
    """Add or remove rows."""
    name, adds = call.arguments.name, call.arguments.what == "add"
    texts, names = call.arguments.rows, known(call) if adds else Known()
    with call.database.session() as session:
        # A row is taken away by what it says, also when its connector is gone, or it got in by hand and is none.
        had = {} if adds else {str(one): one for one in accounts.access_of(accounts.find(session, name))}
        wanted = account_rows.access(" ".join(text for text in texts if text not in had), names)
        wanted += [had[text] for text in texts if text in had]
        act = accounts.add_access if adds else accounts.remove_access
        changed = act(session, call.actor, name, wanted)
        left = [str(one) for one in accounts.access_of(accounts.find(session, name))]
    call.say({"account": name, "access": left}, f"account {name} may log in from {', '.join(left) or 'nowhere'}")
    if changed:
        call.tell_gateway()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Of `access`."""
    parser.add_argument("what", choices=("add", "remove"))
    name_argument(parser)
    parser.add_argument("rows", metavar="NETWORK[@CONNECTOR]", nargs="+", help="* is everywhere")
