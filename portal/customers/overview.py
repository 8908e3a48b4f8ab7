"""The list of customers, and the page of one."""

from typing import Any, Final

from emg.control import balances as control
from emg.db import accounts, balances, customers, keys, people
from emg.db.models import Customer
from emg.rules import rows
from emg.rules.account_rows import CUSTOMER
from portal import fields, house, traffic
from portal import pages as made
from portal.customers.blueprint import ask, pages, sessions, sums
from portal.guard import allowed, needs
from portal.listing import Listing
from portal.permissions import Permission

LISTING: Final = Listing(
    "customers.index",
    sorts=("name", "number", "accounts", "currency", "country", "created"),
    filters=("text", "locked"),
)
FLAGS: Final = {"yes": True, "no": False}
MOST_SHOWN: Final = 200


@pages.get("/customers")
@needs(Permission.SEE_CUSTOMERS)
def index() -> str:
    """The list."""
    shown = LISTING.asked()
    wanted: dict[str, Any] = {"text": shown.filters["text"], "locked": FLAGS.get(shown.filters["locked"])}
    with house.reading() as session:
        found = customers.listing(session, **wanted, order=shown.sort, offset=shown.offset, limit=shown.limit)
        total = customers.count(session, **wanted)
        owned = accounts.of_customers(session, [customer.id for customer, _ in found])
    answer = ask() if owned else None
    return made.render(
        "customers/index.html", shown=shown, rows=found, total=total, sums=sums(owned, answer), live=answer is not None
    )


@pages.get("/customers/<name:name>")
@needs(Permission.SEE_CUSTOMERS)
def show(name: str) -> str:
    """One customer."""
    with house.reading() as session:
        customer = customers.find(session, name)
        owned = accounts.of_customers(session, [customer.id])
        given: dict[str, Any] = {
            "customer": customer, "details": details(customer), "traffic": traffic.daily(session, {"customer_id": customer.id}),
            "people": people.listing(session, customer=name, limit=MOST_SHOWN) if allowed(Permission.SEE_PEOPLE) else None,
            "keys": keys.listing(session, customer=name, limit=MOST_SHOWN) if allowed(Permission.CHANGE_KEYS) else None,
        }  # fmt: skip
    answer = ask() if owned else None
    told = control.told(answer)
    shown = [(account, balances.of(account, told)) for account in owned]
    return made.render(
        "customers/show.html", name=name, accounts=shown, sums=sums(owned, answer).get(customer.id, {}), sessions=sessions(owned, answer), **given
    )  # fmt: skip


def details(customer: Customer) -> list[tuple[str, str]]:
    """What he is, as labels and texts."""
    values = customers.values(customer)
    pairs = []
    for field in CUSTOMER.values():
        value = values[field.name]
        if field.name not in ("name", "locked"):
            text = ("yes" if value else "no") if isinstance(value, bool) else rows.text(field, value)
            unit = {"vat": " %", "payment_days": " days"}.get(field.name, "")
            pairs.append((fields.label(field.name), text + unit if text else ""))
    return pairs
