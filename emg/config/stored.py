"""Connectors that stand in the database instead of the configuration file: the same language, read by the same parser. Pure.

A stored connector is a name and lines `(keyword, value)`; a value is what would stand after `=` in the file, quotes and `${NAME}`
included, and empty for a bare keyword. `examine` reads such connectors beside a configuration that was read from its file: a name in
both is a fault, and so is whatever the file's own check calls one. A `${NAME}` that is not set where the check is made is a
warning only: it is the gateway's environment that counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from emg.config.build import TABLES, Built, C, Draft, build
from emg.config.check import RULES, STORED
from emg.config.connector import ConnectorConfig
from emg.config.effective import quoted
from emg.config.faults import Findings, Unreadable
from emg.config.model import ServerConfig
from emg.config.syntax import CONTROL, KEY, SECTION_NAME, SECTION_NAME_SAYS, Setting, Source, parse

FILE: Final = STORED
HIDDEN: Final = "***"
REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", re.ASCII)
ROWS: Final = TABLES["CONNECTOR"]


class Stored(NamedTuple):
    """A connector as the tables keep it; `disabled` stands for its keyword."""

    name: str
    lines: tuple[tuple[str, str], ...]
    disabled: bool = False


class StoredFault(NamedTuple):
    """One thing to put right; `keyword` is empty where it is about the connector as a whole."""

    connector: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        return f"connector {self.connector}: {self.reason}"


@dataclass(slots=True)
class Examined:
    """What `examine` found. `connectors` are those without a fault, with every default filled in."""

    connectors: dict[str, ConnectorConfig] = field(default_factory=dict)
    faults: list[StoredFault] = field(default_factory=list)
    warnings: list[StoredFault] = field(default_factory=list)


def line(keyword: str, value: str) -> str:
    """The line as it would stand in the file."""
    row = ROWS.get(keyword)
    return keyword if not value and (row is None or row.kind.bare) else f"{keyword}={value}"


def section(stored: Stored) -> str:
    """The whole section, its last line ended."""
    off = ["DISABLED"] if stored.disabled else []
    return "\n".join([f"CONNECTOR {stored.name} <", *(line(*item) for item in stored.lines), *off, ">", ""])


def shown(keyword: str, value: str) -> str:
    """The value for people's eyes: of a secret keyword only that there is one, or the `${NAME}` that it comes from."""
    row = ROWS.get(keyword)
    secret = row.secret if row else any(word in keyword for word in ("PASSWORD", "SECRET", "XAUTH"))
    return HIDDEN if secret and value and not REFERENCE.fullmatch(value) else value


def plain(value: str) -> str | None:
    """The text that a value stands for, quotes taken off; None where the environment has a say in it (`${NAME}`), or it can't be read."""
    findings = Findings()
    settings = parse(f"KEY={value}", FILE, {}, _Nothing(), findings).settings
    return settings[0].value if len(settings) == 1 and not findings.faults else None


def as_value(text: str) -> str:
    """A text as the value that stands for it; one with `${NAME}` in it is meant as it stands."""
    return text if REFERENCE.search(text) else quoted(text)


def examine(config: ServerConfig, stored: Iterable[Stored], environ: Mapping[str, str], folder: str) -> Examined:
    """Read and check stored connectors beside `config`; relative file names are taken from `folder`."""
    examined = Examined()
    text, places = _text(config, stored, examined)
    variables = Variables(environ)
    findings = Findings()
    document = parse(text, FILE, variables, _Nothing(), findings)
    draft = build(document, folder, findings, config)
    own = dict(draft.connectors)
    file = _of_the_file(config)
    whole = Draft(file.general, {**file.connectors, **own}, file.users)
    for rule in RULES:
        rule(whole, findings)
    _sort(findings, places, variables, examined)
    faulty = {fault.connector for fault in examined.faults}
    examined.connectors = {name: built.value for name, built in own.items() if name not in faulty}
    return examined


