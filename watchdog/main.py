"""`emg watchdog`: runs the watchdog (`watchdog.running`); `emg watchdog COMMAND …` asks the one that runs (`watchdog.client`).

Exit codes of the run: 0 after a stop, 1 when the configuration is wrong.
"""

import argparse
from importlib import import_module

from emg import supervised
from emg.last_good import LastGood


def main(argv: list[str]) -> int:
    """Run the watchdog, or give the words to the command that they name."""
    if argv and not argv[0].startswith("-"):
        return command(argv)
    parser = argparse.ArgumentParser(
        prog="emg watchdog",
        usage="emg watchdog [-h] [-c CONFIG] | emg watchdog COMMAND …",
        description="Look after the programs, tell people, answer on the watchdog's API; supervisord starts it. With a command: ask the one that runs.",
        epilog="'emg watchdog configuration' prints supervisord's configuration, 'emg watchdog trial' sends a message by each channel of alerts; 'emg watchdog help' lists the other commands.",
    )
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    arguments = parser.parse_args(argv)
    from watchdog.running import run

    supervised.note_hangups()
    last_good = LastGood("watchdog")
    return run(last_good.load(arguments.config), last_good)


def command(argv: list[str]) -> int:
    """One of the commands; only what it needs is imported."""
    if argv[0] == "configuration":
        from watchdog import render

        return render.main(argv[1:])
    if argv[0] == "trial":
        from watchdog.channels import trial

        return trial.main(argv[1:])
    client = import_module("watchdog.client")
    code: int = client.main(argv)
    return code
