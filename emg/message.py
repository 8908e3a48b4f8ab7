"""A message and a delivery report, as everything between the wire and the spool sees them.

Both are `msgspec` structs encoded as arrays: the spool keeps exactly these bytes. New fields are added at the end with a default,
so that a spool written by an older version still reads. Addresses are digits (or letters, for an alphanumeric sender) without a
leading `+`. Times are seconds since 1970 (UTC) as floats, 0 for "not given". Nothing here knows a protocol.
"""

from enum import IntEnum, IntFlag

import msgspec

NORMAL_RANK = 3
"""`Message.rank` of one without a priority."""
TURN_BITS = 40
"""Of `Message.order`: enough turns for centuries, and what is above them fits the rest of a 64-bit column."""


class Kind(IntEnum):
    """What a queue entry is (EMG's MSGTYPE)."""

    NORMAL = 1
    REPORT = 5


class Encoding(IntEnum):
    """How `Message.body` is to be read (EMG's CHARCODE).

    GSM7 is one septet an octet, unpacked, escape sequences as two octets (3GPP TS 23.038 §6.2.1); UCS2 is big-endian UTF-16.
    OPAQUE is text whose alphabet we do not know: it passes unchanged, with its `dcs`.
    """

    GSM7 = 1
    BINARY = 2
    LATIN1 = 3
    UCS2 = 4
    ASCII = 5
    OPAQUE = 9


class State(IntEnum):
    """A message's state; the first four can still change, the others are final. `REJECTED` never entered the spool."""

    ACCEPTED = 0
    QUEUED = 1
    IN_FLIGHT = 2
    SENT = 3
    DELIVERED = 4
    FAILED = 5
    EXPIRED = 6
    UNKNOWN = 7
    DELETED = 8
    REJECTED = 9

    @property
    def final(self) -> bool:
        """No further change will come."""
        return self >= State.DELIVERED


class Want(IntFlag):
    """Which reports the sender asked for (SMPP 3.4 §5.2.17 in a neutral form)."""

    NOTHING = 0
    SUCCESS = 1
    FAILURE = 2
    INTERMEDIATE = 4
    LOGGED = 8
    """Nobody waits for a report; it is asked of the operator for the log."""
    FINAL = 3


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """This message is one of several parts that we made from a long one."""

    parent: int
    """Id of the long message: the only id its sender knows."""
    number: int
    """From 1."""
    total: int


class Report(msgspec.Struct, array_like=True, gc=False):
    """What a delivery report says. A `Message` of kind REPORT carries one back to the sender."""

    id: int
    """Our id of the message it is about; 0 while that is not known."""
    state: State
    error: str = "000"
    """The network's error code as the provider wrote it, at most 3 characters towards an SMPP customer."""
    submitted: float = 0.0
    done: float = 0.0
    parts: int = 1
    delivered_parts: int = 0
    text: str = ""
    """The first characters of the message, where the provider sends them along."""
    network_error: bytes = b""
    """network_error_code, 3 octets (type, code) (SMPP 3.4 §5.3.2.31), empty where not given."""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    """Vendor parameters that came with it, passed on."""
    remote_id: str = ""
    """The provider's id, for the log alone."""


class Charge(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a message, or a part that we made, was priced at when it was accepted; a report needs it to give the price back."""

    payer: int
    """Id of the account whose balance it was taken from; 0: from none (an account of the configuration file)."""
    price: int
    """Micro-units, all parts together."""
    refund: int = 0
    """When it is given back: 0 never, 1 when no operator took it, 2 also when it was not delivered."""
    parts: int = 1
    cost: int = 0
    """Micro-units that it costs us by the connector in whose queue it stands, all parts together."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """One message on its way. Slotted and mutable: it has one owner at a time, the queue it stands in."""

    id: int
    kind: Kind
    queue: str
    """Name of the queue (lane) that it stands in; see `emg.engine.lane`."""
    connector: str
    """The connector that it came in by."""
    account: str
    source: str
    source_ton: int
    source_npi: int
    dest: str
    dest_ton: int
    dest_npi: int
    encoding: Encoding
    dcs: int
    """The data coding it came with (3GPP TS 23.038 §4), -1 where it came without one."""
    udh: bytes
    """The user data header with its length octet, empty without one."""
    body: bytes
    accepted: float
    due: float = 0.0
    """Not to be sent before."""
    expires: float = 0.0
    rank: int = 0
    """Priority in its queue: the lower the sooner; see `order`."""
    want: Want = Want.NOTHING
    per_part: bool = False
    """The sender wants a report for each part that we split it into."""
    service_type: str = ""
    protocol_id: int = 0
    mode: int = 0
    """esm_class without the UDHI bit (SMPP 3.4 §5.2.12)."""
    priority: int = 0
    replace: int = 0
    tlvs: tuple[tuple[int, bytes], ...] = ()
    tries: int = 0
    maybe_sent: bool = False
    """An earlier attempt may have reached the far side."""
    part: Part | None = None
    report: Report | None = None
    remote_ip: str = ""
    reference: str = ""
    """The sender's own reference, where his protocol has one."""
    own_validity: bool = False
    """`expires` is the sender's wish, not our default: the far side is told of it."""
    joined: tuple[tuple[int, int], ...] = ()
    """(id, want) of the parts that it came in by, where we put them together: those ids are what its sender knows."""
    charge: Charge | None = None
    """None where there is no price."""
    turn: int = 0
    """Its account's turn among those that share the queue, see `emg.engine.turns`; 0: none yet, or there are none."""

    @property
    def order(self) -> int:
        """Its place in the queue: the lower the sooner, and within one order the id decides."""
        return self.rank << TURN_BITS | self.turn


class OpenReport(msgspec.Struct, array_like=True, gc=False):
    """A message was sent, its delivery report is still to come: what is needed to bring that report home."""

    id: int
    provider: str
    """The connector (or group of connectors) whose ids these are."""
    remote_id: str
    """In the normal form of that provider's id format."""
    connector: str
    """Where the message came in: the report goes back that way unless ROUTEDLR says otherwise."""
    account: str
    source: str
    source_ton: int
    source_npi: int
    dest: str
    dest_ton: int
    dest_npi: int
    accepted: float
    sent: float
    expires: float
    want: Want
    part: Part | None = None
    per_part: bool = False
    reference: str = ""
    maybe_sent: bool = False
    joined: tuple[tuple[int, int], ...] = ()
    """As in the message."""
    remote_ip: str = ""
    """From where the message came, for DLR_TO_SAME_IP."""
    charge: Charge | None = None
