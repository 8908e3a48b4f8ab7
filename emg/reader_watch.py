"""Minds the gateway's child that reads the database (`emg.db.reader`): starts it, listens to it, starts it again.

This is the gateway's own business, as its other parts are: it stands beside `emg.gateway`, above the engine, because it knows a process and not a
message, and outside `emg.db`, because the gateway's process imports nothing of the database.

`start` spawns the child and a greenlet that reads its lines; each `Told` is handed up before the next is read, so that whoever waits for an answer finds the
tables swapped. `look` asks it to look now and waits, at most so long, for the answer. A child that ends is started again after a pause that
grows to 30 s. The way to it is its stdin: the password goes there, and when the gateway dies, however it does, the child sees the end and ends too.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent
import gevent.event
import msgspec
from gevent import subprocess

from emg.rules.pacing import Backoff
from emg.rules.snapshot import Look, Order, Told

COMMAND: Final = (
    sys.executable,
    "-P",
    "-m",
    "emg.db.reader",
)  # -P: nothing is imported from the folder that we happen to stand in
HOME: Final = str(Path(__file__).parents[1])
STEADY_SECONDS: Final = 60.0
"""One that lived this long is started again at once."""
END_SECONDS: Final = 2.0

log = logging.getLogger("emg.reader")


class ReaderWatch:
    """See the module's text."""

    def __init__(self, database: str, folder: Path, taken: Callable[[Told], None]) -> None:
        self.failed = ""
        """Why the database can't be used, as far as the child knows; empty when it can."""
        self.restarts = 0
        self._order = Order(database, str(folder))
        self._taken = taken
        self._child: subprocess.Popen[bytes] | None = None
        self._pause = Backoff(0.5, 2.0, 30.0)
        self._asked = 0
        self._answered = 0
        self._anew = False
        """A look that asked for everything is not answered yet."""
        self._told = gevent.event.Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        """Of the child; 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    def start(self) -> None:
        """Begin; returns at once."""
        self._greenlet = gevent.spawn(self._mind)

    def stop(self) -> None:
        """End the child: its stdin ends, and it has two seconds."""
        self._stopping = True
        child, self._child = self._child, None
        if child is not None:
            _end(child)
        if self._greenlet is not None:
            self._greenlet.kill()

    def look(self, *, anew: bool = False) -> int:
        """Have it look now; gives a number for `wait`. A child that is being started again looks when it is there."""
        self._asked += 1
        self._anew = self._anew or anew
        child = self._child
        if child is not None:
            self._send(child, Look(self._asked, anew))
        return self._asked

    def wait(self, number: int, seconds: float, *, failed: bool = False) -> bool:
        """The child has answered this look, or a later one, and what it told has been taken; False when that took too long.

        `failed`: don't wait any longer once the database can't be used.
        """
        with contextlib.suppress(gevent.Timeout), gevent.Timeout(seconds):
            while self._answered < number and not (failed and self.failed):
                self._told.wait()
        return self._answered >= number

    def _mind(self) -> None:
        hub = gevent.get_hub()
        while True:
            began = hub.loop.now()
            try:
                self._attend()
            except OSError as error:
                log.error("the program that reads the database can't be started: %s", error.strerror or error)
            if self._stopping:
                return
            if hub.loop.now() - began > STEADY_SECONDS:
                self._pause.succeeded()
            seconds = self._pause.failed()
            self.failed = "the program that reads it has ended"
            self._tell()
            log.error("the program that reads the database has ended; it is started again in %.1f s", seconds)
            gevent.sleep(seconds)
            self.restarts += 1

    def _attend(self) -> None:
        """One child's life."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (HOME, os.environ.get("PYTHONPATH"))))}
        child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._child = child
        try:
            log.info("the program that reads the database is process %d", child.pid)
            self._send(child, self._order)
            if self._asked > self._answered:
                self._send(child, Look(self._asked, self._anew))
            assert child.stdout is not None, "a child without its pipes"
            while line := child.stdout.readline():
                self._take(line)
        finally:
            self._child = None
            _end(child)

    def _send(self, child: "subprocess.Popen[bytes]", line: Order | Look) -> None:
        assert child.stdin is not None, "a child without its pipes"
        try:
            child.stdin.write(msgspec.json.encode(line) + b"\n")
            child.stdin.flush()
        except OSError:
            pass  # it has ended: its stdout says so too, and the next one is asked anew

    def _take(self, line: bytes) -> None:
        try:
            told = msgspec.json.decode(line, type=Told)
        except msgspec.MsgspecError:
            log.error("the program that reads the database says what makes no sense: %r", line[:200])
            return
        if told.failed and told.failed != self.failed and self._answered:  # of the first look the gateway itself tells
            log.warning("%s; the tables stay as they are", told.failed)
        elif self.failed and not told.failed:
            log.info("the database can be used again")
        self.failed = told.failed
        try:
            self._taken(told)
        except Exception:  # whatever is wrong with one change, the next one must be seen
            log.exception("a change of the tables was not taken")
        self._answered = max(self._answered, told.look)
        if self._answered >= self._asked:
            self._anew = False
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits; he looks for himself whether it is what he waits for."""
        told, self._told = self._told, gevent.event.Event()
        told.set()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Close the way to it, and see that it is gone."""
    assert child.stdin is not None, "a child without its pipes"
    assert child.stdout is not None, "a child without its pipes"
    try:
        child.stdin.close()
    except OSError:
        pass  # what was not yet written is of no interest to anybody
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(END_SECONDS)
    child.stdout.close()
