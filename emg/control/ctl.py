"""`emg ctl`: ask a running gateway, or change what it does, over its control socket.

Every command is a row of `COMMANDS`; `--json` prints what the gateway answered instead of tables. Deleting and moving messages names
their number first and asks, unless `--yes`. Exit codes: 0 done, 1 an error (one sentence on standard error), 4 no gateway answers, 5 the
command line is wrong.
"""

import argparse
import os
import sys
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from emg.control import commands
from emg.control.client import Client
from emg.control.commands import BadArgument, Call
from emg.control.exits import ended
from emg.control.states import STATES
from emg.last_good import for_asking

DEFAULT_FOLDER = "/etc/emg"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What argparse calls for a command line that does not fit."""
        raise BadArgument(f"{message} ({self.prog} --help says more)")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a connector, or connector/account for an account's queue")


def _optional_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="one of them, in detail")


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def _session_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connector", help="only this connector's")
    parser.add_argument("--account", help="only this account's")


def _session_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="as `sessions` shows it")
    parser.add_argument("--now", action="store_true", help="without unbind")


def _message_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=int, help="the message's id")


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dest", metavar="DEST", help="where the message would go")
    parser.add_argument("--source", default="", help="its sender")
    parser.add_argument("--account", default="", help="who submits it")
    parser.add_argument("--connector", default="", help="the connector that it comes in by")


def _send_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", metavar="ACCOUNT", help="in whose name, and on whose bill")
    parser.add_argument("dest", metavar="DEST", help="where it goes")
    parser.add_argument("text", metavar="TEXT", help="what it says")
    parser.add_argument("--source", default="", help="its sender")
    parser.add_argument("--at", type=float, metavar="SECONDS", help="not before, in seconds since 1970")
    parser.add_argument("--validity", type=float, metavar="SECONDS", help="how long it is worth sending")
    parser.add_argument("--key", help="of your choice: with the same key it is taken once, however often you ask")


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=int, nargs="?", help="our id of the message")
    parser.add_argument("state", metavar="STATE", choices=tuple(STATES), help=", ".join(STATES))
    parser.add_argument("--provider", help="with --remote-id instead of ID: the connector that it was sent by")
    parser.add_argument("--remote-id", help="the provider's id of the message")
    parser.add_argument("--error", help="the network's error code, up to three characters")


def _count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=100, help="at most so many (default: %(default)s)")


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="don't ask")


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", default="", help="only messages of this account")
    parser.add_argument("--prefix", default="", help="only messages to numbers that begin so")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    _yes(parser)


def _clear_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE", help="a connector, or connector/account")
    _selection(parser)


def _move_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE", help="from here: a connector, or connector/account")
    parser.add_argument("to", metavar="TO", help="to this connector")
    _selection(parser)


class Command(NamedTuple):
    """One row."""

    run: Callable[[Call], int]
    arguments: Callable[[argparse.ArgumentParser], None]
    help: str


COMMANDS = {
    "status": Command(commands.status, _no_arguments, "the whole gateway in numbers"),
    "health": Command(commands.health, _no_arguments, "does it work: exit code 0 or 1"),
    "connectors": Command(commands.connectors, _optional_name, "connectors, or one of them"),
    "sessions": Command(commands.sessions, _session_filter, "sessions"),
    "accounts": Command(commands.accounts, _optional_name, "accounts, or one of them: sessions and balance"),
    "queues": Command(commands.queues, _optional_name, "queues, or one of them: its head and why it waits"),
    "hold": Command(commands.hold, _name, "let a queue wait; also over restarts"),
    "release": Command(commands.release, _name, "let it go on"),
    "clear": Command(commands.clear, _clear_arguments, "delete the messages of a queue"),
    "move": Command(commands.move, _move_arguments, "move the messages of a queue to another connector"),
    "start": Command(commands.start, _name, "start a connector"),
    "stop": Command(commands.stop, _name, "stop a connector; also over restarts"),
    "close": Command(commands.close, _session_name, "end a session"),
    "reload": Command(commands.reload, _no_arguments, "read the configuration again"),
    "explain": Command(commands.explain, _explain_arguments, "which way a message would go, and why"),
    "message": Command(commands.message, _message_id, "where a message is, and its story"),
    "send": Command(commands.send, _send_arguments, "send a message in an account's name"),
    "cancel": Command(commands.cancel, _message_id, "delete a message that still waits"),
    "report": Command(commands.report, _report_arguments, "report on a message in its provider's place"),
    "orphans": Command(commands.orphans, _count, "reports that match no message"),
    "metrics": Command(commands.metrics, _no_arguments, "the figures that Prometheus reads"),
    "shutdown": Command(
        commands.shutdown,
        _yes,
        "drain and stop the gateway; supervisord starts it again (to keep it stopped: supervisorctl stop gateway)",
    ),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    folder = os.environ.get("EMGDIR") or DEFAULT_FOLDER
    made = _Parser(prog="emg ctl", description="Ask a running gateway, or change what it does.")
    made.add_argument(
        "-c", "--config", default=f"{folder}/server.cfg", help="where CONTROL stands (default: %(default)s)"
    )
    made.add_argument("-s", "--socket", help="the control socket itself")
    made.add_argument("--json", action="store_true", help="print the answer as JSON")
    made.add_argument(
        "--timeout", type=float, default=90.0, help="seconds to wait for an answer (default: %(default)g)"
    )
    rows = made.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, row in COMMANDS.items():
        command = rows.add_parser(name, help=row.help, description=row.help)
        row.arguments(command)
        # also behind the command's name, where one thinks of them last
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the answer as JSON")
        command.add_argument("-c", "--config", default=argparse.SUPPRESS, help="where CONTROL stands")
    return made


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    return ended("emg ctl", lambda: _run(argv))


def _run(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    path, warning = arguments.socket, ""
    if not path:
        config, warning = for_asking(arguments.config, ("CONTROL",))
        path = config.control
    if warning:
        print(f"emg ctl: {warning}", file=sys.stderr)
    return COMMANDS[arguments.command].run(Call(arguments, Client(path, arguments.timeout)))
