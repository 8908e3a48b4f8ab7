"""Everything that runs on a server, for the tests of faults: supervisord with all programs of the table, the simulated operator too, a MariaDB, and clients that send
all the time.

    with Stage(folder, mariadb) as stage, stage.sending() as load:
        stage.kill("gateway")
        seconds = stage.healthy_again(Done(time.monotonic(), {"gateway": pid}))
        account = load.settle()

Clients and operator keep their own ledgers (`emg.tools.ledger`). `Load.settle` lets what is on its way arrive and gives an `Account`: what was acknowledged, and
what of it was lost, doubled without a mark, not reported, or is not in the log. Where alerts go to is out of order: the mail server is mute, the webhook's port
refuses.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emg.db.models.log import Status
from emg.engine import events
from emg.tools import ledger
from emg.wire.smpp.pdus import BindTransceiver, DeliverSm
from tests.databases import MariaDb, _make_tables
from tests.durability.proof import Outbox
from tests.faults.disk import Disk
from tests.gateways import Esme, Program, eventually, free_port, incoming, message, outgoing, user
from tests.stacks import ROOT, Stack
from watchdog import render
from watchdog.programs import chosen

BOUND = 30.0
"""Seconds: who is not well again by then has not healed. The promise is 5."""
SETTLE_SECONDS = 40.0
RATE = 200.0
LEAK_LIMIT = 400
"""MiB that the gateway may take."""
FINAL = {status.value for status in Status} - {Status.QUEUED.value, Status.SENT.value}
SECRET = "0123456789abcdef"
INSIDE = Path(__file__).parent / "inside"
ANSWER_SECONDS = 1.0
REPORT_SECONDS = 2.0


@dataclasses.dataclass
class Done:
    """A fault was done, or the cause of a lasting one is gone: from `at` (monotonic) on it is measured how long it takes."""

    at: float
    renewed: dict[str, int] = dataclasses.field(default_factory=dict)
    """Programs that must be another process than this pid."""
    also: Callable[[], bool] = lambda: True
    """What must be so besides before it counts as healthy."""
    note: str = ""
    """For the page: what was seen besides."""
    no_duplicates: bool = False
    """Not even marked ones."""


@dataclasses.dataclass
class Account:
    """What became of the messages that the clients sent."""

    acked: int
    refused: int
    unknown: int
    """Neither answered nor refused: the client does not know, and may send them again."""
    lost: list[str]
    unmarked: list[str]
    missing: list[str]
    repeated: list[str]
    """Reported twice without a mark."""
    confused: list[str]
    """Refused and delivered all the same, an id given twice, ended twice: what may never be."""
    unlogged: list[int]
    marked: int
    """Doubled, and marked as maybe sent."""
    owed: int
    """The operator died with these reports: nobody else has them."""

    def faults(self) -> list[str]:
        """A sentence for each broken promise."""
        return [
            f"{len(found)} {what}: {found[:5]}"
            for what, found in (
                ("acknowledged and lost", self.lost),
                ("sent twice without a mark", self.unmarked),
                ("without their report", self.missing),
                ("reported twice without a mark", self.repeated),
                ("refused and delivered, or with an id or an end too many", self.confused),
                ("not in the log, or without their end there", self.unlogged),
            )
            if found
        ]


def without(text: str, name: str) -> str:
    """Supervisord's configuration without this program: what it sends stands in no client's ledger."""
    found = re.sub(rf"(?ms)^\[program:{name}\]$.*?(?=^\[|\Z)", "", text)
    assert found != text, f"there is no program {name}"
    return found


class Stage(Stack):
    """See the module's text. `disk`: its folder is the spool's. Everything is up when this returns."""

    def __init__(self, folder: Path, mariadb: MariaDb, disk: Disk) -> None:
        self.mariadb = mariadb
        self.disk = disk
        self.url = mariadb.url()
        _make_tables(self.url)
        self.operator_port = free_port()
        self.operator_ledger = folder / "operator.ledger"
        self.clock = folder / "clock"
        self.clock.write_bytes(struct.pack("d", 0.0))
        self.loads = 0
        self._mute = socket.create_server(("127.0.0.1", 0))
        python = os.pathsep.join(filter(None, (str(INSIDE), os.environ.get("PYTHONPATH", ""))))
        super().__init__(
            folder, self._configuration(), start=False, environment={"PYTHONPATH": python, "EMG_TEST_CLOCK": str(self.clock)}
        )  # fmt: skip
        self.emg = (sys.executable, str(ROOT / "app.py"))
        place = render.demo_place(self.emg, str(self.files.config_file), render.most_files())
        text = render.render(self.config, place)
        usual = "--report-delay 0.3-1"
        assert text.count(usual) == 1, "the operator's command is another one"
        text = text.replace(usual, f"--report-delay 0-0.1 --retry 0.5 --ledger {self.operator_ledger}")
        render.write(self.conf, without(text, "traffic"), self.config)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def _configuration(self) -> str:
        general = {
            "DATABASE": self.url,
            "WATCHDOG_MEMORY": f"gateway:{LEAK_LIMIT}M",
            "WATCHDOG_RESTARTS": "100",  # each fault is another one, whatever came before it
            "ALERT_GATHER": "1",
            "ALERT_MAIL": "ann@example.com",
            "ALERT_SMTP": f"127.0.0.1:{self._mute.getsockname()[1]}",
            "ALERT_WEBHOOK": f"http://127.0.0.1:{free_port()}/alerts",
            "ALERT_WEBHOOK_SECRET": SECRET,
        }
        return (
            "".join(f"{key}={value}\n" for key, value in general.items())
            + incoming("customers", INSTANCES=100, WINDOWSIZE=100, ROUTE="operator")
            + outgoing("operator", f"127.0.0.1:{self.operator_port}", INSTANCES=2, WINDOWSIZE=50)
            + user("acme", SESSIONS=20, WINDOWSIZE=100)
            + user("probe", SESSIONS=50, WINDOWSIZE=10)
        )

    # -- life

    def launch(self) -> None:
        """Start supervisord, as systemd does, and wait for nothing."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with (self.folder / "supervisord.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=self.environment,
            )  # fmt: skip

    def close(self) -> None:
        """End everything that was started here, orphans too."""
        self._mute.close()
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().close()

    def family(self) -> list[int]:
        """supervisord, all programs and what they have started, whoever is their parent now: whose command or environment names this stage."""
        marks = (str(self.clock).encode(), str(self.conf).encode())
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    about = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                    if any(mark in about for mark in marks):
                        found.append(int(entry.name))
        return found

    def kill(self, *names: str) -> dict[str, int]:
        """SIGKILL; which process each was."""
        pids = {name: pid for name, pid in self.pids().items() if name in names}
        assert set(pids) == set(names), f"not all of {names} run: {pids}"
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        return pids

    def kill_all(self) -> None:
        """SIGKILL to supervisord and of all that it has started."""
        assert self.process is not None
        family = self.family()
        self.process.kill()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def set_clock(self, seconds: float) -> None:
        """So far off the true time is what the programs see from now on."""
        with self.clock.open("r+b") as file:
            file.write(struct.pack("d", seconds))

    def supervisorctl(self, *words: str, seconds: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """As a person types it."""
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.conf), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )

    # -- looking

    @property
    def names(self) -> list[str]:
        """Of the programs that supervisord runs here."""
        return [program.name for program in chosen(self.config, demo=True) if program.name != "traffic"]

    def well(self) -> bool:
        """All run, the operator too, and the gateway works."""
        programs = self.programs()
        running = all(name in programs and programs[name].state == "RUNNING" for name in self.names)
        return running and self.healthy() and self.portal_answers()

    def portal_answers(self) -> bool:
        """Its first page comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.portal_port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/login")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def health(self) -> dict[str, Any]:
        """The gateway's own word; with its faults, where it has some."""
        try:
            return self.files.control("GET", "/health")
        except AssertionError as error:
            return json.loads(str(error).partition(": 503 ")[2] or "{}")
        except OSError:
            return {}

    def carried(self, report_seconds: float = REPORT_SECONDS) -> bool:
        """A message of a client that comes now is accepted, delivered and reported."""
        try:
            client = Esme(self.files.port())
        except OSError:
            return False
        try:
            bind = BindTransceiver(system_id="probe", password="secret", interface_version=0x34)
            if client.request(bind, ANSWER_SECONDS).status:
                return False
            answer = client.request(message(registered_delivery=1), ANSWER_SECONDS)
            if answer.status:
                return False
            sign = f"id:{answer.message_id} ".encode()
            report = client.pick(lambda pdu: isinstance(pdu, DeliverSm) and sign in pdu.short_message, report_seconds)
            client.answer(report)
            return b"stat:DELIVRD" in report.short_message
        except (AssertionError, OSError, AttributeError):  # cut, mute, or another answer than one to a submit_sm
            return False
        finally:
            client.close()

    def healthy_again(self, done: Done) -> float:
        """Seconds from `done.at` until those that had to be renewed are, every program runs, /health is ok, and then a new message is carried."""

        def whole() -> bool:
            pids = self.pids()
            renewed = all(pids.get(name, pid) != pid for name, pid in done.renewed.items())
            return renewed and self.well() and done.also()

        deadline = done.at + BOUND
        while not (whole() and self.carried() and whole()):
            assert time.monotonic() < deadline, f"not well within {BOUND:g} s: {self.programs()}\n{self.told()}"
            time.sleep(0.02)
        return time.monotonic() - done.at

    def alerts(self, key: str) -> list[str]:
        """What the watchdog said of this alert, from its log: `raised`, `worse`, `cleared`."""
        lines = [line for line in self.log("watchdog").splitlines() if line.endswith(f"({key})") and " alert " in line]
        return [line.partition(" alert ")[2].split(":")[0] for line in lines]

    def rows(self, above: int) -> dict[int, tuple[str, str, bool]]:
        """The log's rows with a larger id: id → (status, remote id, maybe sent)."""
        name = self.url.rpartition("/")[2]
        found = self.mariadb.execute(
            f"SELECT id, status, remote_id, maybe_sent FROM routelog WHERE id > {above}", database=name
        )
        return {int(str(number)): (str(status), str(remote), bool(maybe)) for number, status, remote, maybe in found}

    # -- traffic

    @contextlib.contextmanager
    def sending(self, rate: float = RATE, sessions: int = 2) -> "Iterator[Load]":
        """A client that sends until it is settled; messages flow when this returns."""
        self.loads += 1
        load = Load(self, self.loads, rate, sessions)
        try:
            eventually(load.flows, 20.0, "the client sends")
            yield load
        finally:
            load.program.kill()


