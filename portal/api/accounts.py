"""Accounts: who may send, and the money on them."""

import datetime as dt
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from emg.config import hashes
from emg.control import balances as live
from emg.control.client import part
from emg.db import accounts, balances, ledger
from emg.db.models import Account, Entry, Ledger
from emg.errors import ControlError
from emg.rules import account_rows, money, rows
from emg.rules.account_rows import ACCOUNT
from portal import house, known, logins
from portal.api import shapes, taking, whose
from portal.api.caller import caller, tell_gateway
from portal.api.operations import Call, Limit, Operation, Page, Shape

HOUSE_ONLY: Final = ("note", "route", "routedlr")
"""What a customer's key is not told of his account."""
AccessList = Annotated[
    list[str], Meta(description="From where it may log in: NETWORK or NETWORK@CONNECTOR; * is everywhere.")
]
Text = str | None

AccountShape: Any = shapes.told(
    "Account", ACCOUNT,
    [
        ("access", AccessList), ("balance", Annotated[str | None, Meta(description="What is left, in its currency.")]),
        ("balance_from", Annotated[str, Meta(description="Whose word the balance is: gateway or database.")]), ("has_password", bool),
        ("created", dt.datetime), ("updated", dt.datetime),
    ],
    house=HOUSE_ONLY,
)  # fmt: skip
PASSWORD = Annotated[str, Meta(description="Of ASCII; without one, one is made and told this once.", max_length=256)]
NewAccount: Any = shapes.given(
    "NewAccount",
    ACCOUNT,
    [("access", AccessList | UnsetType, UNSET), ("password", PASSWORD | UnsetType, UNSET)],
    named=True,
)
AccountChange: Any = shapes.given(
    "AccountChange",
    ACCOUNT,
    [("access", AccessList | UnsetType, UNSET), ("password", PASSWORD | UnsetType, UNSET)],
    named=False,
)


class AccountList(Shape):
    """A page of them."""

    accounts: list[AccountShape]
    total: int


class AccountCreated(Shape):
    """A new account."""

    account: AccountShape
    password: Annotated[str | None, Meta(description="The one that was made; it is not told again.")]
    remarks: list[str]


class AccountDone(Shape):
    """What was done."""

    account: AccountShape
    changed: Annotated[bool, Meta(description="Whether it was not so already.")]
    remarks: list[str]


class Accounts(Page):
    """Which of them."""

    text: Annotated[str, Meta(max_length=200, description="Part of the name or the customer's name.")] = ""
    customer: Annotated[str, Meta(max_length=200, description="Only this customer's.")] = ""
    locked: Annotated[bool | None, Meta(description="Only locked ones, or only others.")] = None
    prepaid: Annotated[bool | None, Meta(description="Only prepaid ones, or only others.")] = None


class Balance(Shape):
    """What is left on an account."""

    account: str
    balance: Annotated[str | None, Meta(description="Amount, in the currency.")]
    balance_from: Annotated[str, Meta(description="gateway: it is live; database: as far as is booked.")]
    currency: str
    prepaid: bool


class Entered(Shape):
    """Money to put on an account."""

    amount: Annotated[str, Meta(description="Such as 10.00.", max_length=40)]
    why: Annotated[str, Meta(max_length=255)] = ""
    reference: Annotated[str, Meta(max_length=64, description="A payment's or an invoice's number.")] = ""


class LedgerRow(Shape):
    """A row of an account's ledger."""

    id: int
    at: dt.datetime
    kind: str
    amount: str
    balance: Annotated[str, Meta(description="After it.")]
    currency: str
    hour: Annotated[dt.datetime | None, Meta(description="Of traffic.")]
    messages: int | None
    why: str
    reference: str
    who: str | UnsetType = UNSET


class LedgerPage(Shape):
    """A page of it, the newest first."""

    ledger: list[LedgerRow]
    next: Annotated[int | None, Meta(description="`before` of the page behind this one.")]


class LedgerQuery(Shape):
    """Which rows."""

    limit: Limit = 100
    before: Annotated[int, Meta(ge=0, le=2**63 - 1, description="Only rows older than this one.")] = 0


