"""Hands the messages of batches to the gateway, some of all batches that are due at a time.

A message's key is its number here, so that asking again never sends it twice; what it is must be the same each time: it is made of what its row and its batch hold, which do not change.
No answer, or one that says nothing of a message, lets it be asked about again with the next run. A passing cause (throttled, queue full, the gateway stops) lets it wait; any other
ends it as refused, with the gateway's sentence. A gateway that is away is no failure of the job.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from emg.control.client import Client
from emg.db import batches
from emg.db.batches import Passed, Told
from emg.db.engine import Database
from emg.errors import Cause, ControlError

MOST: Final = 200
"""Messages of a call."""
SECONDS: Final = 40.0
"""How long an answer is waited for: longer than the gateway's own waits for its commit."""
PASSING: Final = frozenset(
    cause.value for cause in (Cause.THROTTLED, Cause.QUEUE_FULL, Cause.SPOOL_FULL, Cause.STOPPING, Cause.SYSTEM)
)


def send(database: Database, control: str) -> str:
    """Hand over the next ones."""
    with database.session() as session:
        passed = batches.claim(session, dt.datetime.now(dt.UTC), MOST)
    told: dict[int, Told] = {}
    away = ""
    if passed:
        try:
            answer = Client(control, SECONDS).post("/messages", messages=[_given(each) for each in passed])
            told = _told(passed, answer)
        except ControlError as error:
            away = f"messages wait: {error}"
    with database.session() as session:
        batches.settle(session, told)
        batches.finish(session, {each.batch.id for each in passed})
    sent = sum(answer.message_id is not None for answer in told.values())
    return away or (f"handed over {len(passed)}, of which {sent} were taken" if passed else "nothing to hand over")


def _given(passed: Passed) -> dict[str, Any]:
    batch = passed.batch
    return {
        "key": _key(passed.id), "account": passed.account, "source": batch.source, "dest": passed.dest, "text": passed.text,
        "encoding": "auto", "at": None, "validity": batch.validity, "reports": True, "reference": f"batch {batch.id}",
    }  # fmt: skip


def _key(number: int) -> str:
    return f"batch:{number}"


def _told(passed: Sequence[Passed], answer: Any) -> dict[int, Told]:
    """What was said of which; what is not as it should be says nothing."""
    rows = answer.get("messages") if isinstance(answer, Mapping) else None
    by_key = {row["key"]: row for row in rows or () if isinstance(row, Mapping) and "key" in row}
    found = {}
    for each in passed:
        row = by_key.get(_key(each.id), {})
        if row.get("id"):
            found[each.id] = Told(int(row["id"]), "")
        elif refused := row.get("refused"):
            passing = row.get("passing") or refused in PASSING
            found[each.id] = Told(None, "" if passing else str(row.get("reason") or refused))
    return found
