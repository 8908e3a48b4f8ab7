"""The area's blueprint, and what its pages have in common."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, url_for

from emg.control import balances as control
from emg.db import balances
from emg.db.models import Account
from emg.errors import ControlError
from portal import house

pages: Final = Blueprint("customers", __name__, template_folder="templates")


def ask() -> Any | None:
    """What the gateway says of all accounts; None when none answers."""
    try:
        return house.look("/accounts")
    except ControlError:
        return None


def home(name: str) -> str:
    """The address of a customer's page."""
    return url_for("customers.show", name=name)


def sums(accounts: list[Account], answer: Any) -> Mapping[int, Mapping[str, int]]:
    """Balances by the customer's id and by currency, micro-units: the gateway's where it knows the account."""
    told = control.told(answer)
    found: dict[int, dict[str, int]] = {}
    for account in accounts:
        of_customer = found.setdefault(account.customer_id or 0, {})
        micros = balances.of(account, told).micros or 0
        of_customer[account.currency] = of_customer.get(account.currency, 0) + micros
    return found


def sessions(accounts: list[Account], answer: Any) -> int | None:
    """Sessions of these accounts now; None when nobody knows."""
    if answer is None:
        return None
    names = {account.name for account in accounts}
    return sum(int(row["sessions"]) for row in answer.get("accounts", ()) if row["account"] in names)
