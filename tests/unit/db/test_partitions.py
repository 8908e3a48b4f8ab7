"""The log by the day: which partition a row is in, that none is ever refused, and that old days go."""

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import func, insert, select, text

from emg.db import partitions
from emg.db.engine import Database
from emg.db.models import Base, MessageBody, MessagePart, RouteLog
from tests.databases import MariaDb

TODAY = dt.date(2026, 11, 23)
TABLES = (RouteLog, MessageBody, MessagePart)


def make(database: Database) -> None:
    Base.metadata.create_all(database.engine, [Base.metadata.tables[name] for name in partitions.BY_DAY])


@pytest.fixture
def own(empty_url: str) -> Iterator[Database]:
    """A database of the test's own: the shared one would keep the partitions."""
    database = Database(empty_url)
    make(database)
    yield database
    database.close()


@pytest.fixture
def server(mariadb_server: MariaDb) -> Iterator[Database]:
    database = Database(mariadb_server.url("partitions"))
    make(database)
    yield database
    database.close()


def noon(days: int) -> dt.datetime:
    return dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC) + dt.timedelta(days=days)


def put(database: Database, *days: int, count: int = 1) -> None:
    """`count` messages with body and part on each of these days, counted from today."""
    with database.engine.begin() as connection:
        for day in days:
            at = noon(day)
            ids = [(day + 1000) * 10_000 + number for number in range(count)]
            connection.execute(insert(RouteLog), [{"id": number, "received": at} for number in ids])
            connection.execute(insert(MessageBody), [{"id": number, "received": at} for number in ids])
            connection.execute(
                insert(MessagePart),
                [{"id": number, "parent": 1, "received": at, "number": 1, "total": 2} for number in ids],
            )


def left(database: Database) -> list[list[int]]:
    """The days of what is left, table by table."""
    with database.session() as session:
        found = [session.scalars(select(table.received).order_by(table.received)).all() for table in TABLES]
    return [[(moment.date() - TODAY).days for moment in moments] for moments in found]


def names(database: Database, table: str = "routelog") -> list[str]:
    with database.engine.connect() as connection:
        return [partition.name for partition in partitions.listing(connection, table)]


def counted(database: Database, partition: str, table: str = "routelog") -> int:
    with database.engine.connect() as connection:
        return int(connection.scalar(text(f"SELECT COUNT(*) FROM {table} PARTITION ({partition})")) or 0)


def test_days_are_made_ahead_once(server: Database) -> None:
    assert names(server) == ["later"]
    assert partitions.ensure(server, 2, TODAY) == 6
    assert names(server) == ["earlier", "p20261123", "p20261124", "p20261125", "later"]
    assert names(server, "message_body") == names(server)
    assert partitions.ensure(server, 2, TODAY) == 0
    assert partitions.ensure(server, 2, TODAY + dt.timedelta(days=1)) == 2
    assert names(server)[-2:] == ["p20261126", "later"]


def test_no_row_is_ever_refused(server: Database) -> None:
    partitions.ensure(server, 1, TODAY)
    put(server, -400, -1, 0, 1, 2, 400)
    found = {name: counted(server, name) for name in names(server)}
    assert found == {"earlier": 2, "p20261123": 1, "p20261124": 1, "later": 2}


def test_rows_in_the_last_partition_get_their_days(server: Database) -> None:
    """`ensure` did not run for five days, and messages came on two of them."""
    partitions.ensure(server, 0, TODAY)
    put(server, 0, 2, 3, count=3)
    assert counted(server, "later") == 6
    assert partitions.ensure(server, 1, TODAY + dt.timedelta(days=5)) == 10
    assert {name: counted(server, name) for name in names(server)} == {
        "earlier": 0, "p20261123": 3, "p20261125": 3, "p20261126": 3, "p20261127": 0, "p20261128": 0, "p20261129": 0, "later": 0,
    }  # fmt: skip
    assert left(server)[0] == [0] * 3 + [2] * 3 + [3] * 3


