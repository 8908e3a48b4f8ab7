"""Who sends, and who pays: customers and their accounts.

A **customer** is a company that is invoiced; an **account** is a login of his, with its limits and its balance. What is left on a balance is
`credited - charged`: people's top-ups and corrections add to `credited` (each with its row in `ledger`), traffic to `charged`, which is the recorder's
copy of what the gateway has counted. So each number has one writer, and neither ever waits for the other.
"""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from emg.db.models.base import BIG, COUNTED, Base, Currency, Key, Money, Name, Prose, UtcTime, When, Word, words


class Content(StrEnum):
    """What the log keeps of a message's text."""

    FULL = "full"
    MASKED = "masked"
    """Its length, alphabet and punctuation; each letter as x, each digit as 0."""
    NONE = "none"


class Customer(Base):
    """A company that has accounts and gets invoices."""

    __tablename__ = "customer"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(128), unique=True)
    number: Mapped[str | None] = mapped_column(String(32), unique=True)
    """Customer number, as on his invoices."""
    organisation_number: Mapped[str] = mapped_column(String(32), default="")
    vat_number: Mapped[str] = mapped_column(String(32), default="")
    reference: Mapped[str] = mapped_column(String(128), default="")
    """What he wants to read on his invoices."""
    address: Mapped[Prose] = mapped_column(default="")
    country: Mapped[str] = mapped_column(String(2), default="")
    """ISO 3166."""
    email: Mapped[Word] = mapped_column(default="")
    """Invoices and daily reports go here."""
    technical_contact: Mapped[Word] = mapped_column(default="")
    currency: Mapped[Currency] = mapped_column(default="EUR")
    vat: Mapped[int] = mapped_column(default=0)
    """VAT in hundredths of a percent: 2500 is 25 %."""
    payment_days: Mapped[int] = mapped_column(default=30)
    daily_report: Mapped[bool] = mapped_column(default=False)
    """He gets a mail with yesterday's traffic."""
    locked: Mapped[bool] = mapped_column(default=False)
    """None of his accounts may log in."""
    note: Mapped[Prose] = mapped_column(default="")
    created: Mapped[When]
    updated: Mapped[When]

    accounts: Mapped[list["Account"]] = relationship(back_populates="customer")


class Account(Base):
    """A login, its limits, its balance. NULL in a limit: as the connector says, or none where the connector says nothing."""

    __tablename__ = "account"

    id: Mapped[Key]
    customer_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("customer.id"), index=True)
    name: Mapped[Name] = mapped_column(unique=True)
    password_hash: Mapped[Word] = mapped_column(default="")
    """argon2; empty: nobody can log in with it."""
    locked: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """A deleted account stays for its ledger, under the name `NAME~ID`: the name is free again."""

    prepaid: Mapped[bool] = mapped_column(default=False)
    """It may spend what is credited. Otherwise it may go below zero, down to `-credit_limit`."""
    credit_limit: Mapped[int | None] = mapped_column(BIG)
    """Micro-units, not negative; NULL: no limit. Of no meaning to a prepaid account."""
    currency: Mapped[Currency] = mapped_column(default="EUR")
    credited: Mapped[Money] = mapped_column(default=0)
    """Sum of all ledger rows that are not traffic."""
    charged: Mapped[Money] = mapped_column(default=0)
    """*Recorder*: sum of the prices of its messages in `routelog`, less what was given back."""
    low_balance: Mapped[int | None] = mapped_column(BIG)
    """Below this its customer is mailed, once until it is above again."""
    low_balance_told: Mapped[bool] = mapped_column(default=False)
    """*Scheduler*."""

    sessions: Mapped[int] = mapped_column(default=10)
    throughput: Mapped[float] = mapped_column(Double, default=0.0)
    """Messages a second, 0 for no limit."""
    windowsize: Mapped[int | None]
    """0: WINDOWSIZE=auto."""
    maxqueuesize: Mapped[int] = mapped_column(default=0)
    """Messages that may wait in all queues, 0 for no bound of its own."""
    daily_limit: Mapped[int] = mapped_column(default=0)
    """Messages a day (UTC), 0 for none."""
    maxparts: Mapped[int | None]
    operations: Mapped[Word] = mapped_column(default="")
    """As in OPERATIONS= of a USER section; empty: all."""
    force_sourceaddr: Mapped[Name] = mapped_column(default="")
    sourceaddr: Mapped[Prose] = mapped_column(default="")
    """Allowed source addresses, patterns with `*`, by commas; empty: any."""
    route: Mapped[Name] = mapped_column(default="")
    routedlr: Mapped[Name] = mapped_column(default="")
    perpartdlr: Mapped[bool | None]
    content: Mapped[Content] = mapped_column(words(Content), default=Content.FULL)
    note: Mapped[Prose] = mapped_column(default="")
    created: Mapped[When]
    updated: Mapped[When]

    customer: Mapped[Customer | None] = relationship(back_populates="accounts")
    access: Mapped[list["AccountAccess"]] = relationship(
        back_populates="account", cascade="all, delete-orphan", order_by="AccountAccess.id"
    )


class AccountAccess(Base):
    """From where, and at which connector, an account may log in. Without a row it can't at all."""

    __tablename__ = "account_access"
    __table_args__ = (
        UniqueConstraint("account_id", "network", "connector"),
        Index("ix_account_access_account_id", "account_id"),
        COUNTED,
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BIG, ForeignKey("account.id", ondelete="CASCADE"))
    network: Mapped[str] = mapped_column(String(43))
    """An address or network, IPv4 or IPv6: 192.0.2.0/24."""
    connector: Mapped[Name] = mapped_column(default="*")
    """A connector's name, or `*` for any."""

    account: Mapped[Account] = relationship(back_populates="access")
