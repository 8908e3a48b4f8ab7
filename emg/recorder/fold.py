"""Events into rows: all that happened to a message within a batch becomes one row, or one change of a row that is there.

`Fold.take` takes the events in their order; `batch` gives what is to be written. However the events are cut into batches, the rows are the same in the
end: amounts are added, of times and ids the first stays, a final state stays, attempts are counted as `max(tries + more, least)`.

A message is found by (id, received), and every event of ours says both. Events of a gateway that was older do not (`accepted` is 0): those about
messages of earlier batches are put off as `strays`, and taken by `place` when somebody has looked up where they stand.

Texts are cut to what their columns hold. An event that cannot be folded (a time that is none) raises nothing: it is in `faults`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from emg.db.log_tables import MOST_TRIES, Batch, Row, Traffic
from emg.engine import events
from emg.message import Encoding, State
from emg.text.coding import to_text

STATUS = tuple(
    {State.ACCEPTED: "queued", State.IN_FLIGHT: "queued", State.REJECTED: "failed"}.get(state, state.name.lower())
    for state in State
)
"""`routelog.status` by state."""
LONGEST_TEXT = 16_000
"""Characters: MariaDB's TEXT has 65,535 octets, and a character up to four."""
SMALL = 32_767
REPORT = 5

_seconds: dict[int, str] = {}
MOST_SECONDS = 20_000


def stamp(at: float) -> str:
    """A moment (epoch seconds) as the database's text, to the microsecond as `datetime` would round it. Raises ValueError, OverflowError."""
    second = int(at)
    micro = round((at - second) * 1e6)
    if micro == 1_000_000:
        second, micro = second + 1, 0
    prefix = _seconds.get(second)
    if prefix is None:
        if len(_seconds) >= MOST_SECONDS:
            _seconds.clear()
        moment = dt.datetime.fromtimestamp(second, dt.UTC)
        prefix = _seconds[second] = f"{moment:%Y-%m-%d %H:%M:%S}."
        if len(prefix) != 20:
            raise ValueError(f"{at} is no time of ours")
    return f"{prefix}{micro:06d}"


class Story:
    """What happened to one message in this batch; `accepted` where it began in it. What nothing was heard of is as the class says."""

    accepted: events.Accepted | None = None
    connector_out = ""
    status = ""
    sent: str | None = None
    done: str | None = None
    more = 0
    least = 0
    maybe_sent = 0
    remote_id = ""
    error = ""
    cause = ""
    price = 0
    refunded = 0
    parts = 0
    """Of what was put together with others, less what it counted for."""
    cost = 0
    """More, by other connectors."""

    def __init__(self, received: str) -> None:
        self.received = received


class PartStory:
    """The same of a part that we made; `number` is 0 where it was made in an earlier batch."""

    number = 0
    total = 0
    status = ""
    sent: str | None = None
    done: str | None = None
    remote_id = ""
    error = ""

    def __init__(self, parent: int, received: str) -> None:
        self.parent = parent
        self.received = received


