"""Backups put back under the programs as they run: a database older than the log, one so old that the spool does not hold all events any more, an older copy
of the spool. In the end gateway, account and ledger agree on what was charged, no id was given twice, and what is missing is told.
"""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import text

from emg.db import schema
from emg.db.engine import Database
from emg.db.models import Refund
from emg.recorder.source import Source
from tests.durability.test_charging import PRICE, stocked
from tests.gateways import ROOT, GatewayProcess, Program, SinkProcess, eventually, incoming, outgoing

SECONDS = 60.0


class Embedded:
    """An SQLite file, and its backup."""

    def __init__(self, folder):
        self.file, self.kept = folder / "emg.db", folder / "backup.db"
        self.url = f"sqlite:///{self.file}"

    def backup(self):
        with closing(sqlite3.connect(self.file)) as db:
            self.kept.unlink(missing_ok=True)
            db.execute("VACUUM INTO ?", (str(self.kept),))

    def restore(self):
        """Into the file that programs have open, as `sqlite3 emg.db ".restore …"` does."""
        with closing(sqlite3.connect(self.kept)) as kept, closing(sqlite3.connect(self.file)) as db:
            kept.backup(db)


class Served:
    """A MariaDB of our own, and the copy of its files."""

    def __init__(self, server):
        self.server = server
        self.url = server.url()
        self.kept = server.folder / "backup"

    def backup(self):
        self.server.stop()
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.server.folder / "data", self.kept)
        self.server.start()

    def restore(self):
        self.server.kill()
        shutil.rmtree(self.server.folder / "data")
        shutil.copytree(self.kept, self.server.folder / "data")
        self.server.start()