def _live(name: str = "") -> Any:
    """What a gateway says of balances; nothing where none answers."""
    try:
        return live.told(house.look(f"/accounts/{part(name)}" if name else "/accounts"))
    except ControlError:  # it does not know it
        return {}


def _told(account: Account, figures: Any) -> Any:
    hidden = () if caller().is_house else HOUSE_ONLY
    balance = balances.of(account, figures)
    return AccountShape(
        **shapes.plain(ACCOUNT, accounts.values(account), without=hidden),
        access=[str(one) for one in accounts.access_of(account)],
        balance=None if balance.micros is None else money.show(balance.micros),
        balance_from=balance.source, has_password=bool(account.password_hash), created=account.created, updated=account.updated,
    )  # fmt: skip


def list_(call: Call) -> AccountList:
    """Page by page."""
    query: Accounts = call.query
    own = caller().customer
    whose.house_alone(customer=query.customer)
    wanted: dict[str, Any] = {
        "text": query.text, "customer": own or query.customer, "locked": query.locked, "prepaid": query.prepaid, "notes": own is None,
    }  # fmt: skip
    figures = _live()
    with house.reading() as session:
        found = accounts.listing(session, **wanted, offset=query.offset, limit=query.limit)
        return AccountList(accounts=[_told(one, figures) for one in found], total=accounts.count(session, **wanted))


def get(call: Call) -> Any:
    """One."""
    return _shown(call.path["name"])


def _shown(name: str) -> Any:
    with house.reading() as session:
        whose.account(session, name)  # before the gateway is asked for what is not his
    figures = _live(name)
    with house.reading() as session:
        return _told(whose.account(session, name), figures)


def create(call: Call) -> tuple[int, AccountCreated]:
    """A new one."""
    body = call.body
    if body.name in house.config().users:
        raise taking.fault("name", "a USER of this name stands in the configuration file")
    with house.reading() as session:
        names = known.rows(session)
    values = rows.read(ACCOUNT, shapes.texts(ACCOUNT, body), names, whole=False)
    access = account_rows.access(" ".join(body.access or ()), names)
    made = hashes.generated(account_rows.LONGEST_SMPP_PASSWORD) if body.password is UNSET else None
    password_hash = logins.made(account_rows.password(made or body.password))
    with house.writing() as session:
        name = accounts.add(session, house.actor(), values | {"password_hash": password_hash}, access).name
        remarks = account_rows.remarks(accounts.values(accounts.find(session, name)))
    tell_gateway()
    return 201, AccountCreated(account=_shown(name), password=made, remarks=remarks)


def change(call: Call) -> AccountDone:
    """Other values for what is given."""
    name, body = call.path["name"], call.body
    with house.reading() as session:
        names = known.rows(session)
        whose.account(session, name)
    values = rows.read(ACCOUNT, shapes.texts(ACCOUNT, body), names, whole=False)
    access = None if body.access is UNSET else account_rows.access(" ".join(body.access), names)
    if body.password is not UNSET:
        values["password_hash"] = logins.made(account_rows.password(body.password))
    with house.writing() as session:
        changed = accounts.change(session, house.actor(), name, values, access)
    return _done(name, changed=changed)


def lock(call: Call) -> AccountDone:
    """Nobody logs in any more."""
    with house.writing() as session:
        changed = accounts.lock(session, house.actor(), call.path["name"])
    return _done(call.path["name"], changed=changed)


def unlock(call: Call) -> AccountDone:
    """Take the lock away."""
    with house.writing() as session:
        changed = accounts.unlock(session, house.actor(), call.path["name"])
    return _done(call.path["name"], changed=changed)


def _done(name: str, *, changed: bool) -> AccountDone:
    if changed:
        tell_gateway()
    with house.reading() as session:
        remarks = account_rows.remarks(accounts.values(accounts.find(session, name)))
    return AccountDone(account=_shown(name), changed=changed, remarks=remarks)


# -- money


