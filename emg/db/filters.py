"""Conditions that several lists offer."""

from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_


def holds(text: str, *columns: Any) -> ColumnElement[bool]:
    """One of the columns has this text in it, capitals or not (on SQLite that is known of ASCII letters only). `%` and `_` are themselves."""
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    wanted = func.lower(literal(f"%{escaped}%"))
    return or_(*(func.lower(column).like(wanted, escape="/") for column in columns))
