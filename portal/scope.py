"""Whose rows somebody sees: people of the house all, people of a customer his.

Every view whose rows belong to customers takes its filter from here and passes it to the query; what is not his is `404` for him, as if it were not there.
"""

from flask import abort
from flask_login import current_user

from emg.db import accounts
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import Account


def customer() -> str:
    """The name of the customer whose rows he sees; empty: he is of the house and sees all."""
    return current_user.customer or ""


def is_house() -> bool:
    """He sees everybody's rows."""
    return current_user.customer is None


def chosen_customer(wanted: str) -> str:
    """The filter for a customer's name that a page was asked for: a customer's people get their own, whatever they ask."""
    return customer() or wanted


def account_names(session: Session) -> list[str] | None:
    """Names of the accounts that he sees; None: of all."""
    if is_house():
        return None
    return [account.name for account in accounts.listing(session, customer=customer(), limit=10_000)]


def own_account(session: Session, name: str, *, lock: bool = False, deleted: bool = False) -> Account:
    """An account of his; 404 for any other. `deleted`: also one that is (`NAME~ID`)."""
    try:
        account = accounts.find(session, name, lock=lock, deleted=deleted)
    except NotFound as error:
        abort(404, str(error))
    if not is_house() and (account.customer is None or account.customer.name != customer()):
        abort(404, f"there is no account {name!r}")
    return account
