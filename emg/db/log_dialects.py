"""How many rows get into the log at once: on SQLite by INSERT with many rows, on MariaDB by LOAD DATA LOCAL from memory.

LOAD DATA costs the server half of what a multi-row INSERT does. With LOCAL it makes warnings of errors, so whatever is not exactly as expected is
raised as `RowFault`, and whoever calls it writes the rows again by `insert`, which says what is wrong. A server that has LOCAL switched off
gets INSERTs. The driver hands the server any file that it asks for while LOCAL is on: the server that holds the log is trusted with that.
"""

import os
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import Connection

from emg.db.log_tables import Change, Row, Table

CHUNK = 4000
"""Rows a statement: less than a temporary table in memory may hold, and far less than the longest packet."""


class RowFault(Exception):
    """A row, not the database, is at fault."""


class Dialect(Protocol):
    """What differs."""

    marker: str
    locking: str
    """What follows a SELECT whose rows are about to change."""

    def prepare(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Once a connection: make the temporary tables."""

    def fill(self, connection: Connection, table: Table | Change, rows: list[Row]) -> None:
        """Add many rows quickly. Raises RowFault when any of them is not in as it was given."""

    def update(self, change: Change) -> str:
        """The statement that applies a temporary table to its target."""

    def upsert(self, table: str, columns: Sequence[str], key: Sequence[str], merge: Sequence[tuple[str, str]]) -> str:
        """INSERT of one row that changes the one that is there; in `merge`, `{old}` and `{new}` stand for the column's two values."""


def insert(dialect: Dialect, table: Table | Change) -> str:
    """One row's INSERT; given many, both drivers make the best of it."""
    marks = ", ".join([dialect.marker] * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608 -- names of our own tables


class SqliteDialect:
    """The embedded database."""

    marker = "?"
    locking = ""

    def prepare(self, connection: Connection, changes: Sequence[Change]) -> None:
        """See `Dialect`."""
        for change in changes:
            connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {change.name} ({', '.join(change.columns)})")

    def fill(self, connection: Connection, table: Table | Change, rows: list[Row]) -> None:
        """See `Dialect`."""
        connection.exec_driver_sql(insert(self, table), rows)

    def update(self, change: Change) -> str:
        """See `Dialect`."""
        merge = ", ".join(f"{column} = {expression}" for column, expression in change.merge)
        join = " AND ".join(f"u.{column} = r.{column}" for column in change.key)
        return f"UPDATE {change.target} AS r SET {merge} FROM {change.name} AS u WHERE {join}"  # noqa: S608 -- as above

    def upsert(self, table: str, columns: Sequence[str], key: Sequence[str], merge: Sequence[tuple[str, str]]) -> str:
        """See `Dialect`."""
        sets = ", ".join(
            f"{column} = {text.format(old=f'{table}.{column}', new=f'excluded.{column}')}" for column, text in merge
        )
        marks = ", ".join("?" * len(columns))
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}"  # noqa: S608


class MariaDialect:
    """MySQL and MariaDB."""

    marker = "%s"
    locking = " FOR UPDATE"

    def __init__(self) -> None:
        self._local = True

    def prepare(self, connection: Connection, changes: Sequence[Change]) -> None:
        """See `Dialect`."""
        self._local = bool(connection.exec_driver_sql("SELECT @@local_infile").scalar())
        for change in changes:
            columns = ", ".join(f"{name} {kind}" for name, kind in change.definition)
            connection.exec_driver_sql(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {change.name} ({columns})"
                " ENGINE=MEMORY DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin"
            )

    def fill(self, connection: Connection, table: Table | Change, rows: list[Row]) -> None:
        """See `Dialect`."""
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            if self._local:
                self._load(connection, table, chunk)
            else:
                connection.exec_driver_sql(insert(self, table), chunk)

    def _load(self, connection: Connection, table: Table | Change, rows: list[Row]) -> None:
        handle = os.memfd_create("rows", os.MFD_CLOEXEC)
        try:
            with open(handle, "wb", closefd=False) as file:
                file.write(text_of(table, rows))
            result = connection.exec_driver_sql(_load_text(table, f"/proc/self/fd/{handle}"))
            warning = connection.exec_driver_sql("SHOW WARNINGS LIMIT 1").first()
        finally:
            os.close(handle)
        if result.rowcount != len(rows) or warning is not None:
            said = f": {warning[2]}" if warning is not None else ""
            raise RowFault(f"of {len(rows)} rows for {table.name} {result.rowcount} came in{said}")

    def update(self, change: Change) -> str:
        """See `Dialect`."""
        merge = ", ".join(f"r.{column} = {expression}" for column, expression in change.merge)
        join = " AND ".join(f"r.{column} = u.{column}" for column in change.key)
        return f"UPDATE {change.name} u STRAIGHT_JOIN {change.target} r ON {join} SET {merge}"  # noqa: S608 -- as above

    def upsert(self, table: str, columns: Sequence[str], key: Sequence[str], merge: Sequence[tuple[str, str]]) -> str:
        """See `Dialect`; the key is any that the table has."""
        sets = ", ".join(f"{column} = {text.format(old=column, new=f'VALUES({column})')}" for column, text in merge)
        marks = ", ".join(["%s"] * len(columns))
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON DUPLICATE KEY UPDATE {sets}"  # noqa: S608 -- as above


def _load_text(table: Table | Change, path: str) -> str:
    octets = table.octets if isinstance(table, Table) else ()
    columns = [f"@v{place}" if place in octets else name for place, name in enumerate(table.columns)]
    sets = ", ".join(f"{table.columns[place]} = UNHEX(@v{place})" for place in octets)
    return (
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table.name} CHARACTER SET utf8mb4"
        f" ({', '.join(columns)}){' SET ' + sets if sets else ''}"
    )


