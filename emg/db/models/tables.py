"""The tables of rules that the gateway decides by: routes, prices, networks, black list. Each has a form as CSV with the same columns."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from emg.db.models.base import COUNTED, Base, Currency, Key, Money, Name, UtcTime, When, Word, words


class Refund(StrEnum):
    """When a message's price is given back."""

    NEVER = "never"
    REFUSED = "refused"
    """When no operator has taken the message: refused, expired or deleted before it was sent."""
    UNDELIVERED = "undelivered"
    """Also when the operator reports that it was not delivered."""


class Route(Base):
    """A row of the routing table; see `emg.rules.routes`."""

    __tablename__ = "route"
    __table_args__ = (Index("ix_route_prefix", "prefix"), COUNTED)

    id: Mapped[Key]
    prefix: Mapped[str] = mapped_column(String(32), default="")
    account: Mapped[Name] = mapped_column(default="")
    connector_in: Mapped[Name] = mapped_column(default="")
    connector_out: Mapped[Word]
    """One connector, or several by `:`, the next for when one can't be used."""
    priority: Mapped[int] = mapped_column(default=1)
    weight: Mapped[int] = mapped_column(default=1)
    enabled: Mapped[bool] = mapped_column(default=True)
    updated: Mapped[When]


class Price(Base):
    """A row of the price table; see `emg.rules.prices`. `price` and `cost` are of one part."""

    __tablename__ = "price"
    __table_args__ = (Index("ix_price_prefix", "prefix"), COUNTED)

    id: Mapped[Key]
    prefix: Mapped[str] = mapped_column(String(32), default="")
    account: Mapped[Name] = mapped_column(default="")
    connector_in: Mapped[Name] = mapped_column(default="")
    connector_out: Mapped[Name] = mapped_column(default="")
    price: Mapped[Money]
    cost: Mapped[Money] = mapped_column(default=0)
    currency: Mapped[Currency]
    valid_from: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    valid_until: Mapped[dt.datetime | None] = mapped_column(UtcTime)
    """Not included."""
    refund: Mapped[Refund] = mapped_column(words(Refund), default=Refund.REFUSED)
    updated: Mapped[When]


class Network(Base):
    """Numbering: which country and network a prefix belongs to."""

    __tablename__ = "network"
    __table_args__ = (UniqueConstraint("prefix"), COUNTED)

    id: Mapped[Key]
    prefix: Mapped[str] = mapped_column(String(32))
    country: Mapped[str] = mapped_column(String(2))
    name: Mapped[str] = mapped_column(String(128), default="")
    mcc: Mapped[str] = mapped_column(String(3), default="")
    mnc: Mapped[str] = mapped_column(String(3), default="")


class Blacklist(Base):
    """A row of the black list, or of the white list beside it; see `emg.rules.blocklist`."""

    __tablename__ = "blacklist"
    __table_args__ = (UniqueConstraint("white", "field", "address"), COUNTED)

    id: Mapped[Key]
    white: Mapped[bool] = mapped_column(default=False)
    field: Mapped[str] = mapped_column(String(10), default="SOURCEADDR")
    """SOURCEADDR or DESTADDR."""
    address: Mapped[str] = mapped_column(String(64))
    """Ends with `*` for all that start so."""
    action: Mapped[str] = mapped_column(String(6), default="REJECT")
    """REJECT or LOG; of no meaning to a white row."""
    note: Mapped[Word] = mapped_column(default="")
    updated: Mapped[When]
