"""The report path: a delivery report is matched, made durable, acknowledged, given our id, and queued to the sender.

`Reporter.take` accepts a report from a provider. It is matched by (provider, remote id): first among the recent open reports in memory, then
in the spool. `done(argument, error)` comes after the commit that holds its outcome: the connector acknowledges then, and not if it failed,
nor if the spool cannot be read: the provider reports again.
A report that matches nothing is kept as an orphan: it may be *early* (its message's answer is still to come: `sent`
looks here), or it belongs to a message that may have been sent before a connection broke (matched by its destination, S17), or to nothing.

Every message ends here, by `conclude`: exactly one `Ended` event each, and the report if its sender asked for one.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from emg.config.model import UserConfig
from emg.engine import events
from emg.engine.endings import code_of, state_of
from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.open_reports import TAIL, OpenReports
from emg.engine.orphans import Orphans
from emg.engine.parts import Group, Groups, ticket_for, wants_report
from emg.engine.port import Port
from emg.engine.routing import Router
from emg.errors import Cause, SpoolError
from emg.message import Encoding, Kind, Message, OpenReport, Report, State, Want
from emg.spool.spool import Spool

Done = Callable[[Any, SpoolError | None], None]

_FINAL = int(State.DELIVERED)
REPEAT_SECONDS = 60.0
"""So long after a crash providers repeat the reports whose acknowledgement was lost with us."""
REPORT_RANK = 5
"""Delivery reports stand behind incoming messages of normal priority in an account's queue; among themselves they keep their order."""


class Intake(msgspec.Struct):
    """A provider's report on its way into the spool: what to undo should the commit fail, and whom to tell."""

    done: Done
    argument: Any
    ticket: OpenReport | None = None
    made: list[Message] = []
    group: Group | None = None
    before: tuple[int, str, bool] = (0, "", False)
    orphan: int = 0


