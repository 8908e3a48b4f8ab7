"""The way to the database: one `Database` a program, made from DATABASE's URL.

`sqlite:///path` (embedded, WAL, full sync) or `mysql+pymysql://user:password@host/name` (MySQL, MariaDB). `session()` is one transaction: committed at
the end of the block, rolled back when the block raises. Whatever the database does wrong comes as `DatabaseError`, one sentence without password or
SQL; `temporary` says that trying again can help (not reachable, locked, deadlock). Every wait has a deadline.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from emg.errors import EmgError

CONNECT_SECONDS = 5
ANSWER_SECONDS = 120
"""How long one statement may take; long work is done in steps."""
LOCK_SECONDS = 20

_SQLITE = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY")
_MYSQL = (
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO',"
    f" innodb_lock_wait_timeout = {LOCK_SECONDS}, lock_wait_timeout = {LOCK_SECONDS}"
)
_TEMPORARY_CODES = frozenset((1040, 1205, 1213, 2002, 2003, 2006, 2013, 1053, 1927, 4031))
"""Too many connections, lock wait, deadlock, not reachable, gone away, lost, shutting down, killed, idle too long."""


class DatabaseError(EmgError):
    """The database can't be used, or refused a statement."""

    def __init__(self, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


class Database:
    """See the module's text."""

    def __init__(self, url: str, *, answer_seconds: int = ANSWER_SECONDS) -> None:
        try:
            self.url = make_url(url)
            self.engine = _engine(self.url, answer_seconds)
        except (ArgumentError, SQLAlchemyError, ImportError) as error:
            raise DatabaseError(f"DATABASE can't be used: {type(error).__name__}") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """The embedded one."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """Of the embedded one; None for a server, and for one in memory."""
        name = self.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @property
    def place(self) -> str:
        """Where it is, without the password; for sentences and logs."""
        return self.url.render_as_string(hide_password=True)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction. Raises DatabaseError; an EmgError raised inside passes unchanged."""
        with self.guarded(), self._sessions() as session, session.begin():
            yield session

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlalchemy.Connection]:
        """One moment of all tables, to read only; others go on writing. Raises DatabaseError."""
        options = {"reading": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.guarded(), self.engine.connect() as connection, connection.execution_options(**options).begin():
            yield connection

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """What the database raises inside becomes a DatabaseError."""
        try:
            yield
        except SQLAlchemyError as error:
            raise translate(error, self.place) from error

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def _engine(url: sqlalchemy.URL, answer_seconds: int) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(url, connect_args={"timeout": LOCK_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=600,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": answer_seconds,
            "write_timeout": answer_seconds,
            "charset": "utf8mb4",
        },
    )
    event.listen(engine, "connect", _prepare_mysql)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, also before a SELECT
    cursor = connection.cursor()
    for statement in _SQLITE:
        cursor.execute(statement)
    cursor.close()


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later could not get it and would fail."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


def _prepare_mysql(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(_MYSQL)
    cursor.close()


def translate(error: SQLAlchemyError, place: str) -> DatabaseError:
    """What happened in a sentence; the statement and its values stay out of it."""
    if not isinstance(error, DBAPIError):
        return DatabaseError(f"the database {place} can't be used: {type(error).__name__}")
    original = error.orig
    arguments = getattr(original, "args", ())
    code = arguments[0] if arguments and isinstance(arguments[0], int) else 0
    text = str(arguments[-1]) if arguments else type(error).__name__
    locked = isinstance(error, OperationalError) and "locked" in text
    temporary = error.connection_invalidated or code in _TEMPORARY_CODES or locked
    return DatabaseError(f"the database {place}: {text.splitlines()[0] if text else code}", temporary=temporary)
