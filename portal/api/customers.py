"""Customers: the companies that accounts belong to."""

import datetime as dt
from typing import Annotated, Any, Final

from msgspec import Meta

from emg.db import customers
from emg.db.models import Customer
from emg.rules.account_rows import CUSTOMER
from portal import house
from portal.api import shapes
from portal.api.operations import Call, Operation, Page, Shape

CustomerShape: Any = shapes.told("Customer", CUSTOMER, [("created", dt.datetime), ("updated", dt.datetime)])


class CustomerList(Shape):
    """A page of them."""

    customers: list[CustomerShape]
    total: int


class Customers(Page):
    """Which of them."""

    text: Annotated[
        str, Meta(max_length=200, description="Part of the name, the number, a mail address or the note.")
    ] = ""
    locked: Annotated[bool | None, Meta(description="Only locked ones, or only others.")] = None


def _told(customer: Customer) -> Any:
    row = shapes.plain(CUSTOMER, customers.values(customer))
    return CustomerShape(**row, created=customer.created, updated=customer.updated)


def list_(call: Call) -> CustomerList:
    """Page by page."""
    query: Customers = call.query
    with house.reading() as session:
        found = customers.listing(session, text=query.text, locked=query.locked, offset=query.offset, limit=query.limit)
        total = customers.count(session, text=query.text, locked=query.locked)
        return CustomerList(customers=[_told(customer) for customer, _accounts in found], total=total)


def get(call: Call) -> Any:
    """One."""
    with house.reading() as session:
        return _told(customers.find(session, call.path["name"]))


OPERATIONS: Final = (
    Operation("customers_list", "GET", "/customers", "customers:read", "Customers, page by page.", list_, CustomerList, Customers),
    Operation("customers_get", "GET", "/customers/<name:name>", "customers:read", "One customer.", get, CustomerShape),
)  # fmt: skip
