"""The errors everybody uses: whose fault it was, and whether trying again can help.

`Cause` is the protocol-neutral reason of a refusal or a failure. Every connector kind holds one table from
`Cause` to its own status codes, so that the engine never speaks a protocol and no protocol invents reasons.
An unknown cause is temporary: better tried twice than lost.
"""

from enum import StrEnum


class Cause(StrEnum):
    """Why a message was refused or failed; the value is what logs and reports show."""

    SYNTAX = "syntax"
    SYSTEM = "system"
    NOT_BOUND = "not bound"
    UNSUPPORTED = "unsupported"
    NOT_ALLOWED = "not allowed"
    BAD_SOURCE = "bad source address"
    BAD_DESTINATION = "bad destination address"
    BAD_MESSAGE_ID = "unknown message id"
    BAD_SCHEDULE = "bad schedule time"
    BAD_VALIDITY = "bad validity period"
    BAD_TEXT = "bad text"
    TOO_LONG = "too long"
    BLOCKED = "blocked"
    NO_ROUTE = "no route"
    NO_PRICE = "no price"
    NO_CREDIT = "no credit"
    QUEUE_FULL = "queue full"
    SPOOL_FULL = "spool full"
    THROTTLED = "throttled"
    STOPPING = "stopping"
    EXPIRED = "expired"
    REFUSED = "refused by the far side"
    UNANSWERED = "no answer"
    MAYBE_SENT = "maybe sent"
    TOO_MANY_TRIES = "too many tries"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    DELETED = "deleted by an operator"


class EmgError(Exception):
    """Base of every error that this project raises on purpose."""


class ConfigError(EmgError):
    """A fault in a configuration file: where it stands and what to change.

    `line` counts from 1; 0 means the file as a whole.
    """

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class ProtocolError(EmgError):
    """A rule of a wire protocol was broken."""


class LocalProtocolError(ProtocolError):
    """We were about to break it: a fault in our own code; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer broke it. `status` is the native code to answer with; `fatal`: the stream can't be trusted any more."""

    def __init__(self, reason: str, status: int, *, fatal: bool) -> None:
        super().__init__(reason)
        self.status = status
        self.fatal = fatal


class Rejected(EmgError):
    """Refused before we took responsibility: the sender gets `cause` in his protocol's own code.

    `reason` is the sentence for the log; it may name our set-up and is never shown to a peer.
    """

    def __init__(self, cause: Cause, reason: str = "") -> None:
        super().__init__(reason or cause.value)
        self.cause = cause
        self.reason = reason or cause.value


class DeliveryFailed(EmgError):
    """The far side, or our way to it, did not take the message. `status` is its native code, 0 where there is none."""

    def __init__(self, cause: Cause, status: int = 0, *, permanent: bool) -> None:
        super().__init__(f"{cause.value} ({status})")
        self.cause = cause
        self.status = status
        self.permanent = permanent


class PluginFailed(EmgError):
    """A plugin raised, or did not answer by its deadline."""


class ControlError(EmgError):
    """A request over the control socket can't be carried out. `status` is the HTTP status of the answer."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class SpoolError(EmgError):
    """The spool can't keep what it was given. `full`: there is no room now, trying again later can help."""

    def __init__(self, reason: str, *, full: bool = False) -> None:
        super().__init__(reason)
        self.full = full
