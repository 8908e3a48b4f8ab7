"""`emg password`: reads a password and prints its argon2 hash, for PASSWORD of a USER section.

At a terminal it asks twice without showing it; otherwise it takes the first line of standard input. It is never an argument, because
arguments can be seen by everybody on the machine. Exit codes: 0 printed, 5 no password, or two different ones.
"""

import argparse
import getpass
import sys

from emg.config import hashes
from emg.tools import options


def main(argv: list[str]) -> int:
    """Run `emg password`; the exit code."""
    return options.end("emg password", lambda: _run(argv))


def _run(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("emg password", description="Read a password and print its argon2 hash.")
    parser.parse_args(argv)
    password = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise options.BadArgument("there is no password to hash")
    print(hashes.make(password.encode()))
    return options.EXIT_OK


def _ask() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise options.BadArgument("the two are not the same")
    return password
