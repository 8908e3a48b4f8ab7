"""The list of accounts, and the page of one."""

from typing import Any, Final

from emg.control import balances as control
from emg.db import accounts, balances, customers, keys, ledger
from emg.db.models import Account
from portal import account_forms, house, scope, traffic
from portal import pages as made
from portal.accounts.blueprint import ask, pages, settings
from portal.guard import allowed, needs
from portal.listing import Listing
from portal.permissions import Permission

LISTING: Final = Listing(
    "accounts.index",
    sorts=("name", "customer", "balance", "currency", "throughput", "sessions"),
    filters=("text", "customer", "locked", "prepaid", "deleted"),
)
LAST_ROWS: Final = 8
FLAGS: Final = {"yes": True, "no": False}


@pages.get("/accounts")
@needs(Permission.SEE_ACCOUNTS)
def index() -> str:
    """The list."""
    shown = LISTING.asked()
    given = shown.filters
    wanted: dict[str, Any] = {
        "text": given["text"], "customer": scope.chosen_customer(given["customer"]), "locked": FLAGS.get(given["locked"]),
        "prepaid": FLAGS.get(given["prepaid"]), "deleted": given["deleted"] == "yes", "notes": scope.is_house(),
    }  # fmt: skip
    with house.reading() as session:
        found = accounts.listing(session, **wanted, order=shown.sort, offset=shown.offset, limit=shown.limit)
        total = accounts.count(session, **wanted)
        names = customers.names(session) if scope.is_house() else []
    answer = ask() if found else None
    told, live = control.told(answer), _by_name(answer)
    rows = [(account, balances.of(account, told), live.get(account.name)) for account in found]
    return made.render("accounts/index.html", shown=shown, rows=rows, total=total, customers=names[:500])


def _by_name(answer: Any) -> dict[str, Any]:
    try:
        return {row["account"]: row for row in answer["accounts"]}
    except (KeyError, TypeError):
        return {}


@pages.get("/accounts/<name:name>")
@needs(Permission.SEE_ACCOUNTS)
def show(name: str) -> str:
    """One account."""
    with house.reading() as session:
        account = scope.own_account(session, name, deleted=True)
        values = accounts.values(account)
        given: dict[str, Any] = {
            "account": account, "customer": account.customer, "access": accounts.access_of(account), "settings": settings(values),
            "remarks": account_forms.remarks(account), "traffic": traffic.daily(session, _traffic_of(account)),
            "entries": ledger.page(session, account.id, limit=LAST_ROWS), "keys": [],
            "senders": [word for word in account.sourceaddr.split(",") if word],
        }  # fmt: skip
        if account.customer is not None and allowed(Permission.CHANGE_KEYS):
            given["keys"] = keys.listing(session, customer=account.customer.name, limit=LAST_ROWS)
    live = None if account.deleted is not None else ask(account.name)
    balance = balances.of(account, control.told(live))
    return made.render("accounts/show.html", name=account.name, live=live, balance=balance, **given)


def _traffic_of(account: Account) -> dict[str, Any]:
    """Its messages; for a customer those alone that were his: another one may have had an account of this name."""
    name = account.name if account.deleted is None else account.name.rpartition("~")[0]
    where: dict[str, Any] = {"account": name}
    if not scope.is_house() or account.deleted is not None:
        where["customer_id"] = account.customer_id
    return where
