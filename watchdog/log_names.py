"""Which logs there are: a table of names. Whoever reads one names it; what no row has is no log, so no path ever comes from outside.

LOGDIR holds the gateway's own (`emg.engine.logs`: general, profiling, connector.NAME, pdu.NAME), those of the other programs, what each program prints
(NAME.out), and supervisord's. Connectors stand in the configuration or in the database; of the latter the files tell.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emg.config.model import ServerConfig
from emg.config.syntax import SECTION_NAME
from watchdog import render
from watchdog.programs import PROGRAMS

PROGRAM_LOGS: Final = {
    "general": "what the gateway does, and warnings of its connectors",
    "profiling": "what took the gateway long (PROFILING_THRESHOLD)",
    "recorder": "what the recorder does",
    "scheduler": "how the jobs went",
    "watchdog": "what the watchdog saw and did, and who asked it for what",
}
KINDS: Final = {"connector": "sessions and traffic of a connector", "pdu": "its PDUs, message texts with them (LOGPDU)"}
SUPERVISORD: Final = "supervisord"
_OF_CONNECTOR: Final = re.compile(rf"({'|'.join(KINDS)})\.({SECTION_NAME.pattern})", re.ASCII)
_ASIDE: Final = re.compile(r"(.+)\.[0-9]+")
MOST: Final = 50_000
"""Files of LOGDIR that are looked at."""


class Names:
    """The table, of one configuration."""

    def __init__(self, config: ServerConfig) -> None:
        self.folder = Path(config.logdir)
        self._connectors = frozenset(config.connectors)
        self._fixed = {name: (name, about) for name, about in PROGRAM_LOGS.items()}
        self._fixed[SUPERVISORD] = (render.LOG, "which programs it started and saw end")
        for program in PROGRAMS:
            self._fixed[program.log] = (program.log, f"what {program.name} prints")

    def path(self, name: str) -> Path | None:
        """The file of a log, which need not exist yet; None when there is no log of that name. Looks at the disk."""
        row = self._fixed.get(name)
        if row is not None:
            return self.folder / row[0]
        found = _OF_CONNECTOR.fullmatch(name)
        if found is None:
            return None
        if found[2] in self._connectors:
            return self.folder / name
        older = _ASIDE.fullmatch(name)
        if older is not None and (self.folder / older[1]).exists():
            return None
        path = self.folder / name
        return path if _is_file(path) else None

    def listed(self) -> list[dict[str, object]]:
        """Every log that has a file: name, what it is, octets, when it was last written (seconds since 1970), files that were put aside. Looks at the disk."""
        there = dict(self._there())
        aside: dict[str, int] = {}
        for file in there:
            older = _ASIDE.fullmatch(file)
            if older is not None and older[1] in there:
                aside[older[1]] = aside.get(older[1], 0) + 1
        rows: list[dict[str, object]] = []
        for name, file, about in self._rows(there):
            facts = there[file]
            rows.append(
                {"name": name, "about": about, "size": facts.st_size, "modified": facts.st_mtime, "older_files": aside.get(file, 0)}
            )  # fmt: skip
        return rows

    def _rows(self, there: dict[str, os.stat_result]) -> Iterator[tuple[str, str, str]]:
        for name, (file, about) in self._fixed.items():
            if file in there:
                yield name, file, about
        for file in sorted(there):
            found = _OF_CONNECTOR.fullmatch(file)
            if found is None:
                continue
            older = _ASIDE.fullmatch(file)
            if found[2] in self._connectors or older is None or older[1] not in there:
                yield file, file, KINDS[found[1]]

    def _there(self) -> Iterator[tuple[str, os.stat_result]]:
        try:
            with os.scandir(self.folder) as entries:
                for number, entry in enumerate(entries):
                    if number >= MOST:
                        return
                    if entry.is_file(follow_symlinks=False):
                        yield entry.name, entry.stat(follow_symlinks=False)
        except OSError:
            return  # no folder: no logs


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
