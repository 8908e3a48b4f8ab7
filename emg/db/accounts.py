"""Accounts: found, listed, added, changed, locked, deleted, with their access rows and passwords.

An account's values are those of `emg.rules.account_rows.ACCOUNT`. Each change locks the account's row, leaves an audit row and raises the revision
of `account`, all in the caller's transaction; a change that changes nothing leaves nothing. Passwords come as argon2 hashes: making one takes
too long for a transaction. Raises `NotFound` and `RowFaults`.

A deleted account stays, locked and without password and access, under the name `NAME~ID`: what the gateway has charged to it but the recorder has not
yet written, and its ledger, go on having an account. The name is free at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, contains_eager, selectinload

from emg.db import changes
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.filters import holds, ordered
from emg.db.models import Account, AccountAccess, Content, Customer, Ledger, WebUser
from emg.rules import rows
from emg.rules.account_rows import ACCESS_ROW, ACCOUNT, Access
from emg.rules.rows import RowFaults

TABLE: Final = ("account", "account")
LONGEST_NAME: Final = 64
PAGE: Final = 100
MOST_ACCESS: Final = 500
"""Access rows of an account: each login looks at them."""


def find(session: Session, name: str, *, lock: bool = False, deleted: bool = False) -> Account:
    """The account of this name. `lock`: nobody else changes it until the transaction ends. `deleted`: also one that is (`NAME~ID`)."""
    wanted = select(Account).where(Account.name == name)
    if not deleted:
        wanted = wanted.where(Account.deleted.is_(None))
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("account", name)
    return found


SORTS: Final = {
    "name": Account.name, "customer": Customer.name, "balance": Account.credited - Account.charged, "currency": Account.currency,
    "throughput": Account.throughput, "sessions": Account.sessions, "locked": Account.locked, "created": Account.created,
}  # fmt: skip
"""What `listing` can be sorted by. The balance is the database's."""


def veiled(session: Session) -> str:
    """The name of an account whose texts are not kept in full, deleted ones too: what they sent may still stand somewhere. Empty: there is none."""
    wanted = select(Account.name).where(Account.content != Content.FULL).order_by(Account.name).limit(1)
    return session.scalar(wanted) or ""


def listing(
    session: Session,
    *,
    text: str = "",
    customer: str = "",
    locked: bool | None = None,
    prepaid: bool | None = None,
    deleted: bool = False,
    notes: bool = True,
    order: str = "name",
    offset: int = 0,
    limit: int = PAGE,
) -> list[Account]:
    """Accounts, with customer and access rows. `text` is part of the name, the customer's name or, with `notes`, the note; `order` is of `SORTS`."""
    wanted = select(Account).outerjoin(Account.customer)
    wanted = wanted.options(contains_eager(Account.customer), selectinload(Account.access))
    wanted = wanted.where(*_filter(text, customer, locked, prepaid, deleted=deleted, notes=notes))
    return list(session.scalars(wanted.order_by(*ordered(order, SORTS, Account.name)).offset(offset).limit(limit)))


def count(
    session: Session,
    *,
    text: str = "",
    customer: str = "",
    locked: bool | None = None,
    prepaid: bool | None = None,
    deleted: bool = False,
    notes: bool = True,
) -> int:
    """How many `listing` has on all pages."""
    wanted = select(func.count(Account.id)).outerjoin(Account.customer)
    conditions = _filter(text, customer, locked, prepaid, deleted=deleted, notes=notes)
    return session.scalar(wanted.where(*conditions)) or 0


def _filter(
    text: str, customer: str, locked: bool | None, prepaid: bool | None, *, deleted: bool, notes: bool
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Account.deleted.is_not(None) if deleted else Account.deleted.is_(None)]
    if text:
        conditions.append(holds(text, Account.name, Customer.name, *([Account.note] if notes else [])))
    if customer:
        conditions.append(Customer.name == customer)
    if locked is not None:
        conditions.append(Account.locked.is_(locked))
    if prepaid is not None:
        conditions.append(Account.prepaid.is_(prepaid))
    return conditions


def of_customers(session: Session, numbers: Collection[int]) -> list[Account]:
    """The accounts of these customers, by their ids, without their access rows."""
    wanted = select(Account).where(Account.customer_id.in_(numbers), Account.deleted.is_(None))
    return list(session.scalars(wanted.order_by(Account.name))) if numbers else []


def values(account: Account) -> dict[str, Any]:
    """What the account is, by the fields of `ACCOUNT`."""
    own = {name: getattr(account, name) for name in ACCOUNT if name != "customer"}
    own |= {"customer": account.customer.name if account.customer else None, "content": account.content.value}
    return {name: own[name] for name in ACCOUNT}


def access_of(account: Account) -> list[Access]:
    """From where it may log in."""
    return [Access(row.network, row.connector) for row in account.access]


def texts(account: Account) -> dict[str, str]:
    """All of it as people read it, for the audit log and for comparing."""
    return rows.write(ACCOUNT, values(account)) | {"access": " ".join(map(str, access_of(account)))}


SUBJECT: Final = changes.Subject(TABLE, ACCOUNT, values, texts, ("access", "this access row is there already"))


