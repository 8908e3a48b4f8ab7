"""What a view is given to work with: the configuration, the database, the gateway, the watchdog, who asks.

    with house.reading() as session:        # one moment of all tables; nothing is written
        rows = accounts.listing(session)
    with house.writing() as session:        # one transaction: kept at the end of the block, or nothing of it
        accounts.lock(session, house.actor(), name)
    house.tell_gateway()                    # after the transaction, never inside it
    status = house.look("/status")          # what the gateway says, or None: the page then says so by itself

No database session is held while the gateway or the watchdog is asked. Raises DatabaseError (the page for that is `portal.errors`) and whatever the block raises.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from flask import current_app, flash, g, request
from flask_login import current_user
from flask_sqlalchemy import SQLAlchemy

from emg.config.load import load
from emg.config.model import ServerConfig
from emg.control.client import Client, NotRunning, Unreachable
from emg.db.audit import Actor
from emg.db.connectors import Around
from emg.db.engine import Database, Session
from emg.db.models import Base
from emg.errors import ControlError
from portal.throttle import Throttle

LOOK_SECONDS: Final = 3.0
"""A page does not wait longer for a gateway that hangs."""
ACT_SECONDS: Final = 30.0
NAME: Final = "emg"


class Tables(SQLAlchemy):
    """Flask-SQLAlchemy on an engine that is made already, with all that `emg.db.engine` says of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        super().__init__(model_class=Base, session_options={"expire_on_commit": False})

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Any) -> Any:
        return self._database.engine


class House:
    """One portal's; `create_app` makes it. See the module's text."""

    def __init__(self, config: ServerConfig, database: Database) -> None:
        self.config = config
        """As the file was when the portal started, or when SIGHUP came."""
        self.database = database
        self.tables = Tables(database)
        self.wrong_logins = Throttle()

    def reload(self) -> None:
        """Read the configuration file again. Raises ConfigFaults, and goes on with what it has."""
        self.config = load(self.config.file)

    @property
    def around(self) -> Around:
        """What stands around the connectors of the tables."""
        return Around(self.config, os.environ.get("EMGDIR") or str(Path(self.config.file).resolve().parent))


def _house() -> House:
    return cast(House, current_app.extensions[NAME])


def config() -> ServerConfig:
    """The configuration file's."""
    return _house().config


def database() -> Database:
    """For what goes on when the request is over; a view takes `reading` and `writing`."""
    return _house().database


def wrong_logins() -> Throttle:
    """Who guessed passwords."""
    return _house().wrong_logins


def around() -> Around:
    """What stands around the connectors of the tables: sections of the file."""
    return _house().around


@contextlib.contextmanager
def reading() -> Iterator[Session]:
    """One moment of all tables, to read only. What it gives stays readable after the block, but for what was not loaded."""
    with _session(reading=True) as session:
        yield session
        written = session.new or session.dirty or session.deleted
        assert not written, "somebody wrote in a block that reads"


@contextlib.contextmanager
def writing() -> Iterator[Session]:
    """One transaction."""
    with _session(reading=False) as session:
        yield session


@contextlib.contextmanager
def _session(*, reading: bool) -> Iterator[Session]:
    house = _house()
    session = cast(Session, house.tables.session())
    assert not session.in_transaction(), "a block that reads or writes stands in another one"
    with house.database.guarded():
        try:
            if reading:
                options = {"reading": True} if house.database.is_sqlite else {"isolation_level": "REPEATABLE READ"}
                session.connection(execution_options=options)
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()  # gives the connection back: nothing is held while the page is made


def actor() -> Actor:
    """Who makes a change, for the audit log: the person, or the program whose key is shown (`portal.api.caller`)."""
    if (program := g.get("actor")) is not None:
        return cast(Actor, program)
    return Actor(current_user.name, address())


def address() -> str:
    """From where the request comes; of a proxy that we believe (`PORTAL_PROXIES`), what it says."""
    return request.remote_addr or ""


# -- the gateway


def gateway(seconds: float = ACT_SECONDS) -> Client:
    """To ask it for something to be done. Its methods raise ControlError with a sentence to show."""
    return Client(config().control, seconds)


def look(path: str, **query: str) -> Any | None:
    """What it says to a GET; None if nobody answers, and then every page says so (`gateway_away`). Raises ControlError for an answer that is an error."""
    if g.get("gateway_away"):
        return None  # a page that asks for five things does not wait five times
    try:
        return gateway(LOOK_SECONDS).get(path, **query)
    except Unreachable as error:
        g.gateway_away = str(error)
        return None


def ask(path: str, **body: Any) -> Any | None:
    """As `look`, for questions that have a body. An answer that is an error comes as `{"fault": sentence}`."""
    if g.get("gateway_away"):
        return None
    try:
        return gateway(LOOK_SECONDS).post(path, **body)
    except Unreachable as error:
        g.gateway_away = str(error)
        return None
    except ControlError as error:
        return {"fault": str(error)}


def tell_gateway() -> None:
    """Have it read the tables now. Never an error: it looks by itself every few seconds."""
    try:
        gateway(LOOK_SECONDS).post("/reload")
    except NotRunning:
        flash("Kept. No gateway runs; one that starts reads the change.", "warning")
    except ControlError as error:
        flash(f"Kept, but the gateway did not take it at once: {error}.", "warning")
