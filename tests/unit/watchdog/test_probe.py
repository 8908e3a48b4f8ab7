"""The probe: what it sees of real processes, files and programs; nothing that hangs or breaks delays or blinds the rest."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.config.load import load
from emg.control.client import Refused
from emg.control.http_server import CONNECTIONS
from emg.db import duties
from emg.db.engine import Database
from emg.db.models import JobRun
from emg.errors import EmgError
from emg.recorder.standing import Shown, Standing
from emg.session.tls import stamp_of
from tests.certificates import DAY, Authority
from tests.engines import SmallGateway
from watchdog import asking, sights
from watchdog.checks import Limits, watching
from watchdog.model import ProgramFacts
from watchdog.parts import ENDED_AFTER, Part
from watchdog.probe import WAIT_SECONDS, Probe

ROOT = Path(__file__).parents[3]


# -- parts


def tried(part: Part[Any], now: float = 0.0) -> Part[Any]:
    """The same after a try that has ended."""
    part.begin(now)
    part.wait(5.0)
    part.settle(now)
    return part


@pytest.mark.parametrize("native", [False, True])
def test_a_part_keeps_its_pace(native: bool) -> None:
    calls: list[int] = []
    part = tried(Part("x", lambda: calls.append(1) or len(calls), 10.0, 1.0, native=native))
    assert (part.value, part.error, part.tries) == (1, "", 1)
    assert tried(part, 9.9).value == 1
    assert tried(part, 10.0).value == 2
    assert part.seen == 10.0
    part.soon()
    assert tried(part, 10.1).value == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EmgError("not there"), "not there"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_a_part_that_fails_says_why_and_keeps_what_it_knew(native: bool, error: Exception, words: str) -> None:
    ways: list[Any] = [7, error, 8]

    def look() -> int:
        found = ways.pop(0)
        if isinstance(found, Exception):
            raise found
        return int(found)

    part = tried(Part("x", look, 10.0, 1.0, again=2.0, native=native))
    tried(part, 10.0)
    assert (part.value, part.seen) == (7, 0.0)
    assert words in (part.error or "")
    assert tried(part, 11.0).value == 7
    assert tried(part, 12.0).value == 8
    assert part.error == ""


def test_a_thread_that_hangs_is_told_of_waited_for_and_never_doubled() -> None:
    """As statvfs does on a file system that is gone."""
    begun, back, calls = threading.Event(), threading.Event(), []

    def look() -> int:
        calls.append(1)
        begun.set()
        back.wait(30)
        return 7

    part: Part[int] = Part("x", look, 1.0, 5.0, native=True)
    for now in (0.0, 1.0, 5.0):
        part.begin(now)
        part.settle(now)
        assert part.error is None, "not yet"
    for now in (6.0, 600.0):
        part.begin(now)
        part.settle(now)
        assert part.error == f"no answer for {now:.0f} s"
    assert begun.wait(30)
    assert len(calls) == 1
    back.set()
    part.wait(5.0)
    part.settle(601.0)
    assert (part.value, part.error) == (7, "")


def test_a_greenlet_that_never_comes_back_is_ended_at_last() -> None:
    ended: list[int] = []

    def look() -> int:
        try:
            gevent.sleep(30)
        finally:
            ended.append(1)
        return 7

    part: Part[int] = Part("x", look, 1.0, 2.0)
    part.begin(0.0)
    gevent.sleep(0)
    part.settle(3.0)
    assert (part.error, part.tries) == ("no answer for 3 s", 0)
    part.settle(ENDED_AFTER * 2.0 + 1)
    assert (part.error, part.tries) == ("no answer within 9 s", 1)
    gevent.sleep(0)
    assert ended
    part.begin(10.0)
    part.close()
    part.close()


# -- what the system says


def test_a_running_program_as_the_system_sees_it() -> None:
    own = sights.read_stat(os.getpid())
    assert own.state in "RS"
    assert own.parent == os.getppid()
    assert own.resident > 10 << 20
    assert own.cpu_seconds == pytest.approx(sum(os.times()[:2]), abs=1.0)
    assert 0 < sights.age(own.born) < 86400
    with pytest.raises(OSError, match="No such"):
        sights.read_stat(0x3FFFFFFF)


def test_a_running_program_with_an_odd_name(tmp_path: Path) -> None:
    """The name stands in parentheses in the middle of the line, and may be anything."""
    program = tmp_path / "a) S 1 ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as child:
        try:
            assert sights.read_stat(child.pid).parent == os.getpid()
        finally:
            child.kill()


def test_open_files_are_counted() -> None:
    before, limit = sights.open_files(os.getpid())
    with socket.socket(), socket.socket():
        assert sights.open_files(os.getpid())[0] == before + 2
    assert limit is None or limit >= before


def test_a_folder_that_is_not_made_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    there, missing = sights.read_disk(str(tmp_path)), sights.read_disk(str(tmp_path / "not" / "yet"))
    assert missing.device == there.device
    assert missing.facts.path == str(tmp_path / "not" / "yet")
    assert 0 < missing.facts.free <= missing.facts.size


def test_the_memory_of_the_machine() -> None:
    free, size = sights.memory()
    assert 0 < free < size


def test_what_the_recorder_says(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such"):
        sights.read_recorder(str(tmp_path))
    Shown(str(tmp_path), Standing(process=9, started=1.0, database="x", position=5, last=7, error="away")).show()
    said = sights.read_recorder(str(tmp_path))
    assert (said.pid, said.position, said.last, said.error) == (9, 5, 7, "away")
    assert said.at == pytest.approx(time.time(), abs=60)
    (tmp_path / "recorder.json").write_text('{"process": 9')
    with pytest.raises(EmgError, match="damaged"):
        sights.read_recorder(str(tmp_path))


# -- certificates


def test_the_end_of_a_certificate(tmp_path: Path) -> None:
    """Of the first that ends, where several are in a file; beside a key; after 2049, where it is written in another form."""
    authority = Authority(tmp_path)
    short, long = authority.issue("short", end=3 * DAY), authority.issue("long", end=40 * 365 * DAY)
    both = tmp_path / "both.pem"
    both.write_text(Path(long.key).read_text() + Path(long.cert).read_text() + Path(short.cert).read_text())
    for path, days in ((short.cert, 3), (long.cert, 40 * 365), (str(both), 3)):
        found = sights.read_certificate(path, "connector op")
        assert (found.path, found.used_by, found.error) == (path, "connector op", "")
        assert found.ends == pytest.approx(time.time() + days * 86400, abs=60)


def test_a_certificate_that_the_gateway_has_not_read_yet(tmp_path: Path) -> None:
    path = Authority(tmp_path).issue("op").cert
    stamp = stamp_of(path)
    assert not sights.read_certificate(path, "connector op", {stamp}).unread
    Authority(tmp_path).issue("op")
    assert sights.read_certificate(path, "connector op", {stamp}).unread
    assert sights.read_certificate(path, "connector op", {stamp, stamp_of(path)}).unread, "one of them has not"
    assert not sights.read_certificate(path, "connector op").unread, "nobody has said which"
    assert stamp_of(str(tmp_path / "none")) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is none"),
        ("-----BEGIN CERTIFICATE-----\nAAAA", "damaged"),
        ("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", "damaged"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "damaged"),
    ],
)
def test_a_certificate_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "x.pem"
    file.write_text(text)
    found = sights.read_certificate(str(file), "x")
    assert (found.ends, words in found.error) == (None, True)
    assert "No such" in sights.read_certificate(str(tmp_path / "no.pem"), "x").error
    assert sights.read_certificate(str(tmp_path), "x").error == "Is a directory"


@given(st.binary(max_size=200))
def test_whatever_stands_in_a_certificate_is_no_crash(octets: bytes) -> None:
    try:
        assert isinstance(sights._ends(octets), float)
    except (ValueError, IndexError):
        pass


# -- everything together


class Programs:
    """supervisord's answer."""

    def __init__(self, *programs: ProgramFacts) -> None:
        self.rows: Mapping[str, ProgramFacts] = {program.name: program for program in programs}
        self.fault = ""

    def programs(self) -> Mapping[str, ProgramFacts]:
        if self.fault:
            raise EmgError(self.fault)
        return self.rows


