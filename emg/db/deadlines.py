"""A bound on how long queries of somebody who waits may take: a search over too much is ended by the database itself, and nobody else's is.

    with deadlines.within(session, 10.0, "The search took too long: …"):
        rows = messages.page(session, …)

Raises TooSlow with that sentence. What a database does not offer to bound (MySQL, but for MariaDB's name of it) is bounded by the connection's own deadline.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from emg.errors import EmgError

STEPS: Final = 20_000
"""Of SQLite's machine, after which it looks at the clock: a millisecond."""
_ENDED: Final = frozenset({1969, 3024, "SQLITE_INTERRUPT"})
"""How MariaDB, MySQL and SQLite say that a statement took too long."""


class TooSlow(EmgError):
    """A query was ended."""


@contextlib.contextmanager
def within(session: Session, seconds: float, sentence: str) -> Iterator[None]:
    """Each statement of the block on MariaDB, all of them together on SQLite, has so long."""
    free = _bind(session, seconds)
    try:
        yield
    except DBAPIError as error:
        if _code(error) in _ENDED:
            raise TooSlow(sentence) from error
        raise
    finally:
        free()


def _bind(session: Session, seconds: float) -> Callable[[], None]:
    """Set the bound; gives what takes it back."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        until = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        return lambda: driver.set_progress_handler(None, 0)
    own = bool(getattr(connection.dialect, "is_mariadb", False))
    name, value = ("max_statement_time", seconds) if own else ("max_execution_time", seconds * 1000)
    connection.exec_driver_sql(f"SET SESSION {name} = {value:g}")

    def free() -> None:
        try:
            connection.exec_driver_sql(f"SET SESSION {name} = 0")
        except SQLAlchemyError:
            connection.invalidate()  # it is of no use to anybody, and never goes to another one with our bound

    return free


def _code(error: DBAPIError) -> Any:
    name = getattr(error.orig, "sqlite_errorname", None)
    return name or (error.orig.args[0] if error.orig is not None and error.orig.args else None)
