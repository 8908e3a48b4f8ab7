"""An account's balance, and whose word it is: the running gateway's where it knows the account, else the database's."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from emg.db import ledger
from emg.db.models import Account
from emg.rules.rows import RowFaults

GATEWAY, DATABASE = "gateway", "database"


class Balance(NamedTuple):
    """Micro-units of the account's currency; None where what stands in the database is no amount. `source`: whose word it is."""

    micros: int | None
    source: str = DATABASE


NONE: Final = Balance(None)


def of(account: Account, told: Mapping[str, int]) -> Balance:
    """`told`: what the gateway says, by account (`emg.control.balances`)."""
    live = told.get(account.name)
    return stored(account) if live is None or account.deleted is not None else Balance(live, GATEWAY)


def stored(account: Account) -> Balance:
    """What the database says."""
    try:
        return Balance(ledger.balance(account))
    except RowFaults:
        return NONE
