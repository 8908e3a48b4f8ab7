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
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from emg.db.refusals import explain
from emg.errors import EmgError

__all__ = ["Database", "DatabaseError", "Session", "translate"]

CONNECT_SECONDS = 5
ANSWER_SECONDS = 120
"""How long one statement may take; long work is done in steps."""
LOCK_SECONDS = 20

_SQLITE = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY")
_MYSQL = (
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO',"
    f" innodb_lock_wait_timeout = {LOCK_SECONDS}, lock_wait_timeout = {LOCK_SECONDS}"
)
_SERVERS = frozenset({"mysql", "mariadb"})
_DRIVER = "mysql+pymysql"
"""Of both: what our tables say for `mysql` would not hold for a dialect of another name."""


class DatabaseError(EmgError):
    """The database can't be used, or refused a statement."""

    def __init__(self, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


class Database:
    """See the module's text."""

    def __init__(self, url: str, *, answer_seconds: int = ANSWER_SECONDS) -> None:
        self.url = _read(url)
        self.engine = _engine(self.url, answer_seconds)
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
        """Where it is, for sentences and logs: a file, or server and name; nothing of the user."""
        if self.is_sqlite:
            return self.url.database or ":memory:"
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.url.database or ''} on {self.url.host or 'localhost'}{port}".strip()

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
    def looking(self) -> Iterator[Session]:
        """`reading` for queries that are made for a session."""
        with self.reading() as connection, Session(connection, autoflush=False) as session:
            yield session

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


def _read(url: str) -> sqlalchemy.URL:
    """The URL as its parts. What is wrong with it is not told in its own words: there is a password in them."""
    try:
        read = make_url(url)
        if read.get_backend_name() in _SERVERS:
            return read.set(drivername=_DRIVER)
        if read.drivername == "sqlite":
            return read
    except (ArgumentError, ValueError):
        pass
    raise DatabaseError("DATABASE must be sqlite:////path/of/a/file, or mysql+pymysql://user:password@host/name")


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
            "read_timeout": CONNECT_SECONDS,
            "write_timeout": answer_seconds,
            "charset": "utf8mb4",
        },
    )

    def prepare(connection: Any, _record: Any) -> None:
        # One that takes the connection and then says nothing is given up as soon as one that does not take it. The driver has no setting for
        # the greeting alone.
        connection._read_timeout = answer_seconds  # noqa: SLF001
        with connection.cursor() as cursor:
            cursor.execute(_MYSQL)

    event.listen(engine, "connect", prepare)
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


def translate(error: SQLAlchemyError, place: str) -> DatabaseError:
    """What happened in a sentence; the statement and its values stay out of it."""
    sentence, temporary = explain(error)
    return DatabaseError(f"the database {place}: {sentence}", temporary=temporary)
