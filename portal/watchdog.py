"""What the portal asks the watchdog: programs, what is wrong, alerts, logs; and what it has it do to a program.

    found = watchdog.look("/programs")      # None when none answers; `watchdog.away()` is then a sentence to show
    watchdog.act("gateway", "restart")      # raises ControlError with a sentence to show

A page waits `LOOK_SECONDS` at most, and once: where five things are asked for and the first gets no answer, the others are not asked. Outside of blocks that hold
the database, as with the gateway.
"""

from typing import Any, Final

from flask import g

from emg.control import watchdog_client
from emg.control.client import Unreachable, part
from emg.errors import ControlError, EmgError
from portal import house

LOOK_SECONDS: Final = 3.0
ACT_SECONDS: Final = 20.0
DEED_SECONDS: Final = 10.0
"""A page waits so long for the end of what it has begun; it goes on without."""
NO_ENTRY: Final = (401, 403)
VERBS: Final = ("start", "stop", "restart")

Row = dict[str, Any]


def look(path: str, **query: str) -> Any | None:
    """What it says to a GET; None if none answers, or not to us. Raises ControlError for any other answer that is an error."""
    if away():
        return None
    try:
        return watchdog_client.of(house.config(), LOOK_SECONDS).get(path, **query)
    except ControlError as error:
        if not isinstance(error, Unreachable) and error.status not in NO_ENTRY:
            raise
        _away(error)
    except EmgError as error:  # its token can't be read
        _away(error)
    return None


def _away(error: EmgError) -> None:
    text = str(error)
    g.watchdog_away = f"{text[:1].upper()}{text[1:]}."


def away() -> str:
    """Why none answers, as a sentence; empty: nothing is known against it."""
    told: str = g.get("watchdog_away", "")
    return told


def alerts() -> list[Row] | None:
    """Alerts that stand, the gravest first, each with `key`, `severity`, `since` (seconds since 1970) and `text`; None if no watchdog answers."""
    found = look("/alerts")
    if not isinstance(found, dict):
        return None
    return sorted(
        found.get("standing", []), key=lambda alert: (alert.get("severity") != "critical", alert.get("since", 0))
    )


def log_path(name: str) -> str:
    """Where it has a log."""
    return f"/logs/{part(name)}"


def act(program: str, verb: str) -> Row:
    """Have it start, stop or restart a program: `done` is false while that is under way. Raises ControlError, also when none answers."""
    assert verb in VERBS, f"{verb!r} is nothing to do to a program"
    try:
        client = watchdog_client.of(house.config(), ACT_SECONDS)
    except ControlError:
        raise
    except EmgError as error:
        raise ControlError(f"no watchdog can be asked: {error}", 503) from error
    answer: Row = client.post(f"/programs/{part(program)}/{verb}", wait=DEED_SECONDS)
    return answer
