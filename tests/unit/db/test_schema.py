"""Making the schema and bringing it up to date: what it refuses, what it leaves alone, and two that do it at once."""

import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from emg.db import schema
from emg.db.engine import Database, DatabaseError
from tests.databases import MariaDb

ROOT = Path(__file__).parents[3]
HEAD = schema.known()[-1]


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.close()


def execute(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(statement))


def test_an_empty_database_gets_everything_and_the_second_time_nothing(empty: Database) -> None:
    told = schema.check(empty)
    assert told is not None
    assert "no tables yet: run `emg db upgrade`" in told
    assert schema.upgrade(empty) == (None, HEAD)
    assert schema.check(empty) is None
    assert schema.upgrade(empty) == (HEAD, HEAD)


def test_an_older_schema_names_the_way(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.upgrade(empty)
    found = schema.known()
    monkeypatch.setattr(schema, "known", lambda: (*found, "9999"))
    told = schema.check(empty)
    assert told is not None
    assert f"has schema {HEAD}, and this version of EMG needs 9999: run `emg db upgrade`" in told


def test_a_newer_schema_is_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    execute(empty, f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    told = schema.check(empty)
    assert told is not None
    assert "schema 9999 of a newer version" in told
    with pytest.raises(DatabaseError, match="newer version"):
        schema.upgrade(empty)
    with pytest.raises(DatabaseError, match="newer version"):
        schema.downgrade(empty, "base")
    assert "account" in inspect(empty.engine).get_table_names()


def test_tables_of_another_program_are_left_alone(empty: Database) -> None:
    execute(empty, "CREATE TABLE account (a INTEGER)")
    with pytest.raises(DatabaseError, match=r"tables of another program \(account\)"):
        schema.upgrade(empty)
    assert inspect(empty.engine).get_table_names() == ["account"]


def test_tables_of_others_with_other_names_are_no_hindrance(empty: Database) -> None:
    execute(empty, "CREATE TABLE weather (a INTEGER)")
    schema.upgrade(empty)
    schema.downgrade(empty, "base")
    assert set(inspect(empty.engine).get_table_names()) == {"weather", schema.VERSION_TABLE}


def test_two_at_once(empty_url: str, empty: Database) -> None:
    """One makes everything, the other waits for it and finds nothing to do."""
    program = (
        "import sys; from emg.db import schema; from emg.db.engine import Database; "
        "print(schema.upgrade(Database(sys.stdin.readline())))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for one in started:
        assert one.stdin is not None
        one.stdin.write(empty_url)
        one.stdin.close()
    told = []
    for one in started:
        assert one.stdout is not None
        told.append(one.stdout.read().strip())
        one.stdout.close()
        assert one.wait(30) == 0
    assert sorted(told) == sorted([str((None, HEAD)), str((HEAD, HEAD)), str((HEAD, HEAD))])
    assert schema.check(empty) is None


def test_an_upgrade_that_was_cut_off_is_run_again(mariadb_server: MariaDb) -> None:
    """MariaDB keeps each table as soon as it is made: half of them are there, and the version is not."""
    database = Database(mariadb_server.url("cut_off"))
    schema.upgrade(database)
    tables = sorted(inspect(database.engine).get_table_names())
    with database.engine.begin() as connection:
        connection.execute(text("SET foreign_key_checks = 0"))
        for table in tables[::2]:
            if table != schema.VERSION_TABLE:
                connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(
            text("DROP INDEX ix_audit_log_name ON audit_log" if "audit_log" not in tables[::2] else "DO 0")
        )
        connection.execute(text("SET foreign_key_checks = 1"))
        connection.execute(text(f"DELETE FROM {schema.VERSION_TABLE}"))
    assert schema.upgrade(database) == (None, HEAD)
    assert sorted(inspect(database.engine).get_table_names()) == tables
    database.close()


def test_a_step_that_fails_changes_nothing_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps are one transaction; foreign keys hold again afterwards."""
    database = Database(f"sqlite:///{tmp_path / 'emg.db'}")
    from alembic import command

    real = command.upgrade

    def fail(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        raise DatabaseError("the power failed")

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(DatabaseError, match="power"):
        schema.upgrade(database)
    assert inspect(database.engine).get_table_names() == []
    with database.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    database.close()


def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    """Password hashes will be in it."""
    file = tmp_path / "a % folder" / "emg.db"
    file.parent.mkdir()
    database = Database(f"sqlite:///{file}")
    assert schema.check(database) is not None
    assert not file.exists(), "looking makes no file"
    schema.upgrade(database)
    assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0
    database.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'emg.db'}")
    with pytest.raises(DatabaseError, match=r"none/emg\.db can't be made: no such file or directory"):
        schema.upgrade(database)


def test_what_is_installed_brings_the_schema() -> None:
    """A wheel has the modules of each package, and of other files what `package-data` names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "sql*" in settings["packages"]["find"]["include"]
    files = [
        file.relative_to(ROOT / "sql")
        for file in (ROOT / "sql").rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    ]
    patterns = settings["package-data"]["sql"]
    assert [str(file) for file in files if not any(file.match(pattern) for pattern in patterns)] == []
    assert all((file.parent / "__init__.py").exists() for file in (ROOT / "sql").rglob("*.py"))
