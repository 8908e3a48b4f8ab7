"""What only the running gateway knows and does: connectors and queues. 503 where none answers.

Each act leaves a row in the audit log once the gateway has done it, or has begun.
"""

from typing import Annotated, Any, Final

from msgspec import Meta

from emg.control.client import part
from emg.db import audit
from portal import house
from portal.api.operations import Call, Operation, Shape


class ConnectorRow(Shape):
    """A connector as it is now."""

    name: str
    type: str
    state: str
    usable: Annotated[bool, Meta(description="It takes messages now.")]
    held: bool
    stopped: Annotated[bool, Meta(description="By somebody, until it is started.")]
    disabled: Annotated[bool, Meta(description="By its configuration.")]
    throttled: bool
    queued: Annotated[int, Meta(description="Messages in its queue.")]
    sessions: int
    counters: dict[str, Any]


class ConnectorList(Shape):
    """All of them."""

    connectors: list[ConnectorRow]


class ConnectorDone(Shape):
    """What was done."""

    connector: ConnectorRow
    complete: Annotated[bool, Meta(description="False: a stop goes on, until what is in windows is answered.")]


class QueueRow(Shape):
    """A queue as it is now."""

    queue: str
    size: int
    in_flight: int
    deferred: int
    limit: int | None
    held: bool
    oldest_seconds: float | None
    sent: int
    failed: int
    waits_for: Any


class QueueList(Shape):
    """All queues that hold something, or that a connector has, the longest first."""

    queues: list[QueueRow]
    count: int
    messages: int


class Clearing(Shape):
    """Which messages: all, or those that fit."""

    account: Annotated[str, Meta(max_length=128, description="Only of this account.")] = ""
    prefix: Annotated[str, Meta(max_length=32, description="Only to numbers that begin so.")] = ""
    dry_run: Annotated[bool, Meta(description="Only count.")] = False


class Moving(Clearing, kw_only=True):
    """Which messages, and where to."""

    to: Annotated[str, Meta(min_length=1, max_length=256, description="A queue.")]


class Sweep(Shape):
    """What a clearing or a moving has done."""

    operation: str
    queue: str
    messages: int
    complete: Annotated[bool, Meta(description="False: it goes on.")]
    dry_run: bool


def _connector(row: dict[str, Any]) -> ConnectorRow:
    own: dict[str, Any] = {name: row.get(name) for name in ConnectorRow.__struct_fields__}
    sessions = own["sessions"]
    return ConnectorRow(**{**own, "sessions": sessions if isinstance(sessions, int) else 0})


def connectors(_call: Call) -> ConnectorList:
    """All."""
    answer = house.gateway(house.LOOK_SECONDS).get("/connectors")
    return ConnectorList(connectors=[_connector(row) for row in answer["connectors"]])


def connector(call: Call) -> ConnectorRow:
    """One."""
    return _connector(house.gateway(house.LOOK_SECONDS).get(f"/connectors/{part(call.path['name'])}"))


def _act(verb: str) -> Any:
    def act(call: Call) -> tuple[int, ConnectorDone]:
        name = call.path["name"]
        status, answer = house.gateway().call("POST", f"/connectors/{part(name)}/{verb}", {})
        _note(verb, "connector", name, {"queued": answer.get("queued", 0)})
        return status, ConnectorDone(connector=_connector(answer), complete=status != 202)

    return act


def _note(verb: str, subject: str, name: str, after: dict[str, Any]) -> None:
    with house.writing() as session:
        audit.note(session, house.actor(), verb, subject, name, None, after)


def _queue(row: dict[str, Any]) -> QueueRow:
    return QueueRow(**{name: row[name] for name in QueueRow.__struct_fields__})


def queues(_call: Call) -> QueueList:
    """All."""
    answer = house.gateway(house.LOOK_SECONDS).get("/queues")
    return QueueList(
        queues=[_queue(row) for row in answer["queues"]], count=answer["count"], messages=answer["messages"]
    )


def queue(call: Call) -> QueueRow:
    """One."""
    return _queue(house.gateway(house.LOOK_SECONDS).get(f"/queues/{part(call.path['name'])}"))


def clear(call: Call) -> tuple[int, Sweep]:
    """End what waits in it."""
    return _sweep(call, "clear", {})


def move(call: Call) -> tuple[int, Sweep]:
    """Put what waits in it into another."""
    return _sweep(call, "move", {"to": call.body.to})


def _sweep(call: Call, verb: str, more: dict[str, str]) -> tuple[int, Sweep]:
    name, body = call.path["name"], call.body
    chosen = {"account": body.account, "prefix": body.prefix, **more}
    status, answer = house.gateway().call("POST", f"/queues/{part(name)}/{verb}", {**chosen, "dry_run": body.dry_run})
    if not body.dry_run:
        _note(verb, "queue", name, {**chosen, "messages": answer["messages"], "complete": answer["complete"]})
    return status, Sweep(
        operation=verb, queue=name, messages=answer["messages"], complete=answer["complete"], dry_run=body.dry_run
    )


_ONE, _QUEUE = "/connectors/<name:name>", "/queues/<name:name>"
_ACTS: Final = {
    "start": "Start it after a stop.",
    "stop": "Stop it, over restarts too, until it is started.",
    "hold": "Its sessions stay, its queue waits.",
    "release": "End a hold.",
}
_SLASH: Final = "The slash of a queue connector/account is written `!2F`."
OPERATIONS: Final = (
    Operation("connectors_list", "GET", "/connectors", "connectors:read", "All connectors as they are now.", connectors, ConnectorList),
    Operation("connectors_get", "GET", _ONE, "connectors:read", "One connector as it is now.", connector, ConnectorRow),
    *(
        Operation(f"connectors_{verb}", "POST", f"{_ONE}/{verb}", "connectors:write", summary, _act(verb), ConnectorDone, statuses=(202,))
        for verb, summary in _ACTS.items()
    ),
    Operation("queues_list", "GET", "/queues", "queues:read", "All queues as they are now, the longest first.", queues, QueueList),
    Operation("queues_get", "GET", _QUEUE, "queues:read", "One queue as it is now.", queue, QueueRow, about=_SLASH),
    Operation(
        "queues_clear", "POST", f"{_QUEUE}/clear", "queues:write", "Delete what waits in it, all or what fits.", clear, Sweep, takes=Clearing,
        statuses=(202,), about=f"Reports go to whoever asked for them. Send dry_run first: it only counts. {_SLASH}",
    ),
    Operation(
        "queues_move", "POST", f"{_QUEUE}/move", "queues:write", "Move what waits in it to another queue.", move, Sweep, takes=Moving,
        statuses=(202,), about=f"Send dry_run first: it only counts. {_SLASH}",
    ),
)  # fmt: skip
