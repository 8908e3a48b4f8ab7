"""The sink's own part: the timer that turns its operator's wheels."""

import time
from collections.abc import Callable
from typing import Any

from emg.tools.behaviour import Behaviour
from emg.tools.ledger import Ledger
from emg.tools.sink import Sink, Station
from emg.tools.smsc import Operator


class Timer:
    """Rings when it is told to."""

    def start(self, ring: Callable[[], None]) -> None:
        self.ring = ring

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


class Loop:
    """Remembers the timers that were set."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def timer(self, seconds: float) -> Timer:
        self.timers.append(Timer())
        return self.timers[-1]


def test_a_timer_that_rings_early_is_set_again() -> None:
    sink = Sink(Station(), Operator(Behaviour(), Ledger("")))
    loop: Any = Loop()
    sink._loop = loop
    sink.operator.reports.put(time.monotonic() + 1000.0, Any)  # type: ignore[arg-type]
    sink._turn()
    assert len(loop.timers) == 1
    loop.timers[0].ring()
    assert len(loop.timers) == 2
    sink._turn()  # nothing is due sooner: the timer stays
    assert len(loop.timers) == 2
