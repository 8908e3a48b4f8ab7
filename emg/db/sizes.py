"""How large the tables are, for people. Quick on a server, where rows are the server's guess; counted on SQLite."""

from typing import Any

from sqlalchemy import func, select, text

from emg.db import partitions
from emg.db.engine import Database
from emg.db.models import Base


def tables(database: Database) -> list[dict[str, Any]]:
    """Of each table `table`, `rows`; on a server also `bytes` with indexes, and the days that its partitions cover (`from`, `until`)."""
    names = sorted(Base.metadata.tables)
    if database.is_sqlite:
        return [{"table": name, "rows": _count(database, name)} for name in names]
    with database.session() as session:
        found = session.execute(
            text(
                "SELECT table_name, table_rows, data_length + index_length FROM information_schema.tables"
                " WHERE table_schema = DATABASE()"
            )
        )
        known = {name: (int(rows), int(octets)) for name, rows, octets in found}
        return [
            {"table": name, "rows": known[name][0], "bytes": known[name][1], **_days(session.connection(), name)}
            for name in names
        ]


def _count(database: Database, name: str) -> int:
    with database.session() as session:  # one transaction each: they shut out writers
        return session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) or 0


def _days(connection: Any, name: str) -> dict[str, Any]:
    if name not in partitions.TABLES:
        return {}
    pieces = partitions.listing(connection, name)
    days = [piece.before for piece in pieces if piece.before is not None]
    return {"partitions": len(pieces), "from": days[0] if days else None, "until": days[-1] if days else None}
