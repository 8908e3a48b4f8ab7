"""The probe: looks at everything that the watchdog watches, and gives what it saw as `Facts`.

Each part has a deadline, a pace and a greenlet or native thread of its own (`watchdog.parts`): a database, a disk or a far side that hangs delays no other
part, and the look at the gateway least of all. A look waits for the quick parts alone (supervisord, the gateway's /health), `WAIT_SECONDS` at most; of the
others it takes what they last found. What a part can't find out is None or says why: a look never raises.
"""

import time
from collections.abc import Mapping, Set
from functools import partial
from typing import Any, Final, Protocol

import gevent
import msgspec

from emg.config.model import ServerConfig
from emg.control.client import Client
from watchdog import sights
from watchdog.asking import Asked, Details, KeptClient, ask_details, ask_health
from watchdog.configuration_file import ConfigurationFile
from watchdog.model import CertificateFacts, DiskFacts, Facts, GatewayFacts, ProgramFacts, RecorderFacts
from watchdog.parts import Part

WAIT_SECONDS: Final = 0.4
"""How long a look waits for its quick parts; an answer that comes later is the next look's."""
ANSWER_SECONDS: Final = 2.0
"""After which supervisord, or the gateway, is asked anew."""
HEALTH_SECONDS: Final = 3.0
"""So old may be what the gateway last said of its health."""
DETAIL_SECONDS: Final = 5.0
DISK_SECONDS: Final = 5.0
RECORDER_SECONDS: Final = 2.0
DATABASE_SECONDS: Final = 5.0
DATABASE_AGAIN: Final = 1.0
"""While it does not answer."""
CERTIFICATE_SECONDS: Final = 60.0
CONFIGURATION_SECONDS: Final = 10.0
SLOW_SECONDS: Final = 15.0
"""Deadline of what answers slowly for good reasons."""
MUTE_SECONDS: Final = 3.0
"""After which the database counts as not answering."""
ON_PURPOSE: Final = ("STOPPED", "STOPPING")


class Programs(Protocol):
    """supervisord, see `watchdog.supervisor`."""

    def programs(self) -> Mapping[str, ProgramFacts]:
        """All programs as supervisord sees them: name, state, pid, started, description. Raises EmgError."""


