"""What healing did, kept in a file: the bound on restarts holds over the watchdog's own restart too.

Times are monotonic, so they mean something within the same boot of the machine alone; those of another boot are forgotten. Nothing here raises or
waits for a disk (`watchdog.alert_file`): what can't be kept is lost with the next restart of the watchdog, and that is all.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from watchdog.alert_file import AlertFile
from watchdog.healing import Healing, Record

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Kept(msgspec.Struct):
    """A line of the file."""

    boot: str
    program: str
    record: Record


class Memory:
    """See the module's text."""

    def __init__(self, path: str) -> None:
        self._file = AlertFile(path)
        try:
            self._boot = BOOT.read_text().strip()
        except OSError:
            self._boot = ""

    def keep(self, records: Mapping[str, Record]) -> None:
        """Have the file hold these; does not wait."""
        self._file.keep([Kept(self._boot, program, record) for program, record in records.items()])

    def recall(self, healing: Healing) -> None:
        """Have healing know what an earlier watchdog did."""
        known = {kept.program: kept.record for kept in self._file.load(Kept) if kept.boot == self._boot}
        healing.recall(known, time.monotonic())

    def close(self) -> None:
        """Wait for what is being written, a moment."""
        self._file.close()
