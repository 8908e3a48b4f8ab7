"""`emg demo`: the whole product with demo data and a simulated operator, in the foreground. `make run` starts it.

Puts its files into one folder (default `var/`), makes the database there and fills it with customers, accounts, routes, prices and some weeks of traffic, starts
supervisord with the product's programs, `emg sink` and a little traffic (watchdog/programs.py), sends a few messages and waits for their reports, says how
to log in, and stays until Ctrl-C or SIGTERM. Then everything it started is gone; spool, logs and the
configuration are there the next time. A supervisord that is killed is started again, as systemd does on a server. If the demo is killed itself, the
kernel asks supervisord to stop.
Fails with a sentence when the folder is in use, the configuration has faults, a port is taken, or the gateway does not come up.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from emg.config.load import load
from emg.config.model import ServerConfig
from emg.config.values import ConnectorType, Endpoint
from emg.control.client import Client
from emg.errors import ControlError, EmgError
from watchdog import render
from watchdog.programs import stop_limit

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "config" / "demo"
SUPERVISED = "supervisord.conf"
KEPT = ("server.cfg",)
"""Copied once and then left alone: it may have been changed."""
STOCK = (
    ("import", str(TEMPLATES / "tables")),
    ("account", "topup", "demo", "100.00", "--why", "the demo's"),
    ("db", "sample", "--a-day", "800"),
)
"""What a new database is filled with: commands as anybody gives them."""
PROGRAM_SECONDS = 60.0

START_SECONDS = 30.0
HEALTH_SECONDS = 2.0
STOP_SECONDS = 10.0
"""Beyond what its programs may take: supervisord kills what does not stop in time."""
SHORTEST_LIFE = 5.0
"""A supervisord that ends sooner would do so again."""
SEND_SECONDS = 30.0
LOG_TAIL = 15

MESSAGES = (
    ("46701234567", "Hello, world"),
    ("447700900123", "Crème brûlée: 5 €"),
    ("819012345678", "こんにちは世界"),
    (
        "46701234567",
        "A long message travels in several parts, and still it has one id and one report. " * 3,
        "--payload",
    ),
)
"""Number, text, and what else `emg send` is told."""
LOGIN = ("--system-id", "demo", "--password", "demo")


class DemoFailed(EmgError):
    """The demo can't start, or something that it started went away."""


def main(argv: list[str]) -> int:
    """Run the demo until it is told to stop; the exit code."""
    parser = argparse.ArgumentParser(
        prog="emg demo", description="The whole product with demo data and a simulated operator."
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("var"), help="folder of its configuration, spool and logs (default var)"
    )
    parser.add_argument("--once", action="store_true", help="stop as soon as the messages were shown")
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    folder: Path = options.dir.resolve()
    with alone(folder):
        config = prepare(folder)
        administrator = stock(folder) if config.database is not None else None
        with supervised(folder, config) as supervision:
            wait_until_healthy(config, folder, supervision)
            send_messages(folder)
            if not options.once:
                stay(farewell(config, folder, administrator), supervision)
    return 0


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this demo alone. Raises DemoFailed when another one has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(
                f"another demo runs in {folder}: stop it, or give this one another folder with --dir"
            ) from None
        yield


def prepare(folder: Path) -> ServerConfig:
    """Fill the folder, and read the configuration that it holds. Raises ConfigFaults, and DemoFailed for a port in use."""
    (folder / "log").mkdir(mode=0o700, exist_ok=True)
    for name in KEPT:
        if not (folder / name).exists():
            shutil.copyfile(TEMPLATES / name, folder / name)
    config = load(folder / "server.cfg")
    for address in [
        *(connector.address[0] for connector in config.connectors.values()),
        config.watchdog,
        config.portal,
    ]:
        check_free(address)
    place = render.demo_place(render.own_command(), str(folder / "server.cfg"), render.most_files())
    render.write(folder / SUPERVISED, render.render(config, place), config)
    return config


def stock(folder: Path) -> tuple[str, str] | None:
    """Bring the database up to date; fill it when it is new, and tell the administrator's login and password then. Raises DemoFailed."""
    upgraded = json.loads(ask("db", "upgrade", "--json", "-c", str(folder / "server.cfg")))
    if upgraded["before"] is not None:
        return None
    print("Making a database with some weeks of traffic", flush=True)
    for words in STOCK:
        ask(*words, "-c", str(folder / "server.cfg"))
    return upgraded["administrator"]["name"], upgraded["administrator"]["password"]


def ask(*words: str) -> str:
    """What one of our programs prints. Raises DemoFailed with its own sentence."""
    command = [sys.executable, str(ROOT / "app.py"), *words]
    try:
        answer = subprocess.run(  # noqa: S603 - our own program
            command, timeout=PROGRAM_SECONDS, check=False, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"emg {words[0]} did not end within {PROGRAM_SECONDS:.0f} seconds") from None
    if answer.returncode:
        raise DemoFailed((answer.stderr or answer.stdout).strip())
    return answer.stdout


