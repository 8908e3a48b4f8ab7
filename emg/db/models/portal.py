"""What the portal keeps: who is logged in, what was promised to somebody by mail, forms that were sent, reports that people saved, batches of messages, and versions of the configuration file."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import (
    BIG,
    CHARSET,
    COUNTED,
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

IMAGE = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
"""Up to 16 MiB."""


class WebSession(Base):
    """One login of a web user at one browser. The browser's cookie holds a random token; here is its SHA-256 (as with `ApiKey`)."""

    __tablename__ = "web_session"

    id: Mapped[Key]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(BIG, ForeignKey("web_user.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int]
    """The user's `session_epoch` at login: when that is raised, this is over."""
    proven: Mapped[bool] = mapped_column(default=False)
    """The second factor was shown too, or he has none."""
    created: Mapped[When]
    seen: Mapped[When] = mapped_column(index=True)
    """When it was last used, to the minute."""
    ip: Mapped[str] = mapped_column(String(45), default="")
    """Of the last use."""
    agent: Mapped[Word] = mapped_column(default="")
    """The browser, as it calls itself."""


class Promise(StrEnum):
    """What somebody who shows a token may do, once."""

    INVITATION = "invitation"
    RESET = "reset"


class WebToken(Base):
    """A link that was mailed to a web user: an invitation, or a forgotten password. Kept as its SHA-256, used once."""

    __tablename__ = "web_token"

    id: Mapped[Key]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    promise: Mapped[Promise] = mapped_column(words(Promise))
    user_id: Mapped[int] = mapped_column(BIG, ForeignKey("web_user.id", ondelete="CASCADE"), index=True)
    created: Mapped[When]
    created_by: Mapped[str] = mapped_column(String(128), default="")
    until: Mapped[When]


class SentForm(Base):
    """A form that must not be taken twice was sent: its token, written in the transaction of what it did."""

    __tablename__ = "sent_form"

    id: Mapped[Key]
    token: Mapped[str] = mapped_column(String(64), unique=True)
    at: Mapped[When] = mapped_column(index=True)


class SavedReport(Base):
    """A report that a web user wants to see again: the query of its address, and when it is mailed."""

    __tablename__ = "saved_report"
    __table_args__ = (Index("uq_saved_report_user_id_name", "user_id", "name", unique=True), COUNTED)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(BIG, ForeignKey("web_user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    query: Mapped[Prose]
    """What stands behind the `?` of its address."""
    schedule: Mapped[str] = mapped_column(String(16), default="")
    """`daily`, `weekly`, `monthly`; empty: never mailed."""
    recipients: Mapped[Word] = mapped_column(default="")
    """Mail addresses with commas between them."""
    mailed: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """*Scheduler*: when it was last put in for mailing."""
    created: Mapped[When]


class BatchState(StrEnum):
    """What becomes of a batch."""

    DRAFT = "draft"
    """Looked at, and not confirmed."""
    SENDING = "sending"
    """From its time on."""
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class SendBatch(Base):
    """Messages that somebody sends from the portal at once: one, or thousands."""

    __tablename__ = "send_batch"
    __table_args__ = (Index("ix_send_batch_state_served", "state", "served"), COUNTED)

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BIG, ForeignKey("account.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("customer.id", ondelete="SET NULL"), index=True)
    """Whose account it was when the batch was made: his people see the batch, and nobody else's."""
    who: Mapped[str] = mapped_column(String(128))
    created: Mapped[When]
    state: Mapped[BatchState] = mapped_column(words(BatchState))
    source: Mapped[Name] = mapped_column(default="")
    template: Mapped[Prose]
    """The text as it was typed, with its placeholders."""
    due: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """Nothing is sent before; NULL: at once."""
    validity: Mapped[int | None]
    """Seconds that the gateway tries for, from when it has a message."""
    total: Mapped[int] = mapped_column(default=0)
    """How many items it has."""
    faulty: Mapped[int] = mapped_column(default=0)
    """Lines that were left out."""
    faults: Mapped[Prose] = mapped_column(default="")
    """The first of them, a sentence a line."""
    price: Mapped[Money] = mapped_column(default=0)
    """Of all, as the tables stood when it was made."""
    unpriced: Mapped[int] = mapped_column(default=0)
    """Items that had no price or no way then."""
    currency: Mapped[Currency] = mapped_column(default="")
    served: Mapped[When]
    """*Scheduler*: when messages of it were last handed over; whose turn was longest ago is next."""


class ItemState(StrEnum):
    """What became of a message of a batch."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class SendItem(Base):
    """A message of a batch. Its number is the key under which the gateway takes it once."""

    __tablename__ = "send_item"
    __table_args__ = (Index("ix_send_item_batch_id_state_asked", "batch_id", "state", "asked"), COUNTED)

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(BIG, ForeignKey("send_batch.id", ondelete="CASCADE"))
    line: Mapped[int]
    """Of what was pasted or uploaded."""
    dest: Mapped[Name]
    text: Mapped[Prose]
    parts: Mapped[int] = mapped_column(default=1)
    state: Mapped[ItemState] = mapped_column(words(ItemState))
    asked: Mapped[bool] = mapped_column(default=False)
    """*Scheduler*: it was handed to the gateway, whose answer is not known: it may have been taken."""
    message_id: Mapped[int | None] = mapped_column(BIG)
    reason: Mapped[Word] = mapped_column(default="")
    """Why it was refused."""


class ConfigVersion(Base):
    """The configuration file as the portal has written it, or found it before it wrote; passwords stand there as `***` (`emg.config.masking`)."""

    __tablename__ = "config_version"

    id: Mapped[Key]
    at: Mapped[When]
    who: Mapped[str] = mapped_column(String(128))
    why: Mapped[Word] = mapped_column(default="")
    file: Mapped[Word]
    text: Mapped[Prose]


class RuleChange(Base):
    """What a change of a table of rules (routes, prices …) did to its rows, so that it can be shown and undone; beside its row of the audit log, and gone with it."""

    __tablename__ = "rule_change"
    __table_args__ = (Index("ix_rule_change_subject_audit_id", "subject", "audit_id"), CHARSET)

    audit_id: Mapped[int] = mapped_column(
        BIG, ForeignKey("audit_log.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    subject: Mapped[str] = mapped_column(String(32))
    """Of `revision`, as `number` is."""
    number: Mapped[int] = mapped_column(BIG)
    """The table's revision with this change."""
    added: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    """How many rows."""
    undoes: Mapped[int | None] = mapped_column(BIG)
    """The change that this one took back."""
    undone: Mapped[int | None] = mapped_column(BIG)
    """The change that took this one back."""
    image: Mapped[bytes | None] = mapped_column(IMAGE)
    """The rows as they were and as they became (`emg.db.rule_changes`); empty where they were too many, or it was too long ago."""
