"""The log of a program that has one file alone, as the recorder and the scheduler do: LOGDIR/NAME, in the form, and rotated as, the gateway's logs are.

What the program's loggers say from INFO up goes there. Raises EmgError when LOGDIR cannot be used; later nothing that a disk does reaches the program
(`emg.engine.logfile`).
"""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from emg.config.model import ServerConfig
from emg.engine.logfile import FileHandler, LogFile, Prefix, printed
from emg.errors import EmgError
from emg.supervised import dumps_go_to

OURS: Final = "emg"


class ProgramLog:
    """See the module's text; from construction to `close`. `others`: loggers of libraries that are heard too, at the level that they have."""

    def __init__(self, config: ServerConfig, name: str, others: Collection[str] = ()) -> None:
        self._file = LogFile(Path(config.logdir) / name, config.rotatelogsize, config.rotatelogs)
        try:
            self._file.path.parent.mkdir(parents=True, exist_ok=True)
            self._file.open()
        except OSError as error:
            raise EmgError(f"LOGDIR {config.logdir} cannot be used: {error.strerror}") from error
        prefix = Prefix(config.servername, year=config.logyear)
        self._handlers = [FileHandler(self._file, prefix, logging.NOTSET), *printed(prefix)]
        self._loggers = [logging.getLogger(logger) for logger in (OURS, *others)]
        for logger in self._loggers:
            for handler in self._handlers:
                logger.addHandler(handler)
        self._loggers[0].setLevel(logging.INFO)
        dumps_go_to(config.logdir)

    def reopen(self) -> None:
        """Somebody has moved the file away (logrotate): go on in a new one."""
        self._file.reopen()

    def close(self) -> None:
        """Let go of the file and the loggers."""
        for logger in self._loggers:
            for handler in self._handlers:
                logger.removeHandler(handler)
        self._loggers[0].setLevel(logging.NOTSET)
        self._file.close()
