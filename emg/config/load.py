"""Configuration from disk: the one module of the package that touches files.

`load` gives a `ServerConfig` with every relative file name resolved against the folder of the main file (EMGDIR in the environment
overrides it; INCLUDE is always relative to the including file), or raises ConfigFaults with every fault. It changes nothing and
makes no folder. Files are at most 16 MiB of UTF-8.
"""

import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from emg.config.build import TABLES, Built, Draft, quote
from emg.config.check import examine
from emg.config.connector import ConnectorConfig
from emg.config.faults import ConfigFaults, Findings, Unreadable
from emg.config.keywords import Reads
from emg.config.model import ServerConfig, UserConfig
from emg.config.syntax import Source

__all__ = ["ConfigFaults", "load", "load_text"]

LARGEST_FILE = 16 << 20


def load(
    path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ, source: "Disk | None" = None
) -> ServerConfig:
    """Read and check a configuration file; raises ConfigFaults (also if it can't be read). `source`: through whom its files are read."""
    file = posixpath.normpath(os.fspath(path))
    folder = posixpath.abspath(environ.get("EMGDIR") or posixpath.dirname(file))
    source = source or Disk()
    findings = Findings()
    try:
        text = source.read(file)
    except Unreadable as reason:
        findings.fault(file, 0, f"can't be read: {reason}")
        raise ConfigFaults(findings.faults) from None
    draft, files = examine(text, file, folder, environ, source, findings)
    _readable(draft, findings)
    return _finish(draft, files, findings)


def load_in_part(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] = os.environ,
    texts: Mapping[str, str] | None = None,
    folder: str = "",
) -> tuple[ServerConfig, frozenset[str]]:
    """What a file with faults says at the top, for who only wants to ask a program that runs: without connectors and users.

    The second is the keywords whose values could not be read; what they would have said is unknown. `texts` and `folder`: as `load_text`. Raises ConfigFaults
    when the file itself can't be read.
    """
    file = posixpath.normpath(os.fspath(path))
    source, findings = Disk() if texts is None else _Memory(texts), Findings()
    try:
        text = source.read(file)
    except Unreadable as reason:
        findings.fault(file, 0, f"can't be read: {reason}")
        raise ConfigFaults(findings.faults) from None
    folder = folder or posixpath.abspath(environ.get("EMGDIR") or posixpath.dirname(file))
    draft, files = examine(text, file, folder, environ, source, findings)
    return replace(draft.general.value, file=files[0]), draft.general.broken


def load_text(
    text: str,
    environ: Mapping[str, str] | None = None,
    *,
    file: str = "server.cfg",
    folder: str = "",
    files: Mapping[str, str] | None = None,
) -> ServerConfig:
    """The same from a string, for tests: `files` are the texts that INCLUDE and USERS find; no disk is touched."""
    findings = Findings()
    draft, read = examine(text, file, folder, environ or {}, _Memory(files or {}), findings)
    return _finish(draft, read, findings)


def _finish(draft: Draft, files: list[str], findings: Findings) -> ServerConfig:
    findings.sort(files)
    if findings.faults:
        raise ConfigFaults(findings.faults, findings.warnings)
    return replace(
        draft.general.value,
        connectors={name: built.value for name, built in draft.connectors.items()},
        users={name: built.value for name, built in draft.users.items()},
        warnings=tuple(findings.warnings),
        file=files[0],
    )


class Disk(Source):
    """Files as they are; whatever goes wrong is a reason in a few words."""

    def path(self, name: str, including: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(including), name))

    def read(self, path: str) -> str:
        _look(path)
        try:
            with Path(path).open("rb") as file:
                octets = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise Unreadable(_words(error)) from None
        if len(octets) > LARGEST_FILE:
            raise Unreadable(f"it has more than {LARGEST_FILE >> 20} MiB")
        return self.decode(octets)

    def decode(self, octets: bytes) -> str:
        """The text of a file."""
        try:
            return octets.decode()
        except ValueError:
            raise Unreadable("it is not UTF-8 text") from None


class _Memory(Disk):
    """Texts by name, for tests."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def read(self, path: str) -> str:
        if path not in self.texts:
            raise Unreadable("no such file")
        return self.texts[path]


def _words(error: OSError) -> str:
    return (error.strerror or "input/output error").lower()


def _look(path: str) -> None:
    """Raise Unreadable unless this is a regular file that we may read; a pipe or a device could make us wait for ever."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise Unreadable(_words(error)) from None
    except ValueError:
        raise Unreadable("no file can have such a name") from None
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("it is not a file")
    if not os.access(path, os.R_OK):
        raise Unreadable("permission denied")


def _readable(draft: Draft, findings: Findings) -> None:
    """Every file that the configuration names can be read. What has a fault at that place already is left alone."""
    faulty = {(fault.file, fault.line) for fault in findings.faults}
    sections: list[tuple[str, Built[ServerConfig] | Built[ConnectorConfig] | Built[UserConfig]]] = [("", draft.general)]
    sections += [("CONNECTOR", built) for built in draft.connectors.values()]
    sections += [("USER", built) for built in draft.users.values()]
    for place, built in sections:
        for name, setting in built.given.items():
            row = TABLES[place][name]
            if row.kind.reads is not Reads.FILE or (setting.file, setting.line) in faulty:
                continue
            try:
                _look(getattr(built.value, row.attribute))
            except Unreadable as reason:
                findings.fault(setting.file, setting.line, f"{quote(row, setting)} can't be read: {reason}")
