"""How many messages of each account wait, for those accounts that have a bound of their own (MAXQUEUESIZE in their USER section).

Nothing is counted while no account has one: `Lanes.shares` is None then. When the first bound comes, by a start or a reload, what
is in memory is counted at once and what is on disk by a look at it beside the traffic; until that is through the count is too low, which lets
in some messages more and loses none.
"""

import logging
import sqlite3
from collections.abc import Iterable

import msgspec

from emg.errors import EmgError
from emg.message import Kind, Message
from emg.spool.opening import decode_message

PAGE = 5000

log = logging.getLogger("emg.engine")


class Shares:
    """Waiting messages by account; reports are not counted, they are the account's due."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, message: Message) -> None:
        """It waits from now on."""
        if message.report is None:
            self._counts[message.account] = self._counts.get(message.account, 0) + 1

    def remove(self, message: Message) -> None:
        """It does not wait any more."""
        if message.report is None:
            left = self._counts.get(message.account, 0) - 1
            if left > 0:
                self._counts[message.account] = left
            else:
                self._counts.pop(message.account, None)

    def count(self, account: str) -> int:
        """How many of this account wait."""
        return self._counts.get(account, 0)

    def learn(self, counts: dict[str, int] | None, error: EmgError | None) -> None:
        """Add what was found on disk."""
        if counts is None:
            log.warning("what waits on disk was not counted by account: %s", error)
            return
        for account, count in counts.items():
            self._counts[account] = self._counts.get(account, 0) + count


def on_disk(db: sqlite3.Connection) -> dict[str, int]:
    """Messages on disk and not in memory, by account."""
    counts: dict[str, int] = {}
    for message in _messages(db):
        if message.kind is Kind.NORMAL:
            counts[message.account] = counts.get(message.account, 0) + 1
    return counts


def _messages(db: sqlite3.Connection) -> Iterable[Message]:
    last = -1
    while True:
        rows = db.execute(
            "SELECT id, body FROM message WHERE place > 0 AND id > ? ORDER BY id LIMIT ?", (last, PAGE)
        ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        for _number, body in rows:
            try:
                yield decode_message(body)
            except msgspec.MsgspecError:
                continue  # a damaged row; who needs it will say so
