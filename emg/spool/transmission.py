"""When messages whose marks are kept are transmitted: at once, or behind the next batch.

After a commit whose one answer was prompt (`emg.session.prompt`) the client is about to send his next message, and who waits for each
answer waits for all that the loop does in between. So what goes on to other peers gives way until that message is with the writer: it is
done during the commit, at the latest after `GIVE_WAY_SECONDS` if no message comes. A session whose transmitting fails is logged and costs no other one anything.
"""

import logging
from collections.abc import Collection
from typing import Any

import gevent

from emg.spool.batch import Carrier

GIVE_WAY_SECONDS = 0.001

log = logging.getLogger("emg.spool")


class Transmission:
    """Of one spool."""

    def __init__(self) -> None:
        self._loop = gevent.get_hub().loop
        self._waiting: list[Carrier] = []
        self._timer: Any = None

    def begin(self, carriers: Collection[Carrier], *, give_way: bool) -> None:
        """The marks of these are kept."""
        for carrier in carriers:
            carrier.marked()
        self._waiting += carriers
        if not give_way:
            self.go()
        elif self._waiting and self._timer is None:
            self._timer = self._loop.timer(GIVE_WAY_SECONDS)
            self._timer.start(self.go)

    def go(self) -> None:
        """Nothing is given way to any more."""
        if not self._waiting:
            return
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for carrier in waiting:
            try:
                carrier.advance()
            except Exception:  # its messages stay marked; the spool and the other sessions go on
                log.exception("what is ready for a session could not be transmitted")
