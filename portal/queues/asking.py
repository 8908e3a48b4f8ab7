"""What the gateway says of its queues, with the rates that follow from looking twice.

A queue is named `connector`, or `connector/account` for an account of an incoming one: that holds its reports and incoming messages. In addresses the slash stays,
but where the account is called as an act is (`/queues/customers/clear` is an act of `customers`): `written` says that with the letters of `portal.names`.
"""

import time
from typing import Any, Final, cast

from flask import abort, current_app, url_for

from emg.control.client import part
from emg.errors import ControlError
from portal import house, names
from portal.formats import number
from portal.rates import Rates

RATES: Final = "emg.queues"
ACTS: Final = ("hold", "release", "clear", "move")
HEAD: Final = 50
"""Messages that a queue's page shows."""

Row = dict[str, Any]


def rates() -> Rates:
    """What this portal has seen of the counters."""
    return cast(Rates, current_app.extensions.setdefault(RATES, Rates()))


def everything() -> Row | None:
    """The gateway's answer, each queue with its `rate`; None where none answers."""
    answer: Row | None = house.look("/queues")
    for row in answer["queues"] if answer else ():
        _rate(row)
    return answer


def one(name: str) -> Row | None:
    """A queue with its first messages; None where no gateway answers, 404 where it does not know the queue."""
    try:
        row: Row | None = house.look(f"/queues/{part(name)}", head=str(HEAD))
    except ControlError as error:
        if error.status == 404:
            abort(404, f"There is no queue {name}: its connector is gone, or the gateway does not use it.")
        raise
    if row is not None:
        _rate(row)
    return row


def _rate(row: Row) -> None:
    """Messages and reports that left it, a second; None at the first look."""
    name = row["queue"]
    rates().see(name, time.monotonic(), {"left": row["sent"] + row["failed"]})
    row["rate"] = rates().of(name).get("left")


def targets(name: str) -> list[tuple[str, str]]:
    """Where its messages can go, with words: other connectors of the same direction; for an account's queue the same account's at another."""
    connector, slash, account = name.partition("/")
    answer = house.look("/connectors") or {"connectors": []}
    wanted = "incoming" if slash else "outgoing"
    return sorted(
        (row["name"] + slash + account, _words(row, slash + account))
        for row in answer["connectors"]
        if row["type"] == wanted and row["name"] != connector
    )


def _words(row: Row, rest: str) -> str:
    state = "held" if row["held"] else row["state"]
    return f"{row['name']}{rest}: {state}, {number(row['queued'])} waiting"


def written(name: str) -> str:
    """A queue's name in the address of its page."""
    return names.written(name) if name.partition("/")[2] in ACTS else name


def page(name: str, **more: Any) -> str:
    """The address of its page."""
    return url_for("queues.one", name=written(name), **more)
