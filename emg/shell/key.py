"""`emg key`: keys with which programs use the REST API. A key is made here, shown once, and kept as its digest (`emg.db.keys`)."""

import argparse
from typing import Any, Final

from emg.db import customers, keys
from emg.db.models import ApiKey
from emg.rules import rows
from emg.rules.key_rows import KEY, SCOPES
from emg.rules.rows import Known
from emg.shell import fields
from emg.shell.common import Call, Command, run
from emg.shell.words import word

COLUMNS: Final = (
    ("Key", "name"), ("Begins", "prefix"), ("Customer", "customer"), ("Scopes", "scopes"), ("Requests/s", "rate"), ("Locked", "locked"),
    ("Expires", "expires"), ("Last used", "last_used"), ("Made", "created"), ("By", "created_by"),
)  # fmt: skip


def row_of(key: ApiKey, customer: str | None) -> fields.Row:
    """What JSON and tables show of a key."""
    return {
        "name": key.name, "prefix": key.prefix, "customer": customer, "scopes": key.scopes.split(","), "rate": key.rate, "locked": key.locked,
        "expires": key.expires, "last_used": key.last_used, "created": key.created, "created_by": key.created_by,
    }  # fmt: skip


def list_(call: Call) -> None:
    """Keys, page by page."""
    wanted: fields.Row = {"text": call.arguments.text, "customer": call.arguments.customer}
    with call.database.session() as session:
        found = keys.listing(session, **wanted, **fields.page(call))
        total = keys.count(session, **wanted)
    call.table([row_of(*one) for one in found], COLUMNS)
    fields.tell_pages(call, len(found), total)


def show(call: Call) -> None:
    """One key."""
    with call.database.session() as session:
        key = keys.find(session, call.arguments.name)
        call.pairs(row_of(key, keys.values(session, key)["customer"]))


def add(call: Call) -> None:
    """A new key."""
    given = {"name": call.arguments.name, **fields.given(call, KEY)}
    with call.database.session() as session:
        known = Known(customers=frozenset(customers.names(session)))
        values: dict[str, Any] = rows.read(KEY, given, known, whole=True)
        key, text = keys.add(session, call.actor, values)
    told = {"key": key.name, "done": "added", "prefix": key.prefix, "secret": text}
    call.say(told, f"key {key.name} is added; this is it, shown this once: {text}")


def lock(call: Call) -> None:
    """It is of no use until it is unlocked."""
    with call.database.session() as session:
        changed = keys.lock(session, call.actor, call.arguments.name)
    _done(call, "locked", changed=changed)


def unlock(call: Call) -> None:
    """Take the lock away."""
    with call.database.session() as session:
        changed = keys.unlock(session, call.actor, call.arguments.name)
    _done(call, "unlocked", changed=changed)


def revoke(call: Call) -> int:
    """Take it away for good."""
    name = call.arguments.name
    with call.database.session() as session:
        known_as = keys.find(session, name).name
    if not fields.confirm(call, f"Revoke key {known_as} for good?"):
        call.say({"key": known_as, "done": "nothing"}, "nothing was done")
        return 1
    with call.database.session() as session:
        keys.revoke(session, call.actor, known_as)
    call.say({"key": known_as, "done": "revoked"}, f"key {known_as} is revoked")
    return 0


def _done(call: Call, what: str, *, changed: bool) -> None:
    name = call.arguments.name
    if changed:
        call.say({"key": name, "done": what}, f"key {name} is {what}")
    else:
        call.say({"key": name, "done": "nothing"}, f"key {name} is so already")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=word, help="the key's name, or how it begins")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    fields.page_arguments(parser)
    parser.add_argument("--customer", default="", help="only this customer's")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=word, help="what people call it")
    parser.epilog = f"scopes: {', '.join(SCOPES)}"
    fields.field_arguments(parser, KEY)


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    fields.yes_argument(parser)


COMMANDS: Final = {
    "list": Command(list_, _list_arguments, "keys, and when each was used last"),
    "show": Command(show, _name, "one key"),
    "add": Command(add, _add_arguments, "a new key, shown this once"),
    "lock": Command(lock, _name, "it is of no use until it is unlocked"),
    "unlock": Command(unlock, _name, "take the lock away"),
    "revoke": Command(revoke, _revoke_arguments, "take a key away for good"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("key", "Keys of programs to the REST API.", COMMANDS, argv)
