"""Whether server.cfg has a fault: read again when a file of it has changed, and now and then. Reads files, which may hang."""

import os
import time
from pathlib import Path
from typing import Final

from emg.config.load import load
from emg.errors import EmgError
from emg.last_good import Recording, in_brief

AGAIN_SECONDS: Final = 300.0
"""What it names (a certificate) may have gone without a change of its own."""


class ConfigurationFile:
    """`path`: server.cfg; empty: the configuration comes from no file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, object] = {}
        """File -> which it was when it was read."""
        self._read_at = 0.0
        self._faults = ""

    def faults(self) -> str:
        """Its faults in one line; empty while it has none."""
        now = time.monotonic()
        if not self._path:
            return ""
        unchanged = self._known and {path: stamp(path) for path in self._known} == self._known
        if unchanged and now - self._read_at < AGAIN_SECONDS:
            return self._faults
        source = Recording()
        before = {path: stamp(path) for path in (self._path, *self._known)}
        try:
            load(self._path, source=source)
            self._faults = ""
        except EmgError as error:
            self._faults = in_brief(error)
        self._read_at = now
        self._known = {path: before.get(path) or stamp(path) for path in (os.path.normpath(self._path), *source.texts)}
        return self._faults


def stamp(path: str) -> object:
    """What differs when a file was written or replaced; None: there is none."""
    try:
        about = Path(path).stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns
