"""The gateway's logs: `general`, `connector.<name>`, `pdu.<name>` and `profiling` in LOGDIR.

Code logs to Python loggers: `emg.connector.<name>` goes to that connector's file, and from WARNING up to the general one as well;
everything else under `emg` goes to the general one. Levels, files and sizes follow the configuration, also live (`configure`). A log
never stops or fails its writer: see `emg.engine.logfile`. Raises EmgError only when LOGDIR cannot be used at start.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from emg.config.model import ConnectorConfig, LogLevel, ServerConfig
from emg.engine.logfile import FileHandler, LogFile, Prefix, clean, printed
from emg.errors import EmgError, Rejected
from emg.supervised import dumps_go_to
from emg.wire.smpp import show

GENERAL = "emg"
PROFILING = "emg.profiling"
"""Has a file of its own, and stands nowhere else."""
CONNECTOR = "emg.connector."
REFUSALS_A_SESSION = 10
"""Lines a minute about one session's refusals; what comes beyond is counted and told in one line."""
REFUSALS_AN_ADDRESS = 50
"""The same about those of one address who have not bound."""
REFUSALS_A_CONNECTOR = 200
REFUSAL_SECONDS = 60.0
MOST_REFUSED = 10_000
"""Sessions whose refusals are told apart at the same time."""

_LEVELS = {LogLevel.DEBUG2: "DEBUG2"}


class _Refusals:
    """What one session or connector was refused since `since`."""

    __slots__ = ("logger", "seen", "since", "told")

    def __init__(self, logger: logging.Logger, since: float) -> None:
        self.logger = logger
        self.since = since
        self.told = 0
        self.seen = 0