class Probe:
    """See the module's text. `supervisor` None: there is none, only the gateway and the machine are looked at.

    `parent`: supervisord's pid; a process that has another parent is not its program, but somebody who got a used pid again. 0: not known.
    Raises DatabaseError when DATABASE is wrong.
    """

    def __init__(self, config: ServerConfig, supervisor: Programs | None = None, *, parent: int = 0) -> None:
        self._config = config
        self._parent = parent
        self._client = KeptClient(config.control, ANSWER_SECONDS)
        patient = Client(config.control, SLOW_SECONDS)
        self._supervisor = Part("supervisord", supervisor.programs, 0.0, ANSWER_SECONDS) if supervisor else None
        self._health = Part("the gateway", partial(ask_health, self._client), 0.0, ANSWER_SECONDS)
        self._details = Part(
            "the gateway's queues", partial(ask_details, patient), DETAIL_SECONDS, SLOW_SECONDS, again=1.0
        )
        self._asked = Asked(config.database) if config.database is not None else None
        self._database: Part[float | None] | None = None
        self._recorder: Part[RecorderFacts] | None = None
        if self._asked is not None:
            self._database = Part(
                "the database", self._asked.last_run, DATABASE_SECONDS, MUTE_SECONDS, again=DATABASE_AGAIN, native=self._asked.native
            )  # fmt: skip
            self._recorder = Part(
                "the recorder", partial(sights.read_recorder, config.spooldir), RECORDER_SECONDS, SLOW_SECONDS, native=True
            )  # fmt: skip
        self._disks = {
            folder: Part(folder, partial(sights.read_disk, folder), DISK_SECONDS, DISK_SECONDS, native=True)
            for folder in self._folders()
        }
        self._memory = Part("the memory", sights.memory, DISK_SECONDS, DISK_SECONDS)
        self._certificates = Part(
            "certificates", self._read_certificates, CERTIFICATE_SECONDS, SLOW_SECONDS, native=True
        )
        self._known_certificates: Mapping[str, str] = {}
        self._stamps: Mapping[str, Set[str]] = {}
        self._configuration = Part(
            "the configuration", ConfigurationFile(config.file).faults, CONFIGURATION_SECONDS, SLOW_SECONDS, native=True
        )  # fmt: skip
        self._files: dict[str, tuple[float, int, int | None, int | None]] = {}
        """Program → when they were counted, of which process, how many, and how many it may have."""
        self._answers = 0
        self._slept_before: float | None = None

    def look(self, late: float = 0.0) -> Facts:
        """See everything; `late`: by how much the watchdog itself was late since the last look (seconds). Takes `WAIT_SECONDS` at most."""
        slept = self._slept()
        began = time.monotonic()
        parts = self._due_parts()
        for part in parts:
            part.begin(began)
        for quick in (self._health, self._supervisor):
            if quick is not None:
                quick.wait(began + WAIT_SECONDS - time.monotonic())
        now, at = _now()
        for part in parts:
            part.settle(now)
        programs = self._programs(now)
        return Facts(
            now=now,
            at=at,
            late=late,
            slept=slept,
            supervisor=self._supervisor.error if self._supervisor is not None else None,
            programs=programs,
            gateway=self._gateway(programs, now),
            disks=self._disk_facts(),
            memory_free=self._memory.value[0] if self._memory.value else None,
            memory_size=self._memory.value[1] if self._memory.value else None,
            certificates=self._certificates.value or (),
            database=self._database.error if self._database is not None else None,
            recorder=self._recorder.value if self._recorder is not None and not self._recorder.error else None,
            scheduler_run=self._database.value if self._database is not None and not self._database.error else None,
            configuration=self._configuration.value if not self._configuration.error else None,
        )

    def close(self) -> None:
        """End what still looks; a native thread that hangs in the system is left to the end of the program."""
        for part in self._all_parts():
            part.close()
        self._client.close()
        if self._asked is not None and not self._asked.native:
            self._asked.close()

    # -- the parts

    def _all_parts(self) -> list[Part[Any]]:
        some: tuple[Part[Any] | None, ...] = (
            self._health,
            self._supervisor,
            self._details,
            self._database,
            self._recorder,
        )
        others = (self._memory, self._certificates, self._configuration)
        return [*(part for part in some if part is not None), *self._disks.values(), *others]

    def _due_parts(self) -> list[Part[Any]]:
        details = self._details.value
        known = self._known_certificates, self._stamps
        if details is not None and (details.certificates, details.stamps) != known:
            self._known_certificates, self._stamps = details.certificates, details.stamps
            self._certificates.soon()
        return self._all_parts()

    def _folders(self) -> list[str]:
        embedded = self._asked.folder if self._asked is not None else None
        named = (self._config.spooldir, self._config.logdir, embedded, "/")
        return list(dict.fromkeys(folder for folder in named if folder))

    def _read_certificates(self) -> tuple[CertificateFacts, ...]:
        shown = {
            connector.ssl_certfile: f"connector {connector.name}"
            for connector in self._config.connectors.values()
            if connector.ssl and connector.ssl_certfile
        }
        shown |= self._known_certificates
        return tuple(sights.read_certificate(path, who, self._stamps.get(path, ())) for path, who in shown.items())

    # -- what they found

    def _slept(self) -> float:
        """How much more the clock that goes on in a suspended machine has gone since the last look."""
        ahead = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        before, self._slept_before = self._slept_before, ahead
        return max(0.0, ahead - before) if before is not None and ahead - before > 0.01 else 0.0

    def _gateway(self, programs: Mapping[str, ProgramFacts], now: float) -> GatewayFacts | None:
        answers, self._answers = self._answers, self._health.tries
        if programs and ("gateway" not in programs or programs["gateway"].state in ON_PURPOSE):
            return None
        answered = self._health.tries > answers and not self._health.error
        health = self._health.value if now - self._health.seen <= HEALTH_SECONDS else None
        details = self._details.value or Details({})
        if answered and health is not None and health.get("process") != details.status.get("process"):
            self._details.soon()
        return GatewayFacts(
            answered=answered,
            error="" if answered else self._health.error or "no answer yet",
            listens=self._client.listened,
            health=health or {},
            status=details.status,
            connectors=details.connectors,
            seen=self._details.seen,
        )

    def _disk_facts(self) -> tuple[DiskFacts, ...]:
        """Each file system once, under the first of its folders."""
        found: dict[object, DiskFacts] = {}
        for folder, part in self._disks.items():
            if part.error:
                found[folder] = DiskFacts(folder, 0, 0, error=part.error)
            elif part.value is not None:
                found.setdefault(part.value.device, part.value.facts)
        return tuple(found.values())

    def _programs(self, now: float) -> dict[str, ProgramFacts]:
        if self._supervisor is None or self._supervisor.value is None:
            return {}
        seen = {name: self._with_figures(program, now) for name, program in self._supervisor.value.items()}
        for name in self._files.keys() - seen.keys():
            del self._files[name]
        return seen

    def _with_figures(self, program: ProgramFacts, now: float) -> ProgramFacts:
        """With what the system says of its process; as it is when that is gone, or another's by now."""
        if not program.pid:
            return program
        try:
            process = sights.read_stat(program.pid)
        except OSError:
            return program
        if self._parent and process.parent != self._parent:
            return program
        counted = self._files.get(program.name)
        if counted is None or counted[1] != process.born or now - counted[0] >= DETAIL_SECONDS:
            counted = self._files[program.name] = (now, process.born, *_open_files(program.pid))
        return msgspec.structs.replace(
            program,
            process_state=process.state,
            resident=process.resident,
            cpu_seconds=process.cpu_seconds,
            files=counted[2],
            files_limit=counted[3],
            born=process.born,
            age=sights.age(process.born),
        )


def _open_files(pid: int) -> tuple[int | None, int | None]:
    try:
        return sights.open_files(pid)
    except OSError:
        return None, None


def _now() -> tuple[float, float]:
    """Both clocks at the same moment: were we held up between them, it would look as if somebody had set one."""
    while True:
        before, at, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 0.05:
            return after, at
        gevent.sleep(0)
