r"""Databases for tests: fixtures that give the same test an SQLite file and a real MariaDB server, with the whole schema and nothing in it.

Known to every test (`tests/conftest.py` names this module). A test asks for a fixture and runs twice, as `[sqlite]` and `[mariadb]`:

    def test_an_account_is_found(database: Database) -> None:       # in process
        with database.session() as session: ...

    def test_the_program(database_url: str, tmp_path: Path) -> None:  # for a program's DATABASE; of the same test, the same database
        (tmp_path / "server.cfg").write_text(f"DATABASE={database_url}\n")

    def test_an_upgrade(empty_url: str) -> None:                    # a database without any table

`mariadb_server` is one server a test session (under pytest-xdist, a worker), started when a test first asks for it. A test that stops or kills
the server asks for `own_mariadb`, a server of its own (0.8 s); `.url()` is a fresh empty database on either. Both end with the session or the test,
by process id, and also when the test program dies. A kill -9 loses nothing that was committed. There is no skipping: where MariaDB is not
installed these tests fail with a sentence.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Column, MetaData, String, Table

from emg.db import schema
from emg.db.engine import Database
from emg.db.models import Base
from emg.db.models.base import PARTITIONED
from tests.gateways import free_port

USER, PASSWORD = "emg", "secret-of-the-test"
KINDS = ("sqlite", "mariadb")
WHOLE = PARTITIONED["mysql_partition_by"]
START_SECONDS = 30.0
STOP_SECONDS = 30.0
_OPTIONS = (
    "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin", "--performance-schema=OFF", "--local-infile=ON", "--max-allowed-packet=64M",
)  # fmt: skip
"""Small, and quick: a commit is safe from a kill of the server, not of the machine."""


_starter = ThreadPoolExecutor(1, "mariadbd")
"""Starts all servers: what is to end with its parent ends with the very thread that started it, and a test's own may end early."""


