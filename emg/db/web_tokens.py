"""Links by which a web user chooses his password: an invitation, or a forgotten one. Made, looked up, used once, forgotten.

A link holds a random token and here is its SHA-256: why that is enough says `emg.db.keys`. It is of no use when its time is over (`VALID`), when one of the same
person was used, or when he is locked. Looking at it uses nothing up: programs that read mails follow links too. Raises nothing of its own.
"""

import datetime as dt
import secrets
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from emg.db.audit import Actor
from emg.db.keys import digest
from emg.db.models import Promise, WebToken, WebUser

VALID: Final = {Promise.INVITATION: dt.timedelta(days=7), Promise.RESET: dt.timedelta(hours=2)}
MOST: Final = 3
"""Resets of one person that are good at the same time: nobody's mailbox is filled by whoever knows his login."""


def make(session: Session, actor: Actor, user: WebUser, promise: Promise, moment: dt.datetime) -> tuple[WebToken, str]:
    """A link's row, and the token for the link, which nobody can tell again. An invitation replaces those before it."""
    if promise is Promise.INVITATION:
        drop(session, user.id)
    token = secrets.token_urlsafe(32)
    row = WebToken(
        digest=digest(token), promise=promise, user_id=user.id, created=moment, created_by=actor.who[:128], until=moment + VALID[promise]
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row, token


def find(session: Session, token: str, moment: dt.datetime, *, lock: bool = False) -> tuple[WebToken, WebUser] | None:
    """What this token stands for, and for whom; None: it is of no use, or not any more."""
    wanted = select(WebToken, WebUser).join(WebUser, WebUser.id == WebToken.user_id)
    wanted = wanted.where(WebToken.digest == digest(token), WebToken.until > moment, WebUser.locked.is_(False))
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = session.execute(wanted).one_or_none()
    return None if found is None else (found[0], found[1])


def room(session: Session, user: WebUser, moment: dt.datetime) -> bool:
    """Another reset may be mailed to him."""
    wanted = select(func.count(WebToken.id)).where(
        WebToken.user_id == user.id, WebToken.promise == Promise.RESET, WebToken.until > moment
    )
    return (session.scalar(wanted) or 0) < MOST


def waiting(session: Session, moment: dt.datetime) -> dict[int, dt.datetime]:
    """Until when the invitations are good that wait for somebody, by the number of the web user."""
    wanted = select(WebToken.user_id, WebToken.until).where(WebToken.promise == Promise.INVITATION)
    return dict(session.execute(wanted.where(WebToken.until > moment)).all())


def drop(session: Session, user_id: int) -> None:
    """All of one person: one was used, his mail address is another, he is gone."""
    session.execute(delete(WebToken).where(WebToken.user_id == user_id))


def forget(session: Session, moment: dt.datetime) -> int:
    """Delete those whose time is over; how many."""
    return int(session.execute(delete(WebToken).where(WebToken.until <= moment)).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
