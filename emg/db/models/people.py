"""Who works with the product: people of the portal, and programs with a key."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import BIG, Base, Key, Name, Prose, UtcTime, When, Word, words


class Role(StrEnum):
    """What a person may do; each role's rights are the portal's table."""

    OWNER = "owner"
    ENGINEER = "engineer"
    FINANCE = "finance"
    CUSTOMER_ADMIN = "customer_admin"
    CUSTOMER_USER = "customer_user"


class WebUser(Base):
    """A person."""

    __tablename__ = "web_user"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(128), unique=True)
    """The login."""
    full_name: Mapped[Word] = mapped_column(default="")
    email: Mapped[Word] = mapped_column(default="")
    password_hash: Mapped[Word] = mapped_column(default="")
    role: Mapped[Role] = mapped_column(words(Role))
    customer_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("customer.id"), index=True)
    """Of the customer roles: whose people these are."""
    account_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("account.id", ondelete="SET NULL"), index=True)
    """The account that he sends with."""
    locked: Mapped[bool] = mapped_column(default=False)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    """Of the second factor: random, and of use only with the portal's own secret, from which and this the key is made (`portal.second`)."""
    totp_step: Mapped[int] = mapped_column(BIG, default=0)
    """The 30 seconds since 1970 whose code was taken last: none is taken twice."""
    recovery_codes: Mapped[Prose] = mapped_column(default="")
    """SHA-256 of those that are not used yet, one a line."""
    session_epoch: Mapped[int] = mapped_column(default=0)
    """Raised to log him out everywhere."""
    last_login: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    last_ip: Mapped[str] = mapped_column(String(45), default="")
    created: Mapped[When]
    updated: Mapped[When]


class ApiKey(Base):
    """A program's key to the REST API. The key itself is shown once and kept as a SHA-256: why that is enough says `emg.db.keys`."""

    __tablename__ = "api_key"

    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    prefix: Mapped[str] = mapped_column(String(12))
    """Its first characters, by which people tell keys apart."""
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    """NULL: the owner's own."""
    scopes: Mapped[Prose] = mapped_column(default="")
    """What it may do: words of `emg.rules.key_rows.SCOPES`, with commas between them."""
    rate: Mapped[float] = mapped_column(Double, default=10.0)
    """Requests a second."""
    locked: Mapped[bool] = mapped_column(default=False)
    expires: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    last_used: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    created: Mapped[When]
    created_by: Mapped[str] = mapped_column(String(128), default="")