# -- rows as LOAD DATA reads them: fields by tabs, lines by line feeds, \N for NULL


def text_of(table: Table | Change, rows: list[Row]) -> bytes:
    """Rows for LOAD DATA; octets in hexadecimal digits."""
    if isinstance(table, Table) and table.octets:
        first, behind = table.octets[0], table.octets[-1] + 1
        rows = [(*row[:first], *map(bytes.hex, row[first:behind]), *row[behind:]) for row in rows]
    forms = _forms(len(table.columns), table.nullable)
    nullable = table.nullable
    lines: list[str] = []
    nulls = 0
    if nullable:
        for row in rows:
            which = 0
            for place, column in enumerate(nullable):
                if row[column] is None:
                    which |= 1 << place
                    nulls += 1
            lines.append(forms[which] % row)
    else:
        (form,) = forms
        lines = [form % row for row in rows]
    text = "\n".join(lines)
    width = len(table.columns)
    odd = (
        text.count("\t") != (width - 1) * len(rows)
        or text.count("\n") != len(rows) - 1
        or text.count("\\") != nulls
    )  # fmt: skip
    text = "\n".join(map(_escaped, rows)) if odd else text
    return f"{text}\n".encode("utf-8", "replace")  # an empty last field at the very end would be none


def _forms(width: int, nullable: Sequence[int]) -> list[str]:
    """A format for each choice of columns that are None; `%.0s` takes a value and shows nothing."""
    forms = []
    for which in range(1 << len(nullable)):
        fields = ["%s"] * width
        for place, column in enumerate(nullable):
            if which >> place & 1:
                fields[column] = "\\N%.0s"
        forms.append("\t".join(fields))
    return forms


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})


def _escaped(row: Row) -> str:
    return "\t".join("\\N" if value is None else str(value).translate(_ESCAPES) for value in row)


def dialect_of(url: sqlalchemy.URL) -> Any:
    """The dialect of a database, by its URL."""
    return SqliteDialect() if url.get_backend_name() == "sqlite" else MariaDialect()
