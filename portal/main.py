"""`emg portal`: serves the portal on PORTAL until SIGTERM.

It starts, and answers, whatever else is down: without a gateway every page says so; without the database every page is one sentence, until it is back. SIGHUP reads the
configuration again and begins a new log file; the log is LOGDIR/portal. Exit codes: 0 after SIGTERM or SIGINT, 1 when the configuration is wrong, names no
database, the address is taken, or what `make setup` brings for the pages is not there.
"""

import argparse
import logging
import os
import signal
from pathlib import Path
from typing import Final

import gevent
from gevent.event import Event

from emg.config.cli import DEFAULT_FOLDER
from emg.control.http_server import listen_tcp
from emg.db.engine import Database, DatabaseError
from emg.engine.program_log import ProgramLog
from emg.errors import EmgError
from emg.last_good import LastGood
from emg.supervised import hung_up, note_hangups
from portal import assets, house, secret, serving
from portal.app import create_app

STOP_SECONDS: Final = 5.0
"""For requests that are being answered."""

log = logging.getLogger("emg.portal")


def main(argv: list[str]) -> int:
    """`emg portal [-c server.cfg]`."""
    parser = argparse.ArgumentParser(prog="emg portal", description="Serve the web portal and its REST API.")
    default = f"{os.environ.get('EMGDIR') or DEFAULT_FOLDER}/server.cfg"
    parser.add_argument(
        "-c", "--config", default=default, metavar="FILE", help="where PORTAL and DATABASE stand (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    note_hangups()
    last_good = LastGood("portal")
    config = last_good.load(arguments.config)
    if config.database is None:
        raise DatabaseError(f"{config.file} names no database: set DATABASE, then run `emg db upgrade`")
    if lacking := assets.missing():
        raise EmgError(f"the portal's {', '.join(lacking)} are not there: run `make setup`")
    os.umask(0o027)
    file = ProgramLog(config, "portal")
    try:
        app = create_app(config, Database(config.database), secret.read(Path(config.spooldir)))
        listener = listen_tcp(config.portal.host, config.portal.port, "PORTAL")
        server = serving.server(listener, app, config.portal_proxies, log)
        stopping = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, stopping.set)

        def reload() -> None:
            file.reopen()
            try:
                app.extensions[house.NAME].reload()
            except EmgError as error:
                log.error("the configuration was not taken: %s", error)

        gevent.signal_handler(signal.SIGHUP, reload)
        if hung_up():
            reload()
        server.start()
        log.info("the portal is on http://%s", config.portal)
        last_good.up(config)
        stopping.wait()
        server.stop(STOP_SECONDS)
        log.info("the portal has stopped")
    finally:
        file.close()
    return 0
