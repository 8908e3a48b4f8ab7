"""Locking, unlocking and deleting a customer."""

from flask import flash, url_for
from werkzeug.wrappers import Response

from emg.db import accounts, customers
from emg.rules.rows import RowFaults
from portal import house
from portal import pages as made
from portal.customers.blueprint import ask, home, pages, sessions
from portal.formats import number
from portal.guard import needs
from portal.permissions import Permission


@pages.get("/customers/<name:name>/lock")
@needs(Permission.CHANGE_CUSTOMERS)
def ask_lock(name: str) -> str:
    """What a lock does."""
    with house.reading() as session:
        owned = accounts.of_customers(session, [customers.find(session, name).id])
    ending = sessions(owned, ask())
    sentences = [
        f"{_count(len(owned), 'account')} of this customer can't log in any more, until he is unlocked. His keys to the API are of no use either.",
        "How many sessions end is not known: no gateway answers."
        if ending is None
        else f"Sessions that end now: {number(ending)}.",
        "Messages that wait in queues stay there and are sent. Web users of the customer can still log in to the portal.",
    ]
    address = url_for("customers.lock", name=name)
    return made.confirm(f"Lock {name}?", sentences=sentences, action=address, verb="Lock him", back=home(name))


@pages.post("/customers/<name:name>/lock")
@needs(Permission.CHANGE_CUSTOMERS)
def lock(name: str) -> Response:
    """Lock him."""
    with house.writing() as session:
        changed = customers.lock(session, house.actor(), name)
    return _done(name, "locked", changed=changed)


@pages.post("/customers/<name:name>/unlock")
@needs(Permission.CHANGE_CUSTOMERS)
def unlock(name: str) -> Response:
    """Take the lock away."""
    with house.writing() as session:
        changed = customers.unlock(session, house.actor(), name)
    return _done(name, "unlocked", changed=changed)


@pages.get("/customers/<name:name>/delete")
@needs(Permission.CHANGE_CUSTOMERS)
def ask_delete(name: str) -> Response | str:
    """What deleting does, or why it can't be done."""
    with house.reading() as session:
        kept = customers.kept_by(session, customers.find(session, name).id)
    if kept:
        flash(f"{name} can't be deleted: there are {kept} of his. Lock him instead.", "warning")
        return made.turn(home(name))
    sentences = ["Nothing of this customer is left but his details, which are lost."]
    address = url_for("customers.delete", name=name)
    return made.confirm(f"Delete {name}?", sentences=sentences, action=address, verb="Delete him", back=home(name))


@pages.post("/customers/<name:name>/delete")
@needs(Permission.CHANGE_CUSTOMERS)
def delete(name: str) -> Response:
    """Delete him."""
    try:
        with house.writing() as session:
            customers.delete(session, house.actor(), name)
    except RowFaults as error:
        flash(f"{error.faults[0].reason}.", "error")
        return made.turn(home(name))
    flash(f"Customer {name} is deleted.", "success")
    house.tell_gateway()
    return made.turn(url_for("customers.index"))


def _count(figure: int, word: str) -> str:
    return f"{number(figure)} {word}{'' if figure == 1 else 's'}"


def _done(name: str, what: str, *, changed: bool) -> Response:
    flash(f"Customer {name} is {what}." if changed else f"Customer {name} is {what} already.", "success")
    if changed:
        house.tell_gateway()
    return made.turn(home(name))
