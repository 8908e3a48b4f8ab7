"""Moments as commands show them: UTC, always, and saying so. The one place where a moment becomes text.

For people `2026-11-23 18:05:00`; the zone stands in the column's heading, or behind a single value (`ZONE`). For programs, in JSON and CSV, ISO 8601 with its
offset, `2026-11-23T18:05:00.000Z`. Logs alone have the machine's time: they are read beside the machine's other logs.
"""

import datetime as dt
from typing import Final

ZONE: Final = "UTC"


def people(moment: dt.datetime | float, *, fine: bool = False) -> str:
    """Without its zone; `fine`: with milliseconds. A number is seconds since 1970."""
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.fromtimestamp(moment, dt.UTC)
    text = moment.astimezone(dt.UTC).isoformat(" ", "milliseconds")
    return text[:23] if fine else text[:19]


def iso(moment: dt.datetime) -> str:
    """For programs."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