def running(name: str = "gateway", **given: Any) -> ProgramFacts:
    return ProgramFacts(name, **({"state": "RUNNING", "pid": os.getpid(), "started": time.time()} | given))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[SmallGateway]:
    running = SmallGateway(tmp_path)
    yield running
    running.close()


_used: list[Probe] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Each probe keeps a connection."""
    yield
    while _used:
        _used.pop().close()


def in_a_thread(probe: Probe) -> Probe:
    """The client waits without gevent here: its gateway, in this process, could not answer meanwhile."""
    _used.append(probe)
    for part in (probe._health, probe._details):
        part._pool = gevent.get_hub().threadpool
    return probe


def looked(probe: Probe, times: int = 3) -> Any:
    """A look that has everything, after some that began it."""
    _used.append(probe)
    facts = probe.look()
    for _ in range(times):
        gevent.sleep(0.05)
        for part in probe._all_parts():
            part.soon()
            part.wait(5.0)
        facts = probe.look()
        for part in probe._all_parts():
            part.wait(5.0)
    return facts


def test_a_look_at_a_gateway_and_its_machine(gateway: SmallGateway) -> None:
    gateway.small.submit(2)
    supervisor = Programs(running(), running("recorder", state="STOPPED", pid=0))
    probe = in_a_thread(Probe(gateway.config, supervisor, parent=os.getppid()))
    facts = looked(probe)
    assert facts.supervisor == ""
    own = facts.programs["gateway"]
    assert own.process_state in "RS"
    assert own.resident > 1 << 20
    assert own.files
    assert own.born
    assert own.age
    assert facts.programs["recorder"] == supervisor.rows["recorder"]
    assert facts.gateway.answered
    assert facts.gateway.health["codes"] == []
    assert facts.gateway.status["process"] == os.getpid()
    rows = {connector.name: connector for connector in facts.gateway.connectors}
    assert (rows["one"].due, rows["one"].up, rows["one"].patience, rows["one"].state) == (2, False, 30.0, "stopped")
    assert "customers" not in rows
    assert facts.gateway.seen > 0
    assert facts.disks[0].path == gateway.config.spooldir
    assert facts.memory_free < facts.memory_size
    assert (facts.database, facts.recorder, facts.scheduler_run) == (None, None, None)
    assert watching(Limits(disk=1.1))(facts) == []
    gateway.engine.receiver.open = False
    facts = looked(probe, 1)
    assert (facts.gateway.answered, facts.gateway.health["codes"]) == (True, ["stopping"])
    gateway.server.stop()
    facts = looked(probe, 2)
    assert (facts.gateway.answered, "not running" in facts.gateway.error) == (False, True)
    assert facts.gateway.status["process"] == os.getpid(), "as it last was"
    probe.close()


def test_a_gateway_whose_connections_are_all_taken_is_not_dead(gateway: SmallGateway) -> None:
    """Somebody forgets to close his: the watchdog has its own already, and kills nobody for it."""
    probe = in_a_thread(Probe(gateway.config, Programs(running())))
    assert looked(probe, 1).gateway.answered
    taken = []
    for _ in range(CONNECTIONS + 10):
        taken.append(gevent.socket.socket(socket.AF_UNIX))
        taken[-1].connect(gateway.config.control)
        gevent.sleep(0)
    for _ in range(3):
        probe.look()
        probe._health.wait(5.0)
        assert probe.look().gateway.answered
    for each in taken:
        each.close()
    probe.close()


def test_a_gateway_that_was_restarted_is_asked_over_a_new_connection(gateway: SmallGateway) -> None:
    probe = in_a_thread(Probe(gateway.config, Programs(running())))
    assert looked(probe, 1).gateway.answered
    gateway.server.stop()
    assert not looked(probe, 1).gateway.answered
    gateway.server.start()
    assert looked(probe, 1).gateway.answered
    probe.close()


def test_a_gateway_that_answers_something_else_lives() -> None:
    class Client:
        path = "x"
        answer: Any = None

        def get(self, _path: str) -> Any:
            raise Refused("internal error", 500, self.answer)

    for answer in (None, "text", {"error": "internal error"}):
        client = Client()
        client.answer = answer
        assert asking.ask_health(client) == {"codes": ["unknown"], "faults": ["internal error"]}  # type: ignore[arg-type]


def test_a_gateway_that_is_not_in_the_table_or_was_stopped_is_not_looked_for(gateway: SmallGateway) -> None:
    probe = in_a_thread(Probe(gateway.config, Programs(running("recorder"))))
    assert looked(probe, 1).gateway is None
    for state in ("STOPPED", "STOPPING"):
        assert looked(in_a_thread(Probe(gateway.config, Programs(running(state=state)))), 1).gateway is None
    assert looked(in_a_thread(Probe(gateway.config)), 1).gateway.answered


def test_a_running_program_with_another_parent_is_somebody_who_got_the_number(gateway: SmallGateway) -> None:
    told = running()
    probe = in_a_thread(Probe(gateway.config, Programs(told), parent=os.getppid() + 1))
    assert looked(probe, 1).programs["gateway"] == told
    gone = running(pid=0x3FFFFFFF)
    assert looked(in_a_thread(Probe(gateway.config, Programs(gone))), 1).programs["gateway"] == gone


def test_a_supervisord_that_does_not_answer_is_told_of(gateway: SmallGateway) -> None:
    supervisor = Programs(running())
    probe = in_a_thread(Probe(gateway.config, supervisor))
    looked(probe, 1)
    supervisor.fault = "supervisord does not run"
    facts = looked(probe, 1)
    assert (facts.supervisor, "gateway" in facts.programs) == ("supervisord does not run", True)


def config_of(folder: Path, *lines: str) -> Any:
    file = folder / "server.cfg"
    text = [f"CONTROL={folder}/control.sock", f"SPOOLDIR={folder}/spool", f"LOGDIR={folder}/log", *lines]
    file.write_text("\n".join(text) + "\n")
    return load(file)


def test_the_database_and_the_scheduler(database: Database, database_url: str, tmp_path: Path) -> None:
    asked = asking.Asked(database_url)
    assert asked.native == database.is_sqlite
    assert asked.last_run() is None
    with database.session() as session:
        duties.started(session, "mail")
        duties.started(session, "summary")
    assert asked.last_run() == pytest.approx(time.time(), abs=60)
    with database.session() as session:
        assert session.query(JobRun).count() == 2
    asked.close()
    (tmp_path / "spool").mkdir()
    Shown(str(tmp_path / "spool"), Standing(process=9, started=1.0, database="x")).show()
    probe = Probe(config_of(tmp_path, f"DATABASE={database_url}"))
    facts = looked(probe, 2)
    assert (facts.database, facts.recorder.pid) == ("", 9)
    assert facts.scheduler_run == pytest.approx(time.time(), abs=60)
    probe.close()


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    probe = Probe(config_of(tmp_path, f"DATABASE=sqlite:///{tmp_path}/none.db"))
    facts = looked(probe, 1)
    assert "does not exist" in facts.database
    assert (facts.scheduler_run, facts.recorder) == (None, None)
    assert not (tmp_path / "none.db").exists()


def test_the_certificates_of_the_configuration_are_looked_at(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("op")
    connector = f"CONNECTOR op <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nUSERNAME=u\nPASSWORD=p\nSSL\nSSL_KEYFILE={pair.key}\nSSL_CERTFILE={pair.cert}\n>"
    facts = looked(Probe(config_of(tmp_path, connector)), 1)
    assert [(each.path, each.used_by, each.error) for each in facts.certificates] == [(pair.cert, "connector op", "")]


def test_two_connectors_may_show_the_same_certificate() -> None:
    row = {"progress": None, "certificate": "/c.pem", "certificate_stamp": "1"}

    class Client:
        path = "x"

        def get(self, path: str) -> Any:
            return {"connectors": [row | {"name": "a"}, row | {"name": "b"}]} if path == "/connectors" else {}

    details = asking.ask_details(Client())  # type: ignore[arg-type]
    assert details.certificates == {"/c.pem": "connector a, b"}
    assert details.stamps == {"/c.pem": {"1"}}


HANGING = """
from gevent import monkey; monkey.patch_all()
import json, sys, time
from pathlib import Path
import gevent
from emg.config.load import load
from watchdog import sights
from watchdog.probe import Probe
from watchdog.supervisor import Supervisor
slow = sights.read_disk
def dead(folder):
    import gevent.monkey
    gevent.monkey.get_original("time", "sleep")(1000)