def _text(config: ServerConfig, stored: Iterable[Stored], examined: Examined) -> tuple[str, list[tuple[Stored, str]]]:
    """The sections one after the other, and for each line whose it is and its keyword."""
    lines: list[str] = []
    places: list[tuple[Stored, str]] = []
    for connector in stored:
        faults = [StoredFault(connector.name, *fault) for fault in _unwritable(config, connector)]
        examined.faults += faults
        if faults:
            continue
        text = section(connector).rstrip("\n").split("\n")
        lines += text
        places += [
            (connector, one.partition("=")[0] if 0 < number < len(text) - 1 else "") for number, one in enumerate(text)
        ]
    return "\n".join(lines), places


def _unwritable(config: ServerConfig, connector: Stored) -> Iterator[tuple[str, str]]:
    """What keeps a connector from being written as a section at all: (keyword, reason)."""
    if not SECTION_NAME.fullmatch(connector.name):
        yield "", f"a name is made of {SECTION_NAME_SAYS}"
    if connector.name in config.connectors:
        yield "", "a connector of this name stands in the configuration file"
    for keyword, value in connector.lines:
        if not KEY.fullmatch(keyword) or keyword != keyword.upper():
            yield keyword, f"{keyword[:64]!r} is not a keyword"
        elif CONTROL.search(value):
            yield keyword, f"{keyword} holds control characters, such as a line end"
        elif not _is_text(value):
            yield keyword, f"{keyword} holds what no text can hold"
        elif keyword == "DISABLED":
            yield keyword, "whether a connector is disabled is said by `enable` and `disable`, not by a line"
        elif keyword == "USERS":
            yield keyword, "USERS stands in the configuration file only; here, accounts are in the database too"


def _is_text(value: str) -> bool:
    """It can be written as UTF-8, as the database and a file would."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_the_file(config: ServerConfig) -> Draft:
    """The file's sections as a draft has them; they have been checked, so that nothing said about them matters."""

    def built(sections: Mapping[str, C], kind: str) -> dict[str, Built[C]]:
        given = {name: Setting(name, None, "", config.file, 0) for name in TABLES[kind]}
        return {name: Built(value, config.file, 0, given, frozenset[str]()) for name, value in sections.items()}

    general = Built(config, config.file, 0, {}, frozenset[str]())
    return Draft(general, built(config.connectors, "CONNECTOR"), built(config.users, "USER"))


def _sort(findings: Findings, places: list[tuple[Stored, str]], variables: "Variables", examined: Examined) -> None:
    """Give each finding to its connector; those of lines whose variables are not set here are warnings of that."""
    unset: dict[int, str] = {}
    for number, (connector, keyword) in enumerate(places, 1):
        value = next((text for name, text in connector.lines if name == keyword), "")
        missing = [name for name in variables.missing if "${" + name + "}" in value]
        if missing:
            unset[number] = missing[0]
            reason = f"{keyword}: the environment variable {missing[0]} is not set here; the gateway will need it"
            examined.warnings.append(StoredFault(connector.name, keyword, reason))
    for found, kept in ((findings.faults, examined.faults), (findings.warnings, examined.warnings)):
        for fault in found:
            if fault.file == FILE and 0 < fault.line <= len(places) and fault.line not in unset:
                connector, keyword = places[fault.line - 1]
                reason = fault.reason.removeprefix(f"CONNECTOR {connector.name} ")
                kept.append(StoredFault(connector.name, keyword, reason))


class Variables(Mapping[str, str]):
    """The environment, where a name that is not set stands for itself; `missing` are those that were asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.missing: list[str] = []

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        if name not in self._environ:
            self.missing.append(name)
            return "unset"
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


class _Nothing(Source):
    """No files: sections of the database include none."""

    def path(self, name: str, including: str) -> str:
        return name

    def read(self, path: str) -> str:
        raise Unreadable("nothing is read beside the database")
