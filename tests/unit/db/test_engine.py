"""The way to the database: every fault is one sentence without password, statement or value, says whether trying again helps, and comes in time."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from emg.db import engine
from emg.db.engine import Database, DatabaseError
from emg.db.models import Account, AccountAccess, Customer, Network
from tests.databases import PASSWORD, MariaDb
from tests.gateways import free_port
from tests.rows import MOMENT

SECRETS = (PASSWORD, "INSERT", "SELECT", "UPDATE", "[SQL", "sqlalche.me", "the value")


def told(database: Database, *statements: object) -> DatabaseError:
    """The error of the last of these statements, which must be a decent one."""
    with pytest.raises(DatabaseError) as caught, database.session() as session:
        for statement in statements:
            session.execute(text(statement) if isinstance(statement, str) else statement)  # type: ignore[call-overload]
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the database ")
    assert not [secret for secret in SECRETS if secret in str(caught.value)], caught.value
    return caught.value


@pytest.fixture
def wrong(mariadb_server: MariaDb) -> Iterator[list[Database]]:
    made: list[Database] = []
    yield made
    for database in made:
        database.close()


# -- the URL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "emg",
        "postgresql://u:secret@host/x",
        "mysql://u:secret@host:port/x",
        "sqlite+aiosqlite:///x",
        "://",
        "mysql+pymysql:secret",
        "oracle://",
    ],
)
def test_a_url_that_is_none_of_ours(url: str) -> None:
    with pytest.raises(DatabaseError, match="DATABASE must be sqlite:") as caught:
        Database(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    ["mysql://u:pw@h/n", "mysql+pymysql://u:pw@h/n", "mariadb://u:pw@h/n?charset=utf8mb4", "mysql+mysqldb://u:pw@h/n"],
)
def test_a_server_is_always_spoken_to_by_the_same_driver(url: str) -> None:
    database = Database(url)
    assert (database.engine.dialect.name, database.engine.driver) == ("mysql", "pymysql")
    assert database.place == "n on h"
    assert database.file is None
    assert not database.is_sqlite


# -- who can't be reached


def test_nobody_listens(wrong: list[Database]) -> None:
    wrong.append(Database(f"mysql://emg:{PASSWORD}@127.0.0.1:{free_port()}/emg"))
    error = told(wrong[0], "SELECT 1")
    assert str(error).endswith(": it can't be reached")
    assert error.temporary


def test_no_such_host(wrong: list[Database]) -> None:
    wrong.append(Database(f"mysql://emg:{PASSWORD}@no-such-host.invalid/emg"))
    assert told(wrong[0], "SELECT 1").temporary


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, wrong: list[Database]) -> None:
    """It takes the connection; the deadline for that is not the long one for answers."""
    import socket

    monkeypatch.setattr(engine, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wrong.append(Database(f"mysql://emg:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/emg"))
        assert told(wrong[0], "SELECT 1").temporary


def test_wrong_password(mariadb_server: MariaDb, wrong: list[Database]) -> None:
    wrong.append(Database(mariadb_server.url("there").replace(PASSWORD, "secret")))
    error = told(wrong[0], "SELECT 1")
    assert "does not let us in" in str(error)
    assert not error.temporary


def test_no_such_database(mariadb_server: MariaDb, wrong: list[Database]) -> None:
    wrong.append(Database(mariadb_server.url_of("not_there")))
    assert "no database of this name" in str(told(wrong[0], "SELECT 1"))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_ends_and_comes_back(own_mariadb: MariaDb, how: str) -> None:
    """The error is temporary, and the same `Database` works again afterwards."""
    database = Database(own_mariadb.url("emg"))
    with database.session() as session:
        session.execute(text("CREATE TABLE t (a INT) ENGINE=InnoDB"))
    with pytest.raises(DatabaseError) as caught, database.session() as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        getattr(own_mariadb, how)()
        session.execute(text("INSERT INTO t VALUES (2)"))
    assert caught.value.temporary
    assert told(database, "SELECT 1").temporary
    own_mariadb.start()
    with database.session() as session:
        assert session.scalar(text("SELECT COUNT(*) FROM t")) == 0
    database.close()


def test_a_statement_that_takes_too_long(mariadb_server: MariaDb) -> None:
    database = Database(mariadb_server.url("slow"), answer_seconds=1)
    error = told(database, "SELECT SLEEP(20)")
    assert str(error).endswith("did not answer in time")
    assert error.temporary
    with database.session() as session:
        assert session.scalar(text("SELECT 1")) == 1, "on another connection"
    database.close()


def test_a_deadlock_is_temporary(mariadb_server: MariaDb) -> None:
    database = Database(mariadb_server.url("deadlock"))
    with database.session() as session:
        session.execute(text("CREATE TABLE t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB"))
        session.execute(text("INSERT INTO t VALUES (1, 0), (2, 0)"))
    errors: list[DatabaseError] = []
    both = threading.Barrier(2, timeout=20)

    def change(first: int, second: int) -> None:
        try:
            with database.session() as session:
                session.execute(text(f"UPDATE t SET b = b + 1 WHERE a = {first}"))
                both.wait()
                session.execute(text(f"UPDATE t SET b = b + 1 WHERE a = {second}"))
        except DatabaseError as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(str(error).endswith("stood in each other's way"), error.temporary) for error in errors] == [(True, True)]
    database.close()


# -- a file


def test_a_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.1)
    database = Database(f"sqlite:///{tmp_path}/emg.db")
    with database.session() as session:
        session.execute(text("CREATE TABLE t (a INT)"))
    other = sqlite3.connect(tmp_path / "emg.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = told(database, "INSERT INTO t VALUES (1)")
    assert "another program has locked" in str(error)
    assert error.temporary
    with database.reading() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM t")) == 0, "readers are not shut out"
    other.close()
    database.close()


def test_a_file_that_is_read_only(tmp_path: Path) -> None:
    """Opened so: the test may run as root, whom no permissions stop."""
    sqlite3.connect(tmp_path / "emg.db").close()
    database = Database(f"sqlite:///file:{tmp_path}/emg.db?mode=ro&immutable=1&uri=true")
    error = told(database, "CREATE TABLE t (a INT)")
    assert "read-only" in str(error)
    assert not error.temporary
    database.close()


def test_a_file_that_is_none_of_sqlites(tmp_path: Path) -> None:
    (tmp_path / "emg.db").write_text("#!/bin/sh\n" * 1000)
    database = Database(f"sqlite:///{tmp_path}/emg.db")
    assert "no SQLite database" in str(told(database, "SELECT 1"))
    database.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none/emg.db")
    assert "can't be opened" in str(told(database, "SELECT 1"))


def test_a_reader_that_goes_on_to_write_never_fails_for_another_writer(tmp_path: Path) -> None:
    """A transaction has the write lock from its first statement on, or two that read first could not both go on."""
    database = Database(f"sqlite:///{tmp_path}/emg.db")
    with database.session() as session:
        session.execute(text("CREATE TABLE t (a INT)"))
        session.execute(text("INSERT INTO t VALUES (0)"))

    def count() -> None:
        for _ in range(20):
            with database.session() as session:
                session.execute(text("UPDATE t SET a = :a"), {"a": (session.scalar(text("SELECT a FROM t")) or 0) + 1})

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as session:
        assert session.scalar(text("SELECT a FROM t")) == 60
    database.close()


# -- rows, on both


def test_a_duplicate_key(database: Database) -> None:
    error = told(database, *[insert(Network).values(prefix="the value", country="SE")] * 2)
    assert "a row with this key already (" in str(error)
    assert "network" in str(error)
    assert not error.temporary


def test_a_value_that_is_missing(database: Database) -> None:
    assert "a value is missing" in str(
        told(database, "INSERT INTO network (prefix, country, name, mcc, mnc) VALUES (NULL, 'the value', '', '', '')")
    )


def test_a_reference_to_nothing(database: Database) -> None:
    error = told(database, insert(AccountAccess).values(account_id=77, network="the value", connector="*"))
    assert "not there" in str(error)


def test_rows_that_others_refer_to(database: Database) -> None:
    customer = {"id": 1, "name": "the value", "created": MOMENT, "updated": MOMENT}
    account = {"id": 1, "name": "acme", "customer_id": 1, "created": MOMENT, "updated": MOMENT}
    assert "refer to" in str(
        told(database, insert(Customer).values(customer), insert(Account).values(account), Customer.__table__.delete())
    )


def test_a_value_that_is_too_long(mariadb_server: MariaDb) -> None:
    """SQLite knows no length: rows are checked before they come here."""
    database = Database(mariadb_server.url("long"))
    Network.metadata.create_all(database.engine, [Network.__table__])  # type: ignore[list-item]
    assert str(told(database, insert(Network).values(prefix="the value" * 9, country="SE"))).endswith(
        "a value is too long (prefix)"
    )
    assert "does not fit" in str(
        told(
            database,
            "INSERT INTO network (id, prefix, country, name, mcc, mnc) VALUES ('the value', '', '', '', '', '')",
        )
    )
    database.close()


def test_a_table_that_is_not_there(database: Database) -> None:
    assert "emg db check" in str(told(database, "SELECT * FROM no_such"))
    assert "emg db check" in str(told(database, "SELECT no_such FROM network"))


def test_a_statement_that_is_none(database: Database) -> None:
    """Our own fault; even so nobody sees the statement."""
    error = told(database, "UPDATE INSERT the value")
    assert "refused a statement" in str(error)
    assert error.__cause__ is not None, "the log gets it whole"


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(KeyError), database.session() as session:
        session.execute(insert(Network).values(prefix="46", country="SE"))
        raise KeyError
    with database.session() as session:
        assert session.scalars(select(Network)).all() == []


# -- under gevent

GREENLETS = """
import sys, time
from gevent import monkey; monkey.patch_all()
import gevent
from sqlalchemy import text
from emg.db.engine import Database
database = Database(sys.stdin.readline())
with database.session() as session:
    session.scalar(text("SELECT 1"))
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1
gevent.spawn(tick)
def ask():
    with database.session() as session:
        session.scalar(text("SELECT SLEEP(0.5)"))
asked = [gevent.spawn(ask) for _ in range(4)]
gevent.joinall(asked, raise_error=True)
print(ticks)
"""


def test_other_greenlets_go_on_while_the_server_works(mariadb_server: MariaDb) -> None:
    """Four statements of half a second at once: a loop that stood still would count nothing meanwhile, and they would take two seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", GREENLETS],
        input=mariadb_server.url("greenlets"),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert 5 <= int(done.stdout) <= 100, "of 50; 200 if the statements had waited for each other"


def test_who_only_looks_sees_one_moment_and_stops_nobody(database: Database) -> None:
    with database.looking() as session:
        assert session.scalars(select(Network)).all() == []
        with database.session() as writer:
            writer.execute(insert(Network).values(prefix="46", country="SE"))
        assert session.scalars(select(Network)).all() == []
    with database.looking() as session:
        assert [network.prefix for network in session.scalars(select(Network))] == ["46"]
