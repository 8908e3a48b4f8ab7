"""What people do with a connector that runs: start, stop, hold, release it, and close a session.

Each act is the gateway's, over its control socket, and leaves a row in the audit log. Stopping and closing are asked for once more.
"""

import time
from typing import Any, Final

from flask import abort, flash, request, url_for
from werkzeug.wrappers import Response

from emg.control.client import part
from emg.db import audit
from emg.errors import ControlError
from portal import formats, house
from portal import pages as made
from portal.connectors import asking
from portal.connectors.blueprint import pages
from portal.connectors.overview import Seen
from portal.formats import span
from portal.guard import needs
from portal.permissions import Permission

DONE: Final = {
    "start": "Connector {name} is started.",
    "stop": "Connector {name} is stopped, also over restarts of the gateway, until somebody starts it.",
    "hold": "Connector {name} is on hold: what waits in its queue stays there until it is released.",
    "release": "Connector {name} is released: its queue goes on.",
}
"""Verbs of the gateway, and what is told when it has done them."""


@pages.post("/connectors/<name:name>/start")
@needs(Permission.RUN_CONNECTORS)
def start(name: str) -> Response:
    """Begin again after a stop."""
    return _act(name, "start")


@pages.get("/connectors/<name:name>/stop")
@needs(Permission.RUN_CONNECTORS)
def ask_stop(name: str) -> str:
    """What a stop does."""
    seen = asking.known(name)
    return made.confirm(
        f"Stop connector {name}",
        sentences=[*ends(seen), "It stays stopped, also over restarts of the gateway, until somebody starts it."],
        action=url_for(".stop", name=name), verb="Stop it", back=url_for(".one", name=name),
    )  # fmt: skip


@pages.post("/connectors/<name:name>/stop")
@needs(Permission.RUN_CONNECTORS)
def stop(name: str) -> Response:
    """Stop it."""
    return _act(name, "stop")


@pages.post("/connectors/<name:name>/hold")
@needs(Permission.RUN_CONNECTORS)
def hold(name: str) -> Response:
    """Let its queue wait."""
    return _act(name, "hold")


@pages.post("/connectors/<name:name>/release")
@needs(Permission.RUN_CONNECTORS)
def release(name: str) -> Response:
    """Let its queue go on."""
    return _act(name, "release")


def _act(name: str, verb: str) -> Response:
    seen = asking.known(name)
    if tell(f"/connectors/{part(name)}/{verb}"):
        note(verb, name, {"sessions": seen.sessions or 0, "queued": seen.queued or 0})
        flash(DONE[verb].format(name=name), "success")
    return made.turn(url_for(".one", name=name))


def ends(seen: Seen) -> list[str]:
    """What it means for sessions and messages when a connector ends."""
    if seen.live is None:
        return [
            "No gateway says how many sessions and messages that concerns."
            if not seen.asked
            else "The gateway does not use it now."
        ]
    sessions, queued = seen.sessions or 0, seen.queued or 0
    return [
        "No session is up now." if not sessions else f"{counted(sessions, 'session ends', 'sessions end')}: messages in their windows are answered first.",
        "Nothing waits in its queue."
        if not queued
        else f"{counted(queued, 'message waits', 'messages wait')} in its queue, and {'stays' if queued == 1 else 'stay'} there; no route chooses it meanwhile.",
    ]  # fmt: skip


def counted(count: int, one: str, many: str) -> str:
    """`1 session ends`, `12 sessions end`."""
    return f"{formats.number(count)} {one if count == 1 else many}"


def tell(path: str, **body: Any) -> bool:
    """Have the gateway do something; False, and a sentence above the page, when it does not."""
    try:
        house.gateway().post(path, **body)
    except ControlError as error:
        flash(f"That was not done: {error}.", "danger")
        return False
    return True


def note(verb: str, name: str, after: dict[str, Any]) -> None:
    """Who did it, and what there was then."""
    with house.writing() as session:
        audit.note(session, house.actor(), verb, "connector", name, None, after)


# -- sessions


@pages.get("/connectors/<name:name>/sessions/<session>/close")
@needs(Permission.RUN_CONNECTORS)
def ask_close(name: str, session: str) -> str:
    """What closing a session does."""
    found = _session(name, session)
    at_once = request.args.get("now") == "yes"
    who = f" of {found['account']}" if found["account"] else ""
    waiting = found["in_flight"] + found["owed"]
    sentences = [
        f"Session {session}{who} from {found['ip']} has stood for {span(max(1.0, time.time() - found['since']))}.",
        f"{counted(waiting, 'operation is', 'operations are')} without an answer in it."
        if waiting
        else "Nothing is without an answer in it.",
    ]
    sentences.append(
        "The connection is cut at once. What is without an answer is tried again: it may arrive twice."
        if at_once
        else "It is ended in good order (unbind), after the answers that are due. The far side may connect again."
    )
    return made.confirm(
        f"Close session {session}", sentences=sentences, action=url_for(".close", name=name, session=session),
        verb="Cut it now" if at_once else "Close it", back=url_for(".one", name=name), fields={"now": "yes"} if at_once else {},
    )  # fmt: skip


@pages.post("/connectors/<name:name>/sessions/<session>/close")
@needs(Permission.RUN_CONNECTORS)
def close(name: str, session: str) -> Response:
    """End it."""
    found = _session(name, session)
    at_once = request.form.get("now") == "yes"
    if tell(f"/sessions/{part(session)}/close", now=at_once):
        note("close", name, {"session": session, "account": found["account"], "ip": found["ip"], "at_once": at_once})
        flash(f"Session {session} is cut." if at_once else f"Session {session} is being closed.", "success")
    return made.turn(url_for(".one", name=name))


def _session(name: str, session: str) -> asking.Live:
    """A session of this connector, of which there must be one now."""
    seen = asking.known(name)
    if seen.live is None:
        abort(409, "No gateway answers, so that no session can be closed.")
    found: list[asking.Live] = [one for one in seen.live.get("session_list", ()) if one["session"] == session]
    if not found:
        abort(404, f"There is no session {session[:100]} of {name} any more.")
    return found[0]
