"""A lock by name that the database server holds for one connection: of several programs one works, the others wait or leave it.

On SQLite there is none and none is needed: each of its transactions shuts out all others.
"""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, text

from emg.db.engine import Database, DatabaseError


@contextlib.contextmanager
def alone(database: Database, connection: Connection, duty: str, seconds: int) -> Iterator[None]:
    """Hold the lock of a duty in this database; it also ends with the connection. No transaction may be open before.

    Raises DatabaseError, temporary, if somebody else still has it after `seconds`.
    """
    if database.is_sqlite:
        yield
        return
    name = f"emg {duty} {database.url.database}"[:64]
    if not connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": name, "seconds": seconds}):
        raise DatabaseError(f"the database {database.place}: another program is busy with its {duty}", temporary=True)
    connection.commit()
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.scalar(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
            connection.commit()
