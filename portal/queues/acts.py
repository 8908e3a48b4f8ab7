"""What people do to a queue: hold, release, clear, move. Each act is the gateway's, over its control socket, and leaves a row in the audit log.

Clear and move are asked for in three steps: which messages (a form, whose answer is kept in the address), how many that are (the gateway counts them, and changes nothing),
and the act itself. Traffic goes on meanwhile: the gateway takes what was accepted before the act began and is not in flight. The number told at the end is the one that was done.
"""

from typing import Any, Final

from flask import flash, request, url_for
from werkzeug.wrappers import Response

from emg.control.client import Refused, part
from emg.db import audit
from emg.errors import ControlError
from portal import house
from portal import pages as made
from portal.formats import number
from portal.guard import needs
from portal.permissions import Permission
from portal.queues import asking
from portal.queues.asking import Row
from portal.queues.blueprint import pages
from portal.queues.forms import SelectionForm, TargetForm

WAIT: Final = 20
"""Seconds that a page waits for a count, or for an act's end; the act goes on without."""
DONE: Final = {
    "hold": "Queue {name} is on hold: what waits in it stays there, also over restarts, until it is released.",
    "release": "Queue {name} is released: it goes on.",
}
PAST: Final = {"clear": "deleted from", "move": "moved out of"}


@pages.post("/queues/<name:name>/hold")
@needs(Permission.CHANGE_QUEUES)
def hold(name: str) -> Response:
    """Let it wait."""
    return _switch("hold", name)


@pages.post("/queues/<name:name>/release")
@needs(Permission.CHANGE_QUEUES)
def release(name: str) -> Response:
    """Let it go on."""
    return _switch("release", name)


def _switch(verb: str, name: str) -> Response:
    try:
        row = house.gateway().post(f"/queues/{part(name)}/{verb}")
    except ControlError as error:
        flash(f"That was not done: {error}.", "danger")
    else:
        _note(verb, name, {"size": row["size"]})
        flash(DONE[verb].format(name=name), "success")
    return made.turn(asking.page(name))


# -- clear and move: which, how many, do it


@pages.get("/queues/<name:name>/clear")
@needs(Permission.CHANGE_QUEUES)
def ask_clear(name: str) -> str | Response:
    """Which messages, then how many these are."""
    return _ask("clear", name, SelectionForm(request.args, meta={"csrf": False}))


@pages.get("/queues/<name:name>/move")
@needs(Permission.CHANGE_QUEUES)
def ask_move(name: str) -> str | Response:
    """Which messages and where to, then how many these are."""
    return _ask("move", name, TargetForm(asking.targets(name), formdata=request.args, meta={"csrf": False}))


def _ask(verb: str, name: str, form: SelectionForm) -> str | Response:
    queue = asking.one(name)
    chosen = "count" in request.args and form.validate()
    if chosen and queue is not None:
        answer = _tell(verb, name, form, dry_run=True)
        if answer is not None:
            return _preview(verb, queue, form, answer)
    return made.render(
        "queues/choose.html", verb=verb, name=name, queue=queue, form=form, here=asking.page(name)
    )  # fmt: skip


def _preview(verb: str, queue: Row, form: SelectionForm, answer: Row) -> str:
    name, count = queue["queue"], answer["messages"]
    if not answer["complete"]:
        told = [f"{number(count)} messages and more: the queue is so long that they are still being counted."]
    elif not count:
        told = [f"No message that waits in queue {name} fits{_of(form)}: there is nothing to do now."]
    else:
        told = [f"{_messages(count)}{_of(form)} {'is' if count == 1 else 'are'} {PAST[verb]} queue {name}{_to(form)}."]
        if (stay := queue["size"] - queue["in_flight"] - count) > 0:
            told.append(
                f"{_messages(stay)} that {'waits' if stay == 1 else 'wait'} there {'stays' if stay == 1 else 'stay'}."
            )
    told += _consequences(verb, name)
    if queue["in_flight"]:
        told.append(
            f"{_messages(queue['in_flight'])} in flight now {'is' if queue['in_flight'] == 1 else 'are'} not touched: the answers to them are on the way."
        )
    told.append(
        "Traffic goes on meanwhile. What comes in from the moment of the act on is not touched, so that the number at the end may be another one."
    )
    fields = {key: str(form[key].data or "") for key in ("account", "prefix", "to") if key in form}
    return made.confirm(
        f"{'Clear' if verb == 'clear' else 'Move'} {_messages(count) if count and answer['complete'] else 'messages'} of queue {name}",
        sentences=told, action=_place(verb, name), verb="Delete them" if verb == "clear" else "Move them", back=asking.page(name),
        fields=fields, danger=verb == "clear",
    )  # fmt: skip