class Reporter:
    """See the module's text."""

    def __init__(
        self, spool: Spool, lanes: Lanes, router: Router, groups: Groups, open_reports: OpenReports, orphans: Orphans
    ) -> None:
        self.users: Mapping[str, UserConfig] = {}
        self.repeats_until = 0.0
        """Epoch seconds until when a report may be the repetition of one that we do not remember: see `REPEAT_SECONDS`."""
        self.lifetime = 7 * 86400.0
        """How long a report to a sender is kept for him (DLREXPIRE)."""
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
            intake.made = self._conclude(ticket, report.state, report.error, report, accept=True)
            self._spool.when_kept(self._kept, intake)
            return

        def found(group: Group | None, error: SpoolError | None) -> None:
            if error is not None:
                self._open.reopen(ticket)
                intake.done(intake.argument, error)
                return
            self._spool.take_close(ticket)
            if group is not None:
                intake.group, intake.before = group, self._note_part(group, ticket, report.state, report.error)
            intake.made = self._conclude_part(ticket, group, report.state, report.error, report, accept=True)
            self._spool.when_kept(self._kept, intake)

        self._groups.find(ticket.part.parent, found)

    def _pass_intermediate(self, ticket: OpenReport, report: Report, intake: Intake) -> None:
        message_id = ticket.part.parent if ticket.part is not None else ticket.id
        made = [
            self._report_message(ticket, number, report.state, report.error, report, 1, 0)
            for number, want in ticket.joined or ((message_id, int(ticket.want)),)
            if want & Want.INTERMEDIATE
        ]
        for message in made:
            self._keep(message, accept=True)
        intake.made = made
        event = events.Intermediate(message_id, time.time(), report.state, made[0].id if made else 0)
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
        else:
            for message in intake.made:
                self._lanes.withdraw(message)
            if intake.orphan:
                self._orphans.forget(intake.orphan)
            if intake.group is not None and ticket is not None and ticket.part is not None:
                group = intake.group
                group.states[ticket.part.number - 1], group.error, group.reported = intake.before
                self._groups.keep(group)
            if ticket is not None:
                self._open.reopen(ticket)
        intake.done(intake.argument, error)

    # -- messages that leave their queue

    def sent(self, message: Message, lane: Lane, port: Port, session: str, remote_id: str) -> None:
        """The far side has taken a message of ours and calls it `remote_id`."""
        now = time.time()
        spool, number = self._spool, message.id
        self._lanes.finished(message, lane)
        event = events.Sent(number, now, port.name, session, remote_id, message.tries + 1, message.maybe_sent)
        spool.event(number, events.encode(event))
        if message.maybe_sent:
            self._open.settle_doubt(port.provider, message)
        ticket = ticket_for(message, port.provider, remote_id, now, now + self.lifetime)
        asked = not port.asks_none and (message.want or port.asks_reports)
        if asked and port.gets_reports and remote_id:
            early = self._orphans.early(port.provider, remote_id, now) if self._orphans else None
            if early is None or early.state < _FINAL:
                self._open.add(ticket)
            else:
                self._end_sent(ticket, early.state, early.error, early)
        elif asked and port.injected:
            self._open.add(ticket)
        else:
            made_here = asked and not port.gets_reports
            self._end_sent(ticket, State.DELIVERED if made_here else State.UNKNOWN, "", None)

    def _end_sent(self, ticket: OpenReport, state: State, error: str, report: Report | None) -> None:
        """It is final as soon as it is sent."""
        if ticket.part is None:
            self._conclude(ticket, state, error, report, accept=False)
            return
        self._open.add(ticket)  # should we die before the other parts are read, it is not forgotten
        self._end_part(ticket, state, error, report, lambda: self._open.drop(ticket))

    def failed(self, message: Message, lane: Lane, provider: str, state: State, cause: Cause, error: str = "") -> None:
        """A message of ours will not be sent (any more); it leaves its lane."""
        if message.kind is Kind.REPORT:
            self._lanes.finished(message, lane)
            event = events.Ended(message.id, time.time(), state, cause.value, error, provider)
            self._spool.event(message.id, events.encode(event))
            return
        if message.maybe_sent:
            self._open.settle_doubt(provider, message)
        self._end(message, lane, provider, state, error or code_of(cause), None)

    def lost(self, message: Message, cause: Cause) -> None:
        """A message that we answer for stands in no queue and cannot go on."""
        self._spool.drop(message.id)
        ticket = ticket_for(message, "", "", 0.0, 0.0)
        self._conclude(ticket, state_of(cause), code_of(cause), None, accept=False)

    def expired(self, ticket: OpenReport) -> None:
        """No report came within DLREXPIRE."""
        if ticket.part is None:
            self._open.drop(ticket)
            self._conclude(ticket, State.UNKNOWN, "", None, accept=False)
        else:
            self._end_part(ticket, State.UNKNOWN, "", None, lambda: self._open.drop(ticket), again=False)

    def _end(
        self, message: Message, lane: Lane, provider: str, state: State, error: str, report: Report | None
    ) -> None:
        ticket = ticket_for(message, provider, "", 0.0, 0.0)
        if ticket.part is None:
            self._lanes.finished(message, lane)
            self._conclude(ticket, state, error, report, accept=False)
        else:
            self._end_part(ticket, state, error, report, lambda: self._lanes.finished(message, lane))

    def _end_part(
        self, ticket: OpenReport, state: State, error: str, report: Report | None, leave: Callable[[], None],
        *, again: bool = True,
    ) -> None:  # fmt: skip
        """A part is final. `leave` takes it out of where it stands, in the commit that holds the outcome.

        Its group is read until it can be (`again`): nobody else would end the part. One that the next sweep ends needs no such patience.
        """
        assert ticket.part is not None, "a part without its number"
        parent = ticket.part.parent

        def found(group: Group | None, fault: SpoolError | None) -> None:
            if fault is not None:
                if again:
                    self._groups.find(parent, found)
                return
            leave()
            if group is not None:
                self._note_part(group, ticket, state, error)
            self._conclude_part(ticket, group, state, error, report, accept=False)

        self._groups.find(parent, found)

    def _ended_in_queue(self, message: Message, lane: Lane, cause: Cause) -> None:
        self.failed(message, lane, lane.name, state_of(cause), cause)

    # -- the end of a message

    def _note_part(self, group: Group, ticket: OpenReport, state: State, error: str) -> tuple[int, str, bool]:
        assert ticket.part is not None, "a part without its number"
        index = ticket.part.number - 1
        before = (group.states[index], group.error, group.reported)
        group.states[index] = int(state)
        if state is not State.DELIVERED and error:
            group.error = error
        self._groups.keep(group)
        return before

    def _conclude_part(
        self, ticket: OpenReport, group: Group | None, state: State, error: str, report: Report | None, *, accept: bool
    ) -> list[Message]:
        """A part is final: its own event; the whole's as soon as that is certain; the reports that are wanted."""
        assert ticket.part is not None, "a part without its number"
        made: list[Message] = []
        if ticket.per_part and wants_report(ticket.want, state):
            made.append(
                self._report_message(ticket, ticket.part.parent, state, error, report, 1, state is State.DELIVERED)
            )
        self._end_event(ticket.id, state, error, ticket, made, accept=accept)
        verdict = group.verdict() if group is not None else None
        if group is not None and verdict is not None and not group.reported:
            group.reported = True
            self._groups.keep(group)
            whole = self._joined_parts(group.ticket, verdict, group.error, report, accept=accept)
            if not group.ticket.joined and not group.ticket.per_part and wants_report(group.ticket.want, verdict):
                whole.append(
                    self._report_message(
                        group.ticket, group.ticket.id, verdict, group.error, report, len(group.parts), group.delivered
                    )
                )
            self._end_event(
                group.ticket.id, verdict, group.error, group.ticket, [] if group.ticket.joined else whole, accept=accept
            )
            made += whole
        for message in made:
            self._keep(message, accept=accept)
        return made

    def _conclude(
        self, ticket: OpenReport, state: State, error: str, report: Report | None, *, accept: bool
    ) -> list[Message]:
        made = []
        if ticket.joined:
            made = self._joined_parts(ticket, state, error, report, accept=accept)
            for message in made:
                self._keep(message, accept=accept)
        elif wants_report(ticket.want, state):
            message = self._report_message(ticket, ticket.id, state, error, report, 1, state is State.DELIVERED)
            made.append(message)
            self._keep(message, accept=accept)
        self._end_event(ticket.id, state, error, ticket, [] if ticket.joined else made, accept=accept)
        return made

    def _joined_parts(
        self, ticket: OpenReport, state: State, error: str, report: Report | None, *, accept: bool
    ) -> list[Message]:
        """The parts that a message came in by end with it: their events, and the reports that were asked for by them."""
        made: list[Message] = []
        for number, want in ticket.joined:
            own = []
            if wants_report(Want(want), state):
                own.append(self._report_message(ticket, number, state, error, report, 1, state is State.DELIVERED))
            self._end_event(number, state, error, ticket, own, accept=accept)
            made += own
        return made

    def _end_event(
        self, message_id: int, state: State, error: str, ticket: OpenReport, made: list[Message], *, accept: bool
    ) -> None:
        note = self._spool.take_event if accept else self._spool.event
        number = made[0].id if made else 0
        event = events.Ended(message_id, time.time(), state, "", error, ticket.provider, number, ticket.maybe_sent)
        note(message_id, events.encode(event))

    def _keep(self, message: Message, *, accept: bool) -> None:
        lane = self._lanes.by_name[message.queue]
        place = self._lanes.add(message, lane)
        (self._spool.accept if accept else self._spool.update)(message, lane.number, place)

    def _report_message(
        self,
        ticket: OpenReport,
        message_id: int,
        state: State,
        error: str,
        report: Report | None,
        parts: int,
        delivered: int,
    ) -> Message:
        now = time.time()
        lane = self._router.way_home(ticket, self.users)
        told = Report(
            message_id, state, error or ("000" if state is State.DELIVERED else "255"), ticket.accepted,
            report.done if report is not None and report.done else now, parts, int(delivered),
        )  # fmt: skip
        if report is not None:
            told.text, told.network_error, told.tlvs = report.text, report.network_error, report.tlvs
            told.remote_id = report.remote_id
        return Message(
            self._spool.next_id(), Kind.REPORT, lane.name, ticket.provider, ticket.account,
            ticket.dest, ticket.dest_ton, ticket.dest_npi, ticket.source, ticket.source_ton, ticket.source_npi,
            Encoding.GSM7, 0, b"", b"", now, expires=now + self.lifetime, rank=REPORT_RANK, report=told,
            reference=ticket.reference,
        )  # fmt: skip
