"""The area's blueprint, and what its pages have in common."""

from typing import Any, Final

from flask import Blueprint, abort, url_for

from emg.control.client import part
from emg.db.models import Account
from emg.errors import ControlError
from emg.rules import rows
from emg.rules.account_rows import ACCOUNT
from portal import fields, house, scope

pages: Final = Blueprint("accounts", __name__, template_folder="templates")
HIDDEN: Final = frozenset({"note", "route", "routedlr"})
"""Fields that are not for a customer's eyes: they tell of operators, or what the house thinks of him."""
GROUPS: Final = {
    "login": "Login", "balance": "Balance", "limits": "Limits", "messages": "Sender addresses and messages", "other": "Other",
}  # fmt: skip


def ask(name: str = "") -> Any | None:
    """What the gateway says of an account, or of all; None when none answers, or when it does not know it (yet)."""
    try:
        return house.look(f"/accounts/{part(name)}" if name else "/accounts")
    except ControlError:
        return None


def home(name: str) -> str:
    """The address of an account's page."""
    return url_for("accounts.show", name=name)


def living(account: Account) -> Account:
    """404 for one that is deleted."""
    if account.deleted is not None:
        abort(404, f"Account {account.name} is deleted.")
    return account


def settings(values: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Its settings as people read them: headings, each with labels and texts."""
    seen = [field for field in ACCOUNT.values() if field.group and (scope.is_house() or field.name not in HIDDEN)]
    groups: dict[str, list[tuple[str, str]]] = {}
    for field in seen:
        value = values[field.name]
        text = ("yes" if value else "no") if isinstance(value, bool) else rows.text(field, value)
        if field.name in ("throughput", "maxqueuesize", "daily_limit") and not value:
            text = "no limit"
        groups.setdefault(GROUPS[field.group], []).append((fields.label(field.name), text))
    return list(groups.items())
