"""Balances as a command shows them; where they come from says `emg.db.balances`."""

from collections.abc import Mapping
from typing import Any, Final

from emg.control import balances as control
from emg.control.client import Client, part
from emg.db import balances
from emg.db.models import Account
from emg.errors import ControlError
from emg.rules import money
from emg.shell.common import Call

SECONDS: Final = 5.0


def live(call: Call, name: str = "") -> Mapping[str, int]:
    """The gateway's balances in micro-units, of one account or of all; empty when no gateway answers."""
    client = Client(call.config.control, SECONDS)
    try:
        return control.told(client.get(f"/accounts/{part(name)}" if name else "/accounts"))
    except ControlError:  # not running, or does not know it
        return {}


def stored(account: Account) -> str | None:
    """The database's; None where what stands there is no amount, which the gateway's status tells more of."""
    return _text(balances.stored(account))


def shown(account: Account, known: Mapping[str, int]) -> dict[str, Any]:
    """The balance, and whose figure it is."""
    balance = balances.of(account, known)
    return {"balance": _text(balance), "balance_from": balance.source}


def _text(balance: balances.Balance) -> str | None:
    return None if balance.micros is None else money.show(balance.micros)
