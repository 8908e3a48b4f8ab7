"""Invoices: drafts prepared from `routelog`, issued, credited, found.

**Prepare** makes a draft of each customer, currency and period with traffic that costs; preparing again replaces it. Its net is the sum of `routelog.price` of
the customer's messages received in the period (UTC days), to the micro-unit. A period that overlaps an issued invoice of the same customer and currency, not
credited, is refused for him: nothing is invoiced twice. The log is read a piece at a time, so no statement is long.
**Issue** counts the log again and refuses a draft that is no longer what the log says (a report came late): prepare it anew. The number comes from the row
`invoice` of `counter`, which stays locked until the transaction ends: no gap, no double, however many issue at once. Who the customer is is written into it.
**Credit** makes a credit note over the whole invoice, at once issued, from the same series. An invoice is credited once; then its period can be prepared again.
Issued rows never change: `emg.db.models.unchanging` guards them.

Raises `InvoiceError` with a sentence, DatabaseError through the session.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from emg.db import audit
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Counter, Customer, Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Network
from emg.db.summary import purged_before
from emg.db.traffic import DAY, Period, traffic
from emg.errors import EmgError
from emg.rules import invoicing
from emg.rules.invoicing import Counted

SERIES: Final = "invoice"


class InvoiceError(EmgError):
    """It can't be done with this invoice."""


class Prepared(NamedTuple):
    """What `prepare` did for one customer and currency."""

    customer: str
    currency: str
    id: int | None
    """The draft; None where there is none."""
    net: int
    refused: str
    """Why there is no draft."""


class Foreseen(NamedTuple):
    """What `prepare` would do for one customer and currency."""

    customer: str
    currency: str
    messages: int
    net: int
    draft: int | None
    """The draft that it would replace."""
    draft_net: int
    refused: str
    """Why there would be no draft."""


# -- drafts


def foresee(database: Database, period: Period, *, customer: str | None = None, prepaid: bool = True) -> list[Foreseen]:
    """What `prepare` would make of the log as it is now; nothing is written."""
    customers = _preparable(database, period, customer)
    only = next(iter(customers)) if customer is not None else None
    found = traffic(database, period, customer=only, prepaid=prepaid)
    rows = []
    with database.session() as session:
        for (number, currency), counted in found.items():
            if number not in customers:
                continue
            mine = _drafts(period).where(Invoice.customer_id == number, Invoice.currency == currency)
            draft = session.scalar(mine.order_by(Invoice.id).limit(1))
            other = _issued(session, number, currency, period)
            refused = f"the days are already on invoice {other}" if other else ""
            net = sum(each.price * each.messages for each in counted)
            messages = sum(each.messages for each in counted)
            was, was_net = (draft.id, draft.net) if draft else (None, 0)
            rows.append(Foreseen(customers[number], currency, messages, net, was, was_net, refused))
    return sorted(rows, key=lambda row: (row.customer, row.currency))


def log_now(database: Database, draft: int, *, prepaid: bool = True) -> int:
    """The net that the log has now for the customer, currency and days of this draft, in micro-units."""
    with database.session() as session:
        seen = _draft(session, draft)
        period, owner, currency = Period(seen.period_start, seen.period_end), seen.customer_id, seen.currency
    counted = traffic(database, period, customer=owner, prepaid=prepaid).get((owner, currency), [])
    return sum(each.price * each.messages for each in counted)


def _preparable(database: Database, period: Period, customer: str | None) -> dict[int, str]:
    """Customers whose drafts of this period can be made: the one named, or all. Raises InvoiceError."""
    if period.end < period.start:
        raise InvoiceError("the period ends before it begins")
    with database.session() as session:
        gone = purged_before(session, "routelog").date()
        customers = dict(session.execute(select(Customer.id, Customer.name)).all())
    if period.start < gone:
        raise InvoiceError(f"messages of before {gone} are dropped from the log already")
    if customer is not None:
        customers = {number: name for number, name in customers.items() if name == customer}
        if not customers:
            raise InvoiceError(f"there is no customer {customer!r}")
    return customers