class Fold:
    """See the module's text. `node`: whose events these are."""

    def __init__(self, node: int) -> None:
        self.strays: list[events.Any] = []
        self.faults: list[tuple[events.Any, str]] = []
        self.ended_twice = 0
        """Messages that ended again within the batch; the first end stays."""
        self._node = node
        self._stories: dict[int, Story] = {}
        self._parts: dict[int, PartStory] = {}
        self._bodies: list[Row] = []
        self._traffic: dict[tuple[int, str], list[Any]] = {}

    def take(self, happened: Iterable[events.Any]) -> None:
        """More events, later than all before."""
        takes = self._takes
        for event in happened:
            try:
                takes[type(event)](self, event)
            except Exception as error:  # noqa: BLE001 -- one event that our own code can't take must not stop the log
                self.faults.append((event, f"{type(error).__name__}: {error}"))

    def place(self, messages: Mapping[int, str], parts: Mapping[int, tuple[int, str]]) -> None:
        """Take the strays: id → received, part → (parent, its received). What stands nowhere is about a report, or was never logged."""
        strays, self.strays = self.strays, []
        for number, received in messages.items():
            if number not in self._stories:
                self._stories[number] = Story(received)
        for number, (parent, received) in parts.items():
            if number not in self._parts:
                self._parts[number] = PartStory(parent, received)
            if parent not in self._stories:
                self._stories[parent] = Story(received)
        self.take(strays)
        self.strays = []

    # -- events

    def _accepted(self, event: events.Accepted) -> None:
        story = self._stories.get(event.id)
        if story is None:  # its parts may have been told of before it, in the same commit
            story = self._stories[event.id] = Story(stamp(event.at))
        story.accepted = event
        if event.price:
            story.price += event.price
        if event.payer:
            self._charge(event.payer, story.received, event.price, 1)
        if event.text or event.udh:
            self._bodies.append(_body(event, story.received))

    def _split(self, event: events.Split) -> None:
        part = self._parts[event.part] = PartStory(event.id, stamp(event.at))
        part.number, part.total = min(event.number, SMALL), min(event.total, SMALL)

    def _joined(self, event: events.Joined) -> None:
        """The whole was told of before it, in the same commit. From now on the whole counts, and what was paid for the part is paid for it; as for its cost."""
        own = self._story(event.id, event.accepted, event)
        whole = self._stories.get(event.into)
        if whole is None:
            whole = self._stories[event.into] = Story(stamp(event.accepted))
        if own is not None:
            own.parts -= 1
            own.price -= event.price
            own.cost -= event.cost
            whole.price += event.price
            whole.cost += event.cost

    def _sent(self, event: events.Sent) -> None:
        if event.kind == REPORT:
            return
        story = self._stories.get(event.parent or event.id)
        if story is None:
            story = self._story(event.id, event.accepted, event)
            if story is None:
                return
        at = stamp(event.at)
        part = self._part(event)
        if part is not None:
            part.remote_id = part.remote_id or event.remote_id[:65]
            part.sent = part.sent or at
            if part.done is None:
                part.status = "sent"
        if story.done is None:
            story.status = "sent"
        if story.sent is None:
            story.sent = at
        if not story.remote_id:
            story.remote_id = event.remote_id[:65]
        story.connector_out = event.connector[:64]
        if event.tries > story.least:
            story.least = min(event.tries, MOST_TRIES)
        if event.maybe_sent:
            story.maybe_sent = 1

    def _tried(self, event: events.Tried) -> None:
        story = self._stories.get(event.parent or event.id) or self._story(event.id, event.accepted, event)
        if story is None:
            return
        self._part(event)
        story.more += 1
        story.least += 1
        if event.maybe_sent:
            story.maybe_sent = 1

    def _moved(self, event: events.Moved) -> None:
        story = self._stories.get(event.parent or event.id) or self._story(event.id, event.accepted, event)
        if story is None:
            return
        story.connector_out = event.to.partition("/")[0][:64]
        story.cost += event.cost

    def _ended(self, event: events.Ended) -> None:
        if event.parent or event.id in self._parts:
            self._part_ended(event)
            return
        story = self._stories.get(event.id)
        if story is None:
            story = self._story(event.id, event.accepted, event)
            if story is None:
                return
        if story.done is None:
            story.done = stamp(event.at)
            story.status = STATUS[event.state]
            story.error = event.error[:16]
            story.cause = event.cause[:40]
        else:
            self.ended_twice += 1
        if event.maybe_sent:
            story.maybe_sent = 1
        if event.refund:
            self._refund(story, event)

    def _part_ended(self, event: events.Ended) -> None:
        story = self._stories.get(event.parent) or self._story(event.id, event.accepted, event)
        part = self._part(event)
        if part is None or story is None:
            return
        if part.done is None:
            part.done = stamp(event.at)
            part.status = STATUS[event.state]
            part.error = event.error[:16]
        else:
            self.ended_twice += 1
        if event.maybe_sent:
            story.maybe_sent = 1
        if event.refund:
            self._refund(story, event)

    def _nothing(self, event: events.Any) -> None:
        """The log has no place for it."""

    _takes: ClassVar[dict[type, Callable[["Fold", Any], None]]] = {
        events.Accepted: _accepted, events.Split: _split, events.Joined: _joined, events.Sent: _sent, events.Tried: _tried, events.Moved: _moved,
        events.Ended: _ended, events.Intermediate: _nothing, events.Orphaned: _nothing,
    }  # fmt: skip

    # -- what they are about

    def _story(self, number: int, accepted: float, event: Any) -> Story | None:
        """The story that an event is about, its parent's for a part; None for a stray."""
        parent = getattr(event, "parent", 0)
        if parent:
            number = parent
        else:
            part = self._parts.get(number)
            if part is not None:
                number = part.parent
        story = self._stories.get(number)
        if story is None:
            part = self._parts.get(event.id)
            if part is not None:
                story = self._stories[number] = Story(part.received)
            elif accepted:
                story = self._stories[number] = Story(stamp(accepted))
            else:
                self.strays.append(event)
        return story

    def _part(self, event: Any) -> PartStory | None:
        part = self._parts.get(event.id)
        if part is None and event.parent:
            part = self._parts[event.id] = PartStory(event.parent, stamp(event.accepted))
        return part

    def _charge(self, payer: int, moment: str, amount: int, count: int) -> None:
        key = (payer, moment[:13])
        traffic = self._traffic.get(key)
        if traffic is None:
            self._traffic[key] = [moment, amount, count]
            return
        traffic[0] = max(traffic[0], moment)
        traffic[1] += amount
        traffic[2] += count

    def _refund(self, story: Story, event: events.Ended) -> None:
        story.price -= event.refund
        story.refunded += event.refund
        if event.payer:
            self._charge(event.payer, stamp(event.at), -event.refund, 0)

    # -- rows

    @property
    def accounts(self) -> set[str]:
        """Who sent the messages that are new."""
        return {story.accepted.account for story in self._stories.values() if story.accepted is not None}

    def batch(self, customers: Mapping[str, int | None]) -> Batch:
        """What is to be written. `customers`: account → customer's id."""
        batch = Batch(bodies=self._bodies)
        hours = set()
        for number, story in self._stories.items():
            hours.add(story.received[:13])
            event = story.accepted
            if event is not None:
                batch.messages.append(_message(number, story, event, customers.get(event.account), self._node))
            elif _changes(story):
                batch.changes.append((
                    number, story.received, story.connector_out, story.status, story.sent, story.done, story.more, story.least,
                    story.maybe_sent, story.remote_id, story.error, story.cause, story.price, story.refunded, story.cost,
                    story.parts,
                ))  # fmt: skip
        for number, part in self._parts.items():
            if part.number:
                batch.parts.append((
                    number, part.parent, part.received, part.number, part.total, part.status or "queued", part.sent, part.done,
                    part.remote_id, part.error,
                ))  # fmt: skip
            elif part.status:
                batch.part_changes.append((number, part.status, part.sent, part.done, part.remote_id, part.error))
        batch.hours = {f"{hour}:00:00.000000" for hour in hours}
        batch.traffic = [
            Traffic(payer, f"{hour}:00:00.000000", at, amount, count)
            for (payer, hour), (at, amount, count) in self._traffic.items()
        ]
        return batch


