"""The gateway's child that reads the database: `python -m emg.db.reader`, started and minded by `emg.reader_watch` alone.

The gateway has no database code and never waits for SQL; this program does. It looks at the table `revision` every five seconds and whenever
it is told to, reads the subjects that changed, writes them as files into the folder `tables` of the spool (`emg.db.snapshot`), and says so.

One JSON object a line in both directions. In come first the `Order` (on stdin, because arguments and environment can be seen by others), then a
`Look` for each time that something may have changed; out come `Told`s. The database's password stands in none of the latter. When stdin ends the gateway
is gone, and so is this program. A database that can't be used is told of once, and tried again after pauses that grow to the same five seconds.
"""

import gc
import os
import select
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from emg.db import schema
from emg.db.engine import Database
from emg.db.snapshot import changed, store, sweep
from emg.errors import EmgError
from emg.rules.pacing import Backoff
from emg.rules.snapshot import ROWS, Look, Order, Told

LOOK_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 0.5
LONGEST_LINE: Final = 65536


class Reader:
    """See the module's text. `turn` is one look."""

    def __init__(self, order: Order) -> None:
        self._database = Database(order.database)
        self._folder = Path(order.folder)
        self._known: dict[str, int] = {}
        self._checked = False
        self._failed = ""
        self._pause = Backoff(FIRST_PAUSE, 2.0, LOOK_SECONDS)
        sweep(self._folder)

    def turn(self, look: int = 0, *, anew: bool = False) -> tuple[Told | None, float]:
        """What there is to be told, and for how long nothing need be looked at. `look`: the number to answer; `anew`: read everything."""
        if anew:
            self._known.clear()
        try:
            read = self._read()
        except EmgError as error:
            self._checked = False
            reason, new = str(error), str(error) != self._failed
            self._failed = reason
            gc.collect()  # a connection that failed is a circle with half a megabyte of OpenSSL in it, and `main` lets the collector run seldom
            return (Told(look, failed=reason) if new or look else None), self._pause.failed()
        recovered, self._failed = bool(self._failed), ""
        self._pause.succeeded()
        return (Told(look, subjects=read) if read or look or recovered else None), LOOK_SECONDS

    def _read(self) -> list[str]:
        if not self._checked:
            fault = schema.check(self._database)
            if fault is not None:
                raise EmgError(fault)
            self._checked = True
        snapshots = changed(self._database, self._known)
        for snapshot in snapshots:
            store(self._folder, snapshot)
        self._known |= {snapshot.header.subject: snapshot.header.revision for snapshot in snapshots}
        return [subject for subject in ROWS if any(subject == snapshot.header.subject for snapshot in snapshots)]


class Lines:
    """The lines that come in on a pipe, waited for with a deadline."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._rest = b""
        self.open = True

    def next(self, seconds: float | None) -> bytes | None:
        """The next one; None when none came in this time, or when the pipe is at its end (`open` is False then)."""
        while b"\n" not in self._rest:
            if not select.select([self._number], [], [], seconds)[0]:
                return None
            octets = os.read(self._number, LONGEST_LINE)
            if not octets or len(self._rest) > LONGEST_LINE:
                self.open = False
                return None
            self._rest += octets
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def run(lines: Lines, number: int) -> None:
    """Obey until the pipe ends; `number` is the file that is written to."""
    first = lines.next(None)
    if first is None:
        return
    reader = Reader(msgspec.json.decode(first, type=Order))
    look, anew = 0, False
    while lines.open:
        told, seconds = reader.turn(look, anew=anew)
        if told is not None:
            os.write(number, msgspec.json.encode(told) + b"\n")
        look, anew = 0, False
        line = lines.next(seconds)
        while line is not None:  # several that wait are one look: the last one's answer is an answer to all
            asked = msgspec.json.decode(line, type=Look)
            look, anew = asked.number, anew or asked.anew
            line = lines.next(0.0)


def main() -> int:
    """0 when the gateway is gone; 1 with a sentence for orders that make no sense."""
    gc.set_threshold(100_000, 20, 100)  # rows come by the hundred thousand and hold no circles
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway; it still reads while it drains
    try:
        run(Lines(sys.stdin.fileno()), sys.stdout.fileno())
    except (EmgError, msgspec.MsgspecError) as error:
        print(f"emg reader: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0  # gone between two of its lines
    return 0


if __name__ == "__main__":
    sys.exit(main())
