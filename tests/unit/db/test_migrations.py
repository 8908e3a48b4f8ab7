"""Models, migrations and the schema files say the same on both databases, and every migration goes up and down with data in every table.

Fails after a change of a model: `python -m sql draft TEXT` writes the migration, `make docs` the files.
"""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, text

from emg.db import schema
from emg.db.engine import Database
from emg.db.models import Base
from sql.__main__ import whole
from tests.rows import contents, fill

SQL = Path(schema.__file__).parents[2] / "sql"
FILES = {"sqlite": "schema-sqlite.sql", "mariadb": "schema-mysql.sql"}


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.close()


def dump(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Every table and index as the database itself tells it: columns in their order, keys and constraints in any."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(
            text("SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        ).all()
        return {name: _split(re.sub(r"\s+", " ", sql), r", (?=CONSTRAINT )") for name, sql in found}
    names = connection.execute(text("SHOW TABLES")).scalars().all()
    return {
        name: _split(connection.execute(text(f"SHOW CREATE TABLE `{name}`")).one()[1], r",?\n(?=  (?!`)|\))")
        for name in names
    }


def _split(sql: str, at: str) -> tuple[str, ...]:
    bare = sql.replace(" ,", ",").replace("( ", "(").replace(" )", ")").removesuffix(")").strip()
    columns, *keys = re.split(at, re.sub(r" AUTO_INCREMENT=\d+", "", bare))
    return (columns, *sorted(key.strip(" )") for key in keys))


def dump_of(database: Database) -> dict[str, tuple[str, ...]]:
    with database.engine.connect() as connection:
        return dump(connection)


def run_script(database: Database, script: str) -> None:
    """Load a schema file as a person would, with the database's own client."""
    if database.file is not None:
        connection = sqlite3.connect(database.file)
        connection.executescript(script)
        connection.close()
        return
    with database.engine.begin() as server:
        for statement in script.split(";\n"):
            if statement.strip():
                server.exec_driver_sql(statement)


def reflected(connection: Connection) -> MetaData:
    tables = MetaData()
    tables.reflect(connection)
    tables.remove(tables.tables[schema.VERSION_TABLE])
    return tables


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_tests_own_databases_are_no_different(empty: Database, database: Database) -> None:
    schema.upgrade(empty)
    assert schema.check(database) is None
    migrated, made = dump_of(empty), dump_of(database)
    assert migrated.keys() == made.keys()
    version = next(name for name in made if name.endswith(schema.VERSION_TABLE))
    assert {name: migrated[name] for name in made if name != version} == {
        name: made[name] for name in made if name != version
    }


@pytest.mark.parametrize(("kind", "file"), [("sqlite", "schema-sqlite.sql"), ("mysql", "schema-mysql.sql")])
def test_the_schema_files_are_written_anew(kind: str, file: str) -> None:
    assert (SQL / file).read_text() == whole(kind), "run `make docs`"


def test_the_schema_files_make_what_the_migrations_make(
    empty: Database, empty_url: str, tmp_path: Path, database_kind: str
) -> None:
    schema.upgrade(empty)
    migrated = dump_of(empty)
    schema.downgrade(empty, "base")
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {schema.VERSION_TABLE}")
    run_script(empty, (SQL / FILES[database_kind]).read_text())
    assert dump_of(empty) == migrated
    assert schema.check(empty) is None


def test_revisions_are_numbers_without_gaps() -> None:
    assert schema.known() == tuple(f"{number:04d}" for number in range(1, len(schema.known()) + 1))


@pytest.mark.parametrize("revision", schema.known())
def test_a_migration_goes_up_and_down_with_data_in_every_table(empty: Database, revision: str) -> None:
    """What was there before the step is there after it, and after taking it back; then up again."""
    place = schema.known().index(revision)
    before = schema.known()[place - 1] if place else "base"
    if place:
        schema.upgrade(empty, before)
        with empty.engine.begin() as connection:
            old = reflected(connection)
            kept = fill(connection, old)
        schema.upgrade(empty, revision)
        schema.downgrade(empty, before)
        with empty.engine.begin() as connection:
            assert contents(connection, old) == kept
            if connection.dialect.name != "sqlite":  # rows that name rows of their own table
                connection.execute(text("SET SESSION foreign_key_checks = 0"))
            for table in reversed(old.sorted_tables):
                connection.execute(table.delete())
            if connection.dialect.name != "sqlite":
                connection.execute(text("SET SESSION foreign_key_checks = 1"))
    schema.upgrade(empty, revision)
    with empty.engine.begin() as connection:
        fill(connection, reflected(connection))
    schema.downgrade(empty, before)
    if not place:
        assert inspect(empty.engine).get_table_names() == [schema.VERSION_TABLE]
    schema.upgrade(empty)
    assert schema.check(empty) is None


def test_every_table_takes_rows_of_the_models(database: Database) -> None:
    """Enums, booleans, octets and microseconds go in and come back the same on both databases."""
    with database.engine.begin() as connection:
        kept = fill(connection, Base.metadata)
    assert {name: len(rows) for name, rows in kept.items()} == dict.fromkeys(Base.metadata.tables, 3)
    moments = {row.received for row in _log(database)}
    assert {moment.microsecond for moment in moments} == {250000}
    assert all(moment.tzinfo is not None for moment in moments)


def _log(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return list(connection.execute(Base.metadata.tables["routelog"].select()))


def test_the_number_of_a_row_that_is_gone_is_never_given_again(database: Database) -> None:
    """Of every table whose rows are counted: the log and the gateway's balances name rows by it."""
    tables = [table for table in Base.metadata.tables.values() if table.autoincrement_column is not None]
    counted = [table for table in tables if table.autoincrement_column.autoincrement is True]
    assert {"account", "route", "price", "customer"} < {table.name for table in counted}
    assert all(table.dialect_options["sqlite"]["autoincrement"] for table in counted)
    with database.engine.begin() as connection:
        numbers = []
        for _ in range(2):
            insert = Base.metadata.tables["network"].insert().values(prefix="46", country="SE")
            numbers.append(connection.execute(insert).inserted_primary_key[0])
            connection.execute(Base.metadata.tables["network"].delete())
    assert numbers[1] > numbers[0]