def prepare(
    database: Database, actor: Actor, period: Period, *, customer: str | None = None, prepaid: bool = True
) -> list[Prepared]:
    """Make or replace the drafts of this period, of one customer or of all; each in a transaction of its own."""
    customers = _preparable(database, period, customer)
    only = next(iter(customers)) if customer is not None else None
    found = traffic(database, period, customer=only, prepaid=prepaid)
    done = []
    for (number, currency), counted in sorted(found.items()):
        if number in customers:
            with database.session() as session:
                done.append(_prepare(session, actor, number, currency, period, counted))
    with database.session() as session:
        _drop_drafts(session, period, only, keep={(row.customer, row.currency) for row in done if row.id is not None})
    return done


def _prepare(
    session: Session, actor: Actor, number: int, currency: str, period: Period, counted: list[Counted]
) -> Prepared:
    customer = session.get_one(Customer, number, with_for_update=True)
    lines = invoicing.lines(counted)
    net = sum(line.amount for line in lines)
    if other := _issued(session, number, currency, period):
        return Prepared(customer.name, currency, None, net, f"the days are already on invoice {other}")
    mine = _drafts(period).where(Invoice.customer_id == number, Invoice.currency == currency)
    draft = session.scalar(mine.order_by(Invoice.id).limit(1)) or Invoice(
        customer_id=number, period_start=period.start, period_end=period.end, currency=currency
    )  # one that is there keeps its id: people may have it before them
    draft.lines.clear()
    session.add(draft)
    draft.created, draft.created_by, draft.vat = dt.datetime.now(dt.UTC), actor.who[:128], customer.vat
    _set(draft, _customer_of(customer))
    _set(draft, invoicing.totals(net, customer.vat, currency)._asdict())
    session.flush()  # the old lines are gone before the new ones take their positions
    names = _network_names(session, {line.network for line in lines})
    draft.lines = [
        InvoiceLine(position=position, description=_describe(line, names), **line._asdict())
        for position, line in enumerate(lines, 1)
    ]
    session.flush()
    audit.note(
        session, actor, "prepare", "invoice", f"{customer.name} {period}", None, {"net": net, "currency": currency}
    )
    return Prepared(customer.name, currency, draft.id, net, "")


def _drop_drafts(session: Session, period: Period, customer: int | None, keep: set[tuple[str, str]]) -> None:
    """Drafts of the period for whom the log has nothing any more."""
    wanted = _drafts(period) if customer is None else _drafts(period).where(Invoice.customer_id == customer)
    for draft in session.scalars(wanted):
        if (session.get_one(Customer, draft.customer_id).name, draft.currency) not in keep:
            session.delete(draft)


def _drafts(period: Period) -> Any:
    return select(Invoice).where(
        Invoice.status == InvoiceStatus.DRAFT, Invoice.period_start == period.start, Invoice.period_end == period.end
    )


def _issued(session: Session, customer: int, currency: str, period: Period) -> int | None:
    """The number of an issued invoice that has a day of this period on it and is not credited."""
    wanted = select(Invoice.number).where(
        Invoice.customer_id == customer, Invoice.currency == currency, overlaps(period)
    )
    return session.scalar(wanted.order_by(Invoice.number).limit(1))


def overlaps(period: Period) -> ColumnElement[bool]:
    """Of invoices: issued, not credited, with a day of this period."""
    note = aliased(Invoice)
    credited = select(note.id).where(note.credits_id == Invoice.id).exists()
    return (
        (Invoice.status == InvoiceStatus.ISSUED) & (Invoice.kind == InvoiceKind.INVOICE) & ~credited
        & (Invoice.period_start <= period.end) & (Invoice.period_end >= period.start)
    )  # fmt: skip


