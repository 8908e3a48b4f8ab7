"""A disk that cannot be read for a while: `FailingReads` makes a spool's reads fail as SQLite does, in the writer's thread."""

import sqlite3

from emg.spool import rereading


class FailingReads:
    """The next `times` reads of `spool` whose query's module is among `modules` (all: none named) fail, and `pauses` are short."""

    def __init__(self, monkeypatch, spool, times, *modules):
        self.left = times
        self.count = 0
        """Reads that have failed."""
        self.calls = 0
        """Reads that were asked for."""
        self._read = spool.read
        self._modules = modules
        monkeypatch.setattr(rereading, "PAUSES", (0.001, 0.001, 0.001))
        monkeypatch.setattr(spool, "read", self.read)

    def read(self, query, callback):
        self.calls += 1
        if self.left > 0 and (not self._modules or query.__module__ in self._modules):
            self.left -= 1
            self.count += 1
            self._read(_broken, callback)
        else:
            self._read(query, callback)


def _broken(_db):
    raise sqlite3.OperationalError("disk I/O error")
