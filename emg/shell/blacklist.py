"""`emg blacklist`: the black list of the database, and the white list beside it.

A file to import is CSV with all columns, and then is both lists; or a file such as BLACKLIST and WHITELIST of the configuration name, and then is the black list alone,
with `--white` the white list alone.
"""

import argparse
from collections.abc import Collection, Mapping
from typing import Any, Final

from emg.db.blacklist import BLACKLIST
from emg.rules.block_rows import Entry, entry_of, is_csv, parse_entries, parse_file
from emg.shell import tables
from emg.shell.common import Call, run
from emg.shell.tables import Subject

HELPS: Final = {
    "address": "a number or a sender's name; with * at the end all that begin so",
    "action": "reject (the default) or log; none in the white list",
    "field": "sourceaddr (the default) or destaddr",
    "list": "black (the default) or white",
    "note": "why it is there",
}


def _parse(call: Call, text: str, _known: Collection[str]) -> list[Entry]:
    return parse_entries(text) if is_csv(text) else parse_file(text, white=call.arguments.white)


def _among(call: Call, text: str) -> Mapping[str, Any]:
    return {} if is_csv(text) else {"white": call.arguments.white}


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--white", action="store_true", help="a file without a header is the white list")


SUBJECT: Final = Subject(
    BLACKLIST, "addresses", _parse, lambda cells, _known: entry_of(cells), HELPS, ("address", "action", "field", "list"),
    among=_among, import_arguments=_import_arguments,
)  # fmt: skip
COMMANDS: Final = tables.commands(SUBJECT)


def main(argv: list[str]) -> int:
    """Run `emg blacklist`."""
    return run("blacklist", "Addresses that are refused, logged or let through.", COMMANDS, argv)
