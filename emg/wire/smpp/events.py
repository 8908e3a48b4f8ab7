"""What an SMPP session machine tells its driver. Plain values, in the order in which things happened."""

from enum import StrEnum
from typing import Any

import msgspec

from emg.wire.smpp.pdus import Pdu


class Why(StrEnum):
    """Why one of our requests has no answer."""

    TIMEOUT = "no answer in time"
    LOST = "connection lost"
    UNREADABLE = "unreadable answer"
    UNSENT = "never left"
    """The connection went before `take_output` gave the request out: the peer can't have it."""


class Request(msgspec.Struct, gc=False):
    """The peer asks for something: answer with `Machine.respond` (an alert_notification takes no answer)."""

    pdu: Pdu


class Answer(msgspec.Struct, gc=False):
    """The answer to our request `token`. `pdu` is its response, or a generic_nack (whose status is never 0 here)."""

    token: Any
    pdu: Pdu
    sent_at: float


class Unanswered(msgspec.Struct, gc=False):
    """Our request `token` will get no answer any more; but for `Why.UNSENT` the peer may have carried it out."""

    token: Any
    sent_at: float
    why: Why


class BindRequested(msgspec.Struct, gc=False):
    """SMSC: somebody wants in. Answer with `accept_bind` or `refuse_bind`."""

    pdu: Pdu


class Bound(msgspec.Struct, gc=False):
    """ESME: we are in. `pdu` is the bind's response."""

    pdu: Pdu


class BindRefused(msgspec.Struct, gc=False):
    """ESME: we are not let in; `status` is the peer's reason. The connection ends."""

    status: int


class OutbindReceived(msgspec.Struct, gc=False):
    """ESME: the SMSC asks us to bind as a receiver (SMPP 3.4 §2.2.1)."""

    pdu: Pdu


class Unbound(msgspec.Struct, gc=False):
    """The session is over in good order. By the peer: no new requests, but answers may still pass until `closing`."""

    by_peer: bool


class Note(msgspec.Struct, gc=False):
    """Something odd that ends nothing: one line for the log."""

    text: str


class Broken(msgspec.Struct, gc=False):
    """The peer broke the rules or fell silent: the connection ends. `status` is the SMPP status of it, 0 for silence."""

    reason: str
    status: int = 0


Event = Request | Answer | Unanswered | BindRequested | Bound | BindRefused | OutbindReceived | Unbound | Note | Broken
