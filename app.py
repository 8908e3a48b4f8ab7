"""The one door: `emg PROGRAM …` finds the program in one table and runs its `main`.

Only the module asked for is imported, so that every command starts fast. gevent's patch, where a program needs it, comes
before any other import. A `main(argv)` gets the arguments after the program's name and returns the exit code. An
`EmgError` that comes this far is one sentence on stderr and exit code 1; Ctrl-C is 130; a reader that went away
(`emg ctl queues | head`) is no error.
"""

import os
import sys
from importlib import import_module
from typing import NamedTuple

from emg.errors import EmgError


class Program(NamedTuple):
    """One row of the table: where `main` is, whether gevent patches the standard library for it, and a line of help.

    `lasting`: it runs until it is stopped, under a supervisor perhaps, and can be asked what it does (`emg.supervised`).
    """

    module: str
    patched: bool
    summary: str
    lasting: bool = False


PROGRAMS = {
    "gateway": Program(
        "emg.gateway",
        True,
        "run the gateway in the foreground (SIGTERM drains and stops, SIGHUP reloads)",
        lasting=True,
    ),
    "recorder": Program(
        "emg.recorder.program", False, "write what happens to messages into the database's log", lasting=True
    ),
    "scheduler": Program(
        "emg.jobs.scheduler", True, "run the jobs: summaries, mails, invoices, retention", lasting=True
    ),
    "portal": Program("portal.main", True, "serve the web portal and its REST API", lasting=True),
    "watchdog": Program(
        "watchdog.main", True, "look after the programs, or ask who does; `emg watchdog --help`", lasting=True
    ),
    "check": Program("emg.config.cli", False, "check a configuration and report all its faults"),
    "password": Program("emg.tools.password", False, "make the hash of a password, to be kept in the configuration"),
    "account": Program("emg.shell.account", False, "accounts: who may send, how much, and what is left"),
    "customer": Program("emg.shell.customer", False, "customers: whose accounts these are"),
    "user": Program("emg.shell.user", False, "people who log in to the portal"),
    "key": Program("emg.shell.key", False, "keys with which programs use the REST API"),
    "setting": Program("emg.shell.setting", False, "settings: mail, invoices, how long things are kept"),
    "route": Program("emg.shell.route", False, "routes: which connector a message goes to"),
    "price": Program("emg.shell.price", False, "prices: what a message costs"),
    "network": Program("emg.shell.network", False, "numbering: the country and network of each prefix"),
    "blacklist": Program("emg.shell.blacklist", False, "addresses that are refused, logged or let through"),
    "connector": Program("emg.shell.connector", False, "connectors that stand in the database"),
    "messages": Program("emg.shell.messages", False, "find messages in the log"),
    "report": Program("emg.shell.report", False, "figures of the traffic, and how the scheduler's jobs went"),
    "invoice": Program("emg.shell.invoice", False, "invoices: prepared from the log, issued, written as files"),
    "import": Program("emg.shell.import_", False, "take a configuration file over into the database"),
    "export": Program("emg.shell.export_", False, "write the database's tables as files"),
    "db": Program("emg.shell.db", False, "make the database's tables, bring them up to date, look at them"),
    "ctl": Program("emg.control.ctl", False, "ask a running gateway, or change what it does"),
    "send": Program("emg.tools.send", False, "send one message and wait for its report"),
    "load": Program("emg.tools.load", True, "send many messages and measure", lasting=True),
    "sink": Program("emg.tools.sink", True, "be a simulated operator", lasting=True),
    "pdu": Program("emg.tools.pdu", False, "decode a PDU given in hex"),
    "demo": Program("emg.tools.demo", False, "the whole product with demo data and a simulated operator"),
}


def main(argv: list[str] | None = None) -> int:
    """Run the program named first in `argv` (default: the command line); return its exit code."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help", "help"):
        print(overview())
        return 0
    program = PROGRAMS.get(name)
    if program is None:
        print(f"emg: there is no program '{name}'; 'emg --help' lists them", file=sys.stderr)
        return 2
    try:
        return run(name, program, rest)
    except EmgError as error:
        print(f"emg {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # What is still buffered would fail again at exit: let it fall into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def run(name: str, program: Program, argv: list[str]) -> int:
    """Import and run one program, after gevent's patch where its row asks for it."""
    if program.patched:
        from gevent import monkey

        monkey.patch_all()
    if not program.lasting:
        code: int = import_module(program.module).main(argv)
    else:
        from emg import supervised

        supervised.begin(name)
        try:
            code = import_module(program.module).main(argv)
        finally:
            supervised.end()
    sys.stdout.flush()
    return code


def overview() -> str:
    """Return the help text: what programs there are."""
    width = max(map(len, PROGRAMS))
    lines = [f"  {name:{width}}  {program.summary}" for name, program in PROGRAMS.items()]
    return "\n".join(["usage: emg PROGRAM [ARGUMENTS]", "", *lines, "", "'emg PROGRAM --help' says more about each."])


if __name__ == "__main__":
    sys.exit(main())
