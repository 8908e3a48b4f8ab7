"""The last 24 hours, from the hourly summary: by the hour in which messages were accepted, and what became of them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from emg.db import reports
from emg.db.engine import Session

HOURS: Final = 24
COLOURS: Final = {"delivered": "#198754", "failed": "#dc3545", "open": "#8c959f"}
"""Together they are what was accepted."""
LABELS: Final = {"open": "not ended yet"}


class Hour(NamedTuple):
    """Messages of an hour, by what became of them."""

    start: dt.datetime
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    open: int = 0


def read(session: Session, where: Mapping[str, Any]) -> list[Hour]:
    """The present hour is the last one; hours without messages are there too."""
    now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    starts = [now - dt.timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    found = {f"{start:%Y-%m-%dT%H:00Z}": Hour(start) for start in starts}
    for row in reports.figures(session, starts[0], now + dt.timedelta(hours=1), ["hour"], where):
        hour = found[row.keys["hour"]]  # a row for each currency
        found[row.keys["hour"]] = Hour(
            hour.start, hour.accepted + row.messages, hour.delivered + row.delivered, hour.failed + row.failed, hour.open + row.open
        )  # fmt: skip
    return list(found.values())


def total(hours: list[Hour]) -> Hour:
    """Of all of them."""
    return Hour(hours[0].start, *(sum(getattr(hour, name) for hour in hours) for name in Hour._fields[1:]))


def chart(hours: list[Hour]) -> dict[str, Any]:
    """As `ui.chart` takes it."""
    return {
        "type": "bar",
        "data": {
            "labels": [f"{hour.start:%H:00}" for hour in hours],
            "datasets": [
                {"label": LABELS.get(name, name), "data": [getattr(hour, name) for hour in hours], "backgroundColor": colour}
                for name, colour in COLOURS.items()
            ],
        },
        "options": {
            "interaction": {"mode": "index", "intersect": False},
            "plugins": {"legend": {"position": "bottom", "labels": {"boxWidth": 12}}},
            "scales": {
                "x": {"stacked": True, "grid": {"display": False}, "ticks": {"maxRotation": 0}},
                "y": {"stacked": True, "beginAtZero": True, "ticks": {"precision": 0}, "title": {"display": True, "text": "messages an hour"}},
            },
        },
    }  # fmt: skip