class MariaDb:
    """A MariaDB server with a data directory of its own. `options` go to mariadbd, after ours."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="emg-db-"))  # not the test's: a socket's path must be short
        self.socket = self.folder / "socket"
        # Its own too: a server that starts deletes what others have there.
        self._environment = os.environ | {"TMPDIR": str(self.folder)}
        self.port = free_port()
        self._running: subprocess.Popen[bytes] | None = None
        self._databases = 0
        try:
            self._install()
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._running is not None, "the server does not run"
        return self._running.pid

    def url(self, name: str = "") -> str:
        """URL of a database without any table; one of that name is made anew."""
        if not name:
            self._databases += 1
            name = f"test_{self._databases}"
        self.execute(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        """URL of a database that is there."""
        return f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run statements beside the product; the last one's rows."""
        rows: list[tuple[object, ...]] = []
        with (
            pymysql.connect(
                unix_socket=str(self.socket), user=USER, password=PASSWORD, database=database, autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def start(self) -> None:
        """Start it, unless it runs; it answers when this returns."""
        if self._running is not None and self._running.poll() is None:
            return
        # setpriv: the server must not outlive a test program that was killed.
        command = [
            _found("setpriv"), "--pdeathsig", "KILL", _found("mariadbd"), "--no-defaults", f"--user={getpass.getuser()}",
            f"--datadir={self.folder / 'data'}", f"--socket={self.socket}", f"--port={self.port}", f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'users.sql'}",
            f"--tmpdir={self.folder}",  # not a common one: a server that starts deletes what it takes for left-overs
            *_OPTIONS, *self.options,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            start = partial(
                subprocess.Popen, command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
            self._running = _starter.submit(start).result()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Shut it down as a service does; it has ended when this returns."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9; it has ended when this returns."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._running is None:
            return
        self._running.send_signal(how)
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait(STOP_SECONDS)
        self._running = None

    def _install(self) -> None:
        made = subprocess.run(
            [
                _found("mariadb-install-db"), "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
                f"--user={getpass.getuser()}", f"--datadir={self.folder / 'data'}",
            ],
            capture_output=True, text=True, timeout=60, check=False, env=self._environment,
        )  # fmt: skip
        assert made.returncode == 0, f"mariadb-install-db failed:\n{made.stdout}{made.stderr}"
        (self.folder / "users.sql").write_text(
            "".join(
                f"CREATE USER IF NOT EXISTS '{USER}'@'{host}' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'{host}';\n"
                for host in ("127.0.0.1", "localhost")
            )
        )

    def _answers(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as probe:  # the driver leaves its socket open where nobody answers
            if probe.connect_ex(str(self.socket)) != 0:
                return False
        self.execute("SELECT 1")
        return True


def _found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError(
            f"{program} is missing: the tests need what Debian calls mariadb-server (apt-get install mariadb-server)"
        )
    return path


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    """The server that the tests of this session share; nobody stops it."""
    server = MariaDb()
    yield server
    server.remove()


@pytest.fixture
def own_mariadb() -> Iterator[MariaDb]:
    """A server of the test's own, to stop, kill and start."""
    server = MariaDb()
    yield server
    server.remove()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database with the whole schema and nothing in it."""
    if database_kind == "mariadb":
        shared: _Shared = request.getfixturevalue("shared_mariadb")
        shared.empty()
        return shared.url
    template: Path = request.getfixturevalue("sqlite_template")
    shutil.copyfile(template, tmp_path / "emg.db")
    return f"sqlite:///{tmp_path / 'emg.db'}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the whole schema and nothing in it."""
    made = Database(database_url)
    yield made
    made.close()


@pytest.fixture
def empty_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without any table."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: MariaDb = request.getfixturevalue("mariadb_server")
    url = server.url()
    yield url
    server.execute(f"DROP DATABASE `{url.rpartition('/')[2]}`")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the whole schema, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _make_tables(f"sqlite:///{file}")
    return file


class _Shared:
    """The one database on the shared server that tests use in turn: emptying it is ten times as quick as making it."""

    name = "emg_test"

    def __init__(self, server: MariaDb) -> None:
        self.server = server
        self.url = server.url(self.name)
        _make_tables(self.url)
        self.tables = [
            str(row[0]) for row in server.execute("SHOW TABLES", database=self.name) if row[0] != schema.VERSION_TABLE
        ]

    def empty(self) -> None:
        """Empty what a test has filled, let ids count from 1 again, and take back partitions that it made."""
        look = [f"(SELECT '{table}' FROM `{table}` LIMIT 1)" for table in self.tables]
        counted = f"(SELECT table_name FROM information_schema.tables WHERE table_schema = '{self.name}' AND auto_increment > 1)"
        pieces = (
            "(SELECT CONCAT('+', table_name) FROM information_schema.partitions"
            f" WHERE table_schema = '{self.name}' AND partition_ordinal_position > 1 GROUP BY table_name)"
        )
        found = {
            str(row[0]) for row in self.server.execute(" UNION ALL ".join([*look, counted, pieces]), database=self.name)
        }
        again = [f"TRUNCATE TABLE `{table}`" for table in sorted(found) if table in self.tables]
        again += [f"ALTER TABLE `{table[1:]}` PARTITION BY {WHOLE}" for table in sorted(found) if table[0] == "+"]
        if again:
            self.server.execute("SET foreign_key_checks = 0, lock_wait_timeout = 10", *again, database=self.name)


@pytest.fixture(scope="session")
def shared_mariadb(mariadb_server: MariaDb) -> _Shared:
    """See `_Shared`."""
    return _Shared(mariadb_server)


def _make_tables(url: str) -> None:
    """What the migrations make (tests/unit/db/test_migrations.py holds them to it), in a tenth of the time."""
    database = Database(url)
    with database.guarded(), database.engine.begin() as connection:
        Base.metadata.create_all(connection)
        version = Table(schema.VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
        version.create(connection)
        connection.execute(version.insert().values(version_num=schema.known()[-1]))
    database.close()
