"""What happens to a message, as the outbox keeps it: one event a step, in the commit that holds the step.

The recorder makes one row of the message log out of a message's events; `emg ctl message` shows them as its story. Each is a
msgpack array that begins with its kind, so that a later version can add fields at the end. `at` is epoch seconds.
"""

import msgspec

from emg.errors import Cause
from emg.message import Encoding, State


class Event(msgspec.Struct, array_like=True, gc=False, tag=True):
    """What all have. `id` is the message's; for a part of a long message that we split it is the part's own."""

    id: int
    at: float


class Accepted(Event, gc=False, tag="accepted"):
    """Kept, and about to be acknowledged."""

    connector: str
    account: str
    source: str
    dest: str
    encoding: Encoding
    octets: int
    parts: int
    queue: str
    route: str
    """What decided: `account`, `connector`, `first part`, or `table` with the id of the routing table's row (its line in ROUTES)."""
    want: int
    remote_ip: str = ""
    reference: str = ""
    udh: bytes = b""
    text: bytes = b""
    """The body as it came, in `encoding`; masked or empty as the account says."""
    masked: bool = False
    price: int = 0
    """Micro-units, all parts together, as are `cost` and `refund` in all events."""
    cost: int = 0
    currency: str = ""
    price_row: int = 0
    """Id of the price's row, or its line in PRICES; 0 for no price."""
    prefix: str = ""
    """That row's."""
    network: str = ""
    """MCC and MNC, by the numbering table."""
    payer: int = 0
    """Id of the account whose balance paid; 0 for none."""


class Split(Event, gc=False, tag="split"):
    """A part was made; `id` is the long message's."""

    part: int
    number: int
    total: int


class Joined(Event, gc=False, tag="joined"):
    """A part that came in went into a whole message; `id` is the part's. Both have their own `Ended`."""

    into: int
    number: int
    total: int
    accepted: float = 0.0
    """When the message that `id` names was accepted, here and in all events below: the log is kept by that day."""
    price: int = 0
    """What the part was priced at: the whole carries it from now on."""
    cost: int = 0
    """And what it costs."""


class Sent(Event, gc=False, tag="sent"):
    """The far side has taken it."""

    connector: str
    session: str
    remote_id: str
    tries: int
    maybe_sent: bool = False
    """An earlier attempt may have reached the far side too: this may be a duplicate."""
    kind: int = 1
    """5 for a report brought to its sender (`id` is the report's own)."""
    accepted: float = 0.0
    parent: int = 0
    """Of a part: the long message, which `accepted` is about. 0 for a message that was not split."""


class Tried(Event, gc=False, tag="tried"):
    """An attempt failed and there will be another one."""

    connector: str
    session: str
    cause: Cause
    status: int
    again: float
    maybe_sent: bool = False
    accepted: float = 0.0
    parent: int = 0


class Moved(Event, gc=False, tag="moved"):
    """An operator moved it to another queue. `queue` is empty for a part that waited for others to be joined with, and goes on alone."""

    queue: str
    to: str
    accepted: float = 0.0
    parent: int = 0
    cost: int = 0
    """How much more it costs by the other connector, this part alone where it is one; below 0: less."""


class Ended(Event, gc=False, tag="ended"):
    """Its final state. There is exactly one for each accepted message; for each part too."""

    state: State
    cause: str
    error: str = ""
    connector: str = ""
    report: int = 0
    """Id of the report that was made for its sender, 0 when he wanted none."""
    maybe_sent: bool = False
    accepted: float = 0.0
    parent: int = 0
    refund: int = 0
    """Given back to the payer."""
    payer: int = 0


class Intermediate(Event, gc=False, tag="intermediate"):
    """A report that is not final came in."""

    state: State
    report: int = 0
    accepted: float = 0.0


class Orphaned(Event, gc=False, tag="orphaned"):
    """A report came in that matches nothing; `id` is 0."""

    connector: str
    remote_id: str
    state: State


Any = Accepted | Split | Joined | Sent | Tried | Moved | Ended | Intermediate | Orphaned

encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(list[Any]).decode


def decode_row(body: bytes, count: int) -> list[Any]:
    """The events of one outbox row: `count` msgpack values one behind the other, which a header (array 32) makes one value.

    Raises msgspec.DecodeError for anything else.
    """
    return _decode_row(b"\xdd" + count.to_bytes(4, "big") + body)