def check_free(address: Endpoint) -> None:
    """Raise DemoFailed when somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
        raise DemoFailed(f"something listens on {address} already; stop it, or change the address in server.cfg")


def address_of(config: ServerConfig, kind: ConnectorType) -> Endpoint:
    """Return the first address of the first connector of that type."""
    return next(connector.address[0] for connector in config.connectors.values() if connector.type is kind)


class Supervision:
    """supervisord, running: started in a session of its own so that Ctrl-C is ours to handle, and started again when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / SUPERVISED)]
        self._log = folder / "log" / render.LOG
        self._program = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._started = time.monotonic()
        return subprocess.Popen(  # noqa: S603 - our own interpreter and files
            self._command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            umask=0o077,  # supervisord sets its own only when it goes into the background
            preexec_fn=stop_with_parent,  # noqa: PLW1509 - no threads here
        )

    def check(self) -> None:
        """Raise DemoFailed when it has ended."""
        if self._program.poll() is not None:
            fail("supervisord ended", self._log)

    def mind(self) -> NoReturn:
        """Start it again whenever it ends. Raises DemoFailed when that does not help."""
        while True:
            code = self._program.wait()
            if time.monotonic() - self._started < SHORTEST_LIFE:
                fail("supervisord ends again and again", self._log)
            how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
            print(f"supervisord ended {how}; it is started again, as systemd does on a server", flush=True)
            self._program = self._start()

    def stop(self, seconds: float) -> None:
        """Have it stop its programs and itself. Raises DemoFailed when it takes longer than that."""
        self._program.terminate()
        # The terminal may be what went away.
        with contextlib.suppress(OSError):
            print("\nStopping …", flush=True)
        try:
            self._program.wait(seconds)
        except subprocess.TimeoutExpired:
            self._program.kill()
            raise DemoFailed(
                "supervisord did not stop in time and was killed; look for what it left with: pgrep -af emg"
            ) from None


@contextlib.contextmanager
def supervised(folder: Path, config: ServerConfig) -> Iterator[Supervision]:
    """Run supervisord; on the way out stop all that it started."""
    supervision = Supervision(folder)
    try:
        yield supervision
    finally:
        # A second Ctrl-C would leave programs behind: from here on the time limit decides.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        supervision.stop(stop_limit(config, demo=True) + STOP_SECONDS)


def stop_with_parent() -> None:
    """Ask the kernel for a SIGTERM when our parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_until_healthy(config: ServerConfig, folder: Path, supervision: Supervision) -> None:
    """Wait until the gateway answers that it works. Raises DemoFailed with the end of its log."""
    print(f"Starting the gateway and a simulated operator in {folder}", flush=True)
    deadline = time.monotonic() + START_SECONDS
    while not healthy(config.control):
        supervision.check()
        if time.monotonic() > deadline:
            fail(f"the gateway did not come up in {START_SECONDS:.0f} seconds", folder / "log" / "gateway.out")
        time.sleep(0.1)


def healthy(control: str) -> bool:
    """Whether the gateway on that socket says that it works."""
    try:
        Client(control, HEALTH_SECONDS).get("/health")
    except ControlError:
        return False
    return True


def fail(reason: str, log: Path) -> NoReturn:
    """Raise DemoFailed with the last lines of a log."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:] if log.exists() else []
    raise DemoFailed("\n".join([f"{reason}; the end of {log}:", *lines]))


def send_messages(folder: Path) -> None:
    """Send each message with `emg send`, as anybody would, and show what it prints. Raises DemoFailed when one does not come back."""
    for number, text, *rest in MESSAGES:
        arguments = ["send", "-c", shown(folder / "server.cfg"), *LOGIN, "--dlr", *rest, number, text.strip()]
        print(f"\n$ {shown(Path(sys.executable).parent)}/emg {shlex.join(arguments)}", flush=True)
        command = [sys.executable, str(ROOT / "app.py"), *arguments]
        try:
            code = subprocess.run(command, timeout=SEND_SECONDS, check=False).returncode  # noqa: S603 - our own program
        except subprocess.TimeoutExpired:
            raise DemoFailed(f"no report within {SEND_SECONDS:.0f} seconds; {folder / 'log'} tells why") from None
        if code:
            raise DemoFailed(f"that message did not come back as delivered; {folder / 'log'} tells why")


def shown(path: Path) -> str:
    """Return the path as somebody in the current folder would type it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def farewell(config: ServerConfig, folder: Path, administrator: tuple[str, str] | None) -> str:
    """What to do now."""
    programs = shown(Path(sys.executable).parent)
    return f"""
The gateway is up, and so is the operator behind it. Open the portal:

    address        http://{config.portal}
{login(programs, config, administrator)}

Log in with any SMPP client:

    host and port  {address_of(config, ConnectorType.INCOMING)}
    system_id      demo
    password       demo

Or send with, and look inside with:

    {programs}/emg send -c {shown(Path(config.file))} {" ".join(LOGIN)} --dlr 46701234567 'My own message'
    {programs}/emg ctl -c {shown(Path(config.file))} status
    {programs}/emg account show -c {shown(Path(config.file))} demo
    {programs}/emg messages find -c {shown(Path(config.file))}
    {programs}/supervisorctl -c {shown(folder / SUPERVISED)} status
    tail -f {shown(folder / "log")}/*

Ctrl-C stops everything. Messages and logs stay in {shown(folder)}."""


def login(programs: str, config: ServerConfig, administrator: tuple[str, str] | None) -> str:
    """How to get into the portal: the password is known at the first start alone."""
    if administrator is not None:
        return "    login          {}\n    password       {} (shown this once)".format(*administrator)
    return (
        "    login          admin\n    password       shown at the first start; "
        f"{programs}/emg user password -c {shown(Path(config.file))} admin makes another"
    )


def stay(text: str, supervision: Supervision) -> None:
    """Say it, and look after supervisord until the signal that ends the demo as it is meant to end. Raises DemoFailed."""
    with contextlib.suppress(KeyboardInterrupt):
        print(text, flush=True)
        supervision.mind()
