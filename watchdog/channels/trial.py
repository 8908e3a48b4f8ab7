"""A trial of the alerts: a message by each channel at once, and what became of it. For whoever has just written ALERT_ keywords.

The alert book knows nothing of it; levels are not looked at. `emg watchdog trial` needs no running watchdog. Its exit code is 1 when a channel failed, or there is none.
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import gevent

from emg.config.load import load
from emg.errors import EmgError
from watchdog.alerts import Alert, News, Notice
from watchdog.channels.channel import DEADLINE, Channel, NotTold
from watchdog.model import Severity
from watchdog.plain import Cleaner
from watchdog.settings import settings

TEXT: Final = "a trial of the alerts, asked for by hand; nothing is wrong"


def trial(channels: Sequence[Channel], clean: Cleaner) -> list[dict[str, Any]]:
    """`name`, `ok` and `error` of each channel; takes DEADLINE at most."""
    greenlets = [gevent.spawn(_try, channel, clean) for channel in channels]
    gevent.joinall(greenlets)
    return [greenlet.get() for greenlet in greenlets]


def _try(channel: Channel, clean: Cleaner) -> dict[str, Any]:
    at = time.time()
    notice = Notice(News.RAISED, Alert("watchdog:trial", TEXT, Severity.WARNING, "", at, at), 1)
    try:
        with gevent.Timeout(DEADLINE, NotTold(f"not done within {DEADLINE:g} s")):
            error = channel.send([notice], 0, at)
    except Exception as failure:  # noqa: BLE001 - whatever goes wrong is what the trial is for
        return {"name": channel.name, "ok": False, "error": clean(str(failure) or type(failure).__name__)}
    return {"name": channel.name, "ok": True, "error": clean(error)}


def main(argv: list[str]) -> int:
    """`emg watchdog trial`; the exit code."""
    from watchdog.channels.lanes import configured  # which needs this module

    parser = argparse.ArgumentParser(
        prog="emg watchdog trial", description="Send a message by each channel that alerts go by."
    )
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="what became of each, as JSON")
    chosen = parser.parse_args(argv)
    found = settings(load(chosen.config), socket.gethostname())
    channels = configured(found)
    if not channels:
        raise EmgError("nobody gets alerts: there is neither ALERT_MAIL nor ALERT_WEBHOOK nor ALERT_SMS")
    results = trial(channels, Cleaner(found.secrets))
    if chosen.json:
        print(json.dumps(results))
    for result in () if chosen.json else results:
        said = f": {result['error']}" if result["error"] else ""
        print(
            f"{result['name']}: {'sent' if result['ok'] else 'failed'}{said}",
            file=sys.stdout if result["ok"] else sys.stderr,
        )
    return 0 if all(result["ok"] for result in results) else 1
