"""Whether an outgoing connector gets on with its work, in figures that somebody who looks twice can compare (`watchdog.checks`).

Read from what is counted anyway, when it is asked for.
"""

import time
from typing import Any

from emg.engine import slowing
from emg.engine.lane import Lane
from emg.engine.port import Port

MOVES = ("sent", "failed", "retried", "throttled", "maybe_sent", "reports_out")
"""Counters of which one rises whenever a message has come back from an attempt."""


def progress(port: Port) -> dict[str, Any]:
    """`up`: it ought to send what is `due` right now; then `finished` rises, or `in_flight` changes, before long.

    `due` and `in_flight` are messages; `finished` counts attempts that have ended, since the start; a far side may take `answer_seconds` over each.
    `waiting` is all of its queue, also what waits for a time. Of the attempts that have ended, `taken` counts those that the far side took, and `unanswered` those
    that it never answered.
    """
    lane, counters = port.lane, port.counters
    return {
        "up": _ought_to_send(port, lane, time.monotonic()),
        "due": due(lane),
        "in_flight": lane.in_flight,
        "finished": sum(getattr(counters, name) for name in MOVES),
        "waiting": lane.size,
        "taken": counters.sent + counters.reports_out,
        "unanswered": counters.maybe_sent,
        "answer_seconds": port.config.optimeout,
    }


def due(lane: Lane) -> int:
    """Messages that may leave now, in memory and on disk: not those that wait for a time."""
    waiting = lane.waiting
    later = sum(1 for _due, number, message in lane.delayed if waiting.get(number) is message)
    return len(waiting) - later + lane.spilled_count


def _ought_to_send(port: Port, lane: Lane, now: float) -> bool:
    """A session is there that sends, and neither people nor the far side nor THROUGHPUT want it to wait."""
    return (
        port.started
        and port.can_send
        and not port.stopped
        and not lane.held
        and bool(lane.carriers)
        and not slowing.pause_of(port, lane, now)
        and (lane.pacer is None or not lane.pacer.wait(now))
    )
