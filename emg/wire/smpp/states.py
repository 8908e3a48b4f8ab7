"""Who may send what in which state of an SMPP session, as one table (SMPP 3.4 §2.2 and §2.3, SMPP 5.0 §2.3 and §2.4).

`MATRIX` has a row for each request PDU; everything else here is worked out from it when the module is loaded. A response needs
no row: it may be sent whenever its request was received. Nothing here has state or fails.
"""

from collections.abc import Mapping
from enum import Enum

from emg.wire.smpp import pdus
from emg.wire.smpp.names import RESPONSE
from emg.wire.smpp.pdus import BY_COMMAND, Pdu


class Role(Enum):
    """Which side of the session is ours: the ESME binds, the SMSC is bound to."""

    ESME = "ESME"
    SMSC = "SMSC"

    @property
    def peer(self) -> "Role":
        """The far side's role."""
        return Role.SMSC if self is Role.ESME else Role.ESME


class SessionState(Enum):
    """State of one session. UNBINDING: one side has said goodbye, answers may still pass. CLOSED: nothing passes any more."""

    OPEN = "open"
    OUTBOUND = "outbound"
    BOUND_TX = "bound tx"
    BOUND_RX = "bound rx"
    BOUND_TRX = "bound trx"
    UNBINDING = "unbinding"
    CLOSED = "closed"


_OPEN = frozenset({SessionState.OPEN})
_UNBOUND = frozenset({SessionState.OPEN, SessionState.OUTBOUND})
_UP = frozenset({SessionState.BOUND_TX, SessionState.BOUND_TRX})
_DOWN = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
_LIVE = frozenset(SessionState) - {SessionState.CLOSED}
_NEVER: frozenset[SessionState] = frozenset()
BOUND = _UP | _DOWN

MATRIX: Mapping[type[Pdu], tuple[frozenset[SessionState], frozenset[SessionState]]] = {
    # request                 the ESME sends it in, the SMSC sends it in
    pdus.BindTransmitter: (_UNBOUND, _NEVER),
    pdus.BindReceiver: (_UNBOUND, _NEVER),
    pdus.BindTransceiver: (_UNBOUND, _NEVER),
    pdus.Outbind: (_NEVER, _OPEN),
    pdus.Unbind: (_LIVE, _LIVE),
    pdus.EnquireLink: (_LIVE, _LIVE),
    pdus.SubmitSm: (_UP, _NEVER),
    pdus.SubmitMulti: (_UP, _NEVER),
    pdus.QuerySm: (_UP, _NEVER),
    pdus.CancelSm: (_UP, _NEVER),
    pdus.ReplaceSm: (_UP, _NEVER),
    pdus.BroadcastSm: (_UP, _NEVER),
    pdus.QueryBroadcastSm: (_UP, _NEVER),
    pdus.CancelBroadcastSm: (_UP, _NEVER),
    pdus.DataSm: (_UP, _DOWN),
    pdus.DeliverSm: (_NEVER, _DOWN),
    pdus.AlertNotification: (_NEVER, _DOWN),
}
"""The specification's table of operations by session state. An enquire_link before the bind is SMPP 5.0 §2.4; we answer it to all."""

SESSION_REQUESTS = frozenset(
    {pdus.BindTransmitter, pdus.BindReceiver, pdus.BindTransceiver, pdus.Outbind, pdus.Unbind, pdus.EnquireLink}
)
"""Requests that are about the session itself: the machine handles them, and they take no place in the window."""

BOUND_BY: Mapping[type[Pdu], SessionState] = {
    pdus.BindTransmitter: SessionState.BOUND_TX,
    pdus.BindReceiver: SessionState.BOUND_RX,
    pdus.BindTransceiver: SessionState.BOUND_TRX,
}

RESPONSE_OF: Mapping[type[Pdu], type[Pdu]] = {
    request: BY_COMMAND[request.command_id | RESPONSE]
    for request in MATRIX
    if request.command_id | RESPONSE in BY_COMMAND
}
"""Request to response; outbind and alert_notification have none."""

RESPONSES = frozenset(RESPONSE_OF.values()) | {pdus.GenericNack}


def _sends(role: Role, state: SessionState) -> dict[type[Pdu], type[Pdu] | None]:
    column = 0 if role is Role.ESME else 1
    return {
        request: RESPONSE_OF.get(request)
        for request, states in MATRIX.items()
        if state in states[column] and request not in SESSION_REQUESTS
    }


SENDS: Mapping[tuple[Role, SessionState], dict[type[Pdu], type[Pdu] | None]] = {
    (role, state): _sends(role, state) for role in Role for state in SessionState
}
"""Message requests that `role` may send in `state`, each with the response it gets (None: it gets none)."""

OWES: Mapping[tuple[Role, SessionState], dict[type[Pdu], int]] = {
    (role, state): {request: int(response is not None) for request, response in SENDS[role.peer, state].items()}
    for role in Role
    for state in SessionState
}
"""Message requests that `role` accepts in `state`, each with the number of answers it then owes."""

KNOWN: Mapping[Role, frozenset[type[Pdu]]] = {
    role: frozenset(request for request, states in MATRIX.items() if states[0 if role is Role.SMSC else 1])
    for role in Role
}
"""Requests that `role` accepts in some state at least; the others are no commands to it."""
