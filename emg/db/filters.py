"""Conditions and orders that several lists offer."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_


def holds(text: str, *columns: Any) -> ColumnElement[bool]:
    """One of the columns has this text in it, capitals or not (on SQLite that is known of ASCII letters only). `%` and `_` are themselves."""
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    wanted = func.lower(literal(f"%{escaped}%"))
    return or_(*(func.lower(column).like(wanted, escape="/") for column in columns))


def ordered(order: str, columns: Mapping[str, Any], last: Any) -> list[ColumnElement[Any]]:
    """What to sort by: `order` is one of the columns' names, with `-` before it for the other way round; `last` settles what is equal."""
    name = order.removeprefix("-")
    assert name in columns, f"nothing is sorted by {name!r}"
    column = columns[name]
    first = column.desc() if order.startswith("-") else column.asc()
    return [first] if column is last else [first, last.asc()]
