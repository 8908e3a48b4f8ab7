"""Queues: look at them, hold, release, clear, move.

Clear and move answer when they are done, or with 202 after `wait` seconds (default 10) while they go on; the queue's page
then shows how far they are. `dry_run` only counts.
"""

from typing import TYPE_CHECKING, Any

from emg.control.http import Request, Route, Status
from emg.control.routes import QUEUE
from emg.engine import inspection
from emg.engine.lane import Lane
from emg.engine.operations import Selection, Sweep
from emg.errors import ControlError

if TYPE_CHECKING:
    from emg.control.server import Api

WAIT_SECONDS = 10.0
WAIT_MOST = 60.0
LIST_LIMIT = 1000
HEAD_MOST = 200
"""Messages that one look at a queue shows."""


def find(api: "Api", name: str) -> Lane:
    """Raises ControlError 404."""
    lane = api.engine.lanes.by_name.get(name)
    if lane is None or (inspection.is_gone(api.engine, lane) and name not in api.operations.sweeps):
        raise ControlError(f"there is no queue {name}", 404)
    return lane


def listing(api: "Api", _request: Request) -> dict[str, Any]:
    """All queues, the longest first; those that are empty and an account's, or of a connector that is gone, are left out."""
    lanes = [
        lane
        for lane in api.engine.lanes.by_name.values()
        if lane.size or (("/" not in lane.name or lane.held) and not inspection.is_gone(api.engine, lane))
    ]
    lanes.sort(key=lambda lane: (-lane.size, lane.name))
    return {
        "queues": [inspection.queue_row(api.engine, lane) for lane in lanes[:LIST_LIMIT]],
        "count": len(lanes),
        "messages": api.engine.lanes.total,
        "limit": api.engine.config.maxtotalqueuesize,
    }


def details(api: "Api", request: Request) -> dict[str, Any]:
    """One queue: its size, head, oldest, and what it waits for."""
    lane = find(api, request.path["name"])
    sweep = api.operations.sweeps.get(lane.name)
    count = int(request.number("head", inspection.HEAD, 1, HEAD_MOST))
    return {
        **inspection.queue_details(api.engine, lane, count),
        "operation": sweep.status() if sweep is not None else None,
    }


def hold(api: "Api", request: Request) -> dict[str, Any]:
    """Its messages wait until released; over restarts too."""
    lane = find(api, request.path["name"])
    api.switches.hold(lane, held=True)
    return inspection.queue_row(api.engine, lane)


def release(api: "Api", request: Request) -> dict[str, Any]:
    """End a hold."""
    lane = find(api, request.path["name"])
    api.switches.hold(lane, held=False)
    return inspection.queue_row(api.engine, lane)


def clear(api: "Api", request: Request) -> Any:
    """End what waits in it as deleted; reports go to whoever asked for them."""
    lane = find(api, request.path["name"])
    wait = request.number("wait", WAIT_SECONDS, 0, WAIT_MOST)
    return _told(api.operations.clear(lane, _selection(request), dry=request.flag("dry_run")), wait)


def move(api: "Api", request: Request) -> Any:
    """Put what waits in it into another queue."""
    lane = find(api, request.path["name"])
    wait = request.number("wait", WAIT_SECONDS, 0, WAIT_MOST)
    target = _target(api, request.text("to"))
    return _told(api.operations.move(lane, target, _selection(request), dry=request.flag("dry_run")), wait)


def _target(api: "Api", name: str) -> Lane:
    connector, _, account = name.partition("/")
    port = api.engine.ports.get(connector)
    if port is None:
        raise ControlError(f"there is no connector {connector}", 404)
    if not port.can_send:
        raise ControlError(f"connector {connector} only receives (MODE)", 409)
    if account and (not port.incoming or account not in api.engine.users):
        raise ControlError(f"{name} is no queue of an account of an incoming connector", 404)
    return api.engine.lanes.get(name)


def _selection(request: Request) -> Selection:
    known = {"to", "account", "prefix", "dry_run", "wait"}
    strange = sorted(set(request.body) - known)
    if strange:  # a filter that was misspelt would mean all messages
        raise ControlError(f"unknown: {', '.join(strange)}; known are {', '.join(sorted(known))}")
    return Selection(request.text("account", ""), request.text("prefix", "").lstrip("+"))


def _told(sweep: Sweep, wait: float) -> Any:
    if not sweep.over.wait(timeout=wait):
        return Status(202, sweep.status())
    return Status(409 if sweep.fault else 200, {**sweep.status(), **({"error": sweep.fault} if sweep.fault else {})})


ROUTES = (
    Route("GET", "/queues", listing, "all queues, the longest first", "/queues"),
    Route("GET", f"/queues/{QUEUE}", details, "one queue: its first messages (?head=, 10), oldest, why it waits", "/queues/<name>"),
    Route("POST", f"/queues/{QUEUE}/hold", hold, "its messages wait", "/queues/<name>/hold"),
    Route("POST", f"/queues/{QUEUE}/release", release, "end a hold", "/queues/<name>/release"),
    Route(
        "POST", f"/queues/{QUEUE}/clear", clear,
        'delete what waits; {"account", "prefix", "dry_run", "wait"}', "/queues/<name>/clear", limited=False,
    ),
    Route(
        "POST", f"/queues/{QUEUE}/move", move,
        'move what waits; {"to", "account", "prefix", "dry_run", "wait"}', "/queues/<name>/move", limited=False,
    ),
)  # fmt: skip
