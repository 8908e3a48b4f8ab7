"""The ledger and the invoices."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from emg.db.models.base import BIG, COUNTED, Base, Currency, Key, Money, Prose, UtcTime, When, Word, words


class Entry(StrEnum):
    """What a ledger row is."""

    TOPUP = "topup"
    CORRECTION = "correction"
    TRAFFIC = "traffic"
    """All traffic of one hour: the recorder's; the only kind that changes after it was made."""
    RESTORED = "restored"
    """What was charged while events were missing in the log (`LogGap`): the recorder's, by the gateway's own count."""


class Ledger(Base):
    """Every change of a balance. The sum of an account's rows is its balance."""

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("account_id", "kind", "hour"),
        Index("ix_ledger_account_id_at", "account_id", "at"),
        COUNTED,
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BIG, ForeignKey("account.id"))
    at: Mapped[When]
    kind: Mapped[Entry] = mapped_column(words(Entry))
    amount: Mapped[Money]
    """Micro-units; traffic is negative."""
    balance: Mapped[Money]
    """`credited - charged` of the account in the database, after this row."""
    currency: Mapped[Currency]
    hour: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """Of a traffic row: the hour in which it happened (not in which the messages were received)."""
    messages: Mapped[int] = mapped_column(default=0)
    who: Mapped[str] = mapped_column(String(128), default="")
    why: Mapped[Word] = mapped_column(default="")
    reference: Mapped[str] = mapped_column(String(64), default="")
    """A payment's or an invoice's number."""


class InvoiceKind(StrEnum):
    """What it is."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceStatus(StrEnum):
    """A draft can be prepared anew; an issued one never changes again."""

    DRAFT = "draft"
    ISSUED = "issued"


class Invoice(Base):
    """What a customer owes for a period. Who he was then is written into it."""

    __tablename__ = "invoice"

    id: Mapped[Key]
    number: Mapped[int | None] = mapped_column(BIG, unique=True)
    """Given when it is issued, without gaps."""
    kind: Mapped[InvoiceKind] = mapped_column(words(InvoiceKind), default=InvoiceKind.INVOICE)
    status: Mapped[InvoiceStatus] = mapped_column(words(InvoiceStatus), default=InvoiceStatus.DRAFT)
    credits_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("invoice.id"))
    """Of a credit note: the invoice that it takes back."""
    customer_id: Mapped[int] = mapped_column(BIG, ForeignKey("customer.id"), index=True)
    period_start: Mapped[dt.date] = mapped_column(Date)
    period_end: Mapped[dt.date] = mapped_column(Date)
    """The last day, included."""
    currency: Mapped[Currency]
    net: Mapped[Money] = mapped_column(default=0)
    vat: Mapped[int] = mapped_column(default=0)
    """Hundredths of a percent."""
    vat_amount: Mapped[Money] = mapped_column(default=0)
    """Of `net` as a whole, rounded once, half away from zero, to the currency's smallest coin."""
    rounding: Mapped[Money] = mapped_column(default=0)
    """What brings the total to whole coins: `net` is exact and may have smaller parts."""
    total: Mapped[Money] = mapped_column(default=0)
    """`net + vat_amount + rounding`."""
    customer_name: Mapped[Word] = mapped_column(default="")
    customer_number: Mapped[str] = mapped_column(String(32), default="")
    organisation_number: Mapped[str] = mapped_column(String(32), default="")
    vat_number: Mapped[str] = mapped_column(String(32), default="")
    reference: Mapped[str] = mapped_column(String(128), default="")
    address: Mapped[Prose] = mapped_column(default="")
    country: Mapped[str] = mapped_column(String(2), default="")
    payment_days: Mapped[int] = mapped_column(default=0)
    issued: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    due: Mapped[dt.date | None] = mapped_column(Date)
    note: Mapped[Prose] = mapped_column(default="")
    created: Mapped[When]
    created_by: Mapped[str] = mapped_column(String(128), default="")

    lines: Mapped[list["InvoiceLine"]] = relationship(
        back_populates="invoice", cascade="all, delete-orphan", order_by="InvoiceLine.position"
    )


class InvoiceLine(Base):
    """Messages of one account to one network at one price."""

    __tablename__ = "invoice_line"
    __table_args__ = (UniqueConstraint("invoice_id", "position"), COUNTED)

    id: Mapped[Key]
    invoice_id: Mapped[int] = mapped_column(BIG, ForeignKey("invoice.id", ondelete="CASCADE"))
    position: Mapped[int]
    account: Mapped[str] = mapped_column(String(64), default="")
    network: Mapped[str] = mapped_column(String(6), default="")
    prefix: Mapped[str] = mapped_column(String(32), default="")
    description: Mapped[Word] = mapped_column(default="")
    messages: Mapped[int] = mapped_column(BIG, default=0)
    parts: Mapped[int] = mapped_column(BIG, default=0)
    unit_price: Mapped[Money] = mapped_column(default=0)
    """Of a part; 0 where it was not the same for all."""
    amount: Mapped[Money] = mapped_column(default=0)

    invoice: Mapped[Invoice] = relationship(back_populates="lines")
