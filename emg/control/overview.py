"""What stands in one glance: health, status, reload, stop, and the list of what can be asked."""

import os
import time
from typing import TYPE_CHECKING, Any

from emg.control.http import Request, Route, Status
from emg.errors import ControlError, EmgError

if TYPE_CHECKING:
    from emg.control.server import Api

LAG_LIMIT = 5.0
"""Seconds by which the event loop may be late."""
COMMIT_LIMIT = 30.0
"""Seconds that one commit may take."""


CODES = {
    "spool_full": "the disk can't take new messages",
    "commit_hangs": "a commit does not return",
    "loop_late": "something keeps the event loop, or the regular duties",
    "stopping": "it drains and stops: no fault, but nothing new is taken",
}
"""What can be wrong, for programs; each has a sentence in `faults`, in the same order as `codes`."""


def health(api: "Api", _request: Request) -> Any:
    """Does the gateway work? 200 when it does, 503 with the reasons when not."""
    gateway, spool = api.gateway, api.engine.spool
    full = time.monotonic() - spool.full_since if spool.full_since else 0.0
    lag, commit = gateway.lag, spool.commit_seconds
    faults = {}
    if full:
        faults["spool_full"] = f"the spool cannot be written for {full:.0f} s: new messages are refused"
    if commit > COMMIT_LIMIT:
        faults["commit_hangs"] = f"a commit has been running for {commit:.0f} s: the disk hangs"
    if lag > LAG_LIMIT:
        faults["loop_late"] = f"the event loop was {lag:.1f} s late"
    if not api.engine.receiver.open:
        faults["stopping"] = "the gateway is stopping"
    told = {
        "ok": not faults,
        "codes": list(faults),
        "faults": list(faults.values()),
        "process": os.getpid(),
        "loop_lag_seconds": round(lag, 4),
        "commit_seconds": round(commit, 4),
        "spool_full_seconds": round(full, 1),
        "commits": spool.commits,
    }
    return Status(503, told) if faults else told


def status(api: "Api", _request: Request) -> dict[str, Any]:
    """The whole gateway in numbers."""
    gateway, engine = api.gateway, api.engine
    states: dict[str, int] = {}
    for connector in gateway.connectors.values():
        state = connector.status()["state"]
        states[state] = states.get(state, 0) + 1
    return {
        "server": gateway.config.servername,
        "node": gateway.config.nodeid,
        "process": os.getpid(),
        "configuration": gateway.config.file,
        "started": gateway.started_at,
        "uptime_seconds": round(time.time() - gateway.started_at, 1) if gateway.started_at else 0.0,
        "stopping": not engine.receiver.open,
        "connectors": states,
        "sessions": sum(len(connector.sessions()) for connector in gateway.connectors.values()),
        "queued": engine.lanes.total,
        "in_flight": sum(lane.in_flight for lane in engine.lanes.by_name.values()),
        "held_parts": engine.receiver.joiner.count,
        "open_reports": engine.open_reports.count,
        "orphans": len(engine.orphans),
        "outbox_events": engine.spool.outbox_events,
        "outbox_alarm": engine.outbox.alarm,
        "recorder_notice": engine.outbox.notice,
        "configuration_faults": gateway.configuration_faults,
        "spool_commits": engine.spool.commits,
        "spool_refusals": engine.spool.refusals,
        "log_lines_lost": engine.logs.lost,
        "loop_lag_seconds": round(gateway.lag, 4),
        "totals": totals(api),
        **gateway.database_status(),
    }


def totals(api: "Api") -> dict[str, int]:
    """The counters of all connectors together."""
    together: dict[str, int] = {}
    for port in api.engine.ports.values():
        for name, count in port.counters.as_dict().items():
            together[name] = together.get(name, 0) + count
    return together


def reload(api: "Api", _request: Request) -> dict[str, Any]:
    """Read the configuration again; nothing changes when it has a fault."""
    try:
        return api.gateway.reload()
    except ControlError:
        raise
    except EmgError as error:
        raise ControlError(f"the configuration stays as it was: {error}", 409) from error


def stop(api: "Api", _request: Request) -> Status:
    """Drain and stop. The answer comes before the end."""
    api.gateway.request_stop()
    return Status(202, {"stopping": True, "within_seconds": api.gateway.config.draintime})


def listing(api: "Api", _request: Request) -> dict[str, Any]:
    """What can be asked for."""
    return {
        "routes": [
            {"method": route.method, "path": route.shown or route.pattern, "help": route.help}
            for route in api.table.routes
        ]
    }


PUBLIC = (Route("GET", "/health", health, "does the gateway work: 200, or 503 with the reasons"),)

ROUTES = (
    Route("GET", "/", listing, "this list"),
    Route("GET", "/status", status, "the whole gateway in numbers"),
    Route("POST", "/reload", reload, "read the configuration again", limited=False),
    Route("POST", "/stop", stop, "drain and stop the gateway"),
)
