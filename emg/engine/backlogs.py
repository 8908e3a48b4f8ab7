"""What the queues held at a start, and whose it is: where the accounts of each shared queue have got to (`emg.engine.turns`).

The spool tells at once how much of a queue waits on disk and between which turns. Whose it is stands in the messages alone; they are read through
once (a million in about a second), before anybody binds; when that takes too long, once more beside the traffic. Until it is done nobody gets a turn
before the last one on disk: no account can overtake itself, but one that has nothing there waits behind those that have. When it
cannot be done, that lasts until the backlog is through.
"""

import logging
import sqlite3
from collections.abc import Iterable

import msgspec

from emg.engine.lanes import Lanes
from emg.errors import EmgError
from emg.message import TURN_BITS
from emg.spool.opening import Recovered

PAGE = 2000
PATIENCE = 5.0
"""Seconds by which a start may be later for it."""
_TURN = (1 << TURN_BITS) - 1

log = logging.getLogger("emg.engine")
Found = dict[int, dict[int, dict[str, int]]]
"""Number of the queue → rank → account → its last turn."""


class _Whose(msgspec.Struct, array_like=True, gc=False):
    """How a `Message` begins: enough to know whose it is."""

    id: int
    kind: int
    queue: str
    connector: str
    account: str


_whose = msgspec.msgpack.Decoder(_Whose).decode


def take_turns(lanes: Lanes, recovered: Recovered) -> None:
    """Bring the turns of all queues to where they stood."""
    for message in recovered.resident:
        turns = lanes.get(message.queue).turns
        if turns is not None and not message.due:
            turns.stood(message.rank, message.account, message.turn, in_flight=message.id in recovered.marked)
    for backlog in recovered.spilled:
        turns = lanes.get(backlog.queue).turns
        if turns is not None:
            turns.on_disk(backlog.rank, backlog.first & _TURN, backlog.last & _TURN)


def shared(lanes: Lanes) -> list[int]:
    """The numbers of the queues with a backlog on disk that accounts may share."""
    return [lane.number for lane in lanes.by_name.values() if lane.turns is not None and lane.tail.count]


def accounts(queues: Iterable[int], db: sqlite3.Connection) -> Found:
    """Read through these queues. A damaged row is passed over: who needs it will say so."""
    found: Found = {}
    text = "SELECT rank, id, body FROM message WHERE place = 1 AND queue = ? AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?"
    for number in queues:
        ranks = found[number] = {}
        after = (-1, -1)
        while rows := db.execute(text, (number, *after, PAGE)).fetchall():
            after = rows[-1][:2]
            for order, _id, body in rows:
                try:
                    account = _whose(body).account
                except msgspec.MsgspecError:
                    continue
                ranks.setdefault(order >> TURN_BITS, {})[account] = order & _TURN  # in order: the last one stays
    return found


def learn(lanes: Lanes, found: Found | None, error: EmgError | None) -> None:
    """Take what was found."""
    if found is None:
        log.warning("whose messages wait on disk is not known, new ones wait behind them: %s", error)
        return
    for number, ranks in found.items():
        turns = lanes.by_number(number).turns
        if turns is not None:
            turns.learn(ranks)
    log.info("whose messages wait on disk is known, in %d queues", len(found))
