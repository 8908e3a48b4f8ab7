"""The programs as they run on a server: supervisord with the configuration that the watchdog's table gives, in a folder of the test's.

    with Stack(tmp_path, incoming() + outgoing("operator", operator.address) + user()) as stack:
        stack.supervisor.stop("gateway", 10)

What is started is ended by its own pid; every wait has a deadline.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from emg.config.load import load
from emg.control.client import Client
from emg.errors import ControlError
from tests.gateways import GatewayProcess, eventually, free_port
from watchdog import render
from watchdog.model import ProgramFacts
from watchdog.programs import BY_NAME, chosen
from watchdog.supervisor import Supervisor, SupervisorError

START_SECONDS = 30.0
STOP_SECONDS = 60.0
ROOT = Path(__file__).parents[1]


class Stack:
    """supervisord and its programs, up and healthy when this returns. `config_text` as of a GatewayProcess; WATCHDOG and PORTAL get free ports."""

    def __init__(
        self,
        folder: Path,
        config_text: str,
        files: dict[str, str] | None = None,
        *,
        environment: dict[str, str] | None = None,
        start: bool = True,
    ) -> None:
        self.port, self.portal_port = free_port(), free_port()
        places = f"WATCHDOG=127.0.0.1:{self.port}\nPORTAL=127.0.0.1:{self.portal_port}\n"
        self.files = GatewayProcess(folder, places + config_text, files, start=False)
        """Configuration, spool and logs; its own process is never started."""
        self.folder = folder
        self.config = load(str(self.files.config_file))
        self.supervisor = Supervisor(render.socket_path(self.config))
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {**os.environ, **(environment or {})}
        place = render.Place(
            emg=(sys.executable, str(ROOT / "app.py")), config=str(self.files.config_file), files=1024, most_files=render.most_files()
        )  # fmt: skip
        self.conf = folder / "supervisord.conf"
        render.write(self.conf, render.render(self.config, place), self.config)
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life

    def start(self) -> None:
        """Start supervisord; returns when everything is up and the gateway says that it works."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with (self.folder / "supervisord.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                env=self.environment,
            )  # fmt: skip
        eventually(self.well, START_SECONDS, "the programs up")

    def stop(self) -> None:
        """SIGTERM to supervisord: everything stops in order."""
        assert self.process is not None, "it was never started"
        self.process.terminate()
        self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """End everything, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            pids = self.pids()
            self.process.kill()
            self.process.wait(10)
            for pid in pids.values():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # the kernel has told it that its parent died
        self.files.close()

    def emg(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command as a person types it."""
        command = [sys.executable, str(ROOT / "app.py"), *words, "-c", str(self.files.config_file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    # -- looking

    def programs(self) -> dict[str, ProgramFacts]:
        """As supervisord sees them; {} while it does not answer."""
        try:
            return self.supervisor.programs()
        except SupervisorError:
            return {}

    def pids(self) -> dict[str, int]:
        """Of those that run."""
        return {name: program.pid for name, program in self.programs().items() if program.pid}

    def pid(self, name: str) -> int:
        """Of one that must run."""
        return self.pids()[name]

    def state(self, name: str) -> str:
        """In supervisord's words."""
        return self.programs()[name].state

    def healthy(self) -> bool:
        """The gateway says that it works."""
        try:
            Client(self.config.control, 1.0).get("/health")
        except ControlError:
            return False
        return True

    def well(self) -> bool:
        """All run, and the gateway works."""
        programs = self.programs()
        wanted = {program.name for program in chosen(self.config)}
        return (
            wanted <= programs.keys() and all(programs[name].state == "RUNNING" for name in wanted) and self.healthy()
        )

    def well_again(self, program: str, before: int, seconds: float) -> float:
        """Seconds until all is well and `program` is another process than `before`; an AssertionError if it takes longer."""
        began = time.monotonic()
        eventually(
            lambda: self.pids().get(program, before) != before and self.well(),
            seconds,
            f"another {program}, and all well",
        )
        return time.monotonic() - began

    def log(self, name: str) -> str:
        """A file of LOGDIR: `watchdog`, `general`, `supervisord.log`; empty if there is none."""
        return self.files.logs(name)

    def wait_for_log(self, text: str, name: str = "watchdog", count: int = 1, seconds: float = 20.0) -> str:
        """The log, as soon as it has this text so often."""
        return self.files.wait_for_log(text, name, count, seconds)

    def dumps(self, program: str) -> list[Path]:
        """What it has written at SIGUSR2."""
        return sorted(path for path in (self.folder / "log" / "dump").glob(f"{program}.*") if path.stat().st_size)

    def told(self) -> Any:
        """For an assertion that fails: what the logs say."""
        return "\n".join(
            self.log(name) for name in ("watchdog", "watchdog.out", "supervisord.log", BY_NAME["gateway"].log)
        )
