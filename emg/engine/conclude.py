"""The end of a message: its `Ended` event, what is given back of its price, and the reports that its sender asked for.

All of it goes into one commit. Where it follows from a provider's report that we have not acknowledged yet, it is intake (`Intake`): when the commit
fails, `undo` makes it not to have happened, and the provider reports again. Otherwise it is settlement, which cannot fail.
A long message that we split ends with its last part, or with the first that fails (`conclude_part`).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from emg.config.model import UserConfig
from emg.engine import events
from emg.engine.charging import Charging
from emg.engine.lanes import Lanes
from emg.engine.parts import Group, Groups, wants_report
from emg.engine.routing import Router
from emg.errors import SpoolError
from emg.message import Encoding, Kind, Message, OpenReport, Report, State, Want
from emg.rules import billing
from emg.spool.spool import Spool

Done = Callable[[Any, SpoolError | None], None]
# A member of an enum costs ten times as much as a name of the module.
_DELIVERED: Final = State.DELIVERED
_REPORT: Final = Kind.REPORT
_GSM7: Final = Encoding.GSM7
REPORT_RANK = 5
"""Delivery reports stand behind incoming messages of normal priority in an account's queue; among themselves they keep their order."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a message ended, or how far it got."""

    state: State
    error: str = ""
    """The network's or operator's code, or ours."""
    report: Report | None = None
    """The report that says so, where one came."""
    cause: str = ""
    """Why we ended it ourselves."""


class Intake(msgspec.Struct):
    """A provider's report on its way into the spool: what to undo should the commit fail, and whom to tell."""

    done: Done
    argument: Any
    ticket: OpenReport | None = None
    made: list[Message] = []
    group: Group | None = None
    before: tuple[int, str] = (0, "")
    """State of the part and error of the group, before it."""
    concluded: bool = False
    """It is what ended the whole message."""
    orphan: int = 0
    refund: int = 0


