"""Accounts whose money comes to its end: below the mark that they have, or with less left than they spent in the last 24 hours. Raises DatabaseError.

What is left is down to zero for a prepaid account, down to its credit limit for another; one without a limit has an end only by its mark. Balances are the database's:
`emg.db.balances` says whose word they are. Locked and deleted accounts are left out.
"""

import datetime as dt
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session, joinedload

from emg.db.models import Account, Customer, HourlySummary

DAY: Final = dt.timedelta(days=1)
LIMIT: Final = 20


class Low(NamedTuple):
    """One of them."""

    account: Account
    spent: int
    """Micro-units in the last 24 hours, by the hourly summary."""

    @property
    def lowest(self) -> int | None:
        """Micro-units that its balance may not go below; None: there is no bound."""
        if self.account.prepaid:
            return 0
        return None if self.account.credit_limit is None else -self.account.credit_limit


def low(session: Session, *, now: dt.datetime | None = None, customer: str = "", limit: int = LIMIT) -> list[Low]:
    """Those with the least left first. `customer`: only his."""
    since = (now or dt.datetime.now(dt.UTC)) - DAY
    spent = (
        select(HourlySummary.account, func.sum(HourlySummary.price).label("spent"))
        .where(HourlySummary.hour >= since)
        .group_by(HourlySummary.account)
        .subquery()
    )
    balance = Account.credited - Account.charged
    left: ColumnElement[Any] = balance + case((Account.prepaid.is_(True), 0), else_=Account.credit_limit)
    used = func.coalesce(spent.c.spent, 0)
    wanted = (
        select(Account, used)
        .outerjoin(spent, spent.c.account == Account.name)
        .options(joinedload(Account.customer))
        .where(Account.deleted.is_(None), Account.locked.is_(False))
        .where(or_(balance < Account.low_balance, left <= 0, left < used))
        .order_by(left.is_(None), left, Account.name)
        .limit(limit)
    )
    if customer:
        wanted = wanted.join(Customer, Customer.id == Account.customer_id).where(Customer.name == customer)
    return [Low(account, int(amount)) for account, amount in session.execute(wanted)]
