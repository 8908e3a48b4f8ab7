"""The outbox over the control API: how full it is, and the recorder's word for how far the message log is."""

from typing import TYPE_CHECKING, Any

from emg.control.routes import Request, Route
from emg.errors import ControlError

if TYPE_CHECKING:
    from emg.control.server import Api


def show(api: "Api", _request: Request) -> dict[str, Any]:
    """How full it is, and how far the log."""
    status: dict[str, Any] = api.engine.outbox.status(api.gateway.config)
    return status


def recorded(api: "Api", request: Request) -> dict[str, Any]:
    """The recorder has written everything up to a row; it may be trimmed."""
    row, identity = _whole(request, "recorded"), _whole(request, "identity")
    api.engine.outbox.told(row, identity)
    return {"recorded": api.engine.outbox.recorded, "last": api.engine.spool.outbox_last}


def _whole(request: Request, name: str) -> int:
    value = request.body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ControlError(f"{name} has to be a whole number")
    return value


ROUTES = (
    Route("GET", "/outbox", show, "events that wait for the message log, and how far the recorder is"),
    Route("POST", "/outbox", recorded, 'how far the message log is; {"recorded", "identity"}', quiet=True),
)
"""`identity` and `last` may be above 2^53: whoever reads them in JavaScript has to take them as text."""
