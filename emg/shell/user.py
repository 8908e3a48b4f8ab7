"""`emg user`: the people who log in to the portal.

Passwords are read from standard input, or made and shown once; one that somebody else made has to be changed at the first login. Only argon2
hashes are kept.
"""

import argparse
from typing import Final

from emg.config import hashes
from emg.db import people
from emg.db.models import WebUser
from emg.rules import people_rows, rows
from emg.rules.people_rows import WEB_USER
from emg.rules.rows import Known
from emg.shell import fields
from emg.shell.common import Call, Command, Password, UsageError, password_arguments, run

COLUMNS: Final = (
    ("Login", "name"), ("Name", "full_name"), ("Role", "role"), ("Customer", "customer"), ("Account", "account"), ("Locked", "locked"),
    ("Mail", "email"), ("Last login", "last_login"),
)  # fmt: skip


def row_of(user: WebUser, customer: str | None, account: str | None) -> fields.Row:
    """What JSON and tables show of a person."""
    return {
        "name": user.name, "full_name": user.full_name, "email": user.email, "role": user.role.value,
        "customer": customer, "account": account, "locked": user.locked,
        "must_change_password": user.must_change_password, "second_factor": user.totp_secret is not None,
        "last_login": user.last_login, "last_ip": user.last_ip, "created": user.created, "updated": user.updated,
    }  # fmt: skip


def list_(call: Call) -> None:
    """People, page by page."""
    wanted: fields.Row = {
        "text": call.arguments.text, "role": call.arguments.role or "", "customer": call.arguments.customer
    }  # fmt: skip
    with call.database.session() as session:
        found = people.listing(session, **wanted, **fields.page(call))
        total = people.count(session, **wanted)
    call.table([row_of(*one) for one in found], COLUMNS)
    fields.tell_pages(call, len(found), total)


def show(call: Call) -> None:
    """One person."""
    with call.database.session() as session:
        user = people.find(session, call.arguments.name)
        values = people.values(session, user)
        call.pairs(row_of(user, values["customer"], values["account"]))


def add(call: Call) -> None:
    """A new web user."""
    given = {"name": call.arguments.name, **fields.given(call, WEB_USER)}
    values = rows.read(WEB_USER, given, Known(), whole=True)
    password, made_hash = _password(call)
    with call.database.session() as session:
        people.add(session, call.actor, values, made_hash, must_change=password.generated)
    _show_password(call, password, "added")


def set_(call: Call) -> None:
    """Other values for what is given; all else stays."""
    texts = fields.given(call, WEB_USER)
    if not texts:
        raise UsageError("there is nothing to set (emg user set --help says what can be)")
    values = rows.read(WEB_USER, texts, Known(), whole=False)
    with call.database.session() as session:
        changed = people.change(session, call.actor, call.arguments.name, values)
    _done(call, "changed", changed=changed)


def lock(call: Call) -> None:
    """He can't log in any more."""
    with call.database.session() as session:
        changed = people.lock(session, call.actor, call.arguments.name)
    _done(call, "locked", changed=changed)


def unlock(call: Call) -> None:
    """Take the lock away."""
    with call.database.session() as session:
        changed = people.unlock(session, call.actor, call.arguments.name)
    _done(call, "unlocked", changed=changed)


def password(call: Call) -> None:
    """Another password."""
    _exists(call)
    made, made_hash = _password(call)
    with call.database.session() as session:
        people.set_password(session, call.actor, call.arguments.name, made_hash, must_change=made.generated)
    _show_password(call, made, "password")


def reset(call: Call) -> None:
    """A made password for who has lost his, or his second factor."""
    _exists(call)
    made, made_hash = _password(call)
    with call.database.session() as session:
        people.reset(session, call.actor, call.arguments.name, made_hash)
    _show_password(call, made, "reset")


def delete(call: Call) -> int:
    """Take him away."""
    name = call.arguments.name
    if not fields.confirm(call, f"Delete web user {name}?"):
        call.say({"user": name, "done": "nothing"}, "nothing was done")
        return 1
    with call.database.session() as session:
        people.delete(session, call.actor, name)
    _done(call, "deleted", changed=True)
    return 0


def _exists(call: Call) -> None:
    """Raises NotFound before a password is made for nobody."""
    with call.database.session() as session:
        people.find(session, call.arguments.name)


def _password(call: Call) -> tuple[Password, str]:
    """The password and its hash."""
    made = call.password()
    return made, hashes.make(people_rows.password(made.text))


def _show_password(call: Call, made: Password, what: str) -> None:
    name = call.arguments.name
    sentences = {
        "added": "is added",
        "password": "has another password",
        "reset": "has another password and no second factor",
    }
    told = {"password": made.text} if made.generated else {}
    shown = f"; the password, shown this once: {made.text}" if made.generated else ""
    call.say({"user": name, "done": what, **told}, f"web user {name} {sentences[what]}{shown}")


def _done(call: Call, what: str, *, changed: bool) -> None:
    name = call.arguments.name
    if changed:
        call.say({"user": name, "done": what}, f"web user {name} is {what}")
    else:
        call.say({"user": name, "done": "nothing"}, f"web user {name} is so already")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the login")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    fields.page_arguments(parser)
    parser.add_argument("--role", choices=(*people_rows.HOUSE, *people_rows.CUSTOMERS), help="only people of this role")
    parser.add_argument("--customer", default="", help="only this customer's people")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    password_arguments(parser)
    fields.field_arguments(parser, WEB_USER)


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    fields.field_arguments(parser, WEB_USER, unset=True)


def _password_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    password_arguments(parser)


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    fields.yes_argument(parser)


COMMANDS: Final = {
    "list": Command(list_, _list_arguments, "people"),
    "show": Command(show, _name, "one person"),
    "add": Command(add, _add_arguments, "a new web user"),
    "set": Command(set_, _set_arguments, "other values for a web user: role, customer, account, name, mail"),
    "lock": Command(lock, _name, "he can't log in, and is logged out"),
    "unlock": Command(unlock, _name, "take the lock away"),
    "password": Command(password, _password_arguments, "another password"),
    "reset": Command(reset, _password_arguments, "another password, and the second factor is gone"),
    "delete": Command(delete, _delete_arguments, "take a web user away"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("user", "People who log in to the portal.", COMMANDS, argv)
