"""A watchdog that runs: built from its parts, joined to supervisord, ended in order.

supervisord starts it as an event listener and starts it again whenever it ends: it may be killed at any time, nothing that it has done depends on its being there.
Started by hand it watches, tells and serves its API, and touches no program.

It ends when supervisord goes, at SIGTERM and SIGINT; SIGHUP begins a new log file; the log is LOGDIR/watchdog. If its own loop hangs for `HANG_SECONDS`, a
thread of C prints where, and ends it. An API that can't listen is an alert, and tried again.
"""

import faulthandler
import logging
import os
import signal
import socket
import stat
from pathlib import Path
from typing import Final

import gevent

from emg import supervised
from emg.config.model import ServerConfig
from emg.engine.program_log import ProgramLog
from emg.last_good import LastGood
from watchdog import checks
from watchdog.alerts import Book
from watchdog.api import Api
from watchdog.channels import Channels
from watchdog.events import Event, Listener, ListenerError
from watchdog.hands import Hands
from watchdog.healing import Healing
from watchdog.limits import limits_of
from watchdog.loop import Watchdog
from watchdog.memory import Memory
from watchdog.probe import Probe
from watchdog.programs import PROGRAMS
from watchdog.render import socket_path
from watchdog.settings import settings
from watchdog.supervisor import Supervisor, SupervisorError

HANG_SECONDS: Final = 30.0

log = logging.getLogger("emg.watchdog")


def run(config: ServerConfig, last_good: LastGood) -> int:
    """Until supervisord goes or somebody says stop."""
    os.umask(0o027)
    pipes = own_pipes()
    file = ProgramLog(config, "watchdog")
    try:
        supervised.dumps_go_to(config.logdir)
        running = Running(config, supervisord=pipes is not None)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, running.watchdog.stop)
        gevent.signal_handler(signal.SIGHUP, file.reopen)
        if supervised.hung_up():
            file.reopen()
        last_good.up(config)
        running.serve(pipes)
    finally:
        file.close()
    return 0


def own_pipes() -> tuple[int, int] | None:
    """The pipes to supervisord, kept for the protocol alone: whatever else is printed goes to stderr. None when somebody else has started us.

    A shell that supervisord's program has started has its environment too, but not its pipes.
    """
    if not supervised.supervised() or not stat.S_ISFIFO(os.fstat(0).st_mode):
        return None
    reads, writes = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return reads, writes


class Running:
    """A watchdog with all its parts. `supervisord`: it was started by it, and acts."""

    def __init__(self, config: ServerConfig, *, supervisord: bool) -> None:
        chosen = settings(config, socket.gethostname())
        supervisor = Supervisor(supervisord_socket(config))
        healing = Healing(
            chosen.restarts, chosen.window, {program.name: program.stop_limit(config) + 5.0 for program in PROGRAMS}
        )
        self._memory = Memory(str(Path(chosen.alert_file).with_name("healing.json")))
        self._memory.recall(healing)
        self._probe = Probe(
            config,
            supervisor if supervisord or answers(supervisor) else None,
            parent=os.getppid() if supervisord else 0,
        )
        self._book = Book(chosen.alert_file, chosen.repeat, chosen.clear, chosen.secrets)
        self._channels = Channels(chosen, self._book)
        signals = {program.name: program.stop_signal for program in PROGRAMS}
        self.watchdog = Watchdog(
            self._probe,
            checks.watching(limits_of(config)),
            healing,
            Hands(supervisor, Path(config.logdir) / supervised.FOLDER, signals, os.getppid()) if supervisord else None,
            self._book,
            self._channels,
            supervisor,
            chosen.interval,
            self._memory.keep,
            lambda: beat(max(HANG_SECONDS, 4 * chosen.interval)),
        )
        self._api = Api(self.watchdog, config, chosen)

    def serve(self, pipes: tuple[int, int] | None) -> None:
        """Until `watchdog.stop`, or supervisord's end."""
        listening = gevent.spawn(self._listen, *pipes) if pipes is not None else None
        log.info("the watchdog is up, %s", "under supervisord" if pipes else "started by hand: it touches no program")
        try:
            self.watchdog.start()
            self._api.keep_trying()
            self.watchdog.serve()
        finally:
            self._api.stop()
            faulthandler.cancel_dump_traceback_later()
            if listening is not None:
                listening.kill(block=False)
            self._channels.close()
            self._probe.close()
            self._book.save()
            self._memory.close()
            log.info("the watchdog has stopped")

    def _listen(self, reads: int, writes: int) -> None:
        try:
            Listener(reads, writes, self._heard).serve()
            log.info("supervisord has closed its pipe")
        except ListenerError as error:
            log.error("%s; supervisord starts the watchdog again", error)
        self.watchdog.stop()

    def _heard(self, event: Event) -> None:
        if event.program != "watchdog":
            log.info("%s: %s", event.program, event.name.removeprefix("PROCESS_STATE_").lower())
            self.watchdog.wake()


def beat(seconds: float) -> None:
    """The loop goes round: put off the end. A C thread keeps the time, whatever the interpreter is stuck in."""
    faulthandler.dump_traceback_later(seconds, exit=True)


def supervisord_socket(config: ServerConfig) -> str:
    """As supervisord itself told us, or else where its configuration has it."""
    url = os.environ.get("SUPERVISOR_SERVER_URL", "")
    return url.removeprefix("unix://") if url.startswith("unix://") else socket_path(config)


def answers(supervisor: Supervisor) -> bool:
    """For who is started by hand: without a supervisord there is nothing wrong with it."""
    try:
        supervisor.pid()
    except SupervisorError:
        return False
    return True