def test_days_without_rows_that_have_passed_get_no_partition(server: Database) -> None:
    partitions.ensure(server, 0, TODAY)
    partitions.ensure(server, 0, TODAY + dt.timedelta(days=30))
    assert names(server) == ["earlier", "p20261123", "p20261223", "later"]


def test_the_first_call_on_a_log_with_years_in_it(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many partitions a call: what is older shares one."""
    monkeypatch.setattr(partitions, "MOST", 10)
    put(server, -3000, -11, -9, 0)
    partitions.ensure(server, 1, TODAY)
    assert len(names(server)) == 13
    assert counted(server, "earlier") == 2
    assert left(server)[0] == [-3000, -11, -9, 0]


def test_a_message_is_found_in_one_partition(server: Database) -> None:
    """An update by id and received, as the recorder makes them, and a search by day look into no other."""
    partitions.ensure(server, 5, TODAY)
    put(server, *range(6))
    at = noon(2).replace(tzinfo=None)
    with server.engine.connect() as connection:
        for statement in (
            "UPDATE routelog SET tries = 2 WHERE id = 10020000 AND received = :at",
            "DELETE FROM message_body WHERE id = 10020000 AND received = :at",
            "SELECT * FROM routelog WHERE received >= :at AND received < :at + INTERVAL 1 HOUR",
            # of a join the server only knows where to look while it runs: constants beside it say so before
            (
                "UPDATE routelog r JOIN (SELECT 10020000 AS id, CAST(:at AS DATETIME(6)) AS at) u ON r.id = u.id AND r.received = u.at SET r.tries = 3"
                " WHERE r.received BETWEEN :at AND :at + INTERVAL 1 HOUR"
            ),
        ):
            plan = connection.execute(text(f"EXPLAIN PARTITIONS {statement}"), {"at": at}).mappings().all()
            assert [row["partitions"] for row in plan if row["partitions"]] == ["p20261125"], statement


@pytest.mark.parametrize("made", [True, False])
def test_old_days_go(own: Database, made: bool) -> None:
    """With partitions or without: nothing from before the day is left, nothing of the day or after it is gone."""
    if made:
        partitions.ensure(own, 0, TODAY - dt.timedelta(days=3))
        partitions.ensure(own, 3, TODAY)
    put(own, -40, -3, -1, 0, 1, 9)
    dropped = partitions.drop_before(own, TODAY)
    assert left(own) == [[0, 1, 9]] * 3
    whole = made and not own.is_sqlite
    # `earlier` and the day before the gap go whole; what came in the gap shares today's partition.
    assert dropped == (partitions.Dropped(4, 5) if whole else partitions.Dropped(0, 9))
    assert partitions.drop_before(own, TODAY) == partitions.Dropped(0, 0)


def test_only_the_tables_that_are_named(own: Database) -> None:
    """Texts may go before the log does."""
    put(own, -2, 0)
    partitions.drop_before(own, TODAY, ("message_body",))
    assert left(own) == [[-2, 0], [0], [-2, 0]]


def test_many_rows_go_in_steps(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "STEP", 7)
    monkeypatch.setattr(partitions, "PAUSE_SECONDS", 0)
    put(database, -1, 0, count=20)
    assert partitions.drop_before(database, TODAY).rows == 60
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(RouteLog)) == 20


def test_rows_come_in_after_everything_was_dropped(server: Database) -> None:
    partitions.ensure(server, 1, TODAY)
    partitions.drop_before(server, TODAY + dt.timedelta(days=100))
    assert names(server) == ["later"]
    put(server, -1, 0)
    partitions.ensure(server, 1, TODAY)
    assert left(server)[0] == [-1, 0]
    assert names(server) == ["earlier", "p20261122", "p20261123", "p20261124", "later"]


def test_sqlite_has_no_partitions(tmp_path_factory: pytest.TempPathFactory) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('db')}/emg.db")
    make(database)
    assert partitions.ensure(database, 3, TODAY) == 0
    database.close()


def test_what_is_dropped_by_the_day_has_an_index_for_it() -> None:
    for name in partitions.BY_DAY:
        assert any(next(iter(index.columns)).name == "received" for index in Base.metadata.tables[name].indexes), name
