"""The traffic of an account or a customer in the last days, as a chart and as figures; from the hourly summary."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from emg.db import reports
from emg.db.engine import Session
from emg.db.reports import Figures

DAYS: Final = 14


class Traffic(NamedTuple):
    """`chart` is what `ui.chart` takes; `days` the same as rows, the newest first, those without messages left out."""

    chart: Mapping[str, Any]
    days: list[Figures]

    @property
    def messages(self) -> int:
        """Of all days."""
        return sum(row.messages for row in self.days)


def daily(session: Session, where: Mapping[str, Any]) -> Traffic:
    """Of the last `DAYS` days (UTC), today included."""
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - dt.timedelta(days=DAYS - 1)
    found = reports.figures(session, start, today + dt.timedelta(days=1), ["day"], where)
    labels = [f"{start + dt.timedelta(days=day):%Y-%m-%d}" for day in range(DAYS)]
    bars = {"delivered": [0] * DAYS, "failed": [0] * DAYS, "not ended yet": [0] * DAYS, "other": [0] * DAYS}
    for row in found:  # one a currency
        place = labels.index(row.keys["day"])
        rest = row.messages - row.delivered - row.failed - row.open
        for name, figure in zip(bars, (row.delivered, row.failed, row.open, rest), strict=True):
            bars[name][place] += figure
    colours = ("#198754", "#dc3545", "#0d6efd", "#adb5bd")
    sets = [
        {"label": name, "data": values, "backgroundColor": colour}
        for (name, values), colour in zip(bars.items(), colours, strict=True)
        if any(values)
    ]
    axes = {"x": {"stacked": True}, "y": {"stacked": True, "beginAtZero": True, "ticks": {"precision": 0}}}
    chart = {
        "type": "bar",
        "data": {"labels": [label[5:] for label in labels], "datasets": sets},
        "options": {"scales": axes},
    }
    return Traffic(chart, [row for row in reversed(found) if row.messages])
