"""What the scheduler keeps for itself: when its jobs are due, how they went, the mail it sends, and up to where the log has been dropped."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Double, Index, Integer, LargeBinary, String, Unicode
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import BIG, CHARSET, COUNTED, Base, Key, Prose, UtcTime, When, Word, words


class ScheduledJob(Base):
    """APScheduler's job store: its own columns, named and typed as it wants them. Nobody else reads it."""

    __tablename__ = "scheduler_job"
    __table_args__ = CHARSET

    id: Mapped[str] = mapped_column(Unicode(191), primary_key=True)
    next_run_time: Mapped[float | None] = mapped_column(Double, index=True)
    job_state: Mapped[bytes] = mapped_column(LargeBinary)


class JobRun(Base):
    """How a job of the scheduler went: what the watchdog and `status` look at. *Scheduler*."""

    __tablename__ = "job_run"
    __table_args__ = CHARSET

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    started: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    ended: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """Earlier than `started`, or NULL: it runs now, or its program died meanwhile."""
    success: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """When it last ended well."""
    result: Mapped[Word] = mapped_column(default="")
    """What it did then, in a few words."""
    error: Mapped[Prose] = mapped_column(default="")
    """Why the last run failed; empty if it ended well."""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """In a row."""


class MailStatus(StrEnum):
    """Where a mail has got to; `sending` is committed before the mail server hears of it."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    MAYBE = "maybe"
    """A program or a connection died while it was handed over: perhaps it was sent. It is not sent again."""
    FAILED = "failed"
    """Refused for good, or not accepted for days."""


class Mail(Base):
    """A mail to be sent, or that was sent. `topic` is unique, so that nothing is told twice. *Scheduler*."""

    __tablename__ = "mail"
    __table_args__ = (Index("ix_mail_status_due", "status", "due"), COUNTED)

    id: Mapped[Key]
    topic: Mapped[str] = mapped_column(String(128), unique=True)
    """What it is about: `daily 2026-11-22 customer 7`."""
    recipient: Mapped[Word]
    subject: Mapped[Word]
    body: Mapped[Prose]
    status: Mapped[MailStatus] = mapped_column(words(MailStatus), default=MailStatus.QUEUED)
    created: Mapped[When]
    due: Mapped[When]
    """Not tried before this."""
    tries: Mapped[int] = mapped_column(default=0)
    ended: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    error: Mapped[Prose] = mapped_column(default="")


class Purged(Base):
    """What retention has dropped: such an hour is never counted anew, its summary would be lost. *Scheduler*."""

    __tablename__ = "purged"
    __table_args__ = CHARSET

    subject: Mapped[str] = mapped_column(String(32), primary_key=True)
    """A table."""
    before: Mapped[When]
    """Rows of earlier than this are gone, or going."""


class Counter(Base):
    """A number that goes up without gaps: the row stays locked until the transaction that took it ends."""

    __tablename__ = "counter"
    __table_args__ = CHARSET

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    """`invoice`."""
    number: Mapped[int] = mapped_column(BIG, default=0)
    """The last one that was given."""
