"""query_sm, cancel_sm and replace_sm: what a customer may ask about his own messages (SMPP 3.4 §4.8–4.10).

A message of somebody else is treated like one that does not exist. Only what still waits can be cancelled or replaced; what is in
flight or sent cannot. Messages behind a queue's head are looked up in the spool, and the answer comes after that.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from emg.connectors.smpp.statuses import status_of
from emg.engine import story
from emg.engine.story import Standing
from emg.errors import Cause, EmgError, Rejected, SpoolError
from emg.message import Message, State
from emg.spool import rereading
from emg.spool.schema import RESIDENT
from emg.text.split import count_parts
from emg.wire.smpp import pdus, times
from emg.wire.smpp.names import MessageState, Status

if TYPE_CHECKING:
    from emg.connectors.smpp.incoming import IncomingSession

_STATES: Final[Mapping[State, MessageState]] = {
    State.DELIVERED: MessageState.DELIVERED,
    State.EXPIRED: MessageState.EXPIRED,
    State.DELETED: MessageState.DELETED,
    State.FAILED: MessageState.UNDELIVERABLE,
    State.UNKNOWN: MessageState.UNKNOWN,
    State.REJECTED: MessageState.REJECTED,
}
"""Final states; all others are ENROUTE to the customer."""

Found = Callable[[Message | None, int], None]


def query(session: "IncomingSession", pdu: pdus.QuerySm, number: int) -> None:
    """Answer with the message's state."""

    def told(found: Standing | None, error: SpoolError | None) -> None:
        if error is not None:  # nobody knows: that is no "there is none"
            session.note_refusal(pdu, Rejected(Cause.SYSTEM, str(error)))
            session.refuse(pdu, int(Status.RSYSERR))
            return
        if found is None or found.account != session.account or not _same(pdu.source_addr, found.source):
            session.refuse(pdu, int(Status.RQUERYFAIL))
            return
        final = found.state.final
        session.respond(
            pdus.QuerySmResp(
                pdu.sequence, 0, pdu.message_id,
                times.format_absolute(found.at) if final else "",
                int(_STATES.get(found.state, MessageState.ENROUTE)),
                _error_octet(found.error),
            )
        )  # fmt: skip

    session.engine.inspect(lambda db: story.standing(story.events_of(db, number)), told)


def _error_octet(error: str) -> int:
    """err: of a receipt as query_sm_resp's octet (SMPP 3.4 §4.8.2); 0 where it is no number that fits."""
    return int(error) if error.isdigit() and int(error) < 256 else 0


def _same(asked: str, known: str) -> bool:
    """The source address of the request, which may be empty where the message had a default one."""
    return not asked or asked.lstrip("+") == known


def cancel(session: "IncomingSession", pdu: pdus.CancelSm, number: int) -> None:
    """Cancel one message by id, or all of this customer's from one address to another (id empty)."""

    def decided(bound: int) -> None:
        if not number:
            _cancel_all(session, pdu, bound)
        elif number < bound:
            _find_waiting(session, pdu, number, lambda message, place: _cancel_found(session, pdu, message, place))
        else:
            _cancel_found(session, pdu, None, 0)

    _when_decided(session, pdu, decided)


def _when_decided(session: "IncomingSession", pdu: pdus.Pdu, then: Callable[[int], None]) -> None:
    """Wait for the commit of what was taken in before this request, then `then(bound)`: messages with ids below the bound are kept, or gone.

    One that is not kept yet must not be ended or changed: that cannot be undone, and its sender may be told that it was not taken.
    """
    bound = session.engine.spool.next_id()

    def kept(_argument: object, error: EmgError | None) -> None:
        if error is not None:
            session.note_refusal(pdu, Rejected(Cause.SYSTEM, str(error)))
            session.refuse(pdu, int(Status.RSYSERR))
        else:
            then(bound)

    session.engine.spool.when_kept(kept, None)


def _cancel_all(session: "IncomingSession", pdu: pdus.CancelSm, bound: int) -> None:
    cancelled = 0
    for lane in list(session.engine.lanes.by_name.values()):
        for message in list(lane.waiting.values()):
            if (
                message.account == session.account
                and message.id < bound
                and message.source == pdu.source_addr.lstrip("+")
                and message.dest == pdu.destination_addr.lstrip("+")
                and (not pdu.service_type or message.service_type == pdu.service_type)
            ):
                session.engine.lanes.remove(message.id, Cause.CANCELLED)
                cancelled += 1
    _answer(session, pdu, 0 if cancelled else int(Status.RCANCELFAIL))


