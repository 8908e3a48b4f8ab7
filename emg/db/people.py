"""Web users: found, listed, added, changed, locked, deleted, and their passwords.

A web user's values are those of `emg.rules.people_rows.WEB_USER`. Passwords come as argon2 hashes. Whatever changes what he may do, or his password,
logs him out everywhere. The last owner who can log in stays one: nobody could make another. Each change leaves an audit row. Raises `NotFound`
and `RowFaults`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from emg.config import hashes
from emg.db import accounts, changes, customers
from emg.db.audit import Actor
from emg.db.changes import NotFound, Subject
from emg.db.filters import holds
from emg.db.models import Account, Customer, Role, WebUser
from emg.rules import rows
from emg.rules.people_rows import WEB_USER, contradictions
from emg.rules.rows import RowFaults

TABLE: Final = ("web_user", "")
PAGE: Final = 100
TELLING: Final = ("role", "customer", "account", "locked")
"""Fields by which he may do other things than before."""


def find(session: Session, name: str, *, lock: bool = False) -> WebUser:
    """The web user of this login."""
    wanted = select(WebUser).where(WebUser.name == name)
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("web user", name)
    return found


SORTS: Final = {
    "name": WebUser.name, "full_name": WebUser.full_name, "role": WebUser.role, "customer": Customer.name, "last_login": WebUser.last_login,
    "email": WebUser.email,
}  # fmt: skip
STATES: Final = {
    "locked": WebUser.locked.is_(True),
    "invited": WebUser.password_hash == "",
    "second factor": WebUser.totp_secret.is_not(None),
    "no second factor": WebUser.totp_secret.is_(None),
}
"""What `state` can ask for."""


def listing(
    session: Session,
    *,
    text: str = "",
    role: str = "",
    customer: str = "",
    state: str = "",
    order: str = "name",
    offset: int = 0,
    limit: int = PAGE,
) -> list[tuple[WebUser, str | None, str | None]]:
    """Web users, each with the names of his customer and his account. `text` is part of the login, the name or the mail address; `order` one of `SORTS`, `-` before
    it the other way round.
    """
    wanted = select(WebUser, Customer.name, Account.name).select_from(WebUser)
    wanted = wanted.outerjoin(Customer, _OWN_CUSTOMER).outerjoin(Account, _OWN_ACCOUNT)
    column = SORTS[order.removeprefix("-")]
    ordered = (column.desc() if order.startswith("-") else column, WebUser.name)
    wanted = wanted.where(*_filter(text, role, customer, state)).order_by(*ordered).offset(offset).limit(limit)
    return [(user, of, account) for user, of, account in session.execute(wanted)]


def count(session: Session, *, text: str = "", role: str = "", customer: str = "", state: str = "") -> int:
    """How many `listing` has on all pages."""
    wanted = select(func.count(WebUser.id)).outerjoin(Customer, _OWN_CUSTOMER)
    return session.scalar(wanted.where(*_filter(text, role, customer, state))) or 0


def by_mail(session: Session, email: str) -> list[WebUser]:
    """Those of this mail address, capitals or not."""
    wanted = select(WebUser).where(WebUser.email != "", func.lower(WebUser.email) == email.lower())
    return list(session.scalars(wanted.order_by(WebUser.name).limit(10)))


_OWN_CUSTOMER: Final = Customer.id == WebUser.customer_id
_OWN_ACCOUNT: Final = Account.id == WebUser.account_id


def _filter(text: str, role: str, customer: str, state: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if text:
        conditions.append(holds(text, WebUser.name, WebUser.full_name, WebUser.email))
    if role:
        conditions.append(WebUser.role == Role(role))
    if customer:
        conditions.append(Customer.name == customer)
    if state:
        conditions.append(STATES[state])
    return conditions


def values(session: Session, user: WebUser) -> dict[str, Any]:
    """What he is, by the fields of `WEB_USER`."""
    customer = session.get(Customer, user.customer_id) if user.customer_id else None
    account = session.get(Account, user.account_id) if user.account_id else None
    return {
        "name": user.name, "full_name": user.full_name, "email": user.email, "role": user.role.value,
        "customer": customer.name if customer else None, "account": account.name if account else None,
        "locked": user.locked,
    }  # fmt: skip


def add(
    session: Session, actor: Actor, given: Mapping[str, Any], password_hash: str, *, must_change: bool = False
) -> WebUser:
    """A new web user. `must_change`: he chooses another password when he logs in first."""
    return _add(session, actor, "add", given, _sound(password_hash), must_change=must_change)


def invite(session: Session, actor: Actor, given: Mapping[str, Any]) -> WebUser:
    """A new web user without a password: he can't log in before he has chosen one (`emg.db.web_tokens`)."""
    return _add(session, actor, "invite", given, "", must_change=False)


def _add(
    session: Session, actor: Actor, action: str, given: Mapping[str, Any], password_hash: str, *, must_change: bool
) -> WebUser:
    whole = changes.whole(WEB_USER, given)
    _agrees(whole)
    taken = f"there is a web user {whole['name']} already"
    if session.scalar(select(WebUser.id).where(WebUser.name == whole["name"])) is not None:
        raise rows.fault("name", taken)
    moment = changes.now()
    user = WebUser(
        password_hash=password_hash, must_change_password=must_change, session_epoch=0, created=moment,
        updated=moment,
    )  # fmt: skip
    _set(session, user, whole)
    session.add(user)
    changes.flush(session, "name", taken)
    changes.tell(session, actor, action, TABLE, user.name, None, rows.write(WEB_USER, whole))
    return user


