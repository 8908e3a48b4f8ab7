"""Customers: found, listed, added, changed, locked, deleted.

A customer's values are those of `emg.rules.account_rows.CUSTOMER`. Locking one shuts out all his accounts at the gateway, which keep their own locks.
Each change leaves an audit row and raises the revision of `account`. Raises `NotFound` and `RowFaults`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from emg.db import changes
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.filters import holds, ordered
from emg.db.models import Account, Customer, HourlySummary, Invoice, Ledger, WebUser
from emg.rules import rows
from emg.rules.account_rows import CUSTOMER

TABLE: Final = ("customer", "account")
PAGE: Final = 100


def find(session: Session, name: str, *, lock: bool = False) -> Customer:
    """The customer of this name."""
    wanted = select(Customer).where(Customer.name == name)
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("customer", name)
    return found


_ACCOUNTS: Final = (
    select(func.count(Account.id))
    .where(Account.customer_id == Customer.id, Account.deleted.is_(None))
    .correlate(Customer)
    .scalar_subquery()
)
SORTS: Final = {
    "name": Customer.name, "number": Customer.number, "accounts": _ACCOUNTS, "currency": Customer.currency, "country": Customer.country,
    "locked": Customer.locked, "created": Customer.created,
}  # fmt: skip
"""What `listing` can be sorted by."""


def listing(
    session: Session,
    *,
    text: str = "",
    locked: bool | None = None,
    order: str = "name",
    offset: int = 0,
    limit: int = PAGE,
) -> list[tuple[Customer, int]]:
    """Customers, each with how many accounts he has. `text` is part of the name, the number, a mail address or the note; `order` is of `SORTS`."""
    wanted = select(Customer, _ACCOUNTS).where(*_filter(text, locked)).order_by(*ordered(order, SORTS, Customer.name))
    return [(customer, number or 0) for customer, number in session.execute(wanted.offset(offset).limit(limit))]


def count(session: Session, *, text: str = "", locked: bool | None = None) -> int:
    """How many `listing` has on all pages."""
    return session.scalar(select(func.count(Customer.id)).where(*_filter(text, locked))) or 0


def _filter(text: str, locked: bool | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if text:
        conditions.append(holds(text, Customer.name, Customer.number, Customer.email, Customer.note))
    if locked is not None:
        conditions.append(Customer.locked.is_(locked))
    return conditions


def values(customer: Customer) -> dict[str, Any]:
    """What the customer is, by the fields of `CUSTOMER`."""
    return {name: getattr(customer, name) for name in CUSTOMER}


def texts(customer: Customer) -> dict[str, str]:
    """The same as people read it."""
    return rows.write(CUSTOMER, values(customer))


SUBJECT: Final = changes.Subject(
    TABLE, CUSTOMER, values, texts, ("name", "there is a customer of this name or number already")
)


def add(session: Session, actor: Actor, given: Mapping[str, Any]) -> Customer:
    """A new customer."""
    whole = changes.whole(CUSTOMER, given)
    _unique(session, whole, None)
    moment = changes.now()
    customer = Customer(**whole, created=moment, updated=moment)
    session.add(customer)
    changes.flush(session, *SUBJECT.taken)
    changes.tell(session, actor, "add", TABLE, customer.name, None, texts(customer))
    return customer


def change(session: Session, actor: Actor, name: str, given: Mapping[str, Any], *, action: str = "change") -> bool:
    """Set what is given, the name too; False when that changes nothing."""
    customer = find(session, name, lock=True)

    def put(whole: dict[str, Any]) -> None:
        _unique(session, whole, customer.id)
        for field, value in whole.items():
            setattr(customer, field, value)

    return changes.change(session, actor, action, SUBJECT, customer, given, put)


def lock(session: Session, actor: Actor, name: str) -> bool:
    """None of his accounts logs in any more, and their sessions end; False: he was locked already."""
    return change(session, actor, name, {"locked": True}, action="lock")


def unlock(session: Session, actor: Actor, name: str) -> bool:
    """Take the lock away; False: there was none."""
    return change(session, actor, name, {"locked": False}, action="unlock")


def delete(session: Session, actor: Actor, name: str) -> None:
    """Only one without accounts, people, messages and invoices: who was ever charged stays in the books. Deleted accounts that no money was on let go of him."""
    customer = find(session, name, lock=True)
    if kept := kept_by(session, customer.id):
        raise rows.fault("name", f"{name} can't be deleted, there are {kept} of his; lock him instead")
    session.execute(update(Account).where(Account.customer_id == customer.id).values(customer_id=None))
    before = texts(customer)
    session.delete(customer)
    changes.tell(session, actor, "delete", TABLE, name, before, None)


def kept_by(session: Session, number: int) -> str:
    """What keeps the customer of this id from being deleted, in a word; empty: nothing."""
    obstacles = {
        "accounts": select(Account.id).where(Account.customer_id == number, Account.deleted.is_(None)),
        "ledger rows": select(Ledger.id).join(Account).where(Account.customer_id == number),
        "invoices": select(Invoice.id).where(Invoice.customer_id == number),
        "messages": select(HourlySummary.id).where(HourlySummary.customer_id == number),
        "web users": select(WebUser.id).where(WebUser.customer_id == number),
    }
    return next((word for word, wanted in obstacles.items() if session.scalar(wanted.limit(1)) is not None), "")


def _unique(session: Session, whole: Mapping[str, Any], own: int | None) -> None:
    for field, column in (("name", Customer.name), ("number", Customer.number)):
        if whole[field] is None:
            continue
        other = session.scalar(select(Customer.id).where(column == whole[field]))
        if other not in (None, own):
            raise rows.fault(field, f"there is a customer with {field} {whole[field]} already")


def names(session: Session) -> list[str]:
    """Of all customers, in order."""
    return list(session.scalars(select(Customer.name).order_by(Customer.name)))
