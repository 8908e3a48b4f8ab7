"""Spools on real files for the tests of this folder: messages, commits, and crashes."""

import shutil
import time

from emg.message import Encoding, Kind, Message, OpenReport, Want
from emg.spool.opening import open_spool

QUEUE = "operator"


def message(number, *, rank=3, due=0.0, expires=0.0, dest="4670123456", queue=QUEUE):
    """A short message; its body says its number."""
    return Message(
        number, Kind.NORMAL, queue, "customers", "acme", "1234", 1, 1, dest, 1, 1, Encoding.GSM7, 0, b"", b"%d" % number,
        time.time(), due, expires, rank, Want.FINAL,
    )  # fmt: skip


def ticket(number, remote_id=None, *, provider="operator", expires=4e9):
    """An open report on it."""
    return OpenReport(
        number, provider, remote_id or f"r{number}", "customers", "acme", "1234", 1, 1, "4670123456", 1, 1,
        time.time(), time.time(), expires, Want.FINAL,
    )  # fmt: skip


def commit(spool):
    """Everything given up to now is on disk."""
    assert spool.flush(5.0), "the spool did not commit"


def keep(spool, *messages, place=0):
    """Accept and commit."""
    for each in messages:
        spool.accept(each, spool.queue_number(each.queue), place)
    commit(spool)


class Folder:
    """A spool folder, and where the next one after a crash stands."""

    def __init__(self, path):
        self.path = path
        self.spools = []
        self.crashes = 0

    def open(self, node=1):
        spool, recovered = open_spool(str(self.path), node)
        self.spools.append(spool)
        return spool, recovered

    def crash(self):
        """What a SIGKILL leaves: the files as they are now. The next `open` opens these."""
        self.crashes += 1
        left = self.path.with_name(f"{self.path.name.partition('-')[0]}-{self.crashes}")
        left.mkdir()
        for name in ("spool.db", "spool.db-wal"):
            if (self.path / name).exists():
                shutil.copy(self.path / name, left / name)
        self.path = left

    def close(self):
        for spool in self.spools:
            spool.close()
