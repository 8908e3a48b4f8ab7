"""Locks by name: one program at a time does a duty, in one database."""

import threading

import pytest

from emg.db.engine import Database, DatabaseError
from emg.db.locks import alone
from tests.databases import MariaDb


def test_the_second_is_told_at_once_or_waits(mariadb_server: MariaDb) -> None:
    first, second = (Database(mariadb_server.url_of("emg_locks")) for _ in range(2))
    mariadb_server.url("emg_locks")
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with first.engine.connect() as connection, alone(first, connection, "duty", 1):
            entered.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(20)
    with second.engine.connect() as connection:
        with (
            pytest.raises(DatabaseError, match="another program is busy with its duty") as caught,
            alone(second, connection, "duty", 0),
        ):
            pass
        assert caught.value.temporary
        with alone(second, connection, "other duty", 0):
            pass
        leave.set()
        with alone(second, connection, "duty", 20):
            pass
    holder.join()
    first.close()
    second.close()


def test_a_lock_ends_with_what_was_done_under_it(database: Database) -> None:
    for _ in range(2):
        with database.engine.connect() as connection, pytest.raises(KeyError), alone(database, connection, "duty", 0):
            raise KeyError
