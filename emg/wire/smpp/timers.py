"""How long an SMPP session waits for what."""

import msgspec


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """How long the session waits for what (SMPP 3.4 §7.2), in seconds."""

    bind: float = 10.0
    """SMSC: to be bound, counted from the connection. ESME: for the answer to our bind (or for an outbind)."""
    keepalive: float = 60.0
    """Nothing but enquire_links heard for this long: send one of ours. 0: never."""
    answer: float = 60.0
    """For the answer to each request of ours."""
    link_answer: float = 15.0
    """For the answer to our enquire_link; without it the peer is taken for dead."""
    idle: float = 0.0
    """No message either way for this long: unbind. 0: never."""
    unbind: float = 5.0
    """For a session to end in good order: the answers still due, on both sides, and the unbind_resp."""
