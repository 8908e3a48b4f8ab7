"""The report path: a delivery report is matched, made durable, acknowledged, given our id, and queued to the sender.

`Reporter.take` accepts a report from a provider. It is matched by (provider, remote id): first among the recent open reports in memory, then
in the spool. `done(argument, error)` comes after the commit that holds its outcome: the connector acknowledges then, and not if it failed,
nor if the spool cannot be read: the provider reports again.
A report that matches nothing is kept as an orphan: it may be *early* (its message's answer is still to come: `sent`
looks here), or it belongs to a message that may have been sent before a connection broke (matched by its destination, S17), or to nothing.

Every message ends here, by `Concluder`: exactly one `Ended` event each, and the report if its sender asked for one.
"""

import time
from collections.abc import Callable
from typing import Any

from emg.engine import events
from emg.engine.conclude import Concluder, Done, Intake, Outcome
from emg.engine.endings import code_of, state_of
from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.open_reports import TAIL, OpenReports
from emg.engine.orphans import Orphans
from emg.engine.parts import Group, Groups, ticket_for
from emg.engine.port import Port
from emg.engine.routing import Router
from emg.errors import Cause, SpoolError
from emg.message import Kind, Message, OpenReport, Report, State, Want
from emg.spool.spool import Spool

_FINAL = int(State.DELIVERED)
REPEAT_SECONDS = 60.0
"""So long after a crash providers repeat the reports whose acknowledgement was lost with us."""