def change(session: Session, actor: Actor, name: str, given: Mapping[str, Any], *, action: str = "change") -> bool:
    """Set what is given; False when that changes nothing. The login stays."""
    user = find(session, name, lock=True)
    old = values(session, user)

    def put(whole: dict[str, Any]) -> None:
        if any(whole[field] != old[field] for field in ("role", "customer")):
            _agrees(whole)
        assert whole["name"] == name, "a web user keeps his login"
        if whole == old:
            return
        if whole["role"] != Role.OWNER or whole["locked"]:
            _keep_an_owner(session, user)
        _set(session, user, whole)
        if any(old[field] != whole[field] for field in TELLING):
            user.session_epoch += 1

    return changes.change(session, actor, action, _subject(session), user, given, put)


def _subject(session: Session) -> Subject[WebUser]:
    def read(user: WebUser) -> dict[str, Any]:
        return values(session, user)

    def texts(user: WebUser) -> dict[str, str]:
        return rows.write(WEB_USER, read(user))

    return Subject(TABLE, WEB_USER, read, texts, ("name", "there is a web user of this login already"))


def set_role(session: Session, actor: Actor, name: str, role: str) -> bool:
    """Another role."""
    return change(session, actor, name, {"role": role}, action="role")


def lock(session: Session, actor: Actor, name: str) -> bool:
    """He can't log in any more and is logged out; False: he was locked already."""
    return change(session, actor, name, {"locked": True}, action="lock")


def unlock(session: Session, actor: Actor, name: str) -> bool:
    """Take the lock away; False: there was none."""
    return change(session, actor, name, {"locked": False}, action="unlock")


def set_password(
    session: Session,
    actor: Actor,
    name: str,
    password_hash: str,
    *,
    must_change: bool = False,
    action: str = "password",
) -> None:
    """Another password; he is logged out everywhere."""
    user = find(session, name, lock=True)
    user.password_hash = _sound(password_hash)
    user.must_change_password = must_change
    user.session_epoch += 1
    user.updated = changes.now()
    changes.tell(session, actor, action, TABLE, name, None, {"password_hash": password_hash})


def reset(session: Session, actor: Actor, name: str, password_hash: str) -> None:
    """A password that somebody else made for him: he has to choose his own, and his second factor is gone, as he may have lost that too."""
    set_password(session, actor, name, password_hash, must_change=True, action="reset")
    user = find(session, name)
    user.totp_secret, user.totp_step, user.recovery_codes = None, 0, ""


def log_out(session: Session, actor: Actor, name: str) -> None:
    """Everywhere."""
    user = find(session, name, lock=True)
    before, user.session_epoch = user.session_epoch, user.session_epoch + 1
    told = [{"session_epoch": str(epoch)} for epoch in (before, user.session_epoch)]
    changes.tell(session, actor, "log out", TABLE, name, *told)


def delete(session: Session, actor: Actor, name: str) -> None:
    """Take him out."""
    user = find(session, name, lock=True)
    _keep_an_owner(session, user)
    before = rows.write(WEB_USER, values(session, user))
    session.delete(user)
    changes.tell(session, actor, "delete", TABLE, name, before, None)


def _agrees(whole: Mapping[str, Any]) -> None:
    if faults := contradictions(whole):
        raise RowFaults(faults)


def _sound(password_hash: str) -> str:
    if not hashes.is_sound(password_hash):
        raise rows.fault("password", "must come as an argon2 hash")
    return password_hash


def _set(session: Session, user: WebUser, whole: Mapping[str, Any]) -> None:
    for name in ("name", "full_name", "email", "locked"):
        setattr(user, name, whole[name])
    user.role = Role(whole["role"])
    user.customer_id = user.account_id = None
    try:
        if whole["customer"] is not None:
            user.customer_id = customers.find(session, whole["customer"]).id
    except NotFound as error:
        raise rows.fault("customer", str(error)) from error
    if whole["account"] is not None:
        user.account_id = _account_of(session, whole["account"], user.customer_id)


def _account_of(session: Session, name: str, customer_id: int | None) -> int:
    try:
        account = accounts.find(session, name)
    except NotFound as error:
        raise rows.fault("account", str(error)) from error
    if customer_id is not None and account.customer_id != customer_id:
        raise rows.fault("account", f"{name} is not an account of his customer")
    return account.id


def _keep_an_owner(session: Session, user: WebUser) -> None:
    """Refuse to lose the last owner. All owners' rows are locked, so that two of them can't take each other out."""
    if user.role != Role.OWNER or user.locked:
        return
    owners = select(WebUser.id).where(WebUser.role == Role.OWNER, WebUser.locked.is_(False)).with_for_update()
    if list(session.scalars(owners)) == [user.id]:
        raise rows.fault("name", f"{user.name} is the last owner: make another one first")
