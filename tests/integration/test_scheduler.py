"""`emg scheduler` as real programs: one of two runs the jobs, another takes over when it dies, and a database that goes away comes back."""

import datetime as dt
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from emg.db import duties, mail, schema, settings
from emg.db.audit import Actor
from emg.db.engine import Database, DatabaseError
from emg.db.models import JobRun, Lease, Mail, MailStatus
from tests.databases import MariaDb
from tests.gateways import Program, eventually
from tests.mail_server import MailServer

LEASE = "1.5"
FORM = re.compile(r"\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} \S+ emg\[\d+\]: (INFO|WARNING|ERROR) [a-z.]+: .+")
"""A line of any log of ours."""


class Scheduler(Program):
    """One of several, each with a log of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.log = folder / "scheduler"
        config = folder / "server.cfg"
        config.write_text(f"DATABASE={url}\nLOGDIR={folder}\n")
        super().__init__(["scheduler", "-c", str(config), "--lease", LEASE], folder / "printed")

    def told(self) -> str:
        """Its log, and what it printed."""
        return self.printed() + (self.log.read_text() if self.log.exists() else "")


Start = Callable[[str], Scheduler]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Scheduler] = []

    def run(url: str) -> Scheduler:
        running.append(Scheduler(tmp_path / f"scheduler{len(running)}", url))
        return running[-1]

    yield run
    for program in running:
        program.kill()


def owner(database: Database) -> int:
    """The process that has the lease; 0 for none."""
    with database.session() as session:
        found = session.scalar(select(Lease).where(Lease.until > duties.now(session)))
        return int(found.owner.split(":")[1]) if found else 0


def has_run(database: Database, name: str) -> bool:
    with database.session() as session:
        found = session.get(JobRun, name)
        return found is not None and found.success is not None


def cut_off(database: Database, name: str) -> None:
    """As if its program had died while it ran."""
    with database.session() as session:
        session.execute(delete(JobRun))
        session.add(JobRun(name=name, started=dt.datetime.now(dt.UTC), result="", error="", failures=0))


def test_one_of_two_runs_the_jobs_and_the_other_takes_over_when_it_is_killed(
    database: Database, database_url: str, start: Start
) -> None:
    programs = {program.pid: program for program in (start(database_url), start(database_url))}
    first = eventually(lambda: owner(database), 20)
    assert first in programs
    other = next(program for pid, program in programs.items() if pid != first)
    eventually(lambda: "runs the jobs" in programs[first].told(), 20)
    cut_off(database, "summary")
    assert not has_run(database, "summary")
    programs[first].kill()
    eventually(lambda: owner(database) == other.pid, 20, wanted="the other takes over")
    eventually(lambda: has_run(database, "summary"), 20, wanted="the job that was cut off runs again")
    assert "runs the jobs" in other.told()
    assert other.printed() == "", "all that it says is in its log"
    assert all(FORM.fullmatch(line) for line in other.log.read_text().splitlines())


def freeze(program: Program, database: Database) -> None:
    """Stop it, but not while it holds SQLite's lock: nobody could write until it goes on."""
    program.signal(signal.SIGSTOP)
    try:
        owner(database)
    except DatabaseError:
        program.signal(signal.SIGCONT)
        time.sleep(0.1)
        program.signal(signal.SIGSTOP)


def test_one_that_slept_too_long_sees_that_another_has_its_turn(
    database: Database, database_url: str, start: Start
) -> None:
    programs = {program.pid: program for program in (start(database_url), start(database_url))}
    first = eventually(lambda: owner(database), 20)
    other = next(program for pid, program in programs.items() if pid != first)
    eventually(lambda: "runs the jobs" in programs[first].told(), 20)
    freeze(programs[first], database)
    eventually(lambda: owner(database) == other.pid, 20)
    programs[first].signal(signal.SIGCONT)
    eventually(lambda: "the lease is lost" in programs[first].told(), 20)
    assert owner(database) == other.pid


