"""Batches of messages that people send from the portal: made as drafts, confirmed, handed to the gateway by the scheduler (`emg.jobs.sending`), paused, cancelled.

A message of a batch is handed over under a key of its own, which the gateway takes once. Before that it is marked as *asked*, in a transaction of its own; whatever dies then,
it is asked about again until the gateway has answered, also when its batch was paused or cancelled meanwhile: it may have been sent. So what is shown as cancelled was not sent, and what
was sent is shown with its id. Every change locks the batch's row. Raises `NotFound` for a batch that is not there, and EmgError for a change that its state does not allow.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from emg.db import audit, changes
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.models import Account, BatchState, Customer, ItemState, SendBatch, SendItem
from emg.errors import EmgError

KEPT_DRAFT: Final = dt.timedelta(days=1)
MOST: Final = 10_000
"""Messages of a batch."""
PAGE: Final = 100
AT_ONCE: Final = 20
"""Batches that share a call."""


class Row(NamedTuple):
    """A message of a batch to be."""

    line: int
    dest: str
    text: str
    parts: int


class Passed(NamedTuple):
    """A message on its way to the gateway."""

    id: int
    batch: SendBatch
    account: str
    dest: str
    text: str


class Told(NamedTuple):
    """What the gateway said of it: its id, or why it was refused, or neither when it may be taken later."""

    message_id: int | None
    reason: str


def draft(session: Session, batch: SendBatch, rows: Sequence[Row]) -> SendBatch:
    """Keep a batch that waits for its confirmation. Drafts that were left lying are forgotten."""
    assert len(rows) <= MOST, "a batch is bounded"
    moment = changes.now()
    old = select(SendBatch.id).where(SendBatch.state == BatchState.DRAFT, SendBatch.created < moment - KEPT_DRAFT)
    for number in session.scalars(old.limit(PAGE)).all():
        _forget(session, number)
    batch.state, batch.created, batch.served, batch.total = BatchState.DRAFT, moment, moment, len(rows)
    session.add(batch)
    session.flush()
    session.execute(
        insert(SendItem),
        [{"batch_id": batch.id, "state": ItemState.WAITING, "asked": False, "reason": "", **row._asdict()} for row in rows],
    )  # fmt: skip
    return batch


def forget_one(session: Session, before: dt.date) -> bool:
    """Forget a batch that was made before this day and is over, with its messages; whether there was one."""
    moment = dt.datetime.combine(before, dt.time(), dt.UTC)
    over = (BatchState.DRAFT, BatchState.DONE, BatchState.CANCELLED)
    number = session.scalar(
        select(SendBatch.id)
        .where(SendBatch.created < moment, SendBatch.state.in_(over))
        .order_by(SendBatch.id)
        .limit(1)
    )
    if number is None:
        return False
    _forget(session, number)
    return True


def _forget(session: Session, number: int) -> None:
    session.execute(delete(SendItem).where(SendItem.batch_id == number))
    session.execute(delete(SendBatch).where(SendBatch.id == number))


def _of(customer: str) -> list[ColumnElement[bool]]:
    whose = select(Customer.id).where(Customer.name == customer).scalar_subquery()
    return [SendBatch.customer_id == whose] if customer else []


def find(session: Session, number: int, customer: str, *, lock: bool = False) -> SendBatch:
    """A batch of this customer; empty: of anybody."""
    wanted = select(SendBatch).where(SendBatch.id == number, *_of(customer))
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("batch", str(number))
    return found


def listing(session: Session, customer: str, *, offset: int = 0, limit: int = PAGE) -> list[SendBatch]:
    """The newest first."""
    wanted = select(SendBatch).where(*_of(customer)).order_by(SendBatch.id.desc())
    return list(session.scalars(wanted.offset(offset).limit(limit)))


def accounts_of(session: Session, found: Iterable[SendBatch]) -> dict[int, str]:
    """Names of the accounts of batches, by their numbers."""
    wanted = select(Account.id, Account.name).where(Account.id.in_({batch.account_id for batch in found}))
    return {number: name for number, name in session.execute(wanted)}  # noqa: C416 -- rows are no pairs to the type checker


def count(session: Session, customer: str) -> int:
    """How many there are."""
    return session.scalar(select(func.count(SendBatch.id)).where(*_of(customer))) or 0


def counts(session: Session, numbers: Collection[int]) -> dict[int, dict[str, int]]:
    """Of each batch how many messages are in which state; `asked` of those that wait may have been sent."""
    found: dict[int, dict[str, int]] = {
        number: {**dict.fromkeys((state.value for state in ItemState), 0), "asked": 0} for number in numbers
    }
    wanted = select(SendItem.batch_id, SendItem.state, SendItem.asked, func.count()).where(
        SendItem.batch_id.in_(numbers)
    )
    for number, state, asked, many in session.execute(
        wanted.group_by(SendItem.batch_id, SendItem.state, SendItem.asked)
    ):
        found[number][state.value] += many
        if asked and state is ItemState.WAITING:
            found[number]["asked"] += many
    return found


def items(
    session: Session, number: int, state: str = "", *, offset: int = 0, limit: int = PAGE
) -> list[SendItem]:  # fmt: skip
    """Messages of a batch, in the order of its lines."""
    wanted = select(SendItem).where(SendItem.batch_id == number)
    if state:
        wanted = wanted.where(SendItem.state == ItemState(state))
    return list(session.scalars(wanted.order_by(SendItem.id).offset(offset).limit(limit)))


ALLOWED: Final[Mapping[str, tuple[frozenset[BatchState], BatchState]]] = {
    "confirm": (frozenset({BatchState.DRAFT}), BatchState.SENDING),
    "pause": (frozenset({BatchState.SENDING}), BatchState.PAUSED),
    "resume": (frozenset({BatchState.PAUSED}), BatchState.SENDING),
    "cancel": (frozenset({BatchState.DRAFT, BatchState.SENDING, BatchState.PAUSED}), BatchState.CANCELLED),
}
"""Acts: in which states, and what becomes of it."""


def act(session: Session, actor: Actor, number: int, name: str, customer: str) -> int:
    """Do it; how many messages it concerns. Raises EmgError when the batch is past that."""
    batch = find(session, number, customer, lock=True)
    before, after = ALLOWED[name]
    if batch.state not in before:
        raise EmgError(f"batch {number} is {batch.state.value}")
    audit.note(
        session, actor, name, "batch", str(number), {"state": batch.state.value}, {"state": after.value, "total": batch.total}
    )  # fmt: skip
    batch.state = after
    unsent = (SendItem.batch_id == number, SendItem.state == ItemState.WAITING, SendItem.asked.is_(False))
    concerned = session.scalar(select(func.count(SendItem.id)).where(*unsent)) or 0
    if name == "cancel":
        options = {"synchronize_session": False}
        session.execute(update(SendItem).where(*unsent).values(state=ItemState.CANCELLED), execution_options=options)
    return concerned


# -- the scheduler's side


def claim(session: Session, moment: dt.datetime, most: int) -> list[Passed]:
    """Messages to hand over now, marked as asked: first what has no answer yet, then what is due, of the batches that waited longest."""
    unknown = (
        select(SendItem, SendBatch)
        .join(SendBatch, SendBatch.id == SendItem.batch_id)
        .where(SendItem.state == ItemState.WAITING, SendItem.asked.is_(True), SendBatch.state != BatchState.DRAFT)
        .order_by(SendItem.id)
        .limit(most)
    )
    found = [(item, batch) for item, batch in session.execute(unknown)]
    due = (
        select(SendBatch)
        .where(SendBatch.state == BatchState.SENDING, or_(SendBatch.due.is_(None), SendBatch.due <= moment))
        .order_by(SendBatch.served, SendBatch.id)
        .limit(AT_ONCE)
        .with_for_update()
    )
    chosen = list(session.scalars(due)) if len(found) < most else []
    for place, batch in enumerate(chosen):
        share = -(-(most - len(found)) // (len(chosen) - place))
        fresh = select(SendItem).where(
            SendItem.batch_id == batch.id, SendItem.state == ItemState.WAITING, SendItem.asked.is_(False)
        )
        for item in session.scalars(fresh.order_by(SendItem.id).limit(share)):
            item.asked = True
            found.append((item, batch))
        batch.served = moment
    names = accounts_of(session, (batch for _item, batch in found))
    return [Passed(item.id, batch, names[batch.account_id], item.dest, item.text) for item, batch in found]


def settle(session: Session, told: Mapping[int, Told]) -> None:
    """Write down what the gateway said."""
    for item in session.scalars(select(SendItem).where(SendItem.id.in_(told))):
        answer = told[item.id]
        item.asked = False
        item.reason = answer.reason[:255]
        if answer.message_id is not None:
            item.state, item.message_id = ItemState.SENT, answer.message_id
        elif answer.reason:
            item.state = ItemState.REFUSED


def finish(session: Session, numbers: Iterable[int]) -> None:
    """Batches of which nothing waits are done; what waits of a cancelled one, and was not taken after all, is cancelled."""
    for number in sorted(numbers):
        batch = session.scalar(select(SendBatch).where(SendBatch.id == number).with_for_update())
        if batch is None:
            continue
        waits = (SendItem.batch_id == number, SendItem.state == ItemState.WAITING)
        options: dict[str, Any] = {"synchronize_session": False}
        if batch.state is BatchState.CANCELLED:
            unsent = update(SendItem).where(*waits, SendItem.asked.is_(False)).values(state=ItemState.CANCELLED)
            session.execute(unsent, execution_options=options)
        elif batch.state in (BatchState.SENDING, BatchState.PAUSED) and not session.scalar(
            select(func.count(SendItem.id)).where(*waits)
        ):
            batch.state = BatchState.DONE
