"""supervisord's configuration, rendered from the table of the programs. Pure but for `main`, which reads a configuration and may write a file.

`render(config, place)` gives the text: the same rows for the appliance and for the demo, in another place. It holds no secret: what a program must keep
to itself it reads from server.cfg or the environment. A value that the file's syntax can't hold (a line break, ` ;`) raises EmgError.

`emg watchdog configuration [-c server.cfg]` prints it; with `--write FILE` it replaces FILE when it differs, and makes the folders that supervisord needs.
"""

import argparse
import os
import posixpath
import re
import resource
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from emg.config.load import load
from emg.config.model import ServerConfig
from emg.errors import EmgError
from emg.last_good import VARIABLE, LastGood
from watchdog.programs import Program, chosen, entrance_address, open_files, operator_address

SOCKET: Final = "supervisor.sock"
"""Beside the gateway's control socket."""
PID_FILE: Final = "supervisord.pid"
LAST_GOOD: Final = "last_good"
"""In SPOOLDIR: copies of the configuration that programs came up with (emg/last_good.py)."""
LOG: Final = "supervisord.log"
"""In LOGDIR; and so it rotates:"""
LOG_SIZE: Final = 10 << 20
LOG_FILES: Final = 5
EXPANDED_TWICE: Final = ("stdout_logfile", "stderr_logfile")
"""By supervisor 4.3: %% becomes % and is then looked at once more."""
EVENTS: Final = "PROCESS_STATE"
EVENT_BUFFER: Final = 100
"""Events kept for a listener that is just being started again; it looks for itself too, so that those beyond it are no loss."""
APPLIANCE_FILES: Final = 16384
"""Connectors of the database's tables are not in server.cfg: room for them."""

