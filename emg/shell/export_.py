"""`emg export`: the tables as files that `emg import` takes back.

Alone, or with a bare `--config`, it prints connectors, plugins and accounts as a configuration; `--all DIR` writes a folder: server.cfg with connectors and plugins, and each table
as CSV. Passwords stay out unless `--with-secrets` asks for them. Files are readable by their owner alone, each is written beside its
place and renamed, and an empty folder is made where there is none. Balances, the message log, web users and keys are no part of it.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from emg.db import handover
from emg.errors import EmgError
from emg.shell.common import Call, Command, run

MAIN: Final = "server.cfg"


def export(call: Call) -> None:
    """What the arguments ask for."""
    secrets = call.arguments.with_secrets
    folder = call.arguments.all
    with call.database.looking() as session:
        text = handover.configuration(session, call.config, secrets=secrets, users=folder is None)
        files = {MAIN: text} if folder is None else {MAIN: text, **dict(handover.tables(session, secrets=secrets))}
    if folder is None:
        _print(call, text)
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            _write(folder / name, content)
    except OSError as error:
        raise EmgError(f"{folder} can't be written: {(error.strerror or 'input/output error').lower()}") from None
    call.say({"folder": str(folder), "files": list(files)}, f"{', '.join(files)} written to {folder}")


def _print(call: Call, text: str) -> None:
    if call.json:
        call.print_json({MAIN: text})
    else:
        sys.stdout.write(text)


def _write(path: Path, content: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    beside.replace(path)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", type=Path, metavar="DIR", help="write the configuration, and each table as CSV, to this folder"
    )
    parser.add_argument(
        "--with-secrets", action="store_true", help="also passwords of connectors and hashes of accounts"
    )


def main(argv: list[str]) -> int:
    """Export what the arguments name."""
    summary = "Write the tables of the database as files that `emg import` takes back."
    return run("export", summary, Command(export, _arguments, summary), _without_bare_config(argv))


def _without_bare_config(argv: list[str]) -> list[str]:
    """`--config` without a file's name asks for the configuration, which is what is printed anyway."""
    following = [*argv[1:], "--"]
    return [
        word for word, after in zip(argv, following, strict=True) if word != "--config" or not after.startswith("-")
    ]
