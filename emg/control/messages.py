"""Messages, reports, orphans, and the question which way a message would go."""

from typing import TYPE_CHECKING, Any

import msgspec

from emg.control.http import Request, Route
from emg.control.routes import NUMBER
from emg.control.states import STATES
from emg.engine import inspection, interventions, submissions
from emg.errors import ControlError
from emg.message import State

if TYPE_CHECKING:
    from emg.control.server import Api

LONGEST_CALL = 8 << 20
"""Octets of a call that hands over messages: 500 of five thousand characters of three octets."""
ORPHANS = 100
ORPHANS_MOST = 10_000


def trace(_api: "Api", request: Request) -> dict[str, Any]:
    """A message's state and story."""
    return interventions.trace(_api.engine, _number(request.path["id"]))


def submit(api: "Api", request: Request) -> dict[str, Any]:
    """Take messages in for accounts; see `emg.engine.submissions`."""
    try:
        given = submissions.read(request.body.get("messages"))
    except msgspec.ValidationError as error:
        raise ControlError(f"messages is not what was expected: {error}") from error
    return {"messages": api.submissions.take(given)}


def cancel(api: "Api", request: Request) -> dict[str, Any]:
    """End a message that still waits."""
    return interventions.cancel(api.engine, _number(request.path["id"]))


def report(api: "Api", request: Request) -> dict[str, Any]:
    """Inject a report, by our id or by the provider's."""
    state = STATES.get(request.text("state", "delivered").lower())
    if state is None:
        raise ControlError(f"state has to be one of {', '.join(STATES)}")
    error = request.text("error", "000" if state is State.DELIVERED else "255")
    if not error.isascii() or not error.isalnum() or len(error) > 3:
        raise ControlError("error has to be up to three letters or digits")
    given = request.body.get("id")
    if given is not None:
        return interventions.report(api.engine, _number(given), state, error)
    if "remote_id" not in request.body:
        raise ControlError("give either id (ours), or remote_id and provider")
    return interventions.report_by_remote_id(
        api.engine, request.text("provider"), request.text("remote_id"), state, error
    )


def _number(given: Any) -> int:
    """A message id; JSON readers that know no 64-bit numbers send it as a string."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 20:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given < 1 << 63:
        raise ControlError(f"{given!r} is no message id")
    return given


def orphans(api: "Api", request: Request) -> dict[str, Any]:
    """Reports that match nothing, the newest first."""
    count = int(request.number("count", ORPHANS, 1, ORPHANS_MOST))
    kept = api.engine.orphans
    return {"orphans": kept.listing(count), "count": len(kept), "limit": kept.limit, "dropped": kept.dropped}


def explain(api: "Api", request: Request) -> dict[str, Any]:
    """Which way a message would go, and why."""
    dest = request.text("dest")
    if not dest.lstrip("+") or len(dest) > 64:
        raise ControlError("dest has to be an address")
    connector, account = request.text("connector", ""), request.text("account", "")
    if connector and connector not in api.engine.ports:
        raise ControlError(f"there is no connector {connector}", 404)
    told = inspection.explain_route(api.engine, dest, request.text("source", ""), account, connector)
    told["account_known"] = account in api.engine.users if account else None
    return told


ROUTES = (
    Route("GET", f"/messages/{NUMBER}", trace, "a message's state and story", "/messages/<id>", limited=False),
    Route(
        "POST",
        "/messages",
        submit,
        'take messages in; {"messages": [{"key", "account", "source", "dest", "text"}]}',
        limited=False,
        quiet=True,
        longest_body=LONGEST_CALL,
    ),
    Route("POST", f"/messages/{NUMBER}/cancel", cancel, "end one that still waits", "/messages/<id>/cancel"),
    Route("GET", "/orphans", orphans, "reports that match nothing; ?count=", "/orphans"),
    Route("POST", "/reports", report, 'inject a report; {"id"} or {"remote_id", "provider"}, "state", "error"'),
    Route("POST", "/explain", explain, 'the way of a message; {"dest", "source", "account", "connector"}'),
)
