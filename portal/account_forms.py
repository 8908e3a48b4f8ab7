"""A new account as a form takes it: with its access list, a password that is made, and a first top-up; for the page of accounts, and for that of a new customer.

`read` gives a `New`, or None with the faults at their fields; `keep` writes it into the caller's transaction.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from emg.config import hashes
from emg.db import accounts, ledger
from emg.db.audit import Actor
from emg.db.engine import Session
from emg.db.models import Account
from emg.rules import account_rows, rows
from emg.rules.account_rows import ACCOUNT, LONGEST_SMPP_PASSWORD, Access
from emg.rules.rows import LIMIT, Field, Fields, Known, RowFaults
from portal import fields, house, logins
from portal.fields import RowForm
from portal.guard import allowed
from portal.permissions import Permission

MONEY: Final = ("opening", "why")
NEW: Final[Fields] = {
    **{name: field for name, field in ACCOUNT.items() if not field.secret},
    "currency": replace(
        ACCOUNT["currency"], default=None, about="The currency that it is charged in; empty: its customer's, else EUR."
    ),
    **rows.table(
        Field(
            "access",
            rows.words(account_rows.LONGEST_LIST, lines=True),
            "",
            "From where it may log in: addresses or networks, * for everywhere; behind each @CONNECTOR if it is for that one alone. Without any nobody can log in.",
        ),
        Field("opening", LIMIT, None, "A first top-up, in the account's currency."),
        Field("why", rows.words(255), "", "What stands in the ledger for it."),
    ),
}
LABELS: Final = {"opening": "First top-up", "why": "Reason of the top-up", "access": "Access list"}


class New(NamedTuple):
    """What was asked for, without a fault that can be seen before it is written."""

    values: Mapping[str, Any]
    access: list[Access]
    opening: int
    why: str
    password: str

    def hashed(self) -> Mapping[str, Any]:
        """The values with the password's hash: takes a while, so never within a transaction."""
        return {**self.values, "password_hash": logins.made(account_rows.password(self.password))}


def form(
    known: Known, *, values: Mapping[str, Any] | None = None, only: tuple[str, ...] = (), prefix: str = ""
) -> RowForm:
    """The form; `only`: these fields. `prefix`: it stands beside another form."""
    wanted = {name: field for name, field in NEW.items() if name in only} if only else dict(NEW)
    if not allowed(Permission.CHANGE_BALANCES):
        wanted = {name: field for name, field in wanted.items() if name not in MONEY}
    if prefix:
        wanted["name"] = replace(wanted["name"], needed=False)
    made = fields.form(wanted, known, values=values, prefix=prefix)
    for one in made:
        if one.short_name in LABELS:
            one.label.text = LABELS[one.short_name]
    return made


def read(given: RowForm, known: Known) -> New | None:
    """See the module's text."""
    values = fields.read(given, NEW, known)
    if values is None:
        return None
    text, opening, why = values.pop("access", ""), values.pop("opening", None), values.pop("why", "")
    if values.get("currency") is None:
        values.pop("currency", None)
    try:
        if values["name"] in house.config().users:
            raise rows.fault("name", "a USER of this name stands in the configuration file")
        access = account_rows.access(text, known)
    except RowFaults as error:
        fields.blame(given, error)
        return None
    return New(values, access, opening or 0, why, hashes.generated(LONGEST_SMPP_PASSWORD))


def keep(session: Session, actor: Actor, new: New, hashed: Mapping[str, Any]) -> Account:
    """Write it. Raises RowFaults."""
    account = accounts.add(session, actor, hashed, new.access)
    if new.opening:
        ledger.topup(session, actor, account.name, new.opening, why=new.why or "first balance")
    return account


def remarks(account: Account) -> list[str]:
    """What can be kept, but is probably not as meant, as sentences."""
    found = account_rows.remarks(accounts.values(account))
    if not account.access and account.deleted is None:
        found.append("nobody can log in with it: its access list is empty")
    return [sentence[:1].upper() + sentence[1:] + "." for sentence in found]
