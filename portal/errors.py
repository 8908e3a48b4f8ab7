"""What a person sees when something is not as it should be: one page, with a sentence that says what is wrong and what can be done.

An `EmgError` that a view lets out is an answer, not a fault: no such row is 404, a database that is away is 503, all else 400. A fault of ours is 500, told in the log with its
number and on the page by that number alone. Parts of pages and the API get their own shapes.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Flask, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from emg.db.changes import NotFound
from emg.db.connectors import NoSuchConnector
from emg.db.engine import DatabaseError
from emg.db.rule_table import NoSuchRow
from emg.db.sent_forms import AlreadySent
from emg.errors import ControlError, EmgError
from emg.rules.faults import Fault, TableFaults
from portal.guard import is_part

log = logging.getLogger("emg.portal")
API: Final = "/api/"
MOST_FAULTS: Final = 1000
"""That a program is told at once."""
_TITLES: Final = {
    400: "That did not work", 403: "Not allowed", 404: "There is no such page", 405: "That can't be done here", 409: "That does not fit", 413: "That is too large",
    429: "Too many tries", 500: "A fault of ours", 503: "Something is away",
}  # fmt: skip


def install(app: Flask) -> None:
    """For every error of this application."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(EmgError, _emg)
    app.register_error_handler(Exception, _fault)


def _emg(error: EmgError) -> Any:
    if isinstance(error, NotFound | NoSuchConnector | NoSuchRow):
        return answer(404, _sentence(error))
    if isinstance(error, AlreadySent):
        return answer(409, _sentence(error))
    if isinstance(error, TableFaults):
        return answer(400, _sentence(error), faults=error.faults)
    if isinstance(error, DatabaseError):
        log.warning("%s %s: %s", request.method, request.path, error)
        return answer(503 if error.temporary else 500, _sentence(error))
    if isinstance(error, ControlError):
        return answer(error.status if error.status in _TITLES else 400, _sentence(error))
    return answer(400, _sentence(error))


def _sentence(error: EmgError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _http(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    if isinstance(error, CSRFError):
        return answer(
            400, "The form was too old, or it did not come from our page. Load the page again and send it once more."
        )
    own = error.description or ""
    default = type(error).description or ""
    allow = {"Allow": ", ".join(sorted(error.valid_methods or ()))} if isinstance(error, MethodNotAllowed) else None
    return answer(error.code, own if own != default else _DEFAULTS.get(error.code, default), headers=allow)


_DEFAULTS: Final = {
    403: "Your role may not do this.",
    404: "What was here is gone, or it never was. The address may be mistyped.",
    405: "This address does not take such a request.",
    413: "What was sent is more than this page takes.",
}


def _fault(error: Exception) -> Any:
    number = secrets.token_hex(4)
    log.error("fault %s: %s %s", number, request.method, request.path, exc_info=error)
    return answer(500, f"The portal's log has the details under the number {number}.")


def answer(code: int, sentence: str, *, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None) -> Any:
    """The page, or what whoever asks can read. `faults` are for programs, `headers` too: a page says all in its sentence."""
    if request.path.startswith(API):
        told = [{"field": one.field, "message": one.reason, "line": one.line or None} for one in faults[:MOST_FAULTS]]
        return {"error": {"code": code, "message": sentence, "faults": told}}, code, dict(headers or {})
    if is_part():
        response = Response(render_template("error_part.html", sentence=sentence), status=code, mimetype="text/html")
        response.headers["HX-Retarget"] = "#problems"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    return render_template(
        "error.html", code=code, heading=_TITLES.get(code, "That did not work"), sentence=sentence
    ), code