def _cancel_found(session: "IncomingSession", pdu: pdus.CancelSm, message: Message | None, place: int) -> None:
    if message is None or not _same(pdu.source_addr, message.source):
        session.refuse(pdu, int(Status.RCANCELFAIL))
        return
    lanes = session.engine.lanes
    if place == RESIDENT:
        lanes.remove(message.id, Cause.CANCELLED)
    else:
        lanes.end_on_disk(message, place, Cause.CANCELLED)
    _answer(session, pdu, 0)


def replace(session: "IncomingSession", pdu: pdus.ReplaceSm, number: int) -> None:
    """Give a waiting message another text, schedule or validity."""

    def found(message: Message | None, place: int) -> None:
        if message is None or not _same(pdu.source_addr, message.source):
            session.refuse(pdu, int(Status.RREPLACEFAIL))
            return
        try:
            _change(message, pdu, time.time())
        except Rejected as error:
            session.note_refusal(pdu, error)
            session.refuse(pdu, status_of(error.cause))
            return
        session.engine.lanes.rewrite(message, place)
        _answer(session, pdu, 0)

    def decided(bound: int) -> None:
        if number < bound:
            _find_waiting(session, pdu, number, found)
        else:
            found(None, RESIDENT)

    _when_decided(session, pdu, decided)


def _change(message: Message, pdu: pdus.ReplaceSm, now: float) -> None:
    """Apply a replace_sm; its text is of the message's own data coding (SMPP 3.4 §4.10). Raises Rejected."""
    if message.due or pdu.schedule_delivery_time:
        raise Rejected(
            Cause.BAD_SCHEDULE, "a scheduled message cannot be replaced, nor a message be scheduled by replacing it"
        )
    try:
        expires = times.parse_time(pdu.validity_period, now)
    except ValueError as error:
        raise Rejected(Cause.BAD_VALIDITY, str(error)) from error
    if expires is not None and expires <= now:
        raise Rejected(Cause.BAD_VALIDITY, "the new validity is over already")
    if count_parts(pdu.short_message, message.encoding, message.udh) > 1:
        raise Rejected(Cause.TOO_LONG, "the new text does not fit one message")
    message.body = pdu.short_message
    if expires is not None:
        message.expires, message.own_validity = expires, True


def _find_waiting(session: "IncomingSession", pdu: pdus.Pdu, number: int, found: Found) -> None:
    """`found(message, place)` for a message of this customer that waits, in memory or on disk; (None, 0) otherwise.

    Where the spool cannot be read the request `pdu` is refused here: nobody knows, which is no "there is none".
    """
    lanes = session.engine.lanes
    in_memory = lanes.find(number)
    if in_memory is not None:
        mine = in_memory[0].account == session.account
        found(lanes.find_waiting(number) if mine else None, RESIDENT)
        return

    def loaded(row: tuple[Message, int, int] | None, error: SpoolError | None) -> None:
        stale = lanes.stale(number, page)
        lanes.page_read()
        if error is not None:
            session.note_refusal(pdu, Rejected(Cause.SYSTEM, str(error)))
            session.refuse(pdu, int(Status.RSYSERR))
            return
        if row is None or row[0].account != session.account or stale:
            found(None, RESIDENT)
            return
        message, place, queue = row
        lane = lanes.by_number(queue)
        message.queue = lane.name
        if lane.holds(number):  # it came into memory while we read
            _find_waiting(session, pdu, number, found)
        else:
            found(message if place != RESIDENT else None, place)

    page = lanes.begin_page()
    rereading.read(session.engine.spool, f"message {number}", lambda db: story.row_of(db, number), loaded)


def _answer(session: "IncomingSession", request: pdus.Pdu, status: int) -> None:
    """Answer after the commit that holds what was done."""

    def kept(_argument: object, error: EmgError | None) -> None:
        session.refuse(request, status if error is None else int(Status.RSYSERR))

    session.engine.spool.when_kept(kept, None)