def balance(call: Call) -> Balance:
    """What is left."""
    name = call.path["name"]
    with house.reading() as session:
        whose.account(session, name)
    figures = _live(name)
    with house.reading() as session:
        account = whose.account(session, name)
    found = balances.of(account, figures)
    text = None if found.micros is None else money.show(found.micros)
    return Balance(
        account=name, balance=text, balance_from=found.source, currency=account.currency, prepaid=account.prepaid
    )


def _amount(text: str) -> int:
    try:
        return money.parse(text)
    except ValueError as reason:
        raise taking.fault("amount", str(reason)) from None


def topup(call: Call) -> tuple[int, LedgerRow]:
    """Put money on it."""
    body: Entered = call.body
    with house.writing() as session:
        taking.once(session, "topup")
        row = ledger.topup(
            session, house.actor(), call.path["name"], _amount(body.amount), why=body.why, reference=body.reference
        )
        told = _entry(row)
    tell_gateway()
    return 201, told


def correct(call: Call) -> tuple[int, LedgerRow]:
    """Add to its balance, or take from it."""
    body: Entered = call.body
    with house.writing() as session:
        taking.once(session, "correct")
        row = ledger.correct(
            session, house.actor(), call.path["name"], _amount(body.amount), why=body.why, reference=body.reference
        )
        told = _entry(row)
    tell_gateway()
    return 201, told


def entries(call: Call) -> LedgerPage:
    """Its rows."""
    query: LedgerQuery = call.query
    with house.reading() as session:
        account = whose.account(session, call.path["name"])
        found = ledger.listing(session, account.id, before=query.before, limit=query.limit)
        told = [_entry(row) for row in found]
    return LedgerPage(ledger=told, next=told[-1].id if len(told) == query.limit else None)


def _entry(row: Ledger) -> LedgerRow:
    told = LedgerRow(
        id=row.id, at=row.at, kind=Entry(row.kind).value, amount=money.show(row.amount), balance=money.show(row.balance),
        currency=row.currency, hour=row.hour, messages=row.messages or None, why=row.why, reference=row.reference,
    )  # fmt: skip
    return msgspec.structs.replace(told, who=row.who) if caller().is_house else told


ONE: Final = "/accounts/<name:name>"
OPERATIONS: Final = (
    Operation("accounts_list", "GET", "/accounts", "accounts:read", "Accounts, page by page.", list_, AccountList, Accounts),
    Operation(
        "accounts_create", "POST", "/accounts", "accounts:write", "A new account.", create, AccountCreated, takes=NewAccount, status=201,
        about="Without an access row nobody can log in with it. Its first money is a top-up.",
    ),
    Operation("accounts_get", "GET", ONE, "accounts:read", "One account.", get, AccountShape),
    Operation(
        "accounts_change", "PATCH", ONE, "accounts:write", "Other values for what is given; all else stays.", change, AccountDone,
        takes=AccountChange, about="A null sets a field back to its default. `access` is given as a whole.",
    ),
    Operation("accounts_lock", "POST", f"{ONE}/lock", "accounts:write", "Nobody logs in with it, and its sessions end.", lock, AccountDone),
    Operation("accounts_unlock", "POST", f"{ONE}/unlock", "accounts:write", "Take the lock away.", unlock, AccountDone),
    Operation("accounts_balance", "GET", f"{ONE}/balance", "balances:read", "What is left on it.", balance, Balance),
    Operation(
        "accounts_topup", "POST", f"{ONE}/topup", "balances:write", "Put money on it.", topup, LedgerRow, takes=Entered, once=True, status=201
    ),
    Operation(
        "accounts_correct", "POST", f"{ONE}/correct", "balances:write", "Add to its balance, or take from it.", correct, LedgerRow,
        takes=Entered, once=True, status=201, about="The amount may be negative; `why` must say something.",
    ),
    Operation("accounts_ledger", "GET", f"{ONE}/ledger", "balances:read", "What was put on it, and what it spent, the newest first.", entries, LedgerPage, LedgerQuery),
)  # fmt: skip
