"""Which permission a scope of a key stands for: nobody makes a key that may do more than he may himself."""

from typing import Final

from emg.rules.key_rows import CUSTOMERS, SCOPES
from portal import scope
from portal.guard import allowed
from portal.permissions import Permission

NEEDS: Final = {
    "accounts:read": Permission.SEE_ACCOUNTS, "accounts:write": Permission.CHANGE_ACCOUNTS,
    "balances:read": Permission.SEE_BALANCES, "balances:write": Permission.CHANGE_BALANCES,
    "blacklist:read": Permission.SEE_ROUTES, "blacklist:write": Permission.CHANGE_ROUTES,
    "connectors:read": Permission.SEE_CONNECTORS, "connectors:write": Permission.CHANGE_CONNECTORS,
    "customers:read": Permission.SEE_CUSTOMERS, "customers:write": Permission.CHANGE_CUSTOMERS,
    "messages:read": Permission.SEE_MESSAGES,
    "networks:read": Permission.SEE_ROUTES, "networks:write": Permission.CHANGE_ROUTES,
    "prices:read": Permission.SEE_PRICES, "prices:write": Permission.CHANGE_PRICES,
    "queues:read": Permission.SEE_QUEUES, "queues:write": Permission.CHANGE_QUEUES,
    "reports:read": Permission.SEE_REPORTS,
    "routes:read": Permission.SEE_ROUTES, "routes:write": Permission.CHANGE_ROUTES,
}  # fmt: skip


def offered(customer: str | None) -> list[str]:
    """Scopes that a key may be given by the person who asks; `customer`: whose key it is, None: the house's."""
    fitting = [one for one in SCOPES if one in NEEDS and allowed(NEEDS[one])]
    return fitting if customer is None and scope.is_house() else [one for one in fitting if one in CUSTOMERS]
