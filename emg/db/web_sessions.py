"""Who is logged in to the portal, from where, since when; one row a browser.

The browser holds a random token and here is its SHA-256: why that is enough says `emg.db.keys`. A session is over when its row is gone, when it was idle for
too long, when it is older than `LONGEST`, or when the user's `session_epoch` was raised (another password, another role, locked, "log out everywhere").
"""

import datetime as dt
import secrets
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from emg.db.keys import digest
from emg.db.models import WebSession, WebUser

LONGEST: Final = dt.timedelta(days=7)
SEEN_EVERY: Final = dt.timedelta(minutes=1)
"""So often at most `seen` is written: not with every request."""
MOST: Final = 20
"""Of one user; the one that was used least lately gives way."""
LONGEST_AGENT: Final = 255


def begin(session: Session, user: WebUser, moment: dt.datetime, *, ip: str, agent: str, proven: bool) -> str:
    """He has logged in: the token for his browser. `proven`: nothing more is asked of him."""
    token = secrets.token_urlsafe(32)
    others = (
        select(WebSession.id).where(WebSession.user_id == user.id).order_by(WebSession.seen.desc()).offset(MOST - 1)
    )
    if spare := list(session.scalars(others.limit(1000))):
        session.execute(delete(WebSession).where(WebSession.id.in_(spare)))
    session.add(
        WebSession(
            digest=digest(token), user_id=user.id, epoch=user.session_epoch, proven=proven, created=moment, seen=moment, ip=ip[:45],
            agent=agent[:LONGEST_AGENT],
        )
    )  # fmt: skip
    user.last_login, user.last_ip = moment, ip[:45]
    return token


def find(session: Session, token: str, moment: dt.datetime, idle: dt.timedelta) -> tuple[WebSession, WebUser] | None:
    """The login that this token stands for, if it is not over, and whose it is."""
    wanted = select(WebSession, WebUser).join(WebUser, WebUser.id == WebSession.user_id)
    found = session.execute(wanted.where(WebSession.digest == digest(token))).one_or_none()
    if found is None:
        return None
    login, user = found
    over = moment - login.seen > idle or moment - login.created > LONGEST
    if over or user.locked or login.epoch != user.session_epoch:
        return None
    return login, user


def stale(login: WebSession, moment: dt.datetime, ip: str) -> bool:
    """`touch` has something to write."""
    return moment - login.seen >= SEEN_EVERY or login.ip != ip[:45]


def touch(session: Session, number: int, moment: dt.datetime, ip: str) -> None:
    """It was used."""
    session.execute(update(WebSession).where(WebSession.id == number).values(seen=moment, ip=ip[:45]))


def prove(session: Session, number: int) -> None:
    """The second factor was shown."""
    session.execute(update(WebSession).where(WebSession.id == number).values(proven=True))


def of_user(session: Session, user_id: int) -> list[WebSession]:
    """His logins, the latest used first."""
    return list(
        session.scalars(select(WebSession).where(WebSession.user_id == user_id).order_by(WebSession.seen.desc()))
    )


def end(session: Session, token: str) -> None:
    """Log out at this browser."""
    session.execute(delete(WebSession).where(WebSession.digest == digest(token)))


def end_one(session: Session, user_id: int, number: int) -> bool:
    """Log him out at another one; False: it is over already, or not his."""
    own = (WebSession.id == number, WebSession.user_id == user_id)
    return bool(session.execute(delete(WebSession).where(*own)).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


def end_all(session: Session, user: WebUser, *, but: str = "") -> None:
    """Log him out everywhere, or everywhere but where he shows this token."""
    gone = delete(WebSession).where(WebSession.user_id == user.id)
    session.execute(gone.where(WebSession.digest != digest(but)) if but else gone)


def forget(session: Session, moment: dt.datetime, idle: dt.timedelta) -> int:
    """Delete those that are over by time; how many."""
    over = (WebSession.seen < moment - idle) | (WebSession.created < moment - LONGEST)
    return int(session.execute(delete(WebSession).where(over)).rowcount)  # type: ignore[attr-defined]  # as above
