"""Turns: how the accounts that share a queue take turns in it.

Start-time fair queueing in quanta. Each message of a queue gets a *turn* when it comes in: the *present* one, which is that of the
message that left last, or the one that its account has got to, whichever is later; and an account gets to the next turn with each `QUANTUM`
messages. Within one priority the queue is emptied turn by turn (`Message.order`), so a message of an account that has nothing else waiting
goes behind at most `QUANTUM` messages of each account that has, however many those have. The turns of one account never go down while
anything of it waits: its own order is kept.

What has waited for its time (a retry, a scheduled message) would come back with a turn long gone by, and a great many of them would go before
everybody: `again` gives them turns from the present one on, `QUANTUM` a turn and account, as for new ones but counted apart.

An account that has nothing in the present turn or a later one is not remembered, so what is remembered is bounded by the accounts that
wait. Pure: knows no queue and no clock.
"""

from collections.abc import Mapping

from emg.message import TURN_BITS

QUANTUM = 8
"""Messages of one account in one turn."""
FEW = 64
"""So many accounts may be remembered in vain."""
_MASK = (1 << TURN_BITS) - 1


class _Level:
    """One priority. Places are counted through: `QUANTUM` of them are a turn."""

    __slots__ = ("again", "begun", "floor", "least", "limit", "next", "present")

    def __init__(self) -> None:
        self.present = QUANTUM
        """The first place of the present turn; turn 0 means none."""
        self.floor = 0
        """The last turn on disk while it is not known who waits there."""
        self.least = self.present
        """Where an account begins that is not remembered: the later one of these."""
        self.next: dict[str, int] = {}
        """account → its next place."""
        self.again: dict[str, int] = {}
        """The same for what comes back."""
        self.limit = FEW
        self.begun = False
        """Something is known to wait since the start."""

    def waits(self, turn: int) -> None:
        """Something waits in this turn since before the start; it may be none."""
        place = max(turn, 1) * QUANTUM
        self.present = min(self.present, place) if self.begun else place
        self.least = max(self.present, self.floor)
        self.begun = True

    def forget(self) -> None:
        """Drop accounts that would begin in the present turn without it."""
        present = self.present
        self.next = {account: place for account, place in self.next.items() if place > present}
        self.again = {account: place for account, place in self.again.items() if place > present}
        self.limit = 2 * (len(self.next) + len(self.again)) + FEW


class Turns:
    """Those of one queue."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}

    @property
    def remembered(self) -> int:
        """Accounts that something is remembered of."""
        return sum(len(level.next) + len(level.again) for level in self._levels.values())

    def _level(self, rank: int) -> _Level:
        level = self._levels.get(rank)
        if level is None:
            level = self._levels[rank] = _Level()
        return level

    def take(self, rank: int, account: str) -> int:
        """The turn of a new message."""
        level = self._levels.get(rank) or self._level(rank)
        place = level.next.get(account, 0)
        if place < level.least:
            place = level.least
        level.next[account] = place + 1
        return place // QUANTUM

    def again(self, rank: int, account: str, turn: int) -> int:
        """The turn of a message that has waited for its time: its own, unless that is over; 0 for one that had none yet."""
        if not turn:
            return self.take(rank, account)
        level = self._level(rank)
        if turn * QUANTUM >= level.present:
            return turn
        place = max(level.again.get(account, 0), level.present)
        level.again[account] = place + 1
        return place // QUANTUM

    def left(self, order: int) -> None:
        """A message of this order has left the queue: its turn is the present one, if it is not behind that."""
        level = self._levels.get(order >> TURN_BITS)
        if level is None:
            return
        present = (order & _MASK) * QUANTUM
        if present > level.present:
            level.present = present
            if present > level.least:
                level.least = present
            if len(level.next) + len(level.again) > level.limit:
                level.forget()

    # -- after a start

    def stood(self, rank: int, account: str, turn: int, *, in_flight: bool) -> None:
        """A message of an earlier run is in memory. The first turn in which anything waits becomes the present one."""
        level = self._level(rank)
        level.next[account] = max(level.next.get(account, 0), (turn + 1) * QUANTUM)
        if not in_flight:
            level.waits(turn)
        elif not level.begun:
            level.present = level.least = max(level.present, turn * QUANTUM)

    def on_disk(self, rank: int, first: int, last: int) -> None:
        """Messages of an earlier run wait on disk, of whom is not known yet: until `learn` nobody gets a turn before the last of theirs."""
        level = self._level(rank)
        level.floor = last * QUANTUM
        level.waits(first)

    def learn(self, found: Mapping[int, Mapping[str, int]]) -> None:
        """The last turn of the messages that were on disk at the start, by rank and account."""
        for rank, last in found.items():
            level = self._level(rank)
            for account, turn in last.items():
                level.next[account] = max(level.next.get(account, 0), (turn + 1) * QUANTUM)
        for level in self._levels.values():
            level.floor = 0
            level.least = level.present
