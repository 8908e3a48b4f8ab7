"""Balances as a command shows them: the running gateway's, which is ahead of the database's by what the recorder has not written yet."""

from collections.abc import Mapping
from typing import Any, Final

from emg.control.client import Client, part
from emg.db import ledger
from emg.db.models import Account
from emg.errors import ControlError
from emg.rules import money
from emg.rules.rows import RowFaults
from emg.shell.common import Call

SECONDS: Final = 5.0
GATEWAY, DATABASE = "gateway", "database"


def live(call: Call, name: str = "") -> Mapping[str, int]:
    """The gateway's balances in micro-units, of one account or of all; empty when no gateway answers."""
    client = Client(call.config.control, SECONDS)
    try:
        rows = [client.get(f"/accounts/{part(name)}")] if name else client.get("/accounts")["accounts"]
        return {row["account"]: row["balance"] for row in rows if isinstance(row.get("balance"), int)}
    except (ControlError, KeyError, TypeError, AttributeError):  # not running, does not know it, or of another version
        return {}


def stored(account: Account) -> str | None:
    """The database's; None where what stands there is no amount, which the gateway's status tells more of."""
    try:
        return money.show(ledger.balance(account))
    except RowFaults:
        return None


def shown(account: Account, known: Mapping[str, int]) -> dict[str, Any]:
    """The balance, and whose figure it is."""
    balance = known.get(account.name)
    if balance is None or account.deleted is not None:
        return {"balance": stored(account), "balance_from": DATABASE}
    return {"balance": money.show(balance), "balance_from": GATEWAY}