class World:
    """Gateway, recorder and a sink that reports at once."""

    def __init__(self, folder, kept, stack):
        self.folder, self.kept = folder, kept
        self.database = Database(kept.url)
        stack.callback(self.database.close)
        schema.upgrade(self.database)
        stocked(self.database, Refund.NEVER, 100_000)
        sink = stack.enter_context(SinkProcess(folder / "sink"))
        config = (
            f"DATABASE={kept.url}\nOUTBOXSIZE=1000\n"
            + incoming("customers", WINDOWSIZE=50, INSTANCES=10)
            + outgoing("operator", sink.address, WINDOWSIZE=50, INSTANCES=2)
        )
        self.gateway = stack.enter_context(GatewayProcess(folder, config))
        self.spool = folder / "spool"
        self.loads = 0
        self.recorder = None
        self.start_recorder()
        stack.callback(self.kill_recorder)

    def kill_recorder(self):
        self.recorder.kill()

    def start_recorder(self):
        self.recorder = Program(["recorder", "-c", str(self.gateway.config_file)], self.folder / "recorder")

    def stop_recorder(self):
        self.recorder.signal(signal.SIGTERM)
        assert self.recorder.wait() == 0, self.recorder.printed()

    def load(self, messages):
        """Ids that were given."""
        self.loads += 1
        ledger = self.folder / f"{self.loads}.ledger"
        self.run(
            "load", "--quiet", "--json", "--system-id", "acme", "--password", "secret", "--to", f"127.0.0.1:{self.gateway.port()}",
            "--messages", str(messages), "--sessions", "2", "--window", "20", "--recipients", "467:7", "--reports", "--ledger", str(ledger),
        )  # fmt: skip
        given = [line.split("\t")[2] for line in ledger.read_text().splitlines() if line.startswith("acked\t")]
        assert len(given) == messages
        return given

    def run(self, *command):
        done = subprocess.run(
            [sys.executable, str(ROOT / "app.py"), *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def recorded(self):
        def there():
            last = self.gateway.query("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")[0][0]
            status = self.gateway.control("GET", "/status")
            return not status["queued"] and self.gateway.control("GET", "/outbox")["recorded"] == last

        eventually(there, SECONDS, "all is recorded")

    def charged(self):
        """By the gateway, the account, the ledger."""
        with self.database.session() as session:
            found = [
                int(session.execute(text(query)).scalar() or 0)
                for query in (
                    "SELECT sum(charged) FROM account",
                    "SELECT -sum(amount) FROM ledger WHERE kind IN ('traffic', 'restored')",
                )
            ]
        return [self.gateway.query("SELECT sum(charged) FROM balance")[0][0], *found]

    def logged(self):
        with self.database.session() as session:
            return {str(row[0]): row[1] for row in session.execute(text("SELECT id, status FROM routelog"))}

    def notice(self):
        return self.gateway.control("GET", "/status")["recorder_notice"]


def older_database(world):
    """What the spool still holds is recorded once more."""
    given = world.load(60)
    world.recorded()
    world.kept.backup()
    given += world.load(60)
    world.recorded()
    world.database.engine.dispose()
    world.kept.restore()
    given += world.load(30)
    world.recorded()
    assert set(world.logged()) == set(given)
    assert set(world.logged().values()) == {"delivered"}
    assert world.charged() == [150 * PRICE] * 3
    assert not world.notice()
    return given


def much_older_database(world, given):
    """The spool has let go of some of it."""
    world.kept.backup()
    world.load(1500)
    position = world.gateway.query("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")[0][0] // 3
    eventually(lambda: world.gateway.query("SELECT min(seq) FROM outbox")[0][0] > position, SECONDS, "it is trimmed")
    world.recorded()
    world.stop_recorder()
    world.database.engine.dispose()
    world.kept.restore()
    world.start_recorder()
    eventually(world.notice, SECONDS, "the gateway shows it")
    world.recorded()
    assert "events are missing in the log, between" in world.notice()
    assert set(given) <= set(world.logged())
    assert world.charged() == [1650 * PRICE] * 3
    (gap,) = json.loads(world.run("db", "gaps", "--json", "-c", str(world.gateway.config_file)))
    assert (gap["kind"], gap["corrected"]) == ("events", 1)
    world.run("db", "acknowledge", str(gap["id"]), "--note", "Sunday's backup", "-c", str(world.gateway.config_file))
    eventually(lambda: not world.notice(), SECONDS, "it has been seen")
    assert (world.folder / "log" / "recorder").read_text().count("events are missing") == 1


def older_spool(world):
    """It was copied while the gateway was down, and is put back later."""
    before = set(world.logged())
    world.gateway.stop()
    shutil.copytree(world.spool, world.folder / "copy")
    world.gateway.start()
    lost = world.load(40)
    world.recorded()
    world.gateway.stop()
    shutil.rmtree(world.spool)
    shutil.copytree(world.folder / "copy", world.spool)
    world.recorder.kill()
    world.start_recorder()
    world.gateway.start()
    eventually(lambda: "--accept-spool" in world.notice(), SECONDS, "the gateway shows it")
    given = world.load(30)
    assert set(world.logged()) == before | set(lost)
    world.gateway.stop()
    world.stop_recorder()
    said = world.run("recorder", "--accept-spool", "-c", str(world.gateway.config_file))
    assert said.startswith("accepted: ")
    world.start_recorder()
    world.gateway.start()
    given += world.load(20)
    world.recorded()
    assert not set(given) & (before | set(lost)), "an id was given twice"
    assert set(world.logged()) == before | set(lost) | set(given)
    assert world.charged() == [(1650 + 90) * PRICE] * 3


def play(kept, folder: Path):
    with ExitStack() as stack:
        world = World(folder, kept, stack)
        given = older_database(world)
        much_older_database(world, given)
        older_spool(world)
        assert "Traceback" not in (folder / "log" / "recorder").read_text() + world.recorder.printed()


@pytest.mark.timeout(240)
def test_backups_of_a_server_and_of_the_spool(own_mariadb, tmp_path):
    play(Served(own_mariadb), tmp_path)


@pytest.mark.timeout(240)
def test_backups_of_the_embedded_database_and_of_the_spool(tmp_path):
    play(Embedded(tmp_path), tmp_path)


@pytest.mark.timeout(120)
def test_in_every_commit_balances_and_events_agree(tmp_path):
    """What `Source.charged` goes by: before its first event a spool has charged nothing, at whatever moment one looks."""
    kept = Embedded(tmp_path)
    database = Database(kept.url)
    schema.upgrade(database)
    stocked(database, Refund.UNDELIVERED, 100_000)
    database.close()
    with (
        SinkProcess(
            tmp_path / "sink", "--report-states", "DELIVRD=1,UNDELIV=1", "--error-rate", "0.1:RINVDSTADR"
        ) as sink,
        GatewayProcess(
            tmp_path,
            f"DATABASE={kept.url}\n"
            + incoming("customers", WINDOWSIZE=50, INSTANCES=10)
            + outgoing("operator", sink.address, WINDOWSIZE=50, INSTANCES=2),
        ) as gateway,
    ):
        load = Program(
            [
                "load", "--quiet", "--system-id", "acme", "--password", "secret", "--to", f"127.0.0.1:{gateway.port()}",
                "--duration", "5s", "--rate", "600", "--sessions", "4", "--recipients", "467:7", "--reports", "--report-wait", "5",
            ],
            tmp_path / "load",
        )  # fmt: skip
        source = Source(str(tmp_path / "spool"))
        looks, spent = 0, set()
        while load.alive:
            (before,) = source.charged(1).values() or (0,)
            assert before == 0
            spent.add(gateway.query("SELECT sum(charged) FROM balance")[0][0])
            looks += 1
        source.close()
        assert load.wait() == 0, load.printed()
    assert looks > 20
    assert len(spent) > 10
