"""Acts on an account that are asked for once more: locking, deleting, closing a session."""

import datetime as dt
from typing import Any, Final

from flask import abort, flash, url_for
from werkzeug.wrappers import Response

from emg.control.client import part
from emg.db import accounts, audit, balances, messages
from emg.db.engine import DatabaseError
from emg.db.messages import Search
from emg.db.models import Status
from emg.errors import ControlError
from portal import house, scope
from portal import pages as made
from portal.accounts.blueprint import ask, home, living, pages
from portal.formats import money, number
from portal.guard import needs
from portal.permissions import Permission

LOOKED_BACK: Final = dt.timedelta(days=7)
MOST_WAITING: Final = 10_000


@pages.get("/accounts/<name:name>/lock")
@needs(Permission.CHANGE_ACCOUNTS)
def ask_lock(name: str) -> str:
    """What a lock does."""
    _exists(name)
    sentences = ["Nobody can log in with it until it is unlocked.", *_what_ends(name)]
    address = url_for("accounts.lock", name=name)
    return made.confirm(f"Lock account {name}?", sentences=sentences, action=address, verb="Lock it", back=home(name))


@pages.post("/accounts/<name:name>/lock")
@needs(Permission.CHANGE_ACCOUNTS)
def lock(name: str) -> Response:
    """Lock it."""
    with house.writing() as session:
        changed = accounts.lock(session, house.actor(), name)
    return _done(name, "locked", changed=changed)


@pages.post("/accounts/<name:name>/unlock")
@needs(Permission.CHANGE_ACCOUNTS)
def unlock(name: str) -> Response:
    """Take the lock away."""
    with house.writing() as session:
        changed = accounts.unlock(session, house.actor(), name)
    return _done(name, "unlocked", changed=changed)


@pages.get("/accounts/<name:name>/delete")
@needs(Permission.CHANGE_ACCOUNTS)
def ask_delete(name: str) -> str:
    """What deleting does."""
    with house.reading() as session:
        account = living(scope.own_account(session, name))
        kept = f"{name}~{account.id}"
        left = money(balances.stored(account).micros, account.currency)
    sentences = [
        f"Its balance is {left}. The ledger stays, under the name {kept}, and its messages stay in the log; the name {name} is free again.",
        "Its password and its access list are lost.",
        *_what_ends(name),
    ]
    address = url_for("accounts.delete", name=name)
    return made.confirm(
        f"Delete account {name}?", sentences=sentences, action=address, verb="Delete it", back=home(name)
    )


@pages.post("/accounts/<name:name>/delete")
@needs(Permission.CHANGE_ACCOUNTS)
def delete(name: str) -> Response:
    """Delete it."""
    with house.writing() as session:
        kept = accounts.delete(session, house.actor(), name).name
    flash(f"Account {name} is deleted; its ledger is kept as {kept}.", "success")
    house.tell_gateway()
    return made.turn(url_for("accounts.index"))


def _exists(name: str) -> None:
    with house.reading() as session:
        living(scope.own_account(session, name))


def _what_ends(name: str) -> list[str]:
    """Sentences: sessions that end, messages that go on."""
    live = ask(name)
    sessions = (
        "Its sessions end, if it has any." if live is None else _count(live["sessions"], "session") + " of it will end."
    )
    if live is not None and not live["sessions"]:
        sessions = "It has no session now."
    waiting = _waiting(name)
    if waiting is None:
        return [sessions, "Messages that wait in queues stay there and are sent."]
    if not waiting:
        return [sessions, "None of its messages wait in queues."]
    more = "more than " if waiting > MOST_WAITING else ""
    return [
        sessions,
        f"{more}{_count(min(waiting, MOST_WAITING), 'message')} of it in the queues will still be sent.".capitalize(),
    ]


def _count(figure: int, word: str) -> str:
    return f"{number(figure)} {word}{'' if figure == 1 else 's'}"


def _waiting(name: str) -> int | None:
    wanted = Search(account=name, statuses=(Status.QUEUED,), since=dt.datetime.now(dt.UTC) - LOOKED_BACK)
    try:
        with house.reading() as session:
            return messages.count(session, wanted, MOST_WAITING)
    except DatabaseError:  # it took too long: the sentence without a number is true as well
        return None


def _done(name: str, what: str, *, changed: bool) -> Response:
    flash(f"Account {name} is {what}." if changed else f"Account {name} is {what} already.", "success")
    if changed:
        house.tell_gateway()
    return made.turn(home(name))


# -- sessions


@pages.get("/accounts/<name:name>/sessions/<name:which>/close")
@needs(Permission.RUN_ACCOUNTS)
def ask_close(name: str, which: str) -> str:
    """What closing a session does."""
    session = _session(name, which)
    waiting = session.get("in_flight") or 0
    sentences = [
        f"It is bound to {session.get('connector')} from {session.get('ip')}. It is ended at once; the program at the other end may log in again.",
        f"{_count(waiting, 'delivery')} on the way to it will be tried again.".replace("deliverys", "deliveries") if waiting
        else "Nothing is on the way to it.",
    ]  # fmt: skip
    address = url_for("accounts.close", name=name, which=which)
    return made.confirm(
        f"Close session {which}?", sentences=sentences, action=address, verb="Close it", back=home(name)
    )


@pages.post("/accounts/<name:name>/sessions/<name:which>/close")
@needs(Permission.RUN_ACCOUNTS)
def close(name: str, which: str) -> Response:
    """Close it, if it is this account's."""
    _session(name, which)
    try:
        house.gateway().post(f"/sessions/{part(which)}/close", now=True)
    except ControlError as error:
        flash(f"The session was not closed: {error}.", "error")
        return made.turn(home(name))
    with house.writing() as session:
        audit.note(session, house.actor(), "close session", "account", name, None, {"session": which})
    flash(f"Session {which} is closed.", "success")
    return made.turn(home(name))


def _session(name: str, which: str) -> dict[str, Any]:
    """This session of this account; 404 for one of another's."""
    _exists(name)
    live = ask(name)
    found = [one for one in (live or {}).get("session_list", ()) if one["session"] == which]
    if not found:
        abort(404, f"Account {name} has no session {which} now.")
    session: dict[str, Any] = found[0]
    return session
