"""Our causes in SMPP's codes, and SMPP's codes as causes (SMPP 3.4 §5.1.3)."""

from collections.abc import Mapping
from typing import Final

from emg.errors import Cause
from emg.wire.smpp.names import Status

STATUS: Final[Mapping[Cause, Status]] = {
    Cause.SYNTAX: Status.RSYSERR,
    Cause.SYSTEM: Status.RSYSERR,
    Cause.NOT_BOUND: Status.RINVBNDSTS,
    Cause.UNSUPPORTED: Status.RINVCMDID,
    Cause.NOT_ALLOWED: Status.RSUBMITFAIL,
    Cause.BAD_SOURCE: Status.RINVSRCADR,
    Cause.BAD_DESTINATION: Status.RINVDSTADR,
    Cause.BAD_MESSAGE_ID: Status.RINVMSGID,
    Cause.BAD_SCHEDULE: Status.RINVSCHED,
    Cause.BAD_VALIDITY: Status.RINVEXPIRY,
    Cause.BAD_TEXT: Status.RINVMSGLEN,
    Cause.TOO_LONG: Status.RINVMSGLEN,
    Cause.BLOCKED: Status.RSUBMITFAIL,
    Cause.NO_ROUTE: Status.RINVDSTADR,
    Cause.NO_PRICE: Status.RSUBMITFAIL,
    Cause.NO_CREDIT: Status.RSUBMITFAIL,
    Cause.QUEUE_FULL: Status.RMSGQFUL,
    Cause.SPOOL_FULL: Status.RMSGQFUL,
    Cause.THROTTLED: Status.RTHROTTLED,
    Cause.STOPPING: Status.RSYSERR,
    Cause.EXPIRED: Status.RINVEXPIRY,
}
"""What a peer is told; causes that are not here happen after acceptance and go into reports."""

CAUSE: Final[Mapping[int, Cause]] = {
    Status.RINVMSGLEN: Cause.TOO_LONG,
    Status.RINVCMDLEN: Cause.SYNTAX,
    Status.RINVCMDID: Cause.UNSUPPORTED,
    Status.RINVBNDSTS: Cause.NOT_BOUND,
    Status.RSYSERR: Cause.SYSTEM,
    Status.RINVSRCADR: Cause.BAD_SOURCE,
    Status.RINVDSTADR: Cause.BAD_DESTINATION,
    Status.RINVMSGID: Cause.BAD_MESSAGE_ID,
    Status.RMSGQFUL: Cause.QUEUE_FULL,
    Status.RTHROTTLED: Cause.THROTTLED,
    Status.RINVSCHED: Cause.BAD_SCHEDULE,
    Status.RINVEXPIRY: Cause.BAD_VALIDITY,
}
"""What an answer means; any other status is `Cause.REFUSED`."""


def status_of(cause: Cause) -> int:
    """The status to answer with; RSYSERR where SMPP has none of its own."""
    return int(STATUS.get(cause, Status.RSYSERR))


def cause_of(status: int) -> Cause:
    """What a status says about the message."""
    return CAUSE.get(status, Cause.REFUSED)
