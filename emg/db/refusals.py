"""What a database says when it does not do what it was asked, in our words: facts as tables, one for each kind.

`explain(error)` gives (what is wrong, as the rest of a sentence; whether trying again can help by itself). Neither a statement nor a value nor a password
is ever in it, except the name of the key, table or column concerned. What no table knows is told by its number, and is temporary if it was about the
connection and not about the statement.
"""

import re
from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Refusal(NamedTuple):
    """What it means; `{}` stands for the name that the database tells with it."""

    sentence: str
    temporary: bool = False


_LOST = Refusal("the connection was lost", temporary=True)
_BUSY = Refusal("another program has locked what was asked for", temporary=True)
_DUPLICATE = Refusal("there is a row with this key already ({})")
_REFERRED = Refusal("other rows refer to this one")
_NO_REFERENCE = Refusal("it refers to a row that is not there")
_MISSING = Refusal("a value is missing ({})")
_UNFIT = Refusal("a value does not fit its column ({})")
_OLD = Refusal("it has another schema than this version of EMG needs: `emg db check` says more")
_LOGIN = Refusal(
    "it does not let us in: user or password in DATABASE is wrong, or the user has no right to this database"
)
_NO_RIGHT = Refusal("the user in DATABASE has no right to do this")
_READ_ONLY = Refusal("it is read-only")
_FULL = Refusal("its disk is full", temporary=True)
_UNREACHED = Refusal("it can't be reached", temporary=True)

SERVER: Final = {
    0: _LOST, 1027: _BUSY, 1040: Refusal("it has too many connections", temporary=True), 1044: _LOGIN, 1045: _LOGIN, 1698: _LOGIN,
    1021: _FULL, 1114: _FULL, 1041: Refusal("it has no memory left", temporary=True), 1037: Refusal("it has no memory left", temporary=True),
    1046: Refusal("DATABASE names no database on the server"), 1049: Refusal("the server has no database of this name"),
    1048: _MISSING, 1364: _MISSING, 1053: Refusal("it is being shut down", temporary=True), 1054: _OLD, 1146: _OLD,
    1062: _DUPLICATE, 1586: _DUPLICATE, 1142: _NO_RIGHT, 1143: _NO_RIGHT, 1227: _NO_RIGHT, 1290: _READ_ONLY, 1792: _READ_ONLY, 1836: _READ_ONLY,
    1130: Refusal("it takes no connections from this machine"), 1129: Refusal("it takes no connections from this machine"),
    1203: Refusal("its user has too many connections", temporary=True), 1226: Refusal("its user is over a limit", temporary=True),
    1205: _BUSY, 1213: Refusal("two programs stood in each other's way", temporary=True), 1020: _BUSY,
    1264: _UNFIT, 1265: _UNFIT, 1292: _UNFIT, 1366: _UNFIT, 1367: _UNFIT, 1406: Refusal("a value is too long ({})"),
    1153: Refusal("a value is too long"), 1217: _REFERRED, 1451: _REFERRED, 1216: _NO_REFERENCE, 1452: _NO_REFERENCE,
    1317: Refusal("somebody has ended the statement", temporary=True), 1927: _LOST, 1969: Refusal("it did not answer in time", temporary=True),
    2002: _UNREACHED, 2003: _UNREACHED, 2005: Refusal("there is no such host", temporary=True), 2006: _LOST, 2013: _LOST, 2014: _LOST, 4031: _LOST,
}  # fmt: skip
"""By the number that MariaDB, MySQL and PyMySQL give."""

FILE: Final = {
    "SQLITE_BUSY": _BUSY, "SQLITE_LOCKED": _BUSY, "SQLITE_READONLY": Refusal("the file or its folder is read-only"),
    "SQLITE_CANTOPEN": Refusal("the file can't be opened"), "SQLITE_NOTADB": Refusal("the file is no SQLite database"),
    "SQLITE_CORRUPT": Refusal("the file is damaged"), "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": Refusal("the file can't be read or written: input/output error", temporary=True), "SQLITE_PERM": Refusal("permission denied"),
    "SQLITE_AUTH": Refusal("permission denied"), "SQLITE_NOMEM": Refusal("there is no memory left", temporary=True),
    "SQLITE_CONSTRAINT_UNIQUE": _DUPLICATE, "SQLITE_CONSTRAINT_PRIMARYKEY": _DUPLICATE, "SQLITE_CONSTRAINT_ROWID": _DUPLICATE,
    "SQLITE_CONSTRAINT_NOTNULL": _MISSING, "SQLITE_CONSTRAINT_FOREIGNKEY": Refusal("rows would refer to one that is not there"),
    "SQLITE_TOOBIG": Refusal("a value is too long"), "SQLITE_MISMATCH": _UNFIT, "SQLITE_INTERRUPT": Refusal("the statement was ended", temporary=True),
}  # fmt: skip
"""By SQLite's name of the error, or of its family."""

_TIMED_OUT = Refusal("it did not answer in time", temporary=True)
_POOL = Refusal("all connections of this program are in use", temporary=True)
_NAME = re.compile(r"(?:for key|for column|[Cc]olumn|Field) '([^']+)'|failed: (.+)")
_NO_TABLE = re.compile(r"no such (table|column)|has no column named")


def explain(error: SQLAlchemyError) -> tuple[str, bool]:
    """See the module's text."""
    if isinstance(error, PoolTimeout):
        return _POOL
    if not isinstance(error, DBAPIError) or error.orig is None:
        return f"it can't be used ({type(error).__name__})", False
    text = str(error.orig.args[-1]) if error.orig.args else ""
    found = _file(error.orig, text) or _server(error.orig, text)
    if found is None:
        told = type(error.orig).__name__
        temporary = isinstance(error, OperationalError | InterfaceError | InternalError)
        return f"it refused a statement ({told}{_number(error.orig)})", temporary or error.connection_invalidated
    name = _NAME.search(text)
    sentence = found.sentence.replace(" ({})", f" ({name[1] or name[2]})" if name else "")
    return sentence, found.temporary or error.connection_invalidated


def _file(error: BaseException, text: str) -> Refusal | None:
    name = getattr(error, "sqlite_errorname", None)
    if name is None:
        return None
    if name == "SQLITE_ERROR" and _NO_TABLE.search(text):
        return _OLD
    return FILE.get(name) or FILE.get("_".join(name.split("_")[:2]))


def _server(error: BaseException, text: str) -> Refusal | None:
    code = error.args[0] if error.args else None
    if code == 2013 and "timed out" in text:
        return _TIMED_OUT
    return SERVER.get(code) if isinstance(code, int) else None


def _number(error: BaseException) -> str:
    number = getattr(error, "sqlite_errorname", None) or (
        error.args[0] if error.args and isinstance(error.args[0], int) else None
    )
    return f" {number}" if number is not None else ""
