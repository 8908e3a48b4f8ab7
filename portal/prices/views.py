"""Prices: the pages of `portal.rule_tables`. A customer's administrator sees the rows that are for his accounts, without what they cost us and how messages go."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from flask import Blueprint

from emg.db import accounts
from emg.db.engine import Session
from emg.db.prices import PRICES, Payers
from emg.rules.price_rows import HELPS, REFUNDS, parse_prices, price_of
from portal import scope
from portal.guard import allowed
from portal.permissions import Permission
from portal.rule_tables import Rules
from portal.rule_tables.register import register

pages: Final = Blueprint("prices", __name__, template_folder="templates")
MOST: Final = 10_000


def _scope(session: Session) -> Mapping[str, Any]:
    if scope.is_house():
        return {}
    own = accounts.listing(session, customer=scope.customer(), limit=MOST)
    return {"for": Payers([row.name for row in own], sorted({row.currency for row in own}))}


def _hidden() -> Collection[str]:
    hidden = set() if allowed(Permission.SEE_COSTS) else {"cost"}
    return hidden if scope.is_house() else {*hidden, "connector_in", "connector_out"}


PAGES: Final = register(
    pages,
    Rules(
        "prices", "price", PRICES, parse_prices, price_of, HELPS, Permission.SEE_PRICES, Permission.CHANGE_PRICES, Permission.SEE_COSTS,
        ("prefix", "decides", "account", "connector", "currency"), lambda config: config.prices,
        {"refund": ("refused", *(word for word in REFUNDS if word != "refused"))}, _scope, _hidden,
    ),
)  # fmt: skip
