"""The fixtures of tests/databases.py: each test gets an empty database, whatever the test before did to it."""

import datetime as dt
import threading

import pytest
from sqlalchemy import inspect, select

from emg.db import partitions
from emg.db.engine import Database
from emg.db.models import Base, Blacklist, Network
from tests.databases import MariaDb


def fill(database: Database) -> None:
    with database.session() as session:
        session.add(Network(prefix="46", country="SE"))


def look(database: Database) -> None:
    with database.session() as session:
        assert session.scalars(select(Network)).all() == []
    fill(database)
    with database.session() as session:
        assert session.scalars(select(Network.id)).all() == [1]


def test_a_database_is_empty(database: Database) -> None:
    look(database)


def test_a_database_is_empty_again(database: Database) -> None:
    """And ids count from 1, also when the rows of the test before were deleted or rolled back."""
    look(database)
    with database.session() as session:
        session.delete(session.scalars(select(Network)).one())
        session.rollback()


@pytest.mark.parametrize("turn", [1, 2])
def test_partitions_go_too(database: Database, turn: int) -> None:
    """The second turn finds none of the first's."""
    made = partitions.ensure(database, 3)
    assert made == (0 if database.is_sqlite else 8)


def test_the_url_is_of_the_same_database(database: Database, database_url: str) -> None:
    fill(database)
    other = Database(database_url)
    with other.session() as session:
        assert session.scalars(select(Network.prefix)).all() == ["46"]
    other.close()


def test_a_database_has_every_table(database: Database) -> None:
    assert set(inspect(database.engine).get_table_names()) - {"alembic_version"} == set(Base.metadata.tables)


def test_an_empty_one_has_no_table(empty_url: str) -> None:
    database = Database(empty_url)
    assert inspect(database.engine).get_table_names() == []
    database.close()


def test_a_server_comes_back_with_what_was_committed(own_mariadb: MariaDb) -> None:
    database = Database(own_mariadb.url("kept"))
    Base.metadata.create_all(database.engine, [Base.metadata.tables["blacklist"]])
    for number, end in enumerate((own_mariadb.kill, own_mariadb.stop)):
        with database.session() as session:
            session.add(Blacklist(address=str(number), updated=dt.datetime.now(dt.UTC)))
        end()
        own_mariadb.start()
    with database.session() as session:
        assert session.scalars(select(Blacklist.address).order_by(Blacklist.id)).all() == ["0", "1"]
    database.close()


def test_a_server_outlives_the_thread_that_started_it(own_mariadb: MariaDb) -> None:
    own_mariadb.stop()
    thread = threading.Thread(target=own_mariadb.start)
    thread.start()
    thread.join()
    assert own_mariadb.execute("SELECT 1") == [(1,)]
