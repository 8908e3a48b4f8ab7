"""Rows for any table, made from what its columns are: for tests that need something in every table and don't care what."""

import datetime as dt
from typing import Any

from sqlalchemy import Column, Connection, Enum, MetaData, Table, insert

from emg.db.models.base import UtcTime

MOMENT = dt.datetime(2026, 11, 23, 12, 30, 15, 250000, dt.UTC)


def fill(connection: Connection, tables: MetaData, count: int = 3) -> dict[str, list[tuple[Any, ...]]]:
    """`count` rows in each table; what is then in each (see `contents`). References point at rows that are there."""
    for table in tables.sorted_tables:
        rows = [{column.name: value(column, number) for column in table.columns} for number in range(1, count + 1)]
        connection.execute(insert(table), rows)
    return contents(connection, tables)


def contents(connection: Connection, tables: MetaData) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, ordered."""
    return {table.name: _rows(connection, table) for table in tables.sorted_tables}


def _rows(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in connection.execute(table.select())), key=repr)


def value(column: Column[Any], number: int) -> Any:
    """The `number`th of a column: different ones for different numbers, wherever the type has so many."""
    kind = column.type
    if column.foreign_keys:
        return number
    if isinstance(kind, Enum):
        return kind.enums[number % len(kind.enums)]
    if isinstance(kind, UtcTime):
        return MOMENT + dt.timedelta(hours=number)
    python_type = kind.python_type
    if python_type is bool or getattr(kind, "display_width", None) == 1:
        return bool(number % 2)
    if python_type is dt.datetime:
        return (MOMENT + dt.timedelta(hours=number)).replace(tzinfo=None)
    if python_type is dt.date:
        return MOMENT.date() + dt.timedelta(days=number)
    if python_type is bytes:
        return bytes((0, 255, number))
    if python_type is str:
        length = getattr(kind, "length", None) or 40
        return f"{number}{'é' * (length - 1)}"[:length]
    return python_type(number)
