"""The last good copy of the configuration: what a program goes on with that has to start while server.cfg has a fault.

A crash at night must not turn a typo of the day into an outage. Under supervisord EMG_LAST_GOOD names a folder; there each program keeps the files that it
came up with: server.cfg, what that includes, and copies of the tables that it names (ROUTES, PRICES, BLACKLIST, WHITELIST, RETRYSCHEME). Without
EMG_LAST_GOOD (by hand) nothing is kept, and faults end the start. The folder is for its owner alone: passwords may stand in server.cfg. ${NAME} stands there as
in the file. A copy that can't be written, or read, is as if there were none: nothing here raises but the faults themselves.
"""

import contextlib
import hashlib
import logging
import os
import posixpath
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from emg.config.faults import ConfigFaults
from emg.config.load import Disk, load, load_in_part, load_text
from emg.config.model import ServerConfig
from emg.errors import EmgError

VARIABLE: Final = "EMG_LAST_GOOD"
TABLES: Final = ("routes", "prices", "blacklist", "whitelist")
INDEX: Final = "files.json"
UNSET: Final = " is not set"
"""How the fault of a `${NAME}` ends: of the shell, perhaps, and not of the file."""
LONGEST_FAULTS: Final = 500
"""Characters of them in a log or an alert."""

log = logging.getLogger("emg.last_good")
T = TypeVar("T")


def call(step: Callable[[], str]) -> str:
    """Where nothing else is to go on meanwhile."""
    return step()


class Recording(Disk):
    """Files as they are, remembered."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def read(self, path: str) -> str:
        """Its text; raises Unreadable."""
        text = self.texts[path] = super().read(path)
        return text


class Copy(msgspec.Struct, frozen=True):
    """What is kept."""

    file: str
    folder: str
    """Against which relative names are resolved."""
    at: float
    """Seconds since 1970."""
    texts: dict[str, str]
    tables: dict[str, str] = {}
    """Path of a table → name of its copy."""


class LastGood:
    """The copy of one program. `faults`: why it runs on the copy; empty while it runs on the files themselves."""

    def __init__(self, program: str, environ: Mapping[str, str] = os.environ) -> None:
        folder = environ.get(VARIABLE)
        self._folder = Path(folder) / program if folder else None
        self._environ = environ
        self.faults = ""

    def load(self, path: str | os.PathLike[str]) -> ServerConfig:
        """The configuration, or that of the copy when the file has faults. Raises ConfigFaults when there is none either."""
        try:
            return load(path, self._environ)
        except EmgError as faults:
            return self.instead(path, faults)

    def instead(self, path: str | os.PathLike[str], fault: EmgError) -> ServerConfig:
        """The copy's configuration, because of that fault; raises the fault when there is none."""
        copy = self.kept()
        if copy is None or self.faults or copy.file != posixpath.normpath(os.fspath(path)):
            raise fault
        try:
            config = load_text(
                copy.texts[copy.file], self._environ, file=copy.file, folder=copy.folder, files=copy.texts
            )
        except (EmgError, KeyError):  # an older copy, which this version does not take any more
            raise fault from None
        self.faults = f"{in_brief(fault)}; it goes on with the copy of {written(copy.at)}"
        return self._with_tables(config, copy)

    def started(self, path: str, start: Callable[[ServerConfig, "LastGood"], T], faulty: type[EmgError]) -> T:
        """What `start` makes of the configuration, or where that raises `faulty`, of the copy's. Raises EmgError."""
        try:
            return start(self.load(path), self)
        except faulty as fault:
            return start(self.instead(path, fault), self)

    def up(
        self, config: ServerConfig, run: Callable[[Callable[[], str]], str] = call, *, reloaded: bool = False
    ) -> None:
        """The program is up with this configuration: keep its files, or log that they have faults; once there is a log.

        `run`: how to run what is slow, since it reads and writes files. `reloaded`: the files themselves were read.
        """
        self.faults = "" if reloaded else self.faults
        if self.faults:
            log.error("the configuration has faults: %s. Mend it, then restart or reload", self.faults)
        elif trouble := run(lambda: self._keep(config)):
            log.warning("no copy of the configuration could be kept: %s", trouble)

    def _keep(self, config: ServerConfig) -> str:
        """Why it could not; logs nothing: it may run in a native thread."""
        if self._folder is None:
            return ""
        try:
            source = Recording()
            if load(config.file, self._environ, source) == config:  # else somebody is just writing it
                self._write(config, source.texts)
        except (OSError, EmgError) as error:
            return str(error)
        return ""

    # -- the folder

    def kept(self) -> Copy | None:
        """What is kept; None where that can't be read."""
        if self._folder is None:
            return None
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode((self._folder / INDEX).read_bytes(), type=Copy)
        return None

    def _write(self, config: ServerConfig, texts: dict[str, str]) -> None:
        assert self._folder is not None, "asked only with a folder"
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        before = self.kept()
        tables = {}
        for path in set(table_paths(config)):
            octets = Path(path).read_bytes()
            tables[path] = hashlib.sha256(octets).hexdigest()[:32]
            if not (self._folder / tables[path]).exists():
                self._replace(tables[path], octets)
        folder = posixpath.abspath(self._environ.get("EMGDIR") or posixpath.dirname(config.file))
        copy = Copy(config.file, folder, time.time(), texts, tables)
        if before is None or (before.texts, before.tables, before.folder) != (texts, tables, folder):
            self._replace(INDEX, msgspec.json.encode(copy))
            for file in self._folder.iterdir():
                if file.name not in (INDEX, *tables.values()):
                    file.unlink()

    def _replace(self, name: str, octets: bytes) -> None:
        assert self._folder is not None, "asked only with a folder"
        new = self._folder / f"{name}.new"
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())  # it is wanted after a power loss
        new.replace(self._folder / name)

    def _with_tables(self, config: ServerConfig, copy: Copy) -> ServerConfig:
        def kept(path: str | None) -> str | None:
            return str(self._folder / copy.tables[path]) if self._folder and path in copy.tables else path

        connectors = {
            name: replace(connector, retryscheme=kept(connector.retryscheme))
            for name, connector in config.connectors.items()
        }
        tables = {name: kept(getattr(config, name)) for name in TABLES}
        return replace(config, connectors=connectors, **tables)  # type: ignore[arg-type] # names of keywords that are files


