"""`emg check`: read a configuration as the gateway would, and say everything that is wrong with it.

Prints one line for each fault (`file:line: sentence`) and warning to standard output; exit code 0 if the configuration can be used, 1
if not. `--json` prints one object instead: {"usable", "faults", "warnings", "values"}; `values` only with -v.
"""

import argparse
import json
import os
import sys
from io import TextIOWrapper

from emg.config.effective import sections, written
from emg.config.faults import ConfigFaults
from emg.config.load import load
from emg.config.model import ServerConfig
from emg.errors import ConfigError

DEFAULT_FOLDER = "/etc/emg"


def main(argv: list[str]) -> int:
    """Check the configuration that the arguments name; returns the exit code."""
    arguments = _arguments(argv)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    config: ServerConfig | None = None
    faults: list[ConfigError] = []
    try:
        config = load(arguments.config)
        warnings = list(config.warnings)
    except ConfigFaults as found:
        faults, warnings = found.faults, found.warnings
    if arguments.json:
        print(json.dumps(_object(config, faults, warnings, verbose=arguments.verbose), indent=2))
    else:
        _print(arguments.config, config, faults, warnings, verbose=arguments.verbose)
    return 1 if faults else 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    folder = os.environ.get("EMGDIR") or DEFAULT_FOLDER
    parser = argparse.ArgumentParser(
        "emg check", description="Check a configuration and report everything wrong with it."
    )
    parser.add_argument("-c", "--config", default=f"{folder}/server.cfg", help="the main file (default: %(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true", help="also print the values in effect, without secrets")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(argv)


def _print(
    file: str, config: ServerConfig | None, faults: list[ConfigError], warnings: list[ConfigError], *, verbose: bool
) -> None:
    for fault in faults:
        print(fault)
    for warning in warnings:
        print(f"{_place(warning)}: warning: {warning.reason}")
    if config is None:
        print(f"{file}: {_count(len(faults), 'fault')}, {_count(len(warnings), 'warning')}: it can't be used")
        return
    if verbose:
        print(written(config))
    amounts = f"{_count(len(config.connectors), 'connector')}, {_count(len(config.users), 'user')}"
    print(f"{file}: it can be used: {amounts}, {_count(len(warnings), 'warning')}")


def _place(error: ConfigError) -> str:
    return f"{error.file}:{error.line}" if error.line else error.file


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _object(
    config: ServerConfig | None, faults: list[ConfigError], warnings: list[ConfigError], *, verbose: bool
) -> dict[str, object]:
    def rows(errors: list[ConfigError]) -> list[dict[str, str | int]]:
        return [{"file": error.file, "line": error.line, "reason": error.reason} for error in errors]

    answer: dict[str, object] = {"usable": config is not None, "faults": rows(faults), "warnings": rows(warnings)}
    if verbose and config is not None:
        answer["values"] = [
            {"section": kind, "name": name, "keywords": keywords} for kind, name, keywords in sections(config)
        ]
    return answer
