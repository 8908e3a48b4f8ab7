"""Keys of programs to the REST API: made, found, listed, locked, revoked, and looked up when a program shows one.

A key is `emg_` and 256 random bits as text. It is told once, by `add`, and kept as its SHA-256. That is right for a key, where it would be wrong for a password:
slow hashes with a salt make it dear to guess what people choose, but nobody guesses 256 random bits however fast he hashes, and a program shows
its key with every request, each of which would cost a slow hash. Without a salt the digest is an index: a key is found by one look.

A key's values are those of `emg.rules.key_rows.KEY`. A revoked key is gone; what it did stays in the audit log. Each change leaves an audit row; no revision
is raised, for the gateway knows no keys. Raises `NotFound` and `RowFaults`.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from emg.db import changes, customers
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.filters import holds, ordered
from emg.db.models import ApiKey, Customer
from emg.rules import rows
from emg.rules.key_rows import KEY, contradictions
from emg.rules.rows import RowFaults

TABLE: Final = ("api_key", "")
MARK: Final = "emg_"
"""By which a key is known for one, wherever somebody has left it lying."""
BITS: Final = 256
LONGEST_SHOWN: Final = 12
PAGE: Final = 100
USED_EVERY: Final = dt.timedelta(minutes=1)
"""So often at most `last_used` is written: not with every request."""


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def find(session: Session, name: str, *, lock: bool = False) -> ApiKey:
    """The key of this name, or of this beginning where only one begins so: that is what a log or a leak shows of it."""
    wanted = select(ApiKey).where((ApiKey.name == name) | (ApiKey.prefix == name[:LONGEST_SHOWN]))
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = list(session.scalars(wanted))
    exact = [key for key in found if key.name == name] or found
    if len(exact) != 1:
        raise NotFound("key", name)
    return exact[0]


_OWNER: Final = Customer.id == ApiKey.customer_id
SORTS: Final = {
    "name": ApiKey.name, "customer": Customer.name, "rate": ApiKey.rate, "expires": ApiKey.expires, "last_used": ApiKey.last_used,
    "created": ApiKey.created, "locked": ApiKey.locked,
}  # fmt: skip
"""What `listing` can be sorted by."""


def listing(
    session: Session, *, text: str = "", customer: str = "", order: str = "name", offset: int = 0, limit: int = PAGE
) -> list[tuple[ApiKey, str | None]]:
    """Keys, each with its customer's name. `text` is part of the name, the beginning, or of who made it; `order` is of `SORTS`."""
    wanted = select(ApiKey, Customer.name).outerjoin(Customer, _OWNER).where(*_filter(text, customer))
    rows_ = session.execute(wanted.order_by(*ordered(order, SORTS, ApiKey.name)).offset(offset).limit(limit))
    return [(key, owner) for key, owner in rows_]


def count(session: Session, *, text: str = "", customer: str = "") -> int:
    """How many `listing` has on all pages."""
    wanted = select(func.count(ApiKey.id)).outerjoin(Customer, _OWNER)
    return session.scalar(wanted.where(*_filter(text, customer))) or 0


def _filter(text: str, customer: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if text:
        conditions.append(holds(text, ApiKey.name, ApiKey.prefix, ApiKey.created_by))
    if customer:
        conditions.append(Customer.name == customer)
    return conditions


def values(session: Session, key: ApiKey) -> dict[str, Any]:
    """What it is, by the fields of `KEY`."""
    owner = session.get(Customer, key.customer_id) if key.customer_id else None
    return {
        "name": key.name, "customer": owner.name if owner else None, "scopes": key.scopes, "rate": key.rate,
        "expires": None if key.expires is None else int(key.expires.timestamp()), "locked": key.locked,
    }  # fmt: skip


def add(session: Session, actor: Actor, given: Mapping[str, Any]) -> tuple[ApiKey, str]:
    """A new key, and its text, which nobody can tell again."""
    whole = changes.whole(KEY, given)
    if faults := contradictions(whole):
        raise RowFaults(faults)
    moment = changes.now()
    expires = None if whole["expires"] is None else dt.datetime.fromtimestamp(whole["expires"], dt.UTC)
    if expires is not None and expires <= moment:
        raise rows.fault("expires", "is over already")
    taken = f"there is a key {whole['name']} already"
    if session.scalar(select(ApiKey.id).where(ApiKey.name == whole["name"])) is not None:
        raise rows.fault("name", taken)
    text = MARK + secrets.token_urlsafe(BITS // 8)
    key = ApiKey(
        name=whole["name"], prefix=text[:LONGEST_SHOWN], key_hash=digest(text), customer_id=_customer(session, whole["customer"]),
        scopes=whole["scopes"], rate=whole["rate"], locked=whole["locked"], expires=expires, created=moment, created_by=actor.who[:128],
    )  # fmt: skip
    session.add(key)
    changes.flush(session, "name", taken)
    changes.tell(session, actor, "add", TABLE, key.name, None, _texts(session, key))
    return key, text


def lock(session: Session, actor: Actor, name: str) -> bool:
    """It is of no use any more, until it is unlocked; False: it was locked already."""
    return _lock(session, actor, name, locked=True)


def unlock(session: Session, actor: Actor, name: str) -> bool:
    """Take the lock away; False: there was none."""
    return _lock(session, actor, name, locked=False)


def revoke(session: Session, actor: Actor, name: str) -> ApiKey:
    """Take it away for good."""
    key = find(session, name, lock=True)
    before = _texts(session, key)
    session.delete(key)
    changes.tell(session, actor, "revoke", TABLE, key.name, before, None)
    return key


def verify(session: Session, text: str, moment: dt.datetime) -> ApiKey | None:
    """The key that a program shows, if it may be used now: not locked, not over, its customer not locked."""
    wanted = select(ApiKey, Customer.locked).outerjoin(Customer, _OWNER).where(ApiKey.key_hash == digest(text))
    found = session.execute(wanted).one_or_none()
    if found is None:
        return None
    key, owner_locked = found
    if key.locked or owner_locked or (key.expires is not None and key.expires <= moment):
        return None
    if key.last_used is None or moment - key.last_used >= USED_EVERY:
        session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used=moment))
    return key


def _lock(session: Session, actor: Actor, name: str, *, locked: bool) -> bool:
    key = find(session, name, lock=True)
    if key.locked == locked:
        return False
    before = _texts(session, key)
    key.locked = locked
    changes.tell(session, actor, "lock" if locked else "unlock", TABLE, key.name, before, _texts(session, key))
    return True


def _texts(session: Session, key: ApiKey) -> dict[str, str]:
    return rows.write(KEY, values(session, key)) | {"prefix": key.prefix}


def _customer(session: Session, name: str | None) -> int | None:
    try:
        return None if name is None else customers.find(session, name).id
    except NotFound as error:
        raise rows.fault("customer", str(error)) from error
