"""The end of a log file, newest line first: a bounded read, however large the file is, that goes on into the file that was put aside last (`name.1`).

    found = tail.read(Path("log/pdu.operator"), most=200, text="46701234567")
    found.entries      # each a line with the lines that belong to it (a traceback is indented)

Raises nothing that a disk does: what can't be read is `found.fault`, a sentence.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

OCTETS: Final = 2 << 20
"""So much is read for one answer, at most."""
INDENT: Final = "    "
"""Lines that begin so belong to the one before."""


@dataclass(slots=True)
class Found:
    """What was read."""

    entries: list[str] = field(default_factory=list)
    """The newest first."""
    size: int = 0
    """Octets of the file."""
    read: int = 0
    """Octets that were looked through, of it and of the one before it."""
    more: bool = False
    """There are older lines that were not looked at, or that fit and are not shown."""
    fault: str = ""


def read(path: Path, *, most: int, text: str = "", octets: int = OCTETS, clean: Callable[[str], str] = str) -> Found:
    """At most `most` entries that hold `text` (capitals or not). `clean` takes out what the reader may not see, before they are compared."""
    found = Found()
    wanted = text.casefold()
    for place in (path, path.with_name(f"{path.name}.1")):
        if found.more:
            break
        try:
            found.entries += _end_of(place, octets - found.read, found, wanted, clean)
        except FileNotFoundError:
            if place == path:
                found.fault = "Nothing has been written to it yet."
        except OSError as error:
            found.fault = f"The file can't be read: {error.strerror or error}."
        if len(found.entries) > most:
            found.more = True
            del found.entries[most:]
    if found.entries:
        found.fault = ""
    return found


def _end_of(path: Path, octets: int, found: Found, wanted: str, clean: Callable[[str], str]) -> list[str]:
    """What fits of the last octets of one file. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        start = max(0, size - octets)
        data = os.pread(handle, min(size, octets), start)
    finally:
        os.close(handle)
    found.size = found.size or size
    found.read += len(data)
    found.more = start > 0
    if start:
        data = data.partition(b"\n")[2]  # the first line is cut
    return [entry for entry in map(clean, reversed(_entries(data))) if not wanted or wanted in entry.casefold()]


def _entries(data: bytes) -> list[str]:
    entries: list[str] = []
    for line in data.decode("utf-8", "replace").removesuffix("\n").split("\n") if data else ():
        if line.startswith(INDENT) and entries:
            entries[-1] += f"\n{line}"
        else:
            entries.append(line)
    return entries
