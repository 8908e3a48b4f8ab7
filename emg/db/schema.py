"""The schema: made and brought up to date by the migrations in `sql/migrations`, and looked at before anybody uses a database.

`upgrade` may be started by several programs at once: one works, the others wait and find nothing to do. On SQLite all steps are one transaction. On
MariaDB every statement commits by itself; a step that was cut off is run again as a whole, and each is written so that this does no harm. Tables
of another program are never touched. `check` is cheap and knows no Alembic.

The folder `sql` stands beside the package `emg`: in the source tree as well as in what is installed from a wheel, where it is a package too.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table

import emg
from emg.db.engine import Database, DatabaseError
from emg.db.locks import alone
from emg.db.models import Base

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(emg.__file__).parents[1] / "sql" / "migrations"
VERSION_TABLE = "alembic_version"
STATEMENT_SECONDS = 12 * 3600
"""A change of a log with a thousand million rows takes hours."""
WAIT_SECONDS = 300
"""For another program that upgrades."""


@cache
def known() -> tuple[str, ...]:
    """All revisions of this version of the program, oldest first: the numbers that the files' names begin with."""
    return tuple(sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")))


def current(database: Database) -> str | None:
    """The revision that the database has; None for one without our tables. Raises DatabaseError."""
    file = database.file
    if file is not None and not file.exists():
        return None  # looking would make it
    with database.guarded(), database.engine.connect() as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num", String)).select_from(table(VERSION_TABLE)))


def check(database: Database) -> str | None:
    """None if the schema is the one that this program was written for; else a sentence with what to do. Raises DatabaseError."""
    found = current(database)
    if found == known()[-1]:
        return None
    if found is None:
        return f"the database {database.place} has no tables yet: run `emg db upgrade`"
    if found in known():
        return f"the database {database.place} has schema {found}, and this version of EMG needs {known()[-1]}: run `emg db upgrade`"
    return _newer(database, found)


def upgrade(database: Database, to: str = "head") -> tuple[str | None, str | None]:
    """Bring the schema to a revision; the revisions before and after. Raises DatabaseError.

    A database that somebody else's tables are in, or that a newer version of EMG has upgraded, is left alone.
    """
    from alembic import command  # only who migrates pays for its import

    _make_file(database)
    return _migrate(database, lambda config: command.upgrade(config, to))


def downgrade(database: Database, to: str) -> tuple[str | None, str | None]:
    """Back to a revision, or to `base`, which is nothing at all. What the later steps had added is lost."""
    from alembic import command

    return _migrate(database, lambda config: command.downgrade(config, to))


def _migrate(database: Database, work: "Callable[[Config], None]") -> tuple[str | None, str | None]:
    from alembic.config import Config

    patient = Database(database.url.render_as_string(hide_password=False), answer_seconds=STATEMENT_SECONDS)
    try:
        with patient.guarded(), _alone(patient) as connection:
            before = _current(connection)
            _refuse_foreign(database, connection, before)
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            work(config)
            return before, _current(connection)
    finally:
        patient.close()


def _refuse_foreign(database: Database, connection: Connection, before: str | None) -> None:
    if before is not None and before not in known():
        raise DatabaseError(_newer(database, before))
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables and (taken := tables & set(Base.metadata.tables)):
        raise DatabaseError(
            f"the database {database.place} has tables of another program ({', '.join(sorted(taken)[:5])}): give EMG a database of its own"
        )


def _newer(database: Database, found: str) -> str:
    return (
        f"the database {database.place} has schema {found} of a newer version of EMG; this one knows {known()[-1]} and leaves it alone:"
        " install the newer version"
    )


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A connection in a transaction, while nobody else migrates."""
    with (
        database.engine.connect() as connection,
        _alone_in_file(connection) if database.is_sqlite else _alone_on_server(database, connection),
    ):
        yield connection


@contextlib.contextmanager
def _alone_in_file(connection: Connection) -> Iterator[None]:
    # Copying a table drops the old one; with foreign keys on, SQLite would delete what refers to it. They can't be changed inside a transaction.
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.cursor().execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.begin():
            yield
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
            assert broken is None, f"a migration left a reference to nothing in {broken}"
    finally:
        raw.cursor().execute("PRAGMA foreign_keys=ON")


@contextlib.contextmanager
def _alone_on_server(database: Database, connection: Connection) -> Iterator[None]:
    with alone(database, connection, "schema", WAIT_SECONDS), connection.begin():
        yield


def _make_file(database: Database) -> None:
    """A new SQLite file is for its user and group: password hashes will be in it."""
    file = database.file
    if file is None or file.exists():
        return
    try:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o640))
    except OSError as error:
        raise DatabaseError(f"{file} can't be made: {(error.strerror or 'input/output error').lower()}") from None
