"""query_sm and replace_sm: what a customer may ask about his own messages (SMPP 3.4 §4.8, §4.10); and what `cancelling` needs as well.

A message of somebody else is treated like one that does not exist. Only what still waits can be cancelled or replaced; what is in
flight or sent cannot. Messages behind a queue's head are looked up in the spool, and the answer comes after that. Addresses are compared as the
way in makes them: a customer gives those that he sent.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from emg.connectors.smpp.statuses import status_of
from emg.connectors.smpp.translate import WANTS, times_of
from emg.engine import paging, story
from emg.engine.story import Standing
from emg.errors import Cause, EmgError, Rejected, SpoolError
from emg.message import Kind, Message, State
from emg.rules.address import normal_source
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

Found = Callable[[Message | None, int, SpoolError | None], None]
"""Of a message of this customer that waits: itself and its place; None when there is none; the error when nobody knows."""


def query(session: "IncomingSession", pdu: pdus.QuerySm, number: int) -> None:
    """Answer with the message's state."""

    def told(found: Standing | None, error: SpoolError | None) -> None:
        if error is not None:
            unreadable(session, pdu, error)
            return
        if found is None or found.account != session.account or not _same(session, pdu, found.source):
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


def _same(session: "IncomingSession", pdu: pdus.QuerySm | pdus.ReplaceSm, known: str) -> bool:
    """The source address of the request, which may be left out, is that of the message."""
    return not pdu.source_addr or addresses(session, pdu)[0] == known


def addresses(session: "IncomingSession", pdu: pdus.QuerySm | pdus.ReplaceSm | pdus.CancelSm) -> tuple[str, str]:
    """Source and destination (where there is one) as they stand in messages of this customer; what can't be one is left as it is."""
    user = session.user
    source, dest = pdu.source_addr, getattr(pdu, "destination_addr", "")
    addressing = session.connector.inward.addressing
    try:
        source = addressing.source(source, pdu.source_addr_ton, pdu.source_addr_npi)[0]
        if user is not None and user.force_sourceaddr:
            source = normal_source(user.force_sourceaddr, 0, 0)[0]
        if isinstance(pdu, pdus.CancelSm) and dest:
            dest = addressing.dest(dest, pdu.dest_addr_ton, pdu.dest_addr_npi)[0]
    except Rejected:
        pass  # no message has such a one
    return source, dest


def unreadable(session: "IncomingSession", pdu: pdus.Pdu, error: EmgError) -> None:
    """The spool cannot be read, or written: nobody knows, and that is no "there is none"."""
    session.note_refusal(pdu, Rejected(Cause.SYSTEM, str(error)))
    session.refuse(pdu, int(Status.RSYSERR))


def when_decided(session: "IncomingSession", pdu: pdus.Pdu, then: Callable[[int], None]) -> None:
    """Wait for the commit of what was taken in before this request, then `then(bound)`: messages with ids below the bound are kept, or gone.

    One that is not kept yet must not be ended or changed: that cannot be undone, and its sender may be told that it was not taken.
    """
    bound = session.engine.spool.next_id()

    def kept(_argument: object, error: EmgError | None) -> None:
        if error is not None:
            unreadable(session, pdu, error)
        else:
            then(bound)

    session.engine.spool.when_kept(kept, None)


def replace(session: "IncomingSession", pdu: pdus.ReplaceSm, number: int) -> None:
    """Give a waiting message another text, schedule or validity."""

    def found(message: Message | None, place: int, error: SpoolError | None) -> None:
        if error is not None:
            unreadable(session, pdu, error)
            return
        if message is None or not _same(session, pdu, message.source):
            session.refuse(pdu, int(Status.RREPLACEFAIL))
            return
        due = message.due
        try:
            _change(session, message, pdu, time.time())
        except Rejected as rejected:
            session.note_refusal(pdu, rejected)
            session.refuse(pdu, status_of(rejected.cause))
            return
        if message.due != due:
            paging.defer(session.engine.lanes, message, place)
        else:
            session.engine.lanes.rewrite(message, place)
        answer(session, pdu, 0)

    def decided(bound: int) -> None:
        if number < bound:
            find_waiting(session, number, found)
        else:
            found(None, RESIDENT, None)

    when_decided(session, pdu, decided)


def _change(session: "IncomingSession", message: Message, pdu: pdus.ReplaceSm, now: float) -> None:
    """Apply a replace_sm; its text is of the message's own data coding, and a time that it leaves out stays (SMPP 3.4 §4.10). Raises Rejected."""
    if count_parts(pdu.short_message, message.encoding, message.udh) > 1:
        raise Rejected(Cause.TOO_LONG, "the new text does not fit one message")
    due, expires = times_of(pdu, now)
    if not pdu.schedule_delivery_time:
        due = message.due
    if expires:
        expires = min(expires, max(now, due) + session.engine.receiver.limits.longest_validity)
    elif message.own_validity:
        expires = message.expires
    else:
        expires = message.expires - max(message.accepted, message.due) + max(message.accepted, due)
    if expires <= max(now, due):
        raise Rejected(Cause.BAD_VALIDITY, "its validity ends before the message could be sent")
    message.body, message.due, message.expires = pdu.short_message, due, expires
    message.own_validity = message.own_validity or bool(pdu.validity_period)
    if pdu.registered_delivery and session.port.config.force_dlr is None:
        message.want = WANTS[pdu.registered_delivery & 0x13]


def find_waiting(session: "IncomingSession", number: int, found: Found) -> None:
    """Look for a message of this customer that waits, in memory or on disk; his reports are none of these."""
    lanes = session.engine.lanes

    def is_his(message: Message) -> bool:
        return message.account == session.account and message.kind == Kind.NORMAL

    in_memory = lanes.find(number)
    if in_memory is not None:
        found(lanes.find_waiting(number) if is_his(in_memory[0]) else None, RESIDENT, None)
        return

    def loaded(row: tuple[Message, int, int] | None, error: SpoolError | None) -> None:
        stale = lanes.stale(number, page)
        lanes.page_read()
        if error is not None:
            found(None, RESIDENT, error)
            return
        if row is None or not is_his(row[0]) or stale:
            found(None, RESIDENT, None)
            return
        message, place, queue = row
        lane = lanes.by_number(queue)
        message.queue = lane.name
        if lane.holds(number):  # it came into memory while we read
            find_waiting(session, number, found)
        else:
            found(message if place != RESIDENT else None, place, None)

    page = lanes.begin_page()
    rereading.read(session.engine.spool, f"message {number}", lambda db: story.row_of(db, number), loaded)


def answer(session: "IncomingSession", request: pdus.Pdu, status: int) -> None:
    """Answer after the commit that holds what was done."""

    def kept(_argument: object, error: EmgError | None) -> None:
        session.refuse(request, status if error is None else int(Status.RSYSERR))

    session.engine.spool.when_kept(kept, None)