def add(session: Session, actor: Actor, given: Mapping[str, Any], access: Iterable[Access] = ()) -> Account:
    """A new account. Without a currency it gets its customer's."""
    customer = _customer(session, given.get("customer"))
    if customer is not None and "currency" not in given:
        given = {**given, "currency": customer.currency}
    whole = changes.whole(ACCOUNT, given)
    taken = f"there is an account {whole['name']} already"
    if session.scalar(select(Account.id).where(Account.name == whole["name"])) is not None:
        raise rows.fault("name", taken)
    moment = changes.now()
    account = Account(credited=0, charged=0, created=moment, updated=moment)
    _set(account, whole, customer)
    _set_access(account, access)
    session.add(account)
    changes.flush(session, "name", taken)
    changes.tell(session, actor, "add", TABLE, account.name, None, texts(account))
    return account


def change(
    session: Session,
    actor: Actor,
    name: str,
    given: Mapping[str, Any],
    access: Iterable[Access] | None = None,
    *,
    action: str = "change",
) -> bool:
    """Set what is given, `access` as a whole; False when that changes nothing. The name stays: routes and prices know the account by it."""
    account = find(session, name, lock=True)

    def put(whole: dict[str, Any]) -> None:
        assert whole["name"] == name, "an account keeps its name"
        if whole["currency"] != account.currency and has_ledger(session, account):
            reason = f"can't be changed any more: there is money in {account.currency} on the account"
            raise rows.fault("currency", reason)
        customer = _customer(session, whole["customer"])
        if customer is not account.customer:
            _detach_people(session, account, customer)
        _set(account, whole, customer)
        if access is not None:
            _set_access(account, access)

    return changes.change(session, actor, action, SUBJECT, account, given, put)


def lock(session: Session, actor: Actor, name: str) -> bool:
    """Nobody logs in any more, and sessions end; False: it was locked already."""
    return change(session, actor, name, {"locked": True}, action="lock")


def unlock(session: Session, actor: Actor, name: str) -> bool:
    """Take the lock away; False: there was none."""
    return change(session, actor, name, {"locked": False}, action="unlock")


def set_password(session: Session, actor: Actor, name: str, password_hash: str) -> bool:
    """Another password, as its argon2 hash (`emg.config.hashes.make`)."""
    return change(session, actor, name, {"password_hash": password_hash}, action="password")


def add_access(session: Session, actor: Actor, name: str, access: Iterable[Access]) -> bool:
    """Let it log in from these too; False: it could already."""
    had = access_of(find(session, name, lock=True))
    return change(session, actor, name, {}, [*had, *access])


def remove_access(session: Session, actor: Actor, name: str, access: Iterable[Access]) -> bool:
    """Take access rows away. One that is not there is a fault: what was meant would still be open."""
    had = access_of(find(session, name, lock=True))
    gone = list(access)
    if missing := [str(one) for one in gone if one not in had]:
        raise rows.fault("access", f"{name} has no {', '.join(missing)}; it has {', '.join(map(str, had)) or 'none'}")
    return change(session, actor, name, {}, [one for one in had if one not in gone])


def delete(session: Session, actor: Actor, name: str) -> Account:
    """See the module's text."""
    account = find(session, name, lock=True)
    before = texts(account)
    mark = f"~{account.id}"
    account.name = name[: LONGEST_NAME - len(mark)] + mark
    account.deleted = account.updated = changes.now()
    account.locked, account.password_hash, account.access = True, "", []
    session.execute(update(WebUser).where(WebUser.account_id == account.id).values(account_id=None))
    changes.tell(session, actor, "delete", TABLE, name, before, None)
    return account


def has_ledger(session: Session, account: Account) -> bool:
    """Money was ever moved on it."""
    entry = session.scalar(select(Ledger.id).where(Ledger.account_id == account.id).limit(1))
    return entry is not None or account.charged != 0


def _customer(session: Session, name: str | None) -> Customer | None:
    if name is None:
        return None
    found = session.scalar(select(Customer).where(Customer.name == name))
    if found is None:
        raise rows.fault("customer", f"there is no customer {name!r}")
    return found


def _detach_people(session: Session, account: Account, customer: Customer | None) -> None:
    """The people of the customer who had it don't send with it any more."""
    strangers = [WebUser.account_id == account.id, WebUser.customer_id.is_not(None)]
    if customer is not None:
        strangers.append(WebUser.customer_id != customer.id)
    left = {"account_id": None, "session_epoch": WebUser.session_epoch + 1}
    session.execute(update(WebUser).where(*strangers).values(left))


def _set(account: Account, whole: Mapping[str, Any], customer: Customer | None) -> None:
    for name, value in whole.items():
        if name not in ("customer", "content"):
            setattr(account, name, value)
    account.content = Content(whole["content"])
    account.customer = customer


def _set_access(account: Account, wanted: Iterable[Access]) -> None:
    pairs = list(dict.fromkeys(wanted))
    if len(pairs) > MOST_ACCESS:
        raise rows.fault("access", f"must be at most {MOST_ACCESS} rows")
    kept = {Access(row.network, row.connector): row for row in account.access}
    new = [pair for pair in pairs if pair not in kept]
    if faults := [fault for pair in new for fault in rows.check(ACCESS_ROW, pair._asdict(), changes.NOWHERE)]:
        raise RowFaults(faults)
    account.access = [kept.get(pair) or AccountAccess(network=pair.network, connector=pair.connector) for pair in pairs]


def missing(session: Session, wanted: Collection[str]) -> list[str]:
    """Those of these names that no account has, in order."""
    return sorted(set(wanted) - set(names(session))) if wanted else []


def names(session: Session) -> Sequence[str]:
    """Of all accounts that are not deleted, in order."""
    return list(session.scalars(select(Account.name).where(Account.deleted.is_(None)).order_by(Account.name)))
