"""The time line of one message: what the log keeps of it, with what the gateway still knows. Pure.

The log keeps the result of each step, for as long as rows are kept; the gateway knows every step with its session and each try, for as long as its outbox does. Steps that both know
stand once, as the gateway tells them. For a customer's people no step names an operator, a session or an operator's id.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emg.db.messages import Whole
from emg.db.models import Status
from emg.errors import Cause
from portal.formats import money
from portal.messages.telling import Sees

RECEIVED: Final = "Received"
KIND_REPORT: Final = 5
LOOKS: Final = {
    "delivered": ("success", "check-circle-fill"), "failed": ("danger", "x-circle-fill"), "expired": ("danger", "clock-history"),
    "unknown": ("warning", "question-circle-fill"), "deleted": ("secondary", "trash"), "rejected": ("danger", "x-circle-fill"),
}  # fmt: skip
FINAL: Final = frozenset(Status) - {Status.QUEUED, Status.SENT}
CAUSES: Final = {cause.value for cause in Cause}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of it."""

    at: dt.datetime
    title: str
    about: str = ""
    look: str = "secondary"
    sign: str = "circle"
    live: bool = False
    """The gateway told it."""


def steps(whole: Whole, live: Mapping[str, Any] | None, sees: Sees) -> list[Step]:
    """In the order of time."""
    told = list(live["story"]) + list(live["related"]) if live else []
    numbers = {part.id: part.number for part in whole.parts}
    numbers |= {event["part"]: event["number"] for event in told if event["event"] == "split"}
    found = [step for event in told for step in _of_event(event, whole.row.id, numbers, house=sees.house)]
    kinds = {_kind(event, whole.row.id) for event in told}
    found += [step for kind, step in _of_log(whole, house=sees.house) if kind not in kinds]
    received = next((step.at for step in found if step.title == RECEIVED), whole.row.received)
    first = [step for step in found if step.title == RECEIVED]
    rest = [step for step in found if step.title != RECEIVED]
    return sorted([*first, *_decided(received, whole.row, sees), *rest], key=lambda step: step.at)


def _decided(at: dt.datetime, row: Any, sees: Sees) -> Iterator[Step]:
    """Which way it went and what it costs, as was decided when it came."""
    if sees.house and row.route:
        yield Step(
            at,
            f"Routed by {row.route}",
            f"To {row.connector_out}." if row.connector_out else "",
            "info",
            "signpost-split",
        )
    if sees.prices and row.currency:
        prefix = f" for numbers that begin with {row.prefix}" if row.prefix else ""
        by = f" by price row {row.price_row}" if sees.house and row.price_row else ""
        charged = row.price + row.refunded
        about = f"{money(charged, row.currency)} for {row.parts} {'part' if row.parts == 1 else 'parts'}{by}{prefix}."
        yield Step(at, "Priced", about, "info", "tag")
    if sees.prices and row.refunded and row.done:
        yield Step(
            row.done,
            "Price given back",
            f"{money(row.refunded, row.currency)} went back to account {row.account}.",
            "info",
            "arrow-counterclockwise",
        )


def _kind(event: Mapping[str, Any], number: int) -> str:
    """Which of the log's steps this is."""
    own = event["id"] == number
    if event["event"] == "sent" and event["kind"] != KIND_REPORT:
        return "sent" if own else f"sent {event['id']}"
    if event["event"] == "ended":
        return "ended" if own else f"ended {event['id']}"
    return str(event["event"]) if own else ""


# -- of the log


def _of_log(whole: Whole, *, house: bool) -> Iterator[tuple[str, Step]]:
    row = whole.row
    by = f" by {row.connector_in}" if house and row.connector_in else ""
    ip = f" from {row.ip}" if row.ip else ""
    yield (
        "accepted",
        Step(row.received, RECEIVED, f"Of account {row.account or '–'}{by}{ip}.", "info", "box-arrow-in-right"),
    )
    for part in whole.parts:
        title = f"Part {part.number} of {part.total}"
        if part.sent:
            yield (
                f"sent {part.id}",
                Step(part.sent, f"{title} sent", _their_id(part.remote_id, house=house), "info", "send"),
            )
        if part.done:
            yield f"ended {part.id}", _end(part.done, part.status, f"{title} ", part.error, "")
    if row.sent:
        where = f"To {row.connector_out}. " if house else ""
        about = where + ("" if whole.parts else _their_id(row.remote_id, house=house)) + _doubt(row.maybe_sent)
        yield "sent", Step(row.sent, "Sent", about.strip(), "info", "send")
    if row.done:
        yield "ended", _end(row.done, row.status, "", row.error, row.cause)


