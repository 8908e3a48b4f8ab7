"""What the house keeps about itself: settings, who changed what, which version of each table the gateway should have."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import BIG, CHARSET, Base, Key, Name, Prose, When


class Setting(Base):
    """A value by name: what people can set and no file says (mail addresses, retention, invoice texts)."""

    __tablename__ = "setting"
    __table_args__ = CHARSET

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Prose] = mapped_column(default="")
    updated: Mapped[When]


class Revision(Base):
    """How often a table that the gateway reads was changed; raised in the transaction of each change."""

    __tablename__ = "revision"
    __table_args__ = CHARSET

    subject: Mapped[str] = mapped_column(String(32), primary_key=True)
    """account, connector, route, price, network, blacklist, setting, plugin."""
    number: Mapped[int] = mapped_column(BIG, default=0)


class AuditLog(Base):
    """Every change that a person or a program made."""

    __tablename__ = "audit_log"

    id: Mapped[Key]
    at: Mapped[When] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(128))
    """A web user, `key:NAME`, or `shell:USER`."""
    origin: Mapped[str] = mapped_column(String(45), default="")
    """IP address, empty for the shell."""
    action: Mapped[str] = mapped_column(String(16))
    """add, change, delete, import, topup, …"""
    subject: Mapped[str] = mapped_column(String(32))
    """The table."""
    name: Mapped[str] = mapped_column(String(128), default="", index=True)
    """What people call the row."""
    before: Mapped[Prose] = mapped_column(default="")
    after: Mapped[Prose] = mapped_column(default="")
    """JSON of what differs; secrets are left out."""


class Lease(Base):
    """Which of several running programs does a duty (the scheduler's jobs)."""

    __tablename__ = "lease"
    __table_args__ = CHARSET

    name: Mapped[Name] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    until: Mapped[When]
