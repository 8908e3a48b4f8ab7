"""`emg watchdog COMMAND …`: asks the watchdog that runs, over its API, and prints tables, sentences, or with `--json` what it answered.

Address and token stand in the configuration (WATCHDOG, WATCHDOG_TOKEN), the token else in the file that the watchdog has left; or `--address` and `--token-file` say so, for the
watchdog of another machine. Every command is a row of `COMMANDS`. Exit codes: 0 done, 1 an error (one sentence on standard error), 4 no watchdog answers,
5 the command line is wrong.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from emg.config.model import ServerConfig
from emg.control import show
from emg.control.client import Refused, part
from emg.control.commands import BadArgument, Call
from emg.control.exits import EXIT_ERROR, EXIT_OK, ended
from emg.control.watchdog_client import LOCAL, WatchdogClient, read_token, token_of
from emg.errors import ControlError
from emg.last_good import for_asking

DEFAULT_FOLDER: Final = "/etc/emg"
SERVER_WAIT: Final = 100.0
"""Seconds that one request waits for a deed; for a longer one it is looked at again and again."""
POLL_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 300.0
_DONE: Final = {
    "start": ("runs", "ran already"),
    "stop": ("has stopped", "did not run"),
    "quickstop": ("has stopped", "did not run"),
    "restart": ("was restarted", "was restarted"),
}
"""What is said of a program, when something was done and when nothing had to be."""

PROGRAMS: show.Columns = (
    ("Program", "name"), ("State", "state"), ("Process", "process"), ("Since", "since"), ("Memory", "memory"), ("CPU", "cpu"), ("Files", "files"),
    ("Now", "doing"), ("About it", "description"),
)  # fmt: skip
FINDINGS: show.Columns = (("Severity", "severity"), ("What is wrong", "text"), ("Key", "key"))
DEEDS: show.Columns = (("Time", "at"), ("Program", "program"), ("Why", "reason"), ("Outcome", "outcome"))
ALERTS: show.Columns = (
    ("Severity", "severity"), ("Since", "since"), ("Over", "at"), ("Alert", "text"), ("Came back", "flaps"), ("Key", "key"),
)  # fmt: skip
LOGS: show.Columns = (
    ("Log", "name"), ("Octets", "size"), ("Older files", "older_files"), ("Written", "at"), ("What it is", "about"),
)  # fmt: skip


# -- commands


def status(call: Call) -> int:
    """Everything."""
    answer = call.client.get("/status")
    return call.print(answer, lambda: _status(answer))


def _status(answer: dict[str, Any]) -> None:
    own, facts = answer["watchdog"], answer["facts"]
    gateway, database = facts.get("gateway"), facts.get("database")
    show.pairs(
        {
            "host": answer["host"],
            "watchdog since": show.value("since", own["started"]) + " UTC",
            "under supervisord": own["supervised"],
            "supervisord": facts.get("supervisor") or "answers",
            "gateway": "stopped" if gateway is None else "answers" if gateway["answered"] else gateway["error"],
            "database": "not looked at" if database is None else database or "answers",
        }
    )
    print()
    show.table([_row(program) for program in facts.get("programs", {}).values()], PROGRAMS)
    if answer["findings"]:
        show.table(answer["findings"], FINDINGS, "\nWhat is wrong")
    if own["deeds"]:
        show.table(own["deeds"], DEEDS, "\nWhat the watchdog did")


def _row(program: dict[str, Any]) -> dict[str, Any]:
    cpu, memory = program.get("cpu_seconds"), program.get("resident")
    return {
        **program,
        "process": program["pid"] or "",
        "since": program["started"] or "",
        "memory": f"{memory / (1 << 20):.0f} MiB" if memory else "",
        "cpu": f"{cpu:.1f} s" if cpu else "",
    }


def health(call: Call) -> int:
    """Whether all is well; the exit code says it too."""
    try:
        answer, code = call.client.get("/health"), EXIT_OK
    except Refused as refused:
        if not isinstance(refused.answer, dict) or "ok" not in refused.answer:
            raise
        answer, code = refused.answer, EXIT_ERROR
    call.say(answer, "all is well" if answer["ok"] else "something is wrong: emg watchdog status")
    return code


def programs(call: Call) -> int:
    """All programs."""
    answer = call.client.get("/programs")
    return call.print(answer, lambda: show.table([_row(program) for program in answer["programs"]], PROGRAMS))


def act(verb: str) -> Callable[[Call], int]:
    """The command of one verb."""

    def command(call: Call) -> int:
        name, wait = call.arguments.name, call.arguments.wait
        deadline = time.monotonic() + wait
        body = {"wait": min(wait, SERVER_WAIT)} | ({"seconds": call.arguments.seconds} if verb == "quickstop" else {})
        call.client.seconds += wait
        answer = call.client.post(f"/programs/{part(name)}/{verb}", **body)
        while not answer["done"] and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            answer = _looked(call, name, verb, answer)
        if not answer["done"]:
            call.say(answer, f"{name}: {verb} is under way; {answer['state']}")
            return EXIT_OK if not wait else EXIT_ERROR
        return call.say(answer, f"{name} {_DONE[verb][answer['changed'] is False]}")

    return command


def _looked(call: Call, name: str, verb: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, as it would be by now."""
    try:
        now = call.client.get(f"/programs/{part(name)}")
    except ControlError:
        return answer  # it is the watchdog itself that is restarted; if not, the deadline ends this
    if now["pid"] == answer["pid"] and verb == "restart":
        return answer
    return answer | {"done": now["doing"] != verb, "state": now["state"], "pid": now["pid"]}


