"""Connectors and their sessions: look at them, start, stop, hold, release, close."""

from typing import TYPE_CHECKING, Any

import gevent

from emg.control.http import NAME, Request, Route, Status
from emg.control.progress import progress
from emg.control.routes import Connector
from emg.errors import ControlError, EmgError

if TYPE_CHECKING:
    from emg.control.server import Api

STOP_SECONDS = 15.0
"""How long the answer to a stop waits for it; the stop itself may take DRAINTIME."""
LIST_LIMIT = 1000


def row(connector: Connector) -> dict[str, Any]:
    """A connector in one line."""
    port = connector.port
    return {
        **connector.status(),
        "usable": port.usable,
        "held": port.lane.held,
        "stopped": port.stopped,
        "disabled": port.config.disabled,
        "throttled": bool(port.slowed),
        "queued": port.lane.size,
        "progress": None if port.incoming else progress(port),
        "certificate": port.config.ssl_certfile if port.config.ssl else None,
        "certificate_stamp": connector.tls.stamp if connector.tls is not None else "",
        "counters": port.counters.as_dict(),
    }


def find(api: "Api", name: str) -> Connector:
    """Raises ControlError 404."""
    connector = api.gateway.connectors.get(name)
    if connector is None:
        raise ControlError(f"there is no connector {name}", 404)
    return connector


def listing(api: "Api", _request: Request) -> dict[str, Any]:
    """All connectors."""
    return {"connectors": [row(connector) for connector in api.gateway.connectors.values()]}


def details(api: "Api", request: Request) -> dict[str, Any]:
    """One connector with its sessions and queues."""
    connector = find(api, request.path["name"])
    name = connector.port.name
    lanes = [
        lane for lane in api.engine.lanes.by_name.values() if lane.name == name or lane.name.startswith(f"{name}/")
    ]
    return {
        **row(connector),
        "queues": [{"queue": lane.name, "size": lane.size, "held": lane.held} for lane in lanes[:LIST_LIMIT]],
        "session_list": [session.status() for session in connector.sessions()[:LIST_LIMIT]],
    }


def start(api: "Api", request: Request) -> dict[str, Any]:
    """Start a connector that was stopped."""
    connector = find(api, request.path["name"])
    port = connector.port
    if port.config.disabled:
        raise ControlError(f"connector {port.name} is DISABLED in the configuration", 409)
    if not port.config.instances:
        raise ControlError(f"connector {port.name} has INSTANCES=0 in the configuration", 409)
    if not api.engine.receiver.open:
        raise ControlError("the gateway is stopping", 409)
    if not port.started:
        try:
            connector.start()
        except EmgError as error:
            raise ControlError(f"connector {port.name} cannot start: {error}", 409) from error
    api.switches.stop(port, stopped=False)
    return row(connector)


def stop(api: "Api", request: Request) -> Any:
    """Stop a connector: it takes nothing new, answers what is in its windows, and stays stopped over restarts."""
    connector = find(api, request.path["name"])
    stopping = gevent.spawn(connector.stop, api.gateway.config.draintime)
    api.switches.stop(connector.port, stopped=True)
    stopping.join(timeout=STOP_SECONDS)
    return row(connector) if stopping.ready() else Status(202, row(connector))


def hold(api: "Api", request: Request) -> dict[str, Any]:
    """Its sessions stay up, its queue waits."""
    return _hold(api, request, held=True)


def release(api: "Api", request: Request) -> dict[str, Any]:
    """Let its queue go."""
    return _hold(api, request, held=False)


def _hold(api: "Api", request: Request, *, held: bool) -> dict[str, Any]:
    connector = find(api, request.path["name"])
    api.switches.hold(connector.port.lane, held=held)
    return row(connector)


def sessions(api: "Api", request: Request) -> dict[str, Any]:
    """All sessions, or those of a connector or an account."""
    connector, account = request.text("connector", ""), request.text("account", "")
    found = [
        session.status()
        for name, owner in api.gateway.connectors.items()
        if not connector or name == connector
        for session in owner.sessions()
    ]
    if account:
        found = [status for status in found if status["account"] == account]
    return {"sessions": found[:LIST_LIMIT], "count": len(found)}


def close(api: "Api", request: Request) -> dict[str, Any]:
    """End a session: in good order, or at once with {"now": true}."""
    name = request.path["name"]
    for connector in api.gateway.connectors.values():
        for session in connector.sessions():
            if session.name == name:
                if request.flag("now"):
                    session.close("closed by an operator")
                else:
                    session.unbind()
                return {"session": name, "closing": True}
    raise ControlError(f"there is no session {name}", 404)


ROUTES = (
    Route("GET", "/connectors", listing, "all connectors", "/connectors"),
    Route("GET", f"/connectors/{NAME}", details, "one connector, its sessions and queues", "/connectors/<name>"),
    Route("POST", f"/connectors/{NAME}/start", start, "start it", "/connectors/<name>/start", limited=False),
    Route(
        "POST",
        f"/connectors/{NAME}/stop",
        stop,
        "stop it, also over restarts",
        "/connectors/<name>/stop",
        limited=False,
    ),
    Route("POST", f"/connectors/{NAME}/hold", hold, "sessions stay, messages wait", "/connectors/<name>/hold"),
    Route("POST", f"/connectors/{NAME}/release", release, "end a hold", "/connectors/<name>/release"),
    Route("GET", "/sessions", sessions, "sessions; ?connector= and ?account= choose", "/sessions"),
    Route("POST", f"/sessions/{NAME}/close", close, 'end a session; {"now": true}: at once', "/sessions/<id>/close"),
)