def _consequences(verb: str, name: str) -> list[str]:
    if verb == "move":
        return [
            "They queue up behind what their accounts have waiting there, with all their tries before them. Prices stay; costs become those of the new connector."
        ]
    if "/" in name:
        return ["Reports and incoming messages that are deleted never reach the account. This can't be taken back."]
    return [
        "Each ends as deleted: who asked for a failure report gets one, and its price is given back where its price row says so (refund: refused or undelivered).",
        "This can't be taken back.",
    ]


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{number(count)} messages"


def _of(form: SelectionForm) -> str:
    chosen = form.selection
    return (f" of account {chosen['account']}" if "account" in chosen else "") + (
        f" to numbers that begin with {chosen['prefix']}" if "prefix" in chosen else ""
    )


def _to(form: SelectionForm) -> str:
    return f" to queue {form.to.data}" if isinstance(form, TargetForm) else ""


@pages.post("/queues/<name:name>/clear")
@needs(Permission.CHANGE_QUEUES)
def clear(name: str) -> Response:
    """Delete them."""
    return _do("clear", name, SelectionForm())


@pages.post("/queues/<name:name>/move")
@needs(Permission.CHANGE_QUEUES)
def move(name: str) -> Response:
    """Move them."""
    return _do("move", name, TargetForm(asking.targets(name)))


def _do(verb: str, name: str, form: SelectionForm) -> Response:
    if not form.validate():
        flash(f"Nothing was done: {' '.join(fault for faults in form.errors.values() for fault in faults)}", "danger")
        return made.turn(_place(verb, name))
    answer = _tell(verb, name, form)
    if answer is None:
        return made.turn(asking.page(name))
    target = {"to": form.to.data} if isinstance(form, TargetForm) else {}
    _note(verb, name, {"messages": answer["messages"], **form.selection, **target})
    done = f"{_messages(answer['messages'])}{_of(form)} {'was' if answer['messages'] == 1 else 'were'} {PAST[verb]} queue {name}{_to(form)}"
    if answer["fault"]:
        flash(f"{done}; then it stopped: {answer['fault']}.", "danger")
    elif answer["complete"]:
        flash(f"{done}.", "success")
    else:
        flash(f"{done} so far. It goes on; this page shows how far it is.", "info")
    return made.turn(asking.page(name))


def _place(verb: str, name: str) -> str:
    return url_for(f"queues.{verb}", name=name)


def _tell(verb: str, name: str, form: SelectionForm, *, dry_run: bool = False) -> Row | None:
    """The gateway's answer, also where it stopped on the way; None, and a sentence above the page, where it did not begin."""
    body: Row = {**form.selection, "dry_run": dry_run, "wait": WAIT}
    if isinstance(form, TargetForm):
        body["to"] = form.to.data
    try:
        answer: Row = house.gateway().post(f"/queues/{part(name)}/{verb}", **body)
    except ControlError as error:
        if isinstance(error, Refused) and isinstance(error.answer, dict) and "messages" in error.answer:
            return error.answer
        flash(f"{'That can not be done' if dry_run else 'That was not done'}: {error}.", "danger")
        return None
    return answer


def _note(verb: str, name: str, after: dict[str, Any]) -> None:
    with house.writing() as session:
        audit.note(session, house.actor(), verb, "queue", name, None, after)
