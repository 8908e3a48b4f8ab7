"""Whose rows a key sees: the house's all, a customer's those of his accounts. What is not his is 404, as if it were not there."""

from flask import abort

from emg.db import accounts
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import Account
from portal.api.caller import caller
from portal.api.taking import fault

MOST_ACCOUNTS = 10_000


def account(session: Session, name: str) -> Account:
    """An account that this key sees."""
    found = accounts.find(session, name)
    if not caller().is_house and found.customer_id != caller().customer_id:
        raise NotFound("account", name)
    return found


def names(session: Session) -> tuple[str, ...] | None:
    """Of the accounts that a customer's key sees; None: of all."""
    if caller().customer is None:
        return None
    found = accounts.listing(session, customer=caller().customer or "", limit=MOST_ACCOUNTS)
    return tuple(one.name for one in found)


def names_ever(session: Session, customer: str) -> tuple[str, ...]:
    """Names that a customer's accounts have, or had when they were deleted (`NAME~ID`): the log has them as they were."""
    present = accounts.listing(session, customer=customer, limit=MOST_ACCOUNTS)
    gone = accounts.listing(session, customer=customer, deleted=True, limit=MOST_ACCOUNTS)
    return tuple({one.name for one in present} | {one.name.rpartition("~")[0] for one in gone})


def house_alone(**given: object) -> None:
    """Query parameters that a customer's key may not use: they tell of others, or of operators."""
    for name, value in given.items():
        if value and not caller().is_house:
            raise fault(name, "is for keys of the house alone")


def missing(what: str, name: object) -> None:
    """404."""
    abort(404, f"There is no {what} {name}.")
