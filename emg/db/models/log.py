"""The message log and what is counted from it. Written by the recorder, but for `hourly_summary`, which is the scheduler's."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Index, LargeBinary, SmallInteger, String, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import (
    BIG,
    CHARSET,
    COUNTED,
    PARTITIONED,
    Base,
    Currency,
    Key,
    Money,
    Name,
    Prose,
    UtcTime,
    When,
    Word,
    words,
)

HEADER = LargeBinary(255).with_variant(mysql.TINYBLOB(), "mysql", "mariadb")
OCTETS = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


class Status(StrEnum):
    """Where a message has got to; the last five are final."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    DELETED = "deleted"


class RouteLog(Base):
    """One row a message that was accepted. On MariaDB it is partitioned by the day of `received`, which is why that is part of the key.

    The indexes end with the id, which InnoDB would add by itself: only when it is named does MariaDB see, on a partitioned table, that they are in the order
    of pages (`emg.db.messages`), and stops after a page instead of sorting a day.
    """

    __tablename__ = "routelog"
    __table_args__ = (
        Index("ix_routelog_received", "received", "id"),
        Index("ix_routelog_account_received", "account", "received", "id"),
        Index("ix_routelog_dest_received", "dest", "received", "id"),
        Index("ix_routelog_source_received", "source", "received", "id"),
        Index("ix_routelog_remote_id", "remote_id"),
        PARTITIONED,
    )

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    received: Mapped[dt.datetime] = mapped_column(UtcTime, primary_key=True)
    account: Mapped[Name] = mapped_column(default="")
    customer_id: Mapped[int | None] = mapped_column(BIG)
    connector_in: Mapped[Name] = mapped_column(default="")
    connector_out: Mapped[Name] = mapped_column(default="")
    """Where it was queued for, then where it was sent."""
    source: Mapped[str] = mapped_column(String(254), default="")
    dest: Mapped[str] = mapped_column(String(254), default="")
    encoding: Mapped[int] = mapped_column(SmallInteger, default=0)
    """`emg.message.Encoding`."""
    octets: Mapped[int] = mapped_column(default=0)
    parts: Mapped[int] = mapped_column(SmallInteger, default=1)
    """What is charged for. 0 for a message that was put together with others (MESSAGEMODE=JOIN): the whole has a row of its own, which counts."""
    status: Mapped[Status] = mapped_column(words(Status), default=Status.QUEUED)
    sent: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    done: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    maybe_sent: Mapped[bool] = mapped_column(default=False)
    """It may have been sent twice: a connection or a program died between sending and the answer."""
    remote_id: Mapped[str] = mapped_column(String(65), default="")
    """The operator's id; of a long message the first part's (the others: `message_part`)."""
    error: Mapped[str] = mapped_column(String(16), default="")
    """The network's or operator's code."""
    cause: Mapped[str] = mapped_column(String(40), default="")
    """`emg.errors.Cause`, where we ended it."""
    route: Mapped[str] = mapped_column(String(80), default="")
    """What decided: `account`, `connector`, `table 17` (the row's id, or its line in ROUTES)."""
    price_row: Mapped[int] = mapped_column(BIG, default=0)
    """Id of the price's row (its line in PRICES), 0 for none."""
    prefix: Mapped[str] = mapped_column(String(32), default="")
    """That row's prefix."""
    network: Mapped[str] = mapped_column(String(6), default="")
    """MCC and MNC, by the numbering table."""
    price: Mapped[Money] = mapped_column(default=0)
    """What the account was charged, less what was given back."""
    refunded: Mapped[Money] = mapped_column(default=0)
    cost: Mapped[Money] = mapped_column(default=0)
    currency: Mapped[Currency] = mapped_column(default="")
    reference: Mapped[str] = mapped_column(String(64), default="")
    """The sender's own."""
    ip: Mapped[str] = mapped_column(String(45), default="")
    node: Mapped[int] = mapped_column(SmallInteger, default=0)


class MessagePart(Base):
    """A part that we made of a long message."""

    __tablename__ = "message_part"
    __table_args__ = (
        Index("ix_message_part_parent", "parent"),
        Index("ix_message_part_received", "received"),
        Index("ix_message_part_remote_id", "remote_id"),
        CHARSET,
    )

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    parent: Mapped[int] = mapped_column(BIG)
    received: Mapped[When]
    """Its message's."""
    number: Mapped[int] = mapped_column(SmallInteger)
    total: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[Status] = mapped_column(words(Status), default=Status.QUEUED)
    sent: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    done: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    remote_id: Mapped[str] = mapped_column(String(65), default="")
    error: Mapped[str] = mapped_column(String(16), default="")


class MessageBody(Base):
    """A message's text, where the account lets it be kept. Partitioned as `routelog`."""

    __tablename__ = "message_body"
    __table_args__ = (Index("ix_message_body_received", "received"), PARTITIONED)

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    received: Mapped[dt.datetime] = mapped_column(UtcTime, primary_key=True)
    udh: Mapped[bytes] = mapped_column(HEADER, default=b"")
    body: Mapped[bytes] = mapped_column(OCTETS, default=b"")
    """As it came: what `encoding` of the message says. Empty for a masked one."""
    text: Mapped[Prose] = mapped_column(default="")
    """The same to read; empty for binary."""
    masked: Mapped[bool] = mapped_column(default=False)