class Load:
    """`emg load` beside the stage, for one fault."""

    def __init__(self, stage: Stage, number: int, rate: float, sessions: int) -> None:
        self.stage = stage
        self.ledger = stage.folder / f"client{number}.ledger"
        self.operator_ledger = stage.folder / f"operator{number}.ledger"
        self._operator_from = stage.operator_ledger.stat().st_size if stage.operator_ledger.exists() else 0
        self._above = max(stage.rows(0), default=0)
        self._after = stage.files.query("SELECT coalesce(max(seq), 0) FROM outbox")[0][0]
        command = [
            "load", "--to", f"127.0.0.1:{stage.files.port()}", "--system-id", "acme", "--password", "secret", "--sessions", str(sessions),
            "--window", "20", "--rate", str(rate), "--reports", "--report-wait", str(SETTLE_SECONDS), "--answer-wait", "30", "--duration", "1h",
            "--reconnect", "--recipients", f"467{number:02}:2", "--ledger", str(self.ledger), "--json",
        ]  # fmt: skip
        self.program = Program(command, stage.folder / f"load{number}")

    def flows(self) -> bool:
        """Messages are reported."""
        assert self.program.alive, f"the client ended: {self.program.printed()}"
        return self.count("report") > 10

    def count(self, word: str) -> int:
        """Lines of the client's ledger that begin so."""
        if not self.ledger.exists():
            return 0
        return self.ledger.read_text(encoding="latin-1").count(f"{word}\t")

    def settle(self) -> Account:
        """Send nothing new, let everything arrive, and compare the ledgers."""
        self.program.signal(signal.SIGINT)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (account := self.account()).faults() and time.monotonic() < deadline:
            time.sleep(0.3)
        self.program.kill()
        return account

    def account(self) -> Account:
        """As it is now."""
        with self.stage.operator_ledger.open("rb") as file:
            file.seek(self._operator_from)
            self.operator_ledger.write_bytes(file.read())
        rows = self.stage.rows(self._above)
        tags: dict[str, str] = {}
        answered = set()
        for event in ledger.read(str(self.operator_ledger)):
            if event[0] == "received":
                tags[event[2]] = event[1]
            elif event[0] == "report-acked":
                answered.add(event[1])
        maybe = {number for number, row in rows.items() if row[2]}
        marks = {str(number) for number in maybe} | {
            tags[rows[number][1]] for number in maybe if rows[number][1] in tags
        }
        found = ledger.compare(str(self.ledger), str(self.operator_ledger), marks)
        outbox = self._outbox()
        told = ledger.compare(
            str(self.ledger), str(self.operator_ledger), {str(each) for each in outbox.reports_maybe_sent()}
        )
        ended = [str(number) for number, count in outbox.ended.items() if count > 1]
        owed = self._owed(tags, answered)
        ids = {event[1]: int(event[2]) for event in ledger.read(str(self.ledger)) if event[0] == "acked"}
        missing = [tag for tag in found.missing_reports if tag not in owed]
        unlogged = [
            number
            for tag, number in ids.items()
            if number not in rows or (rows[number][0] not in FINAL and tag not in owed)
        ]
        return Account(
            acked=found.acked, refused=found.refused, unknown=found.unknown, lost=list(found.lost), unmarked=list(found.unmarked_duplicates),
            missing=missing, repeated=list(told.unmarked_repeated_reports),
            confused=[*found.refused_but_received, *found.reused_ids, *ended], unlogged=unlogged, marked=len(found.duplicates) - len(found.unmarked_duplicates), owed=len(owed),
        )  # fmt: skip

    def _outbox(self) -> Outbox:
        """What the gateway wrote about messages since the client began."""
        outbox = Outbox()
        for count, body in self.stage.files.query(
            "SELECT count, body FROM outbox WHERE seq > ? ORDER BY seq", self._after
        ):
            for event in events.decode_row(body, count):
                outbox.take(event)
        return outbox

    def _owed(self, tags: dict[str, str], answered: set[str]) -> set[str]:
        """Tags of messages whose report an operator had that is no more. His ids begin with the clock's microseconds at his start."""
        started = self.stage.programs()["operator"].started
        dead = {remote for remote in tags if int(remote) < started * 1e6}
        living = {tag for remote, tag in tags.items() if remote not in dead}
        return {tags[remote] for remote in dead - answered} - living
