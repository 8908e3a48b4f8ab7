"""`emg import FILE`: a whole configuration into the database: ours, or that of the commercial product.

Connectors, users, plugins and the tables that the file names are taken over in one transaction; what was left out is listed with file, line, keyword
and reason, and nothing is guessed (see `emg.config.foreign` and `emg.db.takeover`). General keywords stay in the configuration file that `-c` names.
Files are UTF-8, or else Latin-1; relative names are taken from FILE's folder. A second import of the same file changes nothing. FILE may be a folder that `emg export --all` has
written: its server.cfg and the tables beside it. `--dry-run` says what would be done and does none of it.
"""

import argparse
import os
import posixpath
import sys
from pathlib import Path
from typing import Any, Final

from emg.config.faults import Unreadable
from emg.config.foreign import Foreign, ForeignFile, LeftOut, in_order, read
from emg.config.load import Disk
from emg.db import connectors, takeover
from emg.db.takeover import Taken
from emg.db.takeover_tables import ACCOUNTS, BESIDE, CUSTOMERS, Target, take_files
from emg.errors import EmgError
from emg.shell.around import around
from emg.shell.common import Call, Command, run

COUNTS: Final = (("Taken over", "kind"), ("Added", "added"), ("Changed", "changed"), ("As it was", "kept"))
LEFT_OUT: Final = (
    ("File", "file"),
    ("Line", "line"),
    ("Section", "section"),
    ("Keyword", "keyword"),
    ("Left out because", "reason"),
)
MANY: Final = 50
FIRST: Final = (CUSTOMERS, ACCOUNTS)
"""Files that come before the users: a customer before his accounts."""


class Either(Disk):
    """Files in UTF-8, or else in Latin-1, which any octets are."""

    def decode(self, octets: bytes) -> str:
        """The text, whatever the octets are."""
        try:
            return octets.decode()
        except ValueError:
            return octets.decode("latin-1")


class _Undo(Exception):
    """Leaves a transaction without keeping it."""


def take(call: Call) -> None:
    """Take a file over."""
    source = Either()
    foreign = _foreign(call, source)
    taken = Taken(left_out=foreign.left_out)
    known_here = {user.name for user in foreign.users if user.name in call.config.users}
    for user in foreign.users:
        if user.name in known_here:
            reason = "left out as a whole: a USER of this name stands in the configuration file"
            taken.left_out.append(LeftOut(user.file, user.line, f"USER {user.name}", "", reason))
    foreign.users = [user for user in foreign.users if user.name not in known_here]
    with call.database.looking() as session:
        kept = takeover.kept_hashes(session)
    if len(foreign.users) > MANY:
        print(f"comparing and hashing the passwords of {len(foreign.users)} users, about ten a second", file=sys.stderr)
    passwords = takeover.hashed(kept, foreign.users)
    try:
        _write(call, foreign, source, passwords, taken)
    except _Undo:
        pass
    else:
        if any(counts["added"] or counts["changed"] for counts in taken.counts.values()):
            call.tell_gateway()
    taken.left_out = in_order(taken.left_out, foreign.read_files)
    _tell(call, taken)


def _foreign(call: Call, source: Disk) -> Foreign:
    given = Path(call.arguments.file)
    file = posixpath.normpath(given / "server.cfg" if given.is_dir() else given)
    folder = str(Path(file).absolute().parent)  # never EMGDIR: that is where this gateway's files are
    try:
        text = source.read(file)
    except Unreadable as reason:
        raise EmgError(f"{file} can't be read: {reason}") from None
    foreign = read(text, file, folder, os.environ, source, call.config)
    if given.is_dir():
        tables = [
            ForeignFile(kind, str(given / name), file, 0) for name, kind in BESIDE.items() if (given / name).exists()
        ]
        foreign.files += tables
    foreign.read_files += [table.path for table in foreign.files]
    return foreign


def _write(call: Call, foreign: Foreign, source: Disk, passwords: dict[str, str], taken: Taken) -> None:
    """One transaction: all of it, or for a dry run none. Raises _Undo."""
    with call.database.session() as session:
        takeover.take_connectors(session, call.actor, around(call), foreign.connectors, source, taken)
        takeover.take_plugins(session, call.actor, foreign.plugins, taken)
        known = {*call.config.connectors, *(row.name for row in connectors.listing(session))}
        target = Target(session, call.actor, known, taken)
        take_files(target, [file for file in foreign.files if file.kind in FIRST], source)
        takeover.take_users(session, call.actor, foreign.users, passwords, known, taken)
        take_files(target, [file for file in foreign.files if file.kind not in FIRST], source)
        if call.arguments.dry_run:
            raise _Undo


def _tell(call: Call, taken: Taken) -> None:
    left_out = [item._asdict() for item in taken.left_out]
    if call.json:
        counts = {kind: dict(counts) for kind, counts in taken.counts.items()}
        call.print_json({"dry_run": call.arguments.dry_run, "taken": counts, "left_out": left_out})
        return
    rows: list[dict[str, Any]] = [{"kind": kind, **counts} for kind, counts in taken.counts.items()]
    call.table(rows, COUNTS, "Would be taken over" if call.arguments.dry_run else "")
    if left_out:
        call.table(left_out, LEFT_OUT, f"\nLeft out: {len(left_out)}")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the configuration to be taken over, or the folder of an export")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and don't do it")


def main(argv: list[str]) -> int:
    """Take over the file that the arguments name."""
    summary = "Take a configuration file over into the database: ours, or that of the commercial product."
    return run("import", summary, Command(take, _arguments, summary), argv)
