"""Which way a message would go, for the commands (`emg.db.way`)."""

from typing import Any

import msgspec

from emg.control import show
from emg.db.usable import Usable
from emg.db.way import currency_of, digits, find
from emg.shell.around import around
from emg.shell.common import Call

__all__ = ["currency_of", "digits", "find", "tell_skipped", "usable"]


def usable(call: Call, *subjects: str) -> Usable:
    """These tables, as the gateway uses them."""
    return Usable(call.database, around(call), *subjects)


def tell_skipped(skipped: Any) -> None:
    """Print the rows that are not used, if there are any."""
    if skipped:
        show.table(
            msgspec.to_builtins(skipped), show.SKIPPED, "\nRows that fit the number and that the gateway does not use"
        )
