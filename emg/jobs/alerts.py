"""Mails when an account's balance falls below its mark: one each time it falls, to its customer and to the house (`mail_to`).

`low_balance_told` and the mail are one transaction, and so is its taking back once the balance is at or above the mark again.
"""

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.db import ledger, mail, settings
from emg.db.engine import Database
from emg.db.models import Account, Customer
from emg.rules import money
from emg.rules.rows import RowFaults


def look(database: Database) -> str:
    """Compare all balances with their marks."""
    with database.session() as session:
        below = Account.credited - Account.charged < Account.low_balance
        wanted = select(Account.id).where(Account.deleted.is_(None), Account.low_balance.is_not(None))
        fallen = session.scalars(wanted.where(below, Account.low_balance_told.is_(False))).all()
        over = Account.low_balance.is_(None) | ~below
        risen = session.scalars(select(Account.id).where(Account.low_balance_told.is_(True), over)).all()
    told = sum(_tell(database, number) for number in fallen)
    for number in risen:
        with database.session() as session:
            account = session.get_one(Account, number, with_for_update=True)
            account.low_balance_told = account.low_balance is not None and ledger.balance(account) < account.low_balance
    return f"{told} accounts are low, {len(risen)} are well again"


def _tell(database: Database, number: int) -> bool:
    with database.session() as session:
        account = session.get_one(Account, number, with_for_update=True)
        try:
            balance = ledger.balance(account)
        except RowFaults:
            return False  # the gateway's status tells of such a row; it must not stop the others' mails
        if account.low_balance is None or account.low_balance_told or balance >= account.low_balance:
            return False  # it has changed since we looked
        account.low_balance_told = True
        chosen = settings.read(session)
        for recipient in _recipients(session, account, chosen):
            moment = dt.datetime.now(dt.UTC)
            topic = f"low balance {account.id} {moment.isoformat(timespec='seconds')} {recipient}"
            mail.put(session, topic[:128], recipient, f"Balance of {account.name} is low", _text(account, chosen))
        return True


def _recipients(session: Session, account: Account, chosen: dict[str, Any]) -> list[str]:
    customer = session.get(Customer, account.customer_id) if account.customer_id is not None else None
    return [each for each in (customer.email if customer else "", chosen["mail_to"]) if each]


def _text(account: Account, chosen: dict[str, Any]) -> str:
    assert account.low_balance is not None
    mark, balance = (
        f"{money.show(amount)} {account.currency}" for amount in (account.low_balance, ledger.balance(account))
    )
    limit = ""
    if account.prepaid:
        limit = "It is prepaid: when nothing is left, messages are refused.\n"
    elif account.credit_limit is not None:
        limit = f"It may fall to {money.show(-account.credit_limit)} {account.currency}; then messages are refused.\n"
    return f"The balance of the account {account.name} is {balance}, below {mark}.\n{limit}\n{chosen['company_name']}\n"
