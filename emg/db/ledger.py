"""The ledger: money that people put on an account or take from it, and what became of it.

A top-up or a correction is one transaction of the caller's: the account's row is locked, `credited` changes, and a row says when, who, why,
and what the balance was then. So the sum of an account's rows is always `credited - charged`. Amounts are micro-units. Rows of traffic are
the recorder's. Raises `NotFound`, and `RowFaults` for an amount or a text that can't be kept.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from emg.db import accounts, changes
from emg.db.audit import Actor
from emg.db.filters import ordered
from emg.db.models import Account, Entry, Ledger
from emg.rules import money, rows
from emg.rules.faults import Fault
from emg.rules.rows import Field, RowFaults

ENTRY = rows.table(
    Field("amount", rows.AMOUNT, 0, "How much.", needed=True),
    Field("why", rows.words(255), "", "For what reason."),
    Field("reference", rows.words(64), "", "A payment's or an invoice's number."),
)


def topup(session: Session, actor: Actor, name: str, amount: int, *, why: str = "", reference: str = "") -> Ledger:
    """Put money on the account."""
    if amount <= 0:
        raise rows.fault("amount", "must be more than 0; `correct` takes money away")
    return _enter(session, actor, name, Entry.TOPUP, amount, why, reference)


def correct(session: Session, actor: Actor, name: str, amount: int, *, why: str, reference: str = "") -> Ledger:
    """Add `amount`, or take it away where it is negative; `why` must say something."""
    faults = [] if amount else [Fault(0, "amount", "must not be 0")]
    if not why.strip():
        faults.append(Fault(0, "why", "must say why the balance is corrected"))
    if faults:
        raise RowFaults(faults)
    return _enter(session, actor, name, Entry.CORRECTION, amount, why, reference)


def _enter(session: Session, actor: Actor, name: str, kind: Entry, amount: int, why: str, reference: str) -> Ledger:
    if faults := rows.check(ENTRY, {"amount": amount, "why": why, "reference": reference}, changes.NOWHERE):
        raise RowFaults(faults)
    account = accounts.find(session, name, lock=True)
    balance(account)  # a sum has to be one before something is added
    credited = account.credited + amount
    if abs(credited) > money.LARGEST or abs(credited - account.charged) > money.LARGEST:
        raise rows.fault("amount", f"would bring {name} to more than this program counts with")
    account.credited, account.updated = credited, changes.now()
    row = Ledger(
        account_id=account.id, at=account.updated, kind=kind, amount=amount, balance=credited - account.charged,
        currency=account.currency, who=actor.who[:128], why=why.strip(), reference=reference.strip(),
    )  # fmt: skip
    session.add(row)
    told = {
        "amount": money.show(amount),
        "balance": money.show(row.balance),
        "why": row.why,
        "reference": row.reference,
    }
    changes.tell(session, actor, kind.value, ("account", "account"), name, None, told)
    return row


def balance(account: Account) -> int:
    """What is left on it as far as the database knows; the gateway is ahead by what the recorder has not written yet. Raises RowFaults (SQLite keeps any word)."""
    for field, stored in (("credited", account.credited), ("charged", account.charged)):
        if not isinstance(stored, int):
            raise rows.fault(
                field, f"{stored!r} of account {account.name} got into the database by hand: it is no whole number"
            )
    return account.credited - account.charged


def listing(session: Session, account_id: int, *, before: int = 0, limit: int = 100) -> list[Ledger]:
    """An account's rows, the newest first; `before` is the id of the last one on the page before."""
    wanted = select(Ledger).where(Ledger.account_id == account_id)
    if before:
        wanted = wanted.where(Ledger.id < before)
    return list(session.scalars(wanted.order_by(Ledger.id.desc()).limit(limit)))


SORTS: Final = {"at": Ledger.id, "kind": Ledger.kind, "amount": Ledger.amount, "messages": Ledger.messages}
"""What `page` can be sorted by; rows get their numbers in the order of time."""


def page(
    session: Session, account_id: int, *, kind: str = "", order: str = "-at", offset: int = 0, limit: int = 100
) -> list[Ledger]:
    """An account's rows in any order of `SORTS`; `kind` is one of `Entry`."""
    wanted = select(Ledger).where(*_filter(account_id, kind)).order_by(*ordered(order, SORTS, Ledger.id))
    return list(session.scalars(wanted.offset(offset).limit(limit)))


def count(session: Session, account_id: int, *, kind: str = "") -> int:
    """How many `page` has on all pages."""
    return session.scalar(select(func.count(Ledger.id)).where(*_filter(account_id, kind))) or 0


def _filter(account_id: int, kind: str) -> list[ColumnElement[Any]]:
    own: list[ColumnElement[Any]] = [Ledger.account_id == account_id]
    return [*own, Ledger.kind == Entry(kind)] if kind else own


def total(session: Session, account_id: int) -> int:
    """Sum of all its rows: its balance."""
    return int(session.scalar(select(func.sum(Ledger.amount)).where(Ledger.account_id == account_id)) or 0)