def logs(call: Call) -> int:
    """Which there are, or the lines of one."""
    name = call.arguments.name
    if name is None:
        answer = call.client.get("/logs")
        rows = [{**row, "at": row["modified"]} for row in answer["logs"]]
        return call.print(answer, lambda: show.table(rows, LOGS))
    path = f"/logs/{part(name)}"
    asked = {"lines": str(call.arguments.lines), "search": call.arguments.search}
    if call.arguments.follow:
        return _follow(call, path, asked)
    answer = call.client.get(path, **asked)

    def human() -> None:
        for line in answer["lines"]:
            print(line)
        if call.arguments.search and not answer["whole"] and len(answer["lines"]) < call.arguments.lines:
            print(f"emg watchdog: only the last {answer['scanned']:,} octets were searched", file=sys.stderr)

    return call.print(answer, human)


def _follow(call: Call, path: str, asked: dict[str, str]) -> int:
    """Until the watchdog ends it, or Ctrl-C."""
    assert isinstance(call.client, WatchdogClient), "no other has logs"
    chosen = "&".join(f"{name}={part(value)}" for name, value in asked.items())
    for row in call.client.rows(f"{path}?follow=1&seconds={call.arguments.seconds:g}&{chosen}"):
        if call.json:
            print(msgspec.json.encode(row).decode(), flush=True)
        elif "line" in row:
            print(row["line"], flush=True)
        elif "alive" not in row:
            print(f"emg watchdog: {next(iter(row.values()))}", file=sys.stderr, flush=True)
    return EXIT_OK


def alerts(call: Call) -> int:
    """Those that stand, and those of the last hour."""
    answer = call.client.get("/alerts")

    def human() -> None:
        show.table(answer["standing"], ALERTS)
        if answer["past"]:
            show.table([{**alert, "at": alert["cleared"]} for alert in answer["past"]], ALERTS, "\nOver")

    return call.print(answer, human)


def dump(call: Call) -> int:
    """What a program does, thread by thread and greenlet by greenlet."""
    answer = call.client.post("/dump", program=call.arguments.name)
    return call.say(answer, f"{answer['text']}\n(the file LOGDIR/dump/{answer['file']})")


