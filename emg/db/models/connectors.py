"""Connectors and plugins that are kept in the database instead of the configuration file."""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from emg.db.models.base import BIG, COUNTED, Base, Key, Name, Prose, When, Word


class Connector(Base):
    """A connector. What it is, its options say, in the very words of the configuration file."""

    __tablename__ = "connector"

    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    position: Mapped[int] = mapped_column(default=0)
    disabled: Mapped[bool] = mapped_column(default=False)
    note: Mapped[Prose] = mapped_column(default="")
    created: Mapped[When]
    updated: Mapped[When]

    options: Mapped[list["ConnectorOption"]] = relationship(
        back_populates="connector", cascade="all, delete-orphan", order_by="ConnectorOption.position"
    )


class ConnectorOption(Base):
    """One line of a connector's section."""

    __tablename__ = "connector_option"
    __table_args__ = (UniqueConstraint("connector_id", "position"), COUNTED)

    id: Mapped[Key]
    connector_id: Mapped[int] = mapped_column(BIG, ForeignKey("connector.id", ondelete="CASCADE"))
    position: Mapped[int]
    keyword: Mapped[Name]
    value: Mapped[Prose] = mapped_column(default="")
    """Empty for a bare keyword."""
    disabled: Mapped[bool] = mapped_column(default=False)
    note: Mapped[Word] = mapped_column(default="")

    connector: Mapped[Connector] = relationship(back_populates="options")


class Plugin(Base):
    """A plugin: a library, or a service at a URL."""

    __tablename__ = "plugin"

    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    position: Mapped[int] = mapped_column(default=0)
    library: Mapped[Word] = mapped_column(default="")
    url: Mapped[Word] = mapped_column(default="")
    config: Mapped[Prose] = mapped_column(default="")
    instances: Mapped[int] = mapped_column(default=1)
    disabled: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(String(255), default="")
    created: Mapped[When]
    updated: Mapped[When]