def _set(invoice: Invoice, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(invoice, name, value)


def _customer_of(customer: Customer) -> dict[str, Any]:
    """Who he is now, for the columns that keep it."""
    return {
        "customer_name": customer.name, "customer_number": customer.number or "",
        "organisation_number": customer.organisation_number, "vat_number": customer.vat_number, "reference": customer.reference,
        "address": customer.address, "country": customer.country, "payment_days": customer.payment_days,
    }  # fmt: skip


def _network_names(session: Session, networks: Iterable[str]) -> dict[str, str]:
    """MCC and MNC to country and name."""
    wanted = set(networks)
    rows = session.execute(select(Network.mcc, Network.mnc, Network.country, Network.name).order_by(Network.id.desc()))
    return {mcc + mnc: f"{country} {name}".strip() for mcc, mnc, country, name in rows if mcc + mnc in wanted}


def _describe(line: invoicing.Line, names: dict[str, str]) -> str:
    if line.network:
        return names.get(line.network) or f"network {line.network}"
    return f"prefix {line.prefix}" if line.prefix else "other destinations"


# -- issue and credit


def issue(
    database: Database,
    actor: Actor,
    draft: int,
    *,
    first_number: int = 1,
    prepaid: bool = True,
    today: dt.date | None = None,
) -> int:
    """Issue this draft; its number. `first_number` is that of the first one ever."""
    _have_series(database, first_number)
    with database.session() as session:
        seen = _draft(session, draft)
        period, owner, currency = Period(seen.period_start, seen.period_end), seen.customer_id, seen.currency
    if period.end >= (today or dt.datetime.now(dt.UTC).date()):
        raise InvoiceError(f"the period {period} is not over yet")
    counted = traffic(database, period, customer=owner, prepaid=prepaid).get((owner, currency), [])
    net = sum(each.price * each.messages for each in counted)
    with database.session() as session:
        customer = session.get_one(Customer, owner, with_for_update=True)
        invoice = _draft(session, draft)
        if invoice.net != net:
            raise InvoiceError("the log has changed since this draft was prepared: prepare it again")
        if other := _issued(session, owner, currency, period):
            raise InvoiceError(f"its days are already on invoice {other}")
        _number(session, actor, invoice, customer)
        return invoice.number or 0


def _draft(session: Session, number: int) -> Invoice:
    found = session.get(Invoice, number, with_for_update=True)
    if found is None:
        raise InvoiceError(f"there is no draft {number}")
    if found.status is not InvoiceStatus.DRAFT:
        raise InvoiceError(f"it is already issued, as number {found.number}")
    return found


def _number(session: Session, actor: Actor, invoice: Invoice, customer: Customer) -> None:
    """Write into it who the customer is, when it is due, and the next number, all in one statement: from then on it never changes."""
    counter = session.get_one(Counter, SERIES, with_for_update=True, populate_existing=True)
    counter.number += 1
    now = dt.datetime.now(dt.UTC)
    _set(invoice, _customer_of(customer))
    invoice.issued, invoice.status = now, InvoiceStatus.ISSUED
    invoice.due = now.date() + customer.payment_days * DAY
    invoice.number = counter.number
    session.flush()
    told = {"customer": customer.name, "total": invoice.total}
    audit.note(session, actor, "issue", "invoice", str(invoice.number), None, told)


def _have_series(database: Database, first_number: int) -> None:
    """See that the series has its row, in a transaction of its own: two that both add it must not wait for each other later."""
    with database.session() as session:
        if session.get(Counter, SERIES) is not None:
            return
        try:
            with session.begin_nested():
                session.add(Counter(name=SERIES, number=first_number - 1))
        except IntegrityError:
            pass  # another was quicker


def credit(database: Database, actor: Actor, number: int, *, note: str = "") -> int:
    """Take back the whole invoice of this number; the credit note's number."""
    _have_series(database, 1)
    with database.session() as session:
        invoice = by_number(session, number)
        customer = session.get_one(Customer, invoice.customer_id, with_for_update=True)
        if invoice.kind is not InvoiceKind.INVOICE:
            raise InvoiceError(f"{number} is a credit note")
        if other := session.scalar(select(Invoice.number).where(Invoice.credits_id == invoice.id)):
            raise InvoiceError(f"invoice {number} is already taken back by credit note {other}")
        why = f"Takes back invoice {number}{': ' * bool(note)}{note}"
        made = Invoice(
            kind=InvoiceKind.CREDIT_NOTE, credits_id=invoice.id, created=dt.datetime.now(dt.UTC), created_by=actor.who[:128], note=why,
            **{name: getattr(invoice, name) for name in ("customer_id", "period_start", "period_end", "currency", "vat")},
            **{name: -getattr(invoice, name) for name in invoicing.Totals._fields},
        )  # fmt: skip
        made.lines = [
            InvoiceLine(
                amount=-line.amount,
                **{name: getattr(line, name) for name in (
                    "position", "account", "network", "prefix", "description", "messages", "parts", "unit_price")},
            )
            for line in invoice.lines
        ]  # fmt: skip
        session.add(made)
        session.flush()
        _number(session, actor, made, customer)
        return made.number or 0


# -- finding


def by_number(session: Session, number: int) -> Invoice:
    """An issued one."""
    found = session.scalar(select(Invoice).where(Invoice.number == number))
    if found is None:
        raise InvoiceError(f"there is no invoice {number}")
    return found


def by_id(session: Session, number: int) -> Invoice:
    """A draft or an issued one, by its id."""
    found = session.get(Invoice, number)
    if found is None:
        raise InvoiceError(f"there is no invoice or draft with the id {number}")
    return found


SORTS: Final = {
    "number": Invoice.number, "customer": Invoice.customer_name, "period": Invoice.period_start, "total": Invoice.total,
    "issued": Invoice.issued, "due": Invoice.due,
}  # fmt: skip


def listing(
    session: Session,
    *,
    customer: str = "",
    status: InvoiceStatus | None = None,
    period: Period | None = None,
    order: str = "",
    limit: int = 100,
    offset: int = 0,
) -> list[Invoice]:
    """The newest first; drafts before issued ones. `period`: those with a day of it. `order` is one of `SORTS`, `-` before it the other way round."""
    usual = (Invoice.number.is_not(None), Invoice.number.desc(), Invoice.id.desc())
    column = SORTS[order.removeprefix("-")] if order else None
    ordered = usual if column is None else (column.desc() if order.startswith("-") else column, *usual)
    wanted = select(Invoice).where(*_filter(customer, status, period)).order_by(*ordered)
    return list(session.scalars(wanted.limit(limit).offset(offset)))


def count(
    session: Session, *, customer: str = "", status: InvoiceStatus | None = None, period: Period | None = None
) -> int:
    """How many `listing` has on all pages."""
    return session.scalar(select(func.count(Invoice.id)).where(*_filter(customer, status, period))) or 0


def _filter(customer: str, status: InvoiceStatus | None, period: Period | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if customer:
        conditions.append(Invoice.customer_id.in_(select(Customer.id).where(Customer.name == customer)))
    if status is not None:
        conditions.append(Invoice.status == status)
    if period is not None:
        conditions += [Invoice.period_start <= period.end, Invoice.period_end >= period.start]
    return conditions


def owner(session: Session, invoice: Invoice) -> str:
    """The customer's name as it is now, whatever stands on the invoice."""
    return session.get_one(Customer, invoice.customer_id).name


def credited_by(session: Session, invoice: Invoice) -> Invoice | None:
    """The credit note that takes it back."""
    return session.scalar(select(Invoice).where(Invoice.credits_id == invoice.id))


def drop(database: Database, actor: Actor, draft: int) -> None:
    """Throw away a draft."""
    with database.session() as session:
        found = _draft(session, draft)
        audit.note(
            session, actor, "delete", "invoice", f"draft {draft}", {"customer": found.customer_name, "net": found.net}
        )
        session.delete(found)
