"""What all commands on the database share: the command line, the configuration, the database, printing, and telling the gateway.

A command is a row of its module's table, and its function gets one `Call`:

    COMMANDS = {"list": Command(list_, no_arguments, "all accounts"), "add": Command(add, _add_arguments, "a new account")}

    def list_(call: Call) -> None:
        with call.database.session() as session:
            rows = accounts.rows(session)
        call.table(rows, COLUMNS)

    def main(argv: list[str]) -> int:
        return run("account", "Accounts: who may send.", COMMANDS, argv)

Exit codes: what the function returned (None is 0); 1 after an error, told in one sentence on standard error; 2 if the command line is wrong
(`UsageError`). With `--json` a command prints one JSON value and nothing else; amounts are text in it (`emg.rules.money.show`), times ISO 8601 in UTC.
"""

import argparse
import os
import pwd
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from io import TextIOWrapper
from typing import Any, NamedTuple, NoReturn

import msgspec

from emg.config import hashes
from emg.config.cli import DEFAULT_FOLDER
from emg.config.load import load
from emg.config.model import ServerConfig
from emg.control import show
from emg.control.client import Client, NotRunning, Unreachable
from emg.control.show import Columns
from emg.db import schema
from emg.db.audit import Actor
from emg.db.engine import Database, DatabaseError
from emg.errors import ControlError, EmgError

EXIT_OK, EXIT_ERROR, EXIT_USAGE = 0, 1, 2
TELL_SECONDS = 10.0
GENERATED_LENGTH = 20
LONGEST_PASSWORD = 1024


class UsageError(EmgError):
    """The command line is wrong."""


class Password(NamedTuple):
    """One that was read or made; a made one is shown once."""

    text: str
    generated: bool


class Call:
    """One run of a command: its arguments, the configuration, the database, and how to print."""

    def __init__(self, arguments: argparse.Namespace, *, checked: bool = True) -> None:
        self.arguments = arguments
        self.json: bool = arguments.json
        self._checked = checked

    @cached_property
    def config(self) -> ServerConfig:
        """What the configuration file says. Raises ConfigFaults."""
        return load(self.arguments.config)

    @cached_property
    def database(self) -> Database:
        """The database of the configuration, with the schema of this version. Raises DatabaseError."""
        if self.config.database is None:
            raise DatabaseError(f"{self.config.file} names no database: set DATABASE, then run `emg db upgrade`")
        database = Database(self.config.database)
        if self._checked and (fault := schema.check(database)):
            database.close()
            raise DatabaseError(fault)
        return database

    @cached_property
    def actor(self) -> Actor:
        """Who is at the shell, for the audit log; behind sudo the person, not root."""
        uid = os.getuid()
        by_sudo = os.environ.get("SUDO_USER", "") if uid == 0 else ""
        try:
            return Actor(f"shell:{by_sudo or pwd.getpwuid(uid).pw_name}")
        except KeyError:
            return Actor(f"shell:{uid}")

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Columns, title: str = "") -> None:
        """Rows: as a list of objects, or as a table of these columns."""
        if self.json:
            self.print_json(rows)
        elif rows:
            show.table(rows, columns, title)
        else:
            print("none")

    def pairs(self, row: Mapping[str, Any], title: str = "") -> None:
        """One row: as an object, or name and value on each line."""
        if self.json:
            self.print_json(row)
        else:
            show.pairs(row, title)

    def say(self, answer: Any, sentence: str) -> None:
        """What was done: as JSON, or as a sentence."""
        if self.json:
            self.print_json(answer)
        else:
            print(sentence)

    @staticmethod
    def print_json(answer: Any) -> None:
        """One JSON value on standard output."""
        print(msgspec.json.format(msgspec.json.encode(answer, enc_hook=str), indent=2).decode())

    def password(self, length: int = GENERATED_LENGTH) -> Password:
        """The one that `--password-stdin` reads, or a made one. Raises UsageError for one that nobody could log in with."""
        if not self.arguments.password_stdin:
            return Password(generated_password(length), generated=True)
        try:
            text = sys.stdin.readline(LONGEST_PASSWORD + 2).rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError("the password on standard input is not in this terminal's character set") from None
        if not text or len(text) > LONGEST_PASSWORD or not text.isprintable():
            raise UsageError(f"the password on standard input must be one line of 1 to {LONGEST_PASSWORD} characters")
        return Password(text, generated=False)

    def tell_gateway(self) -> None:
        """Have a running gateway read the tables now. Never an error: it looks by itself every few seconds."""
        try:
            Client(self.config.control, TELL_SECONDS).post("/reload")
        except NotRunning:
            print("no gateway runs here; one that starts reads the change", file=sys.stderr)
        except Unreachable as error:
            print(f"{error}; the change is kept, and read within seconds, if it runs", file=sys.stderr)
        except ControlError as error:
            print(f"the change is kept, but the gateway did not take it: {error}", file=sys.stderr)

    def close(self) -> None:
        """Give back what was opened."""
        if "database" in self.__dict__:
            self.database.close()


class Command(NamedTuple):
    """One row of a module's table. Not `checked`: it also works on a database without our schema."""

    run: Callable[[Call], int | None]
    arguments: Callable[[argparse.ArgumentParser], None]
    help: str
    checked: bool = True


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What argparse calls for a command line that does not fit."""
        raise UsageError(f"{message} ({self.prog} --help says more)")


def run(program: str, summary: str, commands: Mapping[str, Command] | Command, argv: list[str]) -> int:
    """Run `emg PROGRAM [COMMAND] …`: one of several commands, or the only one; returns the exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        arguments = _parser(program, summary, commands).parse_args(argv)
        command = commands if isinstance(commands, Command) else commands[arguments.command]
        call = Call(arguments, checked=command.checked)
        try:
            return command.run(call) or EXIT_OK
        finally:
            call.close()
    except UsageError as error:
        code, sentence = EXIT_USAGE, str(error)
    except EmgError as error:
        code, sentence = EXIT_ERROR, str(error)
    print(f"emg {program}: {sentence}", file=sys.stderr)
    return code


def _parser(program: str, summary: str, commands: Mapping[str, Command] | Command) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"emg {program}", description=summary)
    _common_arguments(parser, f"{os.environ.get('EMGDIR') or DEFAULT_FOLDER}/server.cfg", json=False)
    if isinstance(commands, Command):
        commands.arguments(parser)
        return parser
    rows = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, command in commands.items():
        row = rows.add_parser(name, help=command.help, description=command.help)
        # also behind the command's name, where one thinks of them last
        _common_arguments(row, argparse.SUPPRESS, json=argparse.SUPPRESS)
        command.arguments(row)
    return parser


def _common_arguments(parser: argparse.ArgumentParser, config: str, *, json: Any) -> None:
    shown = "" if config == argparse.SUPPRESS else " (default: %(default)s)"
    parser.add_argument(
        "-c", "--config", default=config, metavar="FILE", help=f"where DATABASE and CONTROL stand{shown}"
    )
    parser.add_argument("--json", action="store_true", default=json, help="print JSON")


def no_arguments(_parser: argparse.ArgumentParser) -> None:
    """Of a command that has none."""


def password_arguments(parser: argparse.ArgumentParser) -> None:
    """For `Call.password`. No password is ever an argument: everybody on the machine can read those."""
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input; otherwise one is made and shown",
    )


def generated_password(length: int = GENERATED_LENGTH) -> str:
    """Letters and digits, without those that look alike."""
    return hashes.generated(length)