def for_asking(
    path: str | os.PathLike[str], needed: Collection[str], environ: Mapping[str, str] = os.environ
) -> tuple[ServerConfig, str]:
    """What a command must know that only asks a program that runs, also while server.cfg has faults: people need it most then.

    `needed`: the keywords of the top that it goes by. With faults they come from the last good copy, which is what runs, or else from the file as far as it
    can be read. The second is a warning, empty without faults, and where only variables are not set in this shell. Raises ConfigFaults when no way leads to them.
    """
    try:
        return load(path, environ), ""
    except ConfigFaults as error:
        faults = error
    file, spool = posixpath.abspath(os.fspath(path)), ServerConfig().spooldir
    found: list[tuple[ServerConfig, frozenset[str], str]] = []
    with contextlib.suppress(ConfigFaults):
        config, broken = load_in_part(file, environ)
        spool = config.spooldir
        found.append((config, broken, "goes by what can be read of it"))
    folder = environ.get(VARIABLE) or posixpath.join(spool, "last_good")
    for program in ("watchdog", "gateway"):
        copy = LastGood(program, {**environ, VARIABLE: folder}).kept()
        if copy is not None and posixpath.abspath(copy.file) == file and copy.file in copy.texts:
            config, broken = load_in_part(copy.file, environ, copy.texts, copy.folder)
            found.insert(0, (config, broken, f"goes by the copy of {written(copy.at)}"))
    for config, broken, how in found:
        if not broken & set(needed):
            known = all(str(fault).endswith(UNSET) for fault in faults.faults)
            return config, "" if known else f"the configuration has faults: {in_brief(faults)}; this {how}"
    raise faults


def written(at: float) -> str:
    """A time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def table_paths(config: ServerConfig) -> Iterator[str]:
    """The tables that it names as files."""
    for path in (
        *(getattr(config, name) for name in TABLES),
        *(each.retryscheme for each in config.connectors.values()),
    ):
        if path is not None:
            yield path


def in_brief(fault: EmgError) -> str:
    """Its sentences in one line, cut."""
    text = "; ".join(str(fault).splitlines())
    return text if len(text) <= LONGEST_FAULTS else f"{text[: LONGEST_FAULTS - 1]}…"
