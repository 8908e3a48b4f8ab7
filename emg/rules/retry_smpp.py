"""The retry schemes of SMPP: operators' answers to our submit_sm, and customers' answers to our deliver_sm.

Statuses are those of SMPP 3.4 §5.1.3 and 5.0 §4.7.6. The question for each is whether the *same message* can succeed
later.
"""

from collections.abc import Mapping
from typing import Final

from emg.rules.retry import LARGEST_STATUS, Action, RetryScheme, Row
from emg.wire.smpp.names import Status

PERMANENT: Final = (
    # the message itself is at fault
    Status.RINVMSGLEN,
    Status.RINVCMDLEN,
    Status.RINVCMDID,
    Status.RINVPRTFLG,
    Status.RINVREGDLVFLG,
    Status.RINVSRCADR,
    Status.RINVDSTADR,
    Status.RINVMSGID,
    Status.RCANCELFAIL,
    Status.RREPLACEFAIL,
    Status.RINVSERTYP,
    Status.RINVNUMDESTS,
    Status.RINVDLNAME,
    Status.RINVDESTFLAG,
    Status.RINVSUBREP,
    Status.RINVESMCLASS,
    Status.RCNTSUBDL,
    Status.RINVSRCTON,
    Status.RINVSRCNPI,
    Status.RINVDSTTON,
    Status.RINVDSTNPI,
    Status.RINVREPFLAG,
    Status.RINVNUMMSGS,
    Status.RINVSCHED,
    Status.RINVEXPIRY,
    Status.RINVDFTMSGID,
    Status.RINVOPTPARSTREAM,
    Status.ROPTPARNOTALLWD,
    Status.RINVPARLEN,
    Status.RMISSINGOPTPARAM,
    Status.RINVOPTPARAMVAL,
    Status.RINVDCS,
    Status.RINVSRCADDRSUBUNIT,
    Status.RINVDSTADDRSUBUNIT,
    Status.RINVBCASTFREQINT,
    Status.RINVBCASTALIAS_NAME,
    Status.RINVBCASTAREAFMT,
    Status.RINVNUMBCAST_AREAS,
    Status.RINVBCASTCNTTYPE,
    Status.RINVBCASTMSGCLASS,
    Status.RINVBCAST_REP,
    Status.RINVBCASTSRVGRP,
    Status.RINVBCASTCHANIND,
    # the far side says no, and will say it again
    Status.RX_P_APPN,
    Status.RX_R_APPN,
    Status.RSERTYPUNAUTH,
    Status.RPROHIBITED,
    Status.RSERTYPDENIED,
)
TEMPORARY: Final = (
    # the session is at fault, not the message
    Status.RINVBNDSTS,
    Status.RALYBND,
    Status.RBINDFAIL,
    Status.RINVPASWD,
    Status.RINVSYSID,
    Status.RINVSYSTYP,
    # the far side is in trouble
    Status.RSYSERR,
    Status.RSUBMITFAIL,
    Status.RX_T_APPN,
    Status.RQUERYFAIL,
    Status.RDELIVERYFAILURE,
    Status.RUNKNOWNERR,
    Status.RSERTYPUNAVAIL,
    Status.RBCASTFAIL,
    Status.RBCASTQUERYFAIL,
    Status.RBCASTCANCELFAIL,
)
THROTTLE: Final = (Status.RMSGQFUL, Status.RTHROTTLED)

CUSTOMER_TEMPORARY: Final = (
    Status.RSYSERR,
    Status.RSUBMITFAIL,
    Status.RX_T_APPN,
    Status.RQUERYFAIL,
    Status.RDELIVERYFAILURE,
    Status.RUNKNOWNERR,
)
"""With `THROTTLE` what a customer answers to a deliver_sm that he wants again (S22)."""


def _rows(action: Action, statuses: tuple[Status, ...]) -> dict[int, Row]:
    return {int(status): Row(status, status, action) for status in statuses}


OPERATOR: Final = RetryScheme(
    _rows(Action.PERMANENT, PERMANENT) | _rows(Action.TEMPORARY, TEMPORARY) | _rows(Action.THROTTLE, THROTTLE),
    [],
    Row(0, LARGEST_STATUS, Action.TEMPORARY),
)
"""Answers to submit_sm and data_sm; a status that nobody knows is temporary (S23)."""

CUSTOMER: Final = RetryScheme(
    _rows(Action.TEMPORARY, CUSTOMER_TEMPORARY) | _rows(Action.THROTTLE, THROTTLE),
    [],
    Row(0, LARGEST_STATUS, Action.PERMANENT),
)
"""Answers to deliver_sm: whatever he does not ask for again is final."""

NAMES: Final[Mapping[str, int]] = {
    prefix + name: int(status) for name, status in Status.__members__.items() for prefix in ("", "ESME_")
}
"""Words for statuses that a scheme's text may use."""
