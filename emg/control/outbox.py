"""The outbox over the control API: how full it is, and the recorder's word for how far the message log is."""

from typing import TYPE_CHECKING, Any

from emg.control.http import Request, Route
from emg.errors import ControlError

if TYPE_CHECKING:
    from emg.control.server import Api

LONGEST_NOTICE = 4000


def show(api: "Api", _request: Request) -> dict[str, Any]:
    """How full it is, and how far the log."""
    status: dict[str, Any] = api.engine.outbox.status(api.gateway.config)
    return status


def recorded(api: "Api", request: Request) -> dict[str, Any]:
    """The recorder has written everything up to a row; it may be trimmed. `notice`: what it wants somebody to look at."""
    row = _whole(request, "recorded") if "recorded" in request.body else None
    notice = request.body.get("notice", "")
    if not isinstance(notice, str) or len(notice) > LONGEST_NOTICE:
        raise ControlError(f"notice has to be a text of at most {LONGEST_NOTICE} characters")
    api.engine.outbox.told(row, _whole(request, "identity"), notice)
    return {"recorded": api.engine.outbox.recorded, "last": api.engine.spool.outbox_last}


def _whole(request: Request, name: str) -> int:
    value = request.body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ControlError(f"{name} has to be a whole number")
    return value


ROUTES = (
    Route("GET", "/outbox", show, "events that wait for the message log, and how far the recorder is"),
    Route("POST", "/outbox", recorded, 'how far the message log is; {"identity", "recorded", "notice"}', quiet=True),
)
"""`identity` and `last` may be above 2^53: whoever reads them in JavaScript has to take them as text."""
