"""A trial of the alerts: a message by each channel at once, and what became of it. For whoever has just written ALERT_ keywords.

The alert book knows nothing of it; levels are not looked at.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import gevent

from watchdog.alerts import Alert, News, Notice
from watchdog.channels.channel import DEADLINE, Channel, NotTold
from watchdog.model import Severity
from watchdog.plain import Cleaner

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