class Reporter:
    """See the module's text."""

    def __init__(
        self, spool: Spool, lanes: Lanes, router: Router, groups: Groups, open_reports: OpenReports, orphans: Orphans,
        concluder: Concluder,
    ) -> None:  # fmt: skip
        self.repeats_until = 0.0
        """Epoch seconds until when a report may be the repetition of one that we do not remember: see `REPEAT_SECONDS`."""
        self.concluder = concluder
        self._spool = spool
        self._lanes = lanes
        self._router = router
        self._groups = groups
        self._open = open_reports
        self._orphans = orphans
        lanes.ended = self._ended_in_queue

    # -- reports that come in

    def take(self, port: Port, report: Report, ids: tuple[str, ...], dest: str, done: Done, argument: Any) -> None:
        """A provider reports on the message that he calls one of `ids`; `dest` is the message's destination as he writes it."""
        port.counters.reports_in += 1
        intake = Intake(done, argument)

        def found(ticket: OpenReport | None, error: SpoolError | None) -> None:
            if error is None:
                self._found(port, report, ids, dest, ticket, intake)
            else:
                done(argument, error)

        self._open.find(port.provider, ids, found)

    def inject(self, ticket: OpenReport, report: Report, done: Done, argument: Any) -> None:
        """An operator reports on a message in its provider's place."""
        intake = Intake(done, argument)
        if report.state.final:
            self._close(ticket, report, intake)
        else:
            self._pass_intermediate(ticket, report, intake)

    def _found(
        self, port: Port, report: Report, ids: tuple[str, ...], dest: str, ticket: OpenReport | None, intake: Intake
    ) -> None:
        if ticket is None and self._open.closing(port.provider, ids):
            port.counters.duplicates += 1
            intake.done(intake.argument, None)
            return
        if ticket is not None:
            if report.state >= _FINAL:
                _count(port, report.state)
                self._close(ticket, report, intake)
            else:
                self._pass_intermediate(ticket, report, intake)
        elif not self._by_destination(port, report, ids, dest, intake):
            self._keep_orphan(port, report, ids, intake)

    def _close(self, ticket: OpenReport, report: Report, intake: Intake) -> None:
        intake.ticket = ticket
        self._open.claim(ticket)
        if ticket.part is None:
            self._spool.take_close(ticket)
            self.concluder.conclude(ticket, Outcome(report.state, report.error, report), intake)
            self._spool.when_kept(self._kept, intake)
        else:
            self._close_part(ticket, ticket.part.parent, report, intake)

    def _close_part(self, ticket: OpenReport, parent: int, report: Report, intake: Intake) -> None:
        def found(group: Group | None, error: SpoolError | None) -> None:
            if error is not None:
                self._open.reopen(ticket)
                intake.done(intake.argument, error)
                return
            self._spool.take_close(ticket)
            self.concluder.conclude_part(ticket, group, Outcome(report.state, report.error, report), intake)
            self._spool.when_kept(self._kept, intake)

        self._groups.find(parent, found)

    def _pass_intermediate(self, ticket: OpenReport, report: Report, intake: Intake) -> None:
        message_id = ticket.part.parent if ticket.part is not None else ticket.id
        outcome = Outcome(report.state, report.error, report)
        made = [
            self.concluder.report_message(ticket, number, outcome, 1, 0)
            for number, want in ticket.joined or ((message_id, int(ticket.want)),)
            if want & Want.INTERMEDIATE
        ]
        self.concluder.keep(made, intake)
        number = made[0].id if made else 0
        event = events.Intermediate(message_id, time.time(), report.state, number, ticket.accepted)
        self._spool.take_event(message_id, events.encode(event))
        self._spool.when_kept(self._kept, intake)

    def _keep_orphan(self, port: Port, report: Report, ids: tuple[str, ...], intake: Intake) -> None:
        port.counters.orphans += 1
        intake.orphan = self._orphans.keep(port.provider, ids, report, time.time())
        event = events.Orphaned(0, time.time(), port.name, ids[0] if ids else "", report.state)
        self._spool.take_event(0, events.encode(event))
        self._spool.when_kept(self._kept, intake)

    def _by_destination(self, port: Port, report: Report, ids: tuple[str, ...], dest: str, intake: Intake) -> bool:
        """It is about the first copy of the one message to this number that was sent twice, if there is one (S17).

        Not while it may be about another message: one that is done and reported on again, or one whose answer it has overtaken. A message
        that still waits for its second attempt is never taken for sent: by somebody else's report it would be lost.
        """
        doubtful = self._open.doubtful(port.provider, dest)
        if not isinstance(doubtful, OpenReport) or not report.state.final or time.time() < self.repeats_until:
            return False
        if self._open.answered(port.provider, ids) or self._unanswered(port.provider, dest):
            return False
        _count(port, report.state)
        self._close(doubtful, report, intake)
        return True

    def _unanswered(self, provider: str, dest: str) -> bool:
        """A message to this number is in flight."""
        tail = dest[-TAIL:]
        return any(
            message.dest.endswith(tail)
            for port in self._router.ports.values()
            if port.provider == provider
            for carrier in port.lane.carriers
            for message in carrier.in_flight.values()
        )

    def _kept(self, intake: Intake, error: SpoolError | None) -> None:
        ticket = intake.ticket
        if error is None:
            if ticket is not None:
                self._open.closed(ticket)
                self.concluder.refunded(intake, kept=True)
        else:
            if intake.orphan:
                self._orphans.forget(intake.orphan)
            self.concluder.undo(intake)
            if ticket is not None:
                self._open.reopen(ticket)
        intake.done(intake.argument, error)

    # -- messages that leave their queue

    def sent(self, message: Message, lane: Lane, port: Port, session: str, remote_id: str) -> None:
        """The far side has taken a message of ours and calls it `remote_id`."""
        now = time.time()
        spool, number = self._spool, message.id
        self._lanes.finished(message, lane)
        parent = message.part.parent if message.part is not None else 0
        event = events.Sent(
            number,
            now,
            port.name,
            session,
            remote_id,
            message.tries + 1,
            message.maybe_sent,
            1,
            message.accepted,
            parent,
        )
        spool.event(number, events.encode(event))
        if message.maybe_sent:
            self._open.settle_doubt(port.provider, message)
        ticket = ticket_for(message, port.provider, remote_id, now, now + self.concluder.lifetime)
        asked = not port.asks_none and (message.want or port.asks_reports)
        if asked and port.gets_reports and remote_id:
            early = self._orphans.early(port.provider, remote_id, now) if self._orphans else None
            if early is None or early.state < _FINAL:
                self._open.add(ticket)
            else:
                _count(port, early.state)
                self._end_sent(ticket, Outcome(early.state, early.error, early))
        elif asked and port.injected:
            self._open.add(ticket)
        else:
            made_here = asked and not port.gets_reports
            self._end_sent(ticket, Outcome(State.DELIVERED if made_here else State.UNKNOWN))

    def _end_sent(self, ticket: OpenReport, outcome: Outcome) -> None:
        """It is final as soon as it is sent."""
        if ticket.part is None:
            self.concluder.conclude(ticket, outcome)
            return
        self._open.add(ticket)  # should we die before the other parts are read, it is not forgotten
        self._open.claim(ticket)
        self._end_part(ticket, outcome, lambda: self._open.drop(ticket))

    def failed(self, message: Message, lane: Lane, provider: str, state: State, cause: Cause, error: str = "") -> None:
        """A message of ours will not be sent (any more); it leaves its lane."""
        if message.kind is Kind.REPORT:
            self._lanes.finished(message, lane)
            event = events.Ended(
                message.id, time.time(), state, cause.value, error, provider, accepted=message.accepted
            )
            self._spool.event(message.id, events.encode(event))
            return
        if message.maybe_sent:
            self._open.settle_doubt(provider, message)
        outcome = Outcome(state, error or code_of(cause), None, cause.value)
        ticket = ticket_for(message, provider, "", 0.0, 0.0)
        if ticket.part is None:
            self._lanes.finished(message, lane)
            self.concluder.conclude(ticket, outcome)
        else:
            self._end_part(ticket, outcome, lambda: self._lanes.finished(message, lane))

    def lost(self, message: Message, cause: Cause) -> None:
        """A message that we answer for stands in no queue and cannot go on."""
        self._spool.drop(message.id)
        ticket = ticket_for(message, "", "", 0.0, 0.0)
        self.concluder.conclude(ticket, Outcome(state_of(cause), code_of(cause), None, cause.value))

    def expired(self, ticket: OpenReport) -> None:
        """No report came within DLREXPIRE; one that comes now is too late."""
        self._open.claim(ticket)
        if ticket.part is None:
            self._open.drop(ticket)
            self.concluder.conclude(ticket, Outcome(State.UNKNOWN))
        else:
            outcome = Outcome(State.UNKNOWN)
            self._end_part(ticket, outcome, lambda: self._open.drop(ticket), stay=lambda: self._open.reopen(ticket))

    def _end_part(
        self, ticket: OpenReport, outcome: Outcome, leave: Callable[[], None], *, stay: Callable[[], None] | None = None
    ) -> None:
        """A part is final. `leave` takes it out of where it stands, in the commit that holds the outcome.

        Its group is read until it can be: nobody else would end the part. One that the next sweep ends needs no such patience, and stays.
        """
        assert ticket.part is not None, "a part without its number"
        parent = ticket.part.parent

        def found(group: Group | None, fault: SpoolError | None) -> None:
            if fault is None:
                leave()
                self.concluder.conclude_part(ticket, group, outcome)
            elif stay is None:
                self._groups.find(parent, found)
            else:
                stay()

        self._groups.find(parent, found)

    def _ended_in_queue(self, message: Message, lane: Lane, cause: Cause) -> None:
        self.failed(message, lane, lane.name, state_of(cause), cause)


def _count(port: Port, state: int) -> None:
    """What a final report says, where it belongs to a message."""
    if state == _FINAL:
        port.counters.delivered += 1
    else:
        port.counters.undelivered += 1