def test_one_that_stops_gives_the_lease_back(database: Database, database_url: str, start: Start) -> None:
    program = start(database_url)
    eventually(lambda: owner(database) == program.pid, 20)
    program.signal(signal.SIGTERM)
    assert program.wait() == 0
    assert owner(database) == 0
    with database.session() as session:
        assert session.scalars(select(Lease)).all() == []


def test_it_goes_on_when_the_database_is_back(own_mariadb: MariaDb, start: Start) -> None:
    url = own_mariadb.url()
    database = Database(url)
    schema.upgrade(database)
    program = start(url)
    eventually(lambda: "runs the jobs" in program.told(), 20)
    cut_off(database, "summary")
    database.close()
    own_mariadb.kill()
    eventually(lambda: "the lease is lost" in program.told(), 30)
    assert program.alive
    own_mariadb.start()
    eventually(lambda: quiet(lambda: owner(database) == program.pid), 30)
    eventually(lambda: has_run(database, "summary"), 20)
    assert "the database can be used again" in program.told()
    assert "Traceback" not in program.told()
    database.close()


def test_it_starts_before_the_database(own_mariadb: MariaDb, start: Start) -> None:
    url = own_mariadb.url()
    own_mariadb.stop()
    program = start(url)
    eventually(lambda: "the database" in program.told(), 20)
    own_mariadb.start()
    eventually(lambda: "run `emg db upgrade`" in program.told(), 20, wanted="a sentence about the missing tables")
    database = Database(url)
    schema.upgrade(database)
    eventually(lambda: owner(database) == program.pid, 20)
    database.close()


KILLS = (("MAIL", 2), (".", 4), ("RCPT", 6), ("EHLO", 9))
"""The scheduler is killed when it has just said this for the nth time."""


def test_no_mail_is_sent_twice_whenever_it_is_killed(database: Database, database_url: str, start: Start) -> None:
    with database.session() as session:
        for number in range(10):
            mail.put(session, f"topic {number}", "ann@example.com", f"mail {number}", "")
    said: Counter[str] = Counter()
    running: list[Program] = []
    kills = set(KILLS)

    def kill(command: str) -> None:
        said[command] += 1
        if (command, said[command]) in kills:
            kills.remove((command, said[command]))
            running[-1].kill()

    with MailServer() as server:
        server.before_answer = kill
        with database.session() as session:
            told = {"smtp_host": "127.0.0.1", "smtp_port": str(server.port), "mail_from": "emg@house.example"}
            settings.write(session, Actor("shell:test"), told)
        cut_off(database, "mail")
        deadline = time.monotonic() + 50
        while open_mails(database):
            assert time.monotonic() < deadline, statuses(database)
            running.append(start(database_url))
            eventually(lambda: not running[-1].alive or not open_mails(database), 20)
            running[-1].kill()
        found = Counter(str(each["Subject"]) for each in server.mails)
    assert max(found.values()) == 1, found
    assert statuses(database)[MailStatus.MAYBE] == 10 - statuses(database)[MailStatus.SENT] <= 3
    assert len(found) >= 8


def statuses(database: Database) -> Counter[MailStatus]:
    """How many mails are how far."""
    with database.session() as session:
        return Counter(session.scalars(select(Mail.status)))


def open_mails(database: Database) -> int:
    """How many are not done with."""
    return sum(statuses(database)[each] for each in (MailStatus.QUEUED, MailStatus.SENDING))


def quiet(look: Callable[[], bool]) -> bool:
    """False while the database is away."""
    try:
        return look()
    except DatabaseError:
        return False


@pytest.mark.parametrize(("config", "sentence"), [("", "names no database"), ("DATABASE=nonsense\n", "DATABASE")])
def test_a_configuration_without_database_is_a_sentence(tmp_path: Path, config: str, sentence: str) -> None:
    (tmp_path / "server.cfg").write_text(config)
    program = Program(["scheduler", "-c", str(tmp_path / "server.cfg")], tmp_path / "log")
    assert program.wait() == 1
    assert sentence in program.printed()
    assert "Traceback" not in program.printed()
