"""The message log: search it, and one message with its parts and its text.

A customer's key sees what was sent by an account of his, while that was his, and of it what his people see: no operators, costs, nor what decided the way.
"""

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from emg.db import customers, messages
from emg.db.engine import Session
from emg.db.messages import After, Found, Search
from emg.db.models import MessagePart, Status
from emg.rules import money
from portal import house
from portal.api import taking, whose
from portal.api.caller import caller
from portal.api.operations import Call, Limit, Operation, Shape

DAY: Final = dt.timedelta(days=1)
Filter = Annotated[str, Meta(max_length=200)]
Number = Annotated[str, Meta(max_length=60, description="A number; 4670* for all that begin so.")]
Moment = Annotated[dt.datetime | None, Meta(description="ISO 8601; UTC without a zone.")]


class Messages(Shape):
    """What is looked for; all that is given must hold. Without a time, the last day; all days by an id."""

    limit: Limit = 100
    after: Annotated[str, Meta(max_length=60, description="`next` of the page before.")] = ""
    since: Moment = None
    until: Moment = None
    number: Annotated[str, Meta(max_length=60, description="Sender or recipient; 4670* for all that begin so.")] = ""
    source: Number = ""
    dest: Number = ""
    reference: Annotated[str, Meta(max_length=200, description="The sender's own.")] = ""
    account: Filter = ""
    status: Annotated[str, Meta(max_length=200, description=f"Of {', '.join(Status)}; several with commas.")] = ""
    text: Annotated[str, Meta(max_length=200, description="Stands in its text, where that is kept.")] = ""
    customer: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""
    connector_in: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""
    connector_out: Annotated[str, Meta(max_length=200, description="For keys of the house.")] = ""
    remote_id: Annotated[str, Meta(max_length=200, description="The operator's; for keys of the house.")] = ""


class MessageRow(Shape):
    """A message; times in UTC, amounts in its currency."""

    id: int
    received: dt.datetime
    account: str
    source: str
    dest: str
    encoding: int
    octets: int
    parts: int
    status: str
    sent: dt.datetime | None
    done: dt.datetime | None
    error: str
    cause: str
    prefix: str
    network: str
    reference: str
    price: str
    refunded: str
    currency: str
    connector_in: str | UnsetType = UNSET
    connector_out: str | UnsetType = UNSET
    remote_id: str | UnsetType = UNSET
    route: str | UnsetType = UNSET
    price_row: int | UnsetType = UNSET
    cost: str | UnsetType = UNSET
    tries: int | UnsetType = UNSET


class Part(Shape):
    """A part of a message that was split here."""

    id: int
    number: int
    total: int
    status: str
    sent: dt.datetime | None
    done: dt.datetime | None
    error: str
    remote_id: str | UnsetType = UNSET


class MessageStory(Shape):
    """One message."""

    message: MessageRow
    parts: list[Part]
    text: Annotated[str | None, Meta(description="Null where it is not kept.")]


class MessageList(Shape):
    """A page of them, the newest first."""

    messages: list[MessageRow]
    next: Annotated[str | None, Meta(description="`after` of the page behind this one.")]


AMOUNTS: Final = frozenset({"price", "refunded", "cost"})
HOUSE_ONLY: Final = frozenset({"connector_in", "connector_out", "remote_id", "route", "price_row", "cost", "tries"})


def _row(row: Found) -> MessageRow:
    names = [name for name in MessageRow.__struct_fields__ if caller().is_house or name not in HOUSE_ONLY]
    return MessageRow(**{name: _value(name, getattr(row, name)) for name in names})


def _value(name: str, value: Any) -> Any:
    if name in AMOUNTS:
        return money.show(value)
    return value.value if isinstance(value, Status) else value


def _part(part: MessagePart) -> Part:
    names = [name for name in Part.__struct_fields__ if caller().is_house or name not in HOUSE_ONLY]
    return Part(**{name: _value(name, getattr(part, name)) for name in names})


def list_(call: Call) -> MessageList:
    """Page by page."""
    query: Messages = call.query
    whose.house_alone(
        customer=query.customer, connector_in=query.connector_in, connector_out=query.connector_out, remote_id=query.remote_id
    )  # fmt: skip
    search, after = _search(query), _after(query.after)
    with house.reading() as session:
        search = _bound(session, search, query.customer)
        rows = messages.page(session, search, query.limit, after)
    following = str(messages.place(rows[-1])) if len(rows) == query.limit else None
    return MessageList(messages=[_row(row) for row in rows], next=following)


def _search(query: Messages) -> Search:
    since, until = utc(query.since), utc(query.until)
    if since and until and since >= until:
        raise taking.fault("since", "must be before until")
    if since is None and not query.remote_id:
        since = (until or dt.datetime.now(dt.UTC)) - DAY
    return Search(
        since=since, until=until, number=messages.number(query.number), source=query.source, dest=messages.number(query.dest),
        reference=query.reference, account=query.account, statuses=_statuses(query.status), text=query.text,
        connector_in=query.connector_in, connector_out=query.connector_out, remote_id=query.remote_id,
    )  # fmt: skip


def utc(moment: dt.datetime | None) -> dt.datetime | None:
    """UTC without a zone."""
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except OverflowError:
        raise taking.fault("since", "is beyond all times") from None


def _statuses(text: str) -> tuple[Status, ...]:
    try:
        return tuple(Status(word.strip()) for word in text.split(",")) if text else ()
    except ValueError:
        raise taking.fault("status", f"must be of {', '.join(Status)}") from None


def _after(text: str) -> After | None:
    try:
        return After.parse(text) if text else None
    except ValueError as error:
        raise taking.fault("after", str(error)) from None


def _bound(session: Session, search: Search, customer: str) -> Search:
    """No messages but those that this key sees."""
    asked = caller()
    if asked.customer is not None:
        return replace(search, customer=asked.customer_id, accounts=whose.names_ever(session, asked.customer))
    return replace(search, customer=customers.find(session, customer).id) if customer else search


def get(call: Call) -> MessageStory:
    """One, also by the id of a part."""
    number = call.path["id"]
    if number >= 1 << 63:
        whose.missing("message", number)
    with house.reading() as session:
        whole = messages.find(session, number)
        asked = caller()
        if whole is not None and asked.customer is not None:
            row = whole.row
            own = row.customer_id == asked.customer_id and row.account in whose.names_ever(session, asked.customer)
            whole = whole if own else None
        if whole is None:
            whose.missing("message", number)
        assert whole is not None
        text = whole.body.text if whole.body is not None else None
        return MessageStory(message=_row(whole.row), parts=[_part(part) for part in whole.parts], text=text)


OPERATIONS: Final = (
    Operation("messages_search", "GET", "/messages", "messages:read", "Messages of the log, the newest first.", list_, MessageList, Messages, about="Without a time it looks at the last day."),
    Operation("messages_get", "GET", "/messages/<int:id>", "messages:read", "One message with its parts, and its text where that is kept.", get, MessageStory),
)  # fmt: skip
