"""What an account pays by, and when a price is given back. Pure.

What is left on an account is `credited - charged`: people change the one, traffic the other. A pre-paid account may spend that; a post-paid one
may go below zero, down to its limit, or without bound where it has none.
"""

from typing import Final

import msgspec

from emg.message import Charge, State

NEVER: Final = 0
REFUSED: Final = 1
"""When no operator has taken the message."""
UNDELIVERED: Final = 2
"""Also when the operator reports that it was not delivered."""

_LOST: Final = frozenset((State.FAILED, State.EXPIRED, State.DELETED, State.REJECTED))


class Billing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An account of the database, as far as money goes. Amounts in micro-units of `currency`."""

    id: int
    """Of the account."""
    customer: int
    """Its customer's id, 0 for none."""
    currency: str
    prepaid: bool
    credit_limit: int | None
    """Of a post-paid account; None for no limit."""
    credited: int
    charged: int
    """As the recorder has it: what a gateway with a new spool begins with."""

    @property
    def lowest(self) -> int | None:
        """What the balance may not go below; None for no bound."""
        if self.prepaid:
            return 0
        return None if self.credit_limit is None else -self.credit_limit


def refund(charge: Charge, state: State, *, taken: bool) -> int:
    """What is given back of a message that ended in `state`; `taken`: an operator has taken it, or may have."""
    if charge.refund == NEVER or state not in _LOST:
        return 0
    return charge.price if charge.refund == UNDELIVERED or not taken else 0
