"""`emg recorder [-c server.cfg]`: write the gateway's events into the database's message log, until SIGTERM.

It runs beside the gateway, on its machine; the two start and stop in any order. One recorder a spool: a second one ends with a sentence. SIGTERM and
SIGINT let it finish its batch; SIGHUP begins a new log file. Its log is LOGDIR/recorder. Without DATABASE there is nothing to do: exit code 1.
"""

import argparse
import gc
import logging
import os
import signal
from pathlib import Path

from emg.engine.program_log import ProgramLog
from emg.errors import EmgError
from emg.last_good import LastGood
from emg.recorder.acceptance import accept
from emg.recorder.loop import Recorder
from emg.supervised import have_lock, hung_up, note_hangups, patience

LOCK = "recorder.lock"
log = logging.getLogger("emg.recorder")


def main(argv: list[str]) -> int:
    """See the module's text. 0 after an orderly stop."""
    parser = argparse.ArgumentParser(
        prog="emg recorder", description="Write the gateway's events into the message log."
    )
    parser.add_argument("-c", "--config", default="/etc/emg/server.cfg", help="configuration (default: %(default)s)")
    parser.add_argument(
        "--accept-spool",
        action="store_true",
        help="do no more than this: take the spool, which was put back from an older copy, as the one that holds from now on"
        " (the gateway and the recorder have to be stopped; see docs/database.md)",
    )
    arguments = parser.parse_args(argv)
    note_hangups()
    last_good = LastGood("recorder")
    config = last_good.load(arguments.config)
    if config.database is None:
        raise EmgError("DATABASE is not set: there is no message log to write")
    os.umask(0o027)  # messages and logs are nobody else's
    lock = _lock(Path(config.spooldir))
    file = ProgramLog(config, "recorder")
    try:
        if arguments.accept_spool:
            done = accept(config)
            log.warning("%s", done)
            print(done)
            return 0
        recorder = Recorder(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: recorder.stop())
        signal.signal(signal.SIGHUP, lambda *_: file.reopen())
        if hung_up():
            file.reopen()
        last_good.up(config)
        gc.freeze()
        gc.set_threshold(200_000, 20, 100)  # a batch makes many objects, no cycles, and lets go of all of them
        log.info("the recorder is up: %s into %s", config.spooldir, recorder.standing.database)
        recorder.run()
        log.info("the recorder has stopped at %d", recorder.standing.position)
    finally:
        file.close()
        os.close(lock)
    return 0


def _lock(folder: Path) -> int:
    """Held until the process ends. Raises EmgError when another recorder has it."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise EmgError(f"the spool folder {folder} is not writable: {error.strerror}") from error
    if not have_lock(handle, patience()):
        os.close(handle)
        raise EmgError(f"another recorder works on the spool {folder}")
    return handle
