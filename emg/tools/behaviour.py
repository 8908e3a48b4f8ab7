"""What a simulated operator does with a message: every choice of `emg sink`, as values and without I/O.

`Behaviour` is the options. `Chooser` draws from them: which status, how long until the answer, which final state, how long until
the report. Random draws come from one seeded generator, so that a run can be repeated. Nothing here fails.
"""

import bisect
import itertools
import math
import random
from dataclasses import dataclass, field

from emg.tools.receipts import STATES, Dialect
from emg.wire.smpp.names import Status

ALL, FAILURE, SUCCESS = 1, 2, 3
"""registered_delivery, bits 1 and 0 (SMPP 3.4 §5.2.17; 3: 5.0 §4.7.21)."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the operator behaves. Times are seconds, chances 0 to 1."""

    delay: tuple[float, float] = (0.0, 0.0)
    """From reading a submit_sm to its answer."""
    error_rate: float = 0.0
    error_status: int = int(Status.RSYSERR)
    throttle: float = 0.0
    """Messages a second over all sessions, above which RTHROTTLED is answered; 0 for no limit."""
    stall: float = 0.0
    """Chance that a message is taken and never answered."""
    drop: float = 0.0
    """Chance that a message is taken and the connection cut instead of answered."""
    reports: bool = True
    report_delay: tuple[float, float] = (0.0, 0.0)
    """From the answer to the report."""
    report_states: dict[str, float] = field(default_factory=lambda: {"DELIVRD": 1.0})
    report_before_answer: float = 0.0
    report_by_data_sm: bool = False
    dialect: Dialect = field(default_factory=Dialect)
    backlog: int = 1_000_000
    """Reports kept until they are acknowledged; above, RMSGQFUL is answered."""
    retry: float = 1.0
    """Pause before a report is sent again that was answered with an error, or not at all."""


class Chooser:
    """Draws from a `Behaviour`."""

    def __init__(self, behaviour: Behaviour, seed: int | None = None) -> None:
        self.behaviour = behaviour
        self.draw = random.Random(seed).random
        self._states = [state for state, weight in behaviour.report_states.items() if weight > 0]
        weights = [weight for weight in behaviour.report_states.values() if weight > 0]
        self._edges = [edge / sum(weights) for edge in itertools.accumulate(weights)]
        self._tokens = behaviour.throttle
        self._filled = -math.inf

    def happens(self, probability: float) -> bool:
        """True with that probability; costs nothing for 0."""
        return probability > 0.0 and self.draw() < probability

    def status(self, now: float) -> int:
        """The status of the answer: 0, or why the message is not taken."""
        behaviour = self.behaviour
        if behaviour.error_rate and self.draw() < behaviour.error_rate:
            return behaviour.error_status
        if behaviour.throttle and not self._take_token(now):
            return int(Status.RTHROTTLED)
        return 0

    def _take_token(self, now: float) -> bool:
        # a burst of one second's worth is let through, as real operators do
        limit = max(1.0, self.behaviour.throttle)
        self._tokens = min(limit, self._tokens + (now - self._filled) * self.behaviour.throttle)
        self._filled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def between(self, span: tuple[float, float]) -> float:
        """A duration, evenly drawn from the span."""
        low, high = span
        return low if low == high else low + (high - low) * self.draw()

    def state(self) -> str:
        """The state that a message will be reported in."""
        if len(self._states) == 1:
            return self._states[0]
        return self._states[min(bisect.bisect_right(self._edges, self.draw()), len(self._states) - 1)]

    def report_state(self, registered_delivery: int) -> str:
        """The state to report for a message submitted with this registered_delivery; empty for no report."""
        want = registered_delivery & 3
        if not want or not self.behaviour.reports:
            return ""
        state = self.state()
        if want == ALL or (want == SUCCESS) == (STATES[state] == STATES["DELIVRD"]):
            return state
        return ""