class RecorderPosition(Base):
    """How far the events of one node's spool are in the log; changes in the transaction that writes them."""

    __tablename__ = "recorder_position"
    __table_args__ = CHARSET

    node: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    spool: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    """The spool file's identity: a new file counts from 1 again."""
    seq: Mapped[int] = mapped_column(BIG, default=0)
    at: Mapped[When]
    row_at: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """When the spool wrote that row."""
    row_mark: Mapped[int] = mapped_column(BIG, default=0)
    """Its digest (`emg.recorder.source`): another row under this number means another copy of the spool. 0: not known; -1: another spool came."""


class GapKind(StrEnum):
    """Why events are missing in the log."""

    EVENTS = "events"
    """The spool does not hold them any more: the database was put back from a backup, or a damaged spool has lost them."""
    FRESH = "fresh"
    """Another spool took the old one's place: what that one held and had not been recorded."""
    COPY = "copy"
    """The spool was put back from an older copy: what was not recorded of the one that was lost."""


class LogGap(Base):
    """Events that never came into the log. *Recorder* adds a row in the transaction that passes over them; people say that they have seen it."""

    __tablename__ = "log_gap"

    id: Mapped[Key]
    node: Mapped[int] = mapped_column(SmallInteger)
    spool: Mapped[int] = mapped_column(BIG)
    kind: Mapped[GapKind] = mapped_column(words(GapKind))
    first: Mapped[int] = mapped_column(BIG)
    """Rows of the outbox that are missing: from this one."""
    last: Mapped[int] = mapped_column(BIG, default=0)
    """To this one; 0: nobody knows."""
    since: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """Until then the log is whole; None: it begins after the gap."""
    until: Mapped[When]
    """From then on it is whole again."""
    found: Mapped[When]
    corrected: Mapped[int] = mapped_column(default=0)
    """Accounts whose `charged` was brought to what the gateway has counted; their ledgers say by how much (kind `restored`)."""
    acknowledged: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    acknowledged_by: Mapped[str] = mapped_column(String(128), default="")
    note: Mapped[Word] = mapped_column(default="")


class DirtyHour(Base):
    """An hour whose messages changed since it was last counted. Recorder adds, scheduler removes."""

    __tablename__ = "dirty_hour"
    __table_args__ = CHARSET

    hour: Mapped[dt.datetime] = mapped_column(UtcTime, primary_key=True)
    changed: Mapped[int] = mapped_column(BIG, default=0)
    """Raised by each change: who counts removes the row only if it still stands where it did before."""


class Summary:
    """The columns of both summaries: what a row is of, and its sums."""

    id: Mapped[Key] = mapped_column(sort_order=-2)
    account: Mapped[Name]
    customer_id: Mapped[int | None] = mapped_column(BIG)
    connector_in: Mapped[Name]
    connector_out: Mapped[Name]
    prefix: Mapped[str] = mapped_column(String(32))
    network: Mapped[str] = mapped_column(String(6))
    currency: Mapped[Currency]
    status: Mapped[Status] = mapped_column(words(Status))
    messages: Mapped[int]
    parts: Mapped[int]
    price: Mapped[Money]
    cost: Mapped[Money]
    within_10s: Mapped[int] = mapped_column(default=0)
    """Of the delivered ones: done so soon after they were received."""
    within_60s: Mapped[int] = mapped_column(default=0)
    within_600s: Mapped[int] = mapped_column(default=0)
    delay_ms: Mapped[int] = mapped_column(BIG, default=0)
    """Of the delivered ones: sum of the milliseconds from received to done."""


class HourlySummary(Summary, Base):
    """Messages by the hour they were received in. *Scheduler*: an hour is always counted anew as a whole."""

    __tablename__ = "hourly_summary"
    __table_args__ = (
        UniqueConstraint(
            "hour", "account", "customer_id", "connector_in", "connector_out", "prefix", "network", "currency", "status",
            name="uq_hourly_summary_all",
        ),
        Index("ix_hourly_summary_account_hour", "account", "hour"),
        COUNTED,
    )  # fmt: skip

    hour: Mapped[When] = mapped_column(sort_order=-1)


class DailySummary(Summary, Base):
    """The hours of a day added up, for reports over long times; only of days that stand in `SummedDay`. *Scheduler*."""

    __tablename__ = "daily_summary"
    __table_args__ = (
        Index("ix_daily_summary_day", "day"),
        Index("ix_daily_summary_account_day", "account", "day"),
        COUNTED,
    )

    day: Mapped[When] = mapped_column(sort_order=-1)
    """Its midnight, UTC."""


class SummedDay(Base):
    """A day whose hours are added up, and have not been counted anew since. *Scheduler*."""

    __tablename__ = "summed_day"
    __table_args__ = CHARSET

    day: Mapped[dt.datetime] = mapped_column(UtcTime, primary_key=True)