_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f]|\s[;#]|^[;#]|^\s|\s$")
"""What supervisord's parser would take for the end of a value."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """For where the configuration is."""

    emg: tuple[str, ...]
    """The command `emg`, as words."""
    config: str
    """server.cfg; the sockets' and logs' folders stand in it."""
    user: str = ""
    """Whom supervisord and the programs become when it is started by root; empty: they stay who starts them."""
    umask: int = 0o027
    socket_mode: int = 0o770
    """Who may use supervisorctl: the user and the group, as with the control socket."""
    files: int = APPLIANCE_FILES
    """File descriptors at least (soft limit; the gateway itself goes up to the hard one)."""
    most_files: int
    """What may be asked for: supervisord does not start where it can't have them."""
    demo: bool = False


def demo_place(emg: tuple[str, ...], config: str, most_files: int) -> Place:
    """What differs in `make run`: nobody else's business, and no more files than anybody's shell allows."""
    return Place(emg=emg, config=config, umask=0o077, socket_mode=0o700, files=1024, most_files=most_files, demo=True)


def socket_path(config: ServerConfig) -> str:
    """Where supervisord listens for supervisorctl and the watchdog."""
    return posixpath.join(posixpath.dirname(config.control), SOCKET)


def render(config: ServerConfig, place: Place) -> str:
    """The whole file. Raises EmgError for a value that can't stand in it."""
    sections = [_supervisord(config, place), *_control(config, place)]
    sections += [_program(program, config, place) for program in chosen(config, demo=place.demo)]
    head = (
        "; Made by `emg watchdog configuration` from the table in watchdog/programs.py; a change made here is lost.\n"
    )
    return "\n".join([head, *sections])


def _supervisord(config: ServerConfig, place: Place) -> str:
    run = posixpath.dirname(config.control)
    return _section(
        "supervisord",
        nodaemon="true",  # systemd, or `emg demo`, looks after it
        silent=str(place.demo).lower(),  # what it does stands in systemd's journal too
        user=place.user,
        umask=f"{place.umask:03o}",  # in the background only: else who starts it has set it
        directory="/",  # never gone, never in the way of an unmount
        pidfile=posixpath.join(run, PID_FILE),
        logfile=posixpath.join(config.logdir, LOG),
        logfile_maxbytes=str(LOG_SIZE),
        logfile_backups=str(LOG_FILES),
        childlogdir=config.logdir,
        environment=f"{VARIABLE}={_quoted(posixpath.join(config.spooldir, LAST_GOOD))}",
        minfds=str(min(max(place.files, open_files(config)), place.most_files)),
    )


def _control(config: ServerConfig, place: Place) -> Iterable[str]:
    path = socket_path(config)
    yield _section("unix_http_server", file=path, chmod=f"{place.socket_mode:04o}")
    yield _section("supervisorctl", serverurl=f"unix://{path}")
    yield _section(
        "rpcinterface:supervisor",
        **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
    )
    yield _section("rpcinterface:emg", **{"supervisor.rpcinterface_factory": "watchdog.promptness:make"})


def _program(program: Program, config: ServerConfig, place: Place) -> str:
    log = posixpath.join(config.logdir, program.log)
    size, files = str(program.log_size), str(program.log_files)
    logs = (
        {"stdout_logfile": "NONE", "stderr_logfile": log, "stderr_logfile_maxbytes": size, "stderr_logfile_backups": files}
        if program.listener
        else {"redirect_stderr": "true", "stdout_logfile": log, "stdout_logfile_maxbytes": size, "stdout_logfile_backups": files}
    )  # fmt: skip
    listening = {"events": EVENTS, "buffer_size": str(EVENT_BUFFER)} if program.listener else {}
    return _section(
        f"{'eventlistener' if program.listener else 'program'}:{program.name}",
        command=_command(program, config, place),
        **listening,
        user=place.user,
        priority=str(program.order),
        autostart="true",
        autorestart="true",
        startsecs=str(program.start_seconds),
        startretries=str(program.retries),
        stopsignal=program.stop_signal,
        stopwaitsecs=str(int(program.stop_limit(config) + 0.999)),
        killasgroup="true",  # who has to be killed can't end what it has started
        **logs,
    )


def _command(program: Program, config: ServerConfig, place: Place) -> str:
    known = {
        "{config}": place.config,
        "{operator}": str(operator_address(config) or ""),
        "{entrance}": str(entrance_address(config) or ""),
    }
    return shlex.join([*place.emg, *(known.get(word, word) for word in program.arguments)])


def _section(title: str, **values: str) -> str:
    """`values` without those that are empty."""
    return "\n".join([f"[{title}]", *(f"{key} = {_written(key, value)}" for key, value in values.items() if value), ""])


def _quoted(value: str) -> str:
    """As a value of `environment`."""
    if '"' in value:
        raise EmgError(f"supervisord's configuration can't hold {value!r}: no quotation marks")
    return f'"{value}"'


def _written(key: str, value: str) -> str:
    if _UNWRITABLE.search(value):
        raise EmgError(f"supervisord's configuration can't hold {value!r}: no line breaks, and no ; or # after a space")
    return value.replace("%", "%%%%" if key in EXPANDED_TWICE else "%%")


# -- the command


def main(argv: list[str]) -> int:
    """`emg watchdog configuration`: see the module's text. Raises EmgError."""
    parser = argparse.ArgumentParser(
        prog="emg watchdog configuration", description="Print supervisord's configuration for this server."
    )
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    parser.add_argument(
        "--user", default="", help="whom supervisord becomes when root starts it (default: nobody else)"
    )
    parser.add_argument("--demo", action="store_true", help="with the simulated operator, and some traffic")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write it there, and make the folders that it needs")
    arguments = parser.parse_args(argv)
    config = configured(arguments.config) if arguments.write else load(arguments.config)
    file = str(Path(arguments.config).resolve())
    place = (
        demo_place(own_command(), file, most_files())
        if arguments.demo
        else Place(emg=own_command(), config=file, user=arguments.user, most_files=most_files())
    )
    text = render(config, place)
    if arguments.write is None:
        print(text, end="")
    else:
        write(arguments.write, text, config)
    return 0


def configured(path: str) -> ServerConfig:
    """The configuration to be written for; while it has faults that of the last time, from the usual SPOOLDIR: a machine that boots needs no hand. Raises ConfigFaults."""
    usual = os.environ.get(VARIABLE) or posixpath.join(ServerConfig().spooldir, LAST_GOOD)
    last_good = LastGood("configuration", {**os.environ, VARIABLE: usual})
    config = last_good.load(path)
    if last_good.faults:
        print(f"emg watchdog configuration: {last_good.faults}", file=sys.stderr)
    elif _is_ours(config.spooldir):
        LastGood("configuration", {**os.environ, VARIABLE: posixpath.join(config.spooldir, LAST_GOOD)}).up(config)
    return config


def _is_ours(folder: str) -> bool:
    """What root would make there the programs could not change."""
    try:
        return Path(folder).stat().st_uid == os.geteuid()
    except OSError:
        return False


def own_command() -> tuple[str, ...]:
    """How this very program is started: the installed `emg`, or app.py and the interpreter that runs it."""
    installed = Path(sys.executable).parent / "emg"
    if installed.exists():
        return (str(installed),)
    return (sys.executable, str(Path(__file__).parents[1] / "app.py"))


def most_files() -> int:
    """The hard limit that programs started from here have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1 << 20 if hard == resource.RLIM_INFINITY else hard


def write(file: Path, text: str, config: ServerConfig) -> None:
    """Replace the file as a whole, if it differs, and see that the folders exist that supervisord looks for. Raises EmgError."""
    try:
        for folder in (Path(config.logdir), Path(config.control).parent):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return
        new = file.with_name(f"{file.name}.new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, file)  # noqa: PTH105 - as a whole or not at all
    except OSError as error:
        raise EmgError(f"supervisord's configuration {file} can't be written: {error}") from error