def _changes(story: Story) -> bool:
    return bool(
        story.status or story.connector_out or story.more or story.maybe_sent or story.price or story.refunded or story.done
        or story.cost or story.parts
    )  # fmt: skip


def _message(number: int, story: Story, event: events.Accepted, customer: int | None, node: int) -> Row:
    tries = story.least
    return (
        number, story.received, event.account[:64], customer, event.connector[:64],
        story.connector_out or event.queue.partition("/")[0][:64], event.source[:254], event.dest[:254], int(event.encoding), event.octets,
        min(event.parts, SMALL) + story.parts, story.status or "queued", story.sent, story.done,
        tries if tries < MOST_TRIES else MOST_TRIES, story.maybe_sent, story.remote_id, story.error, story.cause, event.route[:80],
        event.price_row, event.prefix[:32], event.network[:6], story.price, story.refunded,
        event.cost + story.cost, event.currency[:3], event.reference[:64], event.remote_ip[:45],
        node,
    )  # fmt: skip


_TEXTLESS = tuple(encoding in (Encoding.BINARY, Encoding.OPAQUE) for encoding in range(max(Encoding) + 1))
"""By the encoding's number: an enum's hash is slow."""


def _body(event: events.Accepted, received: str) -> Row:
    encoding = event.encoding
    text = "" if _TEXTLESS[encoding] else to_text(event.text, encoding, "replace")[:LONGEST_TEXT]
    return (event.id, received, event.udh[:255], b"" if event.masked else event.text, text, int(event.masked))
