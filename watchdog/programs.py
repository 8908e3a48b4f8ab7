"""The table of the programs that supervisord runs: one row each, and everything else walks it (configuration, API, probe, shell). Pure.

`chosen(config)` gives the rows that this configuration has a use for, in the order in which they are started; a stop goes the other way round. A program
that does not exist yet gets its row when it comes.
"""

from typing import Final

import msgspec

from emg.config.model import ConnectorType, Endpoint, ServerConfig

ANSWER_SECONDS: Final = 15.0
"""What the gateway needs beyond DRAINTIME: five seconds for sessions that do not end, the last commit, closing the spool on a slow disk."""
SESSION_FILES: Final = 2
"""File descriptors a session may need: its own, and one that is just being closed."""
OTHER_FILES: Final = 512
"""Logs, the spool, the control socket and who asks on it."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A row. Sizes in octets unless their name says otherwise, times in seconds."""

    name: str
    """What supervisord, the API and the shell call it: [a-z]+."""
    summary: str
    arguments: tuple[str, ...]
    """After `emg`: {config} is the configuration file, {operator} the address of the first connector that sends, {entrance} of the first that customers bind to."""
    order: int
    """Started from the lowest to the highest, stopped from the highest to the lowest, one after the other."""
    stop_seconds: float
    """From SIGTERM to SIGKILL; with `drains` besides DRAINTIME."""
    drains: bool = False
    """A stop of it takes up to DRAINTIME."""
    stop_signal: str = "TERM"
    needs_database: bool = False
    """Has no use without DATABASE."""
    demo: bool = False
    """Only in the demo."""
    listener: bool = False
    """An event listener of supervisord: its stdout is the protocol, what it prints for people goes to stderr."""
    start_seconds: int = 1
    """Who ends sooner has not started: the next try comes after a pause, which grows by a second each time. Who ends later is started at once."""
    retries: int = 1_000_000
    """Tries before supervisord gives up. Nothing is ever given up: whoever needs longer than a person's sleep is also helped by the watchdog."""
    memory: int = 0
    """MiB that it may take (resident) before it is restarted; 0: no limit."""
    log_size: int = 10 << 20
    """Of LOGDIR/NAME.out, what it prints; at that size it is put aside."""
    log_files: int = 3
    """How many are kept besides."""

    def stop_limit(self, config: ServerConfig) -> float:
        """Seconds from SIGTERM to SIGKILL."""
        return self.stop_seconds + (config.draintime if self.drains else 0.0)

    @property
    def log(self) -> str:
        """Name of the file in LOGDIR with what it prints."""
        return f"{self.name}.out"


PROGRAMS: Final = (
    Program(
        name="operator", summary="a simulated operator", order=10, stop_seconds=10, demo=True,
        arguments=("sink", "--listen", "{operator}", "--report-delay", "0.3-1"),
    ),
    # before the gateway, so that it stops after it: what the gateway's last messages came to is then in the log too
    Program(
        name="recorder", summary="writes what happens to messages into the database's log", order=20, stop_seconds=20,
        arguments=("recorder", "-c", "{config}"), needs_database=True, memory=1024,
    ),
    Program(
        name="gateway", summary="carries the messages", order=30, stop_seconds=ANSWER_SECONDS, drains=True,
        arguments=("gateway", "-c", "{config}"), memory=3072,
    ),
    Program(
        name="scheduler", summary="runs the jobs: summaries, mails, invoices, retention", order=40, stop_seconds=25,
        arguments=("scheduler", "-c", "{config}"), needs_database=True, memory=1024,
    ),
    Program(
        name="portal", summary="serves the web portal and its REST API", order=50, stop_seconds=10,
        arguments=("portal", "-c", "{config}"), needs_database=True, memory=1024,
    ),
    Program(
        name="traffic", summary="sends a message now and then, as a customer would", order=60, stop_seconds=10, demo=True,
        arguments=(
            "load", "--to", "{entrance}", "--system-id", "trickle", "--password", "demo", "--rate", "0.5", "--duration", "24h", "--reconnect", "--reports",
            "--quiet", "--senders", "4670:7", "--recipients", "4670:7", "--text", "Live traffic of the demo",
        ),
    ),
    # last, so that it stops first: nobody starts again what is just being stopped
    Program(
        name="watchdog", summary="looks after the others, tells people, answers on its API", order=90, stop_seconds=10,
        arguments=("watchdog", "-c", "{config}"), listener=True, memory=512,
    ),
)  # fmt: skip

BY_NAME: Final = {program.name: program for program in PROGRAMS}


def chosen(config: ServerConfig, *, demo: bool = False) -> list[Program]:
    """The rows that there is a use for, in the order of their start."""
    simulated = demo and operator_address(config) is not None and entrance_address(config) is not None
    rows = [
        program
        for program in PROGRAMS
        if (simulated or not program.demo) and (config.database is not None or not program.needs_database)
    ]
    return sorted(rows, key=lambda program: program.order)


def operator_address(config: ServerConfig) -> Endpoint | None:
    """Where the demo's operator has to listen: the first address of the first connector that sends."""
    return _address(config, ConnectorType.OUTGOING)


def entrance_address(config: ServerConfig) -> Endpoint | None:
    """Where the demo's customers bind: the first address of the first connector that receives."""
    return _address(config, ConnectorType.INCOMING)


def _address(config: ServerConfig, kind: ConnectorType) -> Endpoint | None:
    return next((connector.address[0] for connector in config.connectors.values() if connector.type is kind), None)


def stop_limit(config: ServerConfig, *, demo: bool = False) -> float:
    """Seconds that an orderly stop of all of them takes at most: they stop one after the other."""
    return sum(program.stop_limit(config) for program in chosen(config, demo=demo))


def open_files(config: ServerConfig) -> int:
    """File descriptors that the gateway of this configuration needs: two for each session that there may be, and then some."""
    return SESSION_FILES * sum(connector.instances for connector in config.connectors.values()) + OTHER_FILES
