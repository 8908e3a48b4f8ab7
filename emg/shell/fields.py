"""Fields of rows (`emg.rules.rows`) as options of a command, and as what it prints; and asking before something is gone for good."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from emg.config.kinds import FLAG
from emg.rules import rows
from emg.rules.rows import Field, Fields
from emg.shell.common import Call, UsageError
from emg.shell.words import MOST_ROWS, whole

Row = dict[str, Any]


def field_arguments(parser: argparse.ArgumentParser, fields: Fields, *, unset: bool = False) -> None:
    """An option for each field that has a group. `unset`: and one that gives fields their defaults back."""
    offered = [field for field in fields.values() if field.group]
    for field in offered:
        _option(parser, field)
    if unset:
        names = [field.name for field in offered if not field.needed]
        parser.add_argument(
            "--unset", action="append", default=[], choices=names, metavar="FIELD",
            help="back to what holds where nothing is said; may be given several times",
        )  # fmt: skip


def _option(parser: argparse.ArgumentParser, field: Field) -> None:
    option = field.name.replace("_", "-")
    about = field.about.rstrip(".").replace("%", "%%")
    if field.kind is FLAG:
        parser.add_argument(f"--{option}", dest=field.name, action="store_const", const="yes", help=about)
        parser.add_argument(f"--no-{option}", dest=field.name, action="store_const", const="no", help="the contrary")
    else:
        says = field.kind.says.replace("%", "%%")
        parser.add_argument(f"--{option}", dest=field.name, metavar="VALUE", help=f"{about} ({says})")


def given(call: Call, fields: Fields) -> dict[str, str]:
    """The texts of the options that were given. Raises UsageError for a field that is set and unset at once."""
    texts = {
        field.name: getattr(call.arguments, field.name)
        for field in fields.values()
        if field.group and getattr(call.arguments, field.name) is not None
    }
    unset = getattr(call.arguments, "unset", [])
    if both := texts.keys() & set(unset):
        raise UsageError(f"{', '.join(sorted(both))}: set and unset at once")
    return texts | dict.fromkeys(unset, "")


def printed(fields: Fields, values: Mapping[str, Any]) -> Row:
    """A row for JSON and tables: flags and plain numbers as they are, all else as its text; no secrets."""
    return {
        field.name: _plain(field, values[field.name])
        for field in fields.values()
        if not field.secret and field.name in values
    }


def _plain(field: Field, value: Any) -> Any:
    plain = isinstance(value, bool | float) or (isinstance(value, int) and field.kind.show is str)
    return value if plain or value is None else rows.text(field, value)


def page_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a command that lists: a text to look for, and which page."""
    parser.add_argument("text", metavar="TEXT", nargs="?", default="", help="only those that have this text in them")
    parser.add_argument(
        "--limit", type=whole(1, MOST_ROWS), default=100, help="so many on a page (default: %(default)s)"
    )
    parser.add_argument("--page", type=whole(1, MOST_ROWS), default=1, help="which page (default: %(default)s)")


def page(call: Call) -> Row:
    """The page that was asked for, for the queries."""
    return {"offset": (call.arguments.page - 1) * call.arguments.limit, "limit": call.arguments.limit}


def tell_pages(call: Call, shown: int, total: int) -> None:
    """Say that there are more than are shown."""
    if shown < total:
        pages = -(-total // call.arguments.limit)
        print(f"page {call.arguments.page} of {pages}; there are {total}", file=sys.stderr)


def yes_argument(parser: argparse.ArgumentParser) -> None:
    """For `confirm`."""
    parser.add_argument("--yes", action="store_true", help="don't ask")


def confirm(call: Call, question: str) -> bool:
    """Whether it shall be done. Raises UsageError where nobody can be asked."""
    if call.arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Say --yes where nobody can be asked.")
    print(question, "[y/N] ", end="", flush=True, file=sys.stderr)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def remark(sentence: str) -> None:
    """Something to know beside what was done."""
    print(f"note: {sentence}", file=sys.stderr)
