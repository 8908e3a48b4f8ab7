"""What is wrong with a table that somebody wrote: every fault at once, each with its line and column.

A table with faults is refused as a whole, so that the one in use stays in force until the new one is sound.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from emg.errors import EmgError

SHOWN: Final = 20
"""So many faults stand in the error's own sentence; all of them stand in `TableFaults.faults`."""


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One thing to put right. `line` counts from 1, header included, and is 0 for a row that stands in no file; `field` is the column, empty
    for a whole row.
    """

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.field}: {self.reason}" if self.field else f"{place}{self.reason}"


class TableFaults(EmgError):
    """A table can't be loaded; `faults` holds all that is wrong with it, in the order of its lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        sentence = "; ".join(str(fault) for fault in faults[:SHOWN])
        if len(faults) > SHOWN:
            sentence += f"; and {len(faults) - SHOWN} more"
        super().__init__(sentence)
        self.faults = tuple(faults)
