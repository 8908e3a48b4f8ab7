"""The deliver path's end: what becomes of a message after an attempt.

Lanes hand messages to carriers, carriers transmit them; the connector reports each outcome here, once: `sent`, `refused`,
`unanswered`. Nothing here can fail: the outcome joins the next commit, and what was promised to the sender is kept by it.
"""

import logging
import time
from typing import Final

from emg.config.model import MaybeSent
from emg.engine import events, slowing
from emg.engine.carrier import Carrier
from emg.engine.lanes import Lanes
from emg.engine.open_reports import OpenReports
from emg.engine.port import Port
from emg.engine.report import Reporter
from emg.errors import Cause
from emg.message import Kind, Message, State
from emg.rules.retry import Decision, Verdict
from emg.spool.schema import SPILLED
from emg.spool.spool import Spool

PATIENT_TRIES = 3
"""Attempts without an answer after which a message no longer goes again at once."""
THROTTLE_TOLD_SECONDS = 60.0
"""The log is told so often at most: a far side that is at its limit throttles several times a second. The counters have all."""

# A member of an enum costs ten times as much as a name of the module.
_REPORT: Final = Kind.REPORT
_REPORT_KIND: Final = int(Kind.REPORT)

log = logging.getLogger("emg.engine")


class Deliverer:
    """See the module's text."""

    def __init__(self, spool: Spool, lanes: Lanes, reporter: Reporter, open_reports: OpenReports) -> None:
        self._spool = spool
        self._lanes = lanes
        self._reporter = reporter
        self._open = open_reports

    def sent(self, port: Port, carrier: Carrier, message: Message, remote_id: str) -> None:
        """The far side has taken it, and calls it `remote_id` (in the provider's normal form; empty when it gave none)."""
        lanes = self._lanes
        lane = lanes.settle(carrier, message)
        lane.sent += 1
        if port.slowed:
            slowing.speed_up(port, carrier, lane)
        if message.kind is _REPORT:
            lanes.finished(message, lane)
            port.counters.reports_out += 1
            event = events.Sent(
                message.id,
                time.time(),
                port.name,
                carrier.name,
                "",
                message.tries + 1,
                message.maybe_sent,
                _REPORT_KIND,
                message.accepted,
            )
            self._spool.event(message.id, events.encode(event))
            return
        port.counters.sent += 1
        self._reporter.sent(message, lane, port, carrier.name, remote_id)

    def refused(self, port: Port, carrier: Carrier, message: Message, status: int, cause: Cause) -> None:
        """The far side answered with an error."""
        now = time.time()
        message.tries += 1
        decision = port.retry.decide(status, cause, message.tries, now, message.expires, port.config.maxtries)
        if decision.verdict is Verdict.PAUSE:  # before it is settled: the next one would leave at once, and overtake it
            if port.incoming:
                self._lanes.recall_from(carrier)
            else:
                self._lanes.recall(self._lanes.by_name[message.queue])
        lane = self._lanes.settle(carrier, message)
        if decision.verdict is Verdict.FAIL:
            port.counters.failed += 1
            lane.failures += 1
            state = State.EXPIRED if decision.cause is Cause.EXPIRED else State.FAILED
            self._reporter.failed(message, lane, port.provider, state, decision.cause, native_error(status))
            return
        if decision.verdict is Verdict.PAUSE:
            message.tries -= 1  # not the message's fault
            port.counters.throttled += 1
            if slowing.slow_down(self._lanes, port, carrier, lane, decision.seconds):
                self._tell_slowed(port, carrier)
            self._lanes.put_back(message, lane, changed=False)
            return
        port.counters.retried += 1
        self._note(message, port, carrier, cause, status, decision.at)
        self._lanes.put_back(message, lane, due=decision.at)

    @staticmethod
    def _tell_slowed(port: Port, carrier: Carrier) -> None:
        now = time.monotonic()
        if now < port.throttle_told + THROTTLE_TOLD_SECONDS:
            return
        port.throttle_told = now
        if port.incoming:
            log.info("session %s is throttled by the far side", carrier.name)
        else:
            log.info("connector %s is throttled by the far side", port.name)

    def unanswered(self, port: Port, carrier: Carrier, message: Message, *, lost: bool = True) -> None:
        """Transmitted, and no answer will come: it may have been taken (protocol case S17).

        When the connection is `lost` it goes again at once, but for one that has seen several connections end: that may be the
        message's doing. Where the far side lives and does not answer, each attempt may be one more copy there: the retry scheme says when.
        """
        if not lost:  # what stands behind it on this session must not overtake it
            self._lanes.recall(self._lanes.by_name[message.queue])
        lane = self._lanes.settle(carrier, message)
        message.tries += 1
        message.maybe_sent = True
        port.counters.maybe_sent += 1
        if message.kind is Kind.NORMAL and port.config.maybesent is MaybeSent.FAIL:
            port.counters.failed += 1
            self._reporter.failed(message, lane, port.provider, State.FAILED, Cause.MAYBE_SENT)
            return
        again = self._after_silence(port, message, lost=lost)
        if again.verdict is Verdict.FAIL:
            port.counters.failed += 1
            state = State.EXPIRED if again.cause is Cause.EXPIRED else State.FAILED
            self._reporter.failed(message, lane, port.provider, state, again.cause)
            return
        due = again.at
        self._note(message, port, carrier, Cause.UNANSWERED, 0, due)
        self._lanes.put_back(message, lane, due=due)
        if message.kind is Kind.NORMAL:
            self._open.doubt(port.provider, message)

    @staticmethod
    def _after_silence(port: Port, message: Message, *, lost: bool) -> Decision:
        """What to do with a message that got no answer; a RETRY at 0 means at once."""
        if 0 < port.config.maxtries <= message.tries:
            return Decision(Verdict.FAIL, Cause.TOO_MANY_TRIES)
        tries = message.tries - PATIENT_TRIES if lost or message.kind is Kind.REPORT else message.tries
        if tries <= 0:
            return Decision(Verdict.RETRY, Cause.UNANSWERED)
        return port.retry.decide(0, Cause.UNANSWERED, tries, time.time(), message.expires, 0)

    def unsent(self, port: Port, carrier: Carrier, message: Message) -> None:
        """It never left: wait for the next chance, with nothing to remember."""
        lane = self._lanes.settle(carrier, message)
        self._lanes.put_back(message, lane, changed=False)

    def impossible(self, port: Port, carrier: Carrier, message: Message, cause: Cause, reason: str) -> None:
        """It cannot be written in this connector's protocol, whatever the far side thinks of it."""
        log.info("message %d cannot leave by %s: %s", message.id, port.name, reason)
        lane = self._lanes.settle(carrier, message)
        port.counters.failed += 1
        self._reporter.failed(message, lane, port.provider, State.FAILED, cause)

    def _note(self, message: Message, port: Port, carrier: Carrier, cause: Cause, status: int, again: float) -> None:
        event = events.Tried(
            message.id, time.time(), port.name, carrier.name, cause, status, again, message.maybe_sent, message.accepted,
            message.part.parent if message.part is not None else 0,
        )  # fmt: skip
        self._spool.event(message.id, events.encode(event))

    def release(self, port: Port, carrier: Carrier) -> None:
        """The session is over: put back what it never transmitted; what it did is doubtful."""
        for message in self._lanes.detach(carrier):
            self.unanswered(port, carrier, message)
        self._spool.clear_marks(carrier)
        port.slowed.pop(carrier, None)

    def recover(self, messages: list[Message], marked: set[int], port_of: dict[str, Port]) -> int:
        """After a start: queue what the spool held in memory; what was in flight may have been sent. Gives how many of those.

        The first message of a queue that is on disk, where its tail's cursor stands, may have been loaded when the crash came, before
        others that were in memory all the time: those wait behind it now.
        """
        doubtful = 0
        for message in messages:
            lane = self._lanes.get(message.queue)
            lane.size += 1
            self._lanes.total += 1
            if message.id not in marked:
                first = lane.tail.cursor
                if first is not None and first < (message.order, message.id) and not message.due:
                    lane.tail.spill(message.order, message.id)
                    self._spool.update(message, lane.number, SPILLED)
                else:
                    self._lanes.put_back(message, lane, due=message.due, changed=False)
                continue
            doubtful += 1
            message.maybe_sent = True
            port = port_of.get(message.queue.partition("/")[0])
            if port is not None:
                port.counters.maybe_sent += 1
            if port is not None and message.kind is Kind.NORMAL and port.config.maybesent is MaybeSent.FAIL:
                self._reporter.failed(message, lane, port.provider, State.FAILED, Cause.MAYBE_SENT)
                continue
            event = events.Tried(
                message.id, time.time(), message.queue, "", Cause.MAYBE_SENT, 0, 0.0, True, message.accepted,
                message.part.parent if message.part is not None else 0,
            )  # fmt: skip
            self._spool.event(message.id, events.encode(event))
            self._lanes.put_back(message, lane)
            if port is not None and message.kind is Kind.NORMAL:
                self._open.doubt(port.provider, message)
        return doubtful


def native_error(status: int) -> str:
    """A command status as the three characters of a receipt's err: field."""
    return f"{status:03d}" if status < 1000 else f"{status:X}"[-3:]