class Concluder:
    """See the module's text."""

    def __init__(self, spool: Spool, lanes: Lanes, router: Router, groups: Groups, charging: Charging) -> None:
        self.users: Mapping[str, UserConfig] = {}
        self.lifetime = 7 * 86400.0
        """How long a report to a sender is kept for him (DLREXPIRE)."""
        self._spool = spool
        self._lanes = lanes
        self._router = router
        self._groups = groups
        self._charging = charging

    def conclude(self, ticket: OpenReport, outcome: Outcome, intake: Intake | None = None) -> None:
        """A message that was not split is final."""
        state = outcome.state
        if ticket.joined:
            made = self._joined_parts(ticket, outcome, intake)
            self._end(ticket, ticket.id, outcome, 0, intake, self._refund(ticket, state, intake))
        else:
            made = []
            if wants_report(ticket.want, state):
                made.append(self.report_message(ticket, ticket.id, outcome, 1, state is _DELIVERED))
            number = made[0].id if made else 0
            self._end(ticket, ticket.id, outcome, number, intake, self._refund(ticket, state, intake))
        self.keep(made, intake)

    def conclude_part(
        self, ticket: OpenReport, group: Group | None, outcome: Outcome, intake: Intake | None = None
    ) -> None:
        """A part is final: its own event; the whole's as soon as that is certain; the reports that are wanted."""
        assert ticket.part is not None, "a part without its number"
        if group is not None:
            self._note(group, ticket.part.number - 1, outcome, intake)
        made: list[Message] = []
        if ticket.per_part and wants_report(ticket.want, outcome.state):
            delivered = outcome.state is State.DELIVERED
            made.append(self.report_message(ticket, ticket.part.parent, outcome, 1, delivered))
        number = made[0].id if made else 0
        self._end(ticket, ticket.id, outcome, number, intake, self._refund(ticket, outcome.state, intake))
        verdict = group.verdict() if group is not None else None
        if group is not None and verdict is not None and not group.reported:
            group.reported = True
            if intake is not None:
                intake.concluded = True
            self._groups.keep(group)
            made += self._conclude_whole(
                group, msgspec.structs.replace(outcome, state=verdict, error=group.error), intake
            )
        self.keep(made, intake)

    def _conclude_whole(self, group: Group, outcome: Outcome, intake: Intake | None) -> list[Message]:
        """What was paid for it was given back by its parts."""
        ticket = group.ticket
        if ticket.joined:
            made = self._joined_parts(ticket, outcome, intake)
            self._end(ticket, ticket.id, outcome, 0, intake, 0)
            return made
        made = []
        if not ticket.per_part and wants_report(ticket.want, outcome.state):
            made.append(self.report_message(ticket, ticket.id, outcome, len(group.parts), group.delivered))
        self._end(ticket, ticket.id, outcome, made[0].id if made else 0, intake, 0)
        return made

    def _joined_parts(self, ticket: OpenReport, outcome: Outcome, intake: Intake | None) -> list[Message]:
        """The parts that a message came in by end with it: their events, and the reports that were asked for by them."""
        made: list[Message] = []
        for number, want in ticket.joined:
            report = 0
            if wants_report(Want(want), outcome.state):
                made.append(self.report_message(ticket, number, outcome, 1, outcome.state is State.DELIVERED))
                report = made[-1].id
            self._end(ticket, number, outcome, report, intake, 0)
        return made

    def _note(self, group: Group, index: int, outcome: Outcome, intake: Intake | None) -> None:
        if intake is not None:
            intake.group, intake.before = group, (group.states[index], group.error)
        group.states[index] = int(outcome.state)
        if outcome.state is not State.DELIVERED and outcome.error:
            group.error = outcome.error
        self._groups.keep(group)

    def _refund(self, ticket: OpenReport, state: State, intake: Intake | None) -> int:
        """Give back what the price's row says; micro-units."""
        charge = ticket.charge
        if charge is None:
            return 0
        amount = billing.refund(charge, state, taken=ticket.sent > 0 or ticket.maybe_sent)
        if amount:
            if intake is None:
                self._charging.give_back(charge.payer, amount)
            else:
                self._charging.give_back_unsurely(charge.payer, amount)
                intake.refund += amount
        return amount

    def _end(
        self, ticket: OpenReport, message_id: int, outcome: Outcome, report: int, intake: Intake | None, refund: int
    ) -> None:
        """The event. `message_id` is the ticket's own, or that of a part that it came in by."""
        charge, part = ticket.charge, ticket.part
        event = events.encode(
            events.Ended(
                message_id, time.time(), outcome.state, outcome.cause, outcome.error, ticket.provider, report,
                ticket.maybe_sent, ticket.accepted, part.parent if part is not None and message_id == ticket.id else 0,
                refund, charge.payer if charge is not None else 0,
            )
        )  # fmt: skip
        if intake is not None:
            self._spool.take_event(message_id, event)
        else:
            self._spool.event(message_id, event)

    # -- reports

    def keep(self, made: Iterable[Message], intake: Intake | None) -> None:
        """Queue the reports that were made."""
        for message in made:
            lane = self._lanes.by_name[message.queue]
            place = self._lanes.add(message, lane)
            if intake is not None:
                intake.made.append(message)
                self._spool.accept(message, lane.number, place)
            else:
                self._spool.update(message, lane.number, place)

    def refunded(self, intake: Intake, *, kept: bool) -> None:
        """What became of the commit that gives the price back."""
        if intake.refund and intake.ticket is not None and intake.ticket.charge is not None:
            self._charging.sure(intake.ticket.charge.payer, intake.refund, kept=kept)

    def undo(self, intake: Intake) -> None:
        """The commit failed."""
        for message in intake.made:
            self._lanes.withdraw(message)
        ticket, group = intake.ticket, intake.group
        self.refunded(intake, kept=False)
        if group is not None and ticket is not None and ticket.part is not None:
            group.states[ticket.part.number - 1], group.error = intake.before
            if intake.concluded:
                group.reported = False
            self._groups.keep(group)

    def report_message(
        self, ticket: OpenReport, message_id: int, outcome: Outcome, parts: int, delivered: int
    ) -> Message:
        """The report that tells a sender about one of the ids that he knows."""
        now, report = time.time(), outcome.report
        lane = self._router.way_home(ticket, self.users)
        told = Report(
            message_id, outcome.state, outcome.error or ("000" if outcome.state is _DELIVERED else "255"),
            ticket.accepted, report.done if report is not None and report.done else now, parts, int(delivered),
        )  # fmt: skip
        if report is not None:
            told.text, told.network_error, told.tlvs = report.text, report.network_error, report.tlvs
            told.remote_id = report.remote_id
        return Message(
            self._spool.next_id(), _REPORT, lane.name, ticket.provider, ticket.account,
            ticket.dest, ticket.dest_ton, ticket.dest_npi, ticket.source, ticket.source_ton, ticket.source_npi,
            _GSM7, 0, b"", b"", now, expires=now + self.lifetime, rank=REPORT_RANK, report=told,
            reference=ticket.reference,
        )  # fmt: skip