sights.read_disk = lambda folder: dead(folder) if folder.endswith("spool") else slow(folder)
probe = Probe(load(sys.argv[1]), Supervisor(sys.argv[2]))
took, late = [], 0.0
for _ in range(9):
    due = time.monotonic() + 1.0
    began = time.monotonic()
    facts = probe.look()
    took.append(time.monotonic() - began)
    gevent.sleep(due - time.monotonic())
    late = max(late, time.monotonic() - due)
probe.close()
print(json.dumps({"longest": max(took), "late": late, "database": facts.database, "gateway": facts.gateway.error,
  "supervisor": facts.supervisor, "memory": facts.memory_free, "disks": {disk.path: disk.error for disk in facts.disks}}))
"""


@pytest.mark.slow
def test_whatever_hangs_delays_no_look(tmp_path: Path) -> None:
    """Gateway, supervisord and database take the connection and say nothing, and a disk is dead: the rest is seen, in time, and the program can end."""
    with (
        socket.socket(socket.AF_UNIX) as gateway,
        socket.socket(socket.AF_UNIX) as supervisor,
        socket.socket() as database,
    ):
        gateway.bind(str(tmp_path / "control.sock"))
        supervisor.bind(str(tmp_path / "supervisor.sock"))
        database.bind(("127.0.0.1", 0))
        for each in (gateway, supervisor, database):
            each.listen(64)
        config_of(tmp_path, f"DATABASE=mysql+pymysql://emg:x@127.0.0.1:{database.getsockname()[1]}/emg")
        command = [sys.executable, "-c", HANGING, str(tmp_path / "server.cfg"), str(tmp_path / "supervisor.sock")]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["longest"] < WAIT_SECONDS + 1.0, "wide, for a busy machine"
    assert "within" in told["gateway"]
    assert "supervisord did not answer" in told["supervisor"] or "no answer for" in told["supervisor"]
    assert told["database"]
    assert told["memory"] > 0
    assert told["disks"][str(tmp_path / "spool")].startswith("no answer for")
    assert "" in told["disks"].values(), "the other disk answers"