# -- the command line


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What argparse calls for a command line that does not fit."""
        raise BadArgument(f"{message} ({self.prog} --help says more)")


def _nothing(_parser: argparse.ArgumentParser) -> None:
    pass


def _program(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="PROGRAM", help="as `programs` shows it")
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help="to wait until it is done (default: %(default)g)",
    )


def _quick(parser: argparse.ArgumentParser) -> None:
    _program(parser)
    parser.add_argument("--seconds", type=float, default=5.0, help="from SIGTERM to SIGKILL (default: %(default)g)")


def _log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="LOG", nargs="?", help="one of them: its last lines")
    parser.add_argument("-n", "--lines", type=int, default=100, help="at most so many (default: %(default)s)")
    parser.add_argument(
        "-s", "--search", default="", metavar="TEXT", help="only lines that hold this, in upper or lower case"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=3600.0, help="to follow at most (default: %(default)g)")


def _dumped(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="PROGRAM", nargs="?", default="gateway", help="default: %(default)s")


class Command(NamedTuple):
    """One row."""

    run: Callable[[Call], int]
    arguments: Callable[[argparse.ArgumentParser], None]
    help: str


COMMANDS: Final = {
    "status": Command(status, _nothing, "programs, what is wrong, what the watchdog did"),
    "health": Command(health, _nothing, "is all well: exit code 0 or 1"),
    "programs": Command(programs, _nothing, "the programs and how each is"),
    "start": Command(act("start"), _program, "start a program"),
    "stop": Command(act("stop"), _program, "stop it in good order, and keep it stopped"),
    "restart": Command(act("restart"), _program, "stop it in good order and start it"),
    "quickstop": Command(act("quickstop"), _quick, "stop it, and kill it when that takes longer than some seconds"),
    "logs": Command(logs, _log, "the logs, or the lines of one: last, that hold a text, that come"),
    "alerts": Command(alerts, _nothing, "alerts that stand, and those of the last hour"),
    "dump": Command(dump, _dumped, "what a program does, thread by thread and greenlet by greenlet"),
}
OTHERS: Final = {
    "configuration": "print supervisord's configuration (asks nobody)",
    "trial": "send a message by each channel of alerts (asks nobody)",
    "help": "this text",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    folder = os.environ.get("EMGDIR") or DEFAULT_FOLDER
    made = _Parser(prog="emg watchdog", description="Ask the watchdog that runs; without a command: be the watchdog.")
    rows = made.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, row in COMMANDS.items():
        command = rows.add_parser(name, help=row.help, description=row.help)
        row.arguments(command)
        command.add_argument("-c", "--config", default=f"{folder}/server.cfg", help="configuration (default: %(default)s)")  # fmt: skip
        command.add_argument("--json", action="store_true", help="print the answer as JSON")
        command.add_argument("--address", metavar="HOST:PORT", help="of a watchdog, instead of the configuration's")
        command.add_argument("--token-file", metavar="FILE", help="with its token")
    for name, about in OTHERS.items():
        rows.add_parser(name, help=about)
    return made


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return ended("emg watchdog", lambda: _run(argv))


def _run(argv: list[str]) -> int:
    made = parser()
    arguments = made.parse_args(argv)
    if arguments.command not in COMMANDS:
        made.print_help()
        return EXIT_OK
    return COMMANDS[arguments.command].run(Call(arguments, client(arguments)))


def client(arguments: argparse.Namespace) -> WatchdogClient:
    """For the watchdog that is meant. Raises EmgError."""
    config = None
    if not (arguments.address and arguments.token_file):
        config, warning = for_asking(arguments.config, ("WATCHDOG", "WATCHDOG_TOKEN", "SPOOLDIR"))
        if warning:
            print(f"emg watchdog: {warning}", file=sys.stderr)
    host, port = _address(arguments.address, config)
    return WatchdogClient(host, port, _token(arguments.token_file, config))


def _address(given: str | None, config: ServerConfig | None) -> tuple[str, int]:
    if given is None:
        assert config is not None, "loaded where something is missing"
        return LOCAL.get(config.watchdog.host, config.watchdog.host), config.watchdog.port
    host, _, port = given.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise BadArgument("--address is HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _token(file: str | None, config: ServerConfig | None) -> str:
    if file is not None:
        return read_token(file)
    assert config is not None, "loaded where something is missing"
    return token_of(config)
