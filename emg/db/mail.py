"""Mails that wait, and what became of them.

A mail is put in by the transaction that decides that it is to be written, under a `topic` that is unique: nothing is told twice. Before the mail server
hears of it, it is committed as `sending`. A program that dies then leaves it so, and whoever finds it makes it `maybe`: it may have been sent, so
it is not sent again. This errs on losing a mail rather than sending it twice: its figures stand in the portal too. A mail that the server refused, or that
never reached it, waits and is tried again. Raises DatabaseError through the session.
"""

import datetime as dt
from typing import Final, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from emg.db.models import Mail, MailStatus

KEEP_DAYS: Final = 90
GIVE_UP_DAYS: Final = 3
LONGEST_WAIT: Final = dt.timedelta(hours=4)
_PLAIN: Final = {"synchronize_session": False}


class Letter(NamedTuple):
    """What the mail server gets."""

    id: int
    recipient: str
    subject: str
    body: str


def put(session: Session, topic: str, recipient: str, subject: str, body: str) -> bool:
    """Let it be sent; False where there was one of this topic before. One writer: the scheduler."""
    if session.scalar(select(Mail.id).where(Mail.topic == topic)) is not None:
        return False
    now = dt.datetime.now(dt.UTC)
    session.add(Mail(topic=topic, recipient=recipient, subject=subject[:255], body=body, created=now, due=now))
    return True


def topics(session: Session, beginning: str, since: dt.datetime) -> list[str]:
    """Of mails written since then, whatever became of them."""
    wanted = select(Mail.topic).where(Mail.topic.startswith(beginning, autoescape=True), Mail.created >= since)
    return list(session.scalars(wanted))


def claim(session: Session, now: dt.datetime) -> Letter | None:
    """The next one that is due, now `sending`. Commit before it is handed over."""
    due = select(Mail).where(Mail.status == MailStatus.QUEUED, Mail.due <= now).order_by(Mail.due, Mail.id).limit(1)
    found = session.scalar(due.with_for_update())
    if found is None:
        return None
    found.status, found.tries = MailStatus.SENDING, found.tries + 1
    return Letter(found.id, found.recipient, found.subject, found.body)


def settle(session: Session, number: int, status: MailStatus, error: str, now: dt.datetime) -> None:
    """What became of it: `queued` is to be tried again, unless that has been for days."""
    found = session.get_one(Mail, number)
    found.status, found.error = status, error[:1000]
    if status is MailStatus.QUEUED:
        found.due = now + min(dt.timedelta(minutes=1) * 2 ** min(found.tries, 12), LONGEST_WAIT)
        if now - found.created > dt.timedelta(days=GIVE_UP_DAYS):
            found.status = MailStatus.FAILED
    if found.status is not MailStatus.QUEUED:
        found.ended = now


def doubtful(session: Session, now: dt.datetime) -> int:
    """Mails that a program was handing over when it died; how many. Only while nobody sends."""
    told = "the scheduler ended while it was handed over"
    found = session.execute(
        update(Mail).where(Mail.status == MailStatus.SENDING).values(status=MailStatus.MAYBE, error=told, ended=now),
        execution_options=_PLAIN,
    )
    return int(found.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def forget(session: Session, now: dt.datetime) -> int:
    """Delete those that ended long ago; how many."""
    old = Mail.ended < now - dt.timedelta(days=KEEP_DAYS)
    found = session.execute(delete(Mail).where(old), execution_options=_PLAIN)
    return int(found.rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