class Logs:
    """See the module's text. One at a time in a program, from construction to `close`."""

    def __init__(self, config: ServerConfig) -> None:
        for number, name in _LEVELS.items():
            logging.addLevelName(number, name)
        self._folder = Path(config.logdir)
        self._handlers: dict[str, FileHandler] = {}
        self._pdu_files: dict[str, LogFile] = {}
        self._refusals: dict[str, _Refusals] = {}
        self._swept = time.monotonic()
        self._head = Prefix(config.servername, year=config.logyear)
        self._open_general(config)
        self.configure(config)
        dumps_go_to(config.logdir)

    def _open_general(self, config: ServerConfig) -> None:
        file = LogFile(self._folder / "general", config.rotatelogsize, config.rotatelogs)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file.open()
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise EmgError(f"LOGDIR {self._folder} cannot be used: {error.strerror}") from error
        except OSError as error:  # no room: the gateway works without its log until there is some
            logging.getLogger(GENERAL).warning("LOGDIR %s: %s", self._folder, error.strerror)
        handler = FileHandler(file, self._prefix, logging.INFO)
        self._handlers[GENERAL] = handler
        self._printed = printed(self._prefix)
        for general in (handler, *self._printed):
            general.addFilter(_belongs_to_general)
            logging.getLogger(GENERAL).addHandler(general)

    def configure(self, config: ServerConfig) -> None:
        """Take levels, sizes, stamps and connectors of a new configuration; files of connectors that are gone are closed."""
        self._head = Prefix(config.servername, year=config.logyear)
        self._level(GENERAL, config.loglevel)
        if config.profiling_threshold:
            self._open(PROFILING, "profiling", config)
            self._level(PROFILING, LogLevel.INFO)
        for name, connector in config.connectors.items():
            logger = CONNECTOR + name
            self._open(logger, f"connector.{name}", config)
            self._level(logger, connector.loglevel)
            if name not in self._pdu_files:
                self._pdu_files[name] = self._file(f"pdu.{name}", config)
        for logger in list(self._handlers):
            if logger.startswith(CONNECTOR) and logger.removeprefix(CONNECTOR) not in config.connectors:
                self._remove(logger)
        for name in [name for name in self._pdu_files if name not in config.connectors]:
            self._pdu_files.pop(name).close()
        for file in self._files():
            file.limit, file.keep = config.rotatelogsize, config.rotatelogs

    def _open(self, logger: str, file: str, config: ServerConfig) -> None:
        """Give a logger a file of its own, unless it has it already."""
        if logger not in self._handlers:
            handler = FileHandler(self._file(file, config), self._prefix, logging.NOTSET)
            logging.getLogger(logger).addHandler(handler)
            self._handlers[logger] = handler

    def _file(self, name: str, config: ServerConfig) -> LogFile:
        return LogFile(self._folder / name, config.rotatelogsize, config.rotatelogs)

    def _files(self) -> list[LogFile]:
        return [handler.file for handler in self._handlers.values()] + list(self._pdu_files.values())

    def _level(self, logger: str, level: LogLevel) -> None:
        self._handlers[logger].setLevel(level)
        logging.getLogger(logger).setLevel(level)

    def _remove(self, logger: str) -> None:
        handler = self._handlers.pop(logger)
        logging.getLogger(logger).removeHandler(handler)
        logging.getLogger(logger).setLevel(logging.NOTSET)
        handler.file.close()

    def _prefix(self, moment: float) -> str:
        return self._head(moment)

    @property
    def lost(self) -> int:
        """Lines that could not be written since the start."""
        return sum(file.lost_total for file in self._files())

    def reopen(self) -> None:
        """Somebody has moved the files away (logrotate, then SIGHUP): go on in new ones."""
        for file in self._files():
            file.reopen()

    def close(self) -> None:
        """Tell what is counted, and let go of every file and logger."""
        self._sweep(time.monotonic(), everything=True)
        for logger in list(self._handlers):
            self._remove(logger)
        for handler in self._printed:
            logging.getLogger(GENERAL).removeHandler(handler)
        for file in self._pdu_files.values():
            file.close()
        self._pdu_files.clear()

    # -- PDUs

    def pdu_wanted(self, config: ConnectorConfig) -> bool:
        """The connector's PDUs are to be logged (LOGPDU)."""
        return config.logpdu

    def pdu(
        self,
        connector: str,
        session: str,
        inward: bool,
        frame: bytes,
        line: Callable[[bytes], str] = show.line,
        hexadecimal: Callable[[bytes], str] = show.hexadecimal,
    ) -> None:
        """One PDU, decoded and in hex on one line, without its password. A protocol other than SMPP brings its own two functions."""
        file = self._pdu_files.get(connector)
        if file is None:
            return  # removed while its last session ends
        arrow = "<" if inward else ">"
        file.write(f"{self._prefix(time.time())} {session} {arrow} {clean(line(frame))} | {hexadecimal(frame)}")

    # -- refusals

    def refusal(self, logger: logging.Logger, session_name: str, pdu_name: str, error: Rejected) -> None:
        """A request was refused."""
        text = "session %s: %s refused (%s): %s"
        self.complain(logger, f"session {session_name}", text, session_name, pdu_name, error.cause.value, error.reason)

    def complain(
        self, logger: logging.Logger, about: str, text: str, *values: object, most: int = REFUSALS_A_SESSION
    ) -> None:
        """What peers can cause as often as they like: told up to `most` times a minute about each of them, and up to a number of times for
        each connector, then counted. `text` and `values` as for a logger.
        """
        now = time.monotonic()
        if now - self._swept >= REFUSAL_SECONDS:
            self._sweep(now)
        whole = self._refused(logger.name, logger, now)
        own = whole
        if about in self._refusals or len(self._refusals) < MOST_REFUSED:
            own = self._refused(about, logger, now)
        if own.told >= most or whole.told >= REFUSALS_A_CONNECTOR:
            return
        own.told += 1
        if own is not whole:
            whole.told += 1
        logger.info(text, *values)
        if own.told == most:
            logger.info("%s: more of this kind is only counted for now", about)

    def _refused(self, key: str, logger: logging.Logger, now: float) -> _Refusals:
        refusals = self._refusals.get(key)
        if refusals is None:
            refusals = self._refusals[key] = _Refusals(logger, now)
        refusals.seen += 1
        return refusals

    def sweep(self) -> None:
        """Tell the counts of refusals whose minute is over; to be called every now and then."""
        now = time.monotonic()
        if now - self._swept >= REFUSAL_SECONDS:
            self._sweep(now)

    def _sweep(self, now: float, *, everything: bool = False) -> None:
        self._swept = now
        for key, refusals in list(self._refusals.items()):
            if not everything and now - refusals.since < REFUSAL_SECONDS:
                continue
            del self._refusals[key]
            if refusals.seen > refusals.told:
                whose = "connector " + key.removeprefix(CONNECTOR) if key == refusals.logger.name else key
                refusals.logger.info(
                    "%s: %d refusals within %.0f s, %d of them told",
                    whose, refusals.seen, now - refusals.since, refusals.told,
                )  # fmt: skip


def _belongs_to_general(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING and record.name.startswith(CONNECTOR):
        return False
    return record.name != PROFILING
