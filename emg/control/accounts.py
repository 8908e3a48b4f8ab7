"""Accounts as the running gateway has them: sessions, messages, what waits, and the live balance.

Amounts are whole micro-units (1/1,000,000) of the account's currency. An account of the configuration file has no balance.
"""

from typing import TYPE_CHECKING, Any

from emg.control.http import NAME, Request, Route
from emg.errors import ControlError

if TYPE_CHECKING:
    from emg.control.server import Api

LIST_LIMIT = 10_000


def row(api: "Api", name: str) -> dict[str, Any]:
    """One account."""
    engine = api.engine
    sender, purse = engine.senders.get(name), engine.charging.by_account.get(name)
    user = engine.users[name]
    return {
        "account": name,
        "disabled": user.disabled,
        "sessions": sender.sessions if sender is not None else 0,
        "sessions_limit": user.sessions,
        "accepted": sender.accepted if sender is not None else 0,
        "balance": purse.balance if purse is not None else None,
        "lowest": purse.lowest if purse is not None else None,
        "currency": purse.currency if purse is not None else "",
        "credited": purse.credited if purse is not None else None,
        "charged": purse.charged if purse is not None else None,
    }


def listing(api: "Api", _request: Request) -> dict[str, Any]:
    """All accounts by name."""
    names = sorted(api.engine.users)
    return {"accounts": [row(api, name) for name in names[:LIST_LIMIT]], "count": len(names)}


def details(api: "Api", request: Request) -> dict[str, Any]:
    """One account, with the sessions that it has now."""
    name = request.path["name"]
    if name not in api.engine.users:
        raise ControlError(f"there is no account {name}", 404)
    sessions = [session.status() for connector in api.gateway.connectors.values() for session in connector.sessions()]
    return {**row(api, name), "session_list": [each for each in sessions if each["account"] == name]}


ROUTES = (
    Route("GET", "/accounts", listing, "accounts: sessions, messages, balance", "/accounts"),
    Route("GET", f"/accounts/{NAME}", details, "one account and its sessions", "/accounts/<name>"),
)
