"""What a request brings: its query and its body, checked against the operation's Structs. What does not fit is a `BadRequest` with its field."""

import base64
import hashlib
import re
from typing import Any, Final

import msgspec
from flask import abort, request

from emg.db import sent_forms
from emg.db.engine import Session
from emg.rules.faults import Fault, TableFaults
from portal.api.caller import caller
from portal.api.operations import CSV, JSON, Nothing, Operation, Shape

LARGEST_JSON: Final = 1 << 20
LARGEST_FILE: Final = 32 << 20
HEADER: Final = "Idempotency-Key"
_PLACE: Final = re.compile(r" - at `\$?\.?([^`]*)`$")
_FIELD: Final = re.compile(r"field `([^`]+)`")
_ONCE: Final = re.compile(r"[\x21-\x7e]{8,200}")


class BadRequest(TableFaults):
    """What came does not fit; each fault has its field."""


def fault(field: str, reason: str) -> BadRequest:
    """One that msgspec does not see."""
    return BadRequest([Fault(0, field, reason)])


def query(kind: type[Shape]) -> Any:
    """The query parameters."""
    given: dict[str, str] = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise fault(name, "is given more than once")
        given[name] = values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _fault_of(error) from None


def body(operation: Operation) -> Any:
    """The body: a Struct, or text."""
    takes = operation.takes
    request.max_content_length = LARGEST_FILE if takes is CSV else LARGEST_JSON
    octets = request.get_data(cache=False)
    if takes is CSV:
        return _text(octets)
    if octets and request.mimetype != JSON:
        abort(415, f"A body is {JSON} here.")
    try:
        return msgspec.json.decode(octets or b"{}", type=takes)
    except msgspec.ValidationError as error:
        raise _fault_of(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if takes is Nothing:
            raise fault("", "nothing is expected in the body") from None
        raise fault("", f"the body is no JSON: {error}") from None


def _text(octets: bytes) -> str:
    if request.mimetype != CSV:
        abort(415, f"A body is {CSV} here, in UTF-8.")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise BadRequest([Fault(line, "", "is not text in UTF-8")]) from None


def _fault_of(error: msgspec.ValidationError) -> BadRequest:
    text = str(error)
    place = _PLACE.search(text)
    reason = _PLACE.sub("", text)
    named = _FIELD.search(reason)
    path = ".".join(filter(None, (place[1] if place else "", named[1] if named else "")))
    return fault(path, reason[:1].lower() + reason[1:])


def once(session: Session, operation: str) -> None:
    """Take a request with an `Idempotency-Key` once: in the transaction of what it does. Raises AlreadySent; without the header nothing is held."""
    given = request.headers.get(HEADER)
    if given is None:
        return
    if not _ONCE.fullmatch(given):
        raise fault(HEADER, "must be 8 to 200 characters of ASCII without blanks, such as a UUID")
    digest = hashlib.sha256(f"{caller().id} {operation} {given}".encode()).digest()
    sent_forms.spend(session, base64.urlsafe_b64encode(digest).decode().rstrip("="))
