"""Brings the database's tables to the gateway: the child that reads them, the copies that it writes, and what is to be known of both.

`begin` gives the gateway its first tables: it waits for the child's first look, and where the database can't be used takes the last good copies; without
those either it raises EmgError. From then on each change is read into `tables` and `changed` is called, with `lock` held, as every
swap has it held: a reload and a change of the tables never mix. Without DATABASE there is no child and nothing changes.

Log lines are written once for each row that is left out, not at each reload.
"""

import logging
import os
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import gevent.lock

from emg.config.model import ServerConfig
from emg.engine import native
from emg.engine.tables import COPY, DATABASE, Assembled, Tables
from emg.errors import EmgError
from emg.reader_watch import ReaderWatch
from emg.rules.snapshot import ROWS, Header, Skipped, Told, source_of

FIRST_SECONDS: Final = 20.0
"""For the child's first look: it has to be started, and 100,000 rows have to be read."""
LOOK_SECONDS: Final = 10.0
SHOWN: Final = 100
"""Rows that are left out, by table, in the status."""
LOGGED: Final = 20
"""The same at one time in the log."""

log = logging.getLogger("emg.tables")


class TableFeed:
    """See the module's text."""

    def __init__(self, config: ServerConfig, changed: Callable[[], None]) -> None:
        self.lock = gevent.lock.RLock()
        self.refused: dict[str, str] = {}
        """Connectors of the table that could not be started, and why."""
        self._changed = changed
        self._ready = False
        """The gateway can take changes."""
        self._pending = False
        self._in_force: dict[str, tuple[Header, str]] = {}
        """By subject: what the gateway decides by, and where it is from; a change that was read holds a moment later, or not at all."""
        self._skipped: Mapping[str, Sequence[Skipped]] = {}
        self._known: set[Skipped] = set()
        place = posixpath.abspath(os.environ.get("EMGDIR") or posixpath.dirname(config.file))
        self._watch: ReaderWatch | None = None
        if config.database is None:
            self.tables = Tables(None, "", os.environ, place)
            return
        folder = Path(config.spooldir) / "tables"
        self.tables = Tables(folder, source_of(config.database), os.environ, place)
        self._watch = ReaderWatch(config.database, folder, self._told)

    def begin(self) -> None:
        """Have the tables, by way of the database or of their copies. Raises EmgError."""
        watch = self._watch
        if watch is None:
            return
        watch.start()
        answered = watch.wait(watch.look(), FIRST_SECONDS, failed=True)
        self._pending = False  # what came so far is what the gateway begins with
        if answered and not watch.failed:
            return
        reason = watch.failed or f"the database was not read within {FIRST_SECONDS:g} s"
        missing = [subject for subject in ROWS if subject not in self.tables.held]
        if self.tables.has_copies():  # a first start has none: nothing is wrong with them
            for fault in native.run(lambda: self.tables.read(missing, COPY)):
                log.error("%s", fault)
        if not self.tables.held:
            fault = f"{reason}; and there is no good copy of its tables in the spool's folder to start from"
            log.error("%s", fault)  # whoever started it reads it on standard error, all others here
            raise EmgError(fault)
        log.warning(
            "%s; the gateway starts from the last good copy of the tables, %s old", reason, _age(self._oldest())
        )

    def ready(self) -> None:
        """The gateway is up: from now on `changed` is called; at once, if something came meanwhile."""
        self._ready = True
        if self._pending:
            with self.lock:
                self._changed()

    def stop(self) -> None:
        """End the child."""
        if self._watch is not None:
            self._watch.stop()

    def look(self, *, anew: bool = False) -> int:
        """Have the database looked at now; gives a number for `wait`."""
        return self._watch.look(anew=anew) if self._watch is not None else 0

    def wait(self, look: int) -> dict[str, Any]:
        """Until what that look found has been swapped, or for at most `LOOK_SECONDS`; what came of it, for the caller of a reload."""
        if self._watch is None:
            return {}
        answered = self._watch.wait(look, LOOK_SECONDS)
        return {"database": self._watch.failed or ("read" if answered else f"not read within {LOOK_SECONDS:g} s")}

    def _told(self, told: Told) -> None:
        if told.failed:
            return
        with self.lock:
            faults = native.run(lambda: self.tables.read(told.subjects, DATABASE))
            for fault in faults:
                log.error("%s", fault)
            self.tables.origins |= dict.fromkeys(self.tables.held, DATABASE)
            if not told.subjects:
                self._confirm()
                return
            if self._ready:
                self._changed()
            else:
                self._pending = True

    def _confirm(self) -> None:
        """The database holds what is held: copies that are in force are as good as read from it."""
        held = self.tables.held
        self._in_force |= {
            subject: (header, DATABASE)
            for subject, (header, _origin) in self._in_force.items()
            if held[subject].header is header
        }

    # -- what is known

    def note(self, made: Assembled) -> None:
        """This holds from now on; rows of its tables that are not used go to the log if they are new."""
        self._in_force = dict(made.tables)
        skipped = made.skipped
        self._skipped = skipped
        now = {row for rows in skipped.values() for row in rows}
        fresh = [row for rows in skipped.values() for row in rows if row not in self._known]
        for row in fresh[:LOGGED]:
            log.warning("not used: %s", row)
        if len(fresh) > LOGGED:
            log.warning("and %d more such faults; `emg ctl status --json` lists them", len(fresh) - LOGGED)
        self._known = now

    def status(self) -> dict[str, Any]:
        """For people and programs to look at; empty without a database."""
        watch = self._watch
        if watch is None:
            return {}
        return {
            "database": {
                "reachable": not watch.failed,
                "fault": watch.failed,
                "reader_process": watch.pid,
                "reader_restarts": watch.restarts,
                "connectors_refused": [f"{name}: {reason}" for name, reason in self.refused.items()],
            },
            "tables": [self._subject(subject) for subject in ROWS if subject in self._in_force],
        }

    def _subject(self, subject: str) -> dict[str, Any]:
        header, origin = self._in_force[subject]
        skipped = self._skipped.get(subject, ())
        return {
            "subject": subject,
            "revision": header.revision,
            "rows": header.rows,
            "age_seconds": round(time.time() - header.taken, 1),
            "source": origin,
            "skipped_rows": len({(row.table, row.id, row.name) for row in skipped}),
            "skipped": [
                {"table": row.table, "id": row.id, "name": row.name, "field": row.field, "reason": row.reason}
                for row in skipped[:SHOWN]
            ],
        }

    def _oldest(self) -> float:
        return min(snapshot.header.taken for snapshot in self.tables.held.values())


def _age(moment: float) -> str:
    seconds = max(0, int(time.time() - moment))
    return (
        f"{seconds // 3600} h {seconds % 3600 // 60} min"
        if seconds >= 3600
        else f"{seconds // 60} min {seconds % 60} s"
    )
