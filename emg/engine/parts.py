"""Long messages that we have split: how far their parts are, and the one report that their sender gets (protocol case S40).

A `Group` stands in the spool until all parts are final. Recent ones are in memory; an older one is read when one of its parts ends;
one that cannot be read is told as an error, never as one that is over.
The whole is delivered when all parts are, and failed as soon as one of them is: the sender learns of it once, then or at the end.
"""

import sqlite3
from collections.abc import Callable

import msgspec

from emg.errors import SpoolError
from emg.message import Message, OpenReport, State, Want
from emg.spool import rereading
from emg.spool.spool import Spool

MEMORY = 20_000
"""Groups kept in memory; the oldest leave first and are read again at need."""

_encode = msgspec.msgpack.Encoder().encode


class Group(msgspec.Struct, array_like=True, gc=False):
    """One long message. `states[n]` is the state of part n+1; `ticket` is what a report about the whole needs."""

    ticket: OpenReport
    parts: list[int]
    states: list[int]
    error: str = "000"
    reported: bool = False

    @classmethod
    def of(cls, message: Message, parts: list[int], provider: str) -> "Group":
        """For a message that was just split."""
        ticket = ticket_for(message, provider, "", 0.0, message.expires)
        return cls(ticket, parts, [int(State.QUEUED)] * len(parts))

    @property
    def over(self) -> bool:
        """All parts are final."""
        return all(state >= State.DELIVERED for state in self.states)

    def verdict(self) -> State | None:
        """The final state of the whole as soon as it is certain, else None."""
        bad = [state for state in self.states if state > State.DELIVERED]
        if bad:
            return State(bad[0])
        return State.DELIVERED if self.over else None

    @property
    def delivered(self) -> int:
        """Parts that arrived."""
        return sum(1 for state in self.states if state == State.DELIVERED)


_decode = msgspec.msgpack.Decoder(Group).decode
Found = Callable[[Group | None, SpoolError | None], None]


def ticket_for(message: Message, provider: str, remote_id: str, sent: float, expires: float) -> OpenReport:
    """What is needed to report on a message, from the message itself."""
    return OpenReport(
        message.id, provider, remote_id, message.connector, message.account,
        message.source, message.source_ton, message.source_npi, message.dest, message.dest_ton, message.dest_npi,
        message.accepted, sent, expires, message.want, message.part, message.per_part, message.reference, message.maybe_sent, message.joined,
        message.remote_ip, message.charge,
    )  # fmt: skip


class Groups:
    """The groups of one gateway."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._recent: dict[int, Group] = {}

    def open(self, group: Group) -> None:
        """A new one; it is kept with the commit of its parts."""
        self._remember(group)
        self.keep(group)

    def keep(self, group: Group) -> None:
        """Write its present state, or remove it when it is over."""
        parent = group.ticket.id
        if group.over:
            self._recent.pop(parent, None)
            self._spool.keep_group(parent, 0.0, None)
        else:
            self._spool.keep_group(parent, group.ticket.expires, _encode(group))

    def forget(self, parent: int) -> None:
        """Its parts could not be kept."""
        self._recent.pop(parent, None)
        self._spool.keep_group(parent, 0.0, None)

    def find(self, parent: int, found: Found) -> None:
        """`found(group, None)` now or after a read; (None, None) when there is none any more, (None, error) when nobody can tell."""
        group = self._recent.get(parent)
        if group is not None:
            found(group, None)
            return

        def query(db: sqlite3.Connection) -> bytes | None:
            row = db.execute("SELECT body FROM part_group WHERE parent = ?", (parent,)).fetchone()
            return row[0] if row else None

        def loaded(body: bytes | None, error: SpoolError | None) -> None:
            known = self._recent.get(parent)  # another part's read may have been quicker
            if known is None and body is not None:
                known = _decode(body)
                self._remember(known)
            found(known, None if known is not None else error)

        rereading.read(self._spool, f"the parts of message {parent}", query, loaded)

    def _remember(self, group: Group) -> None:
        recent = self._recent
        recent[group.ticket.id] = group
        if len(recent) > MEMORY:
            del recent[next(iter(recent))]


def wants_report(want: Want, state: State) -> bool:
    """The sender asked for a final report of this kind. "Unknown" is told to those who asked for every final report."""
    return _WANTED[want][state]


def _wanted(want: Want, state: State) -> bool:
    if state is State.UNKNOWN:
        return want == Want.FINAL
    return bool(want & (Want.SUCCESS if state is State.DELIVERED else Want.FAILURE))


_WANTED = [[_wanted(Want(want & Want.FINAL), state) for state in State] for want in range(2 * Want.LOGGED)]
"""By all values of `Want`, and the state; flags compare slowly."""
