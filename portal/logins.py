"""Who asks: a browser's login, kept in a table (`emg.db.web_sessions`) and shown to views as `current_user`, a `Person`.

The signed cookie holds a random token and nothing about the person. Whoever may not log in any more (locked, another password, another role) is out with his next
request. Passwords are compared in native threads, a few at a time: each takes 0.15 s and 64 MiB. Wrong ones are answered late, by name and by address (`portal.throttle`).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import gevent
from flask import Flask, g, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user
from gevent.threadpool import ThreadPool

from emg.config import hashes
from emg.db import people, web_sessions
from emg.db.changes import NotFound
from emg.db.engine import DatabaseError, Session
from emg.db.models import Account, Customer, Role, WebUser
from portal import house

COMPARING: Final = 2
"""Passwords compared at the same time."""
COMPARE_SECONDS: Final = 20.0
NOBODY: Final = hashes.make(b"nobody has this password")
"""What a name without a password is compared with: the time it takes tells nothing."""


@dataclass(frozen=True, slots=True)
class Person(UserMixin):
    """Who is logged in."""

    id: int
    name: str
    """The login."""
    full_name: str
    role: Role
    customer: str | None
    """The customer's name; None for people of the house."""
    account: str | None
    """The account he sends with."""
    must_change_password: bool
    has_second: bool
    """A second factor is set up."""
    proven: bool
    """It was shown in this login, or there is none."""
    login: int
    """Number of this login, of those that his page lists."""
    token: str

    def get_id(self) -> str:
        """What Flask-Login puts into the cookie."""
        return self.token

    @property
    def shown_name(self) -> str:
        """As he is called."""
        return self.full_name or self.name


_pool: ThreadPool | None = None


def compares(stored: str, password: str) -> bool:
    """It is the password of this hash; in a native thread. Too many at the same time are a wrong password."""
    global _pool  # noqa: PLW0603 -- a pool of threads is the process's
    if _pool is None:
        _pool = ThreadPool(COMPARING)
    octets = password.encode("utf-8", "surrogatepass")
    try:
        right = _pool.spawn(hashes.matches, stored or NOBODY, octets).get(timeout=COMPARE_SECONDS)
    except gevent.Timeout:
        return False
    return bool(right and stored)


def made(password: bytes) -> str:
    """The hash of a password; in a native thread."""
    global _pool  # noqa: PLW0603 -- as above
    if _pool is None:
        _pool = ThreadPool(COMPARING)
    return str(_pool.spawn(hashes.make, password).get())


def check(name: str, password: str) -> WebUser | None:
    """The web user of this name and password, unless he is locked. Costs the same whoever it is."""
    found: WebUser | None = None
    with house.reading() as tables:
        try:
            found = people.find(tables, name)
        except NotFound:
            pass  # a password is compared all the same
    right = compares(found.password_hash if found else "", password)
    return found if right and found is not None and not found.locked else None


def begin(tables: Session, user: WebUser, *, proven: bool = False) -> None:
    """Log him in at this browser. What the browser had before is forgotten: a cookie that somebody else gave it is worth nothing. `proven`: he has just shown his
    second factor here.
    """
    session.clear()
    proven = proven or user.totp_secret is None
    token = web_sessions.begin(
        tables, user, dt.datetime.now(dt.UTC), ip=house.address(), agent=request.headers.get("User-Agent", ""), proven=proven
    )  # fmt: skip
    tables.flush()
    login_user(_person(tables, user, token, proven=proven, login=0))


def end() -> None:
    """Log out at this browser."""
    token = session.get("_user_id")
    if isinstance(token, str):
        with house.writing() as tables:
            web_sessions.end(tables, token)
    logout_user()
    session.clear()


def install(app: Flask) -> None:
    """Have `current_user` be whoever the request's cookie stands for."""
    manager = LoginManager(app)
    manager.session_protection = None  # the token is the login's own; a browser whose address changes stays logged in

    @manager.user_loader
    def load(token: str) -> Person | None:
        return _load(token)


def _load(token: str) -> Person | None:
    moment = dt.datetime.now(dt.UTC)
    idle = dt.timedelta(seconds=house.config().portal_idletimeout)
    if "database_away" in g:
        return None  # the page that says so asks again who it is for
    try:
        return _found(token, moment, idle)
    except DatabaseError as error:
        g.database_away = error
        return None


def _found(token: str, moment: dt.datetime, idle: dt.timedelta) -> Person | None:
    with house.reading() as tables:
        found = web_sessions.find(tables, token, moment, idle)
        if found is None:
            return None
        login, user = found
        person = _person(tables, user, token, proven=login.proven, login=login.id)
        stale = web_sessions.stale(login, moment, house.address())
    if stale and not g.get("touched"):
        g.touched = True
        with house.writing() as tables:
            web_sessions.touch(tables, person.login, moment, house.address())
    return person


def _person(tables: Session, user: WebUser, token: str, *, proven: bool, login: int) -> Person:
    customer = tables.get(Customer, user.customer_id) if user.customer_id else None
    account = tables.get(Account, user.account_id) if user.account_id else None
    return Person(
        id=user.id, name=user.name, full_name=user.full_name, role=user.role, customer=customer.name if customer else None,
        account=account.name if account else None, must_change_password=user.must_change_password, has_second=user.totp_secret is not None,
        proven=proven, login=login, token=token,
    )  # fmt: skip