def _end(at: dt.datetime, status: str, before: str, error: str, cause: str, *, live: bool = False) -> Step:
    look, sign = LOOKS.get(str(status), ("secondary", "circle-fill"))
    said = [f"The network's code is {error}."] if error and error not in ("0", "000") else []
    said += [f"{cause[:1].upper()}{cause[1:]}."] if cause else []
    title = f"{before}{status}"
    return Step(at, title[:1].upper() + title[1:], " ".join(said), look, sign, live)


def _their_id(remote_id: str, *, house: bool) -> str:
    return f"The operator's id is {remote_id}." if house and remote_id else ""


def _doubt(maybe_sent: Any) -> str:
    return " It may have been sent twice." if maybe_sent else ""


# -- of the gateway


def _of_event(event: Mapping[str, Any], number: int, numbers: Mapping[int, int], *, house: bool) -> Iterator[Step]:
    at = dt.datetime.fromtimestamp(event["at"], dt.UTC)
    which = f"Part {numbers[event['id']]} " if event["id"] in numbers else ""
    match event["event"]:
        case "accepted" if event["id"] == number:
            yield _accepted(at, event, house=house)
        case "split":
            if event["number"] == event["total"]:
                yield Step(at, f"Split into {event['total']} parts", "", "info", "layout-split", live=True)
        case "joined":
            yield Step(
                at,
                f"Part {event['number']} of {event['total']} joined",
                f"Into message {event['into']}.",
                "info",
                "link-45deg",
                live=True,
            )
        case "sent":
            yield _sent(at, event, which, house=house)
        case "tried":
            yield _tried(at, event, which, house=house)
        case "moved":
            about = f"From {event['queue'] or 'the parts that waited'} to {event['to']}." if house else ""
            yield Step(at, _begin(which, "moved to another queue"), about, "info", "arrow-left-right", live=True)
        case "intermediate":
            yield Step(
                at, f"A report that is not final: {event['state']}", "", "info", "envelope-arrow-down", live=True
            )
        case "ended":
            yield from _ended(at, event, which, house=house)


def _begin(which: str, words: str) -> str:
    text = which + words
    return text[:1].upper() + text[1:]


def _accepted(at: dt.datetime, event: Mapping[str, Any], *, house: bool) -> Step:
    by = f" by {event['connector']}" if house else ""
    ip = f" from {event['remote_ip']}" if event["remote_ip"] else ""
    wants = " A delivery report was asked for." if event["want"] else " No delivery report was asked for."
    about = f"Of account {event['account'] or '–'}{by}{ip}.{wants}"
    return Step(at, RECEIVED, about, "info", "box-arrow-in-right", live=True)


def _sent(at: dt.datetime, event: Mapping[str, Any], which: str, *, house: bool) -> Step:
    if event["kind"] == KIND_REPORT:
        where = f"By {event['session'] or event['connector']}." if house else ""
        return Step(at, "Report brought to the sender", where, "info", "envelope-check", live=True)
    where = f"To {event['session'] or event['connector']}. " if house else ""
    tries = f"It took {event['tries']} tries. " if event["tries"] > 1 else ""
    about = where + tries + _their_id(event["remote_id"], house=house) + _doubt(event["maybe_sent"])
    return Step(at, _begin(which, "sent and answered"), about.strip(), "info", "send", live=True)


def _tried(at: dt.datetime, event: Mapping[str, Any], which: str, *, house: bool) -> Step:
    again = f"Again at {dt.datetime.fromtimestamp(event['again'], dt.UTC):%H:%M:%S}." if event["again"] else ""
    if house:
        status = f", status {event['status']}" if event["status"] else ""
        again = f"{event['session'] or event['connector']}: {event['cause']}{status}. {again}"
    return Step(at, _begin(which, "not sent this time"), again.strip(), "warning", "arrow-repeat", live=True)


def _ended(at: dt.datetime, event: Mapping[str, Any], which: str, *, house: bool) -> Iterator[Step]:
    cause = event["cause"] if event["cause"] in CAUSES or house else ""
    step = _end(at, event["state"], which, event["error"], cause, live=True)
    yield step
    if event["report"]:
        yield Step(
            at,
            "Report made for the sender",
            f"Its id is {event['report']}." if house else "",
            "info",
            "envelope-plus",
            live=True,
        )
