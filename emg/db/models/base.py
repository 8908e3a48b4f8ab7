"""What all tables share: the declarative base, names of constraints, and the column types of this house."""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Enum, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that a migration can speak of it on both databases."""

CHARSET = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
"""Text compares byte by byte, as SQLite does."""

COUNTED = {**CHARSET, "sqlite_autoincrement": True}
"""For a table with a `Key`: the number of a row that is gone is never given again, on SQLite too. The log, the gateway's balances and the audit log name rows by it."""

PARTITIONED = {
    **CHARSET,
    "mysql_partition_by": "RANGE COLUMNS (received) (PARTITION later VALUES LESS THAN (MAXVALUE))",
}
"""On MariaDB a table in pieces by the day of `received`; `emg.db.partitions` cuts them off from the last, which takes everything."""

UTC = dt.UTC


class UtcTime(TypeDecorator[dt.datetime]):
    """A moment: aware in Python (any zone goes in, UTC comes out), DATETIME(6) in UTC in the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Microseconds on MariaDB too."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime())

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """Refuse a time without a zone: it would be somebody's guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """UTC, and saying so."""
        return None if value is None else value.replace(tzinfo=UTC)


def words(kind: type[StrEnum]) -> Enum:
    """A column of one of the enum's values, kept as the word it shows."""
    return Enum(kind, values_callable=lambda members: [member.value for member in members], native_enum=True, length=16)


BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite's INTEGER has them, and only that one counts up by itself."""

Key = Annotated[int, mapped_column(BIG, primary_key=True, autoincrement=True)]
Money = Annotated[int, mapped_column(BigInteger)]
"""Micro-units."""
Name = Annotated[str, mapped_column(String(64))]
"""An account's or connector's name; empty for "any" in the tables of rules."""
Word = Annotated[str, mapped_column(String(255))]
Prose = Annotated[str, mapped_column(Text)]
Currency = Annotated[str, mapped_column(String(3))]
"""ISO 4217."""
When = Annotated[dt.datetime, mapped_column(UtcTime)]


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMING)
    __table_args__: Any = COUNTED
