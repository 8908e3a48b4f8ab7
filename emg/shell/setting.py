"""`emg setting`: what people can set and no file says: mail, invoices, how long things are kept.

A secret one is read from standard input and never shown.
"""

import argparse
import sys
from typing import Any, Final

from emg.db import settings
from emg.rules import rows
from emg.rules.setting_rows import SETTINGS
from emg.rules.snapshot import Skipped
from emg.shell import fields
from emg.shell.common import Call, Command, UsageError, no_arguments, run

COLUMNS: Final = (
    ("Setting", "name"),
    ("Value", "value"),
    ("Otherwise", "default"),
    ("What it is", "about"),
    ("Not used", "fault"),
)
LONGEST: Final = 100_000


def _rows(chosen: dict[str, Any], skipped: list[Skipped]) -> list[fields.Row]:
    faults = {row.name: row.reason for row in skipped}
    known = [
        {
            "name": field.name,
            "value": "***" if field.secret and chosen[field.name] else rows.text(field, chosen[field.name]),
            "default": rows.text(field, field.default),
            "about": field.about,
            "fault": faults.get(field.name, ""),
        }
        for field in SETTINGS.values()
    ]
    strange = [name for name in faults if name not in SETTINGS]
    return known + [{"name": name, "value": "", "default": "", "about": "", "fault": faults[name]} for name in strange]


def list_(call: Call) -> None:
    """All settings."""
    with call.database.session() as session:
        chosen, skipped = settings.examine(session.connection())
    call.table(_rows(chosen, skipped), COLUMNS)


def set_(call: Call) -> None:
    """Another value."""
    name, value = call.arguments.name, call.arguments.value
    if (value is None) != call.arguments.stdin:
        raise UsageError("the value is either an argument or, with --stdin, read from standard input")
    if value is not None and name in SETTINGS and SETTINGS[name].secret:
        raise UsageError(f"{name} on a command line can be read by all: use --stdin")
    _write(call, name, sys.stdin.read(LONGEST).strip() if value is None else value, "set")


def unset(call: Call) -> None:
    """Back to what holds where nothing is set."""
    _write(call, call.arguments.name, "", "unset")


def _write(call: Call, name: str, value: str, what: str) -> None:
    with call.database.session() as session:
        changed = settings.write(session, call.actor, {name: value})
    done = what if changed else "nothing"
    call.say({"setting": name, "done": done}, f"{name} is {what}" if changed else f"{name} is so already")


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _unset_arguments(parser)
    parser.add_argument("value", metavar="VALUE", nargs="?", help="what it shall be")
    parser.add_argument(
        "--stdin", action="store_true", help="read the value from standard input: several lines, or a secret"
    )


def _unset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="as `emg setting list` shows it")


COMMANDS: Final = {
    "list": Command(list_, no_arguments, "all settings, and what holds where nothing is set"),
    "set": Command(set_, _set_arguments, "another value for a setting"),
    "unset": Command(unset, _unset_arguments, "back to what holds where nothing is set"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("setting", "Settings: mail, invoices, how long things are kept.", COMMANDS, argv)
